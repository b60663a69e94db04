package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/agentconnect-go/agentconnect/example/internal/chromium"
)

// visit is a person at a browser who uses the program at a URL.
type visit struct {
	*chromium.Tab
	t       *testing.T
	url     string // without the final slash
	browser *chromium.Browser
}

func newVisit(t *testing.T, browser *chromium.Browser, url string) *visit {
	t.Helper()
	return &visit{browser.NewTab(t), t, url, browser}
}

// stranger is somebody else, at a browser of their own.
func (v *visit) stranger() *visit {
	v.t.Helper()
	return newVisit(v.t, v.browser, v.url)
}

// TestBrowser has people use the program with Chromium. Besides what each test
// checks, every tab fails it for a request to another machine, a message in the
// console or a violation of a Content-Security-Policy.
func TestBrowser(t *testing.T) {
	browser := chromium.Start(t)
	program := start(t, nil)
	for _, test := range []struct {
		name string
		run  func(*testing.T, *visit)
	}{
		{"login and logout with the buttons", testButtons},
		{"the way back to a page with its query", testDeepLink},
		{"two tabs", testTabs},
		{"step-up", testStepUp},
		{"a login that the agent gives up", testRefusal},
		{"a page for other agents", testForbidden},
		{"the page of the logout", testLogoutPage},
		{"the back button after the logout", testBackAfterLogout},
		{"a callback opened again", testUsedCallback},
		{"somebody else in the same browser", testSomebodyElse},
		{"cookies planted before the login", testPlantedCookie},
		{"forms and links of another site", testOtherSite},
		{"with the keyboard alone", testKeyboard},
		{"in English", testEnglish},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.run(t, newVisit(t, browser, program.url))
		})
	}
}

// open opens a page of the program.
func (v *visit) open(path string) chromium.Page {
	v.t.Helper()
	return v.Open(v.url + path)
}

// pick logs an agent in on the provider's page, at the provider's choice of acr
// unless one is given.
func pick(tab *chromium.Tab, agent, acr string) chromium.Page {
	tab.Tick("#agent-" + agent)
	if acr != "" {
		tab.Choose("#acr", acr)
	}
	return tab.Click("button[type=submit]")
}

// login opens a page that needs a login and logs an agent in.
func (v *visit) login(path, agent string) {
	v.t.Helper()
	v.wantProvider(v.open(path))
	v.wantPage(pick(v.Tab, agent, ""), 200, path)
}

// wantPage checks where a navigation ended, and that the page has the texts.
func (v *visit) wantPage(got chromium.Page, status int, path string, texts ...string) {
	v.t.Helper()
	if want := (chromium.Page{URL: v.url + path, Status: status}); got != want {
		v.t.Fatalf("got the page %+v, want %+v", got, want)
	}
	v.wantTexts(v.Tab, texts...)
}

func (v *visit) wantTexts(tab *chromium.Tab, texts ...string) {
	v.t.Helper()
	got := tab.Text()
	for _, want := range texts {
		if !strings.Contains(got, want) {
			v.t.Errorf("%s: got a page without %q: %s", tab.URL(), want, got)
		}
	}
}

// wantProvider checks that a navigation ended on the provider's login page.
func (v *visit) wantProvider(got chromium.Page) {
	v.t.Helper()
	if !strings.HasPrefix(got.URL, "http://127.0.0.1:") || got.Status != 200 || !v.Contains("#acr") {
		v.t.Fatalf("got the page %+v, want the login page of the provider", got)
	}
}

func testButtons(t *testing.T, v *visit) {
	v.wantPage(v.open("/"), 200, "/", "Bienvenue", "identifier avec\nProConnect", "est-ce que ProConnect ?")
	v.wantProvider(v.Click("form[action='/login'] button"))
	if got, ok := v.Request(v.url + "/login"); !ok || got.Method != http.MethodPost {
		t.Errorf("got the request %+v, want the button to send a form", got)
	}
	v.wantPage(pick(v.Tab, "marie", ""), 200, "/", "Bonjour Marie Louise Exemple")
	v.wantPage(v.Click("main a[href='/agent']"), 200, "/agent", "Ministère de démonstration", "demo-4f1c2d9e-marie")

	v.wantPage(v.Click("form[action='/logout'] button"), 200, "/", "Vous êtes déconnecté", "identifier avec\nProConnect")
	end, ok := v.Request("http://127.0.0.1:")
	if !ok || !strings.Contains(end.URL, "/session/end?") || end.Method != http.MethodGet {
		t.Errorf("got the last request %+v to the provider, want its logout", end)
	}
	back, _ := v.Request(v.url + "/logout/callback?")
	if got, want := param(t, back.URL, "state"), param(t, end.URL, "state"); got != want || len(got) < 32 {
		t.Errorf("got the state %q back, want %q", got, want)
	}
	v.wantProvider(v.open("/agent")) // which asks again
}

func param(t *testing.T, address, name string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get(name)
}

func testDeepLink(t *testing.T, v *visit) {
	const deep = "/agent?dossier=42&onglet=pi%C3%A8ces%20jointes&a=%2F%2Fexample.org"
	v.wantProvider(v.open(deep))
	v.wantPage(pick(v.Tab, "zoe", ""), 200, deep, "d’Œuvre-Spécimen")
	v.wantPage(v.open(deep), 200, deep)
}

func testTabs(t *testing.T, v *visit) {
	second := v.Another()
	v.wantProvider(v.open("/agent?onglet=1"))
	second.Open(v.url + "/agent?onglet=2")
	v.wantPage(pick(v.Tab, "marie", ""), 200, "/agent?onglet=1", "Marie Louise")
	if got, want := pick(second, "marie", ""), (chromium.Page{URL: v.url + "/agent?onglet=2", Status: 200}); got != want {
		t.Errorf("got the second tab at %+v, want %+v", got, want)
	}
	v.wantTexts(second, "Marie Louise")
	v.wantPage(v.open("/agent"), 200, "/agent", "Marie Louise")

	v.wantPage(v.Click("form[action='/logout'] button"), 200, "/")
	second.Open(v.url + "/agent")
	if !second.Contains("#acr") {
		t.Errorf("got the second tab at %s after the logout in the first, want the login page of the provider", second.URL())
	}
}

func testStepUp(t *testing.T, v *visit) {
	v.login("/agent", "olivier")
	v.wantProvider(v.open("/mfa?acte=7"))
	v.wantTexts(v.Tab, "eidas0-mfa, eidas1-mfa, eidas2, eidas3")
	v.wantPage(pick(v.Tab, "olivier", "eidas2"), 200, "/mfa?acte=7", "eidas2")
	v.wantPage(v.open("/mfa"), 200, "/mfa", "eidas2") // without another login

	// A level that is not enough leaves the session as it was.
	other := v.stranger()
	other.login("/agent", "karim")
	other.wantProvider(other.open("/mfa"))
	if got := pick(other.Tab, "karim", "eidas0"); got.Status != http.StatusForbidden {
		t.Errorf("got the page %+v for too low a level, want status 403", got)
	}
	other.wantTexts(other.Tab, "Connexion plus sûre nécessaire", "insufficient_level")
	other.wantPage(other.open("/agent"), 200, "/agent", "Karim")
}

func testRefusal(t *testing.T, v *visit) {
	const page = "/agent?dossier=42"
	v.wantProvider(v.open(page))
	got := v.Click("button[name=refuse]")
	if !strings.HasPrefix(got.URL, v.url+"/callback?") || got.Status != http.StatusForbidden {
		t.Fatalf("got the page %+v, want the callback to refuse", got)
	}
	v.wantTexts(v.Tab, "Connexion perdue en chemin", "Numéro", "provider_session_lost")
	v.wantProvider(v.Click("main a[href^='/login']"))
	v.wantPage(pick(v.Tab, "marie", ""), 200, page, "Marie Louise")
}

func testForbidden(t *testing.T, v *visit) {
	v.wantProvider(v.open("/agents-publics"))
	v.wantPage(pick(v.Tab, "karim", ""), 403, "/agents-publics", "Accès non autorisé", "celui d’un agent public")
	v.wantPage(v.Click("main a[href='/']"), 200, "/", "Bonjour Karim Fictif")
}

func testLogoutPage(t *testing.T, v *visit) {
	v.login("/agent", "marie")
	v.wantPage(v.open("/logout"), 200, "/logout", "Voulez-vous vous déconnecter")
	v.wantPage(v.Click("main a[href='/']"), 200, "/", "Bonjour Marie Louise Exemple") // ended nothing
	v.open("/logout")
	v.wantPage(v.Click("main button"), 200, "/", "Vous êtes déconnecté")
	if got, ok := v.Request("http://127.0.0.1:"); !ok || !strings.Contains(got.URL, "/session/end?") {
		t.Errorf("got the last request %+v to the provider, want its logout", got)
	}
}

func testBackAfterLogout(t *testing.T, v *visit) {
	v.open("/")
	v.Click("form[action='/login'] button")
	v.wantPage(pick(v.Tab, "marie", ""), 200, "/", "Bonjour Marie Louise Exemple")
	v.wantPage(v.Click("main a[href='/agent']"), 200, "/agent", "demo-4f1c2d9e-marie")
	v.wantPage(v.Click("form[action='/logout'] button"), 200, "/")
	v.Back(`document.readyState === "complete" && document.querySelector("#acr") !== null`)
	v.Back(`document.readyState === "complete" && location.pathname === "/" && document.querySelector("form[action='/login']") !== null`)
	if strings.Contains(v.Text(), "Marie") {
		t.Errorf("got the page %s, want nothing of the agent", v.Text())
	}
}

func testUsedCallback(t *testing.T, v *visit) {
	v.login("/agent", "marie")
	callback, ok := v.Request(v.url + "/callback?")
	if !ok {
		t.Fatal("got no request to the callback")
	}
	v.wantPage(v.Open(callback.URL), 200, "/", "Bonjour Marie Louise Exemple")

	stranger := v.stranger()
	stranger.wantPage(stranger.Open(callback.URL), 400, strings.TrimPrefix(callback.URL, v.url), "Connexion expirée")
	stranger.wantPage(stranger.open("/"), 200, "/", "Bienvenue")

	v.wantPage(v.Click("form[action='/logout'] button"), 200, "/")
	v.wantPage(v.Open(callback.URL), 400, strings.TrimPrefix(callback.URL, v.url), "Connexion expirée")
	v.wantPage(v.open("/"), 200, "/", "Bienvenue")
}

func testSomebodyElse(t *testing.T, v *visit) {
	v.login("/agent", "marie")
	v.wantPage(v.Click("form[action='/logout'] button"), 200, "/")
	v.login("/agent", "karim")
	v.wantTexts(v.Tab, "Karim")
	if strings.Contains(v.Text(), "Marie") {
		t.Errorf("got the page %s, want nothing of the first agent", v.Text())
	}
}

// testOtherSite has a page of another site link to the program and send it forms.
func testOtherSite(t *testing.T, v *visit) {
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, `<!DOCTYPE html><html lang="fr"><title>Un autre site</title><link rel="icon" href="data:,">`+
			`<form method="post" action="`+v.url+`/logout"><button id="logout">1</button></form>`+
			`<form method="post" action="`+v.url+`/agent"><button id="write">2</button></form>`+
			`<p><a id="link" href="`+v.url+`/logout">3</a> <a id="deep" href="`+v.url+`/agent?dossier=42">4</a>`)
	}))
	defer site.Close() // its host, 127.0.0.1, is not the program's, localhost

	v.login("/agent", "marie")
	v.Open(site.URL)
	v.wantPage(v.Click("#logout"), 403, "/logout", "Requête d’un autre site")
	v.Open(site.URL)
	v.wantPage(v.Click("#write"), 401, "/agent", "Connexion nécessaire") // SameSite: it comes as a stranger's
	v.Open(site.URL)
	v.wantPage(v.Click("#link"), 200, "/logout", "Voulez-vous vous déconnecter")
	v.Open(site.URL)
	v.wantPage(v.Click("#deep"), 200, "/agent?dossier=42", "Marie Louise")
}

func testKeyboard(t *testing.T, v *visit) {
	v.open("/")
	v.TabTo("form[action='/login'] button")
	v.wantProvider(v.PressAndGo(chromium.KeyEnter))
	v.TabTo("input[name=agent]")
	v.Press(chromium.KeyDown) // from marie to the next one
	v.Until("document.querySelector('#agent-hugo').checked")
	v.TabTo("#acr")
	v.TabTo("button[type=submit]")
	v.wantPage(v.PressAndGo(chromium.KeyEnter), 200, "/", "Bonjour Hugo Semblant")

	v.TabTo(".skip")
	v.Press(chromium.KeyEnter)
	v.Until("document.activeElement.matches('main')")
	v.TabTo("main a[href='/agent']")
	v.wantPage(v.PressAndGo(chromium.KeyEnter), 200, "/agent", "Hôpital de démonstration")
	v.TabTo("form[action='/logout'] button")
	v.wantPage(v.PressAndGo(chromium.KeyEnter), 200, "/", "Vous êtes déconnecté")
	v.open("/callback")
	v.TabTo("main a[href='/login']")
	v.wantProvider(v.PressAndGo(chromium.KeyEnter))
}

func testEnglish(t *testing.T, v *visit) {
	v.SetLanguage("en-GB,en;q=0.9,fr;q=0.5")
	for path, text := range map[string]string{
		"/":         "Welcome",
		"/logout":   "Do you want to log out",
		"/callback": "Malformed request",
		"/nowhere":  "Page not found",
		"/agent":    "Pick a demonstration agent",
	} {
		v.open(path)
		v.wantTexts(v.Tab, text)
		if got := chromium.Eval[string](v.Tab, "document.documentElement.lang"); got != "en" {
			t.Errorf("%s: got the language %q, want en", path, got)
		}
	}
}
