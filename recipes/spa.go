package recipes

import (
	"embed"
	"encoding/json"
	"net/http"

	"github.com/agentconnect-go/agentconnect"
)

// Web holds the scripts and pages of the recipes.
//
//go:embed web
var Web embed.FS

// SPA is a single-page application with its API on the same origin: the page is
// public, the API protected. Its script is web/spa.js.
func SPA(auth *agentconnect.Authenticator) http.Handler {
	api := http.NewServeMux()
	api.HandleFunc("GET /api/me", func(w http.ResponseWriter, r *http.Request) {
		agent, _ := agentconnect.AgentFrom(r.Context())
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]string{"sub": agent.Sub})
	})

	mux := http.NewServeMux()
	for _, path := range []string{"/login", "/callback", "/logout", "/logout/callback"} {
		mux.Handle(path, auth.Handler())
	}
	forms := http.NewCrossOriginProtection()
	mux.Handle("/api/", auth.RequireAgent(forms.Handler(api)))
	mux.HandleFunc("GET /spa.js", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, Web, "web/spa.js")
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { // any page of the application
		http.ServeFileFS(w, r, Web, "web/spa.html")
	})
	return mux
}
