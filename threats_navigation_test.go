package agentconnect_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

const browserAccept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

// topLevel is the header of a person's navigation, changed: names and values in
// turn; an empty value takes the name away.
func topLevel(edit ...string) http.Header {
	h := http.Header{"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}, "Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-User": {"?1"}, "Accept": {browserAccept}, "User-Agent": {"Mozilla/5.0"}}
	for i := 0; i < len(edit); i += 2 {
		h.Del(edit[i])
		if edit[i+1] != "" {
			h.Set(edit[i], edit[i+1])
		}
	}
	return h
}

// notNavigations are requests that no person made, or that nobody sees the answer of.
func notNavigations() map[string]http.Header {
	cases := map[string]http.Header{
		"prefetch":                       topLevel("Sec-Purpose", "prefetch"),
		"prerender":                      topLevel("Sec-Purpose", "prefetch;prerender"),
		"prefetch by an old name":        topLevel("Purpose", "prefetch"),
		"Safari's preview":               topLevel("X-Purpose", "preview"),
		"Firefox's prefetch":             topLevel("X-Moz", "prefetch"),
		"Turbo's prefetch":               topLevel("X-Sec-Purpose", "prefetch"),
		"prefetch in capitals":           topLevel("Sec-Purpose", "PREFETCH"),
		"fetch":                          topLevel("Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"),
		"fetch without CORS":             topLevel("Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "empty"),
		"fetch of the same origin":       topLevel("Sec-Fetch-Mode", "same-origin", "Sec-Fetch-Dest", "empty"),
		"WebSocket":                      topLevel("Sec-Fetch-Mode", "websocket", "Sec-Fetch-Dest", "websocket"),
		"image of an old browser":        {"Accept": {"image/webp,image/*,*/*;q=0.8"}},
		"script of an old browser":       {"Accept": {"*/*"}},
		"JSON before HTML":               {"Accept": {"application/json, text/html;q=0.5"}},
		"JSON before HTML, navigating":   topLevel("Accept", "text/html;q=0.4, application/json;q=0.9"),
		"XMLHttpRequest, old browser":    {"Accept": {browserAccept}, "X-Requested-With": {"XMLHttpRequest"}},
		"XMLHttpRequest":                 topLevel("X-Requested-With", "XMLHttpRequest"),
		"an application's, old browser":  {"Accept": {browserAccept}, "X-Requested-With": {"com.example.app"}},
		"htmx":                           topLevel("Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "HX-Request", "true"),
		"htmx in an old browser":         {"Accept": {browserAccept}, "HX-Request": {"true"}},
		"problems before pages":          {"Accept": {"application/problem+json, text/html;q=0.9"}},
		"prefetch of an old browser":     {"Accept": {browserAccept}, "Purpose": {"prefetch"}},
		"second value of a header":       {"Accept": {browserAccept}, "Sec-Purpose": {"", "prefetch"}},
		"prefetch that accepts anything": {"Purpose": {"prefetch"}},
		"download":                       topLevel("Sec-Fetch-Dest", "empty", "Sec-Fetch-User", "", "Accept", ""),
		"download of anything":           topLevel("Sec-Fetch-Dest", "empty", "Sec-Fetch-User", "", "Accept", "*/*"),
		"prefetch by a service worker":   topLevel("Sec-Fetch-Dest", "empty", "Sec-Purpose", "prefetch"),
		"service worker's own fetch":     topLevel("Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Accept", "*/*"),
	}
	for _, dest := range []string{"iframe", "frame", "fencedframe", "object", "embed", "image", "script", "style", "audio", "worker"} {
		cases["to "+dest] = topLevel("Sec-Fetch-Dest", dest)
	}
	return cases
}

// navigationSite is an application on which every route that can start a login is.
func navigationSite(a *app) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", a.routes())
	mux.HandleFunc("/start", func(w http.ResponseWriter, r *http.Request) {
		a.auth.StartLogin(w, r, agentconnect.LoginOptions{ReturnTo: "/dossiers"})
	})
	mux.Handle("/accueil", a.auth.SilentLogin(http.HandlerFunc(serveAgent)))
	return mux
}

// Only a person's navigation starts a login, on every route that can; anything else
// changes nothing, and the login that a tab has under way ends as it should.
func TestThreatLoginThatNobodyAskedFor(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	site := a.serve(navigationSite(a))
	marie := a.sessionOf("marie")
	for name, header := range notNavigations() {
		t.Run(name, func(t *testing.T) {
			a := a.in(t)
			b := a.browser()
			callback := b.callback("/login?return_to=/dossiers/7", "karim")
			before := b.cookies()
			for _, route := range []struct{ method, path, session string }{
				{"GET", "/login?return_to=/dossiers", ""}, {"POST", "/login", ""}, {"GET", "/start", ""}, {"GET", "/accueil", ""}, {"GET", "/dossiers", ""}, {"GET", "/mfa-only", ""},
				{"GET", "/mfa-only", marie}, {"GET", "/login", marie},
			} {
				b.setCookie("agentconnect", route.session)
				asked := a.provider.Requests(agentconnecttest.Authorize)
				p := b.do(route.method, site+route.path, header, "")
				if len(p.Header["Set-Cookie"]) != 0 || p.location() != "" || a.provider.Requests(agentconnecttest.Authorize) != asked {
					t.Errorf("%s %s: got status %d to %q, cookies %q, want nothing started", route.method, route.path, p.StatusCode, p.location(), p.Header["Set-Cookie"])
				}
				if got := p.Header.Get("Cache-Control"); got != "no-store" {
					t.Errorf("%s %s: got Cache-Control %q, want no-store", route.method, route.path, got)
				}
				switch route.path {
				case "/accueil":
					if p.StatusCode != http.StatusOK {
						t.Errorf("the public page: got status %d, want it", p.StatusCode)
					}
				case "/dossiers", "/mfa-only":
					if p.problem() == "" || p.StatusCode != http.StatusUnauthorized && p.StatusCode != http.StatusForbidden {
						t.Errorf("%s: got status %d, %.200s, want a problem", route.path, p.StatusCode, p.body)
					}
				default:
					if p.problem() != "not_navigation" || p.StatusCode != http.StatusForbidden || !strings.Contains(p.body, `"login_url":"/login`) {
						t.Errorf("%s %s: got status %d, %.200s, want a problem that names the login", route.method, route.path, p.StatusCode, p.body)
					}
				}
			}
			after := b.cookies()
			delete(after, "agentconnect")
			if !maps.Equal(before, after) {
				t.Errorf("got cookies %v, want %v as before", after, before)
			}
			b.expectLogin(callback, "karim", "/dossiers/7")
		})
	}
}

// A person's navigation starts one, in a browser of today, in an old one, from
// another site, from the address bar, in a web view, through a service worker; so does a
// program that says nothing of what it takes.
func TestPersonsNavigations(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	for name, tt := range map[string]struct {
		header http.Header
		page   bool // on protected pages too
	}{
		"today":                       {topLevel(), true},
		"from another site":           {topLevel("Sec-Fetch-Site", "cross-site"), true},
		"from the address bar":        {topLevel("Sec-Fetch-Site", "none"), true},
		"old browser":                 {http.Header{"Accept": {browserAccept}}, true},
		"without Fetch-Dest":          {topLevel("Sec-Fetch-Dest", ""), true},
		"web view":                    {topLevel("X-Requested-With", "com.example.app"), true},
		"passed on by service worker": {topLevel("Sec-Fetch-Dest", "empty", "Sec-Fetch-User", ""), true},
		"nothing":                     {nil, false},
	} {
		for _, route := range []string{"GET /login", "POST /login", "GET /mfa-only"} {
			method, path, _ := strings.Cut(route, " ")
			p := a.browser().do(method, path, tt.header, "")
			want := path == "/login" || tt.page
			if got := strings.HasPrefix(p.location(), a.provider.Issuer+"/authorize?"); got != want {
				t.Errorf("%s, %s: got status %d to %q, want a login: %t", name, route, p.StatusCode, p.location(), want)
			}
		}
	}
}

// A script that logs out is told where to send its browser, so that the provider's
// session ends too; htmx is told in its own header.
func TestThreatLogoutByScript(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	for name, extra := range map[string][]string{
		"fetch": nil, "htmx": {"HX-Request", "true"}, "XMLHttpRequest": {"X-Requested-With", "XMLHttpRequest"},
	} {
		b := a.browser()
		b.login("/dossiers", "marie")
		header := topLevel(append([]string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Accept", "*/*", "Origin", a.url}, extra...)...)
		p := b.do("POST", "/logout", header, "")
		var answer struct {
			Location string `json:"location"`
		}
		if err := json.Unmarshal([]byte(p.body), &answer); err != nil || p.StatusCode != http.StatusOK || p.location() != "" || p.Header.Get("Content-Type") != "application/json" || p.Header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%s: got status %d to %q, %s, %v, want a JSON object", name, p.StatusCode, p.location(), p.body, err)
		}
		if got, want := p.Header.Get("HX-Redirect"), map[bool]string{true: answer.Location}[name == "htmx"]; got != want {
			t.Errorf("%s: got HX-Redirect %q, want %q", name, got, want)
		}
		if got := b.sub(); got != "" || !strings.HasPrefix(answer.Location, a.provider.Issuer+"/session/end?id_token_hint=") {
			t.Errorf("%s: got agent %q, location %q, want nobody, the provider's end of session", name, got, answer.Location)
		}
		if end := b.navigate(b.navigate(answer.Location).location()); end.location() != "/" {
			t.Errorf("%s: back from the provider: got %q, want /", name, end.location())
		}
		if p := b.do("POST", "/logout", header, ""); p.StatusCode != http.StatusOK || !strings.Contains(p.body, `"location":"/"`) {
			t.Errorf("%s, again: got status %d, %s, want home", name, p.StatusCode, p.body)
		}
	}
	// Another site's script is refused before anything happens.
	b := a.loggedIn("marie")
	b.refusedProblem("cross_origin", func() page {
		return b.do("POST", "/logout", http.Header{"Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://attacker.example"}}, "")
	})
}

// refusedProblem checks that a script is refused with a problem, and that who is
// logged in stays so.
func (b *browser) refusedProblem(code agentconnect.Code, request func() page) {
	b.t.Helper()
	sub := b.sub()
	p := request()
	if p.problem() != string(code) || p.StatusCode != statuses()[code] || len(p.Header["Set-Cookie"]) != 0 {
		b.t.Errorf("got status %d, %.300s, want the problem %s", p.StatusCode, p.body, code)
	}
	if got := b.sub(); got != sub {
		b.t.Errorf("got agent %q, want %q still", got, sub)
	}
}

// htmx is sent to the login by its own header, to come back to the page that it is
// on, or to the one that it opens in place of a navigation.
func TestHTMX(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	for _, tt := range []struct {
		path, boosted string
		session       bool
		status        int
		login         string
	}{
		{"/dossiers/7", "", false, 401, "/login?return_to=%2Fdossiers"},
		{"/dossiers/7", "true", false, 401, "/login?return_to=%2Fdossiers%2F7"},
		{"/login", "", false, 403, "/login"},
		{"/mfa-only", "true", true, 403, "/login?request="},
		{"/agents-publics", "true", true, 403, ""},
	} {
		b := a.browser()
		if tt.session {
			b = a.loggedIn("karim")
		}
		p := b.do("GET", tt.path, http.Header{"HX-Request": {"true"}, "HX-Boosted": {tt.boosted}, "Sec-Fetch-Mode": {"cors"}, "Accept": {"text/html, */*"}, "Referer": {a.url + "/dossiers"}}, "")
		got := p.Header.Get("HX-Redirect")
		if p.StatusCode != tt.status || got != tt.login && !(strings.HasSuffix(tt.login, "=") && strings.HasPrefix(got, tt.login)) || (tt.login == "") != (got == "") {
			t.Errorf("%s, boosted %q: got status %d, HX-Redirect %q, want %d, %q", tt.path, tt.boosted, p.StatusCode, got, tt.status, tt.login)
		}
		if got != "" {
			authorizeParams(t, a, b.navigate(got))
		}
	}
}

// Our handlers accept the forms of our pages: a browser without Fetch Metadata sends
// the origin of such a page, not null, which any site can send.
func TestThreatOriginOfOurForms(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.loggedIn("marie")
	if p := b.navigate("/logout"); p.Header.Get("Referrer-Policy") != "strict-origin" {
		t.Errorf("the page with the logout form: got Referrer-Policy %q, want strict-origin", p.Header.Get("Referrer-Policy"))
	}
	b.refused(refusal{code: "cross_origin"}, func() page {
		return b.do("POST", "/logout", http.Header{"Accept": {browserAccept}, "Origin": {"null"}}, "")
	})
	if p := b.do("POST", "/logout", http.Header{"Accept": {browserAccept}, "Origin": {a.url}}, ""); !strings.HasPrefix(p.location(), a.provider.Issuer) {
		t.Errorf("with our origin: got status %d to %q, want a logout", p.StatusCode, p.location())
	}
}

// Every 503 says when to try again.
func TestThreatRetryAfter(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.loggedIn("marie")
	session := b.cookies()["agentconnect"]
	a.provider.Stop()
	away := a.another()
	for name, request := range map[string]func() page{
		"the store is down, page":  func() page { a.store.setFailure(http.ErrServerClosed); return b.navigate("/dossiers") },
		"the store is down, fetch": func() page { a.store.setFailure(http.ErrServerClosed); return b.fetch("/dossiers") },
		"the store is down, logout": func() page {
			a.store.setFailure(http.ErrServerClosed)
			return b.post("/logout", nil)
		},
		"the provider is away": func() page { a.store.setFailure(nil); return b.navigate(away.url + "/login") },
	} {
		b.setCookie("agentconnect", session)
		if p := request(); p.StatusCode != http.StatusServiceUnavailable || p.Header.Get("Retry-After") == "" {
			t.Errorf("%s: got status %d, Retry-After %q, want 503 and a time", name, p.StatusCode, p.Header.Get("Retry-After"))
		}
	}
}
