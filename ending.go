package agentconnect

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/tokens"
)

// departureLife is how long the store remembers that an agent's sessions were
// ended: longer than a login can take between its hook and its session.
const departureLife = time.Hour

// EndSessionsOf ends all the sessions of an agent, by sub, on every browser and
// for every instance, and keeps the agent's logins that are under way from making
// one: so that a departure takes effect at once. It returns how many sessions there
// were. First make the login hook refuse the agent: EndSessionsOf does not end the
// agent's session at AgentConnect, and a login that begins later is the hook's to
// decide. A stream that goes on is told by [Authenticator.SessionContext].
//
// It reads every session of the store, which must be able to list them
// (scs.IterableStore or scs.IterableCtxStore: scs's memory store, pgxstore and
// goredisstore are), and returns an error when it cannot.
//
// An error means that sessions of the agent may live on: those that could not be
// deleted, or could not be read. The error says how many. An instance that lacks a
// sealing key cannot read the sessions of those that have it: call EndSessionsOf on
// one that has all of them.
func (a *Authenticator) EndSessionsOf(ctx context.Context, sub string) (int, error) {
	// Logins look for the mark after they made their session, and the sessions that
	// were made before are in the list.
	errs := []error{a.sessions.markDeparture(ctx, sub)}
	keys, err := a.sessions.store.SessionKeys(ctx)
	if err != nil {
		return 0, errors.Join(append(errs, fmt.Errorf("session store: %w", err))...)
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
				errs = append(errs, fmt.Errorf("session store: %w", err))
			}
			continue
		}
		if session.agent.Sub != sub {
			continue
		}
		if err := a.sessions.store.DeleteKey(context.WithoutCancel(ctx), key); err != nil {
			if undeleted++; undeleted == 1 {
				errs = append(errs, fmt.Errorf("session store: %w", err))
			}
			continue
		}
		ended++
		if err := a.endTokens(ctx, key); err != nil {
			errs = append(errs, err)
		}
	}
	if undeleted > 0 {
		errs = append(errs, fmt.Errorf("agentconnect: %d sessions of the agent could not be deleted and live on", undeleted))
	}
	if unread > 0 {
		errs = append(errs, fmt.Errorf("agentconnect: %d of %d sessions could not be read: the agent's may be among them", unread, len(keys)))
	}
	return ended, errors.Join(errs...)
}

// endTokens deletes the tokens of the session with this key in the store, also
// those of another instance that keeps them.
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
		return fmt.Errorf("session store: %w", err)
	}
	return nil
}

// departure returns the mark of an agent's last departure, "" when there was none
// for a while. It is not sealed, so that every instance can compare it.
func (s *sessions) departure(ctx context.Context, sub string) (string, error) {
	mark, _, err := s.store.Get(ctx, s.store.Key(departureOf(sub)))
	if err != nil {
		return "", fmt.Errorf("session store: %w", err)
	}
	return string(mark), nil
}

// ErrSessionEnded is what [Authenticator.SessionAlive] returns when the session is
// over.
var ErrSessionEnded = errors.New("agentconnect: the session has ended")

// aliveInterval is how often [Authenticator.SessionContext] looks.
const aliveInterval = 5 * time.Second

// SessionAlive asks the store again whether the session of a request still lives:
// for a handler that goes on for long, like a stream of events or a WebSocket,
// since the middleware only asked at the start. ctx is that of a request behind
// [Authenticator.RequireAgent], Require or LoadAgent.
//
// It returns nil when the session lives, [ErrSessionEnded] when it does not, and the
// store's error when that cannot be told. It costs one read of the store. It does not
// see the idle timeout, whose time is in the browser's cookies.
func (a *Authenticator) SessionAlive(ctx context.Context) error {
	session := sessionFrom(ctx)
	if session == nil || session.owner != a.sessions {
		return ErrSessionEnded
	}
	again, _, err := a.sessions.read(ctx, presentedToken{session.cookie, session.token})
	switch {
	case err != nil:
		return err
	case again == nil || a.sessions.isOver(again, a.sessions.now()):
		return ErrSessionEnded
	}
	return nil
}

// SessionContext returns a copy of the context of a request that ends with its
// session: within some seconds after a logout, on whatever instance, after
// [Authenticator.EndSessionsOf], or at the end of the session's lifetime.
// context.Cause then returns [ErrSessionEnded]. When the store does not answer, the
// context goes on, for as long as the session may last. The handler must call
// cancel when it returns.
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
