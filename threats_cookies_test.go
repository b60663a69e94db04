package agentconnect_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/agentconnect-go/agentconnect"
)

// nearlyNamed returns cookies, as they stand in a Cookie header, whose names are
// not name but could be taken for it: with white space of every kind around it, with
// control characters, quotes and others, in other case. Browsers let any neighbour
// set most of them, since they have no __Host- prefix.
func nearlyNamed(name, value string) []string {
	var odd []string
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if unicode.IsSpace(r) && r != ' ' && r != '\t' && r != '\n' && r != '\r' || unicode.Is(unicode.Cf, r) && r < 0x3000 {
			odd = append(odd, string(r))
		}
	}
	for _, b := range []byte("\x00\x01\x08\x0b\x0c\x1b\x1f\x7f\x80\x85\xa0\xad\xfe\xff\"'(),/:<>?@[\\]{}.-_+*") {
		odd = append(odd, string([]byte{b}))
	}
	cookies := []string{strings.ToUpper(name) + "=" + value, strings.ToLower(name) + "x=" + value, name + "-=" + value, name + ":" + value, "__Secure-agentconnect=" + value, "=" + value}
	for _, o := range odd {
		cookies = append(cookies, o+name+"="+value, name+o+"="+value, o+name+o+"="+value, name[:4]+o+name[4:]+"="+value, "a=b; "+o+" "+name+"="+value, "a="+o+name+"="+value)
	}
	return cookies
}

// A cookie whose name is nearly that of the session is nobody's: neither a session
// in it logs a browser in, nor does it take the browser's own session away.
func TestThreatNearlyNamedCookies(t *testing.T) {
	t.Parallel()
	auth := fuzzAuth(t, agentconnect.WithClock(time.Now))
	const name = "__Host-agentconnect"
	get := func(handler http.Handler, method, cookie string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/dossiers", nil)
		r.Header["Cookie"] = []string{cookie}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w
	}
	protected := auth.RequireAgent(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		agent, _ := agentconnect.AgentFrom(r.Context())
		io.WriteString(w, agent.Sub)
	}))
	planted := agentconnect.NewSession(t, auth, "attacker")
	own := agentconnect.NewSession(t, auth, "victim")
	for _, cookie := range nearlyNamed(name, planted) {
		if w := get(protected, "GET", cookie); w.Code != http.StatusUnauthorized {
			t.Errorf("%q: got status %d, agent %q, want a stranger", cookie, w.Code, w.Body)
		}
		for _, both := range []string{cookie + "; " + name + "=" + own, name + "=" + own + "; " + cookie} {
			if w := get(protected, "GET", both); w.Body.String() != "victim" {
				t.Errorf("%q: got status %d, agent %q, want the victim", both, w.Code, w.Body)
			}
		}
	}
	for _, cookie := range nearlyNamed(name, planted)[:50] {
		own := agentconnect.NewSession(t, auth, "victim")
		get(http.HandlerFunc(auth.Logout), "POST", cookie+"; "+name+"="+own)
		if w := get(protected, "GET", name+"="+own); w.Code != http.StatusUnauthorized {
			t.Errorf("%q: after the logout: got agent %q, want a stranger", cookie, w.Body)
		}
	}
}

// A logout and a new login end every session whose token the browser presents,
// though with two it is a stranger everywhere else.
func TestThreatTwoSessionCookies(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		end  func(b *browser, cookies string) page
	}{
		{"logout", func(b *browser, cookies string) page {
			return b.do("POST", "/logout", http.Header{"Cookie": {cookies}, "Sec-Fetch-Mode": {"navigate"}}, "")
		}},
		{"login", func(b *browser, cookies string) page {
			start := b.do("GET", "/login", http.Header{"Cookie": {cookies}, "Sec-Fetch-Mode": {"navigate"}}, "")
			callback := b.app.browser().callbackOf(start.location(), "karim")
			for _, c := range start.Cookies() {
				cookies += "; " + c.Name + "=" + c.Value
			}
			return b.do("GET", callback.String(), http.Header{"Cookie": {cookies}, "Sec-Fetch-Mode": {"navigate"}}, "")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t)
			first, second := a.sessionOf("marie"), a.sessionOf("karim")
			b := a.browser()
			both := "agentconnect=" + first + "; agentconnect=" + second
			if p := b.do("GET", "/dossiers", http.Header{"Cookie": {both}}, ""); p.StatusCode != http.StatusUnauthorized {
				t.Errorf("with two sessions: got status %d, want a stranger", p.StatusCode)
			}
			b.client.Jar = nil
			if p := tt.end(b, both); p.StatusCode != http.StatusSeeOther {
				t.Fatalf("got status %d, %.300s, want 303", p.StatusCode, p.body)
			}
			for _, token := range []string{first, second} {
				if got := a.browserWith(map[string]string{"agentconnect": token}).sub(); got != "" {
					t.Errorf("got agent %q with a token that the browser presented, want none", got)
				}
			}
		})
	}
}

// Two tabs log in at once, and the second replaces the session of the first. Until the
// second answer arrives, the first tab still sends the old cookie: it logs in again, and
// no page says that the session is lost.
func TestThreatSessionReplacedByAnotherTab(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	for _, instance := range []*app{a, a.another()} {
		b := a.browser()
		first, second := b.callback("/login?return_to=/dossiers/7", "marie"), b.callback("/login?return_to=/dossiers/8", "marie")
		if p := b.navigate(first.String()); p.location() != "/dossiers/7" {
			t.Fatalf("the first tab: got status %d to %q, want its page", p.StatusCode, p.location())
		}
		before := b.cookies()
		if p := b.navigate(second.String()); p.location() != "/dossiers/8" {
			t.Fatalf("the second tab: got status %d to %q, want its page", p.StatusCode, p.location())
		}
		after := b.cookies()
		for _, name := range []string{"agentconnect", "agentconnect-fresh"} {
			b.setCookie(name, before[name])
		}
		if p := b.do("GET", instance.url+"/dossiers/7", topLevel(), ""); p.StatusCode != http.StatusSeeOther || p.location() != "/login?return_to=%2Fdossiers%2F7" {
			t.Errorf("the old cookie: got status %d to %q, want a new login", p.StatusCode, p.location())
		}
		if b.sub() != "" {
			t.Error("the old cookie: got an agent, want none")
		}
		for _, name := range []string{"agentconnect", "agentconnect-fresh"} {
			b.setCookie(name, after[name])
		}
		if got := b.sub(); got == "" {
			t.Error("the new cookie: got no agent")
		}
	}
}

// Only a new session is remembered when it is replaced: the tabs of the browser have
// learned of an older one long ago.
func TestReplacedSessionThatIsNotNew(t *testing.T) {
	t.Parallel()
	for after, want := range map[time.Duration]int{0: 2, 2 * time.Minute: 1} {
		a := newApp(t)
		b := a.browser()
		b.login("/dossiers", "marie")
		a.clock.advance(after)
		b.navigate(b.callback("/login", "marie").String())
		if records, err := a.store.MemStore.All(); err != nil || len(records) != want {
			t.Errorf("after %v: got %d records, %v, want %d", after, len(records), err, want)
		}
	}
}

// A session that a browser was just given and that is gone at the next hop ends on
// one page, with the likely cause in the log, and not in a loop; the next login
// works once the cause is mended.
func TestThreatSessionGoneAtTheNextHop(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		opts  []agentconnect.Option
		lose  func(a *app, b *browser) // between the callback and the next hop
		cause string
	}{
		{"the store lost it", nil, func(a *app, _ *browser) {
			records, _ := a.store.All()
			for key := range records {
				a.store.MemStore.Delete(key)
			}
		}, "is the store shared"},
		{"the clocks disagree", nil, func(a *app, _ *browser) { a.clock.advance(-2 * time.Minute) }, "do the clocks agree"},
		{"the cookie is lost", nil, func(_ *app, b *browser) { b.setCookie("agentconnect", "") }, "does a proxy drop"},
		{"a second cookie of that name", nil, func(a *app, b *browser) {
			u, _ := url.Parse(a.url + "/dossiers")
			b.client.Jar.SetCookies(u, []*http.Cookie{{Name: "agentconnect", Value: "planted", Path: "/dossiers"}})
		}, "another application on this host"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, tt.opts...)
			b := a.browser()
			callback := b.callback("/login?return_to=/dossiers/7", "marie")
			if p := b.navigate(callback.String()); p.location() != "/dossiers/7" {
				t.Fatalf("callback: got status %d to %q, want the page", p.StatusCode, p.location())
			}
			tt.lose(a, b)
			p := b.navigate("/dossiers/7")
			id := b.checkErrorPage(p, refusal{code: "session_lost", again: "/login?return_to=%2Fdossiers%2F7"})
			if !strings.Contains(a.logs.String(), tt.cause) || !strings.Contains(a.logs.String(), `"level":"ERROR"`) || id == "" {
				t.Errorf("got the log %s, want an error that names the cause %q", a.logs, tt.cause)
			}
			if p := b.navigate("/dossiers/7"); p.StatusCode != http.StatusSeeOther {
				t.Errorf("again: got status %d, want a login: the page is shown once", p.StatusCode)
			}
			if p := b.fetch("/dossiers"); p.StatusCode != http.StatusUnauthorized {
				t.Errorf("a script: got status %d, want 401", p.StatusCode)
			}
		})
	}
	t.Run("a logout is none", func(t *testing.T) {
		t.Parallel()
		a := newApp(t)
		b := a.browser()
		b.login("/dossiers", "marie")
		b.post("/logout", nil)
		if p := b.navigate("/dossiers"); p.location() != "/login?return_to=%2Fdossiers" {
			t.Errorf("after a logout: got status %d to %q, want the login", p.StatusCode, p.location())
		}
	})
	t.Run("a minute later it is a stranger's request", func(t *testing.T) {
		t.Parallel()
		a := newApp(t, agentconnect.WithSessionLifetime(time.Minute))
		b := a.browser()
		b.login("/dossiers", "marie")
		a.clock.advance(time.Minute)
		if p := b.navigate("/dossiers"); p.location() != "/login?return_to=%2Fdossiers" {
			t.Errorf("got status %d to %q, want the login", p.StatusCode, p.location())
		}
	})
	t.Run("the cookie of another browser", func(t *testing.T) {
		t.Parallel()
		a := newApp(t)
		b := a.browser()
		b.login("/dossiers", "marie")
		fresh := b.cookies()["agentconnect-fresh"]
		other := a.browser()
		for _, value := range []string{"", "x", strings.Repeat("A", 80), flipped(fresh, 10)} {
			other.setCookie("agentconnect-fresh", value)
			if p := other.navigate("/dossiers"); p.location() != "/login?return_to=%2Fdossiers" {
				t.Errorf("%q: got status %d to %q, want the login", value, p.StatusCode, p.location())
			}
		}
	})
}

// The cookies that a session's route reads cost little, however many there are.
func TestOwnCookiesAreBounded(t *testing.T) {
	t.Parallel()
	auth := fuzzAuth(t, agentconnect.WithClock(time.Now))
	token := agentconnect.NewSession(t, auth, fuzzSub)
	reached := 0
	protected := auth.RequireAgent(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ }))
	for n, want := range map[int]int{40: 1, 5000: 0} {
		r := httptest.NewRequest(http.MethodGet, "/dossiers", nil)
		var header []string
		for i := range n {
			header = append(header, fmt.Sprintf("__Host-agentconnect-x%d=A", i))
		}
		header = slices.Insert(header, n/2, "__Host-agentconnect="+token)
		r.Header.Set("Cookie", strings.Join(header, "; "))
		reached = 0
		protected.ServeHTTP(httptest.NewRecorder(), r)
		if reached != want {
			t.Errorf("%d cookies that begin alike: got in %d times, want %d", n, reached, want)
		}
	}
}

// loginCookie returns the name and the value of the cookie of the one login that
// the browser has under way.
func (b *browser) loginCookie() (name, value string) {
	b.t.Helper()
	found := 0
	for n, v := range b.cookies() {
		if strings.HasPrefix(n, "agentconnect-login-") {
			name, value = n, v
			found++
		}
	}
	if found != 1 {
		b.t.Fatalf("got %d logins under way, want 1", found)
	}
	return name, value
}

// A reverse proxy behind RequireAgent passes on none of our cookies, however they
// are spelled, and all others.
func TestThreatCookiesAreNotPassedOn(t *testing.T) {
	t.Parallel()
	var passedOn string
	upstream := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		passedOn = strings.Join(r.Header["Cookie"], "; ")
	}))
	t.Cleanup(upstream.Close)
	to, err := url.Parse(upstream.URL)
	if err != nil {
		t.Fatal(err)
	}
	a := newApp(t, agentconnect.WithIdleTimeout(time.Hour))
	proxy := &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
		p.SetURL(to)
		a.auth.StripCookies(p.Out)
	}}
	site := a.serve(a.auth.RequireAgent(proxy))
	b := a.browser()
	b.login("/dossiers", "marie")
	b.callback("/login?return_to=/"+strings.Repeat("x", 500), "")
	b.setCookie("agentconnect-silent", "0")
	b.setCookie("agentconnect-logout", "x")
	b.setCookie("agentconnect-idle", "1")
	b.setCookie("theme", "dark")
	b.setCookie("agentconnect-other", "theirs")
	if got := len(b.cookies()); got < 9 {
		t.Fatalf("got cookies %v, want all of ours and two of others", b.cookies())
	}
	session := b.cookies()["agentconnect"]
	if p := b.fetch(site + "/x"); p.StatusCode != http.StatusOK {
		t.Fatalf("got status %d, want the upstream's answer", p.StatusCode)
	}
	got := strings.Split(passedOn, "; ")
	slices.Sort(got)
	if want := []string{"agentconnect-other=theirs", "theme=dark"}; !slices.Equal(got, want) {
		t.Errorf("got %q passed on, want %q", got, want)
	}
	for _, cookie := range append(nearlyNamed("agentconnect", session), "agentconnect="+session) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Cookie"] = []string{"a=b; " + cookie, cookie}
		a.auth.StripCookies(r)
		for _, c := range r.CookiesNamed("agentconnect") {
			t.Errorf("%q: got %v passed on", cookie, c)
		}
		if c, err := r.Cookie("a"); err != nil || c.Value == "" {
			t.Errorf("%q: the application's cookie is gone", cookie)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header["Cookie"] = []string{"\u2000agentconnect=" + session + "; AgentConnect=" + session + ";agentconnect =x"}
	a.auth.StripCookies(r)
	if got := r.Header.Get("Cookie"); got != "" {
		t.Errorf("got %q passed on, want nothing", got)
	}
}

// A session that was just given and whose record cannot be read is not lost: a login
// replaces it. Only when that one gives such a record again is there a page, and no
// loop.
func TestThreatUnreadableNewSession(t *testing.T) {
	t.Parallel()
	key, otherKey := []byte(strings.Repeat("k", 32)), []byte(strings.Repeat("o", 32))
	rewritten := func(change func([]byte) []byte) func(*app) *app {
		return func(a *app) *app {
			records, _ := a.store.All()
			for key, record := range records {
				a.store.MemStore.Commit(key, change(slices.Clone(record)), time.Now().Add(time.Hour))
			}
			return a
		}
	}
	for _, tt := range []struct {
		name string
		opts []agentconnect.Option
		next func(*app) *app // the instance of the next hop
		ends bool            // on a page, when it happens twice
	}{
		{"another version", nil, rewritten(func(b []byte) []byte { b[0]++; return b }), true},
		{"garbage", nil, rewritten(func([]byte) []byte { return []byte("session") }), true},
		{"nothing in it", nil, rewritten(func([]byte) []byte { return nil }), true},
		{"no key of the seal", []agentconnect.Option{agentconnect.WithSealedSessions(key)}, func(a *app) *app {
			return a.another(agentconnect.WithSealedSessions(otherKey))
		}, true},
		{"another Authenticator", nil, func(a *app) *app {
			return a.another(agentconnect.WithRedirectURL(a.public+"/second/callback"), agentconnect.WithLoginPath("/login"))
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, tt.opts...)
			b := a.browser()
			login := func() {
				t.Helper()
				b.app = a
				callback := b.callback("/login?return_to=/dossiers/7", "marie")
				if p := b.navigate(callback.String()); p.location() != "/dossiers/7" {
					t.Fatalf("callback: got status %d to %q, want the page", p.StatusCode, p.location())
				}
			}
			login()
			b.app = tt.next(a)
			for _, method := range []string{"HEAD", "GET", "GET"} { // twice: the agent goes back
				p := b.do(method, "/dossiers/7", http.Header{"Sec-Fetch-Mode": {"navigate"}}, "")
				if p.location() != "/login?return_to=%2Fdossiers%2F7" {
					t.Fatalf("%s after a login: got status %d to %q, want the login", method, p.StatusCode, p.location())
				}
			}
			if tt.ends { // the record goes while the login is under way: nothing was lost
				records, _ := a.store.All()
				for key := range records {
					a.store.MemStore.Delete(key)
				}
				if p := b.navigate("/dossiers/7"); p.StatusCode != http.StatusSeeOther {
					t.Errorf("without the record: got status %d, want the login", p.StatusCode)
				}
			}
			login()
			if got := b.sub(); got != a.agentSub("marie") {
				t.Errorf("got agent %q, want marie", got)
			}
			b.app = tt.next(a)
			p := b.navigate("/dossiers/7")
			if !tt.ends {
				if p.location() != "/login?return_to=%2Fdossiers%2F7" {
					t.Errorf("after another login: got status %d to %q, want the login", p.StatusCode, p.location())
				}
				return
			}
			b.checkErrorPage(p, refusal{code: "session_lost", again: "/login?return_to=%2Fdossiers%2F7"})
			if !strings.Contains(a.logs.String(), "WithSealedSessions") {
				t.Errorf("got the log %s, want the likely cause", a.logs)
			}
			if p := b.navigate("/dossiers/7"); p.StatusCode != http.StatusSeeOther {
				t.Errorf("again: got status %d, want a login: the page is shown once", p.StatusCode)
			}
		})
	}
}

// All our cookies together stay under 8,000 bytes: with the longest stems, the
// longest pages, every level demanded, and everything that can be set at once, also
// while two stems are in use.
func TestThreatCookiesStaySmall(t *testing.T) {
	t.Parallel()
	stems := []string{strings.Repeat("a", 32), strings.Repeat("b", 32)}
	opts := func(stem, other string) []agentconnect.Option {
		return []agentconnect.Option{
			agentconnect.WithCookieName(stem), agentconnect.WithOtherCookieNames(other), agentconnect.WithIdleTimeout(5 * time.Minute),
		}
	}
	one := newApp(t, opts(stems[0], stems[1])...)
	two := one.another(opts(stems[1], stems[0])...)
	every := agentconnect.LoginOptions{Level: []agentconnect.Requirement{agentconnect.ACR(slices.Repeat([]string{
		agentconnect.ACREIDAS0, agentconnect.ACREIDAS0MFA, agentconnect.ACREIDAS1, agentconnect.ACREIDAS1MFA, agentconnect.ACREIDAS2, agentconnect.ACREIDAS3, agentconnect.ACRCertificationDirigeant,
	}, 5)...)}}
	b := one.browser()
	largest := map[string]int{} // by the end of the name, that of "a" alone
	measure := func(when string) {
		t.Helper()
		size := 0
		for name, value := range b.cookies() {
			length := len("__Host-") + len(name) + len("=") + len(value) + len("; ")
			size += length
			if suffix, ours := strings.CutPrefix(name, stems[0]); ours {
				largest[suffix] = max(largest[suffix], length)
			}
		}
		if size >= 8000 {
			t.Errorf("%s: got %d bytes of cookies, want less than 8000", when, size)
		}
	}
	navigate := func(target string) {
		t.Helper()
		b.navigate(target)
		measure(target[:min(len(target), 40)])
	}
	for range 2 {
		for i, a := range []*app{one, two} {
			b.app = a
			public := a.serve(a.auth.SilentLogin(http.HandlerFunc(serveAgent)))
			navigate(public + "/")
			navigate(public + "/")
			for _, at := range []*app{[]*app{two, one}[i], a} {
				b.app = at
				b.navigate("/callback?" + b.callback("/login", "marie").RawQuery)
				measure("login")
			}
			if got := b.cookies(); got[stems[0]+"-fresh"] != "" && got[stems[1]+"-fresh"] != "" {
				t.Error("the browser has the cookie of a new session of both stems")
			}
			one.clock.advance(6 * time.Minute)
			navigate("/dossiers") // ends it
			for i := range 17 {   // the first ends the provider's session
				page := "/dossiers/" + strings.Repeat("x", 118)
				if i == 16 {
					page = "/" + strings.Repeat("x", 2047)
				}
				every.ReturnTo = page
				login, err := a.auth.LoginURL(every)
				if err != nil {
					t.Fatal(err)
				}
				navigate(login)
			}
			b.post("/logout", url.Values{"login": {"/login?return_to=/" + strings.Repeat("x", 494)}})
			measure("logout")
		}
	}
	for _, suffix := range []string{"", "-seen", "-fresh", "-idle", "-silent", "-logout", "-page", "-login-0", "-login-7"} {
		if largest[suffix] == 0 {
			t.Errorf("no cookie %q was set: the test does not see all", suffix)
		}
	}
	sum := 0
	for _, length := range largest {
		sum += length
	}
	if sum >= 8000 {
		t.Errorf("got %d bytes of the largest of each, want less than 8000: %v", sum, largest)
	}
	if largest["-logout"] < 700 || largest["-login-0"] < 500 || largest["-page"] < 2048 {
		t.Errorf("got cookies of %v bytes, want the largest", largest)
	}
	for _, name := range []string{"-silent", "-logout", "-idle", "-page"} {
		if got := b.cookies(); got[stems[0]+name] != "" && got[stems[1]+name] != "" {
			t.Errorf("the browser has %q of both stems", name)
		}
	}
	t.Logf("the largest of each: %v, %d bytes", largest, sum)
}

// A login after a session that was idle for too long, from a page with a long address,
// does not put the address into the cookie of the logout.
func TestThreatLongPageAfterIdleTimeout(t *testing.T) {
	t.Parallel()
	a := newApp(t, agentconnect.WithIdleTimeout(5*time.Minute))
	b := a.browser()
	b.login("/dossiers", "marie")
	a.clock.advance(6 * time.Minute)
	b.navigate("/mfa-only")
	b.navigate("/mfa-only?" + strings.Repeat("%26", 600)) // a step-up
	if got := len(b.cookies()["agentconnect-logout"]); got == 0 || got > 800 {
		t.Errorf("got a cookie of %d bytes, want one of 800 at most", got)
	}
}
