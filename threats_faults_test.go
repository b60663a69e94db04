package agentconnect_test

import (
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

// The provider restarts in the middle of logins: those that meet it down get a
// page that says what to do, those that come after end.
func TestThreatProviderRestarts(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	waiting, unlucky, late := a.browser(), a.loggedIn("marie"), a.browser()
	before := waiting.callback("/login?return_to=/dossiers/1", "karim")
	meets := unlucky.callback("/login?return_to=/dossiers/7", "karim")
	a.provider.Stop()
	unlucky.refused(refusal{code: agentconnect.CodeProviderUnavailable, again: refusedPage}, func() page { return unlucky.navigate(meets.String()) })
	if got := unlucky.sub(); got != a.agentSub("marie") {
		t.Errorf("while the provider is down: got agent %q, want marie, who works on", got)
	}
	a.provider.Restart()
	waiting.expectLogin(before, "karim", "/dossiers/1")
	late.expectLogin(late.callback("/login?return_to=/dossiers/2", "karim"), "karim", "/dossiers/2")
}

// A provider that is down at the start delays logins only: the application
// starts, agents who are logged in work, and logins work as soon as it is back.
func TestThreatDiscoveryFailsAtStart(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	session := a.sessionOf("marie")
	started := a.browser()
	callback := started.callback("/login?return_to=/dossiers/7", "karim")
	a.provider.Stop()
	fresh := a.another()
	started.app = fresh
	b := fresh.browser()
	b.setCookie("agentconnect", session)
	if got := b.sub(); got != a.agentSub("marie") {
		t.Errorf("got agent %q, want marie", got)
	}
	b.refused(refusal{code: agentconnect.CodeProviderUnavailable, again: "/login"}, func() page { return b.navigate("/login") })
	started.refused(refusal{code: agentconnect.CodeProviderUnavailable, again: refusedPage}, func() page { return started.navigate("/callback?" + callback.RawQuery) })
	a.provider.Restart()
	a.clock.advance(5 * time.Second)
	if p := b.navigate("/login"); p.StatusCode != http.StatusSeeOther {
		t.Errorf("when the provider is back: got status %d, want 303", p.StatusCode)
	}
	if err := fresh.auth.Ready(t.Context()); err != nil {
		t.Errorf("Ready: got %v, want nil", err)
	}
}

// While discovery fails, a pause between the reads keeps a thousand visitors from
// being a thousand requests.
func TestThreatDiscoveryBackoff(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.provider.Inject(agentconnecttest.Fault("discovery-error-500"))
	b := a.browser()
	for range 100 {
		if p := b.navigate("/login"); p.StatusCode != http.StatusBadGateway {
			t.Fatalf("got status %d, want 502", p.StatusCode)
		}
	}
	if got := a.provider.Requests(agentconnecttest.Discovery); got != 1 {
		t.Errorf("reads of the document while the clock stands: got %d, want 1", got)
	}
	for range 20 {
		a.clock.advance(time.Second)
		b.navigate("/login")
	}
	if got := a.provider.Requests(agentconnecttest.Discovery); got < 4 || got > 12 {
		t.Errorf("reads of the document in twenty seconds: got %d, want a few", got)
	}
}

// Clocks a minute apart, of the provider and of instances: agents log in and stay
// logged in.
func TestThreatClocksApart(t *testing.T) {
	t.Parallel()
	for _, apart := range []time.Duration{-59 * time.Second, 59 * time.Second} {
		t.Run(apart.String(), func(t *testing.T) {
			t.Parallel()
			a := newApp(t)
			late := a.another(agentconnect.WithClock(func() time.Time { return a.clock.Now().Add(apart) }))
			b := late.browser()
			b.expectLogin(b.callback("/login?return_to=/dossiers/7", "karim"), "karim", "/dossiers/7")
			b.app = a // the same session, on the instance with the other clock
			if got := b.sub(); got != a.agentSub("karim") {
				t.Errorf("on the other instance: got agent %q, want karim", got)
			}
			b.login("/login", "marie")
			b.app = late
			if got := b.sub(); got == "" {
				t.Error("back on the first instance: got a stranger, want an agent")
			}
		})
	}
}

// Many logins at once over three instances: each agent sees itself, the provider
// is asked for its documents once an instance, and goroutines return to their
// baseline.
func TestThreatManyLoginsAtOnce(t *testing.T) { // not parallel: it counts goroutines
	const people = 60
	agents := make([]agentconnecttest.Agent, people)
	for i := range agents {
		n := string(rune('a'+i/26)) + string(rune('a'+i%26))
		agents[i] = agentconnecttest.Agent{Login: n, Claims: map[string]any{"sub": "sub-of-" + n, "email": n + "@ministere.example.gouv.fr"}}
	}
	before := runtime.NumGoroutine()
	t.Run("logins", func(t *testing.T) {
		alg, patient := agentconnect.WithIDTokenAlg(agentconnect.ES256), agentconnect.WithHTTPClient(&http.Client{Timeout: time.Minute})
		a := newAppWith(t, []agentconnecttest.ServerOption{agentconnecttest.WithAgents(agents...), agentconnecttest.WithAlgorithms("ES256", "ES256")}, alg, patient)
		instances := []*app{a, a.another(alg, patient), a.another(alg, patient)}
		var ended sync.WaitGroup
		for i, agent := range agents {
			b := instances[i%3].browser()
			ended.Go(func() {
				p := b.navigate("/login?return_to=/dossiers/" + agent.Login)
				callback := b.callbackOf(p.location(), agent.Login)
				b.app = instances[(i+1)%3] // ends on another instance
				p = b.navigate("/callback?" + callback.RawQuery)
				if p.StatusCode != http.StatusSeeOther || p.location() != "/dossiers/"+agent.Login {
					t.Errorf("%s: got status %d to %q, want 303 to the page; %.300s", agent.Login, p.StatusCode, p.location(), p.body)
					return
				}
				b.app = instances[(i+2)%3] // and is used on the third
				if got := b.sub(); got != agent.Sub() {
					t.Errorf("%s: got agent %q", agent.Login, got)
				}
			})
		}
		ended.Wait()
		if got := a.provider.Requests(agentconnecttest.Discovery); got != 3 {
			t.Errorf("reads of the discovery document: got %d, want one an instance", got)
		}
		if got := a.provider.Requests(agentconnecttest.JWKS); got != 3 {
			t.Errorf("reads of the keys: got %d, want one an instance", got)
		}
		if got := a.store.sessions(t); got != people {
			t.Errorf("sessions: got %d, want %d", got, people)
		}
	})
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	deadline := time.Now().Add(10 * time.Second)
	for runtime.NumGoroutine() > before+5 && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	if got := runtime.NumGoroutine(); got > before+5 {
		stacks := make([]byte, 1<<16)
		t.Errorf("goroutines: got %d, want %d as before; %s", got, before, stacks[:runtime.Stack(stacks, true)])
	}
}

// A callback that lands on two instances at once: the code is redeemed by one of
// them, the other's is refused or gets the session of the first, and nobody is anybody
// else.
func TestThreatTwoInstances(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	other := a.another()
	b := a.browser()
	callback := b.callback("/login?return_to=/dossiers/7", "karim")
	cookies := b.cookies()
	var ended sync.WaitGroup
	sessions := make([]string, 2)
	for i, instance := range []*app{a, other} {
		ended.Go(func() {
			tab := instance.browserWith(cookies)
			p := tab.navigate("/callback?" + callback.RawQuery)
			sessions[i] = tab.cookies()["agentconnect"]
			if p.StatusCode == http.StatusSeeOther && tab.sub() != a.agentSub("karim") && tab.sub() != "" {
				t.Errorf("got agent %q, want karim", tab.sub())
			}
		})
	}
	ended.Wait()
	if sessions[0] != "" && sessions[1] != "" && sessions[0] != sessions[1] {
		t.Errorf("the code made two sessions: %q", sessions)
	}
	if n := a.store.sessions(t); n > 1 {
		t.Errorf("sessions: got %d, want at most 1", n)
	}
}

// Every page that a fault can end on has been seen by the other tests; this one
// is about those that answer programs: problems, with the login's URL.
func TestThreatProblems(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	ids := map[string]bool{}
	for path, want := range map[string]agentconnect.Code{
		"/dossiers?a=b":                   agentconnect.CodeUnauthenticated,
		"/callback":                       "invalid_request",
		"/callback?state=x&code=":         "invalid_request",
		"/callback?state=abcdefgh&code=y": "unknown_state",
	} {
		p := b.fetch(path)
		if p.StatusCode != statuses()[want] || p.problem() != string(want) || !strings.Contains(p.body, `"login_url":"/login`) {
			t.Errorf("%s: got status %d, %s, want %s with the login's URL", path, p.StatusCode, p.body, want)
		}
		_, id, _ := strings.Cut(p.body, `"error_id":"`)
		ids[id[:min(16, len(id))]] = true
	}
	if len(ids) != 4 {
		t.Errorf("error numbers: got %v, want one for each refusal", ids)
	}
}

// Distributed and aggregated claims are never followed (Core 1.0 section 5.6.2).
func TestThreatDistributedClaims(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	lure := func(token *agentconnecttest.JWT) {
		source := a.provider.Issuer + "/attacker/jwks"
		token.Claims.Add("_claim_names", map[string]string{"email": "src", "roles": "src"})
		token.Claims.Add("_claim_sources", map[string]any{"src": map[string]string{"endpoint": source, "access_token": "x"}})
	}
	a.provider.Inject(agentconnecttest.Tamper{IDToken: lure, Userinfo: lure})
	b := a.browser()
	b.expectLogin(b.callback("/login?return_to=/dossiers/7", "karim"), "karim", "/dossiers/7")
	if got := a.provider.Requests(agentconnecttest.Attacker); got != 0 {
		t.Errorf("requests to the source of claims: got %d, want 0", got)
	}
}

// After an error page of the provider, the browser does not come back: no agent is
// logged in, and the next try works.
func TestThreatProviderPages(t *testing.T) {
	t.Parallel()
	for _, info := range agentconnecttest.Faults() {
		if !isOnProviderPage(info.Fault) || !info.Refuse {
			continue
		}
		t.Run(string(info.Fault), func(t *testing.T) {
			t.Parallel()
			a := newApp(t)
			b := a.loggedIn("marie")
			a.provider.Inject(info.Fault)
			follow := *b.client
			follow.CheckRedirect = nil
			if _, err := a.provider.CallbackURL(&follow, a.url+"/login", "karim"); err == nil {
				t.Fatal("the browser came back")
			}
			if got := b.sub(); got != a.agentSub("marie") {
				t.Errorf("got agent %q, want marie untouched", got)
			}
			a.provider.Clear()
			b.expectLogin(b.callback("/login?return_to=/dossiers/7", "karim"), "karim", "/dossiers/7")
		})
	}
}
