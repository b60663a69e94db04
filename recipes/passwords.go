package recipes

import (
	"context"
	"net/http"

	"github.com/gorilla/sessions"

	"github.com/agentconnect-go/agentconnect"
)

// Passwords is an application that keeps its login by password beside ProConnect's.
// Its own session (here gorilla's) has the user, and the agent's sub after a login with
// ProConnect. The login by password sets the user and no sub.
type Passwords struct {
	Store sessions.Store
	Name  string
	Find  func(ctx context.Context, sub string) (user string, err error) // "": none
	Link  func(ctx context.Context, user, sub string) error              // fails for a user with another sub
}

// LoginHook finds the user of the agent, or links the user who asked for it.
func (p Passwords) LoginHook(ctx context.Context, login *agentconnect.Login) error {
	session, _ := p.Store.Get(login.Request, p.Name)
	user, err := p.Find(ctx, login.Agent.Sub)
	if err != nil {
		return err
	}
	asked := p.linking(session)
	switch {
	case asked != "" && user == "":
		if err := p.Link(ctx, asked, login.Agent.Sub); err != nil {
			return err
		}
		user = asked
	case user == "", asked != "" && asked != user:
		return agentconnect.RefuseLogin(agentconnect.Reason{
			French:  "connectez-vous par mot de passe, puis liez ProConnect : un compte ProConnect n’a qu’un utilisateur",
			English: "log in with your password, then link ProConnect: a ProConnect account has one user only",
		})
	}
	login.Account = user
	clear(session.Values)
	session.Values["user"], session.Values["sub"] = user, login.Agent.Sub
	return session.Save(login.Request, login.Writer)
}

// User returns the user who is logged in, behind LoadAgent. After a login with
// ProConnect, it returns "" once the agent's session is over.
func (p Passwords) User(r *http.Request) string {
	session, _ := p.Store.Get(r, p.Name)
	user, _ := session.Values["user"].(string)
	if sub, ok := session.Values["sub"]; ok {
		if agent, _ := agentconnect.AgentFrom(r.Context()); agent.Sub != sub {
			return ""
		}
	}
	return user
}
