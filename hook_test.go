package agentconnect_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/agentconnect-go/agentconnect"
)

func TestLoginHook(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		err    error
		status int
		code   string
		shown  string
	}{
		{"accepts", nil, http.StatusOK, "", ""},
		{"refuses", agentconnect.RefuseLogin(agentconnect.Reason{French: "Inscription <close>."}), http.StatusForbidden, "login_refused", "Inscription &lt;close&gt;."},
		{"refuses, wrapped", errors.Join(errors.New("x"), agentconnect.RefuseLogin(agentconnect.Reason{French: "Non."})), http.StatusForbidden, "login_refused", "Non."},
		{"fails", errors.New("database is down at 10.0.0.1"), http.StatusInternalServerError, "internal", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []agentconnect.Agent
			a := newApp(t, agentconnect.WithLoginHook(func(ctx context.Context, r *http.Request, agent agentconnect.Agent) error {
				if _, ok := ctx.Deadline(); !ok || r.URL.Path != "/callback" {
					t.Errorf("got the path %s and a deadline %v, want the callback and one", r.URL.Path, ok)
				}
				got = append(got, agent)
				return tt.err
			}))
			b := a.browser()
			p := b.login("/dossiers", "marie")
			if p.StatusCode != tt.status || tt.code != "" && !strings.Contains(p.body, tt.code) || !strings.Contains(p.body, tt.shown) {
				t.Errorf("got status %d, %s, want %d with %q", p.StatusCode, p.body, tt.status, tt.shown)
			}
			if strings.Contains(p.body, "10.0.0.1") {
				t.Error("the page shows the error of the hook")
			}
			if len(got) != 1 || got[0].Sub != a.agentSub("marie") {
				t.Errorf("the hook got %v, want the agent, once", got)
			}
			if n, want := a.store.sessions(t), map[bool]int{true: 1, false: 0}[tt.err == nil]; n != want {
				t.Errorf("sessions: got %d, want %d", n, want)
			}
		})
	}
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	refused := agentconnect.RefuseLogin(agentconnect.Reason{French: "refus"})
	for _, tt := range []struct {
		name     string
		known    bool
		loginErr error
		owner    string // of the e-mail address
		ownerErr error
		taken    func(context.Context, agentconnect.Agent, string) error
		noCreate bool
		noLookUp bool
		noEmail  bool
		fails    error // of Create
		calls    []string
		want     string // in the error; "": none
	}{
		{name: "known", known: true, calls: []string{"login"}},
		{name: "new", calls: []string{"login", "email", "create"}},
		{name: "new, which fails", fails: down, calls: []string{"login", "email", "create"}, want: "down"},
		{name: "new, without look-up by e-mail", noLookUp: true, owner: "sub-1", calls: []string{"login", "create"}},
		{name: "new, without e-mail", noEmail: true, owner: "sub-1", calls: []string{"login", "create"}},
		{name: "login fails", loginErr: down, calls: []string{"login"}, want: "down"},
		{name: "e-mail of another account", owner: "sub-1", calls: []string{"login", "email"}, want: "refused"},
		{name: "own e-mail", owner: "sub-2", calls: []string{"login", "email", "create"}},
		{name: "e-mail look-up fails", ownerErr: down, calls: []string{"login", "email"}, want: "down"},
		{name: "e-mail taken, accepted", owner: "sub-1", taken: func(context.Context, agentconnect.Agent, string) error { return nil }, calls: []string{"login", "email", "create"}},
		{name: "e-mail taken, refused", owner: "sub-1", taken: func(_ context.Context, _ agentconnect.Agent, other string) error {
			if other != "sub-1" {
				return errors.New("other sub: got " + other)
			}
			return refused
		}, calls: []string{"login", "email"}, want: "refused"},
		{name: "no accounts are made", noCreate: true, calls: []string{"login", "email"}, want: "refused"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var calls []string
			accounts := agentconnect.Accounts{
				Login: func(_ context.Context, a agentconnect.Agent) (bool, error) {
					calls = append(calls, "login")
					return tt.known, tt.loginErr
				},
				SubOfEmail: func(_ context.Context, email string) (string, error) {
					calls = append(calls, "email")
					return tt.owner, tt.ownerErr
				},
				EmailTaken: tt.taken,
				Create: func(context.Context, agentconnect.Agent) error {
					calls = append(calls, "create")
					return tt.fails
				},
			}
			if tt.noCreate {
				accounts.Create = nil
			}
			if tt.noLookUp {
				accounts.SubOfEmail = nil
			}
			agent := agentconnect.Agent{Sub: "sub-2", Email: "A@b.example"}
			if tt.noEmail {
				agent.Email = ""
			}
			err := accounts.Hook()(t.Context(), nil, agent)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
			if !slices.Equal(calls, tt.calls) {
				t.Errorf("got calls %v, want %v", calls, tt.calls)
			}
		})
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var events []agentconnect.Event
	var loggedOut []string
	a := newApp(t,
		agentconnect.WithEvents(func(_ context.Context, e agentconnect.Event) {
			mu.Lock()
			defer mu.Unlock()
			events = append(events, e)
		}),
		agentconnect.WithLogoutHook(func(_ context.Context, _ *http.Request, agent agentconnect.Agent) {
			loggedOut = append(loggedOut, agent.Sub)
		}),
		agentconnect.WithSessionLifetime(hour))
	b := a.browser()
	marie := agentconnect.Pseudonym(a.agentSub("marie"))
	expect := func(what string, want ...agentconnect.Event) {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if len(events) != len(want) {
			t.Errorf("%s: got events %+v, want %+v", what, events, want)
		}
		for i := range min(len(events), len(want)) {
			got := events[i]
			if got.Kind != want[i].Kind || got.Agent != want[i].Agent || got.Code != want[i].Code || !got.Time.Equal(a.clock.Now()) {
				t.Errorf("%s: got event %+v, want %+v", what, got, want[i])
			}
		}
		events = nil
	}
	b.login("/dossiers", "marie")
	expect("login", agentconnect.Event{Kind: agentconnect.EventLoginStarted}, agentconnect.Event{Kind: agentconnect.EventLoginSucceeded, Agent: marie})
	b.navigate("/mfa")
	expect("step-up", agentconnect.Event{Kind: agentconnect.EventStepUpStarted, Agent: ""})
	b.fetch("/mfa")
	expect("level", agentconnect.Event{Kind: agentconnect.EventAccessRefused, Code: agentconnect.CodeInsufficientLevel})
	a.browser().navigate("/mfa-only")
	expect("a stranger's login with a level", agentconnect.Event{Kind: agentconnect.EventLoginStarted})
	again := a.browserOf(a.auth.RequireAgent(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.auth.StartLogin(w, r) })))
	again.client = b.client
	again.navigate("/")
	expect("another login without a level", agentconnect.Event{Kind: agentconnect.EventLoginStarted})
	b.navigate("/callback?state=unknown&code=x")
	expect("a callback of no login")
	b.login("/login", "marie")
	events = nil
	a.clock.advance(hour)
	b.fetch("/dossiers")
	expect("expiry", agentconnect.Event{Kind: agentconnect.EventSessionExpired, Agent: marie})
	b.login("/login", "marie")
	events = nil
	b.post("/logout", nil)
	expect("logout", agentconnect.Event{Kind: agentconnect.EventLoggedOut, Agent: marie})
	b.post("/logout", nil)
	expect("logout without a session")
	if len(loggedOut) != 1 || loggedOut[0] != a.agentSub("marie") {
		t.Errorf("logout hook: got %v, want the agent, once", loggedOut)
	}
	if logs := a.logs.String(); !strings.Contains(logs, `"agentconnect: login_succeeded","agent":"`+marie+`"`) {
		t.Errorf("the log has no line of the login with the pseudonym: %s", logs)
	}
}
