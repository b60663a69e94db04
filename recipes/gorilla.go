package recipes

import (
	"fmt"
	"net/http"

	"github.com/gorilla/mux"

	"github.com/agentconnect-go/agentconnect"
)

// Gorilla is gorilla/mux. Put the middleware on a subrouter, not on the router of the
// login.
func Gorilla(auth *agentconnect.Authenticator) http.Handler {
	r := mux.NewRouter()
	r.HandleFunc("/login", auth.Login)
	r.HandleFunc("/callback", auth.Callback)
	r.HandleFunc("/logout", auth.Logout)
	r.HandleFunc("/logout/callback", auth.LogoutCallback)
	r.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "home")
	})

	dossiers := r.PathPrefix("/dossiers").Subrouter()
	dossiers.Use(auth.RequireAgent)
	dossiers.HandleFunc("/{id}", func(w http.ResponseWriter, r *http.Request) {
		agent, _ := agentconnect.AgentFrom(r.Context())
		fmt.Fprintf(w, "dossier %s of %s", mux.Vars(r)["id"], agent.Sub)
	})
	return r
}
