package agentconnecttest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

// tab opens a login page and returns its address and the state of its login.
func tab(t *testing.T, a *app, browser *http.Client) (page, state string) {
	t.Helper()
	asked := a.authorizeURL()
	u, err := url.Parse(asked)
	if err != nil {
		t.Fatal(err)
	}
	resp, _ := open(t, browser, asked)
	return resp.Header.Get("Location"), u.Query().Get("state")
}

// submit posts the form of a login page and returns where it leads, and the page
// when it leads nowhere.
func submit(t *testing.T, browser *http.Client, page string, fields url.Values) (*url.URL, string) {
	t.Helper()
	resp, body := send(t, browser, http.MethodPost, page, fields)
	location, err := resp.Location()
	if err != nil {
		return &url.URL{}, body
	}
	return location, ""
}

func TestSeveralTabs(t *testing.T) {
	for _, test := range []struct {
		name    string
		faults  []agentconnecttest.Injectable
		crossed bool
	}{
		{name: "each gets its own state"},
		{name: "crossed", faults: []agentconnecttest.Injectable{agentconnecttest.PageCrossedTabs}, crossed: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			srv := agentconnecttest.NewServer(t)
			a := newApp(t, srv)
			srv.Inject(test.faults...)
			browser := newBrowser(t)
			first, state1 := tab(t, a, browser)
			second, state2 := tab(t, a, browser)
			tab(t, a, newBrowser(t)) // somebody else's changes nothing
			pick := url.Values{"agent": {"marie"}}
			to, page := submit(t, browser, first, pick)
			want := state1
			if test.crossed {
				want = state2
			}
			if got := to.Query().Get("state"); got != want || to.Query().Get("code") == "" {
				t.Fatalf("tab 1: got %s %s, want a code for state %s", to, page, want)
			}
			to, page = submit(t, browser, second, pick)
			if test.crossed {
				if !strings.Contains(page, "session-not-found") {
					t.Errorf("tab 2: got %s, want a page with session-not-found", to)
				}
				if to, page := submit(t, browser, first, pick); !strings.Contains(page, "session-not-found") {
					t.Errorf("tab 1 again, whose answer would be that of tab 2: got %s, want a page with session-not-found", to)
				}
				return
			}
			if got := to.Query().Get("state"); got != state2 {
				t.Errorf("tab 2: got %s %s, want a code for state %s", to, page, state2)
			}
		})
	}
}

func TestLoginPageIsForItsBrowserAndOnce(t *testing.T) {
	clock := newClock()
	srv := agentconnecttest.NewServer(t, agentconnecttest.WithClock(clock.now))
	a := newApp(t, srv)
	pick := url.Values{"agent": {"marie"}}
	for _, test := range []struct {
		name   string
		submit func(browser *http.Client, page string) string
		want   string
	}{
		{"another browser", func(_ *http.Client, page string) string {
			_, body := submit(t, newBrowser(t), page, pick)
			return body
		}, "Y470001"},
		{"another browser that has cookies", func(_ *http.Client, page string) string {
			other := newBrowser(t)
			tab(t, a, other)
			_, body := submit(t, other, page, pick)
			return body
		}, "Y470001"},
		{"invented", func(browser *http.Client, page string) string {
			_, body := submit(t, browser, page+"x", pick)
			return body
		}, "session-not-found"},
		{"twice", func(browser *http.Client, page string) string {
			submit(t, browser, page, pick)
			_, body := submit(t, browser, page, pick)
			return body
		}, "session-not-found"},
		{"back after the login", func(browser *http.Client, page string) string {
			submit(t, browser, page, pick)
			_, body := open(t, browser, page)
			return body
		}, "oidc-provider-error:session-not-found"},
		{"nobody picked", func(browser *http.Client, page string) string {
			_, body := submit(t, browser, page, nil)
			return body
		}, "Y000400"},
		{"nobody picked, by somebody who refuses", func(browser *http.Client, page string) string {
			to, _ := submit(t, browser, page, url.Values{"refuse": {"1"}})
			return to.Query().Get("error")
		}, "access_denied"},
		{"after an hour", func(browser *http.Client, page string) string {
			clock.advance(61 * time.Minute)
			_, body := submit(t, browser, page, pick)
			return body
		}, "session-not-found"},
	} {
		t.Run(test.name, func(t *testing.T) {
			browser := newBrowser(t)
			page, _ := tab(t, a, browser)
			if got := test.submit(browser, page); !strings.Contains(got, test.want) {
				t.Errorf("got %q, want a page with %s", got, test.want)
			}
		})
	}
}

func TestPages(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	if err := srv.SetAgent(oddAgents()[0]); err != nil {
		t.Fatal(err)
	}
	a := newApp(t, srv).with(claimsFor(`{"essential":true,"values":["eidas1","eidas2"]}`)...)
	browser := newBrowser(t)
	login, _ := tab(t, a, browser)
	for _, test := range []struct {
		name, address, language string
		status                  int
		want, not               []string
		formAction              string
	}{
		{name: "login, French", address: login, status: 200,
			want: []string{`<html lang="fr">`, "Fournisseur de démonstration – ne pas utiliser en production", "<code>eidas1</code>, <code>eidas2</code>", "<main", "<h1>", `<label for="acr">`, ` checked>`, "D’Œil-de-Bœuf &lt;Ñ&#39;Guyễn&gt; &amp; “Fils”", "Refuser"},
			not:  []string{"<script", "style=", "<Ñ"}, formAction: "'self' " + a.http.URL},
		{name: "login, English", address: login, language: "en-GB,en;q=0.9,fr;q=0.8", status: 200,
			want: []string{`<html lang="en">`, "Demonstration provider – do not use in production", "Refuse"}, formAction: "'self' " + a.http.URL},
		{name: "French preferred", address: login, language: "de,fr;q=0.9,en;q=0.8", status: 200, want: []string{`<html lang="fr">`}, formAction: "'self' " + a.http.URL},
		{name: "neither", address: login, language: "de", status: 200, want: []string{`<html lang="fr">`}, formAction: "'self' " + a.http.URL},
		{name: "error", address: srv.Issuer + "/authorize", status: 400, want: []string{"Y000400", "manque, est répété ou est mal formé", "client_id is missing"}, formAction: "'none'"},
		{name: "error, English", address: srv.Issuer + "/authorize", language: "en", status: 400, want: []string{"Y000400", "missing, repeated or malformed"}, formAction: "'none'"},
		{name: "logged out", address: srv.Issuer + "/session/end", status: 200, want: []string{"Vous êtes déconnecté"}, formAction: "'none'"},
	} {
		t.Run(test.name, func(t *testing.T) {
			req, err := http.NewRequest(http.MethodGet, test.address, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Accept-Language", test.language)
			resp, err := browser.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != test.status {
				t.Errorf("status: got %d, want %d", resp.StatusCode, test.status)
			}
			if got := resp.Header.Get("Vary"); got != "Accept-Language" {
				t.Errorf("Vary: got %q, want Accept-Language", got)
			}
			for _, want := range test.want {
				if !strings.Contains(string(body), want) {
					t.Errorf("got %s, want %q in it", body, want)
				}
			}
			for _, not := range test.not {
				if strings.Contains(string(body), not) {
					t.Errorf("got %q in the page, want none", not)
				}
			}
			for name, want := range map[string]string{
				"Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action " + test.formAction + "; base-uri 'none'; frame-ancestors 'none'",
				"Cache-Control":           "no-store",
				"Referrer-Policy":         "no-referrer",
				"X-Content-Type-Options":  "nosniff",
				"Content-Type":            "text/html; charset=utf-8",
			} {
				if got := resp.Header.Get(name); got != want {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
		})
	}
	resp, css := open(t, browser, srv.Issuer+"/demonstration.css")
	if got := resp.Header.Get("Content-Type"); got != "text/css; charset=utf-8" || !strings.Contains(css, "prefers-color-scheme: dark") {
		t.Errorf("style sheet: got type %q, want text/css with a dark scheme", got)
	}
}

func TestCookies(t *testing.T) {
	for _, test := range []struct {
		issuer string
		secure bool
	}{{"http://127.0.0.1:1/api/v2", false}, {"https://provider.example/api/v2", true}} {
		t.Run(test.issuer, func(t *testing.T) {
			p, err := agentconnecttest.New(agentconnecttest.Config{
				Issuer:  test.issuer,
				Clients: []agentconnecttest.Client{{ID: "a", Secret: "s", RedirectURIs: []string{"https://a.example/callback"}}},
			})
			if err != nil {
				t.Fatal(err)
			}
			long := strings.Repeat("x", 32)
			q := url.Values{"client_id": {"a"}, "redirect_uri": {"https://a.example/callback"}, "response_type": {"code"}, "scope": {"openid"}, "state": {long}, "nonce": {long}}
			w := httptest.NewRecorder()
			req, err := http.NewRequest(http.MethodGet, test.issuer+"/authorize?"+q.Encode(), http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			p.ServeHTTP(w, req)
			cookies := (&http.Response{Header: w.Header()}).Cookies()
			if len(cookies) != 1 {
				t.Fatalf("got %d cookies, want 1", len(cookies))
			}
			c := cookies[0]
			if c.Secure != test.secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/api/v2/" {
				t.Errorf("got %+v, want HttpOnly, SameSite=Lax, Path=/api/v2/, Secure: %v", c, test.secure)
			}
		})
	}
}

func TestLoginFormSubmittedManyTimesAtOnce(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	a := newApp(t, srv)
	browser := newBrowser(t)
	page, _ := tab(t, a, browser)
	var wait sync.WaitGroup
	var codes atomic.Int32
	for range 16 {
		wait.Go(func() {
			if to, _ := submit(t, browser, page, url.Values{"agent": {"marie"}}); to.Query().Has("code") {
				codes.Add(1)
			}
		})
	}
	wait.Wait()
	if got := codes.Load(); got != 1 {
		t.Errorf("got %d codes, want 1", got)
	}
}

// TestOneSessionForEachBrowser: whoever logs in last in a browser is alone there.
func TestOneSessionForEachBrowser(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	a := newApp(t, srv)
	browser := newBrowser(t)
	first, _ := tab(t, a, browser)
	second, _ := tab(t, a, browser)
	submit(t, browser, first, url.Values{"agent": {"marie"}})
	submit(t, browser, second, url.Values{"agent": {"lucie"}})
	if srv.EndProviderSession("demo-4f1c2d9e-marie") {
		t.Error("marie: got a session, want none after lucie logged in there")
	}
	if !srv.EndProviderSession("demo-c3385e10-lucie") {
		t.Error("lucie: got no session, want one")
	}
}
