package agentconnect_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/agentconnect-go/agentconnect"
)

// Everything that depends on who is asking says Cache-Control: no-store; what
// has a code in its URL leaks no Referer.
func TestThreatCacheHeaders(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	agent, stranger := a.loggedIn("marie"), a.browser()
	callback := stranger.callback("/login", "karim")
	own := a.browserOf(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.auth.StartLogin(w, r, agentconnect.LoginOptions{}) }))
	for _, tt := range []struct {
		name       string
		answer     page
		vary       bool // on Cookie
		noReferrer bool
	}{
		{"protected page", agent.navigate("/dossiers"), true, false},
		{"protected page, stranger", stranger.navigate("/dossiers"), true, false},
		{"protected page, stranger's fetch", stranger.fetch("/dossiers"), true, false},
		{"level, fetched", agent.fetch("/mfa"), true, false},
		{"level, step-up", agent.navigate("/mfa"), true, false},
		{"role refused", a.loggedIn("karim").navigate("/agents-publics"), true, true},
		{"public page that greets", agent.navigate("/"), true, false},
		{"public page that greets, stranger", stranger.navigate("/"), true, false},
		{"login", stranger.navigate("/login"), false, false},
		{"login, HEAD", stranger.do("HEAD", "/login", nil, ""), false, false},
		{"login that the application starts", own.navigate("/"), false, false},
		{"callback", stranger.navigate(callback.String()), false, true},
		{"callback, used", stranger.navigate(callback.String()), false, true},
		{"callback, refused", a.browser().navigate("/callback?code=x&state=y"), false, true},
		{"callback, malformed", a.browser().navigate("/callback?%"), false, true},
		{"callback, POST", a.browser().post("/callback", nil), false, true},
		{"logout page", agent.navigate("/logout"), false, false}, // its form says where it comes from
		{"logout", agent.post("/logout", nil), false, false},
		{"logout, stranger", a.browser().post("/logout", nil), false, false},
		{"logout callback", stranger.navigate("/logout/callback?state=x"), false, false},
	} {
		if got := tt.answer.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: got Cache-Control %q, want no-store", tt.name, got)
		}
		if got := strings.Join(tt.answer.Header.Values("Vary"), ","); tt.vary && !strings.Contains(got, "Cookie") {
			t.Errorf("%s: got Vary %q, want Cookie", tt.name, got)
		}
		if got := tt.answer.Header.Get("Referrer-Policy"); tt.noReferrer && got != "no-referrer" && !(got == "strict-origin" && strings.Contains(tt.answer.body, "<form")) {
			t.Errorf("%s: got Referrer-Policy %q, want no-referrer", tt.name, got)
		}
	}
}

// Our pages carry a strict Content-Security-Policy and no script, and load
// nothing.
func TestThreatPages(t *testing.T) {
	t.Parallel()
	a := newApp(t, agentconnect.WithSupportContact("assistance@service.example"))
	b := a.browser()
	for _, path := range []string{"/logout", "/callback", "/callback?state=x&error=y"} {
		for _, lang := range []string{"fr", "en", ""} {
			p := b.do("GET", path, http.Header{"Sec-Fetch-Mode": {"navigate"}, "Accept-Language": {lang}}, "")
			checkPageHeaders(t, p)
			for _, bad := range []string{"<script", "javascript:", " onload=", " onclick=", " src=", "<link", "<iframe", "@import", "url(", " style="} {
				if strings.Contains(strings.ToLower(p.body), bad) {
					t.Errorf("%s: the page contains %q: %s", path, bad, p.body)
				}
			}
			if form := strings.Contains(p.body, "<form"); form == strings.Contains(p.Header.Get("Content-Security-Policy"), "form-action 'none'") {
				t.Errorf("%s: got policy %q for a page with a form: %t", path, p.Header.Get("Content-Security-Policy"), form)
			}
		}
	}
}

// The check of all logs finds what it looks for: a test of the search itself.
func TestThreatLogSearch(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	b.login("/dossiers", "marie")
	marie, _ := a.provider.Agent("marie")
	cookie := b.cookies()["agentconnect"]
	issued := a.provider.Issued() // the code, then the tokens
	for name, secret := range map[string]string{
		"e-mail": marie.Email(), "sub": marie.Sub(), "first name": "Marie Louise", "session cookie": cookie,
		"access token": issued[1].AccessToken, "ID token": issued[1].IDToken, "code": issued[0].Code, "nonce": issued[0].Nonce, "client secret": a.provider.Client.Secret,
	} {
		if found := a.secrets.in("… "+secret+" …", a.provider); len(found) == 0 {
			t.Errorf("%s: a log that contains it passes the check", name)
		}
	}
	if found := a.secrets.in(a.logs.String(), a.provider); len(found) != 0 {
		t.Errorf("the logs contain %q", found)
	}
	if !strings.Contains(a.logs.String(), agentconnect.Pseudonym(marie.Sub())) {
		t.Error("the logs do not have the agent's pseudonym: is anything logged?")
	}
}

// The errors of http.FileServer lose Cache-Control, which net/http takes from them,
// unless the program has the setting that RequireAgent's documentation names. It is a
// setting of the process, so this test is not parallel.
func TestThreatFilesKeepNoStore(t *testing.T) {
	t.Setenv("GODEBUG", "httpservecontentkeepheaders=1")
	a := newApp(t)
	files := http.FileServerFS(fstest.MapFS{"a.txt": {Data: []byte("text")}})
	site := a.serve(a.auth.RequireAgent(files))
	b := a.loggedIn("marie")
	for _, tt := range []struct {
		path, ranges string
		status       int
	}{{"/a.txt", "", 200}, {"/missing.txt", "", 404}, {"/a.txt", "bytes=100-", 416}} {
		p := b.do("GET", site+tt.path, http.Header{"Range": {tt.ranges}}, "")
		if p.StatusCode != tt.status || p.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: got status %d, Cache-Control %q, want %d, no-store", tt.path, p.StatusCode, p.Header.Get("Cache-Control"), tt.status)
		}
	}
}
