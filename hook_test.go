package agentconnect_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

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
			a := newApp(t, agentconnect.WithLoginHook(func(ctx context.Context, login *agentconnect.Login) error {
				if _, ok := ctx.Deadline(); !ok || login.Request.URL.Path != "/callback" {
					t.Errorf("got the path %s and a deadline %v, want the callback and one", login.Request.URL.Path, ok)
				}
				got = append(got, login.Agent)
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
		accounts []string // what Login returns, each time it is called; then "42"
		loginErr error
		owner    string // of the e-mail address
		ownerErr error
		taken    func(context.Context, agentconnect.Agent, string) error
		noCreate bool
		noLookUp bool
		noEmail  bool
		fails    error // of Create
		calls    []string
		account  string
		want     string // in the error; "": none
	}{
		{name: "known", calls: []string{"login"}, account: "42"},
		{name: "new", accounts: []string{""}, calls: []string{"login", "email", "create"}, account: "43"},
		{name: "new, which fails", accounts: []string{"", ""}, fails: down, calls: []string{"login", "email", "create", "login"}, want: "down"},
		{name: "new, in two tabs at once", accounts: []string{""}, fails: down, calls: []string{"login", "email", "create", "login"}, account: "42"},
		{name: "new, without e-mail", accounts: []string{""}, noEmail: true, owner: "sub-1", calls: []string{"login", "create"}, account: "43"},
		{name: "login fails", loginErr: down, calls: []string{"login"}, want: "down"},
		{name: "e-mail of another account", accounts: []string{""}, owner: "sub-1", calls: []string{"login", "email"}, want: "refused"},
		{name: "own e-mail", accounts: []string{""}, owner: "sub-2", calls: []string{"login", "email", "create"}, account: "43"},
		{name: "e-mail look-up fails", accounts: []string{""}, ownerErr: down, calls: []string{"login", "email"}, want: "down"},
		{name: "e-mail taken, accepted", accounts: []string{""}, owner: "sub-1", taken: func(context.Context, agentconnect.Agent, string) error { return nil }, calls: []string{"login", "email", "create"}, account: "43"},
		{name: "e-mail taken, refused", accounts: []string{""}, owner: "sub-1", taken: func(_ context.Context, _ agentconnect.Agent, other string) error {
			if other != "sub-1" {
				return errors.New("other sub: got " + other)
			}
			return refused
		}, calls: []string{"login", "email"}, want: "refused"},
		{name: "no accounts are made", accounts: []string{""}, noCreate: true, calls: []string{"login", "email"}, want: "refused"},
		{name: "no accounts are made, and none is looked for", accounts: []string{""}, noCreate: true, noLookUp: true, calls: []string{"login"}, want: "refused"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var calls []string
			accounts := agentconnect.Accounts{
				Login: func(context.Context, agentconnect.Agent) (string, error) {
					calls = append(calls, "login")
					if n := len(calls); n <= len(tt.accounts) || n > 3 && len(tt.accounts) > 1 {
						return "", tt.loginErr
					}
					if tt.loginErr != nil {
						return "", tt.loginErr
					}
					return "42", nil
				},
				SubOfEmail: func(_ context.Context, email string) (string, error) {
					calls = append(calls, "email")
					return tt.owner, tt.ownerErr
				},
				EmailTaken: tt.taken,
				Create: func(context.Context, agentconnect.Agent) (string, error) {
					calls = append(calls, "create")
					return "43", tt.fails
				},
			}
			if tt.noCreate {
				accounts.Create = nil
			}
			if tt.noLookUp {
				accounts.SubOfEmail = nil
			}
			login := &agentconnect.Login{Agent: agentconnect.Agent{Sub: "sub-2", Email: "A@b.example"}}
			if tt.noEmail {
				login.Agent.Email = ""
			}
			err := accounts.Hook()(t.Context(), login)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
			if !slices.Equal(calls, tt.calls) {
				t.Errorf("got calls %v, want %v", calls, tt.calls)
			}
			if login.Account != tt.account {
				t.Errorf("got account %q, want %q", login.Account, tt.account)
			}
		})
	}
}

// Accounts that could meet a taken e-mail address unprepared, or have no way to be
// found, fail when they are wired.
func TestAccountsThatCannotWork(t *testing.T) {
	t.Parallel()
	login := func(context.Context, agentconnect.Agent) (string, error) { return "", nil }
	for name, accounts := range map[string]agentconnect.Accounts{
		"no Login":                     {},
		"Create without SubOfEmail":    {Login: login, Create: login},
		"SubOfEmail, Create, no Login": {Create: login, SubOfEmail: func(context.Context, string) (string, error) { return "", nil }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if got, _ := recover().(string); !strings.Contains(got, "missing") {
					t.Errorf("got panic %q, want one that says what is missing", got)
				}
			}()
			accounts.Hook()
		})
	}
}

// A login hook keeps the account's key in the session, sends a new agent to another
// page, and renews a cookie of the application, which only reaches the browser of a
// login that succeeds.
func TestLoginHookAnswers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		hook    func(login *agentconnect.Login) error
		status  int
		page    string // where the login leads
		account string
		cookie  string
	}{
		{"nothing", func(*agentconnect.Login) error { return nil }, http.StatusSeeOther, "/dossiers?n=7", "", ""},
		{"an account", func(l *agentconnect.Login) error { l.Account = "42"; return nil }, http.StatusSeeOther, "/dossiers?n=7", "42", ""},
		{"the longest account", func(l *agentconnect.Login) error { l.Account = strings.Repeat("x", 1024); return nil }, http.StatusSeeOther, "/dossiers?n=7", strings.Repeat("x", 1024), ""},
		{"an account that is too long", func(l *agentconnect.Login) error { l.Account = strings.Repeat("x", 1025); return nil }, http.StatusInternalServerError, "", "", ""},
		{"a welcome page", func(l *agentconnect.Login) error {
			l.ReturnTo = "/bienvenue?de=" + url.QueryEscape(l.ReturnTo)
			return nil
		}, http.StatusSeeOther, "/bienvenue?de=%2Fdossiers%3Fn%3D7", "", ""},
		{"a page of another site", func(l *agentconnect.Login) error { l.ReturnTo = "//evil.example/"; return nil }, http.StatusSeeOther, "/", "", ""},
		{"a route of ours", func(l *agentconnect.Login) error { l.ReturnTo = "/logout"; return nil }, http.StatusSeeOther, "/", "", ""},
		{"no page", func(l *agentconnect.Login) error { l.ReturnTo = ""; return nil }, http.StatusSeeOther, "/", "", ""},
		{"a cookie", func(l *agentconnect.Login) error {
			http.SetCookie(l.Writer, &http.Cookie{Name: "basket", Value: "new", Path: "/"})
			l.Writer.Header().Set("Location", "https://evil.example/")
			l.Writer.Header().Set("Cache-Control", "public")
			l.Writer.Header().Set("Content-Length", "5")
			l.Writer.WriteHeader(http.StatusTeapot)
			if _, err := l.Writer.Write([]byte("hello")); err == nil {
				return errors.New("the hook could write")
			}
			return nil
		}, http.StatusSeeOther, "/dossiers?n=7", "", "new"},
		{"a cookie, and a refusal", func(l *agentconnect.Login) error {
			http.SetCookie(l.Writer, &http.Cookie{Name: "basket", Value: "new", Path: "/"})
			return agentconnect.RefuseLogin(agentconnect.Reason{French: "Non."})
		}, http.StatusForbidden, "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var loggedOut agentconnect.Logout
			a := newApp(t,
				agentconnect.WithLoginHook(func(_ context.Context, login *agentconnect.Login) error { return tt.hook(login) }),
				agentconnect.WithLogoutHook(func(_ context.Context, logout *agentconnect.Logout) {
					loggedOut = *logout
					http.SetCookie(logout.Writer, &http.Cookie{Name: "basket", Path: "/", MaxAge: -1})
					logout.Writer.WriteHeader(http.StatusTeapot)
				}))
			site := a.serve(a.auth.RequireAgent(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.WriteString(w, agentconnect.AccountFrom(r.Context()))
			})))
			b := a.browser()
			p := b.navigate(b.callback("/login?return_to="+url.QueryEscape("/dossiers?n=7"), "marie").String())
			if p.StatusCode != tt.status || p.location() != tt.page || p.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("got status %d to %q, %q, want %d to %q, no-store", p.StatusCode, p.location(), p.Header.Get("Cache-Control"), tt.status, tt.page)
			}
			if got := b.cookies()["basket"]; got != tt.cookie {
				t.Errorf("got the cookie %q, want %q", got, tt.cookie)
			}
			if tt.status != http.StatusSeeOther {
				if n := a.store.sessions(t); n != 0 {
					t.Errorf("got %d sessions, want none", n)
				}
				return
			}
			if got := b.fetch(site + "/").body; got != tt.account {
				t.Errorf("AccountFrom: got %q, want %q", got, tt.account)
			}
			if p := b.post("/logout", nil); p.StatusCode != http.StatusSeeOther || b.cookies()["basket"] != "" {
				t.Errorf("logout: got status %d and the cookie %q, want 303 and none", p.StatusCode, b.cookies()["basket"])
			}
			if loggedOut.Account != tt.account || loggedOut.Agent.Sub != a.agentSub("marie") {
				t.Errorf("logout hook: got the account %q, want %q", loggedOut.Account, tt.account)
			}
		})
	}
	if got := agentconnect.AccountFrom(t.Context()); got != "" {
		t.Errorf("AccountFrom of no session: got %q, want none", got)
	}
}

// SessionWithoutLogin makes the session that a login would make, if a login would
// make one.
func TestSessionWithoutLogin(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		agent agentconnect.Agent
		want  string // in the error
	}{
		{"an agent", agentconnect.Agent{Sub: "s", ACR: agentconnect.ACREIDAS2, Email: "a@b.example"}, ""},
		{"the zero agent", agentconnect.Agent{}, "sub"},
		{"a level too low", agentconnect.Agent{Sub: "s", ACR: agentconnect.ACREIDAS1}, "insufficient_level"},
		{"refused by the hook", agentconnect.Agent{Sub: "refused", ACR: agentconnect.ACREIDAS2}, "login_refused"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, agentconnect.WithLevel(agentconnect.MFA()), agentconnect.WithIdleTimeout(time.Hour), agentconnect.WithLoginHook(func(_ context.Context, login *agentconnect.Login) error {
				if login.Agent.Sub == "refused" {
					return agentconnect.RefuseLogin(agentconnect.Reason{French: "Non."})
				}
				login.Account = "42"
				http.SetCookie(login.Writer, &http.Cookie{Name: "basket", Value: "new", Path: "/"})
				return nil
			}))
			cookies, err := a.auth.SessionWithoutLogin(t.Context(), tt.agent)
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) || cookies != nil || a.store.sessions(t) != 0 {
					t.Errorf("got cookies %v, error %v, %d sessions, want none and an error with %q", cookies, err, a.store.sessions(t), tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			b := a.browser()
			for _, c := range cookies {
				b.setCookie(c.Name, c.Value)
			}
			if got := b.sub(); got != "s" {
				t.Errorf("got agent %q, want s", got)
			}
			if got := b.cookies()["basket"]; got != "new" {
				t.Errorf("the cookie of the hook: got %q, want new", got)
			}
			if p := b.post("/logout", nil); p.StatusCode != http.StatusSeeOther || a.store.sessions(t) != 0 {
				t.Errorf("logout: got status %d, %d sessions, want 303 and none", p.StatusCode, a.store.sessions(t))
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
		agentconnect.WithLogoutHook(func(_ context.Context, logout *agentconnect.Logout) {
			loggedOut = append(loggedOut, logout.Agent.Sub)
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
	again := a.browserOf(a.auth.RequireAgent(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.auth.StartLogin(w, r, agentconnect.LoginOptions{}) })))
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
