package agentconnect

import (
	"context"
	"errors"
	"time"
)

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
