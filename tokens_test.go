package agentconnect_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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
	})))
	mux.Handle("/", a.routes())
	return mux
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
	if _, commits, _ := a.store.counts(); commits != 3 {
		t.Errorf("store: got %d commits, want 3: the session, its tokens, the new tokens", commits)
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

// What comes of a refresh that the provider refuses, or whose answer is wrong or
// lacks something: the session always stays, and so does the refresh token, unless
// it is what was refused.
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

// What happens in the middle of a refresh, by the store's operations: the session
// is read, its tokens, its tokens again, the new ones are written, and the session
// is read again.
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
		{"the tokens cannot be read", 2, down, "error: session store: down", 0, 2},
		{"nor again", 3, down, "error: session store: down", 0, 2},
		{"the tokens cannot be written", 4, down, "error: session store: down", 1, 2},
		{"the session cannot be read again", 5, down, "login needed", 1, 1},
		{"a logout before the refresh", 3, logout, "login needed", 0, 0},
		{"a logout during the refresh", 4, logout, "login needed", 1, 0},
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
			if got := strings.TrimSpace(b.fetch("/token").body); got != want {
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

// The provider refuses a refresh token that another instance used, or that a
// logout revoked, in the meantime.
func TestTokenRefreshRefusedMeanwhile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		while func(a *app, elsewhere *browser) (want string)
	}{
		{"renewed", func(_ *app, elsewhere *browser) string { return elsewhere.fetch("/token").body }},
		{"renewed long ago", func(a *app, elsewhere *browser) string {
			elsewhere.fetch("/token")
			a.clock.advance(hour)
			return "login needed"
		}},
		{"logged out", func(_ *app, elsewhere *browser) string {
			elsewhere.post("/logout", nil)
			return "login needed"
		}},
		{"the store is down", func(a *app, _ *browser) string {
			a.store.setFailure(errors.New("down"))
			return "error: session store: down"
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, b := tokenApp(t, nil, agentconnect.WithTokens())
			b.logInOf(a, "marie")
			elsewhere := b.elsewhere(agentconnect.WithTokens())
			a.clock.advance(hour)
			var want string
			a.provider.Inject(agentconnecttest.Once(agentconnecttest.Tamper{Endpoint: agentconnecttest.Token, Answer: func(answer *agentconnecttest.Answer) {
				want = tt.while(a, elsewhere)
				answer.Status, answer.Body = http.StatusBadRequest, []byte(`{"error":"invalid_grant"}`)
			}}))
			if got := strings.TrimSpace(b.fetch("/token").body); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// Who stops waiting for a refresh does not stop it for the others.
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
		const others = 2
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
		store.at(2, func() error { return errors.New("read-only") }) // after the session
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
	if _, err := a.auth.EndSessionsOf(t.Context(), "sub"); !errors.Is(err, agentconnect.ErrStoreNotIterable) {
		t.Errorf("got %v, want ErrStoreNotIterable", err)
	}
}
