package agentconnect_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/agentconnect-go/agentconnect"
)

// A hangingStore hangs while a gate is shut. It knows no contexts.
type hangingStore struct {
	mem  *memstore.MemStore
	mu   sync.Mutex
	gate chan struct{} // nil: open
	busy int           // operations that wait at the gate
}

func newHangingStore() *hangingStore {
	return &hangingStore{mem: memstore.NewWithCleanupInterval(0)}
}

// shut makes operations wait until the function that it returns is called.
func (s *hangingStore) shut() (open func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	gate := make(chan struct{})
	s.gate = gate
	return func() {
		s.mu.Lock()
		s.gate = nil
		s.mu.Unlock()
		close(gate)
	}
}

func (s *hangingStore) wait() {
	s.mu.Lock()
	gate := s.gate
	s.busy++
	s.mu.Unlock()
	if gate != nil {
		<-gate
	}
	s.mu.Lock()
	s.busy--
	s.mu.Unlock()
}

func (s *hangingStore) waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.busy
}

func (s *hangingStore) Find(key string) ([]byte, bool, error) { s.wait(); return s.mem.Find(key) }

func (s *hangingStore) Commit(key string, b []byte, expiry time.Time) error {
	s.wait()
	return s.mem.Commit(key, b, expiry)
}

func (s *hangingStore) Delete(key string) error { s.wait(); return s.mem.Delete(key) }

func (s *hangingStore) All() (map[string][]byte, error) { s.wait(); return s.mem.All() }

// A deafStore takes contexts and does not heed them.
type deafStore struct{ *hangingStore }

func (s deafStore) FindCtx(_ context.Context, key string) ([]byte, bool, error) { return s.Find(key) }

func (s deafStore) CommitCtx(_ context.Context, key string, b []byte, expiry time.Time) error {
	return s.Commit(key, b, expiry)
}

func (s deafStore) DeleteCtx(_ context.Context, key string) error { return s.Delete(key) }

func (s deafStore) AllCtx(context.Context) (map[string][]byte, error) { return s.All() }

// newStoreAuth returns an Authenticator on a store, without a provider.
func newStoreAuth(t *testing.T, store scs.Store, opts ...agentconnect.Option) *agentconnect.Authenticator {
	t.Helper()
	auth, err := agentconnect.New(goodOptions(append([]agentconnect.Option{
		agentconnect.WithSessionStore(store), agentconnect.WithLogger(slog.New(slog.DiscardHandler)),
	}, opts...)...)...)
	if err != nil {
		t.Fatal(err)
	}
	return auth
}

// A store that hangs holds no request up for longer than three seconds, however
// many there are, whether it knows contexts or not, and keeps a bounded number of
// goroutines. When it comes back, so do the sessions.
func TestThreatStoreHangs(t *testing.T) {
	for name, of := range map[string]func(*hangingStore) scs.Store{
		"a store without contexts":     func(s *hangingStore) scs.Store { return s },
		"a store that is deaf to them": func(s *hangingStore) scs.Store { return deafStore{s} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hanging := newHangingStore()
				auth := newStoreAuth(t, of(hanging))
				protected := auth.RequireAgent(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
				cookies, err := auth.SessionWithoutLogin(t.Context(), agentconnect.Agent{Sub: "s"})
				if err != nil {
					t.Fatal(err)
				}
				get := func() int {
					r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
					for _, c := range cookies {
						r.AddCookie(c)
					}
					w := httptest.NewRecorder()
					protected.ServeHTTP(w, r)
					return w.Code
				}
				if got := get(); got != http.StatusNoContent {
					t.Fatalf("before: got status %d, want 204", got)
				}
				open := hanging.shut()
				start := time.Now()
				var requests sync.WaitGroup
				for range 400 {
					requests.Go(func() {
						if got := get(); got != http.StatusServiceUnavailable {
							t.Errorf("got status %d, want 503", got)
						}
					})
				}
				requests.Wait()
				if took := time.Since(start); took != 3*time.Second {
					t.Errorf("400 requests at once: answered after %v, want 3s", took)
				}
				if got := hanging.waiting(); got != 256 {
					t.Errorf("got %d operations that wait for the store, want 256", got)
				}
				start = time.Now()
				if got := get(); got != http.StatusServiceUnavailable || time.Since(start) != 0 {
					t.Errorf("one more: got status %d after %v, want 503 at once", got, time.Since(start))
				}
				open()
				synctest.Wait()
				if got := get(); got != http.StatusNoContent || hanging.waiting() != 0 {
					t.Errorf("when the store is back: got status %d, %d operations, want 204 and none", got, hanging.waiting())
				}
			})
		})
	}
}

// The answers of a store that hangs, for each of the other operations.
func TestThreatStoreHangsEverywhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hanging := newHangingStore()
		auth := newStoreAuth(t, hanging)
		cookies, err := auth.SessionWithoutLogin(t.Context(), agentconnect.Agent{Sub: "s"})
		if err != nil {
			t.Fatal(err)
		}
		open := hanging.shut()
		logout := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/logout", nil)
		for _, c := range cookies {
			logout.AddCookie(c)
		}
		for _, tt := range []struct {
			name string
			do   func() error
			most time.Duration
		}{
			{"a logout", func() error {
				w := httptest.NewRecorder()
				auth.Logout(w, logout)
				if w.Code != http.StatusServiceUnavailable {
					t.Errorf("logout: got status %d, want 503", w.Code)
				}
				return errors.New("")
			}, 6 * time.Second},
			{"a login", func() error {
				_, err := auth.SessionWithoutLogin(t.Context(), agentconnect.Agent{Sub: "s"})
				return err
			}, 3 * time.Second},
			{"a departure", func() error { _, err := auth.EndSessionsOf(t.Context(), "s"); return err }, 33 * time.Second},
		} {
			start := time.Now()
			if err := tt.do(); err == nil || time.Since(start) > tt.most {
				t.Errorf("%s: got error %v after %v, want one after %v at most", tt.name, err, time.Since(start), tt.most)
			}
		}
		open()
		synctest.Wait()
	})
}

// A login whose session the store writes too late leaves none: nobody has its
// token. The same where the store fails after it wrote.
func TestThreatStoreWritesLate(t *testing.T) {
	for name, late := range map[string]bool{"late": true, "and fails": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &lateStore{MemStore: memstore.NewWithCleanupInterval(0), late: late}
				auth := newStoreAuth(t, store)
				start := time.Now()
				_, err := auth.SessionWithoutLogin(t.Context(), agentconnect.Agent{Sub: "s"})
				if err == nil || !strings.Contains(err.Error(), string(agentconnect.CodeSessionStore)) {
					t.Errorf("got error %v, want session_store", err)
				}
				if late && time.Since(start) != 3*time.Second {
					t.Errorf("got the error after %v, want 3s", time.Since(start))
				}
				time.Sleep(time.Minute)
				if all, _ := store.All(); len(all) != 0 || store.written != 1 {
					t.Errorf("got %d records, %d written, want none left of one", len(all), store.written)
				}
			})
		})
	}
}

// A lateStore writes after half a minute, or at once and says that it failed.
type lateStore struct {
	*memstore.MemStore
	late    bool
	written int
}

func (s *lateStore) Commit(key string, b []byte, expiry time.Time) error {
	if s.late {
		time.Sleep(30 * time.Second)
	}
	s.written++
	if err := s.MemStore.Commit(key, b, expiry); err != nil || s.late {
		return err
	}
	return errors.New("the answer was lost")
}

// A store that panics fails its own request, and its words are not logged.
func TestThreatStorePanics(t *testing.T) {
	t.Parallel()
	var logged logs
	panics := false
	store := panickingFinds{newStore(), &panics}
	auth := newStoreAuth(t, store, agentconnect.WithLogger(logged.logger()))
	cookies, err := auth.SessionWithoutLogin(t.Context(), agentconnect.Agent{Sub: "s"})
	if err != nil {
		t.Fatal(err)
	}
	panics = true
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, c := range cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	auth.RequireAgent(http.NotFoundHandler()).ServeHTTP(w, r)
	if w.Code != http.StatusServiceUnavailable || strings.Contains(logged.String()+w.Body.String(), personalSecret) || !strings.Contains(logged.String(), "panic in ") {
		t.Errorf("got status %d, log %s, want 503, and where the panic was", w.Code, logged.String())
	}
}

// A panickingFinds store panics when it is read.
type panickingFinds struct {
	*store
	panics *bool
}

func (s panickingFinds) Find(token string) ([]byte, bool, error) {
	if *s.panics {
		panic("of the application: " + personalSecret)
	}
	return s.store.Find(token)
}

// A client that leaves is no failure of the store.
func TestThreatClientLeaves(t *testing.T) {
	for name, middleware := range map[string]func(*agentconnect.Authenticator) func(http.Handler) http.Handler{
		"RequireAgent": func(a *agentconnect.Authenticator) func(http.Handler) http.Handler { return a.RequireAgent },
		"Require": func(a *agentconnect.Authenticator) func(http.Handler) http.Handler {
			return a.Require(agentconnect.Role(agentconnect.RoleDirigeant))
		},
		"LoadAgent": func(a *agentconnect.Authenticator) func(http.Handler) http.Handler { return a.LoadAgent },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var logged logs
				hanging := newHangingStore()
				auth := newStoreAuth(t, hanging, agentconnect.WithLogger(logged.logger()))
				cookies, err := auth.SessionWithoutLogin(t.Context(), agentconnect.Agent{Sub: "s"})
				if err != nil {
					t.Fatal(err)
				}
				open := hanging.shut()
				ctx, leave := context.WithCancel(t.Context())
				r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
				for _, c := range cookies {
					r.AddCookie(c)
				}
				time.AfterFunc(time.Second, leave)
				start := time.Now()
				ran := false
				middleware(auth)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { ran = true })).ServeHTTP(httptest.NewRecorder(), r)
				if took := time.Since(start); took != time.Second || ran != (name == "LoadAgent") {
					t.Errorf("got an answer after %v, the handler ran: %v, want 1s", took, ran)
				}
				if got := logged.String(); strings.Contains(got, `"ERROR"`) || strings.Contains(got, `"WARN"`) {
					t.Errorf("log: got %s, want no failure", got)
				}
				open()
				synctest.Wait()
			})
		})
	}
}
