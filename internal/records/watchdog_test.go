package records_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/agentconnect-go/agentconnect/internal/records"
)

// A hanging store answers when it is told to, whatever the context says.
type hanging struct {
	*memstore.MemStore
	answer   chan struct{}
	writeErr error
}

func newHanging() *hanging {
	return &hanging{memstore.NewWithCleanupInterval(0), make(chan struct{}), nil}
}

func (s *hanging) Find(key string) ([]byte, bool, error) {
	<-s.answer
	return s.MemStore.Find(key)
}

func (s *hanging) Commit(key string, record []byte, expiry time.Time) error {
	<-s.answer
	return errors.Join(s.MemStore.Commit(key, record, expiry), s.writeErr)
}

// A store that takes contexts gets one that ends.
type withContexts struct {
	*memstore.MemStore
	calls []string
}

func (s *withContexts) note(ctx context.Context, call string) error {
	s.calls = append(s.calls, call)
	if _, bounded := ctx.Deadline(); !bounded {
		return errors.New("a context without a deadline")
	}
	return nil
}

func (s *withContexts) FindCtx(ctx context.Context, key string) ([]byte, bool, error) {
	record, found, _ := s.MemStore.Find(key)
	return record, found, s.note(ctx, "find")
}

func (s *withContexts) CommitCtx(ctx context.Context, key string, record []byte, expiry time.Time) error {
	return errors.Join(s.MemStore.Commit(key, record, expiry), s.note(ctx, "commit"))
}

func (s *withContexts) DeleteCtx(ctx context.Context, key string) error {
	return errors.Join(s.MemStore.Delete(key), s.note(ctx, "delete"))
}

func (s *withContexts) AllCtx(ctx context.Context) (map[string][]byte, error) {
	all, _ := s.MemStore.All()
	return all, s.note(ctx, "all")
}

func TestStoreWithContexts(t *testing.T) {
	store := &withContexts{MemStore: memstore.NewWithCleanupInterval(0)}
	s := open(t, store, "a")
	err := s.CommitCtx(t.Context(), "token", []byte("x"), time.Now().Add(time.Hour))
	_, found, findErr := s.FindCtx(t.Context(), "token")
	keys, listErr := s.SessionKeys(t.Context())
	if err := errors.Join(err, findErr, listErr, s.DeleteCtx(t.Context(), "token")); err != nil || !found || len(keys) != 1 {
		t.Errorf("got %v, found %t, %d keys, want the record and its key", err, found, len(keys))
	}
	if got, want := strings.Join(store.calls, " "), "commit find all delete"; got != want {
		t.Errorf("got the calls %q, want %q", got, want)
	}
}

// No operation waits for longer than three seconds, or than its caller.
func TestStoreThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newHanging()
		s := open(t, store, "a")
		leaving, leave := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, leave)
		for name, tt := range map[string]struct {
			ctx   context.Context
			after time.Duration
			want  error
		}{
			"patient": {t.Context(), 3 * time.Second, context.DeadlineExceeded},
			"leaving": {leaving, time.Second, context.Canceled},
		} {
			begin := time.Now()
			_, found, err := s.FindCtx(tt.ctx, "token")
			// The other caller's time may have passed before.
			if waited := time.Since(begin); found || !errors.Is(err, tt.want) || waited > tt.after {
				t.Errorf("%s: got %t, %v after %v, want %v after %v", name, found, err, waited, tt.want, tt.after)
			}
		}
		close(store.answer)
	})
}

// A session that is written too late, or whose write is not confirmed, is deleted:
// nobody was told of it.
func TestCreateThatIsNotConfirmed(t *testing.T) {
	broken := errors.New("broken")
	for _, tt := range []struct {
		name     string
		late     bool
		writeErr error
		want     error
		records  int
	}{
		{"in time", false, nil, nil, 1},
		{"with an error", false, broken, broken, 0},
		{"too late", true, nil, context.DeadlineExceeded, 0},
		{"too late, with an error", true, broken, context.DeadlineExceeded, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			store := newHanging()
			store.writeErr = tt.writeErr
			if !tt.late {
				close(store.answer)
			}
			err := open(t, store, "a").Create(t.Context(), "token", []byte("x"), time.Now().Add(time.Hour))
			if tt.late {
				close(store.answer)
			}
			synctest.Wait()
			if all, _ := store.All(); !errors.Is(err, tt.want) || len(all) != tt.records {
				t.Errorf("%s: got %v and %d records, want %v and %d", tt.name, err, len(all), tt.want, tt.records)
			}
		})
	}
}

// A store that hangs costs a bounded number of goroutines. When it answers again,
// operations work again.
func TestStoreThatHangsForMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 256
		store := newHanging()
		s := open(t, store, "a")
		var together sync.WaitGroup
		for i := range 2 * most {
			together.Go(func() { s.Find(fmt.Sprint(i)) })
		}
		together.Wait()
		begin := time.Now()
		if _, _, err := s.Find("token"); err == nil || errors.Is(err, context.DeadlineExceeded) || time.Since(begin) > 0 {
			t.Errorf("got %v after %v, want a refusal at once", err, time.Since(begin))
		}
		close(store.answer)
		synctest.Wait()
		if _, _, err := s.Find("token"); err != nil {
			t.Errorf("answering again: got %v, want no error", err)
		}
	})
}

// A panic of the store is an error.
func TestStoreThatPanics(t *testing.T) {
	s := open(t, struct{ scs.Store }{}, "a") // it has no method
	if _, found, err := s.Find("token"); found || err == nil {
		t.Errorf("got %t, %v, want an error", found, err)
	}
}

// While the instances of an application begin or cease to seal, each reads what the
// others write.
func TestSealedBesideUnsealed(t *testing.T) {
	key := strings.Repeat("k", 32)
	for _, tt := range []struct {
		name           string
		writer, reader []string
		plain, found   bool
	}{
		{"not yet sealed", []string{records.Unsealed, key}, nil, true, true},
		{"not yet sealed, read by a later step", []string{records.Unsealed, key}, []string{key, records.Unsealed}, true, true},
		{"sealed, read by an earlier step", []string{key, records.Unsealed}, []string{records.Unsealed, key}, false, true},
		{"plain, where all is sealed", nil, []string{key}, true, false},
	} {
		store := memstore.NewWithCleanupInterval(0)
		const record = "what the record says"
		if err := open(t, store, "a", tt.writer...).Commit("token", []byte(record), time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		all, _ := store.All()
		for _, written := range all {
			if got := string(written) == record; got != tt.plain {
				t.Errorf("%s: got %q, want it plain: %t", tt.name, written, tt.plain)
			}
		}
		if got, found, _ := open(t, store, "a", tt.reader...).Find("token"); found != tt.found || found && string(got) != record {
			t.Errorf("%s: got %q, %t, want it found: %t", tt.name, got, found, tt.found)
		}
	}
}
