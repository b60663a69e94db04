package agentconnect_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/agentconnect-go/agentconnect"
)

// Two registrations in one process, on the Internet and on the RIE: each host
// name has its provider, its cookies and its sessions, though they share a store.
func TestByHost(t *testing.T) {
	t.Parallel()
	internet, rie := newApp(t), newApp(t)
	listen := func(handler http.Handler) string {
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		return strings.TrimPrefix(server.URL, "http://127.0.0.1")
	}
	var hosts *agentconnect.Hosts
	mux := http.NewServeMux()
	port := listen(mux)
	shared := newStore()
	on := func(a *app, url string) *agentconnect.Authenticator {
		a.url, a.public = url, url
		a.provider.SetRedirectURIs(url + "/callback")
		a.provider.SetPostLogoutRedirectURIs(url + "/logout/callback")
		return a.newAuth(agentconnect.WithSessionStore(shared))
	}
	hosts, err := agentconnect.ByHost(on(internet, "http://localhost"+port), on(rie, "http://127.0.0.1"+port))
	if err != nil {
		t.Fatal(err)
	}
	mux.Handle("/dossiers", hosts.RequireAgent(http.HandlerFunc(serveAgent)))
	mux.Handle("/mfa", hosts.Require(agentconnect.MFA())(http.HandlerFunc(serveAgent)))
	mux.Handle("/accueil", hosts.LoadAgent(http.HandlerFunc(serveAgent)))
	mux.Handle("/silence", hosts.SilentLogin(http.HandlerFunc(serveAgent)))
	mux.HandleFunc("/login", hosts.Login)
	mux.HandleFunc("/callback", hosts.Callback)
	mux.HandleFunc("/own/logout", hosts.Logout)
	mux.HandleFunc("/own/logout/callback", hosts.LogoutCallback)
	mux.Handle("/", hosts.Handler())

	for _, a := range []*app{internet, rie} {
		b := a.browser()
		p := b.login("/dossiers", "marie")
		if p.StatusCode != http.StatusOK || !strings.HasPrefix(p.Request.URL.String(), a.url) {
			t.Fatalf("login at %s: got status %d at %s, want the page", a.url, p.StatusCode, p.Request.URL)
		}
		for _, path := range []string{"/accueil", "/silence"} {
			if p := b.navigate(path); !strings.Contains(p.body, a.agentSub("marie")) {
				t.Errorf("%s%s: got %q, want the agent", a.url, path, p.body)
			}
		}
		// The session of one registration, presented to the other.
		for _, other := range []*app{internet, rie} {
			if other == a {
				continue
			}
			thief := other.browser()
			thief.setCookie("agentconnect", b.cookies()["agentconnect"])
			if got := thief.sub(); got != "" {
				t.Errorf("%s with the cookie of %s: got agent %q, want a stranger", other.url, a.url, got)
			}
		}
		if p := b.navigate("/mfa"); !strings.HasPrefix(p.location(), a.provider.Issuer) {
			t.Errorf("step-up at %s: got %q, want its own provider", a.url, p.location())
		}
		for _, prefix := range []string{"", "/own"} {
			b.login("/dossiers", "marie")
			p := b.post(prefix+"/logout", nil)
			if !strings.HasPrefix(p.location(), a.provider.Issuer) {
				t.Errorf("logout at %s: got %q, want its own provider", a.url, p.location())
			}
			if p := b.navigate(prefix + "/logout/callback?" + stateOf(t, p.location())); p.location() != "/" || b.cookies()["agentconnect-logout"] != "" {
				t.Errorf("back from the logout at %s: got %q, want /, and the logout to be over", a.url, p.location())
			}
		}
	}
	req := httptest.NewRequest("GET", "/dossiers", nil)
	req.Host = "evil.example"
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, req)
	if w.Code != http.StatusMisdirectedRequest {
		t.Errorf("a host name of nobody: got status %d, want 421", w.Code)
	}
}

// stateOf returns the state of a URL, as a query of its own.
func stateOf(t *testing.T, location string) string {
	t.Helper()
	u, err := url.Parse(location)
	if err != nil {
		t.Fatal(err)
	}
	return url.Values{"state": u.Query()["state"]}.Encode()
}

func TestByHostMistakes(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	for name, auths := range map[string][]*agentconnect.Authenticator{
		"none":          nil,
		"nil":           {nil},
		"the same host": {a.auth, a.another().auth},
	} {
		if _, err := agentconnect.ByHost(auths...); err == nil {
			t.Errorf("%s: got no error, want one", name)
		}
	}
}
