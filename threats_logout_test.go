package agentconnect_test

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2/memstore"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

// Another site cannot log an agent out: neither with an image or a link, nor
// with a form.
func TestThreatForeignLogout(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	session := a.sessionOf("marie")
	own, foreign := a.url, "https://attacker.example"
	for _, tt := range []struct {
		name   string
		method string
		header http.Header
		logout bool
		code   agentconnect.Code
	}{
		{"our form", "POST", http.Header{"Sec-Fetch-Site": {"same-origin"}, "Origin": {own}}, true, ""},
		{"our form, in a browser without Fetch Metadata", "POST", http.Header{"Origin": {own}}, true, ""},
		{"a program of the agent's", "POST", nil, true, ""},
		{"the address bar", "POST", http.Header{"Sec-Fetch-Site": {"none"}}, true, ""},
		{"image", "GET", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"no-cors"}, "Sec-Fetch-Dest": {"image"}}, false, ""},
		{"link", "GET", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"navigate"}}, false, ""},
		{"our own link", "GET", http.Header{"Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Mode": {"navigate"}}, false, ""},
		{"HEAD", "HEAD", http.Header{"Sec-Fetch-Site": {"same-origin"}}, false, ""},
		{"form of another site", "POST", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"navigate"}, "Origin": {foreign}}, false, "cross_origin"},
		{"form of another site, in a browser without Fetch Metadata", "POST", http.Header{"Accept": {"text/html"}, "Origin": {foreign}}, false, "cross_origin"},
		{"form of a neighbour", "POST", http.Header{"Sec-Fetch-Site": {"same-site"}, "Sec-Fetch-Mode": {"navigate"}, "Origin": {"https://other.gouv.fr"}}, false, "cross_origin"},
		{"sandboxed form", "POST", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"navigate"}, "Origin": {"null"}}, false, "cross_origin"},
		{"another scheme", "POST", http.Header{"Accept": {"text/html"}, "Origin": {"https" + strings.TrimPrefix(own, "http") + "0"}}, false, "cross_origin"},
		{"PUT", "PUT", http.Header{"Sec-Fetch-Mode": {"navigate"}}, false, "method_not_allowed"},
		{"DELETE", "DELETE", http.Header{"Sec-Fetch-Mode": {"navigate"}}, false, "method_not_allowed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := a.in(t)
			b := a.browser()
			if tt.logout {
				b.login("/dossiers", "marie")
			} else {
				b.setCookie("agentconnect", session)
			}
			request := func() page { return b.do(tt.method, "/logout", tt.header, "") }
			switch {
			case tt.code != "":
				b.refused(refusal{code: tt.code}, request)
			case tt.logout:
				if p := request(); !strings.HasPrefix(p.location(), a.provider.Issuer+"/session/end?") || b.sub() != "" {
					t.Errorf("got status %d to %q, want a logout", p.StatusCode, p.location())
				}
			default:
				p := request()
				if p.StatusCode != http.StatusOK || b.sub() != a.agentSub("marie") || len(p.Header.Values("Set-Cookie")) != 0 {
					t.Errorf("got status %d, want a page that asks, and nothing ended", p.StatusCode)
				}
				checkPageHeaders(t, p)
				if tt.method == "GET" && !strings.Contains(p.body, `<form method="post" action="/logout">`) {
					t.Errorf("the page has no form that logs out: %s", p.body)
				}
			}
		})
	}
}

// The local session ends first, whatever the provider does.
func TestThreatLogoutLocalFirst(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		before  func(a *app) // before the application knows the provider
		during  func(a *app) *app
		atHome  bool
		through bool
	}{
		{"the provider works", func(*app) {}, func(a *app) *app { return a }, false, true},
		{"the provider is away", func(*app) {}, func(a *app) *app { a.provider.Stop(); return a }, false, false},
		{"no end_session_endpoint", func(a *app) { a.provider.Inject(agentconnecttest.Fault("discovery-missing-end-session")) }, func(a *app) *app { return a }, true, false},
		{"an instance that never reached the provider", func(*app) {}, func(a *app) *app { a.provider.Stop(); return a.another() }, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t)
			tt.before(a)
			b := a.browser()
			b.login("/dossiers", "marie")
			old := b.cookies()
			b.app = tt.during(a)
			p := b.post("/logout", nil)
			if tt.atHome != (p.location() == "/") || tt.atHome == strings.HasPrefix(p.location(), a.provider.Issuer) {
				t.Errorf("got status %d to %q, want home: %t", p.StatusCode, p.location(), tt.atHome)
			}
			if n := a.store.sessions(t); n != 0 {
				t.Errorf("sessions: got %d, want 0", n)
			}
			if got := a.browserWith(old).sub(); got != "" {
				t.Errorf("with the old cookie: got agent %q, want none", got)
			}
			if tt.through {
				back := b.navigate(p.location())
				if end := b.navigate(back.location()); end.location() != "/" {
					t.Errorf("back from the provider: got %q, want /", end.location())
				}
				if got := slices.Collect(maps.Keys(b.cookies())); len(got) != 0 {
					t.Errorf("cookies after the logout: got %v, want none", got)
				}
			}
		})
	}
}

// Without a session, the logout is a no-op that goes home; twice as well.
func TestThreatLogoutOfNobody(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	logged := a.logs.String()
	if p := b.post("/logout", nil); p.StatusCode != http.StatusSeeOther || p.location() != "/" {
		t.Errorf("a stranger's: got status %d to %q, want 303 to /", p.StatusCode, p.location())
	}
	if _, _, deletes := a.store.counts(); deletes != 0 || a.logs.String() != logged {
		t.Errorf("a stranger's logout: got %d deletions, log %q, want none", deletes, a.logs.String())
	}
	b.login("/dossiers", "marie")
	b.post("/logout", nil)
	if p := b.post("/logout", nil); p.StatusCode != http.StatusSeeOther || p.location() != "/" {
		t.Errorf("the second: got status %d to %q, want 303 to /", p.StatusCode, p.location())
	}
}

// A session that is over ends at the provider all the same, which may still know
// the agent: on a shared computer the next person would be logged in.
func TestThreatLogoutOfExpiredSession(t *testing.T) {
	t.Parallel()
	a := newApp(t, agentconnect.WithIdleTimeout(10*time.Minute))
	b := a.browser()
	b.login("/dossiers", "marie")
	a.clock.advance(11 * time.Minute)
	if p := b.post("/logout", nil); !strings.HasPrefix(p.location(), a.provider.Issuer+"/session/end?id_token_hint=") {
		t.Errorf("got status %d to %q, want the provider's end of session", p.StatusCode, p.location())
	}
	if n := a.store.sessions(t); n != 0 {
		t.Errorf("sessions: got %d, want 0", n)
	}
}

// A double click sends two logouts with the same cookies, and the browser follows the
// second answer: both lead to the provider. So does a session that the store has lost.
func TestThreatLogoutTwice(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]func(a *app, b *browser){
		"a double click": func(a *app, b *browser) { a.browserWith(b.cookies()).post("/logout", nil) },
		"a lost session": func(a *app, b *browser) { a.store.MemStore = memstore.NewWithCleanupInterval(0) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t)
			b := a.loggedIn("marie")
			first(a, b)
			p := b.post("/logout", nil)
			if !strings.HasPrefix(p.location(), a.provider.Issuer+"/session/end?") {
				t.Fatalf("got status %d to %q, want the provider's end of session", p.StatusCode, p.location())
			}
			if end := b.navigate(b.navigate(p.location()).location()); end.location() != "/" {
				t.Errorf("back from the provider: got %q, want /", end.location())
			}
			if p := b.navigate(b.navigate("/login").location()); strings.Contains(p.location(), "code=") {
				t.Errorf("the provider still knows the agent: got %q", p.location())
			}
			if got := b.cookies(); got["agentconnect"] != "" {
				t.Errorf("got the cookies %v, want no session", got)
			}
		})
	}
}

// No ID token: client_id, and the exact post_logout_redirect_uri.
func TestThreatLogoutWithoutIDToken(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.loggedIn("marie")
	records, err := a.store.All()
	if err != nil {
		t.Fatal(err)
	}
	for key, record := range records {
		decoded, err := agentconnect.DecodeSessionRecord(record)
		if err != nil {
			t.Fatal(err)
		}
		decoded.IDToken = ""
		if err := a.store.MemStore.Commit(key, decoded.Encode(), time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	u, err := url.Parse(b.post("/logout", nil).location())
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	if query.Has("id_token_hint") || query.Get("client_id") != a.provider.Client.ID || query.Get("post_logout_redirect_uri") != a.url+"/logout/callback" || len(query.Get("state")) < 32 {
		t.Errorf("got parameters %v, want client_id, the registered URI, a state, no id_token_hint", query)
	}
}

// On the way back a wrong or missing state changes nothing and is not an error
// page; an agent who logged in meanwhile stays logged in.
func TestThreatLogoutCallback(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	for _, tt := range []struct {
		name  string
		query func(state string) string
		ends  bool
	}{
		{"right state", func(s string) string { return "?state=" + s }, true},
		{"no state", func(string) string { return "" }, false},
		{"empty state", func(string) string { return "?state=" }, false},
		{"wrong state", func(string) string { return "?state=a-state-that-nobody-started-0123456789012345" }, false},
		{"enormous state", func(string) string { return "?state=" + strings.Repeat("x", 40_000) }, false},
		{"malformed", func(string) string { return "?state=%zz" }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := a.in(t)
			b := a.browser()
			b.login("/dossiers", "marie")
			out, err := url.Parse(b.post("/logout", nil).location())
			if err != nil {
				t.Fatal(err)
			}
			session := a.sessionOf("karim") // who logs in before the logout came back
			b.setCookie("agentconnect", session)
			p := b.navigate("/logout/callback" + tt.query(out.Query().Get("state")))
			if p.StatusCode != http.StatusSeeOther || p.location() != "/" || p.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("got status %d to %q, want 303 to /", p.StatusCode, p.location())
			}
			if got := b.cookies()["agentconnect-logout"] == ""; got != tt.ends {
				t.Errorf("the logout is over: got %t, want %t", got, tt.ends)
			}
			if got := b.sub(); got != a.agentSub("karim") {
				t.Errorf("got agent %q, want karim untouched", got)
			}
			for _, method := range []string{"POST", "DELETE"} {
				b.refused(refusal{code: "method_not_allowed"}, func() page {
					return b.do(method, "/logout/callback", http.Header{"Sec-Fetch-Mode": {"navigate"}}, "")
				})
			}
		})
	}
	// A browser that logged nobody out has nothing to forget.
	b := a.silentBrowser()
	b.navigate("/")
	b.navigate("/") // a silent try
	if p := b.navigate("/"); p.body != "public" {
		t.Errorf("a second silent try: got %q to %q, want the public page", p.body, p.location())
	}
	for _, query := range []string{"", "?state=", "?state=x"} {
		if p := b.navigate("/logout/callback" + query); len(p.Header.Values("Set-Cookie")) != 0 {
			t.Errorf("%q without a logout: got cookies %q, want none", query, p.Header.Values("Set-Cookie"))
		}
	}
	for _, fault := range []agentconnecttest.Fault{agentconnecttest.Fault("logout-wrong-state"), agentconnecttest.Fault("logout-missing-state"), agentconnecttest.Fault("logout-repeated-state")} {
		t.Run(string(fault), func(t *testing.T) {
			a := a.in(t)
			a.provider.Inject(fault)
			defer a.provider.Clear()
			b := a.browser()
			b.login("/dossiers", "marie")
			back := b.navigate(b.post("/logout", nil).location())
			if p := b.navigate(back.location()); p.StatusCode != http.StatusSeeOther || p.location() != "/" {
				t.Errorf("got status %d to %q, want 303 to /", p.StatusCode, p.location())
			}
		})
	}
}

// silentBrowser returns a browser of public pages with silent login, and of the
// two routes of the logout.
func (a *app) silentBrowser() *browser {
	a.t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/logout", a.auth.Logout)
	mux.HandleFunc("/logout/callback", a.auth.LogoutCallback)
	mux.Handle("/", a.auth.SilentLogin(http.HandlerFunc(serveAgent)))
	return a.browserOf(mux)
}

// After a logout that did not come back from the provider, which may still know
// the agent, no public page logs them in again.
func TestThreatNoSilentLoginAfterLogout(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.silentBrowser()
	b.setCookie("agentconnect", a.sessionOf("marie"))
	b.setCookie("agentconnect-silent", "0") // it can be tried
	if p := b.post("/logout", nil); !strings.HasPrefix(p.location(), a.provider.Issuer) {
		t.Fatalf("logout: got status %d to %q, want the provider", p.StatusCode, p.location())
	}
	if p := b.navigate("/"); p.body != "public" {
		t.Errorf("got %q to %q, want the public page", p.body, p.location())
	}
	// Nor is an agent whose session ended here, with its cookie still there.
	other := a.silentBrowser()
	other.setCookie("agentconnect", strings.Repeat("A", 43))
	other.setCookie("agentconnect-silent", "0")
	if p := other.navigate("/"); p.body != "public" {
		t.Errorf("with the cookie of a session that is over: got %q to %q, want the public page", p.body, p.location())
	}
}

// A logout that began on an instance of one stem comes back to one of the other; and
// a login takes the cookies of the session under the other stem away.
func TestThreatLogoutAcrossStems(t *testing.T) {
	t.Parallel()
	idle := agentconnect.WithIdleTimeout(time.Hour)
	a := newApp(t, idle)
	next := a.another(idle, agentconnect.WithCookieName("next"), agentconnect.WithOtherCookieNames("agentconnect"))
	b := a.browser()
	b.login("/dossiers", "marie")
	p := b.post("/logout", url.Values{"login": {"/login?return_to=%2Fdossiers"}})
	end, err := url.Parse(p.location())
	if err != nil {
		t.Fatal(err)
	}
	b.app = next
	back := "/logout/callback?state=" + end.Query().Get("state")
	if p := b.navigate(back); p.location() != "/login?return_to=%2Fdossiers" || b.cookies()["agentconnect-logout"] != "" {
		t.Errorf("got status %d to %q, cookies %v, want the login, and the cookie of the logout gone", p.StatusCode, p.location(), b.cookies())
	}
	if p := b.navigate(back); p.location() != "/" {
		t.Errorf("again: got status %d to %q, want home", p.StatusCode, p.location())
	}

	b.app = a
	b.login("/dossiers", "marie")
	b.app = next
	b.navigate("/callback?" + b.callback("/login", "").RawQuery)
	cookies := b.cookies()
	if cookies["agentconnect"] != "" || cookies["agentconnect-seen"] != "" || cookies["next"] == "" {
		t.Errorf("got the cookies %v, want those of the new stem alone", cookies)
	}
	if got := b.sub(); got != a.agentSub("marie") {
		t.Errorf("got agent %q, want marie", got)
	}
}
