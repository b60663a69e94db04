package agentconnect_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/alexedwards/scs/v2/memstore"

	"github.com/agentconnect-go/agentconnect"
)

// A login under way during a departure leaves no session, at any moment: before each
// operation of the store, after it, and while the hook decides. Also if another
// instance ends the sessions.
func TestThreatDepartureDuringLogin(t *testing.T) {
	t.Parallel()
	const operations = 4 // of a login: the mark, the tokens, the session, the mark again
	for _, tokens := range []bool{false, true} {
		for _, afterwards := range []bool{false, true} {
			for operation := 0; operation <= operations+1; operation++ {
				t.Run(fmt.Sprintf("tokens %v, after %v, operation %d", tokens, afterwards, operation), func(t *testing.T) {
					t.Parallel()
					departed := false
					var depart func()
					hook := func(_ context.Context, login *agentconnect.Login) error {
						if departed {
							return agentconnect.RefuseLogin(agentconnect.Reason{French: "Vous avez quitté le service."})
						}
						if operation == 0 {
							depart()
						}
						return nil
					}
					interrupted := &interruptedStore{store: newStore(), afterwards: afterwards}
					opts := []agentconnect.Option{agentconnect.WithSessionStore(interrupted), agentconnect.WithLoginHook(hook)}
					if tokens {
						opts = append(opts, agentconnect.WithTokens())
					}
					a := newApp(t, opts...)
					a.store = interrupted.store
					other := a.another(agentconnect.WithSessionStore(interrupted.store))
					depart = func() {
						departed = true
						if _, err := other.auth.EndSessionsOf(t.Context(), a.agentSub("marie")); err != nil {
							t.Errorf("EndSessionsOf: %v", err)
						}
					}
					b := a.browser()
					callback := b.callback("/login?return_to=/dossiers", "marie")
					interrupted.at(operation, depart)
					p := b.navigate(callback.String())
					if !departed { // the login has fewer operations
						depart()
					}
					if got := b.sub(); got != "" {
						t.Errorf("after the departure: got agent %q, want none", got)
					}
					if n := a.store.sessions(t); n != 1 {
						t.Errorf("got %d records, want the mark alone", n)
					}
					if p.StatusCode != http.StatusSeeOther && (p.StatusCode != http.StatusForbidden || !strings.Contains(p.body, "login_refused")) {
						t.Errorf("callback: got status %d, %s, want 303 or a 403 that explains itself", p.StatusCode, p.body)
					}
				})
			}
		}
	}
}

// An interruptedStore does something before or after one of its operations.
type interruptedStore struct {
	*store
	afterwards bool
	mu         sync.Mutex
	left       int
	do         func()
}

func (s *interruptedStore) at(operation int, do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left, s.do = operation, do
}

func (s *interruptedStore) step() (before, after func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	nothing := func() {}
	if s.left--; s.left != 0 {
		return nothing, nothing
	}
	if s.afterwards {
		return nothing, s.do
	}
	return s.do, nothing
}

func (s *interruptedStore) Find(token string) ([]byte, bool, error) {
	before, after := s.step()
	before()
	defer after()
	return s.store.Find(token)
}

func (s *interruptedStore) Commit(token string, b []byte, expiry time.Time) error {
	before, after := s.step()
	before()
	defer after()
	return s.store.Commit(token, b, expiry)
}

// A departure ends nothing of others, is over for a later login that the hook
// accepts, and a mark that expires during a login is none.
func TestDepartureThenLogin(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	for range 2 {
		if _, err := a.auth.EndSessionsOf(t.Context(), a.agentSub("marie")); err != nil {
			t.Fatal(err)
		}
		if got := a.loggedIn("marie").sub(); got != a.agentSub("marie") {
			t.Errorf("a login after a departure that the hook knows nothing of: got agent %q, want marie", got)
		}
	}
	expiring := &interruptedStore{store: newStore()}
	auth := newStoreAuth(t, expiring)
	if _, err := auth.EndSessionsOf(t.Context(), "s"); err != nil {
		t.Fatal(err)
	}
	expiring.at(2, func() {
		all, _ := expiring.All()
		for key := range all {
			expiring.store.MemStore.Delete(key)
		}
	})
	if _, err := auth.SessionWithoutLogin(t.Context(), agentconnect.Agent{Sub: "s"}); err != nil {
		t.Errorf("a mark that expires during the login: got %v, want a session", err)
	}
}

// The store that cannot be asked about a departure makes no session.
func TestThreatDepartureStoreFails(t *testing.T) {
	t.Parallel()
	for operation := 1; operation <= 3; operation++ {
		failing := &scriptedStore{store: newStore()}
		auth := newStoreAuth(t, failing)
		failing.at(operation, func() error { return errors.New("down") })
		_, err := auth.SessionWithoutLogin(t.Context(), agentconnect.Agent{Sub: "s"})
		if err == nil || !strings.Contains(err.Error(), "session_store") || failing.sessions(t) != 0 {
			t.Errorf("operation %d fails: got error %v, %d records, want session_store and none", operation, err, failing.sessions(t))
		}
	}
}

// A hook that comes back after its time made no session.
func TestThreatHookTooLate(t *testing.T) {
	t.Parallel()
	store := memstore.NewWithCleanupInterval(0) // which does not look at contexts
	ctx, cancel := context.WithCancel(t.Context())
	auth := newStoreAuth(t, store, agentconnect.WithLoginHook(func(context.Context, *agentconnect.Login) error {
		cancel()
		return nil
	}))
	_, err := auth.SessionWithoutLogin(ctx, agentconnect.Agent{Sub: "s"})
	if all, _ := store.All(); err == nil || !strings.Contains(err.Error(), "took too long") || len(all) != 0 {
		t.Errorf("got error %v, %d sessions, want that it took too long, and none", err, len(all))
	}
}

// namesUs reports whether each of the joined errors begins with the package's name, once.
func namesUs(err error) bool {
	for line := range strings.Lines(err.Error()) {
		if !strings.HasPrefix(line, "agentconnect: ") || strings.Count(line, "agentconnect: ") > 1 {
			return false
		}
	}
	return true
}

// EndSessionsOf says what it could not read, and reads what the store's list only
// seems to hold.
func TestThreatEndSessionsOfUnread(t *testing.T) {
	t.Parallel()
	oldKey, newKey := []byte(strings.Repeat("o", 32)), []byte(strings.Repeat("n", 32))
	shared := newStore()
	older := newStoreAuth(t, shared, agentconnect.WithSealedSessions(oldKey))
	newer := newStoreAuth(t, shared, agentconnect.WithSealedSessions(newKey, oldKey))
	foreign := newStoreAuth(t, shared, agentconnect.WithClient("another", "client"), agentconnect.WithSealedSessions(oldKey))
	for _, auth := range []*agentconnect.Authenticator{older, older, newer, newer, newer, foreign} {
		for _, sub := range []string{"s", "other"} {
			if _, err := auth.SessionWithoutLogin(t.Context(), agentconnect.Agent{Sub: sub}); err != nil {
				t.Fatal(err)
			}
		}
	}
	n, err := older.EndSessionsOf(t.Context(), "s")
	if n != 2 || err == nil || !strings.Contains(err.Error(), "6 of 10 sessions could not be read") {
		t.Errorf("with the old key alone: got %d, %v, want 2, and that 6 of 10 could not be read", n, err)
	}
	if n, err := newer.EndSessionsOf(t.Context(), "s"); n != 3 || err != nil {
		t.Errorf("with both keys: got %d, %v, want 3", n, err)
	}
	if n, err := newer.EndSessionsOf(t.Context(), "s"); n != 0 || err != nil {
		t.Errorf("again: got %d, %v, want none", n, err)
	}

	shared.setFindFailure(errors.New("a replica is away"))
	if n, err := newer.EndSessionsOf(t.Context(), "other"); n != 0 || err == nil || !strings.Contains(err.Error(), "5 of 5 sessions could not be read") || !namesUs(err) {
		t.Errorf("reads fail: got %d, %v, want that 5 of 5 could not be read", n, err)
	}
	shared.setFindFailure(nil)
	shared.setDeleteFailure(errors.New("read-only"))
	if n, err := newer.EndSessionsOf(t.Context(), "other"); n != 0 || err == nil || !strings.Contains(err.Error(), "5 sessions of the agent could not be deleted") || !namesUs(err) {
		t.Errorf("deletions fail: got %d, %v, want that 5 live on", n, err)
	}
}

// A store may use the memory of what it returns again at its next operation.
func TestThreatStoreUsesItsMemoryAgain(t *testing.T) {
	t.Parallel()
	for _, sealed := range []bool{false, true} {
		scribbling := &scribblingStore{store: newStore()}
		opts := []agentconnect.Option{agentconnect.WithSessionStore(scribbling), agentconnect.WithTokens()}
		if sealed {
			opts = append(opts, agentconnect.WithSealedSessions([]byte(strings.Repeat("k", 32))))
		}
		a := newApp(t, opts...)
		a.store = scribbling.store
		var browsers []*browser
		for range 20 {
			b := a.loggedIn("marie")
			if got := b.sub(); got != a.agentSub("marie") {
				t.Errorf("sealed %v: got agent %q, want marie", sealed, got)
			}
			browsers = append(browsers, b)
		}
		// The hint of a logout is the ID token, not what took its place.
		p := browsers[0].post("/logout", nil)
		location, err := p.Location()
		if err != nil {
			t.Fatal(err)
		}
		hint := location.Query().Get("id_token_hint")
		if strings.Count(hint, ".") != 2 || strings.Contains(hint, "#") {
			t.Errorf("sealed %v: got the hint %q, want an ID token", sealed, hint)
		}
		if n, err := a.auth.EndSessionsOf(t.Context(), a.agentSub("marie")); n != 19 || err != nil {
			t.Errorf("sealed %v: got %d sessions ended, %v, want 19", sealed, n, err)
		}
		for _, b := range browsers {
			if got := b.sub(); got != "" {
				t.Errorf("sealed %v: after the departure: got agent %q, want none", sealed, got)
			}
		}
	}
}

// A scribblingStore overwrites what it returned at its next operation.
type scribblingStore struct {
	*store
	mu   sync.Mutex
	lent [][]byte
}

func (s *scribblingStore) scribble() {
	for _, b := range s.lent {
		for i := range b {
			b[i] = '#'
		}
	}
	s.lent = nil
}

func (s *scribblingStore) lend(b []byte) []byte {
	b = append([]byte(nil), b...)
	s.lent = append(s.lent, b)
	return b
}

func (s *scribblingStore) Find(token string) ([]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scribble()
	b, found, err := s.store.Find(token)
	return s.lend(b), found, err
}

func (s *scribblingStore) Commit(token string, b []byte, expiry time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scribble()
	return s.store.Commit(token, append([]byte(nil), b...), expiry)
}

func (s *scribblingStore) Delete(token string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scribble()
	return s.store.Delete(token)
}

// All hands out keys and records whose memory is used again.
func (s *scribblingStore) All() (map[string][]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := s.store.All()
	lent := map[string][]byte{}
	for key, b := range all {
		k := s.lend([]byte(key))
		lent[unsafe.String(&k[0], len(k))] = s.lend(b)
	}
	return lent, err
}

// A handler that goes on for long can ask, and is told, whether its session lives.
func TestSessionAlive(t *testing.T) {
	for name, tt := range map[string]struct {
		end  func(t *testing.T, auth *agentconnect.Authenticator, store *memstore.MemStore, cookies []*http.Cookie)
		told time.Duration // after the request
	}{
		"a logout": {func(t *testing.T, auth *agentconnect.Authenticator, _ *memstore.MemStore, cookies []*http.Cookie) {
			time.Sleep(12 * time.Second)
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/logout", nil)
			for _, c := range cookies {
				r.AddCookie(c)
			}
			auth.Logout(httptest.NewRecorder(), r)
		}, 15 * time.Second},
		"a departure": {func(t *testing.T, auth *agentconnect.Authenticator, _ *memstore.MemStore, _ []*http.Cookie) {
			time.Sleep(12 * time.Second)
			if _, err := auth.EndSessionsOf(t.Context(), "s"); err != nil {
				t.Error(err)
			}
		}, 15 * time.Second},
		"the lifetime":                         {func(*testing.T, *agentconnect.Authenticator, *memstore.MemStore, []*http.Cookie) {}, time.Hour},
		"the lifetime, and a store that fails": {func(_ *testing.T, _ *agentconnect.Authenticator, _ *memstore.MemStore, _ []*http.Cookie) {}, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := memstore.NewWithCleanupInterval(0)
				failing := &failingFinds{MemStore: store}
				auth := newStoreAuth(t, failing, agentconnect.WithSessionLifetime(time.Hour), agentconnect.WithHTTPClient(&http.Client{Transport: roundTripperFunc(func(*http.Request) (*http.Response, error) {
					return nil, errors.New("no network")
				})}))
				cookies, err := auth.SessionWithoutLogin(t.Context(), agentconnect.Agent{Sub: "s"})
				if err != nil {
					t.Fatal(err)
				}
				r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/events", nil)
				for _, c := range cookies {
					r.AddCookie(c)
				}
				start := time.Now()
				auth.RequireAgent(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					if err := auth.SessionAlive(r.Context()); err != nil {
						t.Errorf("at the start: got %v, want nil", err)
					}
					ctx, cancel := auth.SessionContext(r.Context())
					defer cancel()
					if strings.Contains(name, "fails") {
						failing.fail = true
						if err := auth.SessionAlive(r.Context()); err == nil || errors.Is(err, agentconnect.ErrSessionEnded) || !strings.HasPrefix(err.Error(), "agentconnect: session store: ") {
							t.Errorf("the store fails: got %v, want its error", err)
						}
					}
					go tt.end(t, auth, store, cookies)
					select {
					case <-ctx.Done():
					case <-time.After(2 * time.Hour):
						t.Error("the context of a session that ended goes on")
						return
					}
					if took := time.Since(start); took != tt.told || !errors.Is(context.Cause(ctx), agentconnect.ErrSessionEnded) {
						t.Errorf("got told after %v, %v, want %v, ErrSessionEnded", took, context.Cause(ctx), tt.told)
					}
					failing.fail = false
					if err := auth.SessionAlive(r.Context()); !errors.Is(err, agentconnect.ErrSessionEnded) {
						t.Errorf("at the end: got %v, want ErrSessionEnded", err)
					}
				})).ServeHTTP(httptest.NewRecorder(), r)
				if time.Since(start) != tt.told {
					t.Errorf("the handler ended after %v, want %v", time.Since(start), tt.told)
				}
			})
		})
	}
}

type failingFinds struct {
	*memstore.MemStore
	fail bool
}

func (s *failingFinds) Find(key string) ([]byte, bool, error) {
	if s.fail {
		return nil, false, errors.New("down")
	}
	return s.MemStore.Find(key)
}

// Who is not logged in, here, has no session that lives, and a context that ends
// with the request leaves no goroutine.
func TestSessionAliveOfNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		auth := newStoreAuth(t, memstore.NewWithCleanupInterval(0))
		for name, ctx := range map[string]context.Context{
			"nobody":             t.Context(),
			"an agent of a test": agentconnect.ContextWithAgent(t.Context(), agentconnect.Agent{Sub: "s"}),
		} {
			if err := auth.SessionAlive(ctx); !errors.Is(err, agentconnect.ErrSessionEnded) {
				t.Errorf("%s: got %v, want ErrSessionEnded", name, err)
			}
			ended, cancel := auth.SessionContext(ctx)
			if !errors.Is(context.Cause(ended), agentconnect.ErrSessionEnded) {
				t.Errorf("%s: got the cause %v, want ErrSessionEnded", name, context.Cause(ended))
			}
			cancel()
		}
		cookies, err := auth.SessionWithoutLogin(t.Context(), agentconnect.Agent{Sub: "s"})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		for _, c := range cookies {
			r.AddCookie(c)
		}
		auth.RequireAgent(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			ctx, cancel := auth.SessionContext(r.Context())
			cancel()
			if !errors.Is(ctx.Err(), context.Canceled) {
				t.Errorf("got %v, want canceled", ctx.Err())
			}
		})).ServeHTTP(httptest.NewRecorder(), r)
		synctest.Wait() // and the bubble ends without a goroutine
	})
}
