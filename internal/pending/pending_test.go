package pending_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/pending"
	"github.com/agentconnect-go/agentconnect/internal/seal"
)

func text() string {
	var b [32]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func newLogin(page string) *pending.Login {
	return &pending.Login{State: text(), Nonce: text(), Verifier: text(), Key: text(), ReturnTo: page}
}

func sealer(t testing.TB, secrets ...string) *seal.Sealer {
	t.Helper()
	s, err := seal.New("pending login", secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A site is a keeper and one browser.
type site struct {
	t      *testing.T
	keeper *pending.Keeper
	jar    *cookiejar.Jar
	url    *url.URL
	now    time.Time
}

const stem = "__Host-agentconnect"

func newSite(t *testing.T) *site {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, jar: jar, url: &url.URL{Scheme: "https", Host: "app.example", Path: "/"}, now: time.Now()}
	s.keeper = pending.New(stem, true, sealer(t, "secret"), s.clock)
	return s
}

func (s *site) clock() time.Time { return s.now }

// request is one with the browser's cookies of this moment.
func (s *site) request() *http.Request {
	r := httptest.NewRequest(http.MethodGet, "https://app.example/", nil)
	for _, c := range s.jar.Cookies(s.url) {
		r.AddCookie(c)
	}
	return r
}

// answer gives the browser the cookies of an answer.
func (s *site) answer(do func(w http.ResponseWriter)) {
	s.t.Helper()
	w := httptest.NewRecorder()
	do(w)
	cookies := w.Result().Cookies()
	for _, c := range cookies {
		if len(c.Name)+len(c.Value) > 4000 || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" {
			s.t.Errorf("got the cookie %.200v", c)
		}
	}
	s.jar.SetCookies(s.url, cookies)
}

// start starts logins, one after the other or at once, and returns them.
func (s *site) start(n int, atOnce bool, page func(int) string) []*pending.Login {
	s.t.Helper()
	var logins []*pending.Login
	r := s.request()
	for i := range n {
		if !atOnce {
			r = s.request()
		}
		l := newLogin(page(i))
		s.answer(func(w http.ResponseWriter) {
			if err := s.keeper.Add(w, r, l); err != nil {
				s.t.Fatal(err)
			}
		})
		logins = append(logins, l)
	}
	return logins
}

// header returns the size of the Cookie header that the browser sends.
func (s *site) header() int { return len(s.request().Header.Get("Cookie")) }

func TestALoginComesBackAsItWas(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		page   string
		acr    []string
		silent bool
	}{
		{"/", nil, false},
		{"/dossiers?a=b&c=d#e", []string{"eidas2"}, true},
		{"/a;b,c;{}"[:7], []string{"eidas1-mfa", "eidas2", "https://proconnect.gouv.fr/assurance/certification-dirigeant"}, false},
		{"/" + strings.Repeat("x;,", 42), nil, false},
		{"/" + strings.Repeat("x", 2047), nil, false},
	} {
		s := newSite(t)
		want := newLogin(tt.page)
		want.ACR, want.Silent = tt.acr, tt.silent
		s.answer(func(w http.ResponseWriter) {
			if err := s.keeper.Add(w, s.request(), want); err != nil {
				t.Fatal(err)
			}
		})
		s.now = s.now.Add(pending.Lifetime - 2*time.Second)
		got := s.keeper.Find(s.request(), want.State)
		if got == nil || got.Over || got.Nonce != want.Nonce || got.Verifier != want.Verifier || got.Key != want.Key || got.ReturnTo != want.ReturnTo || got.Silent != want.Silent || !reflect.DeepEqual(got.ACR, want.ACR) {
			t.Errorf("%.40q: got %+v, want %+v", tt.page, got, want)
			continue
		}
		s.answer(func(w http.ResponseWriter) { s.keeper.Remove(w, s.request(), got) })
		if s.header() != 0 || s.keeper.Find(s.request(), want.State) != nil {
			t.Errorf("%.40q: the browser still has %q", tt.page, s.request().Header.Get("Cookie"))
		}
	}
}

// However many logins start, and however, the newest can end and our cookies stay
// small.
func TestManyLogins(t *testing.T) {
	t.Parallel()
	long := func(i int) string { return fmt.Sprintf("/%03d", i) + strings.Repeat("x", 2044) }
	medium := func(i int) string { return fmt.Sprintf("/%03d", i) + strings.Repeat("x", 124) }
	short := func(i int) string { return fmt.Sprintf("/dossiers/%d", i) }
	for _, n := range []int{1, 3, 6, 8, 10, 300} {
		for name, page := range map[string]func(int) string{"long": long, "medium": medium, "short": short} {
			for _, before := range []int{0, 5, 8} {
				for _, atOnce := range []bool{false, true} {
					s := newSite(t)
					s.start(before, false, page)
					logins := s.start(n, atOnce, page)
					// Beside them are those of the session, of its last use, and others: 1,000 bytes at most.
					if got := s.header(); got > 7000 {
						t.Errorf("%s, %d after %d, at once %t: got a Cookie header of %d bytes, want 7000 at most", name, n, before, atOnce, got)
					}
					for i, l := range logins {
						got := s.keeper.Find(s.request(), l.State)
						if alive := i >= n-pending.Slots; (got != nil) != alive {
							t.Errorf("%s, %d after %d, at once %t: login %d is there: %t, want the newest %d", name, n, before, atOnce, i, got != nil, pending.Slots)
							continue
						}
						if got != nil && (name != "long" || i == n-1) && got.ReturnTo != l.ReturnTo {
							t.Errorf("%s, %d after %d, at once %t: login %d comes back to %.40q, want %.40q", name, n, before, atOnce, i, got.ReturnTo, l.ReturnTo)
						}
					}
				}
			}
		}
	}
}

// Logins that start in quick succession, as in tabs that a browser restores, do not take
// each other's slots, whatever answers have arrived in between, and however many other
// browsers start logins.
func TestLoginsInQuickSuccession(t *testing.T) {
	t.Parallel()
	for _, others := range []int{0, 1, 3, 7} {
		for lag := range pending.Slots {
			for repeat := range 3 {
				s := newSite(t)
				var logins []*pending.Login
				var answers []*httptest.ResponseRecorder
				for i := range pending.Slots {
					if i-lag-1 >= 0 {
						s.jar.SetCookies(s.url, answers[i-lag-1].Result().Cookies())
					}
					l, w := newLogin("/"), httptest.NewRecorder()
					if err := s.keeper.Add(w, s.request(), l); err != nil {
						t.Fatal(err)
					}
					logins, answers = append(logins, l), append(answers, w)
					for range others + i*repeat {
						stranger := httptest.NewRequest(http.MethodGet, "https://app.example/", nil)
						stranger.RemoteAddr = "203.0.113.7:443"
						if err := s.keeper.Add(httptest.NewRecorder(), stranger, newLogin("/")); err != nil {
							t.Fatal(err)
						}
					}
				}
				for _, w := range answers {
					s.jar.SetCookies(s.url, w.Result().Cookies())
				}
				for i, l := range logins {
					if got := s.keeper.Find(s.request(), l.State); got == nil || got.Over {
						t.Errorf("answers %d logins late, %d others: got %+v, want login %d", lag, others, got, i)
					}
				}
			}
		}
	}
}

// A login that saw other cookies than its neighbours takes a slot of its own too, also
// where a browser restored its tabs before.
func TestLoginsInAnotherOrder(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	page := func(int) string { return "/" }
	s.start(pending.Slots, true, page)
	var err error
	if s.jar, err = cookiejar.New(nil); err != nil {
		t.Fatal(err)
	}
	s.now = s.now.Add(time.Minute)
	before := s.request()
	add := func(r *http.Request) *pending.Login {
		l := newLogin("/")
		s.answer(func(w http.ResponseWriter) {
			if err := s.keeper.Add(w, r, l); err != nil {
				t.Fatal(err)
			}
		})
		return l
	}
	logins := []*pending.Login{add(before)}
	after := s.request() // which saw the first one
	for _, r := range []*http.Request{before, before, after, before, after, before, before} {
		logins = append(logins, add(r))
	}
	for i, l := range logins {
		if got := s.keeper.Find(s.request(), l.State); got == nil || got.Over {
			t.Errorf("got %+v, want login %d", got, i)
		}
	}
}

// Logins that the clock does not tell apart keep their order.
func TestTheOldestGoes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var logins []*pending.Login
	for range pending.Slots + 3 {
		logins = append(logins, s.start(1, false, func(int) string { return "/" })...)
	}
	for i, l := range logins {
		if got := s.keeper.Find(s.request(), l.State) != nil; got != (i >= 3) {
			t.Errorf("login %d is there: %t, want the newest %d", i, got, pending.Slots)
		}
	}
}

// The page that a login was going to is known for an hour, though the login took
// too long or does not open any more.
func TestThePageOutlivesTheLogin(t *testing.T) {
	t.Parallel()
	for _, page := range []string{"/dossiers/7?a=b", "/" + strings.Repeat("x", 1000)} {
		s := newSite(t)
		l := s.start(1, false, func(int) string { return page })[0]
		other := pending.New(stem, true, sealer(t, "another secret"), s.clock)
		if got := other.Find(s.request(), l.State); got == nil || !got.Over || got.ReturnTo != page || got.Verifier != "" {
			t.Errorf("another secret: got %+v, want the page alone", got)
		}
		rotated := pending.New(stem, true, sealer(t, "another secret", "secret"), s.clock)
		if got := rotated.Find(s.request(), l.State); got == nil || got.Over || got.Nonce != l.Nonce {
			t.Errorf("another secret, this one known: got %+v, want the login", got)
		}
		s.now = s.now.Add(pending.Lifetime)
		if got := s.keeper.Find(s.request(), l.State); got == nil || !got.Over || got.ReturnTo != page || got.Verifier != "" {
			t.Errorf("after ten minutes: got %+v, want the page alone", got)
		}
	}
}

// After a login that was refused, its page is known for an hour, its slot is free, and
// nothing of the login is left.
func TestThePageOutlivesARefusal(t *testing.T) {
	t.Parallel()
	for _, page := range []string{"/", "/dossiers/7?a=b;c,d", "/" + strings.Repeat("x", 1000)} {
		s := newSite(t)
		l := s.start(1, false, func(int) string { return page })[0]
		s.answer(func(w http.ResponseWriter) { s.keeper.End(w, s.request(), s.keeper.Find(s.request(), l.State)) })
		for range 2 {
			if got := s.keeper.Find(s.request(), l.State); got == nil || !got.Over || got.ReturnTo != page || got.Verifier != "" {
				t.Errorf("%.20q: got %+v, want the page alone", page, got)
			}
		}
		for _, newer := range s.start(pending.Slots, false, func(int) string { return "/" }) {
			if got := s.keeper.Find(s.request(), newer.State); got == nil || got.Over {
				t.Errorf("%.20q: got %+v, want the eight newer logins", page, got)
			}
		}
		if got := s.keeper.Find(s.request(), l.State); got != nil {
			t.Errorf("%.20q: got %+v, want the login to have given way", page, got)
		}
	}
	// A silent login shows no page that could be reloaded.
	s := newSite(t)
	l := newLogin("/dossiers")
	l.Silent = true
	s.answer(func(w http.ResponseWriter) {
		if err := s.keeper.Add(w, s.request(), l); err != nil {
			t.Fatal(err)
		}
	})
	s.answer(func(w http.ResponseWriter) { s.keeper.End(w, s.request(), s.keeper.Find(s.request(), l.State)) })
	if s.header() != 0 {
		t.Errorf("a silent login: the browser still has %q", s.request().Header.Get("Cookie"))
	}
}

// A login is of its state, whole, and of nobody else's cookie.
func TestFindNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.start(1, false, func(int) string { return "/" })[0]
	for _, state := range []string{"", l.State[:7], l.State[:8], l.State[:42], l.State + "A", l.State[:42] + "-", text()} {
		if got := s.keeper.Find(s.request(), state); got != nil {
			t.Errorf("%q: got %+v, want nothing", state, got)
		}
	}
	good := s.request().Header.Get("Cookie")
	name, value, _ := strings.Cut(good, "=")
	for _, header := range []string{
		strings.ToUpper(name) + "=" + value, "\u2000" + good, name + "x=" + value, name[:len(name)-1] + "9=" + value, name + "=" + value[8:],
		name + "=AAAAAAAA" + value[8:], name + "=" + strings.Replace(value, ".", "", 1), name + "=", strings.Repeat(name+"="+value+"; ", 500),
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Cookie"] = []string{header}
		if got := s.keeper.Find(r, l.State); got != nil && !got.Over {
			t.Errorf("%.60q: got the login", header)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header["Cookie"] = []string{name + "=planted; " + good}
	if got := s.keeper.Find(r, l.State); got == nil || got.Over {
		t.Errorf("beside a planted cookie: got %+v, want the login", got)
	}
}

// Two applications whose cookies' names begin alike leave each other's alone.
func TestCookiesOfOthers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	others := []string{stem + "-login", stem + "-login-x", stem + "-login-dossiers", stem + "-login-dossiers-login-0", stem + "-login-00", stem + "x-login-0", stem + "-logins-0"}
	for _, name := range others {
		s.jar.SetCookies(s.url, []*http.Cookie{{Name: name, Value: "theirs", Path: "/", Secure: true}})
	}
	s.start(20, false, func(int) string { return "/" })
	left := map[string]bool{}
	for _, c := range s.jar.Cookies(s.url) {
		left[c.Name] = true
	}
	for _, name := range others {
		if !left[name] {
			t.Errorf("the cookie %s of another application is gone", name)
		}
	}
}

func TestAddRefuses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := newLogin("/")
	l.Nonce = "short"
	if err := s.keeper.Add(httptest.NewRecorder(), s.request(), l); err == nil {
		t.Error("got no error for a nonce that is not 256 bits")
	}
}

// While a stem changes, instances of both answer in turn: each finds the other's
// logins, takes them away, and there are no more of both than of one.
func TestTwoStems(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	former := pending.New(stem, true, sealer(t, "secret"), s.clock, "__Host-next")
	next := pending.New("__Host-next", true, sealer(t, "secret"), s.clock, stem)
	keepers := []*pending.Keeper{former, next}
	var logins []*pending.Login
	for i := range 3 * pending.Slots {
		s.now = s.now.Add(time.Second)
		s.keeper = keepers[i%2]
		logins = append(logins, s.start(1, false, func(int) string { return "/" + strings.Repeat("x", 300*(i%2)) })...)
	}
	if got := len(s.jar.Cookies(s.url)); got > pending.Slots+2 {
		t.Errorf("got %d cookies, want %d logins and two pages at most", got, pending.Slots)
	}
	if got := s.header(); got > 8000 {
		t.Errorf("got %d bytes of cookies, want 8000 at most", got)
	}
	for i, l := range logins {
		for _, keeper := range keepers {
			got := keeper.Find(s.request(), l.State)
			if want := i >= len(logins)-pending.Slots; (got != nil) != want {
				t.Errorf("login %d of %d: found %v, want %v", i, len(logins), got != nil, want)
			}
		}
	}
	for i, l := range logins[len(logins)-pending.Slots:] {
		other := keepers[i%2]
		s.answer(func(w http.ResponseWriter) { other.Remove(w, s.request(), other.Find(s.request(), l.State)) })
		if former.Find(s.request(), l.State) != nil || next.Find(s.request(), l.State) != nil {
			t.Errorf("login %d is found after it was removed", i)
		}
	}
}

// The page that all logins share is only that of the login that it names; a login
// whose texts have not 256 bits is refused, and one that is sealed and of another form
// or version is over.
func TestOddLogins(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	logins := s.start(2, false, func(i int) string { return fmt.Sprintf("/%d", i) + strings.Repeat("x", 500) })
	if got := s.keeper.Find(s.request(), logins[0].State); got == nil || got.ReturnTo != "" {
		t.Errorf("got %+v, want the first login without the page of the second", got)
	}

	short := newLogin("/")
	short.Nonce = short.Nonce[:40]
	if err := s.keeper.Add(httptest.NewRecorder(), s.request(), short); err == nil {
		t.Error("a login with a short nonce: got no error")
	}

	state := logins[1].State
	of := func(version byte) []byte {
		plain := binary.BigEndian.AppendUint64([]byte{version, 0}, uint64(s.now.UnixNano()))
		plain, err := base64.RawURLEncoding.AppendDecode(plain, []byte(state))
		if err != nil {
			t.Fatal(err)
		}
		return append(plain, make([]byte, 96)...)
	}
	for name, plain := range map[string][]byte{
		"nothing":         {},
		"half of it":      make([]byte, 100),
		"another version": of(9),
	} {
		slot := stem + "-login-0"
		value := state[:8] + "." + sealer(t, "secret").Seal(plain, slot+"\x00/page") + "./page"
		r := httptest.NewRequest(http.MethodGet, "https://app.example/", nil)
		r.AddCookie(&http.Cookie{Name: slot, Value: value})
		if got := s.keeper.Find(r, state); got == nil || !got.Over || got.ReturnTo != "/page" {
			t.Errorf("%s: got %+v, want a login that is over, with its page", name, got)
		}
	}
}
