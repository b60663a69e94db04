// Package tokens keeps the access token and the refresh token of sessions in a store,
// and renews them. A lease in the store makes sure that one process at a time renews.
// It knows no request and no agent, and only the few facts of a session that it needs.
package tokens

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/agentconnect-go/agentconnect/internal/flight"
	"github.com/agentconnect-go/agentconnect/internal/lease"
	"github.com/agentconnect-go/agentconnect/internal/provider"
)

// ErrLoginNeeded is the error of Keeper.Fresh when a session has no tokens any more.
var ErrLoginNeeded = errors.New("agentconnect: a new login is needed")

const (
	// margin is how long before it expires an access token is renewed.
	margin = 30 * time.Second
	// renewalTimeout bounds a renewal: the time that a dead instance may hold the
	// lease, and the time of the renewal itself.
	renewalTimeout = 45 * time.Second
	// providerSession is how long the provider's session lasts, and its tokens with
	// it.
	providerSession = 12 * time.Hour
	// serverErrorPause is the shortest time between two answers server_error that
	// together mean that the provider's session is over.
	serverErrorPause = 10 * time.Second
	// revocationTimeout bounds how long a logout waits.
	revocationTimeout = 3 * time.Second
)

// stored is the record of the tokens of a session. It is apart from the session's
// record, which is never rewritten.
type stored struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Expiry       int64  `json:"expiry"` // Unix seconds
	// FailedAt is when the provider first answered server_error since the last refresh
	// that succeeded (Unix seconds, 0: never).
	FailedAt int64 `json:"failed_at,omitempty"`
	// Over is true if the provider no longer renews these tokens. They are kept so that
	// they can be revoked.
	Over bool `json:"over,omitempty"`
}

// A Session holds the facts of a session that a Keeper needs.
type Session struct {
	// Name is the name of the session's record in the store, Key its key.
	Name, Key string
	// Sub is the agent's sub.
	Sub string
	// Created and Expires are when the session begins and ends.
	Created, Expires time.Time
	// Renewed is called after the tokens were renewed.
	Renewed func(context.Context)
}

// A Config holds the parts that a Keeper uses.
type Config struct {
	// Store is shared by all the processes.
	Store scs.CtxStore
	// Create puts a new record in the store.
	Create func(ctx context.Context, name string, record []byte, expires time.Time) error
	// Provider redeems refresh tokens and revokes tokens.
	Provider *provider.Provider
	// Now returns the current time.
	Now func() time.Time
	// Logger logs the failures that no caller gets.
	Logger *slog.Logger
	// Revoke makes End revoke the tokens.
	Revoke bool
}

// A Keeper keeps and renews the tokens of sessions. Its methods can be called by
// several goroutines.
type Keeper struct {
	config   Config
	renewals flight.Group[renewalKey, *stored]
}

// A renewalKey identifies a renewal: callers with the same key share one.
type renewalKey struct {
	session string // the session's name
	refused string // the access token that an API refused, or ""
}

// New returns a Keeper.
func New(c Config) *Keeper {
	// Once a refresh token is redeemed, the new one must reach the store, even if all
	// callers have left.
	return &Keeper{config: c, renewals: flight.Group[renewalKey, *stored]{Persist: true}}
}

// NameOf names the record of the tokens beside that of a session, after the
// session's key in the store.
func NameOf(sessionKey string) string { return "tokens " + sessionKey }

// leaseOf names the claim of the instance that renews the tokens of a session.
func leaseOf(sessionKey string) string { return "tokens lease " + sessionKey }

// Keep puts the tokens of a new session in the store.
func (k *Keeper) Keep(ctx context.Context, s Session, t *provider.Tokens) error {
	record, _ := json.Marshal(k.received(t)) // never fails
	if err := k.config.Create(ctx, NameOf(s.Key), record, s.Expires); err != nil {
		return fmt.Errorf("session store: %w", err)
	}
	return nil
}

// received returns the record of new tokens. Without expires_in, an access token is
// renewed at each use.
func (k *Keeper) received(t *provider.Tokens) *stored {
	expiry := k.config.Now().Add(t.Life)
	return &stored{AccessToken: t.Access, RefreshToken: t.Refresh, Expiry: expiry.Unix()}
}

func (k *Keeper) put(ctx context.Context, s Session, t *stored) error {
	record, _ := json.Marshal(t) // never fails
	if err := k.config.Store.CommitCtx(ctx, NameOf(s.Key), record, s.Expires); err != nil {
		return fmt.Errorf("session store: %w", err)
	}
	return nil
}

// find returns the tokens of the session with this key in the store, nil when
// there are none.
func (k *Keeper) find(ctx context.Context, sessionKey string) (*stored, error) {
	record, _, err := k.config.Store.FindCtx(ctx, NameOf(sessionKey)) // nil when there is none
	if err != nil {
		return nil, fmt.Errorf("session store: %w", err)
	}
	var t stored
	if json.Unmarshal(record, &t) != nil {
		return nil, nil
	}
	return &t, nil
}

// Fresh returns an access token that is valid for a while, with its expiry. It is not
// the one that an API refused, if any. The error is ErrLoginNeeded, a
// *provider.Failure, a *flight.PanicError, or that of the store or of ctx.
func (k *Keeper) Fresh(ctx context.Context, s Session, refused string) (access string, ends time.Time, err error) {
	t, enough, err := k.look(ctx, s, refused)
	if !enough && err == nil {
		t, err = k.renewals.Do(ctx, renewalKey{s.Name, refused}, func(ctx context.Context) (*stored, error) {
			return k.renew(ctx, s, refused)
		})
	}
	if err != nil {
		return "", time.Time{}, err
	}
	return t.AccessToken, time.Unix(t.Expiry, 0), nil
}

// look returns the tokens of a session, and whether they can be used without a renewal.
func (k *Keeper) look(ctx context.Context, s Session, refused string) (t *stored, enough bool, err error) {
	t, err = k.find(ctx, s.Key)
	switch {
	case err != nil:
		return nil, false, err
	case t == nil || t.Over:
		return nil, false, ErrLoginNeeded
	}
	enough = k.config.Now().Add(margin).Before(time.Unix(t.Expiry, 0)) && t.AccessToken != refused
	if !enough && t.RefreshToken == "" {
		return nil, false, ErrLoginNeeded
	}
	return t, enough, nil
}

// renew renews the tokens of a session, in one instance of the application; the
// others wait for the new tokens in the store. Redeeming a refresh token twice may
// revoke the grant.
func (k *Keeper) renew(ctx context.Context, s Session, refused string) (*stored, error) {
	ctx, cancel := context.WithTimeout(ctx, renewalTimeout)
	defer cancel()
	sole := lease.Lease{Store: k.config.Store, Key: leaseOf(s.Key), Expires: s.Expires}
	return lease.Do(ctx, sole,
		func(ctx context.Context) (*stored, bool, error) { return k.look(ctx, s, refused) },
		func(ctx context.Context, old *stored) (*stored, error) {
			return k.redeem(ctx, s, old, refused)
		})
}

// redeem redeems the refresh token (Core 1.0 section 12). It stores the new tokens, or
// the fact that there will be none. The caller holds the lease.
func (k *Keeper) redeem(ctx context.Context, s Session, old *stored, refused string) (*stored, error) {
	token, err := k.config.Provider.Refresh(ctx, old.RefreshToken, s.Sub)
	// The provider's answer is stored even if the time is over.
	ctx = context.WithoutCancel(ctx)
	if err != nil {
		// The lease is no guarantee: see docs/tokens.md.
		now, enough, lookErr := k.look(ctx, s, refused)
		if enough || lookErr != nil {
			return now, lookErr
		}
		return nil, k.refreshFailed(ctx, s, now, err, refused != "")
	}
	renewed := k.received(token)
	if err := k.replace(ctx, s, renewed); err != nil {
		return nil, err
	}
	s.Renewed(ctx)
	return renewed, nil
}

// replace stores new tokens of a session, unless the session has ended meanwhile: then
// the tokens are gone too.
func (k *Keeper) replace(ctx context.Context, s Session, t *stored) error {
	if err := k.put(ctx, s, t); err != nil {
		return err
	}
	if _, found, err := k.config.Store.FindCtx(ctx, s.Name); !found {
		return errors.Join(ErrLoginNeeded, err, k.forget(ctx, s.Key))
	}
	return nil
}

// refreshFailed returns the error of a failed refresh: ErrLoginNeeded if no later
// refresh can succeed, which is also stored; otherwise the failure.
//
// Once its session is over (after a logout in another application, or after twelve
// hours), ProConnect answers each refresh with server_error (500). It may also answer
// so once by accident. So server_error means the end of the session only after twelve
// hours, if it comes again some time later, or if an API has refused the access token
// too.
func (k *Keeper) refreshFailed(ctx context.Context, s Session, old *stored, failure error, refused bool) error {
	now := k.config.Now()
	kept := *old
	switch {
	case isInvalidGrant(failure):
		kept.Over = true
	case !isServerError(failure):
		return failure
	case refused, !now.Before(s.Created.Add(providerSession)):
		kept.Over = true
	case old.FailedAt == 0:
		kept.FailedAt = now.Unix()
	case now.Sub(time.Unix(old.FailedAt, 0)) >= serverErrorPause:
		kept.Over = true
	default:
		return failure
	}
	if err := k.replace(ctx, s, &kept); err != nil {
		return err
	}
	if !kept.Over {
		return failure
	}
	k.config.Logger.InfoContext(ctx, "agentconnect: the tokens of a session are over", "cause", failure)
	return ErrLoginNeeded
}

// isInvalidGrant reports whether the provider does not accept the refresh token.
func isInvalidGrant(err error) bool {
	failure, ok := errors.AsType[*provider.Failure](err)
	return ok && failure.Kind == provider.InvalidGrant
}

// isServerError reports whether the provider itself, not a proxy, answered
// server_error.
func isServerError(err error) bool {
	failure, ok := errors.AsType[*provider.Failure](err)
	return ok && failure.OAuthError == "server_error"
}

// forget deletes the tokens of the session with this key in the store.
func (k *Keeper) forget(ctx context.Context, sessionKey string) error {
	if err := k.config.Store.DeleteCtx(ctx, NameOf(sessionKey)); err != nil {
		return fmt.Errorf("session store: %w", err)
	}
	return nil
}

// End deletes the tokens of the session with this key in the store, because the session
// ends. It revokes them if Config.Revoke says so. The end of ctx does not stop it.
func (k *Keeper) End(ctx context.Context, sessionKey string) error {
	ctx = context.WithoutCancel(ctx)
	t, err := k.find(ctx, sessionKey)
	err = errors.Join(err, k.forget(ctx, sessionKey))
	if t == nil || !k.config.Revoke {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, revocationTimeout)
	defer cancel()
	for _, token := range []string{t.RefreshToken, t.AccessToken} {
		if token == "" {
			continue
		}
		if err := k.config.Provider.Revoke(ctx, token); err != nil {
			k.config.Logger.WarnContext(ctx, "agentconnect: a token could not be revoked", "cause", err)
		}
	}
	return err
}
