package recipes

import (
	"fmt"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/agentconnect-go/agentconnect"
)

// Chi accepts the handlers and the middleware as they are. Use HandleFunc, not Get: the
// official button sends a POST to the login.
func Chi(auth *agentconnect.Authenticator) http.Handler {
	r := chi.NewRouter()
	r.HandleFunc("/login", auth.Login)
	r.HandleFunc("/callback", auth.Callback)
	r.HandleFunc("/logout", auth.Logout)
	r.HandleFunc("/logout/callback", auth.LogoutCallback)
	r.Get("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "home")
	})

	r.Group(func(r chi.Router) {
		r.Use(auth.RequireAgent)
		r.Get("/dossiers/{id}", func(w http.ResponseWriter, r *http.Request) {
			agent, _ := agentconnect.AgentFrom(r.Context())
			fmt.Fprintf(w, "dossier %s of %s", chi.URLParam(r, "id"), agent.Sub)
		})
	})
	return r
}
