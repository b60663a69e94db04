package agentconnect

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"golang.org/x/oauth2"

	"github.com/agentconnect-go/agentconnect/internal/flight"
	"github.com/agentconnect-go/agentconnect/internal/provider"
	"github.com/agentconnect-go/agentconnect/internal/tokens"
)

// ErrLoginNeeded is the error of [Authenticator.TokenSource] and
// [Authenticator.RenewToken] if the session has no valid access token and cannot get
// one: the refresh token has expired or was revoked, the provider's session is over,
// the session has ended, or [WithTokens] is missing. A new login gives new tokens: see
// [Authenticator.StartLogin].
var ErrLoginNeeded = tokens.ErrLoginNeeded

// tokensOf returns the facts of a session for the keeper.
func (a *Authenticator) tokensOf(s *session) tokens.Session {
	return tokens.Session{
		Name:    s.token,
		Key:     a.sessions.store.Key(s.token),
		Sub:     s.agent.Sub,
		Created: s.created,
		Expires: s.expires,
		Renewed: func(ctx context.Context) { a.events.emit(ctx, agentEvent(EventTokenRefreshed, s.agent)) },
	}
}

// endTokensOf deletes the tokens of a session that ends, by the session's token.
func (a *Authenticator) endTokensOf(ctx context.Context, token string) {
	if a.tokens == nil {
		return
	}
	if err := a.tokens.End(ctx, a.sessions.store.Key(token)); err != nil {
		a.config.logger.WarnContext(ctx, "agentconnect: the tokens of a session could not be deleted and stay until it would have expired", "cause", err)
	}
}

// TokenSource returns the source of access tokens of the agent who is logged in, to
// call resource servers on the agent's behalf. ctx is the context of a request behind
// [Authenticator.RequireAgent]. It needs [WithTokens]. The source ends with ctx, and
// with a logout on any instance.
//
// A token that expires within half a minute is renewed with the refresh token, once for
// all requests on all instances. The new refresh token is kept. Token returns
// [ErrLoginNeeded] if a new login is needed, an [*Error] if the provider fails, or the
// error of the store. The returned tokens have no refresh token: it never leaves this
// package.
func (a *Authenticator) TokenSource(ctx context.Context) oauth2.TokenSource {
	return a.sessionTokens(ctx)
}

// RenewToken returns a new access token in place of refused: a token of
// [Authenticator.TokenSource] that an API did not accept (401 invalid_token, RFC 6750
// section 3.1), for example after a logout in another application. Renew once and
// repeat the call; if the API refuses the new token too, another one does not help. If
// the token was already renewed, the new one is returned at once. The errors are those
// of Token. After ErrLoginNeeded the session has no tokens.
func (a *Authenticator) RenewToken(ctx context.Context, refused *oauth2.Token) (*oauth2.Token, error) {
	if refused == nil {
		return a.sessionTokens(ctx).Token()
	}
	return a.sessionTokens(ctx).tokenBut(refused.AccessToken)
}

// Client returns an HTTP client that sends the access token of
// [Authenticator.TokenSource] with each request (RFC 6750 section 2.1), and otherwise
// works like base, or http.DefaultClient if base is nil. Only call resource servers
// that may have the token: the client sends it to every host.
func (a *Authenticator) Client(ctx context.Context, base *http.Client) *http.Client {
	if base == nil {
		base = http.DefaultClient
	}
	client := *base
	client.Transport = &oauth2.Transport{Source: a.TokenSource(ctx), Base: base.Transport}
	return &client
}

// sessionTokens returns the token source of the session in a context.
func (a *Authenticator) sessionTokens(ctx context.Context) *sessionTokens {
	s := sessionFrom(ctx)
	if s == nil || s.owner != a.sessions || a.tokens == nil {
		return &sessionTokens{}
	}
	return &sessionTokens{ctx, a.tokens, a.tokensOf(s)}
}

// sessionTokens is the token source of one session.
type sessionTokens struct {
	ctx     context.Context
	keeper  *tokens.Keeper // nil if there is no session that may have tokens
	session tokens.Session
}

// Token implements oauth2.TokenSource.
func (s *sessionTokens) Token() (*oauth2.Token, error) { return s.tokenBut("") }

// tokenBut returns an access token that is not the one an API refused.
func (s *sessionTokens) tokenBut(refused string) (*oauth2.Token, error) {
	if s.keeper == nil {
		return nil, ErrLoginNeeded
	}
	access, ends, err := s.keeper.Fresh(s.ctx, s.session, refused)
	var failure *provider.Failure
	var panicked *flight.PanicError
	switch {
	case errors.As(err, &panicked):
		return nil, newError(CodeInternal, panicked)
	case errors.As(err, &failure):
		return nil, refusalOf(failure)
	case errors.Is(err, ErrLoginNeeded):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("agentconnect: %w", err)
	}
	return &oauth2.Token{AccessToken: access, TokenType: "Bearer", Expiry: ends}, nil
}
