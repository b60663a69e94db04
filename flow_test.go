package agentconnect_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

func TestLoginAndLogout(t *testing.T) {
	t.Parallel()
	for _, algs := range []struct{ idToken, userinfo agentconnect.Alg }{
		{agentconnect.RS256, agentconnect.RS256},
		{agentconnect.ES256, agentconnect.ES256},
		{agentconnect.HS256, agentconnect.HS256},
		{agentconnect.RS256, agentconnect.Unsigned},
		{agentconnect.HS256, agentconnect.ES256},
	} {
		t.Run(string(algs.idToken+"-"+algs.userinfo), func(t *testing.T) {
			t.Parallel()
			a := newAppWith(t, []agentconnecttest.ServerOption{agentconnecttest.WithAlgorithms(string(algs.idToken), string(algs.userinfo))},
				agentconnect.WithIDTokenAlg(algs.idToken), agentconnect.WithUserinfoAlg(algs.userinfo))
			b := a.browser()

			p := b.navigate("/dossiers/7?tri=date&n=2")
			if want := "/login?return_to=" + url.QueryEscape("/dossiers/7?tri=date&n=2"); p.StatusCode != http.StatusSeeOther || p.location() != want {
				t.Fatalf("protected page of a stranger: got %d to %q, want 303 to %q", p.StatusCode, p.location(), want)
			}
			if n := a.store.sessions(t); n != 0 {
				t.Errorf("sessions before the login: got %d, want 0", n)
			}

			p = b.login("/dossiers/7?tri=date&n=2", "marie")
			if got, want := p.Request.URL.String(), a.url+"/dossiers/7?tri=date&n=2"; got != want || p.StatusCode != http.StatusOK {
				t.Fatalf("after the login: got status %d at %q, want 200 at %q; body %s", p.StatusCode, got, want, p.body)
			}
			if got, want := b.sub(), a.agentSub("marie"); got != want {
				t.Errorf("agent: got sub %q, want %q", got, want)
			}
			for _, secret := range []string{"id_token", "access_token", "eyJ"} {
				if strings.Contains(p.body, secret) {
					t.Errorf("the claims contain a token: %q is in %s", secret, p.body)
				}
			}
			if n := a.store.sessions(t); n != 1 {
				t.Errorf("sessions after the login: got %d, want 1", n)
			}

			session := b.cookies()["agentconnect"]
			p = b.post("/logout", nil)
			out, err := url.Parse(p.location())
			if err != nil || p.StatusCode != http.StatusSeeOther || !strings.HasPrefix(p.location(), a.provider.Issuer+"/session/end?") {
				t.Fatalf("logout: got status %d to %q, want 303 to the provider's end of session", p.StatusCode, p.location())
			}
			if got := out.Query(); got.Get("id_token_hint") == "" || len(got.Get("state")) < 32 || got.Get("post_logout_redirect_uri") != a.url+"/logout/callback" {
				t.Errorf("logout: got parameters %v, want id_token_hint, a state of 32 characters, the registered URI", got)
			}
			if n := a.store.sessions(t); n != 0 {
				t.Errorf("sessions after the logout: got %d, want 0", n)
			}
			p = b.navigate(p.location())
			if !strings.HasPrefix(p.location(), a.url+"/logout/callback?state="+out.Query().Get("state")) {
				t.Fatalf("provider's logout: got status %d to %q, want the logout callback with the state", p.StatusCode, p.location())
			}
			p = b.navigate(p.location())
			if p.StatusCode != http.StatusSeeOther || p.location() != "/" {
				t.Errorf("logout callback: got status %d to %q, want 303 to /", p.StatusCode, p.location())
			}
			if cookies := b.cookies(); len(cookies) != 0 {
				t.Errorf("cookies after the logout: got %v, want none", cookies)
			}
			b.setCookie("agentconnect", session)
			if got := b.sub(); got != "" {
				t.Errorf("with the cookie from before the logout: got agent %q, want a stranger", got)
			}
		})
	}
}

// The credentials go in the body, the code once, with the verifier of the
// challenge; state and nonce are new each time.
func TestWhatTheProviderReceives(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	seen := map[string]bool{}
	for range 2 {
		b.login("/login", "marie")
	}
	for _, r := range a.provider.Received(agentconnecttest.Authorize) {
		for _, name := range []string{"state", "nonce", "code_challenge"} {
			v := r.Form.Get(name)
			if len(v) != 43 || seen[v] {
				t.Errorf("authorize: got %s %q, want 43 characters never seen before", name, v)
			}
			seen[v] = true
		}
		want := url.Values{
			"response_type": {"code"}, "client_id": {a.provider.Client.ID}, "redirect_uri": {a.url + "/callback"},
			"scope": {strings.Join(agentconnect.DefaultScopes(), " ")}, "code_challenge_method": {"S256"},
		}
		for name := range want {
			if got := r.Form[name]; len(got) != 1 || got[0] != want.Get(name) {
				t.Errorf("authorize: got %s %q, want %q", name, got, want[name])
			}
		}
		if len(r.Form) != len(want)+3 {
			t.Errorf("authorize: got parameters %v, want only documented ones", r.Form)
		}
	}
	exchanges := a.provider.Received(agentconnecttest.Token)
	if len(exchanges) != 2 {
		t.Fatalf("token endpoint: got %d requests, want 2", len(exchanges))
	}
	for _, r := range exchanges {
		if r.Form.Get("client_secret") != a.provider.Client.Secret || r.Header.Get("Authorization") != "" {
			t.Error("token endpoint: got credentials elsewhere than in the body")
		}
		if r.Form.Get("code_verifier") == "" {
			t.Error("token endpoint: got no code_verifier")
		}
	}
	if got := a.provider.Requests(agentconnecttest.Discovery); got != 1 {
		t.Errorf("discovery: got %d requests, want 1", got)
	}
}

func TestRequireAgentOfStrangers(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	html := "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	for _, tt := range []struct {
		name     string
		method   string
		header   http.Header
		redirect bool
	}{
		{"navigation", "GET", http.Header{"Sec-Fetch-Mode": {"navigate"}, "Accept": {html}}, true},
		{"HEAD navigation", "HEAD", http.Header{"Sec-Fetch-Mode": {"navigate"}}, true},
		{"old browser", "GET", http.Header{"Accept": {html}}, true},
		{"old browser, Accept in two lines", "GET", http.Header{"Accept": {"application/xml", "TEXT/HTML;q=0.5"}}, true},
		{"fetch that accepts HTML", "GET", http.Header{"Sec-Fetch-Mode": {"cors"}, "Accept": {html}}, false},
		{"image", "GET", http.Header{"Sec-Fetch-Mode": {"no-cors"}, "Accept": {"image/*"}}, false},
		{"program", "GET", nil, false},
		{"program that accepts anything", "GET", http.Header{"Accept": {"*/*"}}, false},
		{"program that refuses HTML", "GET", http.Header{"Accept": {"text/html;q=0, application/json"}}, false},
		{"POST of a program", "POST", nil, false},
		{"PUT of a script", "PUT", http.Header{"Sec-Fetch-Mode": {"same-origin"}}, false},
		{"DELETE that looks like a navigation", "DELETE", http.Header{"Accept": {html}}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := a.browser()
			p := b.do(tt.method, "/dossiers?a=b", tt.header, "")
			if got := p.Header.Get("Cache-Control"); got != "no-store" {
				t.Errorf("got Cache-Control %q, want no-store", got)
			}
			if got := p.Header.Values("Vary"); !strings.Contains(strings.Join(got, ","), "Cookie") {
				t.Errorf("got Vary %q, want Cookie", got)
			}
			if got := p.Header.Values("Set-Cookie"); len(got) != 0 {
				t.Errorf("got Set-Cookie %q, want none: no login starts here", got)
			}
			if tt.redirect {
				if p.StatusCode != http.StatusSeeOther || p.location() != "/login?return_to=%2Fdossiers%3Fa%3Db" {
					t.Errorf("got status %d to %q, want 303 to the login", p.StatusCode, p.location())
				}
				return
			}
			if p.StatusCode != http.StatusUnauthorized || p.problem() != "unauthenticated" {
				t.Errorf("got status %d, body %q, want a 401 problem", p.StatusCode, p.body)
			}
		})
	}
}

// What a person sends with a form after the session ended: a page that says so,
// with a login that comes back to a page that can be opened.
func TestFormOfAStranger(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	p := b.do("POST", "/dossiers", http.Header{
		"Sec-Fetch-Mode": {"navigate"}, "Accept": {"text/html"}, "Referer": {a.url + "/dossiers/7?edition"}, "Accept-Language": {"en"},
	}, "texte=x")
	if p.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(p.Header.Get("Content-Type"), "text/html") {
		t.Fatalf("got status %d, %s, want a 401 page", p.StatusCode, p.Header.Get("Content-Type"))
	}
	if want := `href="/login?return_to=%2Fdossiers%2F7%3Fedition"`; !strings.Contains(p.body, want) {
		t.Errorf("the page has no %s: %s", want, p.body)
	}
}

func TestStepUp(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	b.login("/dossiers", "marie")
	before := b.cookies()["agentconnect"]

	if p := b.fetch("/mfa"); p.StatusCode != http.StatusForbidden || p.problem() != "insufficient_level" || !strings.Contains(p.body, "eidas1-mfa") {
		t.Errorf("fetch without the level: got status %d, %q, want a 403 problem that names the acr", p.StatusCode, p.body)
	}
	p := b.login("/mfa", "marie", agentconnecttest.WithACR("eidas1-mfa"))
	if p.StatusCode != http.StatusOK || !strings.Contains(p.body, `"acr":"eidas1-mfa"`) || p.Request.URL.Path != "/mfa" {
		t.Fatalf("after the step-up: got status %d at %s, %s, want the page with its acr", p.StatusCode, p.Request.URL.Path, p.body)
	}
	if after := b.cookies()["agentconnect"]; after == before {
		t.Error("the session's token is the one of before the step-up")
	}
	if n := a.store.sessions(t); n != 1 {
		t.Errorf("sessions: got %d, want the new one alone", n)
	}
}

func TestAccessRules(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	public, other := a.browser(), a.browser()
	public.login("/dossiers", "marie")
	other.login("/dossiers", "karim")
	if p := public.navigate("/agents-publics"); p.StatusCode != http.StatusOK {
		t.Errorf("with the role: got status %d, want 200", p.StatusCode)
	}
	p := other.navigate("/agents-publics")
	if p.StatusCode != http.StatusForbidden || !strings.Contains(p.body, "le rôle agent_public") {
		t.Errorf("without the role: got status %d, %s, want a 403 page that names it", p.StatusCode, p.body)
	}
}
