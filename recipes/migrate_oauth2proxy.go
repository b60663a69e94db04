package recipes

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/agentconnect-go/agentconnect"
)

// FromOAuth2Proxy keeps the addresses of oauth2-proxy for the pages, scripts, probes
// and nginx files that use them. Remove those that are no longer used. app is the
// application, without the proxy in front of it.
func FromOAuth2Proxy(auth *agentconnect.Authenticator, origin string, app http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/oauth2/", auth.Handler()) // login, callback, sign_out, signed_out
	toLogin := func(w http.ResponseWriter, r *http.Request) {
		page := strings.TrimPrefix(r.FormValue("rd"), origin)
		http.Redirect(w, r, "/oauth2/login?"+url.Values{"return_to": {page}}.Encode(), http.StatusSeeOther)
	}
	mux.HandleFunc("/oauth2/start", toLogin)
	mux.HandleFunc("/oauth2/sign_in", toLogin)

	mux.Handle("/oauth2/userinfo", auth.RequireAgent(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		agent, _ := agentconnect.AgentFrom(r.Context())
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]string{"user": agent.Sub, "email": agent.Email})
	})))

	// For nginx's auth_request. Use LoadAgent, not RequireAgent, which redirects
	// navigations: auth_request only understands 2xx, 401 and 403.
	mux.Handle("/oauth2/auth", auth.LoadAgent(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		agent, ok := agentconnect.AgentFrom(r.Context())
		if !ok {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("X-Auth-Request-User", agent.Sub)
		w.Header().Set("X-Auth-Request-Email", agent.Email)
		w.WriteHeader(http.StatusAccepted)
	})))

	mux.HandleFunc("/ping", func(http.ResponseWriter, *http.Request) {})
	mux.Handle("/ready", Readiness(auth))
	mux.Handle("/", auth.RequireAgent(app))
	return mux
}
