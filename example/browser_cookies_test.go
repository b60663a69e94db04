package main

import (
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"

	"github.com/agentconnect-go/agentconnect/example/internal/chromium"
)

// TestBrowserCookies looks at the cookies as Chromium keeps them, on http and
// behind a proxy that speaks https.
func TestBrowserCookies(t *testing.T) {
	browser := chromium.Start(t)
	for _, test := range []struct {
		name   string
		start  func(*testing.T) *program
		secure bool
	}{
		{"http", func(t *testing.T) *program { return start(t, nil) }, false},
		{"https", startBehindTLS, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := newVisit(t, browser, test.start(t).url)
			v.open("/")
			if got := v.applicationCookies(); len(got) != 0 {
				t.Errorf("got %d cookies of the home page, want none", len(got))
			}
			v.wantProvider(v.Click("form[action='/login'] button"))
			if got := v.applicationCookies(); len(got) != 1 {
				t.Errorf("got %d cookies of a login under way, want 1", len(got))
			}
			wantCookies(t, v.applicationCookies(), test.secure, time.Hour)

			v.wantPage(pick(v.Tab, "marie", ""), 200, "/", "Bonjour Marie Louise Exemple")
			if got := v.applicationCookies(); len(got) != 2 {
				t.Errorf("got %d cookies, want the session's and the one that says that it is new", len(got))
			}
			wantCookies(t, v.applicationCookies(), test.secure, 12*time.Hour)
			if got := chromium.Eval[string](v.Tab, "document.cookie"); got != "" {
				t.Errorf("got the cookies %q in a script, want none", got)
			}

			v.wantPage(v.Click("form[action='/logout'] button"), 200, "/", "Vous êtes déconnecté")
			if got := v.applicationCookies(); len(got) != 0 {
				t.Errorf("got %d cookies after the logout, want none: the first is %s", len(got), got[0].Name)
			}
		})
	}
}

// applicationCookies are those that are not the provider's.
func (v *visit) applicationCookies() []*network.Cookie {
	v.t.Helper()
	var cookies []*network.Cookie
	for _, c := range v.Cookies() {
		if c.Domain != "127.0.0.1" {
			cookies = append(cookies, c)
		}
	}
	return cookies
}

// wantCookies checks the attributes of cookies, of which the one that lives longest
// lives so long.
func wantCookies(t *testing.T, cookies []*network.Cookie, secure bool, life time.Duration) {
	t.Helper()
	var longest time.Duration
	for _, c := range cookies {
		if got := strings.HasPrefix(c.Name, "__Host-"); got != secure {
			t.Errorf("got the cookie %s, want the prefix __Host-: %v", c.Name, secure)
		}
		if !c.HTTPOnly || c.Secure != secure || c.SameSite != network.CookieSameSiteLax {
			t.Errorf("%s: got HttpOnly %v, Secure %v, SameSite %q, want true, %v, Lax", c.Name, c.HTTPOnly, c.Secure, c.SameSite, secure)
		}
		if c.Domain != "localhost" || c.Path != "/" { // with a Domain attribute it would be .localhost
			t.Errorf("%s: got the domain %q and the path %q, want the host alone and /", c.Name, c.Domain, c.Path)
		}
		longest = max(longest, time.Until(time.Unix(int64(c.Expires), 0)))
	}
	if longest > life+2*time.Second || longest < life-time.Minute {
		t.Errorf("got a life of %v, want %v", longest, life)
	}
}

// sessionCookie returns the cookie of the session.
func (v *visit) sessionCookie() *network.Cookie {
	v.t.Helper()
	for _, c := range v.applicationCookies() {
		if strings.TrimPrefix(c.Name, "__Host-") == "agentconnect" {
			return c
		}
	}
	v.t.Fatal("got no session cookie")
	return nil
}

// startBehindTLS runs the program behind a reverse proxy that ends TLS, with a
// certificate that nobody signed, and puts its own idea of the host in Host.
func startBehindTLS(t *testing.T) *program {
	t.Helper()
	backend := &url.URL{Scheme: "http", Host: freeAddress(t)}
	proxy := httptest.NewTLSServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(backend) }})
	t.Cleanup(proxy.Close)
	origin := strings.Replace(proxy.URL, "127.0.0.1", "localhost", 1)
	return start(t, environment{
		"ADDR":                                  backend.Host,
		"AGENTCONNECT_REDIRECT_URL":             origin + "/callback",
		"AGENTCONNECT_POST_LOGOUT_REDIRECT_URL": origin + "/logout/callback",
	})
}

// testPlantedCookie plants cookies in a browser before the login.
func testPlantedCookie(t *testing.T, v *visit) {
	v.login("/agent", "karim")
	session := v.sessionCookie()

	invented := v.stranger()
	invented.SetCookie(v.url+"/", session.Name, strings.Repeat("A", len(session.Value)))
	invented.login("/agent", "marie")
	if got := invented.sessionCookie(); strings.HasPrefix(got.Value, "AAAA") {
		t.Error("got the planted cookie after the login, want another in its place")
	}

	// A session of somebody else ends when another agent logs in over it.
	lent := v.stranger()
	lent.SetCookie(v.url+"/", session.Name, session.Value)
	lent.wantPage(lent.open("/"), 200, "/", "Bonjour Karim Fictif")
	lent.wantProvider(lent.open("/login"))
	lent.wantPage(pick(lent.Tab, "marie", ""), 200, "/", "Bonjour Marie Louise Exemple")
	v.wantPage(v.open("/"), 200, "/", "Bienvenue")
}
