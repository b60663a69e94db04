package recipes

import (
	"net/http"

	"github.com/agentconnect-go/agentconnect"
)

// FromGoOIDCOptions keep the registered redirect URL, and the addresses of the login
// and the logout that the application's pages use. Without the last two options, they
// are beside the callback: /auth/oidc/login and /auth/oidc/logout.
func FromGoOIDCOptions(origin string) []agentconnect.Option {
	return []agentconnect.Option{
		agentconnect.FromEnv(),
		agentconnect.WithRedirectURL(origin + "/auth/oidc/callback"),
		agentconnect.WithPostLogoutRedirectURL(origin + "/auth/oidc/logged_out"), // register it
		agentconnect.WithLoginPath("/login"),
		agentconnect.WithLogoutPath("/logout"),
	}
}

// FromGoOIDC is the application with the four routes. app has the pages that need a
// login.
func FromGoOIDC(auth *agentconnect.Authenticator, app http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/login", auth.Login)
	mux.HandleFunc("/logout", auth.Logout)
	mux.HandleFunc("/auth/oidc/callback", auth.Callback)
	mux.HandleFunc("/auth/oidc/logged_out", auth.LogoutCallback)
	mux.HandleFunc("/{$}", func(http.ResponseWriter, *http.Request) {}) // the public home page
	mux.Handle("/", auth.RequireAgent(app))
	return mux
}
