package agentconnect_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

// The requirements of every login apply to sessions too: after a new level or rule, an
// existing session steps up or is refused.
func TestThreatLevelRaised(t *testing.T) {
	t.Parallel()
	navigation := http.Header{"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}, "Sec-Fetch-Site": {"none"}, "Accept": {"text/html"}}
	for _, tt := range []struct {
		name       string
		level      []agentconnect.Requirement
		navigation int // status
		fetch      string
		public     bool // a page of LoadAgent knows the agent
	}{
		{"nothing", nil, http.StatusOK, "", true},
		{"the level there is", []agentconnect.Requirement{agentconnect.MinEIDAS(1)}, http.StatusOK, "", true},
		{"a level", []agentconnect.Requirement{agentconnect.MFA()}, http.StatusSeeOther, "insufficient_level", false},
		{"a rule that accepts", []agentconnect.Requirement{agentconnect.Role(agentconnect.RoleAgentPublic)}, http.StatusOK, "", true},
		{"a rule that refuses", []agentconnect.Requirement{agentconnect.Role(agentconnect.RoleDirigeant)}, http.StatusForbidden, "forbidden", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, agentconnect.WithLevel(agentconnect.MinEIDAS(1)))
			b := a.browser()
			b.login("/dossiers", "marie")
			raised := a.another(agentconnect.WithLevel(tt.level...))
			b.app = raised
			for _, path := range []string{"/dossiers", "/agents-publics"} {
				if p := b.do(http.MethodGet, path, navigation, ""); p.StatusCode != tt.navigation || p.StatusCode == http.StatusSeeOther && !strings.Contains(p.location(), "claims=") {
					t.Errorf("%s: got status %d to %q, want %d", path, p.StatusCode, p.location(), tt.navigation)
				}
				if p := b.fetch(path); p.problem() != tt.fetch {
					t.Errorf("%s, fetched: got status %d, problem %q, want %q", path, p.StatusCode, p.problem(), tt.fetch)
				}
			}
			if got := b.navigate("/").body != "public"; got != tt.public {
				t.Errorf("public page: knows the agent %v, want %v", got, tt.public)
			}
			if n := a.store.sessions(t); n != 1 {
				t.Errorf("got %d sessions, want the one of yesterday", n)
			}
			if tt.navigation == http.StatusSeeOther { // the step-up ends well
				if p := b.login("/dossiers", "marie"); p.StatusCode != http.StatusOK || b.sub() != a.agentSub("marie") {
					t.Errorf("after the step-up: got status %d, want 200", p.StatusCode)
				}
			}
		})
	}
}

// Two Authenticators of one client on one store can differ in their hooks: neither
// takes the other's sessions, whatever cookie they come in.
func TestThreatTwoAuthenticators(t *testing.T) {
	t.Parallel()
	store := memstore.NewWithCleanupInterval(0)
	lax := newStoreAuth(t, store)
	for name, opts := range map[string][]agentconnect.Option{
		"another cookie name":        {agentconnect.WithCookieName("admin")},
		"another redirect URL":       {agentconnect.WithRedirectURL("https://demarches.example.gouv.fr/admin/callback")},
		"another host":               {agentconnect.WithRedirectURL("https://admin.example.gouv.fr/callback")},
		"another client":             {agentconnect.WithClient("admin", testSecret)},
		"another cookie name of two": {agentconnect.WithCookieName("admin"), agentconnect.WithOtherCookieNames("root")},
		"the same":                   nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			strict := newStoreAuth(t, store, opts...)
			for _, tt := range []struct{ from, to *agentconnect.Authenticator }{{lax, strict}, {strict, lax}} {
				cookies, err := tt.from.SessionWithoutLogin(t.Context(), agentconnect.Agent{Sub: "s"})
				if err != nil {
					t.Fatal(err)
				}
				r := httptest.NewRequest(http.MethodGet, "/", nil)
				for _, name := range []string{"__Host-agentconnect", "__Host-admin", "__Host-root"} {
					r.AddCookie(&http.Cookie{Name: name, Value: cookies[0].Value})
				}
				w := httptest.NewRecorder()
				tt.to.RequireAgent(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })).ServeHTTP(w, r)
				if got, want := w.Code == http.StatusNoContent, name == "the same"; got != want {
					t.Errorf("got let in %v, want %v", got, want)
				}
			}
		})
	}
}

// Only the requests that the documentation names renew the idle timeout.
func TestThreatIdleRenewal(t *testing.T) {
	t.Parallel()
	role := agentconnect.Role(agentconnect.RoleAgentPublic)
	for name, tt := range map[string]struct {
		wrap   func(*agentconnect.Authenticator, http.Handler) http.Handler
		renews bool
	}{
		"RequireAgent": {func(a *agentconnect.Authenticator, h http.Handler) http.Handler { return a.RequireAgent(h) }, true},
		"Require":      {func(a *agentconnect.Authenticator, h http.Handler) http.Handler { return a.Require(role)(h) }, true},
		"RequireAgent in LoadAgent": {func(a *agentconnect.Authenticator, h http.Handler) http.Handler {
			return a.LoadAgent(a.RequireAgent(h))
		}, true},
		"LoadAgent":              {func(a *agentconnect.Authenticator, h http.Handler) http.Handler { return a.LoadAgent(h) }, false},
		"LoadAgent in LoadAgent": {func(a *agentconnect.Authenticator, h http.Handler) http.Handler { return a.LoadAgent(a.LoadAgent(h)) }, false},
		"SilentLogin":            {func(a *agentconnect.Authenticator, h http.Handler) http.Handler { return a.SilentLogin(h) }, false},
		"RequireAgentWithoutRenewal": {func(a *agentconnect.Authenticator, h http.Handler) http.Handler {
			return a.RequireAgentWithoutRenewal(h)
		}, false},
		"Require in RequireAgentWithoutRenewal": {func(a *agentconnect.Authenticator, h http.Handler) http.Handler {
			return a.RequireAgentWithoutRenewal(a.Require(role)(h))
		}, false},
		"a refusal": {func(a *agentconnect.Authenticator, h http.Handler) http.Handler {
			return a.Require(agentconnect.Role(agentconnect.RoleDirigeant))(h)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, agentconnect.WithIdleTimeout(10*time.Minute))
			b := a.loggedIn("marie")
			site := a.serve(tt.wrap(a.auth, http.HandlerFunc(serveAgent)))
			seen := b.cookies()["agentconnect-seen"]
			a.clock.advance(5 * time.Minute)
			b.fetch(site + "/")
			if got := b.cookies()["agentconnect-seen"] != seen; got != tt.renews {
				t.Errorf("got the time of the last request renewed %v, want %v", got, tt.renews)
			}
			a.clock.advance(6 * time.Minute)
			if got := b.sub() != ""; got != tt.renews {
				t.Errorf("got a session after 11 minutes %v, want %v", got, tt.renews)
			}
		})
	}
}

// An idle timeout ends what its own cookie shows to be idle, and nothing else is
// deleted: not for a cookie that is lost or does not open, not by a clock that is
// off.
func TestThreatIdleDeletes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		advance time.Duration
		seen    func(string) string
		let     bool
		left    int
	}{
		"in use":                    {9 * time.Minute, func(s string) string { return s }, true, 1},
		"idle":                      {11 * time.Minute, func(s string) string { return s }, false, 0},
		"a cookie that is lost":     {11 * time.Minute, func(string) string { return "" }, false, 1},
		"a cookie that is garbage":  {11 * time.Minute, func(s string) string { return strings.Repeat("A", len(s)) }, false, 1},
		"a cookie cut short":        {11 * time.Minute, func(s string) string { return s[:len(s)-1] }, false, 1},
		"a time that was changed":   {11 * time.Minute, func(s string) string { return "AAAB" + s[4:] }, false, 1},
		"a clock a day ahead":       {24 * time.Hour, func(s string) string { return s }, false, 1},
		"a clock half a day behind": {-12 * time.Hour, func(s string) string { return s }, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, agentconnect.WithIdleTimeout(10*time.Minute))
			b := a.browser()
			b.login("/dossiers", "marie")
			cookies := b.cookies()
			a.clock.advance(tt.advance)
			other := a.browser()
			other.setCookie("agentconnect", cookies["agentconnect"])
			if seen := tt.seen(cookies["agentconnect-seen"]); seen != "" {
				other.setCookie("agentconnect-seen", seen)
			}
			if got := other.sub() != ""; got != tt.let {
				t.Errorf("got let in %v, want %v", got, tt.let)
			}
			if got := a.store.sessions(t); got != tt.left {
				t.Errorf("got %d sessions in the store, want %d", got, tt.left)
			}
			a.clock.advance(-tt.advance)
			if got := b.sub() != ""; got != (tt.left == 1) {
				t.Errorf("an instance whose clock is right: got let in %v, want %v", got, tt.left == 1)
			}
		})
	}
}

// An idle timeout that is new, longer or gone since changes nothing for the
// sessions that there are; a shorter one, and a shorter lifetime, hold at once.
func TestThreatTimesChange(t *testing.T) {
	t.Parallel()
	idle := agentconnect.WithIdleTimeout
	for name, tt := range map[string]struct {
		before, after agentconnect.Option
		advance       time.Duration
		let           bool
	}{
		"idle timeout turned on":        {idle(0), idle(10 * time.Minute), time.Hour, true},
		"idle timeout turned off":       {idle(10 * time.Minute), idle(0), 11 * time.Minute, false},
		"idle timeout turned off, used": {idle(10 * time.Minute), idle(0), 9 * time.Minute, true},
		"idle timeout longer":           {idle(10 * time.Minute), idle(time.Hour), 11 * time.Minute, false},
		"idle timeout shorter":          {idle(time.Hour), idle(10 * time.Minute), 11 * time.Minute, false},
		"lifetime shorter":              {agentconnect.WithSessionLifetime(2 * time.Hour), agentconnect.WithSessionLifetime(time.Hour), 61 * time.Minute, false},
		"lifetime longer":               {agentconnect.WithSessionLifetime(time.Hour), agentconnect.WithSessionLifetime(2 * time.Hour), 61 * time.Minute, false},
		"lifetime longer, not over":     {agentconnect.WithSessionLifetime(time.Hour), agentconnect.WithSessionLifetime(2 * time.Hour), 59 * time.Minute, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, tt.before)
			b := a.browser()
			b.login("/dossiers", "marie")
			b.app = a.another(tt.after)
			a.clock.advance(tt.advance)
			if got := b.sub() != ""; got != tt.let {
				t.Errorf("got let in %v, want %v", got, tt.let)
			}
		})
	}
}

// No record is ever written that is over, or will be within a second: some stores
// keep it for ever. A login in the last moments before midnight is of the next day.
func TestThreatNothingImmortal(t *testing.T) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		store := &livesStore{MemStore: memstore.NewWithCleanupInterval(0)}
		auth := newStoreAuth(t, store, agentconnect.WithSessionEndAtMidnight(), agentconnect.WithSessionLifetime(31*24*time.Hour))
		y, m, d := time.Now().In(paris).Date()
		midnight := time.Date(y, m, d+1, 0, 0, 0, 0, paris)
		for _, before := range []time.Duration{time.Hour, 61 * time.Second, time.Minute, time.Second, time.Millisecond, 0} {
			time.Sleep(time.Until(midnight.Add(-before)))
			store.lives = nil
			cookies, err := auth.SessionWithoutLogin(t.Context(), agentconnect.Agent{Sub: "s"})
			if err != nil {
				t.Fatalf("%v before midnight: %v", before, err)
			}
			want := before
			if before <= time.Minute {
				want += 24 * time.Hour
			}
			if len(store.lives) != 1 || store.lives[0] != want {
				t.Errorf("%v before midnight: got records that live %v, want %v", before, store.lives, want)
			}
			if got := time.Duration(cookies[0].MaxAge) * time.Second; got < want || got > want+2*time.Second {
				t.Errorf("%v before midnight: got a cookie that lives %v, want %v", before, got, want)
			}
		}
	})
	behind := &livesStore{MemStore: memstore.NewWithCleanupInterval(0)}
	auth := newStoreAuth(t, behind, agentconnect.WithClock(func() time.Time { return time.Now().Add(-12*time.Hour + 500*time.Millisecond) }))
	if _, err := auth.SessionWithoutLogin(t.Context(), agentconnect.Agent{Sub: "s"}); err == nil || len(behind.lives) != 0 {
		t.Errorf("a clock that is off: got error %v, records that live %v, want an error and none", err, behind.lives)
	}
}

// A livesStore notes how long records are to live.
type livesStore struct {
	*memstore.MemStore
	lives []time.Duration
}

func (s *livesStore) Commit(key string, b []byte, expiry time.Time) error {
	s.lives = append(s.lives, time.Until(expiry))
	return s.MemStore.Commit(key, b, expiry)
}

// A session's record is bounded: claims beyond it make no session, whether they
// come from one identity provider or all of them.
func TestThreatRecordBound(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]string{30_000: "", 33_000: "invalid_userinfo: the claims and the ID token take 33", 700_000: "invalid_userinfo: the claims and the ID token take 70"} {
		store := newStore()
		asked := false
		auth := newStoreAuth(t, store, agentconnect.WithLoginHook(func(context.Context, *agentconnect.Login) error {
			asked = true
			return nil
		}))
		var agent agentconnect.Agent
		if err := json.Unmarshal([]byte(`{"sub":"s","custom":{"x":"`+strings.Repeat("x", size)+`"}}`), &agent); err != nil {
			t.Fatal(err)
		}
		_, err := auth.SessionWithoutLogin(t.Context(), agent)
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "xxx")) {
			t.Errorf("%d bytes: got error %.200v, want %q", size, err, want)
		}
		if n := store.sessions(t); (n == 1) != (want == "") || asked != (want == "") {
			t.Errorf("%d bytes: got %d sessions, the hook asked: %v", size, n, asked)
		}
	}
}

// With a store, New starts nothing.
func TestNewStartsNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	store := memstore.NewWithCleanupInterval(0)
	for range 100 {
		for _, s := range []scs.Store{store, newHangingStore()} {
			if _, err := agentconnect.New(goodOptions(agentconnect.WithSessionStore(s), agentconnect.WithIdleTimeout(time.Hour), agentconnect.WithTokens())...); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := runtime.NumGoroutine(); got > before+5 {
		t.Errorf("got %d goroutines after 200 New, before %d, want no more", got, before)
	}
	synctest.Test(t, func(t *testing.T) { // panics for a goroutine that stays
		newStoreAuth(t, store, agentconnect.WithLogger(slog.New(slog.DiscardHandler)))
	})
}

// After an idle timeout the next person at the computer is asked who they are: the
// next login first ends the provider's session, and no silent login comes before.
func TestThreatIdleOnASharedComputer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		idle bool
		via  string // where the next person begins
		back string // the login that the logout comes back to
	}{
		{"in use", false, "/dossiers/7?a=b", ""},
		{"a protected page", true, "/dossiers/7?a=b", "/login?return_to=%2Fdossiers%2F7%3Fa%3Db"},
		{"the login", true, "/login?return_to=/dossiers/8", "/login?return_to=/dossiers/8"},
		{"a page with a level", true, "/mfa-only", "/login?return_to=%2Fmfa-only"},
		{"a public page with a silent login", true, "/silent", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, agentconnect.WithIdleTimeout(10*time.Minute))
			routes := a.routes()
			site := a.browserOf(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/silent" {
					a.auth.SilentLogin(http.HandlerFunc(serveAgent)).ServeHTTP(w, r)
					return
				}
				routes.ServeHTTP(w, r)
			}))
			b := a.browser()
			b.login("/dossiers", "marie")
			b.app = site.app
			if tt.idle {
				a.clock.advance(11 * time.Minute)
				b.fetch("/dossiers") // a page that polls is told first
			}
			before := a.provider.Requests(agentconnecttest.EndSession)
			follow := *b.client
			follow.CheckRedirect = nil
			var path []string
			follow.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
				if path = append(path, r.URL.RequestURI()); len(path) > 20 {
					return http.ErrUseLastResponse
				}
				return nil
			}
			b.client = &follow
			p := b.navigate(tt.via)
			switch {
			case !tt.idle || tt.via == "/silent":
				if a.provider.Requests(agentconnecttest.EndSession) != before || p.StatusCode != http.StatusOK || len(path) > 0 {
					t.Errorf("got %v, status %d, want the page at once", path, p.StatusCode)
				}
			default:
				if got := a.provider.Requests(agentconnecttest.EndSession) - before; got != 1 || !slices.Contains(path, tt.back) {
					t.Errorf("got %d logouts at the provider, by way of %v, want one, and then %s", got, path, tt.back)
				}
				if p.Request.URL.Host == strings.TrimPrefix(a.public, "http://") || b.sub() != "" {
					t.Errorf("got logged in as %q, at %s, want the provider's question", b.sub(), p.Request.URL)
				}
				if again := b.navigate("/login"); a.provider.Requests(agentconnecttest.EndSession)-before != 1 {
					t.Errorf("another login: got status %d, %d logouts at the provider, want no more", again.StatusCode, a.provider.Requests(agentconnecttest.EndSession)-before)
				}
			}
		})
	}
}

// With sealing, a record without a seal is not a session: a person who writes to the
// database cannot make one. Unsealed among the keys accepts it, during a change.
func TestThreatUnsealedRecord(t *testing.T) {
	t.Parallel()
	key := []byte(strings.Repeat("k", 32))
	store := newStore()
	cookies, err := newStoreAuth(t, store).SessionWithoutLogin(t.Context(), agentconnect.Agent{Sub: "s"})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		keys [][]byte
		want int
	}{
		"sealed":             {[][]byte{key}, http.StatusUnauthorized},
		"sealed, while both": {[][]byte{key, []byte(agentconnect.Unsealed)}, http.StatusNoContent},
	} {
		auth := newStoreAuth(t, store, agentconnect.WithSealedSessions(tt.keys...))
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.AddCookie(cookies[0])
		w := httptest.NewRecorder()
		auth.RequireAgent(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })).ServeHTTP(w, r)
		if w.Code != tt.want {
			t.Errorf("%s: got status %d, want %d", name, w.Code, tt.want)
		}
	}
}
