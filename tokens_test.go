package agentconnect_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
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
	b := a.browserOf(mux)
	return a, b
}

// logIn logs in through the application's own port; the session serves both.
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
	if third := b.fetch("/token").body; third != second {
		t.Errorf("got %q, want the token that was kept, %q", third, second)
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

func TestTokenRefreshFails(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		breakIt func(*app)
		want    string
	}{
		{"the refresh token is revoked", func(a *app) { a.provider.EndProviderSession(a.agentSub("marie")) }, "login needed"},
		{"the provider is away", func(a *app) { a.provider.Stop() }, "provider_unavailable"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, b := tokenApp(t, nil, agentconnect.WithTokens())
			b.logInOf(a, "marie")
			a.clock.advance(hour)
			tt.breakIt(a)
			p := b.fetch("/token")
			if !strings.Contains(p.body, tt.want) {
				t.Errorf("got status %d, %q, want %q", p.StatusCode, p.body, tt.want)
			}
			if b.sub() == "" {
				t.Error("the session ended with the token")
			}
		})
	}
}

func TestRevocationAtLogout(t *testing.T) {
	t.Parallel()
	a, b := tokenApp(t, nil, agentconnect.WithTokens(), agentconnect.WithRevocationAtLogout())
	b.logInOf(a, "marie")
	b.post("/logout", nil)
	revoked := a.provider.Received(agentconnecttest.Revocation)
	if len(revoked) != 2 {
		t.Fatalf("revocation: got %d requests, want the refresh token's and the access token's", len(revoked))
	}
	for _, r := range revoked {
		if r.PostForm.Get("client_secret") != a.provider.Client.Secret || r.PostForm.Get("token") == "" {
			t.Error("revocation: got a request without the credentials or the token in its body")
		}
	}

	b.logInOf(a, "marie")
	a.provider.Stop()
	if p := b.post("/logout", nil); p.StatusCode != http.StatusSeeOther {
		t.Errorf("logout with the provider away: got status %d, want 303", p.StatusCode)
	}
	if n := a.store.sessions(t); n != 0 {
		t.Errorf("store: got %d records, want none", n)
	}
}

func TestClient(t *testing.T) {
	t.Parallel()
	var authorization string
	resource := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		authorization = r.Header.Get("Authorization")
	}))
	t.Cleanup(resource.Close)
	a := newApp(t, agentconnect.WithTokens())
	mux := http.NewServeMux()
	mux.Handle("/call", a.auth.RequireAgent(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		resp, err := a.auth.Client(r.Context(), nil).Get(resource.URL)
		if err != nil {
			t.Error(err)
			return
		}
		resp.Body.Close()
	})))
	b := a.browserOf(mux)
	b.logInOf(a, "marie")
	b.fetch("/call")
	if !strings.HasPrefix(authorization, "Bearer ") || len(authorization) < 20 {
		t.Errorf("got Authorization %q, want a bearer token", authorization)
	}
}

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
		opts := []agentconnect.Option{agentconnect.WithTokens()}
		if sealed {
			opts = append(opts, agentconnect.WithSealedSessions([]byte(strings.Repeat("k", 32))))
		}
		a := newApp(t, opts...)
		one, two, karim := a.browser(), a.browser(), a.browser()
		one.login("/login", "marie")
		two.login("/login", "marie")
		karim.login("/login", "karim")
		n, err := a.auth.EndSessionsOf(t.Context(), a.agentSub("marie"))
		if n != 2 || err != nil {
			t.Errorf("sealed %v: got %d, %v, want 2", sealed, n, err)
		}
		if one.sub() != "" || two.sub() != "" || karim.sub() != a.agentSub("karim") {
			t.Errorf("sealed %v: got agents %q, %q, %q, want only the last", sealed, one.sub(), two.sub(), karim.sub())
		}
		if n := a.store.sessions(t); n != 2 {
			t.Errorf("sealed %v: got %d records, want the other agent's session and tokens", sealed, n)
		}
		a.store.setDeleteFailure(errors.New("read-only"))
		if n, err := a.auth.EndSessionsOf(t.Context(), a.agentSub("karim")); n != 0 || err == nil {
			t.Errorf("sealed %v, store read-only: got %d, %v, want an error", sealed, n, err)
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
