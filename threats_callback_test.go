package agentconnect_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

// callbackRefusal is what a fault of the way back must come to.
func callbackRefusal(f agentconnecttest.Fault) refusal {
	started := func(code agentconnect.Code) refusal { return refusal{code: code, again: refusedPage} }
	invalid := refusal{code: "invalid_request", again: "/login"}
	refusals := map[agentconnecttest.Fault]refusal{
		agentconnecttest.Fault("callback-wrong-issuer"):   started("issuer_mismatch"),
		agentconnecttest.Fault("callback-missing-issuer"): started("issuer_mismatch"),
		agentconnecttest.Fault("callback-empty-issuer"):   started("issuer_mismatch"),
		agentconnecttest.Fault("callback-issuer-slash"):   started("issuer_mismatch"),
		agentconnecttest.Fault("callback-wrong-state"):    {code: "unknown_state", again: "/login"},
		agentconnecttest.Fault("callback-invalid-code"):   {code: "invalid_grant", exchanges: 1, again: refusedPage},

		agentconnecttest.CallbackAccessDenied:                      started("access_denied"),
		agentconnecttest.Fault("callback-aborted"):                 started("provider_session_lost"),
		agentconnecttest.Fault("callback-invalid-identity"):        {code: "identity_refused"},
		agentconnecttest.Fault("callback-limitation"):              {code: "domain_refused"},
		agentconnecttest.Fault("callback-technical-error"):         started("provider_error"),
		agentconnecttest.Fault("callback-idp-error"):               started("provider_error"),
		agentconnecttest.CallbackServerError:                       started("provider_error"),
		agentconnecttest.Fault("callback-login-required"):          started("login_required"),
		agentconnecttest.Fault("callback-invalid-scope"):           {code: "request_rejected"},
		agentconnecttest.Fault("callback-temporarily-unavailable"): started(agentconnect.CodeProviderUnavailable),
		agentconnecttest.Fault("callback-invented-error"):          started("provider_error"),
		agentconnecttest.Fault("callback-bare-error"):              started("provider_error"),
		agentconnecttest.Fault("callback-markup-error"):            started("provider_error"),
		agentconnecttest.Fault("callback-control-error"):           started("provider_error"),
		agentconnecttest.Fault("callback-error-without-issuer"):    started("issuer_mismatch"),
	}
	if r, ok := refusals[f]; ok {
		return r
	}
	return invalid // missing, repeated, oversized, malformed, contradictory
}

// isOnProviderPage recognises the faults after which no browser comes back.
func isOnProviderPage(f agentconnecttest.Fault) bool {
	return strings.HasPrefix(string(f), "page-")
}

// TestThreatCallbackFaults goes through the faults of the way back, for a
// stranger and with another agent logged in in the same browser.
func TestThreatCallbackFaults(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	session := a.sessionOf("marie")
	for _, info := range agentconnecttest.Faults() {
		if info.Endpoint != agentconnecttest.Authorize || isOnProviderPage(info.Fault) {
			continue
		}
		for _, cookie := range []string{"", session} {
			name := string(info.Fault)
			if cookie != "" {
				name += ", logged in"
			}
			t.Run(name, func(t *testing.T) {
				a := a.in(t)
				b := a.browser()
				if cookie != "" && info.Refuse {
					b.setCookie("agentconnect", cookie)
				}
				a.provider.Inject(info.Fault)
				defer a.provider.Clear()
				callback := b.callback("/login?return_to=/dossiers/7", "karim")
				if !info.Refuse {
					b.expectLogin(callback, "karim", "/dossiers/7")
					return
				}
				b.refused(callbackRefusal(info.Fault), func() page { return b.navigate(callback.String()) })
			})
		}
	}
}

// TestThreatCallbackParameters is about queries that the provider does not make
// but anybody can: each is refused before the code is used.
func TestThreatCallbackParameters(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	long := strings.Repeat("x", 4097)
	for _, tt := range []struct {
		name  string
		query func(good url.Values) string
		code  agentconnect.Code // "" for a login
	}{
		{"as it is", func(q url.Values) string { return q.Encode() }, ""},
		{"nothing", func(url.Values) string { return "" }, "invalid_request"},
		{"state alone", func(q url.Values) string { return "state=" + q.Get("state") }, "invalid_request"},
		{"code alone", func(q url.Values) string { return "code=" + q.Get("code") }, "invalid_request"},
		{"semicolons", func(q url.Values) string { return strings.ReplaceAll(q.Encode(), "&", ";") }, "invalid_request"},
		{"malformed escape in an unknown parameter", func(q url.Values) string { return q.Encode() + "&x=%" }, "invalid_request"},
		{"repeated description", func(q url.Values) string { return q.Encode() + "&error_description=a&error_description=b" }, "invalid_request"},
		{"description of 4097 bytes", func(q url.Values) string { return q.Encode() + "&error_description=" + long }, "invalid_request"},
		{"code of 4097 bytes", func(q url.Values) string { q.Set("code", long); return q.Encode() }, "invalid_request"},
		{"query of 8193 bytes", func(q url.Values) string { return q.Encode() + "&x=" + strings.Repeat("x", 8190-len(q.Encode())) }, "invalid_request"},
		{"query of 8192 bytes", func(q url.Values) string { return q.Encode() + "&x=" + strings.Repeat("x", 8189-len(q.Encode())) }, ""},
		{"state one byte short", func(q url.Values) string { q.Set("state", q.Get("state")[:42]); return q.Encode() }, "unknown_state"},
		{"state one byte long", func(q url.Values) string { q.Set("state", q.Get("state")+"A"); return q.Encode() }, "unknown_state"},
		{"first bytes of the state alone", func(q url.Values) string { q.Set("state", q.Get("state")[:8]); return q.Encode() }, "unknown_state"},
		{"state of three bytes", func(q url.Values) string { q.Set("state", "abc"); return q.Encode() }, "unknown_state"},
		{"state in other case", func(q url.Values) string { q.Set("state", swapCase(q.Get("state"))); return q.Encode() }, "unknown_state"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := a.in(t)
			b := a.browser()
			callback := b.callback("/login?return_to=/dossiers/7", "karim")
			callback.RawQuery = tt.query(callback.Query())
			if tt.code == "" {
				b.expectLogin(callback, "karim", "/dossiers/7")
				return
			}
			b.refused(refusal{code: tt.code, again: "/login"}, func() page { return b.navigate(callback.String()) })
		})
	}
}

func swapCase(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return r
	}, s)
}

// Other methods than GET are refused; they do not use the login up.
func TestThreatCallbackMethods(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.loggedIn("marie")
	callback := b.callback("/login?return_to=/dossiers/7", "karim")
	person := http.Header{"Sec-Fetch-Mode": {"navigate"}, "Accept": {"text/html"}}
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS"} {
		p := b.refused(refusal{code: "method_not_allowed"}, func() page { return b.do(method, callback.String(), person, "") })
		if got := p.Header.Get("Allow"); got != "GET" {
			t.Errorf("%s: got Allow %q, want GET", method, got)
		}
	}
	if p := b.do("HEAD", callback.String(), person, ""); p.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("HEAD: got status %d, want 405", p.StatusCode)
	}
	b.expectLogin(callback, "karim", "/dossiers/7")
}

// A login starts with GET, or with POST and a form that is not too long; HEAD,
// which link checkers send, starts nothing.
func TestThreatLoginMethods(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	for _, tt := range []struct {
		method, body string
		status       int
		starts       bool
	}{
		{"GET", "", http.StatusSeeOther, true},
		{"POST", "return_to=/dossiers/7", http.StatusSeeOther, true},
		{"POST", "return_to=/dossiers/7&x=" + strings.Repeat("x", 64<<10), http.StatusBadRequest, false},
		{"POST", "return_to=%zz", http.StatusBadRequest, false},
		{"HEAD", "", http.StatusOK, false},
		{"PUT", "", http.StatusMethodNotAllowed, false},
		{"DELETE", "", http.StatusMethodNotAllowed, false},
	} {
		b := a.browser()
		p := b.do(tt.method, "/login", http.Header{"Sec-Fetch-Mode": {"navigate"}}, tt.body)
		if p.StatusCode != tt.status || (p.location() != "") != tt.starts || (len(b.cookies()) > 0) != tt.starts {
			t.Errorf("%s %.30s: got status %d to %q with %d cookies, want %d, a login: %t", tt.method, tt.body, p.StatusCode, p.location(), len(b.cookies()), tt.status, tt.starts)
		}
	}
}

// A state belongs to one browser, one login, ten minutes and one use.
func TestThreatCallbackState(t *testing.T) {
	t.Parallel()
	unknown := refusal{code: "unknown_state", again: "/login"}

	t.Run("another browser's", func(t *testing.T) {
		t.Parallel()
		a := newApp(t)
		victim, attacker := a.loggedIn("marie"), a.browser()
		callback := attacker.callback("/login", "karim")
		victim.refused(unknown, func() page { return victim.navigate(callback.String()) })
		stranger := a.browser()
		stranger.callback("/login", "marie") // with a login of its own under way
		stranger.refused(unknown, func() page { return stranger.navigate(callback.String()) })
		attacker.expectLogin(callback, "karim", "/")
	})
	t.Run("another one with the beginning of this browser's", func(t *testing.T) {
		t.Parallel()
		a := newApp(t)
		b := a.browser()
		callback := b.callback("/login", "karim")
		query := callback.Query()
		state := query.Get("state")
		query.Set("state", state[:len(state)-1]+map[bool]string{true: "B", false: "A"}[strings.HasSuffix(state, "A")])
		b.refused(unknown, func() page { return b.navigate(a.url + "/callback?" + query.Encode()) })
		b.expectLogin(callback, "karim", "/")
	})
	t.Run("another browser's, with its cookie under another name", func(t *testing.T) {
		t.Parallel()
		a := newApp(t)
		b := a.browser()
		callback := b.callback("/login", "karim")
		state := callback.Query().Get("state")
		name, cookie := b.loginCookie()
		other := a.browser()
		query := callback.Query()
		query.Set("state", "AAAAAAAA"+state[8:])
		other.setCookie(name, "AAAAAAAA"+cookie[8:])
		other.refused(unknown, func() page { return other.navigate(a.url + "/callback?" + query.Encode()) })
	})
	t.Run("expired", func(t *testing.T) {
		t.Parallel()
		a := newApp(t)
		b := a.loggedIn("marie")
		callback := b.callback("/login", "karim")
		a.clock.advance(10 * time.Minute)
		b.refused(unknown, func() page { return b.navigate(callback.String()) })
	})
	t.Run("almost expired", func(t *testing.T) {
		t.Parallel()
		a := newApp(t)
		b := a.browser()
		callback := b.callback("/login?return_to=/dossiers/7", "karim")
		a.clock.advance(9*time.Minute + 58*time.Second)
		// The login is still known; the provider's code lives less long.
		b.refused(refusal{code: "invalid_grant", exchanges: 1, again: refusedPage}, func() page { return b.navigate(callback.String()) })
	})
	t.Run("used, after which the agent goes on to the application", func(t *testing.T) {
		t.Parallel()
		a := newApp(t)
		b := a.browser()
		callback := b.callback("/login?return_to=/dossiers/7", "karim")
		b.expectLogin(callback, "karim", "/dossiers/7")
		exchanges, _ := a.calls()
		if p := b.navigate(callback.String()); p.StatusCode != http.StatusSeeOther || p.location() != "/" {
			t.Errorf("back to the used callback: got status %d to %q, want 303 to /", p.StatusCode, p.location())
		}
		if got, _ := a.calls(); got != exchanges {
			t.Errorf("calls to the token endpoint: got %d, want none for the used callback", got-exchanges)
		}
		if got := b.sub(); got != a.agentSub("karim") {
			t.Errorf("got agent %q, want karim still", got)
		}
		a.clock.advance(13 * time.Hour) // the session is over, and nobody looked at it yet
		b.checkErrorPage(b.navigate(callback.String()), unknown)
	})
	t.Run("used, by a browser that is not logged in any more", func(t *testing.T) {
		t.Parallel()
		a := newApp(t)
		b := a.browser()
		callback := b.callback("/login", "karim")
		cookies := b.cookies()
		b.expectLogin(callback, "karim", "/")
		b.post("/logout", nil)
		b.refused(unknown, func() page { return b.navigate(callback.String()) })
		// Nor with the cookie of the login, which somebody kept.
		for name, value := range cookies {
			b.setCookie(name, value)
		}
		b.refused(refusal{code: "unknown_state", again: "/login"}, func() page { return b.navigate(callback.String()) })
	})
	t.Run("used, by an agent who logged in anew since", func(t *testing.T) {
		t.Parallel()
		a := newApp(t)
		b := a.browser()
		callback := b.callback("/login", "karim")
		b.expectLogin(callback, "karim", "/")
		b.login("/login", "")
		b.refused(unknown, func() page { return b.navigate(callback.String()) })
	})
	t.Run("two tabs, in any order", func(t *testing.T) {
		t.Parallel()
		a := newApp(t)
		b := a.browser()
		one := b.callback("/login?return_to=/dossiers/1", "karim")
		two := b.callback("/login?return_to=/dossiers/2", "karim")
		b.expectLogin(two, "karim", "/dossiers/2")
		b.expectLogin(one, "karim", "/dossiers/1")
	})
	t.Run("tab 1 gets the state of tab 2", func(t *testing.T) {
		t.Parallel()
		a := newApp(t)
		b := a.browser()
		a.provider.Inject(agentconnecttest.PageCrossedTabs)
		one := b.callback("/login?return_to=/dossiers/1", "karim")
		b.expectLogin(one, "karim", "/dossiers/1")
	})
	t.Run("a login that the provider redirected somewhere else", func(t *testing.T) {
		t.Parallel()
		a := newApp(t)
		b := a.loggedIn("marie")
		one, two := b.callback("/login", "karim"), b.callback("/login", "karim")
		// The code of one with the state of the other: the provider refuses the
		// verifier, and the nonce would be wrong.
		query := one.Query()
		query.Set("code", two.Query().Get("code"))
		one.RawQuery = query.Encode()
		b.refused(refusal{code: "invalid_grant", exchanges: 1, again: "/login"}, func() page { return b.navigate(one.String()) })
	})
}

// The same callback twice at once: one exchange, one session, and both come to
// the page.
func TestThreatTwinCallbacks(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	var inFlight atomic.Int32
	site := a.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inFlight.Add(1)
		defer inFlight.Add(-1)
		a.auth.Callback(w, r)
	}))
	for range 5 {
		b := a.browser()
		callback := b.callback("/login?return_to=/dossiers/7", "karim")
		before, _ := a.calls()
		sessions := a.store.sessions(t)
		var ended sync.WaitGroup
		hold := make(chan struct{})
		arrived := make(chan struct{}, 1)
		a.provider.Inject(agentconnecttest.Tamper{Endpoint: agentconnecttest.Token, Answer: func(*agentconnecttest.Answer) {
			arrived <- struct{}{}
			<-hold
		}})
		cookies := b.cookies() // those of the two requests; the first answer takes them away
		for range 2 {
			ended.Go(func() {
				twin := a.browser()
				for name, value := range cookies {
					twin.setCookie(name, value)
				}
				if p := twin.navigate(site + callback.RequestURI()); p.StatusCode != http.StatusSeeOther || p.location() != "/dossiers/7" {
					t.Errorf("got status %d to %q, want 303 to the page; %.500s", p.StatusCode, p.location(), p.body)
				}
				if got := twin.sub(); got != a.agentSub("karim") {
					t.Errorf("got agent %q, want karim", got)
				}
			})
		}
		<-arrived
		a.eventually("the second callback", func() bool { return inFlight.Load() == 2 })
		time.Sleep(20 * time.Millisecond) // nothing tells that it waits for the first
		close(hold)
		ended.Wait()
		a.provider.Clear()
		if got, _ := a.calls(); got-before != 1 {
			t.Errorf("calls to the token endpoint: got %d, want 1", got-before)
		}
		if got := a.store.sessions(t); got-sessions != 1 {
			t.Errorf("sessions: got %d, want 1", got-sessions)
		}
	}
}

// The same callback at the same moment on another instance: the provider accepts the
// code once, and both come to the page with one session and what the hook added. A
// hook that refuses, and a departure, are the end of both.
func TestThreatTwinOnAnotherInstance(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		after func(a *app) error // in the hook, after the other one's code was refused
		code  agentconnect.Code  // of the first; "" if it succeeds
	}{
		{"accepted", func(*app) error { return nil }, ""},
		{"refused", func(*app) error { return agentconnect.RefuseLogin(agentconnect.Reason{French: "Non.", English: "No."}) }, agentconnect.CodeLoginRefused},
		{"departed", func(a *app) error {
			_, err := a.auth.EndSessionsOf(a.t.Context(), a.agentSub("karim"))
			return err
		}, agentconnect.CodeLoginRefused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inHook := make(chan struct{})
			var a *app
			a = newApp(t, agentconnect.WithLoginHook(func(ctx context.Context, login *agentconnect.Login) error {
				close(inHook)
				a.eventually("the other one's exchange", func() bool { exchanges, _ := a.calls(); return exchanges == 2 })
				http.SetCookie(login.Writer, &http.Cookie{Name: "own", Value: "new", Path: "/"})
				login.ReturnTo = "/dossiers/bienvenue"
				return tt.after(a)
			}))
			b := a.browser()
			callback := b.callback("/login?return_to=/dossiers/7", "karim")
			first, second := a.browserWith(b.cookies()), a.browserWith(b.cookies())
			second.app = a.another()
			check := func(b *browser, p page, code agentconnect.Code) {
				if code != "" {
					again := map[agentconnect.Code]string{"invalid_grant": refusedPage}[code]
					b.checkErrorPage(p, refusal{code: code, again: again})
					if got := b.sub(); got != "" {
						t.Errorf("got agent %q, want none", got)
					}
					return
				}
				if p.StatusCode != http.StatusSeeOther || p.location() != "/dossiers/bienvenue" || b.cookies()["own"] != "new" {
					t.Errorf("got status %d to %q, cookie %q, want 303 to the hook's page, with its cookie; %.500s", p.StatusCode, p.location(), b.cookies()["own"], p.body)
				}
				if got := b.sub(); got != a.agentSub("karim") {
					t.Errorf("got agent %q, want karim", got)
				}
			}
			var ended sync.WaitGroup
			ended.Go(func() { check(first, first.navigate("/callback?"+callback.RawQuery), tt.code) })
			<-inHook
			ended.Go(func() {
				code := tt.code
				if code != "" {
					code = "invalid_grant"
				}
				check(second, second.navigate("/callback?"+callback.RawQuery), code)
			})
			ended.Wait()
			if one, two := first.cookies()["agentconnect"], second.cookies()["agentconnect"]; one != two {
				t.Errorf("got two sessions, %q and %q", one, two)
			}
			if n := strings.Count(a.logs.String(), "login_succeeded"); tt.code == "" && n != 1 {
				t.Errorf("got %d logins in the log, want 1", n)
			}
		})
	}
}

// A callback looks for the session of its twin, and the twin ends just after that look:
// both get the same session.
func TestThreatTwinThatEndsMeanwhile(t *testing.T) {
	t.Parallel()
	interrupted := &interruptedStore{store: newStore(), afterwards: true}
	a := newApp(t, agentconnect.WithSessionStore(interrupted))
	a.store = interrupted.store
	b := a.browser()
	callback := b.callback("/login?return_to=/dossiers/7", "karim")
	first, second := a.browserWith(b.cookies()), a.browserWith(b.cookies())
	interrupted.at(1, func() { first.navigate(callback.String()) })
	for name, p := range map[string]page{"the second": second.navigate(callback.String()), "once more": a.browserWith(b.cookies()).navigate(callback.String())} {
		if p.StatusCode != http.StatusSeeOther || p.location() != "/dossiers/7" {
			t.Errorf("%s: got status %d to %q, want 303 to the page; %.500s", name, p.StatusCode, p.location(), p.body)
		}
	}
	if one, two := first.cookies()["agentconnect"], second.cookies()["agentconnect"]; one == "" || one != two {
		t.Errorf("got the sessions %q and %q, want one", one, two)
	}
	if got := second.sub(); got != a.agentSub("karim") {
		t.Errorf("got agent %q, want karim", got)
	}
}

// Only a code that was used already makes a callback look again for a session.
func TestThreatNoTwin(t *testing.T) {
	t.Parallel()
	for fault, again := range map[agentconnecttest.Fault]bool{"token-error-500": false, "token-invalid-grant": true} {
		a := newApp(t)
		a.provider.Inject(fault)
		b := a.browser()
		callback := b.callback("/login?return_to=/dossiers/7", "karim")
		before, _, _ := a.store.counts()
		b.navigate(callback.String())
		if finds, _, _ := a.store.counts(); finds-before > 1 != again {
			t.Errorf("%s: got %d reads of the store, want more than one: %v", fault, finds-before, again)
		}
	}
}

// An answer that is given again has what the login hook added to it: its cookies,
// and the page that it chose. The store shows nothing of them.
func TestThreatLostAnswerOfTheHook(t *testing.T) {
	t.Parallel()
	a := newApp(t, agentconnect.WithLoginHook(func(_ context.Context, login *agentconnect.Login) error {
		http.SetCookie(login.Writer, &http.Cookie{Name: "own", Value: "of-the-application", Path: "/"})
		login.ReturnTo = "/dossiers/bienvenue"
		return nil
	}))
	b := a.browser()
	callback := b.callback("/login?return_to=/dossiers/7", "karim")
	before := b.cookies()
	b.navigate(callback.String())
	for name, instance := range map[string]*app{"here": a, "on another instance": a.another()} {
		again := a.browserWith(before)
		again.app = instance
		p := again.navigate("/callback?" + callback.RawQuery)
		if p.location() != "/dossiers/bienvenue" || again.cookies()["own"] != "of-the-application" {
			t.Errorf("%s: got status %d to %q, cookies %q, want what the hook added", name, p.StatusCode, p.location(), p.Header["Set-Cookie"])
		}
	}
	records, err := a.store.All()
	if err != nil || len(records) != 2 {
		t.Fatalf("got %d records, error %v, want the session and its answer", len(records), err)
	}
	for key, record := range records {
		if bytes.Contains(record, []byte("of-the-application")) {
			t.Errorf("the record %s shows the application's cookie", key)
		}
		if !strings.Contains(key, ".") { // the answer's
			if err := a.store.MemStore.Commit(key, []byte("garbage"), time.Now().Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
	}
	again := a.browserWith(before)
	if p := again.navigate("/callback?" + callback.RawQuery); p.location() != "/dossiers/7" || again.sub() == "" {
		t.Errorf("with an answer that cannot be read: got status %d to %q, want the login's page", p.StatusCode, p.location())
	}
	a.store.setFailure(errors.New("down"))
	again = a.browserWith(before)
	again.checkErrorPage(again.navigate("/callback?"+callback.RawQuery), refusal{code: agentconnect.CodeSessionStore})
}

// While an agent's departure is recent, no answer is given again: its session can be
// one that the departure is about to end.
func TestThreatLostAnswerOfADeparture(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	callback := b.callback("/login?return_to=/dossiers/7", "karim")
	before := b.cookies()
	b.navigate(callback.String())
	records, err := a.store.All()
	if err != nil || len(records) != 1 {
		t.Fatalf("got %d records, error %v, want 1", len(records), err)
	}
	if n, err := a.auth.EndSessionsOf(t.Context(), a.agentSub("karim")); n != 1 || err != nil {
		t.Fatalf("got %d sessions ended, error %v, want 1", n, err)
	}
	for key, record := range records { // as if it had been made just now
		if err := a.store.MemStore.Commit(key, record, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	for name, instance := range map[string]*app{"here": a, "on another instance": a.another()} {
		again := a.browserWith(before)
		again.app = instance
		if p := again.navigate("/callback?" + callback.RawQuery); p.StatusCode != http.StatusBadRequest || again.cookies()["agentconnect"] != "" {
			t.Errorf("%s: got status %d to %q, want 400 and no session", name, p.StatusCode, p.location())
		}
	}
}

// A twin that waits for a callback whose hook panics is refused, and gets no
// session that does not exist.
func TestThreatTwinOfAPanic(t *testing.T) {
	t.Parallel()
	inHook, hold := make(chan struct{}), make(chan struct{})
	a := newApp(t, agentconnect.WithLoginHook(func(context.Context, *agentconnect.Login) error {
		close(inHook)
		<-hold
		panic(http.ErrAbortHandler)
	}))
	var inFlight atomic.Int32
	site := a.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inFlight.Add(1)
		a.auth.Callback(w, r)
	}))
	b := a.browser()
	callback := b.callback("/login?return_to=/dossiers/7", "karim")
	first, twin := a.browserWith(b.cookies()), a.browserWith(b.cookies())
	var ended sync.WaitGroup
	ended.Go(func() {
		if resp, err := first.client.Get(site + callback.RequestURI()); err == nil {
			resp.Body.Close()
			t.Errorf("the first: got status %d, want an aborted connection", resp.StatusCode)
		}
	})
	<-inHook
	ended.Go(func() {
		p := twin.navigate(site + callback.RequestURI())
		twin.checkErrorPage(p, refusal{code: agentconnect.CodeInternal, again: refusedPage})
	})
	a.eventually("the second callback", func() bool { return inFlight.Load() == 2 })
	time.Sleep(20 * time.Millisecond) // nothing tells that it waits for the first
	close(hold)
	ended.Wait()
	if n := a.store.sessions(t); n != 0 {
		t.Errorf("sessions: got %d, want 0", n)
	}
}

// iss is judged before the code is used, by what the discovery document says.
func TestThreatIssuerNotAdvertised(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		fault  agentconnecttest.Fault
		refuse bool
	}{
		{agentconnecttest.Fault("callback-missing-issuer"), false},
		{agentconnecttest.Fault("callback-wrong-issuer"), true},
		{agentconnecttest.Fault("callback-issuer-slash"), true},
	} {
		t.Run(string(tt.fault), func(t *testing.T) {
			t.Parallel()
			a := newApp(t)
			a.provider.Inject(agentconnecttest.Fault("discovery-without-issuer-param"), tt.fault)
			b := a.browser()
			callback := b.callback("/login?return_to=/dossiers/7", "karim")
			if tt.refuse {
				b.refused(refusal{code: "issuer_mismatch", again: refusedPage}, func() page { return b.navigate(callback.String()) })
				return
			}
			b.expectLogin(callback, "karim", "/dossiers/7")
		})
	}
}

// The provider's words are shown where they are escaped and labelled, and our
// own explain; no script, no link and no header of theirs gets through.
func TestThreatProviderWords(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	for _, tt := range []struct{ code, description, shown string }{
		{`"><script>alert(1)</script>`, `<img src=x onerror=alert(1)>`, "&lt;img src=x onerror=alert(1)&gt;"},
		{"server_error", `<a href="https://attacker.example">`, "&lt;a href=&#34;https://attacker.example&#34;&gt;"},
		{"server_error", "{{.Style}}{{template \"page\"}}", "{{.Style}}"},
		{"a\r\nSet-Cookie: x=y", "b\r\n\r\n<html>", "Set-Cookie: x=y"},
	} {
		for lang, label := range map[string]string{"fr": "texte non vérifié", "en": "unverified text"} {
			t.Run(lang+" "+tt.code, func(t *testing.T) {
				a := a.in(t)
				b := a.browser()
				a.provider.Inject(agentconnecttest.CallbackError(tt.code, tt.description))
				defer a.provider.Clear()
				callback := b.callback("/login?return_to=/dossiers/7", "karim")
				p := b.refused(refusal{code: "provider_error", again: refusedPage}, func() page {
					return b.do("GET", callback.String(), http.Header{"Sec-Fetch-Mode": {"navigate"}, "Accept-Language": {lang}}, "")
				})
				if !strings.Contains(p.body, tt.shown) || !strings.Contains(p.body, label) {
					t.Errorf("the page does not show %q labelled %q: %s", tt.shown, label, p.body)
				}
				for _, bad := range []string{"<script", "<img", "attacker.example\">"} {
					if strings.Contains(p.body, bad) {
						t.Errorf("the page contains %s: %s", bad, p.body)
					}
				}
				if len(p.Header.Values("Set-Cookie")) != 1 || !strings.HasPrefix(p.Header.Get("Set-Cookie"), "agentconnect-login-") {
					t.Errorf("got Set-Cookie %q, want the login's alone, deleted", p.Header.Values("Set-Cookie"))
				}
			})
		}
	}
}

// login_required after a silent try is not an error: the page that was asked for
// comes, to a stranger, and the next one does not try again. No loop.
func TestThreatSilentLogin(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	site := a.serve(a.auth.SilentLogin(http.HandlerFunc(serveAgent)))
	for _, fault := range []agentconnecttest.Injectable{
		agentconnecttest.Tamper{}, // login_required, from the provider itself
		agentconnecttest.CallbackError("interaction_required", "x"),
		agentconnecttest.CallbackError("invented", "x"),
		agentconnecttest.Fault("callback-wrong-issuer"),
		agentconnecttest.Fault("token-error-500"),
	} {
		a.provider.Inject(fault)
		b := a.browser()
		b.setCookie("agentconnect-silent", "0") // it keeps cookies
		asked := 0
		target := site + "/accueil?a=b"
		for range 10 {
			p := b.do("GET", target, http.Header{"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}}, "")
			if p.StatusCode == http.StatusOK {
				if p.body != "public" {
					t.Errorf("got %q, want the public page", p.body)
				}
				target = ""
				break
			}
			if strings.HasPrefix(p.location(), a.provider.Issuer) {
				asked++
			}
			target = p.location()
			if strings.HasPrefix(target, "/") { // the callback is at the application's port
				target = site + target
			}
		}
		if target != "" || asked != 1 {
			t.Errorf("got %d silent tries, and then %q, want one and the page", asked, target)
		}
		a.provider.Clear()
	}
}

// A refused login never sends the browser to log in by itself.
func TestThreatNoLoop(t *testing.T) {
	t.Parallel()
	var last agentconnect.Event
	a := newApp(t, agentconnect.WithEvents(func(_ context.Context, e agentconnect.Event) { last = e }))
	for fault, code := range map[agentconnecttest.Fault]agentconnect.Code{
		agentconnecttest.Fault("callback-login-required"): "login_required",
		agentconnecttest.CallbackAccessDenied:             "access_denied",
		agentconnecttest.Fault("token-error-500"):         "provider_answer",
		agentconnecttest.Fault("id-token-wrong-nonce"):    "invalid_id_token",
	} {
		t.Run(string(fault), func(t *testing.T) {
			a := a.in(t)
			a.provider.Inject(fault)
			defer a.provider.Clear()
			started := a.provider.Requests(agentconnecttest.Authorize)
			p := a.browser().login("/dossiers", "karim")
			if p.StatusCode < 400 || p.location() != "" || p.Header.Get("Refresh") != "" || strings.Contains(strings.ToLower(p.body), "http-equiv") {
				t.Errorf("got status %d to %q, want a page that goes nowhere", p.StatusCode, p.location())
			}
			if got := a.provider.Requests(agentconnecttest.Authorize) - started; got != 1 {
				t.Errorf("authorization requests: got %d, want 1", got)
			}
			if last.Kind != agentconnect.EventLoginRefused || last.Code != code {
				t.Errorf("event: got %s %s, want login_refused %s", last.Kind, last.Code, code)
			}
		})
	}
}

// The browser disconnecting in the middle leaves a whole session or none.
func TestThreatDisconnect(t *testing.T) {
	t.Parallel()
	for _, step := range []agentconnecttest.Endpoint{agentconnecttest.Token, agentconnecttest.JWKS, agentconnecttest.Userinfo} {
		t.Run(string(step), func(t *testing.T) {
			t.Parallel()
			hooked := make(chan error, 1)
			a := newApp(t, agentconnect.WithLoginHook(func(ctx context.Context, _ *agentconnect.Login) error {
				hooked <- ctx.Err()
				return nil
			}))
			b := a.browser()
			callback := b.callback("/login", "karim")
			reached, gone := make(chan struct{}), make(chan struct{})
			var once sync.Once
			a.provider.Inject(agentconnecttest.Tamper{Endpoint: step, Answer: func(*agentconnecttest.Answer) {
				once.Do(func() { close(reached); <-gone })
			}})
			ctx, cancel := context.WithCancel(t.Context())
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, callback.String(), nil)
			if err != nil {
				t.Fatal(err)
			}
			failed := make(chan error, 1)
			go func() {
				resp, err := b.client.Do(req)
				if err == nil {
					resp.Body.Close()
				}
				failed <- err
			}()
			<-reached
			cancel()
			if err := <-failed; err == nil {
				t.Fatal("the browser got an answer, want it gone")
			}
			close(gone)
			if err := <-hooked; err != nil {
				t.Errorf("the login ended with the browser's connection: %v", err)
			}
			a.eventually("the session", func() bool { return a.store.sessions(t) == 1 })
			// The browser never got its cookie: the same callback brings it.
			if got := b.sub(); got != "" {
				t.Errorf("got agent %q, want a stranger", got)
			}
			b.expectLogin(callback, "karim", "/")
			if got := a.store.sessions(t); got != 1 {
				t.Errorf("sessions: got %d, want 1", got)
			}
		})
	}
}

// A sealed-cookie key rotation: logins under way survive a changed client secret
// when the previous one is given, and only then.
func TestThreatSecretRotation(t *testing.T) {
	t.Parallel()
	const newSecret = "another-demonstration-secret-of-more-than-sixty-four-characters-0123456789"
	for _, tt := range []struct {
		name   string
		opts   func(old string) []agentconnect.Option
		refuse bool
	}{
		{"with the previous secret", func(old string) []agentconnect.Option {
			return []agentconnect.Option{agentconnect.WithOtherClientSecrets("older still", old)}
		}, false},
		{"without", func(string) []agentconnect.Option { return nil }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, agentconnect.WithIdleTimeout(time.Hour))
			b := a.browser()
			b.login("/dossiers", "marie")
			callback := b.callback("/login?return_to=/dossiers/7", "")
			client := a.provider.Client
			old := client.Secret
			client.Secret = newSecret
			client.RedirectURIs, client.PostLogoutRedirectURIs = []string{a.url + "/callback"}, []string{a.url + "/logout/callback"}
			a.provider.AddClient(client)
			next := a.another(append([]agentconnect.Option{agentconnect.WithIdleTimeout(time.Hour), agentconnect.WithClient(client.ID, newSecret)}, tt.opts(old)...)...)
			b.app = next
			if got := b.sub(); got != a.agentSub("marie") {
				t.Errorf("the session: got agent %q, want marie still", got)
			}
			query := "/callback?" + callback.RawQuery
			if tt.refuse {
				b.refused(refusal{code: "unknown_state", home: "/dossiers/7"}, func() page { return b.navigate(query) })
				return
			}
			if p := b.navigate(query); p.StatusCode != http.StatusSeeOther || p.location() != "/dossiers/7" {
				t.Errorf("got status %d to %q, want 303 to the page; %.500s", p.StatusCode, p.location(), p.body)
			}
			for _, r := range a.provider.Received(agentconnecttest.Token)[1:] {
				if got := r.Form.Get("client_secret"); got != newSecret {
					t.Errorf("the provider was shown another secret than the current one")
				}
			}
		})
	}
}

// A callback whose answer was lost, sent again: the same session, without a second
// redemption, on this instance and on another; and never when that session ended, to
// a browser without the login's cookie, with another code, or much later.
func TestThreatLostAnswer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		after func(a *app, b *browser) // what happens between the two
		query func(url.Values)
		lost  bool // the login's cookie
		again bool
	}{
		{"at once", func(*app, *browser) {}, nil, false, true},
		{"half a minute later", func(a *app, _ *browser) { a.clock.advance(30 * time.Second) }, nil, false, true},
		{"two minutes later", func(a *app, _ *browser) { a.clock.advance(2 * time.Minute) }, nil, false, false},
		{"after a logout", func(_ *app, b *browser) { b.post("/logout", nil) }, nil, false, false},
		{"after another login in this browser", func(_ *app, b *browser) { b.login("/login", "marie") }, nil, false, false},
		{"after the agent's sessions ended", func(a *app, _ *browser) {
			if n, err := a.auth.EndSessionsOf(a.t.Context(), a.agentSub("karim")); n != 1 || err != nil {
				a.t.Fatalf("got %d sessions ended, error %v", n, err)
			}
		}, nil, false, false},
		{"with another code", func(*app, *browser) {}, func(q url.Values) { q.Set("code", "x"+q.Get("code")) }, false, false},
		{"without the login's cookie", func(*app, *browser) {}, nil, true, false},
	} {
		for _, elsewhere := range []bool{false, true} {
			name := tt.name
			if elsewhere {
				name += ", on another instance"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				a := newApp(t)
				b := a.browser()
				callback := b.callback("/login?return_to=/dossiers/7", "karim")
				before := b.cookies()
				first := a.browserWith(before)
				first.expectLogin(callback, "karim", "/dossiers/7")
				session := first.cookies()["agentconnect"]
				tt.after(a, first)
				exchanges, _ := a.calls()
				sessions := a.store.sessions(t)
				if tt.lost {
					before = nil
				}
				again := a.browserWith(before) // as it was before the answer
				if elsewhere {
					again.app = a.another()
				}
				query := callback.Query()
				if tt.query != nil {
					tt.query(query)
				}
				p := again.navigate("/callback?" + query.Encode())
				if got := a.store.sessions(t); got != sessions {
					t.Errorf("sessions: got %d, want %d as before", got, sessions)
				}
				if !tt.again {
					if p.StatusCode != http.StatusBadRequest || again.cookies()["agentconnect"] != "" {
						t.Errorf("got status %d, session %q, want 400 and none", p.StatusCode, again.cookies()["agentconnect"])
					}
					return
				}
				if p.StatusCode != http.StatusSeeOther || p.location() != "/dossiers/7" || again.cookies()["agentconnect"] != session {
					t.Errorf("got status %d to %q, session %q, want 303 to the page and the same session", p.StatusCode, p.location(), again.cookies()["agentconnect"])
				}
				if got, _ := a.calls(); got != exchanges {
					t.Errorf("calls to the token endpoint: got %d more, want none", got-exchanges)
				}
				if got := again.sub(); got != a.agentSub("karim") {
					t.Errorf("got agent %q, want karim", got)
				}
				if n := strings.Count(a.logs.String(), "login_succeeded"); n != 1 {
					t.Errorf("got %d logins in the log, want 1", n)
				}
			})
		}
	}
}

// While the store does not answer, a callback uses nothing up: it can be opened
// again.
func TestThreatCallbackWhileTheStoreIsDown(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	callback := b.callback("/login?return_to=/dossiers/7", "karim")
	a.store.setFailure(errors.New("down"))
	exchanges, _ := a.calls()
	b.checkErrorPage(b.navigate(callback.String()), refusal{code: agentconnect.CodeSessionStore})
	if got, _ := a.calls(); got != exchanges {
		t.Errorf("calls to the token endpoint: got %d, want none", got-exchanges)
	}
	a.store.setFailure(nil)
	b.expectLogin(callback, "karim", "/dossiers/7")
}

// After a login that took too long, or whose cookie does not open any more, the
// agent starts again on the page that was asked for.
func TestThreatPageAfterALoginThatIsOver(t *testing.T) {
	t.Parallel()
	for _, page := range []string{"/dossiers/7?tri=date", "/dossiers/" + strings.Repeat("x", 1000)} {
		a := newApp(t)
		slow, rotated := a.browser(), a.browser()
		callback := rotated.callback("/login?return_to="+url.QueryEscape(page), "karim")
		other := a.another(agentconnect.WithClient(a.provider.Client.ID, "another secret of this client"))
		rotated.app = other
		again := "/login?return_to=" + url.QueryEscape(page)
		rotated.checkErrorPage(rotated.navigate("/callback?"+callback.RawQuery), refusal{code: "unknown_state", again: again})
		callback = slow.callback("/login?return_to="+url.QueryEscape(page), "karim")
		a.clock.advance(11 * time.Minute)
		slow.checkErrorPage(slow.navigate(callback.String()), refusal{code: "unknown_state", again: again})
		if cookies := slow.cookies(); len(cookies) != 0 {
			t.Errorf("got cookies %v after a login that is over, want none", cookies)
		}
	}
}

// An agent who reloads the page of a refused login, as when it says to try again later,
// keeps the page that they asked for. The code is not sent again.
func TestThreatReloadOfARefusal(t *testing.T) {
	t.Parallel()
	for _, page := range []string{"/dossiers/7?tri=date", "/dossiers/" + strings.Repeat("x", 1000)} {
		a := newApp(t)
		again := "/login?return_to=" + url.QueryEscape(page)
		for _, instance := range []*app{a, a.another()} {
			b := a.browser()
			callback := b.callback("/login?return_to="+url.QueryEscape(page), "karim")
			a.provider.Inject(agentconnecttest.Fault("token-html-type"))
			b.checkErrorPage(b.navigate(callback.String()), refusal{code: "provider_answer", again: again})
			a.provider.Clear()
			asked := a.provider.Requests(agentconnecttest.Token)
			b.app = instance
			b.checkErrorPage(b.navigate("/callback?"+callback.RawQuery), refusal{code: "unknown_state", again: again})
			if got := a.provider.Requests(agentconnecttest.Token); got != asked {
				t.Errorf("got %d more requests for tokens, want none", got-asked)
			}
		}
	}
}

// The page "/" is kept too, if the home page is another one.
func TestThreatReloadOfARefusalOfTheRoot(t *testing.T) {
	t.Parallel()
	a := newApp(t, agentconnect.WithHomePath("/accueil"))
	b := a.browser()
	callback := b.callback("/login?return_to=/", "karim")
	a.provider.Inject(agentconnecttest.Fault("token-html-type"))
	for range 2 {
		if p := b.navigate(callback.String()); !strings.Contains(p.body, `href="/login?return_to=%2F"`) {
			t.Errorf("got status %d, %s, want a login that returns to /", p.StatusCode, p.body)
		}
	}
}
