package agentconnect_test

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

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
		{"form that takes no HTML", "POST", http.Header{"Sec-Fetch-Mode": {"navigate"}, "Accept": {"application/json"}}, false},
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

// A form that is sent after the session has ended gets a page that says so, with a
// login that returns to a page that can be opened.
func TestFormOfAStranger(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	for _, tt := range []struct {
		name   string
		header http.Header
		page   bool
	}{
		{"today", http.Header{"Sec-Fetch-Mode": {"navigate"}}, true},
		{"old browser", http.Header{}, true},
		{"old browser that sends a file", http.Header{"Content-Type": {"multipart/form-data; boundary=x"}}, true},
		{"through a service worker", http.Header{"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"empty"}}, true},
		{"program that reads pages", http.Header{"Content-Type": {"application/json"}}, false},
		{"script of an old browser", http.Header{"X-Requested-With": {"XMLHttpRequest"}}, false},
		{"script that accepts a page", http.Header{"Sec-Fetch-Mode": {"cors"}}, false},
	} {
		maps.Copy(tt.header, http.Header{"Accept": {"text/html"}, "Referer": {a.url + "/dossiers/7?edition"}, "Accept-Language": {"en"}})
		p := b.do("POST", "/dossiers", tt.header, "texte=x")
		if got := strings.HasPrefix(p.Header.Get("Content-Type"), "text/html"); p.StatusCode != http.StatusUnauthorized || got != tt.page {
			t.Errorf("%s: got status %d, %s, want 401, a page: %t", tt.name, p.StatusCode, p.Header.Get("Content-Type"), tt.page)
		}
		if want := `href="/login?return_to=%2Fdossiers%2F7%3Fedition"`; tt.page && !strings.Contains(p.body, want) {
			t.Errorf("%s: the page has no %s: %s", tt.name, want, p.body)
		}
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
	for name, b := range map[string]*browser{"agent": b, "stranger": a.browser()} { // HEAD starts nothing
		p := b.do(http.MethodHead, "/mfa-only", http.Header{"Sec-Fetch-Mode": {"navigate"}}, "")
		if p.StatusCode != http.StatusSeeOther || p.location() != "/login?return_to=%2Fmfa-only" || len(p.Header["Set-Cookie"]) != 0 {
			t.Errorf("HEAD, %s: got status %d to %q with cookies %q, want 303 to the login and none", name, p.StatusCode, p.location(), p.Header["Set-Cookie"])
		}
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
	// A login has nobody to name in the log yet, and says what it demands.
	for _, want := range []string{
		`"msg":"agentconnect: login_started","accepted_acr":null}`,
		`"msg":"agentconnect: step_up_started","accepted_acr":["eidas0-mfa","eidas1-mfa","eidas2","eidas3"]}`,
		`"msg":"agentconnect: login_succeeded","agent":"` + agentconnect.Pseudonym(a.agentSub("marie")) + `"`,
	} {
		if !strings.Contains(a.logs.String(), want) {
			t.Errorf("got the log without %s: %s", want, a.logs)
		}
	}
}

// A step-up tells the provider who it is about, where that is an e-mail address:
// AgentConnect refuses anything else with a page from which nobody comes back.
func TestStepUpSaysWho(t *testing.T) {
	t.Parallel()
	marie, _ := demoAgent("marie")
	for email, want := range map[string]string{
		"marie.exemple@culture.example.gouv.fr": "marie.exemple@culture.example.gouv.fr",
		"marie (bureau 7)":                      "",
	} {
		agent := marie
		agent.Claims = maps.Clone(marie.Claims)
		agent.Claims["email"] = email
		a := newAppWith(t, []agentconnecttest.ServerOption{agentconnecttest.WithAgents(agent)})
		b := a.loggedIn("marie")
		for _, tt := range []struct {
			who  *browser
			want string
		}{{b, want}, {a.browser(), ""}} {
			u, err := url.Parse(tt.who.navigate("/mfa-only").location())
			if got := u.Query(); err != nil || !got.Has("claims") || got.Get("login_hint") != tt.want {
				t.Errorf("e-mail %q: got parameters %v, want login_hint %q", email, got, tt.want)
			}
		}
	}
}

// The level of every login can be raised while agents are logged in: a route
// with Require demands it of them, also with no requirement of its own.
func TestRequireDemandsTheLevelOfEveryLogin(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.loggedIn("marie")
	raised := a.newAuth(agentconnect.WithLevel(agentconnect.MFA()))
	site := a.serve(raised.Require()(http.HandlerFunc(serveAgent)))
	if p := b.navigate(site + "/"); p.StatusCode != http.StatusSeeOther || !strings.HasPrefix(p.location(), a.provider.Issuer) {
		t.Errorf("navigation: got status %d to %q, want 303 to the provider", p.StatusCode, p.location())
	}
	if p := b.fetch(site + "/"); p.StatusCode != http.StatusForbidden || p.problem() != "insufficient_level" {
		t.Errorf("fetch: got status %d, %s, want a 403 problem", p.StatusCode, p.body)
	}
}

// A refusal names what lacks and nothing else, the access rules first.
func TestReasonsOfARefusal(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	level, met, unmet := agentconnect.MinEIDAS(2), agentconnect.Role(agentconnect.RoleAgentPublic), agentconnect.Role(agentconnect.RoleDirigeant)
	for _, tt := range []struct {
		name     string
		rs       []agentconnect.Requirement
		code     agentconnect.Code
		reasons  string
		accepted string
	}{
		{"a level", []agentconnect.Requirement{met, level}, agentconnect.CodeInsufficientLevel, `["a login at eIDAS level 2 (substantial) or higher"]`, `["eidas2","eidas3"]`},
		{"a rule", []agentconnect.Requirement{met, unmet}, agentconnect.CodeForbidden, `["an account that ProConnect recognises as that of a person who heads an organisation"]`, `null`},
		{"both", []agentconnect.Requirement{level, unmet}, agentconnect.CodeForbidden, `["an account that ProConnect recognises as that of a person who heads an organisation"]`, `null`},
	} {
		p := a.loggedIn("marie").fetch(a.serve(a.auth.Require(tt.rs...)(http.HandlerFunc(serveAgent))) + "/")
		var problem struct {
			Reasons     []string `json:"reasons"`
			AcceptedACR []string `json:"accepted_acr"`
		}
		if err := json.Unmarshal([]byte(p.body), &problem); err != nil || p.StatusCode != http.StatusForbidden || p.problem() != string(tt.code) {
			t.Fatalf("%s: got status %d, %s, %v, want a 403 problem %s", tt.name, p.StatusCode, p.body, err, tt.code)
		}
		reasons, _ := json.Marshal(problem.Reasons)
		accepted, _ := json.Marshal(problem.AcceptedACR)
		if string(reasons) != tt.reasons || string(accepted) != tt.accepted {
			t.Errorf("%s: got reasons %s, acr %s, want %s, %s", tt.name, reasons, accepted, tt.reasons, tt.accepted)
		}
	}
}

// Where a login after a refusal comes back to: the page that was refused, when it
// is one, and otherwise the page that sent the request.
func TestReturnToOfARefusal(t *testing.T) {
	t.Parallel()
	var returnTo string
	a := newApp(t, agentconnect.WithErrorHandler(func(w http.ResponseWriter, r *http.Request, e *agentconnect.Error) {
		returnTo = e.ReturnTo
		w.WriteHeader(e.Status)
	}))
	karim, stranger := a.loggedIn("karim"), a.browser()
	for _, tt := range []struct {
		name    string
		browser *browser
		method  string
		mode    string
		referer string
		want    string
	}{
		{"an agent's navigation", karim, "GET", "navigate", a.url + "/dossiers/7", "/agents-publics?a=b"},
		{"an agent's fetch", karim, "GET", "cors", a.url + "/dossiers/7?c=d", "/dossiers/7?c=d"},
		{"an agent's form", karim, "POST", "navigate", a.url + "/dossiers/7", "/dossiers/7"},
		{"a stranger's fetch", stranger, "GET", "cors", a.url + "/dossiers/7", "/dossiers/7"},
		{"from another site", stranger, "GET", "cors", "https://attacker.example/dossiers/7", ""},
		{"from another port", stranger, "GET", "cors", "http://localhost:1/dossiers/7", ""},
		{"from a path", stranger, "GET", "cors", "/dossiers/7", ""},
		{"from nowhere", stranger, "GET", "cors", "", ""},
		{"from what is no URL", stranger, "GET", "cors", "http://%", ""},
	} {
		returnTo = "unset"
		tt.browser.do(tt.method, "/agents-publics?a=b", http.Header{"Sec-Fetch-Mode": {tt.mode}, "Accept": {"text/html"}, "Referer": {tt.referer}}, "")
		if returnTo != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, returnTo, tt.want)
		}
	}
}

// A session that is over leaves nothing in the store; when it cannot be deleted,
// it is over all the same and the log says so.
func TestExpiredSessionIsDeleted(t *testing.T) {
	t.Parallel()
	for _, failure := range []error{nil, errors.New("read-only replica")} {
		a := newApp(t, agentconnect.WithIdleTimeout(5*time.Minute), agentconnect.WithTokens())
		b := a.browser()
		b.login("/dossiers", "marie")
		before := a.store.sessions(t)
		a.store.setDeleteFailure(failure)
		a.clock.advance(6 * time.Minute)
		if got := b.sub(); got != "" {
			t.Errorf("deletion fails %t: got agent %q, want a stranger", failure != nil, got)
		}
		want, lines := 0, 0
		if failure != nil {
			want, lines = before, 1
		}
		if got := a.store.sessions(t); before != 2 || got != want {
			t.Errorf("deletion fails %t: got %d records of the session and its tokens, before %d, want %d, before 2", failure != nil, got, before, want)
		}
		if got := strings.Count(a.logs.String(), "a session that is over could not be deleted"); got != lines {
			t.Errorf("deletion fails %t: got %d lines in the log, want %d", failure != nil, got, lines)
		}
	}
}

// A public page is served to a stranger while the store is down, and the log
// says so; what others vary an answer on stays.
func TestLoadAgent(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	page := a.auth.LoadAgent(http.HandlerFunc(serveAgent))
	site := a.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Accept-Encoding")
		page.ServeHTTP(w, r)
	}))
	b := a.loggedIn("marie")
	for i, failure := range []error{nil, errors.New("down")} {
		a.store.setFailure(failure)
		p := b.navigate(site + "/")
		if p.StatusCode != http.StatusOK || (p.body == "public") != (failure != nil) {
			t.Errorf("store fails %t: got status %d, %q, want the page", failure != nil, p.StatusCode, p.body)
		}
		if got := strings.Join(p.Header["Vary"], ", "); got != "Accept-Encoding, Cookie" {
			t.Errorf("got Vary %q, want Accept-Encoding, Cookie", got)
		}
		if got := strings.Count(a.logs.String(), "a public page is served as to a stranger"); got != i {
			t.Errorf("store fails %t: got %d lines in the log, want %d", failure != nil, got, i)
		}
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
	if p.StatusCode != http.StatusForbidden || !strings.Contains(p.body, "un compte que ProConnect reconnaît comme celui d’un agent public") {
		t.Errorf("without the role: got status %d, %s, want a 403 page that names it", p.StatusCode, p.body)
	}
}
