package agentconnect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

// ErrLoginNeeded is what a token source of [Authenticator.TokenSource] returns
// when the session has no access token that works, and none can be had: the
// refresh token expired or was revoked, the session ended, or [WithTokens] is
// missing. A new login brings new tokens: see [Authenticator.StartLogin].
var ErrLoginNeeded = errors.New("agentconnect: a new login is needed")

const (
	// tokenMargin is how long before its end an access token is renewed.
	tokenMargin = 30 * time.Second
	// refreshTimeout bounds a refresh, whoever waits for it.
	refreshTimeout = 20 * time.Second
	// revocationTimeout bounds what a logout waits for.
	revocationTimeout = 3 * time.Second
)

// storedTokens is what the store keeps of the tokens of a session, in a record
// of its own: the session's is never rewritten.
type storedTokens struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Expiry       int64  `json:"expiry"` // Unix seconds
}

// tokenKeeper keeps and renews the tokens of sessions.
type tokenKeeper struct {
	auth *Authenticator

	mu      sync.Mutex
	renewal map[string]*renewal // by session token
}

// A renewal is a refresh under way, for everybody who waits for it.
type renewal struct {
	done   chan struct{}
	tokens *storedTokens
	err    error
}

// tokensOf names the record of the tokens beside that of a session, after the
// session's key in the store.
func tokensOf(sessionKey string) string { return "tokens " + sessionKey }

// name names the record of the tokens of a session.
func (k *tokenKeeper) name(s *session) string { return tokensOf(k.auth.sessions.store.key(s.token)) }

// keep puts the tokens of a new session in the store.
func (k *tokenKeeper) keep(ctx context.Context, s *session, t *oauth2.Token) error {
	return k.put(ctx, s, k.received(t))
}

// received makes what is stored of tokens that just came. Without expires_in, an
// access token is renewed at each use.
func (k *tokenKeeper) received(t *oauth2.Token) *storedTokens {
	expiry := k.auth.config.now().Add(time.Duration(t.ExpiresIn) * time.Second)
	return &storedTokens{AccessToken: t.AccessToken, RefreshToken: t.RefreshToken, Expiry: expiry.Unix()}
}

func (k *tokenKeeper) put(ctx context.Context, s *session, t *storedTokens) error {
	record, _ := json.Marshal(t) // never fails
	return k.auth.sessions.store.CommitCtx(ctx, k.name(s), record, s.expires)
}

// find returns the tokens of a session, nil when there are none.
func (k *tokenKeeper) find(ctx context.Context, s *session) (*storedTokens, error) {
	record, _, err := k.auth.sessions.store.FindCtx(ctx, k.name(s)) // nil when there is none
	if err != nil {
		return nil, fmt.Errorf("session store: %w", err)
	}
	var t storedTokens
	if json.Unmarshal(record, &t) != nil {
		return nil, nil
	}
	return &t, nil
}

// fresh returns tokens whose access token is good for a while.
func (k *tokenKeeper) fresh(ctx context.Context, s *session) (*storedTokens, error) {
	t, err := k.find(ctx, s)
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, ErrLoginNeeded
	}
	if k.isFresh(t) {
		return t, nil
	}
	k.mu.Lock()
	r, ok := k.renewal[s.token]
	if !ok {
		r = &renewal{done: make(chan struct{})}
		k.renewal[s.token] = r
		go k.run(context.WithoutCancel(ctx), r, s)
	}
	k.mu.Unlock()
	select {
	case <-r.done:
		return r.tokens, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (k *tokenKeeper) isFresh(t *storedTokens) bool {
	return k.auth.config.now().Add(tokenMargin).Before(time.Unix(t.Expiry, 0))
}

// run renews the tokens of a session once.
func (k *tokenKeeper) run(ctx context.Context, r *renewal, s *session) {
	ctx, cancel := context.WithTimeout(ctx, refreshTimeout)
	defer cancel()
	r.tokens, r.err = k.renew(ctx, s)
	k.mu.Lock()
	delete(k.renewal, s.token)
	k.mu.Unlock()
	close(r.done)
}

// renew redeems the refresh token (Core 1.0 section 12) and keeps what it gives.
func (k *tokenKeeper) renew(ctx context.Context, s *session) (*storedTokens, error) {
	old, err := k.find(ctx, s) // anew: somebody else may just have renewed it
	if err != nil {
		return nil, err
	}
	if old == nil || old.RefreshToken == "" {
		return nil, ErrLoginNeeded
	}
	if k.isFresh(old) {
		return old, nil
	}
	token, err := k.auth.provider.refresh(ctx, old.RefreshToken, s.agent.Sub)
	if err != nil {
		if asError(err).Code == CodeInvalidGrant {
			return k.renewedElsewhere(ctx, s)
		}
		return nil, err
	}
	renewed := k.received(token)
	if err := k.put(ctx, s, renewed); err != nil {
		return nil, fmt.Errorf("session store: %w", err)
	}
	// A logout that came in between has deleted the tokens of before.
	if _, found, err := k.auth.sessions.store.FindCtx(ctx, s.token); !found {
		return nil, errors.Join(ErrLoginNeeded, err, k.forget(ctx, s))
	}
	k.auth.emit(ctx, agentEvent(EventTokenRefreshed, s.agent))
	return renewed, nil
}

// renewedElsewhere returns the tokens that another instance got while the
// provider refused ours the same refresh token.
func (k *tokenKeeper) renewedElsewhere(ctx context.Context, s *session) (*storedTokens, error) {
	now, err := k.find(ctx, s)
	if err != nil {
		return nil, err
	}
	if now == nil || !k.isFresh(now) {
		return nil, ErrLoginNeeded
	}
	return now, nil
}

// forget deletes the tokens of a session.
func (k *tokenKeeper) forget(ctx context.Context, s *session) error {
	return k.auth.sessions.store.DeleteCtx(context.WithoutCancel(ctx), k.name(s))
}

// end deletes the tokens of a session that ends, after revoking them if the
// application wants that.
func (k *tokenKeeper) end(ctx context.Context, s *session) {
	logger := k.auth.config.logger
	t, err := k.find(ctx, s)
	if err := errors.Join(err, k.forget(ctx, s)); err != nil {
		logger.WarnContext(ctx, "agentconnect: the tokens of a session could not be deleted and stay until it would have expired", "cause", err)
	}
	if t == nil || !k.auth.config.revokeAtLogout {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revocationTimeout)
	defer cancel()
	for _, token := range nonEmpty(t.RefreshToken, t.AccessToken) {
		if err := k.auth.provider.revoke(ctx, token); err != nil {
			logger.WarnContext(ctx, "agentconnect: a token could not be revoked", "cause", err)
		}
	}
}

// TokenSource returns the source of access tokens of the agent who is logged in
// in the context of a request behind [Authenticator.RequireAgent], to call
// resource servers on the agent's behalf. It needs [WithTokens]. The source is
// bound to the request: it stops with its context, and a logout, also on another
// instance, ends it.
//
// A token that ends within half a minute is renewed with the refresh token, once
// for everybody who waits, and the new refresh token kept. Token returns
// [ErrLoginNeeded] when there is none to be had, an [*Error] when the provider
// does not answer as it should, or the error of the store. The refresh token never
// leaves this package: the tokens that come out have none.
func (a *Authenticator) TokenSource(ctx context.Context) oauth2.TokenSource {
	s := sessionFrom(ctx)
	if s != nil && s.owner != a {
		s = nil
	}
	return &sessionTokens{ctx: ctx, keeper: a.tokens, session: s}
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

// sessionTokens is the token source of one session.
type sessionTokens struct {
	ctx     context.Context
	keeper  *tokenKeeper // nil without WithTokens
	session *session     // nil when nobody is logged in
}

// Token implements oauth2.TokenSource.
func (s *sessionTokens) Token() (*oauth2.Token, error) {
	if s.keeper == nil || s.session == nil {
		return nil, ErrLoginNeeded
	}
	t, err := s.keeper.fresh(s.ctx, s.session)
	if err != nil {
		return nil, err
	}
	return &oauth2.Token{AccessToken: t.AccessToken, TokenType: "Bearer", Expiry: time.Unix(t.Expiry, 0)}, nil
}
