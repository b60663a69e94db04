package tokens_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/provider"
	"github.com/agentconnect-go/agentconnect/internal/tokens"
)

// A store does nothing once the context has ended.
type store struct {
	mu      sync.Mutex
	records map[string][]byte
}

func (s *store) operate(ctx context.Context, do func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
	return nil
}

func (s *store) FindCtx(ctx context.Context, name string) (record []byte, found bool, err error) {
	err = s.operate(ctx, func() { record, found = s.records[name] })
	return record, found, err
}

func (s *store) CommitCtx(ctx context.Context, name string, record []byte, _ time.Time) error {
	return s.operate(ctx, func() { s.records[name] = record })
}

func (s *store) DeleteCtx(ctx context.Context, name string) error {
	return s.operate(ctx, func() { delete(s.records, name) })
}

func (s *store) Find(name string) ([]byte, bool, error) { return s.FindCtx(context.Background(), name) }
func (s *store) Delete(name string) error               { return s.DeleteCtx(context.Background(), name) }
func (s *store) Commit(name string, record []byte, expires time.Time) error {
	return s.CommitCtx(context.Background(), name, record, expires)
}

const issuer = "https://provider.example/api/v2"

// A world is a provider and a store, of several keepers.
type world struct {
	store *store
	// answer makes the answer to the nth refresh, after it has waited.
	answer func(n int) (status int, body string, after time.Duration)
	// attentive makes calls end with their context.
	attentive bool

	mu        sync.Mutex
	refreshes int
	revoked   []string
}

func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := httptest.NewRecorder()
	answer.Header().Set("Content-Type", "application/json")
	switch {
	case strings.HasSuffix(r.URL.Path, "openid-configuration"):
		doc := map[string]string{"issuer": issuer}
		for _, name := range []string{"authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", "revocation_endpoint"} {
			doc[name] = issuer + "/" + name
		}
		json.NewEncoder(answer).Encode(doc)
	case strings.HasSuffix(r.URL.Path, "revocation_endpoint"):
		w.mu.Lock()
		w.revoked = append(w.revoked, r.PostFormValue("token"))
		w.mu.Unlock()
	default:
		w.mu.Lock()
		w.refreshes++
		n := w.refreshes
		w.mu.Unlock()
		status, body, after := w.answer(n)
		select {
		case <-time.After(after): // though nobody may wait any more
		case <-w.cancelled(r):
			return nil, r.Context().Err()
		}
		answer.WriteHeader(status)
		answer.WriteString(body)
	}
	return answer.Result(), nil
}

// cancelled returns what ends a call.
func (w *world) cancelled(r *http.Request) <-chan struct{} {
	if w.attentive {
		return r.Context().Done()
	}
	return nil
}

func (w *world) keeper() *tokens.Keeper {
	return tokens.New(tokens.Config{
		Store:  w.store,
		Create: w.store.CommitCtx,
		Provider: provider.New(provider.Config{
			Issuer: issuer, ClientID: "client", ClientSecret: "secret", IDTokenAlg: "RS256",
			Client: &http.Client{Transport: w, Timeout: time.Minute}, Logger: slog.New(slog.DiscardHandler), Now: time.Now,
		}),
		Now:    time.Now,
		Logger: slog.New(slog.DiscardHandler),
		Revoke: true,
	})
}

func newWorld(answer func(n int) (int, string, time.Duration)) *world {
	return &world{store: &store{records: map[string][]byte{"session": nil}}, answer: answer}
}

func session() tokens.Session {
	return tokens.Session{Name: "session", Key: "key", Sub: "sub", Created: time.Now(), Expires: time.Now().Add(12 * time.Hour), Renewed: func(context.Context) {}}
}

// good is the nth good answer of the token endpoint.
func good(n int) string {
	return fmt.Sprintf(`{"access_token":"access-%d","token_type":"Bearer","expires_in":3600,"refresh_token":"refresh-%d"}`, n, n)
}

// The provider's tokens are stored even if the time of the work is over: the former
// refresh token may be invalid.
func TestLateAnswerIsStored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(func(n int) (int, string, time.Duration) { return 200, good(n), 11 * time.Second })
		s := session()
		if err := w.keeper().Keep(t.Context(), s, &provider.Tokens{Access: "access", Refresh: "refresh"}); err != nil {
			t.Fatal(err)
		}
		for _, k := range []*tokens.Keeper{w.keeper(), w.keeper()} {
			if got, ends, err := k.Fresh(t.Context(), s, ""); got != "access-1" || err != nil || ends.Before(time.Now()) {
				t.Errorf("got %q until %v, %v, want access-1", got, ends, err)
			}
		}
	})
}

// A caller whose request ended, by its own time or because it left, stops nobody's
// renewal.
func TestCallersLeave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(func(n int) (int, string, time.Duration) { return 200, good(n), 3 * time.Second })
		w.attentive = true
		s, k := session(), w.keeper()
		if err := k.Keep(t.Context(), s, &provider.Tokens{Access: "access", Refresh: "refresh"}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := k.Fresh(ctx, s, ""); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the end of the context", err)
		}
		time.Sleep(5 * time.Second)
		if got, _, err := w.keeper().Fresh(t.Context(), s, ""); got != "access-1" || err != nil || w.refreshes != 1 {
			t.Errorf("got %q, %v after %d refreshes, want access-1 after one", got, err, w.refreshes)
		}
	})
}

// A renewal ends in a bounded time, whatever holds the lease.
func TestRenewalIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(func(n int) (int, string, time.Duration) { return 200, good(n), 0 })
		s, k := session(), w.keeper()
		if err := k.Keep(t.Context(), s, &provider.Tokens{Access: "access", Refresh: "refresh"}); err != nil {
			t.Fatal(err)
		}
		// Other instances take the lease, one after the other.
		others, stop := context.WithCancel(t.Context())
		var taking sync.WaitGroup
		taking.Go(func() {
			for n := 0; others.Err() == nil; n++ {
				w.store.CommitCtx(others, "tokens lease key", fmt.Append(nil, n), time.Time{})
				time.Sleep(10 * time.Millisecond)
			}
		})
		defer taking.Wait()
		defer stop()
		patient, leave := context.WithTimeout(t.Context(), 5*time.Minute)
		defer leave()
		began := time.Now()
		_, _, err := k.Fresh(patient, s, "")
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took > time.Minute {
			t.Errorf("got %v after %v, want the end of a deadline within a minute", err, took)
		}
	})
}

// An instance that dies in the middle of a renewal holds the others up for less than
// half a minute, as long as they wait.
func TestInstanceThatDies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(func(n int) (int, string, time.Duration) { return 200, good(n), 0 })
		s := session()
		if err := w.keeper().Keep(t.Context(), s, &provider.Tokens{Access: "access", Refresh: "refresh"}); err != nil {
			t.Fatal(err)
		}
		w.store.Commit("tokens lease key", []byte("of an instance that died"), s.Expires)
		began := time.Now()
		var calls sync.WaitGroup
		for range 3 {
			k := w.keeper()
			calls.Go(func() {
				if got, _, err := k.Fresh(t.Context(), s, ""); got != "access-1" || err != nil {
					t.Errorf("got %q, %v, want access-1", got, err)
				}
			})
		}
		calls.Wait()
		if took := time.Since(began); took > 30*time.Second || w.refreshes != 1 {
			t.Errorf("got %d refreshes after %v, want one in less than half a minute", w.refreshes, took)
		}
	})
}

// A revocation that hangs holds nobody up for long.
func TestRevocationIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil)
		s := session()
		hangs := func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "revocation_endpoint") {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			return w.RoundTrip(r)
		}
		k := tokens.New(tokens.Config{
			Store: w.store, Create: w.store.CommitCtx, Now: time.Now, Logger: slog.New(slog.DiscardHandler), Revoke: true,
			Provider: provider.New(provider.Config{
				Issuer: issuer, ClientID: "client", ClientSecret: "secret", IDTokenAlg: "RS256",
				Client: &http.Client{Transport: roundTripperFunc(hangs)}, Logger: slog.New(slog.DiscardHandler), Now: time.Now,
			}),
		})
		if err := k.Keep(t.Context(), s, &provider.Tokens{Access: "access", Refresh: "refresh"}); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := k.End(t.Context(), s.Key); err != nil || time.Since(began) > 3*time.Second {
			t.Errorf("got %v after %v, want nil within three seconds", err, time.Since(began))
		}
	})
}

type roundTripperFunc func(*http.Request) (*http.Response, error)

func (f roundTripperFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
