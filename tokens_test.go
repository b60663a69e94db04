package agentconnect_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

const hour = time.Hour

// tokenApp is an application whose page /token answers its access token, or
// "login needed".
func tokenApp(t *testing.T, providerOpts []agentconnecttest.ServerOption, opts ...agentconnect.Option) (*app, *browser) {
	t.Helper()
	a := newAppWith(t, providerOpts, opts...)
	return a, a.browserOf(tokenRoutes(a))
}

// tokenRoutes are the routes of a tokenApp.
func tokenRoutes(a *app) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/token", a.auth.RequireAgent(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, err := a.auth.TokenSource(r.Context()).Token()
		writeToken(w, token, err)
	})))
	mux.Handle("/renew", a.auth.RequireAgent(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var refused *oauth2.Token
		if !r.URL.Query().Has("none") {
			refused = &oauth2.Token{AccessToken: r.URL.Query().Get("refused")}
			if refused.AccessToken == "" {
				refused, _ = a.auth.TokenSource(r.Context()).Token()
			}
		}
		token, err := a.auth.RenewToken(r.Context(), refused)
		writeToken(w, token, err)
	})))
	mux.Handle("/", a.routes())
	return mux
}

// writeToken answers an access token, "login needed", or an error.
func writeToken(w http.ResponseWriter, token *oauth2.Token, err error) {
	switch {
	case errors.Is(err, agentconnect.ErrLoginNeeded):
		io.WriteString(w, "login needed")
	case err != nil:
		http.Error(w, "error: "+err.Error(), http.StatusBadGateway)
	case token.RefreshToken != "":
		http.Error(w, "a refresh token came out", http.StatusInternalServerError)
	default:
		io.WriteString(w, token.AccessToken)
	}
}

// elsewhere returns the same browser at another instance of the application.
func (b *browser) elsewhere(opts ...agentconnect.Option) *browser {
	b.t.Helper()
	other := b.app.another(opts...)
	at := other.browserOf(tokenRoutes(other))
	at.client = b.client
	return at
}

// A scriptedStore is a store in one of whose next operations something happens.
type scriptedStore struct {
	*store
	mu   sync.Mutex
	left int
	do   func() error
}

// at has do run at the nth operation from now, before it; its error is the
// operation's.
func (s *scriptedStore) at(n int, do func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left, s.do = n, do
}

func (s *scriptedStore) step() error {
	s.mu.Lock()
	s.left--
	due := s.left == 0
	s.mu.Unlock()
	if due {
		return s.do()
	}
	return nil
}

func (s *scriptedStore) Find(token string) ([]byte, bool, error) {
	if err := s.step(); err != nil {
		return nil, false, err
	}
	return s.store.Find(token)
}

func (s *scriptedStore) Commit(token string, b []byte, expiry time.Time) error {
	if err := s.step(); err != nil {
		return err
	}
	return s.store.Commit(token, b, expiry)
}

func (s *scriptedStore) Delete(token string) error {
	if err := s.step(); err != nil {
		return err
	}
	return s.store.Delete(token)
}

// scriptedTokenApp is a tokenApp one of whose instances, b's, has a scripted
// store. Nobody is logged in.
func scriptedTokenApp(t *testing.T, opts ...agentconnect.Option) (*app, *browser, *scriptedStore) {
	t.Helper()
	s := &scriptedStore{store: newStore()}
	a := newAppWith(t, nil, append(opts, agentconnect.WithSessionStore(s))...)
	a.store = s.store // what other instances get
	return a, a.browserOf(tokenRoutes(a)), s
}

// A callback is repeated on another instance, at any moment of the first: a browser
// that gets the session also gets its tokens.
func TestTokensOfATwin(t *testing.T) {
	t.Parallel()
	const operations = 6 // of a callback with tokens, and one more
	for operation := 1; operation <= operations; operation++ {
		t.Run(fmt.Sprint("operation ", operation), func(t *testing.T) {
			t.Parallel()
			a, b, store := scriptedTokenApp(t, agentconnect.WithTokens())
			callback := b.callback("/login", "marie")
			other := a.another(agentconnect.WithTokens())
			twin := other.browserOf(tokenRoutes(other))
			for name, value := range b.cookies() {
				twin.setCookie(name, value)
			}
			store.at(operation, func() error {
				if p := twin.navigate(twin.app.url + callback.RequestURI()); p.StatusCode == http.StatusSeeOther {
					if got := twin.fetch("/token").body; got == "login needed" {
						t.Errorf("the twin: got %q, want an access token", got)
					}
				}
				return nil
			})
			b.navigate(callback.String())
			if got := b.fetch("/token").body; got == "login needed" || got == "" {
				t.Errorf("the first: got %q, want an access token", got)
			}
		})
	}
}

// A login that fails because of the store, at any operation, leaves no tokens and no
// session.
func TestTokensOfAFailedLogin(t *testing.T) {
	t.Parallel()
	for operation := 2; operation <= 5; operation++ { // the first is the look for a twin
		a, b, store := scriptedTokenApp(t, agentconnect.WithTokens())
		callback := b.callback("/login", "marie")
		store.at(operation, func() error { return errors.New("down for a moment") })
		b.checkErrorPage(b.navigate(callback.String()), refusal{code: agentconnect.CodeSessionStore})
		a.eventually("an empty store", func() bool { return a.store.sessions(t) == 0 })
	}
}

// logInOf logs in through the application's own port; the session serves both.
func (b *browser) logInOf(a *app, agent string) {
	b.t.Helper()
	(&browser{t: b.t, app: a, client: b.client}).login("/dossiers", agent)
}

func TestTokenSource(t *testing.T) {
	t.Parallel()
	a, b := tokenApp(t, nil, agentconnect.WithTokens())
	b.logInOf(a, "marie")
	first := b.fetch("/token").body
	if first == "" || first == "login needed" {
		t.Fatalf("got %q, want an access token", first)
	}
	if n := a.provider.Requests(agentconnecttest.Token); n != 1 {
		t.Errorf("token endpoint: got %d requests, want that of the login alone", n)
	}
	a.clock.advance(hour - 29*time.Second) // the token ends within half a minute
	second := b.fetch("/token").body
	if second == first || second == "login needed" {
		t.Errorf("got %q, want another token than %q", second, first)
	}
	before, _, _ := a.store.counts()
	if third := b.fetch("/token").body; third != second {
		t.Errorf("got %q, want the token that was kept, %q", third, second)
	}
	if finds, _, _ := a.store.counts(); finds-before != 2 {
		t.Errorf("store: got %d reads for a token that is good, want the session and its tokens", finds-before)
	}
	if n := a.provider.Requests(agentconnecttest.Token); n != 2 {
		t.Errorf("token endpoint: got %d requests, want one more", n)
	}
	// The session's own record was never rewritten: only the tokens' was.
	if _, commits, _ := a.store.counts(); commits != 4 {
		t.Errorf("store: got %d commits, want 4: the session, its tokens, the lease, the new tokens", commits)
	}
	b.post("/logout", nil)
	if n := a.store.sessions(t); n != 0 {
		t.Errorf("store after the logout: got %d records, want none", n)
	}
	if n := a.provider.Requests(agentconnecttest.Revocation); n != 0 {
		t.Errorf("revocation: got %d requests, want none: it was not asked for", n)
	}
}

// A renewal goes through the application's client, within the bounds of every
// answer, and is an event.
func TestTokenRefreshGoesThroughTheClient(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	transport := roundTripperFunc(func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, "/token") {
			calls.Add(1)
		}
		return http.DefaultTransport.RoundTrip(r)
	})
	renewed := make(chan agentconnect.Event, 10)
	a, b := tokenApp(t, nil, agentconnect.WithTokens(), agentconnect.WithHTTPClient(&http.Client{Transport: transport}),
		agentconnect.WithEvents(func(_ context.Context, e agentconnect.Event) {
			if e.Kind == agentconnect.EventTokenRefreshed {
				renewed <- e
			}
		}))
	b.logInOf(a, "marie")
	a.clock.advance(time.Hour)
	a.provider.Inject(agentconnecttest.Once(agentconnecttest.Fault("token-huge")))
	if got := b.fetch("/token").body; !strings.Contains(got, "too large") {
		t.Errorf("an endless answer: got %q, want a refusal", got)
	}
	b.fetch("/token")
	if got := calls.Load(); got != 3 {
		t.Errorf("calls to the token endpoint by the application's client: got %d, want the login's and two of renewals", got)
	}
	if got := len(renewed); got != 1 {
		t.Fatalf("events: got %d, want 1, of the renewal that succeeded", got)
	}
	if got, want := (<-renewed).Agent, agentconnect.Pseudonym(a.agentSub("marie")); got != want {
		t.Errorf("event: got agent %s, want %s", got, want)
	}
}

func TestTokensAreNotKeptUnlessAskedFor(t *testing.T) {
	t.Parallel()
	a, b := tokenApp(t, nil)
	b.logInOf(a, "marie")
	if got := b.fetch("/token").body; got != "login needed" {
		t.Errorf("got %q, want none", got)
	}
	if n := a.store.sessions(t); n != 1 {
		t.Errorf("store: got %d records, want the session alone", n)
	}
}

// Fifty requests at once with a token that ended: one refresh, with a refresh
// token that only works once.
func TestTokenRefreshIsShared(t *testing.T) {
	t.Parallel()
	a, b := tokenApp(t, []agentconnecttest.ServerOption{agentconnecttest.WithRefreshTokenRotation()}, agentconnect.WithTokens())
	b.logInOf(a, "marie")
	for range 2 { // the second time with the refresh token of the first
		a.clock.advance(hour)
		before := a.provider.Requests(agentconnecttest.Token)
		var wg sync.WaitGroup
		got := make([]string, 50)
		for i := range got {
			wg.Go(func() { got[i] = b.fetch("/token").body })
		}
		wg.Wait()
		for _, token := range got {
			if token != got[0] || strings.Contains(token, " ") {
				t.Fatalf("got the tokens %q and %q, want one for everybody", got[0], token)
			}
		}
		if n := a.provider.Requests(agentconnecttest.Token) - before; n != 1 {
			t.Errorf("token endpoint: got %d requests, want 1", n)
		}
	}
}

// The effect of a refresh that the provider refuses, or whose answer is wrong or
// incomplete: the session always stays, and so does the refresh token, unless the
// provider refused it.
func TestTokenRefreshFails(t *testing.T) {
	t.Parallel()
	faulty := func(fault agentconnecttest.Injectable) func(*app) {
		return func(a *app) { a.provider.Inject(fault) }
	}
	otherSub := agentconnecttest.Tamper{IDToken: func(j *agentconnecttest.JWT) { j.Claims.Set("sub", "somebody-else") }}
	for _, tt := range []struct {
		name    string
		before  func(*app) // before the login
		breakIt func(*app)
		want    string // "": another token
		then    string // without the fault
	}{
		{"no refresh token", faulty(agentconnecttest.Once(agentconnecttest.Fault("token-no-refresh-token"))), nil, "login needed", "login needed"},
		{"the refresh token is revoked", nil, func(a *app) { a.provider.RevokeTokens(a.agentSub("marie")) }, "login needed", "login needed"},
		{"the provider is away", nil, faulty(agentconnecttest.Fault("token-reset")), "provider_unavailable", ""},
		{"of another type", nil, faulty(agentconnecttest.Fault("token-type-other")), "provider_answer", ""},
		{"an ID token of somebody else", nil, faulty(otherSub), "invalid_id_token", ""},
		{"a bad ID token", nil, faulty(agentconnecttest.IDTokenWrongIssuer), "invalid_id_token", ""},
		{"an ID token that expired", nil, faulty(agentconnecttest.IDTokenExpired), "invalid_id_token", ""},
		{"no ID token", nil, faulty(agentconnecttest.Fault("token-missing-id-token")), "", ""},
		{"an empty ID token", nil, faulty(agentconnecttest.Fault("token-empty-id-token")), "", ""},
		{"no other refresh token", nil, faulty(agentconnecttest.Fault("token-no-refresh-token")), "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, b := tokenApp(t, nil, agentconnect.WithTokens())
			if tt.before != nil {
				tt.before(a)
			}
			b.logInOf(a, "marie")
			last := b.fetch("/token").body
			check := func(when, want string) {
				t.Helper()
				p := b.fetch("/token")
				renewed := p.StatusCode == http.StatusOK && !strings.Contains(p.body, " ") && p.body != last
				if want == "" && !renewed || !strings.Contains(p.body, want) {
					t.Errorf("%s: got status %d, %q, want %q", when, p.StatusCode, p.body, want)
				}
				last = p.body
				if b.sub() == "" {
					t.Errorf("%s: the session ended with the token", when)
				}
			}
			a.clock.advance(hour)
			if tt.breakIt != nil {
				tt.breakIt(a)
			}
			check("first", tt.want)
			a.provider.Clear()
			a.clock.advance(hour)
			check("then", tt.then)
		})
	}
}

// Events in the middle of a refresh, by the store's operations: the session is read,
// its tokens, its tokens again, the lease is read, written and read again, the tokens
// are read again, the new ones are written, the session is read again, and the lease is
// deleted.
func TestTokenRefreshAndTheStore(t *testing.T) {
	t.Parallel()
	down := func(*browser) (string, error) { return "", errors.New("down") }
	logout := func(elsewhere *browser) (string, error) {
		elsewhere.post("/logout", nil)
		return "", nil
	}
	for _, tt := range []struct {
		name      string
		operation int
		do        func(elsewhere *browser) (body string, err error)
		want      string // "": what do returns
		refreshes int
		records   int
	}{
		{"the tokens cannot be read", 2, down, "error: agentconnect: session store: down", 0, 2},
		{"nor again", 3, down, "error: agentconnect: session store: down", 0, 2},
		{"the lease cannot be read", 4, down, "error: agentconnect: lease: down", 0, 2},
		{"the lease cannot be written", 5, down, "error: agentconnect: lease: down", 0, 2},
		{"the lease cannot be read again", 6, down, "error: agentconnect: lease: down", 0, 3},
		{"the tokens cannot be read with the lease", 7, down, "error: agentconnect: session store: down", 0, 2},
		{"the tokens cannot be written", 8, down, "error: agentconnect: session store: down", 1, 2},
		{"the session cannot be read again", 9, down, "login needed", 1, 1},
		{"the lease cannot be given back", 10, down, "the renewed one", 1, 3},
		{"a logout before the refresh", 3, logout, "login needed", 0, 0},
		{"a logout during the refresh", 8, logout, "login needed", 1, 0},
		{"a refresh elsewhere", 3, func(elsewhere *browser) (string, error) { return elsewhere.fetch("/token").body, nil }, "", 1, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, b, store := scriptedTokenApp(t, agentconnect.WithTokens())
			b.logInOf(a, "marie")
			elsewhere := b.elsewhere(agentconnect.WithTokens())
			a.clock.advance(hour)
			before := a.provider.Requests(agentconnecttest.Token)
			want := tt.want
			store.at(tt.operation, func() error {
				body, err := tt.do(elsewhere)
				want += body
				return err
			})
			got := strings.TrimSpace(b.fetch("/token").body)
			if want == "the renewed one" {
				want = elsewhere.fetch("/token").body
			}
			if got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			if got := a.provider.Requests(agentconnecttest.Token) - before; got != tt.refreshes {
				t.Errorf("got %d refreshes, want %d", got, tt.refreshes)
			}
			if got := a.store.sessions(t); got != tt.records {
				t.Errorf("got %d records, want %d", got, tt.records)
			}
		})
	}
}

// The provider refuses a refresh token that a logout revoked in the meantime, or
// that another instance redeemed because the store let it.
func TestTokenRefreshRefusedMeanwhile(t *testing.T) {
	t.Parallel()
	store := func(a *app, access string, expires time.Duration) {
		a.rewriteTokens(func(tokens map[string]any) {
			tokens["access_token"], tokens["expiry"] = access, a.clock.Now().Add(expires).Unix()
		})
	}
	for _, tt := range []struct {
		name  string
		while func(a *app, elsewhere *browser)
		want  string
	}{
		{"renewed", func(a *app, _ *browser) { store(a, "theirs", time.Hour) }, "theirs"},
		{"renewed long ago", func(a *app, _ *browser) { store(a, "theirs", 0) }, "login needed"},
		{"not renewed", func(*app, *browser) {}, "login needed"},
		{"logged out", func(_ *app, elsewhere *browser) { elsewhere.post("/logout", nil) }, "login needed"},
		{"the store is down", func(a *app, _ *browser) { a.store.setFailure(errors.New("down")) }, "error: agentconnect: session store: down"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, b := tokenApp(t, nil, agentconnect.WithTokens())
			b.logInOf(a, "marie")
			elsewhere := b.elsewhere(agentconnect.WithTokens())
			a.clock.advance(hour)
			a.provider.Inject(agentconnecttest.Once(agentconnecttest.Tamper{Endpoint: agentconnecttest.Token, Answer: func(answer *agentconnecttest.Answer) {
				tt.while(a, elsewhere)
				answer.Status, answer.Body = http.StatusBadRequest, []byte(`{"error":"invalid_grant"}`)
			}}))
			if got := strings.TrimSpace(b.fetch("/token").body); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// rewriteTokens changes the records of tokens in the store.
func (a *app) rewriteTokens(change func(tokens map[string]any)) {
	a.t.Helper()
	records, err := a.store.All()
	if err != nil {
		a.t.Fatal(err)
	}
	for key, record := range records {
		var tokens map[string]any
		if json.Unmarshal(record, &tokens) != nil {
			continue // a session, or a lease
		}
		change(tokens)
		record, _ = json.Marshal(tokens)
		a.store.Commit(key, record, time.Now().Add(12*hour))
	}
}

// Two instances with one store need another access token at the same time: one
// redeems the refresh token, which works once, and both end with a token that works,
// each time.
func TestTwoInstancesRenewOneToken(t *testing.T) {
	t.Parallel()
	const trials, atOnce = 200, 100
	a, b := tokenApp(t, []agentconnecttest.ServerOption{agentconnecttest.WithRefreshTokenRotation()}, agentconnect.WithTokens())
	other := a.another(agentconnect.WithTokens())
	there := other.browserOf(tokenRoutes(other))
	for range trials / atOnce {
		one, two := make([]*browser, atOnce), make([]*browser, atOnce)
		for i := range atOnce {
			one[i], two[i] = b.app.browser(), there.app.browser()
			two[i].client = one[i].client
			one[i].logInOf(a, "marie")
		}
		for range 2 { // the second time with what the first one gave
			a.clock.advance(hour)
			before := a.provider.Requests(agentconnecttest.Token)
			first, second := make([]string, atOnce), make([]string, atOnce)
			var calls sync.WaitGroup
			for i := range atOnce {
				calls.Go(func() { first[i] = one[i].fetch("/token").body })
				calls.Go(func() { second[i] = two[i].fetch("/token").body })
			}
			calls.Wait()
			for i := range atOnce {
				if first[i] != second[i] || !a.isActive(first[i]) {
					t.Errorf("got the tokens %q and %q, want one that works", first[i], second[i])
				}
			}
			if got := a.provider.Requests(agentconnecttest.Token) - before; got != atOnce {
				t.Errorf("got %d refreshes for %d sessions, want one each", got, atOnce)
			}
		}
	}
}

// isActive asks the provider whether a token works.
func (a *app) isActive(token string) bool {
	a.t.Helper()
	res, err := http.PostForm(a.provider.Issuer+"/token/introspection", url.Values{
		"token": {token}, "client_id": {a.provider.Client.ID}, "client_secret": {a.provider.Client.Secret},
	})
	if err != nil {
		a.t.Fatal(err)
	}
	defer res.Body.Close()
	var answer struct{ Active bool }
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		a.t.Fatal(err)
	}
	return answer.Active
}

// serverError is how the provider answers each refresh once its session is over.
func serverError() agentconnecttest.Tamper {
	return agentconnecttest.Tamper{Endpoint: agentconnecttest.Token, Answer: func(answer *agentconnecttest.Answer) {
		answer.Status, answer.Body = http.StatusInternalServerError, []byte(`{"error":"server_error","error_description":"oops! something went wrong"}`)
	}}
}

// Once its session is over, by a logout in another application or after twelve
// hours, the provider answers each refresh with server_error. An agent has to log in
// then; one such answer alone says nothing.
func TestTokensOfAnEndedProviderSession(t *testing.T) {
	t.Parallel()
	const failure, needed = "error: agentconnect: provider_answer: token endpoint, refresh: the provider answers 500 Internal Server Error: server_error", "login needed"
	fromProxy := strings.TrimSuffix(failure, ": server_error")
	type step struct {
		after time.Duration // since the step before
		path  string
		want  string // "": an access token
		asked int    // refreshes
	}
	for _, tt := range []struct {
		name  string
		opts  []agentconnect.Option
		steps []step
		clear int // before this step the provider is well again
	}{
		{"again after a while", nil, []step{
			{hour, "/token", failure, 1}, {time.Second, "/token", failure, 1}, {8 * time.Second, "/token", failure, 1},
			{time.Second, "/token", needed, 1}, {time.Second, "/token", needed, 0}, {hour, "/token", needed, 0},
		}, 0},
		{"once", nil, []step{{hour, "/token", failure, 1}, {time.Second, "/token", "", 1}, {time.Minute, "/token", "", 0}}, 1},
		{"once, and once more after it worked", nil, []step{{hour, "/token", failure, 1}, {time.Minute, "/token", "", 1}, {hour, "/token", "", 1}}, 1},
		{"after the provider's twelve hours", []agentconnect.Option{agentconnect.WithSessionLifetime(24 * hour)}, []step{
			{12 * hour, "/token", needed, 1}, {time.Second, "/token", needed, 0},
		}, 0},
		{"just before them", []agentconnect.Option{agentconnect.WithSessionLifetime(24 * hour)}, []step{{12*hour - 5*time.Second, "/token", failure, 1}}, 0},
		{"a proxy's, again and again", nil, []step{{hour, "/token", fromProxy, 1}, {time.Hour, "/token", fromProxy, 1}, {time.Hour, "/token", fromProxy, 1}}, 0},
		{"after an API refused the access token", nil, []step{{0, "/renew", needed, 1}, {0, "/token", needed, 0}, {0, "/renew", needed, 0}}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, b := tokenApp(t, nil, append(tt.opts, agentconnect.WithTokens())...)
			b.logInOf(a, "marie")
			fault := serverError()
			if strings.HasPrefix(tt.name, "a proxy") {
				fault.Answer = func(answer *agentconnecttest.Answer) {
					answer.Status, answer.Body = http.StatusInternalServerError, []byte("<h1>500</h1>")
					answer.Header.Set("Content-Type", "text/html")
				}
			}
			a.provider.Inject(fault)
			for i, step := range tt.steps {
				if tt.clear > 0 && i == tt.clear {
					a.provider.Clear()
				}
				a.clock.advance(step.after)
				before := a.provider.Requests(agentconnecttest.Token)
				got := strings.TrimSpace(b.fetch(step.path).body)
				if step.want != "" && got != step.want || step.want == "" && !a.isActive(got) {
					t.Errorf("step %d: got %q, want %q", i+1, got, step.want)
				}
				if asked := a.provider.Requests(agentconnecttest.Token) - before; asked != step.asked {
					t.Errorf("step %d: got %d refreshes, want %d", i+1, asked, step.asked)
				}
				if b.sub() == "" {
					t.Errorf("step %d: the session ended with the tokens", i+1)
				}
			}
		})
	}
}

// Tokens that are over are revoked at the logout all the same: an API may still
// take them. A new login brings others.
func TestTokensThatAreOver(t *testing.T) {
	t.Parallel()
	a, b := tokenApp(t, nil, agentconnect.WithTokens(), agentconnect.WithRevocationAtLogout())
	b.logInOf(a, "marie")
	first := b.fetch("/token").body
	a.provider.Inject(agentconnecttest.Once(serverError()))
	if got := b.fetch("/renew").body; got != "login needed" {
		t.Fatalf("got %q, want login needed", got)
	}
	if !a.isActive(first) {
		t.Fatal("the provider took the token back by itself")
	}
	(&browser{t: t, app: a, client: b.client}).login("/login", "marie")
	if a.isActive(first) {
		t.Error("the tokens of before the login were not revoked")
	}
	if second := b.fetch("/token").body; !a.isActive(second) {
		t.Errorf("after a login: got %q, want a token that works", second)
	}
}

// The idle timeout ends a session like a logout: its tokens are revoked too.
func TestIdleTimeoutRevokesTokens(t *testing.T) {
	t.Parallel()
	a, b := tokenApp(t, nil, agentconnect.WithTokens(), agentconnect.WithRevocationAtLogout(), agentconnect.WithIdleTimeout(5*time.Minute))
	b.logInOf(a, "marie")
	token := b.fetch("/token").body
	a.clock.advance(6 * time.Minute)
	if p := b.fetch("/token"); p.StatusCode != http.StatusUnauthorized {
		t.Errorf("got status %d, want 401", p.StatusCode)
	}
	if a.isActive(token) {
		t.Error("the token is still active")
	}
}

// An API refused the access token: the next one is another one, for all who say so,
// and what was renewed since is not renewed again.
func TestRenewToken(t *testing.T) {
	t.Parallel()
	a, b := tokenApp(t, nil, agentconnect.WithTokens())
	b.logInOf(a, "marie")
	first := b.fetch("/token").body
	var calls sync.WaitGroup
	renewed := make([]string, 10)
	for i := range renewed {
		calls.Go(func() { renewed[i] = b.fetch("/renew?refused=" + first).body })
	}
	calls.Wait()
	for _, token := range append(renewed, b.fetch("/token").body, b.fetch("/renew?refused="+first).body) {
		if token == first || token != renewed[0] || !a.isActive(token) {
			t.Errorf("got %q, want one token that works, and is not %q", token, first)
		}
	}
	if got := a.provider.Requests(agentconnecttest.Token); got != 2 {
		t.Errorf("token endpoint: got %d requests, want those of the login and of one renewal", got)
	}
	if got := b.fetch("/renew?none").body; got != renewed[0] {
		t.Errorf("without a token that was refused: got %q, want %q", got, renewed[0])
	}
	nobody := a.browserOf(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := a.auth.RenewToken(r.Context(), &oauth2.Token{AccessToken: first}); !errors.Is(err, agentconnect.ErrLoginNeeded) {
			t.Errorf("without a session: got %v, want ErrLoginNeeded", err)
		}
	}))
	nobody.fetch("/")
}

// A panic of what the application brought, in the goroutine of a renewal, is an
// error for those who wait, and the next renewal works.
func TestPanicsDuringARenewal(t *testing.T) {
	t.Parallel()
	var panics atomic.Bool
	panicking := func() {
		if panics.CompareAndSwap(true, false) {
			panic("of the application: " + personalSecret)
		}
	}
	transport := roundTripperFunc(func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, "/token") { // not when the keys are read again
			panicking()
		}
		return http.DefaultTransport.RoundTrip(r)
	})
	for name, opt := range map[string]agentconnect.Option{
		"transport": agentconnect.WithHTTPClient(&http.Client{Transport: transport}),
		"events":    agentconnect.WithEvents(func(context.Context, agentconnect.Event) { panicking() }),
		"logger":    agentconnect.WithLogger(slog.New(panickingHandler{slog.DiscardHandler, panicking})),
		"store":     agentconnect.WithSessionStore(panickingStore{newStore(), panicking}),
	} {
		t.Run(name, func(t *testing.T) {
			a, b := tokenApp(t, nil, agentconnect.WithTokens(), opt)
			b.logInOf(a, "marie")
			a.clock.advance(hour)
			panics.Store(true)
			var calls sync.WaitGroup
			var failed atomic.Int32
			for range 5 {
				calls.Go(func() {
					p := b.fetch("/token")
					if p.StatusCode == http.StatusOK {
						return // it came after the panic
					}
					failed.Add(1)
					if !strings.Contains(p.body, "error: agentconnect: internal: panic in ") || strings.Contains(p.body, personalSecret) {
						t.Errorf("got %q, want the error internal, without what the panic said", p.body)
					}
				})
			}
			calls.Wait()
			if failed.Load() == 0 {
				t.Error("got no error, want one for each that waited")
			}
			if got := b.fetch("/token").body; !a.isActive(got) {
				t.Errorf("then: got %q, want a token that works", got)
			}
		})
	}
}

const personalSecret = "Marie Dupont"

type panickingHandler struct {
	slog.Handler
	panicking func()
}

func (h panickingHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h panickingHandler) Handle(context.Context, slog.Record) error {
	h.panicking()
	return nil
}

// A panickingStore panics when a lease is written.
type panickingStore struct {
	*store
	panicking func()
}

func (s panickingStore) Commit(key string, record []byte, expiry time.Time) error {
	s.panicking()
	return s.store.Commit(key, record, expiry)
}

// A caller that stops waiting for a refresh does not stop it for the others.
func TestTokenRefreshGoesOn(t *testing.T) {
	t.Parallel()
	a := newApp(t, agentconnect.WithTokens())
	leaving, leave := context.WithCancel(t.Context())
	left := make(chan error, 1)
	mux := http.NewServeMux()
	mux.Handle("/leave", a.auth.RequireAgent(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		ctx := agentContext{Context: leaving, values: r.Context()}
		_, err := a.auth.TokenSource(ctx).Token()
		left <- err
	})))
	mux.Handle("/", tokenRoutes(a))
	b := a.browserOf(mux)
	b.logInOf(a, "marie")
	first := b.fetch("/token").body
	a.clock.advance(hour)
	asked, answer := make(chan struct{}), make(chan struct{})
	a.provider.Inject(agentconnecttest.Once(agentconnecttest.Tamper{Endpoint: agentconnecttest.Token, Answer: func(*agentconnecttest.Answer) {
		close(asked)
		<-answer
	}}))
	before := a.provider.Requests(agentconnecttest.Token)
	var calls sync.WaitGroup
	calls.Go(func() { b.fetch("/leave") })
	<-asked
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("who left: got %v, want context.Canceled", err)
	}
	calls.Go(func() {
		if second := b.fetch("/token").body; second == first || strings.Contains(second, " ") {
			t.Errorf("who stayed: got %q, want another token", second)
		}
	})
	close(answer)
	calls.Wait()
	if got := a.provider.Requests(agentconnecttest.Token) - before; got != 1 {
		t.Errorf("token endpoint: got %d requests, want 1", got)
	}
}

// An agentContext has the values of one context and the end of another.
type agentContext struct {
	context.Context
	values context.Context
}

func (c agentContext) Value(key any) any { return c.values.Value(key) }

// Sessions whose tokens are not there, or not readable: made before WithTokens, or
// by a version to come.
func TestSessionsWithoutTokens(t *testing.T) {
	t.Parallel()
	a, b := tokenApp(t, nil)
	b.logInOf(a, "marie")
	elsewhere := b.elsewhere(agentconnect.WithTokens(), agentconnect.WithRevocationAtLogout())
	if got := elsewhere.fetch("/token").body; got != "login needed" {
		t.Errorf("made before WithTokens: got %q, want login needed", got)
	}
	if p := elsewhere.post("/logout", nil); p.StatusCode != http.StatusSeeOther || a.store.sessions(t) != 0 {
		t.Errorf("logout: got status %d and %d records, want 303 and none", p.StatusCode, a.store.sessions(t))
	}

	a, b = tokenApp(t, nil, agentconnect.WithTokens())
	b.logInOf(a, "marie")
	records, err := a.store.All()
	if err != nil {
		t.Fatal(err)
	}
	for key, record := range records {
		if strings.Contains(string(record), "access_token") {
			a.store.Commit(key, []byte(`{"access_token":"a","expiry":99999999999,"refresh_token":{}}`), time.Now().Add(hour))
		}
	}
	if got := b.fetch("/token").body; got != "login needed" {
		t.Errorf("unreadable: got %q, want login needed", got)
	}
}

// Without a session of this very Authenticator there is no token.
func TestTokenSourceOfNobody(t *testing.T) {
	t.Parallel()
	a := newApp(t, agentconnect.WithTokens())
	other := a.another(agentconnect.WithTokens())
	check := func(name string, ctx context.Context) {
		if token, err := other.auth.TokenSource(ctx).Token(); !errors.Is(err, agentconnect.ErrLoginNeeded) {
			t.Errorf("%s: got %v, %v, want ErrLoginNeeded", name, token, err)
		}
	}
	check("no session", t.Context())
	check("an agent of a test", agentconnect.ContextWithAgent(t.Context(), agentconnect.Agent{Sub: "sub"}))
	b := a.browserOf(a.auth.RequireAgent(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		check("a session of another Authenticator", r.Context())
	})))
	b.logInOf(a, "marie")
	if p := b.fetch("/"); p.StatusCode != http.StatusOK {
		t.Errorf("got status %d, want 200", p.StatusCode)
	}
}

// An instance that just started, with the provider away.
func TestTokensWithAProviderNeverSeen(t *testing.T) {
	t.Parallel()
	a, b := tokenApp(t, nil, agentconnect.WithTokens())
	b.logInOf(a, "marie")
	elsewhere := b.elsewhere(agentconnect.WithTokens(), agentconnect.WithRevocationAtLogout())
	a.clock.advance(hour)
	a.provider.Stop()
	if p := elsewhere.fetch("/token"); !strings.Contains(p.body, "provider_unavailable") {
		t.Errorf("refresh: got %q, want provider_unavailable", p.body)
	}
	if p := elsewhere.post("/logout", nil); p.StatusCode != http.StatusSeeOther || a.store.sessions(t) != 0 {
		t.Errorf("logout: got status %d and %d records, want 303 and none", p.StatusCode, a.store.sessions(t))
	}
	if got := strings.Count(a.logs.String(), "could not be revoked"); got != 2 {
		t.Errorf("got %d tokens that could not be revoked in the logs, want 2", got)
	}
}

// Tokens that cannot be kept are no login.
func TestLoginWithTokensThatCannotBeKept(t *testing.T) {
	t.Parallel()
	a, b, store := scriptedTokenApp(t, agentconnect.WithTokens())
	u := b.callback("/login", "marie")
	store.at(2, func() error { return errors.New("down") }) // after the session
	p := b.navigate(u.String())
	if p.StatusCode != http.StatusServiceUnavailable || !strings.Contains(p.body, "session_store") {
		t.Errorf("got status %d, %s, want 503 session_store", p.StatusCode, p.body)
	}
	if n := a.store.sessions(t); n != 0 || b.sub() != "" {
		t.Errorf("got %d records and agent %q, want none", n, b.sub())
	}
}

// A logout revokes tokens as far as it can, says so when it cannot, and goes on.
// The store's operations are: the session is read and deleted, its tokens are read
// and deleted.
func TestRevocationAtLogout(t *testing.T) {
	t.Parallel()
	endpoint := func(value any) agentconnecttest.Tamper {
		return agentconnecttest.Tamper{Endpoint: agentconnecttest.Discovery, Answer: func(answer *agentconnecttest.Answer) {
			var doc map[string]any
			json.Unmarshal(answer.Body, &doc)
			doc["revocation_endpoint"] = value
			answer.Body, _ = json.Marshal(doc)
		}}
	}
	const revocation, deletion = "a token could not be revoked", "tokens of a session could not be deleted"
	for _, tt := range []struct {
		name      string
		before    agentconnecttest.Injectable // before the login
		breakIt   func(*app)
		operation int // of the store, which fails
		revoked   int
		records   int
		logged    string
	}{
		{name: "revoked", revoked: 2},
		{name: "the endpoint is down", before: agentconnecttest.Fault("revocation-error-503"), revoked: 2, logged: revocation},
		{name: "the endpoint fails", before: agentconnecttest.Fault("revocation-error-500"), revoked: 2, logged: revocation},
		{name: "the endpoint resets", before: agentconnecttest.Fault("revocation-reset"), revoked: 2, logged: revocation},
		{name: "no endpoint", before: endpoint(nil), logged: revocation},
		{name: "an endpoint in clear", before: endpoint("http://provider.example/revocation"), logged: revocation},
		{name: "the provider is away", breakIt: func(a *app) { a.provider.Stop() }, logged: revocation},
		{name: "the tokens cannot be read", operation: 3, logged: deletion},
		{name: "the tokens cannot be deleted", operation: 4, revoked: 2, records: 1, logged: deletion},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, b, store := scriptedTokenApp(t, agentconnect.WithTokens(), agentconnect.WithRevocationAtLogout())
			if tt.before != nil {
				a.provider.Inject(tt.before)
			}
			b.logInOf(a, "marie")
			if tt.breakIt != nil {
				tt.breakIt(a)
			}
			store.at(tt.operation, func() error { return errors.New("down") })
			if p := b.post("/logout", nil); p.StatusCode != http.StatusSeeOther || b.sub() != "" {
				t.Errorf("got status %d, agent %q, want 303 and nobody", p.StatusCode, b.sub())
			}
			if n := a.store.sessions(t); n != tt.records {
				t.Errorf("store: got %d records, want %d", n, tt.records)
			}
			revoked := map[string]bool{}
			for _, r := range a.provider.Received(agentconnecttest.Revocation) {
				revoked[r.PostForm.Get("token")] = true
				if r.PostForm.Get("client_id") != a.provider.Client.ID || r.PostForm.Get("client_secret") != a.provider.Client.Secret {
					t.Error("revocation: got a request without the credentials in its body")
				}
			}
			if delete(revoked, ""); len(revoked) != tt.revoked {
				t.Errorf("revocation: got %d tokens, want %d: the refresh token and the access token", len(revoked), tt.revoked)
			}
			for _, message := range []string{revocation, deletion} {
				if got, want := strings.Contains(a.logs.String(), message), message == tt.logged; got != want {
					t.Errorf("log %q: got %v, want %v", message, got, want)
				}
			}
		})
	}
}

// A browser that leaves in the middle of a logout stops neither the deletion of the
// tokens nor their revocation.
func TestRevocationOutlivesTheBrowser(t *testing.T) {
	t.Parallel()
	for operation := 1; operation <= 4; operation++ {
		store := &impatientStore{scriptedStore: &scriptedStore{store: newStore()}}
		a := newApp(t, agentconnect.WithTokens(), agentconnect.WithRevocationAtLogout(), agentconnect.WithSessionStore(store))
		ctx, leave := context.WithCancel(t.Context())
		b := a.browserOf(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			store.at(operation, func() error {
				leave()
				return nil
			})
			a.auth.Logout(w, r.WithContext(ctx))
		}))
		a.store = store.store
		b.logInOf(a, "marie")
		access := a.provider.Issued()[len(a.provider.Issued())-1].AccessToken
		b.post("/logout", nil)
		if a.isActive(access) {
			t.Errorf("operation %d: the access token was not revoked", operation)
		}
		if n := a.store.sessions(t); n != 0 {
			t.Errorf("operation %d: got %d records, want none", operation, n)
		}
	}
}

// A logout that fails because the session cannot be read ends its tokens all the
// same.
func TestTokensOfAFailedLogout(t *testing.T) {
	t.Parallel()
	a, b, store := scriptedTokenApp(t, agentconnect.WithTokens(), agentconnect.WithRevocationAtLogout())
	b.logInOf(a, "marie")
	access := b.fetch("/token").body
	store.at(1, func() error { return errors.New("down") })
	if p := b.post("/logout", nil); p.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("got status %d, want 503", p.StatusCode)
	}
	if a.isActive(access) || a.store.sessions(t) != 0 {
		t.Errorf("got the access token active: %v, and %d records, want neither", a.isActive(access), a.store.sessions(t))
	}
}

// An impatientStore does nothing once the context has ended. What happens at one of
// its operations happens during it.
type impatientStore struct{ *scriptedStore }

func (s *impatientStore) FindCtx(ctx context.Context, key string) ([]byte, bool, error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	return s.Find(key)
}

func (s *impatientStore) CommitCtx(ctx context.Context, key string, record []byte, expiry time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.Commit(key, record, expiry)
}

func (s *impatientStore) DeleteCtx(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.Delete(key)
}

func TestClient(t *testing.T) {
	t.Parallel()
	var authorization string
	resource := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		authorization = r.Header.Get("Authorization")
		if r.URL.Path != "/moved" {
			http.Redirect(w, r, "/moved", http.StatusFound)
		}
	}))
	t.Cleanup(resource.Close)
	a := newApp(t, agentconnect.WithTokens())
	mux := http.NewServeMux()
	call := func(base *http.Client) http.Handler {
		return a.auth.RequireAgent(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			resp, err := a.auth.Client(r.Context(), base).Get(resource.URL)
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
			w.WriteHeader(resp.StatusCode)
		}))
	}
	var ours int
	base := &http.Client{
		Transport: transportFunc(func(r *http.Request) (*http.Response, error) {
			ours++
			return http.DefaultTransport.RoundTrip(r)
		}),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	mux.Handle("/call", call(nil))
	mux.Handle("/call/ours", call(base))
	b := a.browserOf(mux)
	b.logInOf(a, "marie")
	for path, want := range map[string]int{"/call": http.StatusOK, "/call/ours": http.StatusFound} {
		authorization = ""
		if p := b.fetch(path); p.StatusCode != want {
			t.Errorf("%s: got status %d, want %d", path, p.StatusCode, want)
		}
		if !strings.HasPrefix(authorization, "Bearer ") || len(authorization) < 20 {
			t.Errorf("%s: got Authorization %q, want a bearer token", path, authorization)
		}
	}
	if ours != 1 {
		t.Errorf("got %d calls with the application's own client, want 1", ours)
	}
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Sealed records hold neither names nor tokens, the keys of the store are no
// cookies, and the key can change.
func TestSealedSessions(t *testing.T) {
	t.Parallel()
	oldKey, newKey := []byte(strings.Repeat("o", 32)), []byte(strings.Repeat("n", 32))
	a := newApp(t, agentconnect.WithSealedSessions(oldKey), agentconnect.WithTokens())
	b := a.browser()
	b.login("/dossiers", "marie")
	agent, _ := a.provider.Agent("marie")
	records, err := a.store.All()
	if err != nil || len(records) != 2 {
		t.Fatalf("got %d records, %v, want the session and its tokens", len(records), err)
	}
	for key, record := range records {
		if key == b.cookies()["agentconnect"] {
			t.Error("the key in the store is the cookie")
		}
		for _, name := range []string{"email", "usual_name", "sub"} {
			if value := agent.Claims[name].(string); strings.Contains(string(record), value) {
				t.Errorf("a record holds the %s in clear", name)
			}
		}
		if strings.Contains(string(record), "eyJ") || strings.Contains(string(record), "access_token") {
			t.Error("a record holds a token in clear")
		}
	}
	for _, tt := range []struct {
		name string
		keys [][]byte
		want string
	}{
		{"rotated", [][]byte{newKey, oldKey}, a.agentSub("marie")},
		{"another key", [][]byte{newKey}, ""},
		{"not sealed", nil, ""},
	} {
		var opts []agentconnect.Option
		if tt.keys != nil {
			opts = append(opts, agentconnect.WithSealedSessions(tt.keys...))
		}
		other := &browser{t: t, app: a.another(opts...), client: b.client}
		if got := other.sub(); got != tt.want {
			t.Errorf("%s: got agent %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestEndSessionsOf(t *testing.T) {
	t.Parallel()
	for _, sealed := range []bool{false, true} {
		var sealing []agentconnect.Option
		if sealed {
			sealing = append(sealing, agentconnect.WithSealedSessions([]byte(strings.Repeat("k", 32))))
		}
		a, b, store := scriptedTokenApp(t, append(sealing, agentconnect.WithTokens())...)
		one, two, karim := a.browser(), a.browser(), a.browser()
		one.login("/login", "marie")
		two.login("/login", "marie")
		karim.login("/login", "karim")
		// The store is also another service's, to which marie is logged in.
		foreign := newApp(t, append(sealing, agentconnect.WithSessionStore(a.store))...)
		b.app = foreign
		b.login("/login", "marie")
		if err := a.store.Commit("of somebody else", []byte("something else"), time.Now().Add(hour)); err != nil {
			t.Fatal(err)
		}
		const others = 3 // the two of others, and the mark of the departure
		n, err := a.auth.EndSessionsOf(t.Context(), a.agentSub("marie"))
		if n != 2 || err != nil {
			t.Errorf("sealed %v: got %d, %v, want 2", sealed, n, err)
		}
		if one.sub() != "" || two.sub() != "" || karim.sub() != a.agentSub("karim") || b.sub() != a.agentSub("marie") {
			t.Errorf("sealed %v: got agents %q, %q, %q, and %q elsewhere, want only the last two", sealed, one.sub(), two.sub(), karim.sub(), b.sub())
		}
		if n := a.store.sessions(t); n != 2+others {
			t.Errorf("sealed %v: got %d records, want the other agent's session and tokens, and the others'", sealed, n)
		}
		store.at(4, func() error { return errors.New("read-only") }) // after the mark, and the session that was read
		if n, err := a.auth.EndSessionsOf(t.Context(), a.agentSub("karim")); n != 1 || err == nil || karim.sub() != "" {
			t.Errorf("sealed %v, tokens read-only: got %d, %v, agent %q, want 1 and an error", sealed, n, err, karim.sub())
		}
		karim.login("/login", "karim")
		a.store.setDeleteFailure(errors.New("read-only"))
		if n, err := a.auth.EndSessionsOf(t.Context(), a.agentSub("karim")); n != 0 || err == nil {
			t.Errorf("sealed %v, store read-only: got %d, %v, want an error", sealed, n, err)
		}
	}
}

// A new login in the browser, at whatever moment of it another instance renews the
// tokens of the session before, leaves nothing of that session.
func TestNewLoginDuringRefresh(t *testing.T) {
	t.Parallel()
	for operation := 1; operation <= 5; operation++ {
		a, b, store := scriptedTokenApp(t, agentconnect.WithTokens())
		b.logInOf(a, "marie")
		elsewhere := b.elsewhere(agentconnect.WithTokens())
		a.clock.advance(time.Hour)
		asked, answer, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
		a.provider.Inject(agentconnecttest.Once(agentconnecttest.Tamper{Endpoint: agentconnecttest.Token, Answer: func(*agentconnecttest.Answer) {
			close(asked)
			<-answer
		}}))
		go func() {
			elsewhere.fetch("/token")
			close(done)
		}()
		<-asked
		callback := b.callback("/login", "marie")
		store.at(operation, func() error {
			close(answer)
			<-done
			return nil
		})
		if p := b.navigate(callback.String()); p.StatusCode != http.StatusSeeOther {
			t.Errorf("operation %d: got status %d, want 303", operation, p.StatusCode)
		}
		if n := a.store.sessions(t); n != 2 {
			t.Errorf("operation %d: got %d records, want the new session and its tokens", operation, n)
		}
	}
}

// After a departure, the tokens are of no use to an API either.
func TestEndSessionsOfRevokes(t *testing.T) {
	t.Parallel()
	a, b := tokenApp(t, nil, agentconnect.WithTokens(), agentconnect.WithRevocationAtLogout())
	b.logInOf(a, "marie")
	access := b.fetch("/token").body
	ctx, cancel := context.WithCancel(t.Context())
	ending := a.another(agentconnect.WithTokens(), agentconnect.WithRevocationAtLogout(), agentconnect.WithSessionStore(leavingStore{a.store, cancel}))
	if n, err := ending.auth.EndSessionsOf(ctx, a.agentSub("marie")); n != 1 || err != nil {
		t.Errorf("got %d, %v, want 1", n, err)
	}
	if a.isActive(access) || a.store.sessions(t) != 1 {
		t.Errorf("got the access token active: %v, and %d records, want it revoked, and the mark alone", a.isActive(access), a.store.sessions(t))
	}
}

// A leavingStore's caller goes away while something is deleted.
type leavingStore struct {
	*store
	leave func()
}

func (s leavingStore) Delete(token string) error {
	s.leave()
	return s.store.Delete(token)
}

// The tokens of a session that ends are deleted by an instance that keeps none, too.
func TestEndSessionsOfWithoutTokens(t *testing.T) {
	t.Parallel()
	a, b := tokenApp(t, nil, agentconnect.WithTokens())
	b.logInOf(a, "marie")
	if n, err := a.another().auth.EndSessionsOf(t.Context(), a.agentSub("marie")); n != 1 || err != nil || a.store.sessions(t) != 1 {
		t.Errorf("got %d, %v, %d records, want 1 and the mark alone", n, err, a.store.sessions(t))
	}
}

// A store that cannot list its sessions.
type plainStore struct{ s *store }

func (p plainStore) Find(token string) ([]byte, bool, error) { return p.s.Find(token) }
func (p plainStore) Commit(token string, b []byte, expiry time.Time) error {
	return p.s.Commit(token, b, expiry)
}
func (p plainStore) Delete(token string) error { return p.s.Delete(token) }

func TestEndSessionsOfPlainStore(t *testing.T) {
	t.Parallel()
	a := newApp(t, agentconnect.WithSessionStore(plainStore{newStore()}))
	if _, err := a.auth.EndSessionsOf(t.Context(), "sub"); err == nil || err.Error() != "agentconnect: session store: it cannot list its sessions" {
		t.Errorf("got %v, want that the store cannot list its sessions", err)
	}
}
