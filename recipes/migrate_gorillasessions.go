package recipes

import (
	"context"
	"log/slog"

	"github.com/gorilla/sessions"

	"github.com/agentconnect-go/agentconnect"
)

// GorillaSessions ties a session of gorilla/sessions to the login, so that no agent
// finds the data of another agent in it. Only AgentFrom tells which agent is logged in:
// this session can outlive the agent's.
func GorillaSessions(store sessions.Store, name string) []agentconnect.Option {
	return []agentconnect.Option{
		agentconnect.WithLoginHook(func(ctx context.Context, login *agentconnect.Login) error {
			session, _ := store.Get(login.Request, name) // a new one if the cookie cannot be read
			if session.Values["sub"] != login.Agent.Sub {
				clear(session.Values)
			}
			session.Values["sub"] = login.Agent.Sub
			return session.Save(login.Request, login.Writer)
		}),
		agentconnect.WithLogoutHook(func(ctx context.Context, logout *agentconnect.Logout) {
			session, _ := store.Get(logout.Request, name)
			clear(session.Values)
			session.Options.MaxAge = -1
			if err := session.Save(logout.Request, logout.Writer); err != nil {
				slog.ErrorContext(ctx, "the session of the application could not be ended", "cause", err)
			}
		}),
	}
}
