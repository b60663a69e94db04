package agentconnect

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/tokens"
)

// departureLife is how long the store remembers that an agent's sessions were ended. It
// is longer than the time between a login's hook and its session.
const departureLife = time.Hour

// EndSessionsOf ends all the sessions of an agent, by sub, in every browser and for
// every instance. The agent's logins that are under way make no session. It returns the
// number of sessions. First make the login hook refuse the agent: EndSessionsOf does
// not end the agent's session at ProConnect, so the agent can start a new login. For
// streams, see [Authenticator.SessionContext].
//
// It reads every session of the store. The store must be able to list them
// (scs.IterableStore or scs.IterableCtxStore, as scs's memory store, pgxstore and
// goredisstore); otherwise EndSessionsOf returns an error.
//
// An error means that sessions of the agent may live on, because they could not be
// deleted or read. The error says how many. An instance without one of the sealing keys
// cannot read the sessions that this key sealed: call EndSessionsOf on an instance with
// all the keys.
func (a *Authenticator) EndSessionsOf(ctx context.Context, sub string) (int, error) {
	// Logins look for the mark after they have made their session. Sessions that were
	// made before are in the list.
	errs := []error{a.sessions.markDeparture(ctx, sub)}
	keys, err := a.sessions.store.SessionKeys(ctx)
	if err != nil {
		return 0, errors.Join(append(errs, fmt.Errorf("agentconnect: session store: %w", err))...)
	}
	ended, unread, undeleted := 0, 0, 0
	for _, key := range keys {
		record, found, err := a.sessions.store.FindKey(ctx, key)
		if err == nil && !found {
			continue // it ended meanwhile
		}
		var session *session
		if err == nil {
			session, err = decodeRecord(record)
		}
		if err != nil {
			if unread++; unread == 1 {
				errs = append(errs, fmt.Errorf("agentconnect: session store: %w", err))
			}
			continue
		}
		if session.agent.Sub != sub {
			continue
		}
		if err := a.sessions.store.DeleteKey(context.WithoutCancel(ctx), key); err != nil {
			if undeleted++; undeleted == 1 {
				errs = append(errs, fmt.Errorf("agentconnect: session store: %w", err))
			}
			continue
		}
		ended++
		if err := a.endTokens(ctx, key); err != nil {
			errs = append(errs, fmt.Errorf("agentconnect: tokens: %w", err))
		}
	}
	if undeleted > 0 {
		errs = append(errs, fmt.Errorf("agentconnect: %d sessions of the agent could not be deleted and live on", undeleted))
	}
	if unread > 0 {
		errs = append(errs, fmt.Errorf("agentconnect: %d of %d sessions could not be read, and may be the agent's", unread, len(keys)))
	}
	return ended, errors.Join(errs...)
}

// endTokens deletes the tokens of the session with this key in the store, even if only
// another instance keeps tokens.
func (a *Authenticator) endTokens(ctx context.Context, key string) error {
	if a.tokens != nil {
		return a.tokens.End(ctx, key)
	}
	return a.sessions.store.DeleteCtx(context.WithoutCancel(ctx), tokens.NameOf(key))
}

// departureOf names the mark of an agent's departure.
func departureOf(sub string) string { return "departure " + sub }

// markDeparture puts a mark that no login has seen in the store.
func (s *sessions) markDeparture(ctx context.Context, sub string) error {
	if err := s.store.Put(ctx, s.store.Key(departureOf(sub)), []byte(rand.Text()), s.now().Add(departureLife), nil); err != nil {
		return fmt.Errorf("agentconnect: session store: %w", err)
	}
	return nil
}

// departure returns the mark of an agent's last departure, "" if there was none lately.
// It is not sealed, so that every instance can compare it.
func (s *sessions) departure(ctx context.Context, sub string) (string, error) {
	mark, _, err := s.store.Get(ctx, s.store.Key(departureOf(sub)))
	if err != nil {
		return "", fmt.Errorf("session store: %w", err)
	}
	return string(mark), nil
}

// ErrSessionEnded is the error of [Authenticator.SessionAlive] for a session that has
// ended.
var ErrSessionEnded = errors.New("agentconnect: the session has ended")

// aliveInterval is the time between two checks of [Authenticator.SessionContext].
const aliveInterval = 5 * time.Second

// SessionAlive asks the store again whether the session of a request is still valid. It
// is for a long request, such as a stream of events or a WebSocket, because the
// middleware only asks at the start. ctx is the context of a request behind
// [Authenticator.RequireAgent], Require or LoadAgent.
//
// It returns nil if the session is valid, [ErrSessionEnded] if it has ended, and the
// store's error if the store does not answer. It costs one read of the store. It does
// not check the idle timeout, whose time is in the browser's cookies.
func (a *Authenticator) SessionAlive(ctx context.Context) error {
	session := sessionFrom(ctx)
	if session == nil || session.owner != a.sessions {
		return ErrSessionEnded
	}
	again, _, err := a.sessions.read(ctx, presentedToken{session.cookie, session.token})
	switch {
	case err != nil:
		return fmt.Errorf("agentconnect: %w", err)
	case again == nil || a.sessions.isOver(again, a.sessions.now()):
		return ErrSessionEnded
	}
	return nil
}

// SessionContext returns a copy of the context of a request that ends with its session:
// some seconds after a logout on any instance, after [Authenticator.EndSessionsOf], or
// at the end of the session's lifetime. context.Cause then returns [ErrSessionEnded].
// While the store does not answer, the context goes on, until the end of the session's
// lifetime. The handler must call cancel when it returns.
//
//	ctx, cancel := auth.SessionContext(r.Context())
//	defer cancel()
//	for {
//		select {
//		case <-ctx.Done():
//			return
//		case e := <-events:
//			…
func (a *Authenticator) SessionContext(ctx context.Context) (context.Context, context.CancelFunc) {
	session := sessionFrom(ctx)
	ctx, end := context.WithCancelCause(ctx)
	if session == nil || session.owner != a.sessions {
		end(ErrSessionEnded)
		return ctx, func() {}
	}
	go func() {
		ticker := time.NewTicker(aliveInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			if errors.Is(a.SessionAlive(ctx), ErrSessionEnded) || a.sessions.isOver(session, a.sessions.now()) {
				end(ErrSessionEnded)
				return
			}
		}
	}()
	return ctx, func() { end(context.Canceled) }
}
