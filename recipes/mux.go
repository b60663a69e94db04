package recipes

import (
	"fmt"
	"net/http"

	"github.com/agentconnect-go/agentconnect"
)

// ServeMux is the router of the standard library.
func ServeMux(auth *agentconnect.Authenticator) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/login", auth.Login)
	mux.HandleFunc("/callback", auth.Callback)
	mux.HandleFunc("/logout", auth.Logout)
	mux.HandleFunc("/logout/callback", auth.LogoutCallback)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "home")
	})

	dossiers := http.NewServeMux()
	dossiers.HandleFunc("GET /dossiers/{id}", func(w http.ResponseWriter, r *http.Request) {
		agent, _ := agentconnect.AgentFrom(r.Context())
		fmt.Fprintf(w, "dossier %s of %s", r.PathValue("id"), agent.Sub)
	})
	mux.Handle("/dossiers/", auth.RequireAgent(dossiers))
	return mux
}
