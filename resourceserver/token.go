package resourceserver

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/internal/strictjson"
)

// A Token describes the access token of a call, as ProConnect does (RFC 7662 section
// 2.2). It does not contain the token itself.
//
// Its String and LogValue methods show a pseudonym in place of the sub.
type Token struct {
	// Sub identifies the agent on whose behalf the call is made. It equals
	// [agentconnect.Agent].Sub at the service that calls.
	Sub string
	// ClientID is the service that the token was issued to: one of
	// [WithAllowedClients].
	ClientID string
	// Scopes are those that the token was granted.
	Scopes []string
	// IssuedAt and ExpiresAt are the start and the end of the token, to the second;
	// zero if ProConnect does not give them.
	IssuedAt, ExpiresAt time.Time

	answer strictjson.Object
}

// HasScope reports whether the token was granted the scope.
func (t Token) HasScope(scope string) bool { return slices.Contains(t.Scopes, scope) }

// Claim decodes another member of ProConnect's answer into v, a pointer as
// encoding/json takes it. If the answer has no such member, it returns false and does
// not change v. If the member does not fit v, it returns an error that does not quote
// it.
func (t Token) Claim(name string, v any) (bool, error) {
	raw, err := t.answer.Get(name)
	if err != nil || raw.IsNull() {
		return false, err
	}
	if err := raw.Decode(v); err != nil {
		return false, err
	}
	return true, nil
}

// String names the agent by their pseudonym, and the service.
func (t Token) String() string {
	return "access token of agent " + agentconnect.Pseudonym(t.Sub) + " for " + t.ClientID
}

// GoString returns what String returns, for %#v.
func (t Token) GoString() string { return t.String() }

// LogValue logs the agent's pseudonym, the service and the scopes.
func (t Token) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("agent", agentconnect.Pseudonym(t.Sub)),
		slog.String("client_id", t.ClientID),
		slog.Any("scopes", t.Scopes),
	)
}

// tokenKey is the type of the key of the token in contexts.
type tokenKey struct{}

// A tokenOf is the token of a call that was let through.
type tokenOf struct {
	owner *Server // nil if ContextWithToken made it
	token *Token
}

func fromContext(ctx context.Context) *tokenOf {
	t, _ := ctx.Value(tokenKey{}).(*tokenOf)
	return t
}

// TokenFrom returns the Token of a request behind [Server.RequireToken] or
// [Server.RequireScopes], and false for any other request.
func TokenFrom(ctx context.Context) (Token, bool) {
	found := fromContext(ctx)
	if found == nil {
		return Token{}, false
	}
	token := *found.token
	token.Scopes = slices.Clone(token.Scopes) // other calls have the same token
	return token, true
}

// ContextWithToken returns a context in which [TokenFrom] finds the token. It is for
// tests that call a handler without the middleware. The middleware itself never trusts
// it.
func ContextWithToken(ctx context.Context, token Token) context.Context {
	return context.WithValue(ctx, tokenKey{}, &tokenOf{token: &token})
}
