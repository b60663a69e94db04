package recipes

import (
	"fmt"
	"html/template"
	"net/http"

	"github.com/agentconnect-go/agentconnect"
)

// PrivateOptions are for an application without a public home page. A logout would end
// there and start a login at once; with these options it ends on a public page.
func PrivateOptions() []agentconnect.Option {
	return []agentconnect.Option{agentconnect.WithLoggedOutPath("/deconnexion")}
}

// Private protects everything except the page where a logout ends.
func Private(auth *agentconnect.Authenticator) http.Handler {
	loggedOut := template.Must(template.New("").Parse(`<!DOCTYPE html><html lang="fr"><title>Démarches</title>
<link rel="stylesheet" href="/button.css"><p>Vous êtes déconnecté.</p>{{.}}`))
	app := http.NewServeMux()
	app.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		agent, _ := agentconnect.AgentFrom(r.Context())
		fmt.Fprint(w, "the files of ", agent.Sub)
	})

	mux := http.NewServeMux()
	for _, path := range []string{"/login", "/callback", "/logout", "/logout/callback"} {
		mux.Handle(path, auth.Handler())
	}
	mux.HandleFunc("GET /button.css", agentconnect.ButtonStyle)
	mux.HandleFunc("GET /deconnexion", func(w http.ResponseWriter, r *http.Request) {
		loggedOut.Execute(w, auth.Button(agentconnect.ButtonOptions{}))
	})
	mux.Handle("/", auth.RequireAgent(app))
	return mux
}
