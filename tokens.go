package agentconnect

import (
	"context"
	"errors"
	"net/http"

	"golang.org/x/oauth2"

	"github.com/agentconnect-go/agentconnect/internal/flight"
	"github.com/agentconnect-go/agentconnect/internal/provider"
	"github.com/agentconnect-go/agentconnect/internal/tokens"
)

// ErrLoginNeeded is what [Authenticator.TokenSource] and [Authenticator.RenewToken]
// return when the session has no access token that works, and none can be had:
// the refresh token expired or was revoked, the provider's session is over, the
// session ended, or [WithTokens] is missing. A new login brings new tokens: see
// [Authenticator.StartLogin].
var ErrLoginNeeded = tokens.ErrLoginNeeded

// tokensOf returns what the keeper knows of a session.
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

// TokenSource returns the source of access tokens of the agent who is logged in
// in the context of a request behind [Authenticator.RequireAgent], to call
// resource servers on the agent's behalf. It needs [WithTokens]. The source is
// bound to the request: it stops with its context, and a logout, also on another
// instance, ends it.
//
// A token that ends within half a minute is renewed with the refresh token, once
// for all the requests that wait, on all instances, and the new refresh token is
// kept. Token returns [ErrLoginNeeded] when there is no token to be had, an
// [*Error] when the provider does not answer as it should, or the error of the
// store. The refresh token never leaves this package: the tokens that come out
// have none.
func (a *Authenticator) TokenSource(ctx context.Context) oauth2.TokenSource {
	return a.sessionTokens(ctx)
}

// RenewToken returns another access token than refused: the one of
// [Authenticator.TokenSource] that an API did not accept (401 invalid_token, RFC
// 6750 section 3.1), as after a logout in another application. Renew once and try
// the call again; if the API refuses the other token as well, a third one does not
// help. A token that was renewed since is returned at once. The errors are those
// of Token; ErrLoginNeeded ends the tokens of the session.
func (a *Authenticator) RenewToken(ctx context.Context, refused *oauth2.Token) (*oauth2.Token, error) {
	if refused == nil {
		return a.sessionTokens(ctx).Token()
	}
	return a.sessionTokens(ctx).tokenBut(refused.AccessToken)
}

// Client returns an HTTP client that sends the access token of
// [Authenticator.TokenSource] with each request (RFC 6750 section 2.1), and
// otherwise works as base, or http.DefaultClient if that is nil. Only ever call
// resource servers that may know the token: it is sent to every host.
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
	case err != nil:
		return nil, err
	}
	return &oauth2.Token{AccessToken: access, TokenType: "Bearer", Expiry: ends}, nil
}
