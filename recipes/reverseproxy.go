package recipes

import (
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"

	"github.com/agentconnect-go/agentconnect"
)

// ReverseProxy protects another program. That program does not get our cookies, with
// which it could act as the agent. It gets the agent in a header that no client can
// set. It must not be reachable in another way.
func ReverseProxy(auth *agentconnect.Authenticator, upstream *url.URL) http.Handler {
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(upstream)
		r.Out.Header.Del("Cookie")
		for _, cookie := range r.In.Cookies() {
			if !strings.HasPrefix(strings.TrimPrefix(cookie.Name, "__Host-"), "agentconnect") {
				r.Out.AddCookie(cookie)
			}
		}
		agent, _ := agentconnect.AgentFrom(r.In.Context())
		r.Out.Header.Set("X-Agent-Sub", agent.Sub)
	}}
	mux := http.NewServeMux()
	mux.Handle("/", auth.RequireAgent(proxy))
	for _, path := range []string{"/login", "/callback", "/logout", "/logout/callback"} {
		mux.Handle(path, auth.Handler())
	}
	return mux
}
