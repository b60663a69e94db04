package recipes

import (
	"net/http"
	"net/http/httputil"
	"net/url"

	"github.com/agentconnect-go/agentconnect"
)

// ReverseProxy protects another program. That program does not get our cookies, with
// which it could act as the agent. It gets the agent in a header that no client can
// set. It must not be reachable in another way.
func ReverseProxy(auth *agentconnect.Authenticator, upstream *url.URL) http.Handler {
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(upstream)
		auth.StripCookies(r.Out)
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
