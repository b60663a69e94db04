package agentconnect

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/strictjson"
)

// A TokenInfo is what AgentConnect says of the access token of a call to a
// [ResourceServer] (RFC 7662 section 2.2). The token itself is not in it.
//
// Its String and LogValue methods show a pseudonym of the sub alone.
type TokenInfo struct {
	// Sub identifies the agent on whose behalf the call is made: what
	// [Agent].Sub is at the service that calls.
	Sub string
	// ClientID is the service that the token was issued to: one of
	// [WithAllowedClients].
	ClientID string
	// Scopes are those that the token was granted.
	Scopes []string
	// IssuedAt and ExpiresAt are when the token begins and ends, to the second;
	// zero when AgentConnect does not say.
	IssuedAt, ExpiresAt time.Time

	claims strictjson.Object
}

// HasScope reports whether the token was granted the scope.
func (t TokenInfo) HasScope(scope string) bool { return slices.Contains(t.Scopes, scope) }

// Claim decodes another member of AgentConnect's answer into v, a pointer as
// encoding/json takes it. It returns false, and leaves v alone, when the answer has
// no such member, and an error when it does not fit v, which does not quote it.
func (t TokenInfo) Claim(name string, v any) (bool, error) {
	raw, err := t.claims.Get(name)
	if err == nil && raw.IsNull() {
		return false, nil
	}
	if err == nil {
		err = raw.Decode(v)
	}
	if err != nil {
		return false, fmt.Errorf("agentconnect: claim %s: %w", name, err)
	}
	return true, nil
}

// String names the agent by their pseudonym, and the service.
func (t TokenInfo) String() string {
	return "access token of agent " + Pseudonym(t.Sub) + " for " + t.ClientID
}

// GoString returns what String returns, for %#v.
func (t TokenInfo) GoString() string { return t.String() }

// LogValue logs the agent's pseudonym, the service and the scopes.
func (t TokenInfo) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("agent", Pseudonym(t.Sub)),
		slog.String("client_id", t.ClientID),
		slog.Any("scopes", t.Scopes),
	)
}

// tokenKey is the type of the key of the token in contexts.
type tokenKey struct{}

// A requestToken is the token of a call that was let through.
type requestToken struct {
	owner *ResourceServer // nil when ContextWithToken made it
	info  *TokenInfo
}

// TokenFrom returns what AgentConnect says of the access token of a request that
// went through [ResourceServer.RequireToken] or RequireScopes, and false for any
// other request.
func TokenFrom(ctx context.Context) (TokenInfo, bool) {
	if t := tokenFrom(ctx); t != nil {
		info := *t.info
		info.Scopes = slices.Clone(info.Scopes) // the cache has the other one
		return info, true
	}
	return TokenInfo{}, false
}

// ContextWithToken returns a context in which [TokenFrom] finds the token. It is
// for the tests of handlers that are called without the middleware, which never
// trusts it.
func ContextWithToken(ctx context.Context, token TokenInfo) context.Context {
	return context.WithValue(ctx, tokenKey{}, &requestToken{info: &token})
}

func tokenFrom(ctx context.Context) *requestToken {
	t, _ := ctx.Value(tokenKey{}).(*requestToken)
	return t
}
