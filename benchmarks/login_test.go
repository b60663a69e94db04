package benchmarks

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// A loginStyle is a way to log in: the handler that sends a browser to the
// provider, and the one that it comes back to.
type loginStyle struct {
	name string
	// plainUserinfo is for what cannot read a signed userinfo.
	plainUserinfo bool
	make          func(testing.TB, *provider) (login, callback http.Handler)
}

func loginStyles() []loginStyle {
	return []loginStyle{
		{"bare", false, bareLogin},
		{"agentconnect", false, agentconnectLogin},
		{"go-oidc+scs", false, readmeLogin},
		{"zitadel-rp", true, zitadelLogin},
	}
}

// A visit is a browser that left for the provider.
type visit struct {
	state, nonce string
	cookies      string
}

// leave opens the login and returns what a browser then has.
func leave(login http.Handler) (visit, error) {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "http://localhost:8080/login", nil)
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	login.ServeHTTP(w, r)
	location, err := url.Parse(w.Header().Get("Location"))
	if err != nil || location.Query().Get("state") == "" {
		return visit{}, fmt.Errorf("the login answers %d and goes to %q, not to the provider", w.Code, w.Header().Get("Location"))
	}
	return visit{location.Query().Get("state"), location.Query().Get("nonce"), cookiePairs(w)}, nil
}

// cookiePairs returns the cookies of an answer as a browser sends them back.
func cookiePairs(w *httptest.ResponseRecorder) string {
	var pairs []string
	for _, cookie := range w.Result().Cookies() {
		if cookie.MaxAge >= 0 && cookie.Value != "" {
			pairs = append(pairs, cookie.Name+"="+cookie.Value)
		}
	}
	return strings.Join(pairs, "; ")
}

// comeBack opens the callback and returns the cookies that it sets.
func comeBack(callback http.Handler, p *provider, v visit, code string) (string, error) {
	query := url.Values{"code": {code}, "state": {v.state}, "iss": {p.issuer}}
	r := httptest.NewRequest(http.MethodGet, "http://localhost:8080/callback?"+query.Encode(), nil)
	r.Header.Set("Cookie", v.cookies)
	w := httptest.NewRecorder()
	callback.ServeHTTP(w, r)
	if w.Code != http.StatusSeeOther && w.Code != http.StatusFound {
		return "", fmt.Errorf("the callback answers %d: %.200s", w.Code, w.Body)
	}
	return cookiePairs(w), nil
}

// logIn logs in once.
func logIn(tb testing.TB, p *provider, login, callback http.Handler) (cookies string) {
	tb.Helper()
	v, err := leave(login)
	if err != nil {
		tb.Fatal(err)
	}
	cookies, err = comeBack(callback, p, v, p.issue(tb, v.nonce))
	if err != nil {
		tb.Fatal(err)
	}
	return cookies
}

// A login, both ways, on our side of the wire, beside a bare loop of the two
// HTTP exchanges and the two signature checks.
func BenchmarkLogin(b *testing.B) {
	for _, style := range loginStyles() {
		b.Run("style="+style.name, func(b *testing.B) {
			p := newProvider(b, jose.RS256, !style.plainUserinfo)
			login, callback := style.make(b, p)
			logIn(b, p, login, callback) // discovery and keys
			b.ReportAllocs()
			visits := make([]visit, b.N)
			codes := make([]string, b.N)
			var cpu stopwatch
			b.ResetTimer()
			cpu.start()
			for i := range visits {
				v, err := leave(login)
				if err != nil {
					b.Fatal(err)
				}
				visits[i] = v
			}
			b.StopTimer()
			cpu.stop()
			for i, v := range visits {
				codes[i] = p.issue(b, v.nonce)
			}
			b.StartTimer()
			cpu.start()
			for i, v := range visits {
				if _, err := comeBack(callback, p, v, codes[i]); err != nil {
					b.Fatal(err)
				}
			}
			cpu.stop()
			cpu.report(b, b.N)
		})
	}
}

const crowd = 1000

// crowdOf sends a crowd to the provider, prepares what it answers, and lets
// everybody come back at once. It returns how many failed, and why the first did.
func crowdOf(tb testing.TB, p *provider, login, callback http.Handler, start, stop func()) (failed int, first error) {
	tb.Helper()
	visits, codes := make([]visit, crowd), make([]string, crowd)
	errs := make([]error, crowd)
	together := func(do func(i int)) {
		start()
		defer stop()
		var wait sync.WaitGroup
		gate := make(chan struct{})
		for i := range crowd {
			wait.Go(func() {
				<-gate
				do(i)
			})
		}
		close(gate)
		wait.Wait()
	}
	together(func(i int) { visits[i], errs[i] = leave(login) })
	for i, v := range visits {
		codes[i] = p.issue(tb, v.nonce)
	}
	together(func(i int) {
		if errs[i] == nil {
			_, errs[i] = comeBack(callback, p, visits[i], codes[i])
		}
	})
	for _, err := range errs {
		if err != nil {
			failed++
			if first == nil {
				first = err
			}
		}
	}
	return failed, first
}

// A thousand agents log in at once, in an application that just started.
func BenchmarkThousandLogins(b *testing.B) {
	for _, style := range loginStyles() {
		b.Run("style="+style.name, func(b *testing.B) {
			var discoveries, keys, connections, failures int
			var cpu stopwatch
			b.StopTimer()
			for range b.N {
				p := newProvider(b, jose.RS256, !style.plainUserinfo)
				login, callback := style.make(b, p)
				failed, _ := crowdOf(b, p, login, callback,
					func() { b.StartTimer(); cpu.start() },
					func() { b.StopTimer(); cpu.stop() })
				failures += failed
				discoveries += p.count("/.well-known/openid-configuration")
				keys += p.count("/jwks")
				connections += p.opened()
			}
			cpu.report(b, b.N)
			for _, metric := range []struct {
				total int
				unit  string
			}{{discoveries, "discoveries/op"}, {keys, "key-reads/op"}, {connections, "connections/op"}, {failures, "failures/op"}} {
				b.ReportMetric(float64(metric.total)/float64(b.N), metric.unit)
			}
		})
	}
}

func TestThousandLoginsAtOnce(t *testing.T) {
	p := newProvider(t, jose.RS256, true)
	login, callback := agentconnectLogin(t, p)
	failed, first := crowdOf(t, p, login, callback, func() {}, func() {})
	if failed > 0 {
		t.Errorf("got %d failures of %d logins, want none; the first: %v", failed, crowd, first)
	}
	for _, want := range []struct {
		what      string
		got, most int
		least     int
	}{
		{"reads of the discovery document", p.count("/.well-known/openid-configuration"), 1, 1},
		{"reads of the keys", p.count("/jwks"), 2, 1},
		{"code exchanges", p.count("/token"), crowd, crowd},
		{"reads of the userinfo", p.count("/userinfo"), crowd, crowd},
		// At most 64 at a time, and kept: one that broke may be replaced.
		{"connections to the provider", p.opened(), 128, 1},
	} {
		if want.got < want.least || want.got > want.most {
			t.Errorf("got %d %s, want %d to %d", want.got, want.what, want.least, want.most)
		}
	}
}
