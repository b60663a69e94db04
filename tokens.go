package agentconnect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"golang.org/x/oauth2"

	"github.com/agentconnect-go/agentconnect/internal/flight"
	"github.com/agentconnect-go/agentconnect/internal/lease"
	"github.com/agentconnect-go/agentconnect/internal/provider"
)

// ErrLoginNeeded is what [Authenticator.TokenSource] and [Authenticator.RenewToken]
// return when the session has no access token that works, and none can be had:
// the refresh token expired or was revoked, the provider's session is over, the
// session ended, or [WithTokens] is missing. A new login brings new tokens: see
// [Authenticator.StartLogin].
var ErrLoginNeeded = errors.New("agentconnect: a new login is needed")

const (
	// tokenMargin is how long before its end an access token is renewed.
	tokenMargin = 30 * time.Second
	// renewalTimeout bounds a renewal, however many callers wait for it: as long as
	// another instance that died may hold the lease, and the time for a renewal.
	renewalTimeout = 45 * time.Second
	// providerSession is how long the provider's session lasts, and its tokens with
	// it.
	providerSession = 12 * time.Hour
	// serverErrorPause is how far apart two refreshes must have been answered
	// server_error to say that the provider's session is over.
	serverErrorPause = 10 * time.Second
	// revocationTimeout bounds what a logout waits for.
	revocationTimeout = 3 * time.Second
)

// storedTokens is what the store keeps of the tokens of a session, in a record
// of its own: the session's is never rewritten.
type storedTokens struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Expiry       int64  `json:"expiry"` // Unix seconds
	// FailedAt is when the provider answered a refresh with server_error, for the
	// first time since the last one that succeeded (Unix seconds, 0: it did not).
	FailedAt int64 `json:"failed_at,omitempty"`
	// Over is true when the provider renews these tokens no more. They are kept to be
	// revoked.
	Over bool `json:"over,omitempty"`
}

// tokenKeeper keeps and renews the tokens of sessions.
type tokenKeeper struct {
	store    recordStore
	provider *provider.Provider // redeems refresh tokens, revokes
	now      func() time.Time
	logger   *slog.Logger
	emit     func(context.Context, Event)
	revoke   bool // revoke the tokens of a session that ends

	renewals flight.Group[renewalKey, *storedTokens]
}

// A renewalKey is what the callers of a renewal have in common.
type renewalKey struct {
	session string // the session's token
	refused string // the access token that an API refused, or ""
}

func newTokenKeeper(a *Authenticator) *tokenKeeper {
	return &tokenKeeper{
		store:    a.sessions.store,
		provider: a.provider,
		now:      a.config.now,
		logger:   a.config.logger,
		emit:     a.emit,
		revoke:   a.config.revokeAtLogout,
		// A refresh token that was redeemed must reach the store, whoever left.
		renewals: flight.Group[renewalKey, *storedTokens]{Persist: true},
	}
}

// tokensOf names the record of the tokens beside that of a session, after the
// session's key in the store.
func tokensOf(sessionKey string) string { return "tokens " + sessionKey }

// leaseOf names the claim of the instance that renews the tokens of a session.
func leaseOf(sessionKey string) string { return "tokens lease " + sessionKey }

// keep puts the tokens of a new session in the store.
func (k *tokenKeeper) keep(ctx context.Context, s *session, t *provider.Tokens) error {
	record, _ := json.Marshal(k.received(t)) // never fails
	if err := k.store.create(ctx, tokensOf(k.store.key(s.token)), record, s.expires); err != nil {
		return fmt.Errorf("session store: %w", err)
	}
	return nil
}

// received makes what is stored of tokens that just came. Without expires_in, an
// access token is renewed at each use.
func (k *tokenKeeper) received(t *provider.Tokens) *storedTokens {
	expiry := k.now().Add(t.Life)
	return &storedTokens{AccessToken: t.Access, RefreshToken: t.Refresh, Expiry: expiry.Unix()}
}

func (k *tokenKeeper) put(ctx context.Context, s *session, t *storedTokens) error {
	record, _ := json.Marshal(t) // never fails
	if err := k.store.CommitCtx(ctx, tokensOf(k.store.key(s.token)), record, s.expires); err != nil {
		return fmt.Errorf("session store: %w", err)
	}
	return nil
}

// find returns the tokens of the session with this key in the store, nil when
// there are none.
func (k *tokenKeeper) find(ctx context.Context, sessionKey string) (*storedTokens, error) {
	record, _, err := k.store.FindCtx(ctx, tokensOf(sessionKey)) // nil when there is none
	if err != nil {
		return nil, fmt.Errorf("session store: %w", err)
	}
	var t storedTokens
	if json.Unmarshal(record, &t) != nil {
		return nil, nil
	}
	return &t, nil
}

// fresh returns tokens whose access token is good for a while, and is not the one
// that an API refused.
func (k *tokenKeeper) fresh(ctx context.Context, s *session, refused string) (*storedTokens, error) {
	if t, enough, err := k.look(ctx, s, refused); enough || err != nil {
		return t, err
	}
	t, err := k.renewals.Do(ctx, renewalKey{s.token, refused}, func(ctx context.Context) (*storedTokens, error) {
		return k.renew(ctx, s, refused)
	})
	if panicked, ok := errors.AsType[*flight.PanicError](err); ok {
		return nil, newError(CodeInternal, panicked)
	}
	return t, err
}

// look returns the tokens of a session, and whether they need no renewal.
func (k *tokenKeeper) look(ctx context.Context, s *session, refused string) (t *storedTokens, enough bool, err error) {
	t, err = k.find(ctx, k.store.key(s.token))
	switch {
	case err != nil:
		return nil, false, err
	case t == nil || t.Over:
		return nil, false, ErrLoginNeeded
	}
	enough = k.now().Add(tokenMargin).Before(time.Unix(t.Expiry, 0)) && t.AccessToken != refused
	if !enough && t.RefreshToken == "" {
		return nil, false, ErrLoginNeeded
	}
	return t, enough, nil
}

// renew renews the tokens of a session, in one instance of the application; the
// others wait for what it stores. Redeeming a refresh token twice may revoke the
// grant.
func (k *tokenKeeper) renew(ctx context.Context, s *session, refused string) (*storedTokens, error) {
	ctx, cancel := context.WithTimeout(ctx, renewalTimeout)
	defer cancel()
	sole := lease.Lease{Store: k.store, Key: leaseOf(k.store.key(s.token)), Expires: s.expires}
	return lease.Do(ctx, sole,
		func(ctx context.Context) (*storedTokens, bool, error) { return k.look(ctx, s, refused) },
		func(ctx context.Context, old *storedTokens) (*storedTokens, error) {
			return k.redeem(ctx, s, old, refused)
		})
}

// redeem redeems the refresh token (Core 1.0 section 12) and stores what it gives,
// or that it will give nothing any more. The lease is held.
func (k *tokenKeeper) redeem(ctx context.Context, s *session, old *storedTokens, refused string) (*storedTokens, error) {
	token, err := k.provider.Refresh(ctx, old.RefreshToken, s.agent.Sub)
	// What the provider answered is stored whatever time is left.
	ctx = context.WithoutCancel(ctx)
	if err != nil {
		// The lease is no guarantee: see docs/tokens.md.
		now, enough, lookErr := k.look(ctx, s, refused)
		if enough || lookErr != nil {
			return now, lookErr
		}
		return nil, k.refreshFailed(ctx, s, now, asError(err), refused != "")
	}
	renewed := k.received(token)
	if err := k.replace(ctx, s, renewed); err != nil {
		return nil, err
	}
	k.emit(ctx, agentEvent(EventTokenRefreshed, s.agent))
	return renewed, nil
}

// replace stores other tokens of a session, unless it has ended in between: then
// the tokens are gone too.
func (k *tokenKeeper) replace(ctx context.Context, s *session, t *storedTokens) error {
	if err := k.put(ctx, s, t); err != nil {
		return err
	}
	if _, found, err := k.store.FindCtx(ctx, s.token); !found {
		return errors.Join(ErrLoginNeeded, err, k.forget(ctx, k.store.key(s.token)))
	}
	return nil
}

// refreshFailed returns what a refresh that failed means for the session:
// ErrLoginNeeded when no other one will succeed, and that is stored; or else the
// failure.
//
// Once its session is over, by a logout in another application or after twelve
// hours, AgentConnect answers each refresh with server_error (500), which it may
// also do once by accident. So that says it only after twelve hours, or when it
// comes again some time later, or when an API has refused the access token too.
func (k *tokenKeeper) refreshFailed(ctx context.Context, s *session, stored *storedTokens, failure error, refused bool) error {
	now := k.now()
	kept := *stored
	switch {
	case asError(failure).Code == CodeInvalidGrant:
		kept.Over = true
	case !isServerError(failure):
		return failure
	case refused, !now.Before(s.created.Add(providerSession)):
		kept.Over = true
	case stored.FailedAt == 0:
		kept.FailedAt = now.Unix()
	case now.Sub(time.Unix(stored.FailedAt, 0)) >= serverErrorPause:
		kept.Over = true
	default:
		return failure
	}
	if err := k.replace(ctx, s, &kept); err != nil {
		return errors.Join(err, failure)
	}
	if !kept.Over {
		return failure
	}
	k.logger.InfoContext(ctx, "agentconnect: the tokens of a session are over", "agent", Pseudonym(s.agent.Sub), "cause", failure)
	return ErrLoginNeeded
}

// isServerError reports whether the provider itself, and no proxy on the way,
// answered that it has failed.
func isServerError(err error) bool {
	failure, ok := errors.AsType[*provider.Failure](err)
	return ok && failure.OAuthError == "server_error"
}

// forget deletes the tokens of the session with this key in the store.
func (k *tokenKeeper) forget(ctx context.Context, sessionKey string) error {
	if err := k.store.DeleteCtx(ctx, tokensOf(sessionKey)); err != nil {
		return fmt.Errorf("session store: %w", err)
	}
	return nil
}

// end deletes the tokens of the session of a session token, which ends, and revokes
// them if the application wants that.
func (k *tokenKeeper) end(ctx context.Context, sessionToken string) {
	if err := k.endOf(ctx, k.store.key(sessionToken)); err != nil {
		k.logger.WarnContext(ctx, "agentconnect: the tokens of a session could not be deleted and stay until it would have expired", "cause", err)
	}
}

// endOf does what end does for the session with this key in the store. A browser
// that leaves does not stop it.
func (k *tokenKeeper) endOf(ctx context.Context, sessionKey string) error {
	ctx = context.WithoutCancel(ctx)
	t, err := k.find(ctx, sessionKey)
	err = errors.Join(err, k.forget(ctx, sessionKey))
	if t == nil || !k.revoke {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, revocationTimeout)
	defer cancel()
	for _, token := range nonEmpty(t.RefreshToken, t.AccessToken) {
		if err := k.provider.Revoke(ctx, token); err != nil {
			k.logger.WarnContext(ctx, "agentconnect: a token could not be revoked", "cause", err)
		}
	}
	return err
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
	if s != nil && s.owner != a.sessions {
		s = nil
	}
	return &sessionTokens{ctx: ctx, keeper: a.tokens, session: s}
}

// sessionTokens is the token source of one session.
type sessionTokens struct {
	ctx     context.Context
	keeper  *tokenKeeper // nil without WithTokens
	session *session     // nil when nobody is logged in
}

// Token implements oauth2.TokenSource.
func (s *sessionTokens) Token() (*oauth2.Token, error) { return s.tokenBut("") }

// tokenBut returns an access token that is not the one an API refused.
func (s *sessionTokens) tokenBut(refused string) (*oauth2.Token, error) {
	if s.keeper == nil || s.session == nil {
		return nil, ErrLoginNeeded
	}
	t, err := s.keeper.fresh(s.ctx, s.session, refused)
	if err != nil {
		return nil, err
	}
	return &oauth2.Token{AccessToken: t.AccessToken, TokenType: "Bearer", Expiry: time.Unix(t.Expiry, 0)}, nil
}
