package recipes

import (
	"fmt"
	"net/http"

	"github.com/agentconnect-go/agentconnect"
)

// SubPathOptions are for an application that browsers see under /demarches.
func SubPathOptions(origin string) []agentconnect.Option {
	return []agentconnect.Option{
		agentconnect.WithRedirectURL(origin + "/demarches/callback"),
		agentconnect.WithPostLogoutRedirectURL(origin + "/demarches/logout/callback"),
		agentconnect.WithLoginPath("/demarches/login"),
		agentconnect.WithLogoutPath("/demarches/logout"),
		agentconnect.WithHomePath("/demarches/"),
	}
}

// SubPath mounts an application whose routes do not know their prefix. A proxy in front
// must keep the prefix. StripPrefix removes it here, after the page to return to is
// known.
func SubPath(auth *agentconnect.Authenticator) http.Handler {
	app := http.NewServeMux()
	app.HandleFunc("/login", auth.Login)
	app.HandleFunc("/callback", auth.Callback)
	app.HandleFunc("/logout", auth.Logout)
	app.HandleFunc("/logout/callback", auth.LogoutCallback)
	app.Handle("/dossiers/{id}", auth.RequireAgent(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		agent, _ := agentconnect.AgentFrom(r.Context())
		fmt.Fprintf(w, "dossier %s of %s", r.PathValue("id"), agent.Sub)
	})))

	mux := http.NewServeMux()
	mux.Handle("/demarches/", http.StripPrefix("/demarches", app))
	return mux
}
