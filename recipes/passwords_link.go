package recipes

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/gorilla/sessions"

	"github.com/agentconnect-go/agentconnect"
)

// Linking answers the form "link my ProConnect account" of a user who is logged in by
// password. The form must be protected against forgery: otherwise a link of another
// site could give the user's account to another person. The request is valid for ten
// minutes, so that it does not apply to the next person at this computer.
func (p Passwords) Linking(auth *agentconnect.Authenticator) http.Handler {
	return http.NewCrossOriginProtection().Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, _ := p.Store.Get(r, p.Name)
		if r.Method != http.MethodPost || p.User(r) == "" {
			http.Error(w, "Connectez-vous d’abord.", http.StatusForbidden)
			return
		}
		session.Values["link"] = time.Now().Add(10 * time.Minute).Unix()
		if err := session.Save(r, w); err != nil {
			slog.ErrorContext(r.Context(), "the session of the application could not be saved", "cause", err)
			http.Error(w, "Réessayez dans un instant.", http.StatusServiceUnavailable)
			return
		}
		auth.StartLogin(w, r, agentconnect.LoginOptions{ReturnTo: "/preferences"})
	}))
}

// Logout goes in place of auth.Logout, which does not know a user who logged in by
// password. It ends both sessions.
func (p Passwords) Logout(auth *agentconnect.Authenticator) http.Handler {
	return http.NewCrossOriginProtection().Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			session, _ := p.Store.Get(r, p.Name)
			session.Options.MaxAge = -1
			if err := session.Save(r, w); err != nil {
				slog.ErrorContext(r.Context(), "the session of the application could not be ended", "cause", err)
			}
		}
		auth.Logout(w, r)
	}))
}

// linking returns the user who asked to be linked.
func (p Passwords) linking(session *sessions.Session) string {
	user, _ := session.Values["user"].(string)
	_, byAgent := session.Values["sub"]
	until, _ := session.Values["link"].(int64)
	if byAgent || time.Now().Unix() > until {
		return ""
	}
	return user
}
