package agentconnect

import (
	"context"
	"errors"
	"fmt"
)

// ErrStoreNotIterable is what [Authenticator.EndSessionsOf] returns when the
// session store cannot list its sessions.
var ErrStoreNotIterable = errors.New("agentconnect: the session store cannot list its sessions")

// EndSessionsOf ends all the sessions of an agent, by sub, on every browser and
// for every instance, so that a departure takes effect at once. It returns how
// many there were. It reads the whole store, which must be able to list its
// sessions (scs.IterableStore or scs.IterableCtxStore: scs's memory store,
// pgxstore and goredisstore are), and returns [ErrStoreNotIterable] when it
// cannot, or the store's errors: those that could not be deleted still live.
//
// It does not end the agent's session at AgentConnect; what keeps a departed
// agent from logging in again is the login hook.
func (a *Authenticator) EndSessionsOf(ctx context.Context, sub string) (int, error) {
	records, err := a.sessions.store.all(ctx)
	if err != nil {
		return 0, err
	}
	ended := 0
	var errs []error
	for key, record := range records {
		record, _ := a.sessions.store.open(key, record) // nil when it does not open
		session, err := decodeRecord(record)
		if err != nil || session.agent.Sub != sub || !a.sessions.store.owns(session) {
			continue
		}
		if err := a.sessions.store.deleteKey(ctx, key); err != nil {
			errs = append(errs, fmt.Errorf("session store: %w", err))
			continue
		}
		ended++
		if a.tokens != nil {
			errs = append(errs, a.tokens.endOf(ctx, key))
		} else {
			errs = append(errs, a.sessions.store.DeleteCtx(ctx, tokensOf(key)))
		}
	}
	return ended, errors.Join(errs...)
}
