package agentconnect_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

// A cookie planted before the login is worthless after it.
func TestThreatPlantedCookie(t *testing.T) {
	t.Parallel()
	a := newApp(t, agentconnect.WithIdleTimeout(time.Hour))
	attacker := a.loggedIn("karim")
	for name, planted := range map[string]string{
		"invented":                 strings.Repeat("A", 43),
		"of a session that exists": attacker.cookies()["agentconnect"],
	} {
		t.Run(name, func(t *testing.T) {
			a := a.in(t)
			b := a.browser()
			b.setCookie("agentconnect", planted)
			// The victim is at the provider as somebody else.
			b.login("/login?return_to=/dossiers", "marie")
			if got := b.cookies()["agentconnect"]; got == planted || got == "" {
				t.Errorf("after the login the browser still has the cookie that was planted")
			}
			if got := b.sub(); got != a.agentSub("marie") {
				t.Errorf("got agent %q, want marie", got)
			}
			thief := a.browser()
			thief.setCookie("agentconnect", planted)
			if got := thief.sub(); got != "" {
				t.Errorf("with the cookie that was planted: got agent %q, want none", got)
			}
		})
	}
}

// Tampered, foreign, repeated, enormous cookies: a stranger or a 4xx, never a 5xx.
func TestThreatOddCookies(t *testing.T) {
	t.Parallel()
	a := newApp(t, agentconnect.WithIdleTimeout(time.Hour))
	foreign := newApp(t, agentconnect.WithIdleTimeout(time.Hour), agentconnect.WithClient("other", "another secret")) // another registration
	b := a.browser()
	b.login("/dossiers", "marie")
	session, seen := b.cookies()["agentconnect"], b.cookies()["agentconnect-seen"]
	callback := b.callback("/login", "")
	state := callback.Query().Get("state")
	loginName, login := b.loginCookie()
	if session == "" || seen == "" || login == "" {
		t.Fatalf("got cookies %v, want those of a session, of its last use and of a login", b.cookies())
	}
	bad := func(name, good string) map[string]string {
		return map[string]string{
			"tampered":        name + "=" + flipped(good, len(good)/2),
			"last bit":        name + "=" + flipped(good, len(good)-1),
			"truncated":       name + "=" + good[:len(good)-1],
			"longer":          name + "=" + good + "A",
			"empty":           name + "=",
			"without =":       name,
			"binary":          name + "=\x01\x7f\xff\xfe",
			"quoted":          name + `="` + good + `"`,
			"padded":          name + "=" + good + "==",
			"repeated":        name + "=" + good + "; " + name + "=" + good,
			"after a planted": name + "=" + strings.Repeat("A", len(good)) + "; " + name + "=" + good,
			"enormous":        name + "=" + strings.Repeat("A", 200_000),
			"beyond measure":  name + "=" + strings.Repeat("A", 2_000_000),
			"many":            strings.Repeat(name+"="+good+"; ", 500),
			"many names":      manyNames(name),
		}
	}
	cookies := map[string]string{}
	for _, c := range [][2]string{{"agentconnect", session}, {"agentconnect-seen", seen}, {loginName, login}, {"agentconnect-logout", login}, {"agentconnect-silent", "1"}} {
		for what, line := range bad(c[0], c[1]) {
			if c[0] == "agentconnect-seen" {
				line = "agentconnect=" + flipped(session, 3) + "; " + line
			}
			cookies[c[0][:min(len(c[0]), 18)]+" "+what] = line
		}
	}
	foreignSession := foreign.browser()
	foreignSession.setCookie("agentconnect", session)
	if got := foreignSession.sub(); got != "" {
		t.Errorf("the session of another registration: got agent %q, want none", got)
	}
	stranger := a.browser() // no jar of its own, in effect: the header is the test's
	stranger.client.Jar = nil
	for what, line := range cookies {
		for _, target := range []string{"/", "/dossiers", "/login", "/callback?" + callback.RawQuery, "/logout", "/logout/callback?state=" + state} {
			for _, method := range []string{"GET", "POST"} {
				exchanges, _ := a.calls()
				resp := stranger.raw(method, a.url+target, line)
				if resp == nil {
					continue // the server closed the connection on a header beyond its bounds
				}
				if resp.StatusCode >= 500 {
					t.Errorf("%s %s with cookie %s: got status %d, want less than 500", method, target, what, resp.StatusCode)
				}
				if target == "/dossiers" && resp.StatusCode == http.StatusOK {
					t.Errorf("%s %s with cookie %s: got 200, want a stranger's answer", method, target, what)
				}
				// A repeated cookie of a login is looked at twice; it is the login's own.
				ownLogin := strings.HasPrefix(what, loginName[:18]) && (strings.HasSuffix(what, "repeated") || strings.HasSuffix(what, "planted") || strings.HasSuffix(what, "many") || strings.HasSuffix(what, "quoted"))
				if got, _ := a.calls(); got != exchanges && !ownLogin {
					t.Errorf("%s %s with cookie %s: the code was used", method, target, what)
				}
			}
		}
	}
}

func flipped(s string, at int) string {
	c := byte('A')
	if s[at] == 'A' {
		c = 'Q' // differs in bits that count, also in a last character
	}
	return s[:at] + string(c) + s[at+1:]
}

func manyNames(prefix string) string {
	var line strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&line, "%s%d=x; ", prefix, i)
	}
	return line.String()
}

// raw sends a request with a Cookie header as it is, and returns the answer
// without its body, or nil when the server hung up.
func (b *browser) raw(method, target, cookie string) *http.Response {
	b.t.Helper()
	req, err := http.NewRequest(method, target, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header["Cookie"] = []string{cookie}
	resp, err := b.client.Do(req)
	if err != nil {
		if strings.Contains(err.Error(), "invalid header") {
			req.Header["Cookie"] = []string{url.PathEscape(cookie)}
			resp, err = b.client.Do(req)
		}
		if err != nil {
			return nil
		}
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	return resp
}

// After a logout the old cookie is dead, also when the logout races fifty
// requests in flight with an idle timeout on: none of them brings it back.
func TestThreatLogoutRace(t *testing.T) {
	t.Parallel()
	a := newApp(t, agentconnect.WithIdleTimeout(time.Hour))
	for range 4 {
		b := a.browser()
		b.login("/dossiers", "marie")
		a.clock.advance(2 * time.Minute) // so that each request renews the time of the last one
		old := b.cookies()
		_, committed, _ := a.store.counts()

		var ended sync.WaitGroup
		start := make(chan struct{})
		var mu sync.Mutex
		renewed := map[string]bool{}
		for range 50 {
			ended.Go(func() {
				tab := a.browserWith(old)
				<-start
				p := tab.fetch("/dossiers")
				if p.StatusCode != http.StatusOK && p.StatusCode != http.StatusUnauthorized {
					t.Errorf("got status %d, want 200 or 401", p.StatusCode)
				}
				mu.Lock()
				defer mu.Unlock()
				renewed[tab.cookies()["agentconnect-seen"]] = true
			})
		}
		ended.Go(func() {
			tab := a.browserWith(old)
			<-start
			if p := tab.post("/logout", nil); p.StatusCode != http.StatusSeeOther {
				t.Errorf("logout: got status %d, want 303", p.StatusCode)
			}
		})
		close(start)
		ended.Wait()
		if n := a.store.sessions(t); n != 0 {
			t.Errorf("sessions after the logout: got %d, want 0", n)
		}
		if _, got, _ := a.store.counts(); got != committed {
			t.Errorf("writes to the store by requests: got %d, want 0", got-committed)
		}
		for seen := range renewed {
			tab := a.browserWith(old)
			if seen != "" {
				tab.setCookie("agentconnect-seen", seen)
			}
			if got := tab.sub(); got != "" {
				t.Errorf("after the logout, with the old cookie: got agent %q, want none", got)
			}
		}
	}
}

// browserWith returns a browser that has the cookies.
func (a *app) browserWith(cookies map[string]string) *browser {
	a.t.Helper()
	b := a.browser()
	for name, value := range cookies {
		b.setCookie(name, value)
	}
	return b
}

// When the store cannot delete, the person is told, and the browser forgets the
// session all the same.
func TestThreatLogoutStoreFails(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(*store){
		"delete":     func(s *store) { s.setDeleteFailure(errors.New("read-only")) },
		"find":       func(s *store) { s.setFindFailure(errors.New("the replica is away")) },
		"everything": func(s *store) { s.setFailure(errors.New("down")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, agentconnect.WithIdleTimeout(time.Hour))
			b := a.browser()
			b.login("/dossiers", "marie")
			fail(a.store)
			logged := len(a.logs.String())
			p := b.post("/logout", nil)
			id := b.checkErrorPage(p, refusal{code: agentconnect.CodeSessionStore})
			b.checkLogLines(strings.Split(strings.TrimSpace(a.logs.String()[logged:]), "\n"), agentconnect.CodeSessionStore, id)
			if !strings.Contains(p.body, "n’a pas pu être effacée") || !strings.Contains(p.body, "fermez le navigateur") {
				t.Errorf("the page does not say that the session could not be deleted: %s", p.body)
			}
			if got := b.cookies(); got["agentconnect"] != "" || got["agentconnect-seen"] != "" {
				t.Errorf("the browser still has the session's cookies: %v", slices.Sorted(maps.Keys(got)))
			}
		})
	}
}

// Somebody else logging in in the same browser sees nothing of the first, whose
// session is dead.
func TestThreatNextPerson(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.loggedIn("marie")
	old := b.cookies()["agentconnect"]
	b.login("/login?return_to=/dossiers", "karim")
	p := b.fetch("/dossiers")
	marie, _ := a.provider.Agent("marie")
	for _, value := range []string{marie.Sub(), marie.Email(), "Ministère de démonstration", "agent_public"} {
		if strings.Contains(p.body, value) {
			t.Errorf("karim sees %q of marie: %s", value, p.body)
		}
	}
	first := a.browser()
	first.setCookie("agentconnect", old)
	if got := first.sub(); got != "" {
		t.Errorf("the first session: got agent %q, want none", got)
	}
	if n := a.store.sessions(t); n != 1 {
		t.Errorf("sessions: got %d, want 1", n)
	}
}

// A new login also deletes the tokens of the session before it, and goes on when
// the store cannot delete: the browser has forgotten the old session, and the log
// says that it lives.
func TestThreatReplacedSession(t *testing.T) {
	t.Parallel()
	a := newApp(t, agentconnect.WithTokens())
	b := a.loggedIn("marie")
	b.login("/login?return_to=/dossiers", "karim")
	if n := a.store.sessions(t); n != 2 {
		t.Errorf("records: got %d, want 2, of karim's session and tokens", n)
	}
	const warning = "the session before this login could not be deleted"
	if strings.Contains(a.logs.String(), warning) {
		t.Errorf("log: got %q though it was deleted", warning)
	}
	a.store.setDeleteFailure(errors.New("read-only"))
	b.expectLogin(b.callback("/login?return_to=/dossiers/7", "karim"), "karim", "/dossiers/7")
	if !strings.Contains(a.logs.String(), warning) {
		t.Errorf("log: got %s, want %q", a.logs.String(), warning)
	}
}

// A fullStore takes so many records and no more.
type fullStore struct {
	*store
	room int
}

func (s *fullStore) Commit(token string, b []byte, expiry time.Time) error {
	if s.room == 0 {
		return errors.New("full")
	}
	s.room--
	return s.store.Commit(token, b, expiry)
}

// A login whose session or tokens cannot be kept leaves nothing behind.
func TestThreatStoreFull(t *testing.T) {
	t.Parallel()
	for room := range 2 {
		full := &fullStore{newStore(), room}
		a := newApp(t, agentconnect.WithTokens(), agentconnect.WithSessionStore(full))
		a.store = full.store
		b := a.browser()
		callback := b.callback("/login?return_to=/dossiers/7", "karim")
		b.refused(refusal{code: agentconnect.CodeSessionStore, exchanges: 1, userinfos: 1}, func() page { return b.navigate(callback.String()) })
	}
}

// Two logins of different people in one browser at once: the last answer wins
// whole, and what is left is one person or the other.
func TestThreatTwoPeopleAtOnce(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	for range 8 {
		b := a.browser()
		one := b.callback("/login?return_to=/dossiers/1", "marie")
		// The provider asks anew, as on a shared computer.
		a.provider.EndProviderSession(a.agentSub("marie"))
		two := b.callback("/login?return_to=/dossiers/2", "karim")
		var ended sync.WaitGroup
		for _, callback := range []*url.URL{one, two} {
			ended.Go(func() {
				want := map[*url.URL]string{one: "/dossiers/1", two: "/dossiers/2"}[callback]
				if p := b.navigate(callback.String()); p.StatusCode != http.StatusSeeOther || p.location() != want {
					// marie's login may fail for her ended session, and then has no page.
					if callback != one {
						t.Errorf("got status %d to %q, want 303 to %q", p.StatusCode, p.location(), want)
					}
				}
			})
		}
		ended.Wait()
		body := b.fetch("/dossiers").body
		marie, karim := strings.Contains(body, a.agentSub("marie")), strings.Contains(body, a.agentSub("karim"))
		if marie == karim || marie && strings.Contains(body, "prestataire") || karim && strings.Contains(body, "agent_public") {
			t.Errorf("got %s, want marie or karim whole", body)
		}
	}
}

// The store down: protected routes 503 at once, public ones as to a stranger.
func TestThreatStoreDown(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	plain := a.serve(http.HandlerFunc(serveAgent))
	b := a.loggedIn("marie")
	a.store.setFailure(errors.New("connection refused to redis://user:password@10.0.0.1"))
	person := http.Header{"Sec-Fetch-Mode": {"navigate"}}
	for _, path := range []string{"/dossiers", "/mfa-only", "/agents-publics"} {
		logged := len(a.logs.String())
		p := b.do("GET", path, person, "")
		id := b.checkErrorPage(p, refusal{code: agentconnect.CodeSessionStore})
		b.checkLogLines(strings.Split(strings.TrimSpace(a.logs.String()[logged:]), "\n"), agentconnect.CodeSessionStore, id)
		if strings.Contains(p.body, "connecter") && strings.Contains(p.body, "effacée") || strings.Contains(p.body, "poste partagé") {
			t.Errorf("the page talks about a logout: %s", p.body)
		}
		if strings.Contains(p.body, "redis") {
			t.Errorf("the page shows the store's error: %s", p.body)
		}
		if p := b.fetch(path); p.StatusCode != http.StatusServiceUnavailable || p.problem() != "session_store" {
			t.Errorf("%s, fetched: got status %d, want a 503 problem", path, p.StatusCode)
		}
	}
	if p := b.navigate(plain + "/"); p.StatusCode != http.StatusOK {
		t.Errorf("public page: got status %d, want 200", p.StatusCode)
	}
	if p := b.navigate("/"); p.StatusCode != http.StatusOK || p.body != "public" {
		t.Errorf("public page that greets who is known: got status %d %q, want 200, a stranger's", p.StatusCode, p.body)
	}
	// A login cannot end: 503, and no cookie.
	callback := b.callback("/login?return_to=/dossiers/7", "karim")
	cookie := b.cookies()["agentconnect"]
	p := b.navigate(callback.String())
	b.checkErrorPage(p, refusal{code: agentconnect.CodeSessionStore})
	if got := b.cookies()["agentconnect"]; got != cookie {
		t.Errorf("the login that failed changed the session's cookie")
	}
	a.store.setFailure(nil)
	if got := b.sub(); got != a.agentSub("marie") {
		t.Errorf("when the store is back: got agent %q, want marie", got)
	}
}

// A slowStore answers when its context ends.
type slowStore struct{ *store }

func (s slowStore) FindCtx(ctx context.Context, _ string) ([]byte, bool, error) {
	<-ctx.Done()
	return nil, false, ctx.Err()
}

func (s slowStore) CommitCtx(ctx context.Context, _ string, _ []byte, _ time.Time) error {
	<-ctx.Done()
	return ctx.Err()
}

func (s slowStore) DeleteCtx(ctx context.Context, _ string) error {
	<-ctx.Done()
	return ctx.Err()
}

// The store slow: everything that needs it ends in a few seconds.
func TestThreatStoreSlow(t *testing.T) {
	t.Parallel()
	a := newApp(t, agentconnect.WithSessionStore(slowStore{newStore()}))
	callbacks := a.browser()
	callback := callbacks.callback("/login", "marie")
	requests := map[string]func(b *browser) page{
		"protected": func(b *browser) page { return b.fetch("/dossiers") },
		"logout":    func(b *browser) page { return b.post("/logout", nil) },
		"callback":  func(*browser) page { return callbacks.navigate(callback.String()) },
	}
	var ended sync.WaitGroup
	for name, request := range requests {
		ended.Go(func() {
			b := a.browser()
			b.setCookie("agentconnect", strings.Repeat("A", 43))
			start := time.Now()
			p := request(b)
			if took := time.Since(start); p.StatusCode != http.StatusServiceUnavailable || took > 30*time.Second { // six, on a machine with nothing else to do
				t.Errorf("%s: got status %d after %v, want 503 within seconds", name, p.StatusCode, took)
			}
		})
	}
	ended.Wait()
}

// The store full of garbage, or returning what has expired: a new login, not an
// error.
func TestThreatStoreGarbage(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	session := a.sessionOf("marie")
	good, err := a.store.All()
	if err != nil || len(good) != 1 {
		t.Fatalf("got records %v, %v, want 1", good, err)
	}
	for key, record := range good {
		for name, garbage := range map[string][]byte{
			"nothing":           {},
			"one byte":          {1},
			"another version":   append([]byte{record[0] + 1}, record[1:]...),
			"the version alone": record[:1],
			"half of it":        record[:len(record)/4],
			"text":              []byte("session"),
			"gob":               []byte("\x0e\xff\x81\x02\x01\x02\xff\x82\x00\x01\x10"),
			"lengths":           append(slices.Clone(record[:41]), slices.Repeat([]byte{0xff}, 200)...),
			"zeros":             make([]byte, 4096),
		} {
			t.Run(name, func(t *testing.T) {
				a := a.in(t)
				b := a.browser()
				b.setCookie("agentconnect", session)
				if err := a.store.MemStore.Commit(key, garbage, time.Now().Add(time.Hour)); err != nil {
					t.Fatal(err)
				}
				if p := b.navigate("/dossiers"); p.StatusCode != http.StatusSeeOther || !strings.HasPrefix(p.location(), "/login") {
					t.Errorf("got status %d to %q, want 303 to the login", p.StatusCode, p.location())
				}
				if p := b.navigate("/"); p.StatusCode != http.StatusOK || p.body != "public" {
					t.Errorf("public page: got status %d %q, want 200", p.StatusCode, p.body)
				}
				if p := b.login("/dossiers", "karim"); p.StatusCode != http.StatusOK || b.sub() != a.agentSub("karim") {
					t.Errorf("new login: got status %d, want 200", p.StatusCode)
				}
				b = a.browser()
				b.setCookie("agentconnect", session)
				if p := b.post("/logout", nil); p.StatusCode != http.StatusSeeOther {
					t.Errorf("logout: got status %d, want 303", p.StatusCode)
				}
			})
		}
	}
}

// The record carries its own expiry, whatever the store thinks of it, and
// nothing immortal is ever written.
func TestThreatStoreExpiry(t *testing.T) {
	t.Parallel()
	audited := &auditStore{store: newStore()}
	a := newApp(t, agentconnect.WithSessionStore(audited), agentconnect.WithSessionLifetime(time.Hour))
	b := a.browser()
	begin := a.clock.Now()
	b.login("/dossiers", "marie")
	if len(audited.expiries) == 0 {
		t.Fatal("the login wrote nothing")
	}
	for _, expiry := range audited.expiries {
		if expiry.IsZero() || expiry.After(begin.Add(time.Hour+time.Second)) {
			t.Errorf("got a record that lives until %v, want an hour from %v at most", expiry, begin)
		}
	}
	a.clock.advance(-30 * time.Second) // of another instance
	if got := b.sub(); got != a.agentSub("marie") {
		t.Errorf("with clocks half a minute apart: got agent %q, want marie", got)
	}
	future := b.cookies()
	a.clock.advance(-90 * time.Second)
	if got := b.sub(); got != "" {
		t.Errorf("a session of the future: got agent %q, want none", got)
	}
	a.clock.advance(2 * time.Minute)
	if got := a.browserWith(future).sub(); got != a.agentSub("marie") {
		t.Errorf("a session of the future, later: got agent %q, want marie: a clock that was off deletes nothing", got)
	}
	b.login("/login?return_to=/dossiers", "marie")
	a.clock.advance(time.Hour - time.Second)
	if got := b.sub(); got != a.agentSub("marie") {
		t.Errorf("a second before the end: got agent %q, want marie", got)
	}
	a.clock.advance(2 * time.Second)
	if got := b.sub(); got != "" {
		t.Errorf("after the session's lifetime, with a store that still returns it: got agent %q, want none", got)
	}
}

// With an end at midnight in Paris the store is told so.
func TestThreatStoreExpiryAtMidnight(t *testing.T) {
	t.Parallel()
	audited := &auditStore{store: newStore()}
	a := newApp(t, agentconnect.WithSessionStore(audited), agentconnect.WithSessionLifetime(31*24*time.Hour), agentconnect.WithSessionEndAtMidnight())
	a.browser().login("/dossiers", "marie")
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	y, m, d := a.clock.Now().In(paris).Date()
	want := time.Date(y, m, d+1, 0, 0, 0, 0, paris)
	if len(audited.expiries) != 1 || !audited.expiries[0].Equal(want) {
		t.Errorf("got records that live until %v, want %v", audited.expiries, want)
	}
}

// An auditStore notes until when records live.
type auditStore struct {
	*store
	expiries []time.Time
}

func (s *auditStore) Commit(token string, b []byte, expiry time.Time) error {
	s.expiries = append(s.expiries, expiry)
	return s.store.Commit(token, b, expiry)
}

// The idle timeout ends a session that is not used, also when the browser
// presents the time of its last request no more, or that of another session.
func TestThreatIdleTimeout(t *testing.T) {
	t.Parallel()
	a := newApp(t, agentconnect.WithIdleTimeout(10*time.Minute))
	b := a.browser()
	b.login("/dossiers", "marie")
	old := b.cookies()
	for range 5 { // in use
		a.clock.advance(9 * time.Minute)
		if got := b.sub(); got != a.agentSub("marie") {
			t.Fatalf("in use: got agent %q, want marie", got)
		}
	}
	used := b.cookies()
	other := a.browser()
	other.login("/dossiers", "karim")
	for name, cookies := range map[string]map[string]string{
		"an old time":             {"agentconnect": old["agentconnect"], "agentconnect-seen": old["agentconnect-seen"]},
		"no time":                 {"agentconnect": old["agentconnect"]},
		"a time of another":       {"agentconnect": old["agentconnect"], "agentconnect-seen": other.cookies()["agentconnect-seen"]},
		"a time that is no time":  {"agentconnect": old["agentconnect"], "agentconnect-seen": "x"},
		"after the idle timeout ": used,
	} {
		if cookies["agentconnect-seen"] == used["agentconnect-seen"] {
			a.clock.advance(11 * time.Minute)
		}
		if got := a.browserWith(cookies).sub(); got != "" {
			t.Errorf("%s: got agent %q, want none", name, got)
		}
	}
}

// Two thousand logins started without a cookie leave nothing behind.
func TestThreatStartedLogins(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.browser().navigate("/login") // reads the discovery document
	finds, _, _ := a.store.counts()
	requests := a.provider.Requests(agentconnecttest.Discovery)
	client := &http.Client{Transport: &http.Transport{}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(client.CloseIdleConnections)
	for i := range 2000 {
		resp, err := client.Get(a.url + "/login?return_to=/dossiers/" + fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusSeeOther {
			t.Fatalf("login %d: got status %d, want 303", i, resp.StatusCode)
		}
	}
	if got, commits, deletes := a.store.counts(); got != finds || commits != 0 || deletes != 0 || a.store.sessions(t) != 0 {
		t.Errorf("got %d reads, %d writes, %d deletions of the store, want none", got-finds, commits, deletes)
	}
	if got := a.provider.Requests(agentconnecttest.Discovery); got != requests {
		t.Errorf("got %d more reads of the discovery document, want none", got-requests)
	}
}

// Three hundred logins in one browser keep its cookies small, and the last ones
// still end.
func TestThreatManyLoginsInOneBrowser(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	page := "/dossiers/" + strings.Repeat("x", 1000)
	for range 300 {
		p := b.navigate("/login?return_to=" + page)
		if p.StatusCode != http.StatusSeeOther {
			t.Fatalf("got status %d, want 303", p.StatusCode)
		}
	}
	size, logins := 0, 0
	for name, value := range b.cookies() {
		size += len(name) + len(value) + 4
		if strings.HasPrefix(name, "agentconnect-login-") {
			logins++
		}
	}
	if size > 7500 || logins != 8 {
		t.Errorf("got %d cookies of logins, %d bytes in all, want 8 and at most 7500", logins, size)
	}
	b.expectLogin(b.callback("/login?return_to="+page, "marie"), "marie", page)

	// The longest page to come back to still fits in a cookie that browsers keep.
	for name, longest := range map[string]string{
		"letters":    "/" + strings.Repeat("x", 2047),
		"separators": "/?" + strings.Repeat("&", 2046),
		"escapes":    "/" + strings.Repeat("é", 340) + "?" + strings.Repeat("&", 6),
		"too long":   "/" + strings.Repeat("é", 1000),
	} {
		b := a.browser()
		for range 3 {
			b.navigate("/login?return_to=" + url.QueryEscape(longest))
		}
		if len(b.cookies()) == 0 {
			t.Errorf("%s: got no cookie", name)
		}
		for cookie, value := range b.cookies() {
			if got := len(cookie) + len(value); got > 4000 {
				t.Errorf("%s: a cookie has %d bytes, more than browsers keep with its attributes", name, got)
			}
		}
	}
}

// Of many logins that a browser started the last eight can end; an older one that
// comes back first finds a stranger, and later an agent who goes home.
func TestThreatLastLoginsEnd(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	var callbacks []*url.URL
	for range 11 {
		callbacks = append(callbacks, b.callback("/login?return_to=/dossiers/7", "karim"))
		a.clock.advance(time.Second)
	}
	for i, callback := range callbacks {
		if i < 3 {
			b.refused(refusal{code: "unknown_state", again: "/login"}, func() page { return b.navigate(callback.String()) })
			continue
		}
		b.expectLogin(callback, "karim", "/dossiers/7")
	}
	exchanges, _ := a.calls()
	if p := b.navigate(callbacks[0].String()); p.StatusCode != http.StatusSeeOther || p.location() != "/" || len(p.Header["Set-Cookie"]) != 0 {
		t.Errorf("a dropped login, once logged in: got status %d to %q, cookies %q, want home and nothing changed", p.StatusCode, p.location(), p.Header["Set-Cookie"])
	}
	if got, _ := a.calls(); got != exchanges {
		t.Errorf("a dropped login: got %d exchanges, want none", got-exchanges)
	}
}

// Logins that end, in one browser: one session, one cookie.
func TestThreatManyLoginsThatEnd(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	for range 20 {
		b.login("/login?return_to=/dossiers", "marie")
	}
	if got := len(b.cookies()); got != 2 {
		t.Errorf("cookies: got %v, want the session's and the one that says that it is new", slices.Sorted(maps.Keys(b.cookies())))
	}
	if got := a.store.sessions(t); got != 1 {
		t.Errorf("sessions: got %d, want 1", got)
	}
}

// Server-sent events, http.ResponseController and hijacking work behind the
// middleware.
func TestThreatResponseWriter(t *testing.T) {
	t.Parallel()
	a := newApp(t, agentconnect.WithIdleTimeout(time.Hour))
	release := make(chan struct{})
	mux := http.NewServeMux()
	mux.Handle("/events", a.auth.RequireAgent(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		control := http.NewResponseController(w)
		if err := control.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Errorf("SetWriteDeadline: %v", err)
		}
		fmt.Fprint(w, "data: one\n\n")
		if err := control.Flush(); err != nil {
			t.Errorf("Flush: %v", err)
		}
		<-release
		fmt.Fprint(w, "data: two\n\n")
	})))
	mux.Handle("/hijack", a.auth.Require(agentconnect.Role(agentconnect.RoleAgentPublic))(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, buf, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Errorf("Hijack: %v", err)
			return
		}
		defer conn.Close()
		fmt.Fprint(buf, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello\n")
		buf.Flush()
	})))
	site := a.serve(mux)
	b := a.loggedIn("marie")
	resp, err := b.client.Get(site + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	events := bufio.NewReader(resp.Body)
	if line, err := events.ReadString('\n'); line != "data: one\n" {
		t.Errorf("first event, before the handler ended: got %q, %v", line, err)
	}
	close(release)
	if rest, err := io.ReadAll(events); string(rest) != "\ndata: two\n\n" {
		t.Errorf("second event: got %q, %v", rest, err)
	}
	req, err := http.NewRequest("GET", site+"/hijack", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "echo")
	resp, err = b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	conn, ok := resp.Body.(io.ReadWriteCloser)
	if resp.StatusCode != http.StatusSwitchingProtocols || !ok {
		t.Fatalf("hijack: got status %d, want 101", resp.StatusCode)
	}
	if line, err := bufio.NewReader(conn).ReadString('\n'); line != "hello\n" {
		t.Errorf("hijacked connection: got %q, %v", line, err)
	}
}

// A protected handler never runs, not one byte, for a stranger.
func TestThreatStrangerNeverRuns(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	ran := make(chan string, 1000)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ran <- r.Method + " " + r.URL.String()
		io.WriteString(w, "secret dossier")
	})
	mux := http.NewServeMux()
	mux.Handle("/agent/", a.auth.RequireAgent(handler))
	mux.Handle("/role/", a.auth.Require(agentconnect.Role("agent_public"))(handler))
	mux.Handle("/mfa/", a.auth.Require(agentconnect.MFA())(handler))
	mux.Handle("/nothing/", a.auth.Require()(handler))
	// What the application's own code put in the context is not a login.
	mux.Handle("/context/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var agent agentconnect.Agent
		if err := agent.UnmarshalJSON([]byte(`{"sub":"x","roles":["agent_public"]}`)); err != nil {
			t.Error(err)
		}
		a.auth.RequireAgent(handler).ServeHTTP(w, r.WithContext(agentconnect.ContextWithAgent(r.Context(), agent)))
	}))
	// Nor is a login with another registration.
	other := a.newAuth(agentconnect.WithCookieName("other"), agentconnect.WithClient("other", "other secret"))
	mux.Handle("/other/", a.auth.RequireAgent(other.RequireAgent(handler)))
	site := a.serve(mux)

	stranger, agent := a.browser(), a.loggedIn("marie")
	for _, path := range []string{"/agent/", "/role/", "/mfa/", "/nothing/", "/context/", "/other/"} {
		for _, b := range []*browser{stranger, agent} {
			if b == agent && path != "/other/" {
				continue
			}
			for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"} {
				for _, header := range []http.Header{
					{}, {"Sec-Fetch-Mode": {"navigate"}}, {"Accept": {"text/html"}}, {"Authorization": {"Bearer x"}}, {"X-Forwarded-User": {"marie"}, "X-Http-Method-Override": {"GET"}},
					{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}}, {"Expect": {"100-continue"}}, {"Accept": {"text/event-stream"}},
				} {
					p := b.do(method, site+path, header, "")
					if strings.Contains(p.body, "secret") || p.StatusCode == http.StatusOK {
						t.Errorf("%s %s %v: got status %d %q", method, path, header, p.StatusCode, p.body)
					}
				}
			}
		}
	}
	close(ran)
	for request := range ran {
		t.Errorf("the handler ran for a stranger: %s", request)
	}
}

// The data in the store opens no session: its keys are hashes of the cookies.
func TestThreatStoreRead(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.sessionOf("marie")
	all, err := a.store.All()
	if err != nil {
		t.Fatal(err)
	}
	for key := range all {
		b := a.browser()
		b.setCookie("agentconnect", key)
		if got := b.sub(); got != "" {
			t.Errorf("with a key of the store as cookie: got agent %q, want none", got)
		}
	}
}

// The cookies' attributes, on https and on loopback.
func TestThreatCookieAttributes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		scheme, prefix string
		secure         bool
	}{{"https", "__Host-", true}, {"http", "", false}} {
		t.Run(tt.scheme, func(t *testing.T) {
			t.Parallel()
			a := newApp(t)
			public := tt.scheme + "://localhost"
			a.provider.SetRedirectURIs(public + "/callback")
			a.provider.SetPostLogoutRedirectURIs(public + "/logout/callback")
			auth := a.newAuth(agentconnect.WithRedirectURL(public+"/callback"), agentconnect.WithPostLogoutRedirectURL(public+"/logout/callback"), agentconnect.WithIdleTimeout(time.Hour))
			mux := http.NewServeMux()
			mux.HandleFunc("/login", auth.Login)
			mux.HandleFunc("/callback", auth.Callback)
			mux.HandleFunc("/logout", auth.Logout)
			site := a.serve(mux)

			cookies := map[string]string{} // carried by hand: the jar would not send Secure ones over http
			check := func(p page) {
				for _, c := range p.Cookies() {
					if !strings.HasPrefix(c.Name, tt.prefix+"agentconnect") || c.Secure != tt.secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
						t.Errorf("got cookie %s, want prefix %q, Secure %t, HttpOnly, SameSite=Lax, Path=/, no Domain", c, tt.prefix, tt.secure)
					}
					if cookies[c.Name] = c.Value; c.MaxAge < 0 {
						delete(cookies, c.Name)
					}
				}
			}
			send := func(method, target string) page {
				b := a.browser()
				b.client.Jar, _ = cookiejar.New(nil)
				var line []string
				for name, value := range cookies {
					line = append(line, name+"="+value)
				}
				return b.do(method, target, http.Header{"Cookie": {strings.Join(line, "; ")}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Site": {"same-origin"}}, "")
			}
			start := send("GET", site+"/login")
			check(start)
			atProvider := a.browser()
			callback := atProvider.callbackOf(start.location(), "marie")
			p := send("GET", site+callback.RequestURI())
			check(p)
			if p.StatusCode != http.StatusSeeOther || len(cookies) != 3 {
				t.Fatalf("callback: got status %d and cookies %v, want 303 and three", p.StatusCode, slices.Sorted(maps.Keys(cookies)))
			}
			check(send("POST", site+"/logout"))
			if len(cookies) != 1 {
				t.Errorf("after the logout: got cookies %v, want the logout's alone", slices.Sorted(maps.Keys(cookies)))
			}
		})
	}
}
