package lease_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/lease"
)

// A slowStore is a store whose operations take effect some time after they begin
// and end some time after that.
type slowStore struct {
	delay func() time.Duration
	fail  func(operation string) error

	mu     sync.Mutex
	values map[string]string
}

func newStore(delay func() time.Duration) *slowStore {
	return &slowStore{delay: delay, values: map[string]string{}}
}

func (s *slowStore) operate(operation string, do func()) error {
	time.Sleep(s.delay())
	if s.fail != nil {
		if err := s.fail(operation); err != nil {
			return err
		}
	}
	s.mu.Lock()
	do()
	s.mu.Unlock()
	time.Sleep(s.delay())
	return nil
}

func (s *slowStore) FindCtx(_ context.Context, key string) (value []byte, found bool, err error) {
	err = s.operate("find", func() {
		var text string
		text, found = s.values[key]
		value = []byte(text)
	})
	return value, found, err
}

func (s *slowStore) CommitCtx(_ context.Context, key string, value []byte, _ time.Time) error {
	return s.operate("commit", func() { s.values[key] = string(value) })
}

func (s *slowStore) DeleteCtx(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.operate("delete", func() { delete(s.values, key) })
}

func (s *slowStore) Find(key string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), key)
}
func (s *slowStore) Commit(key string, value []byte, expires time.Time) error {
	return s.CommitCtx(context.Background(), key, value, expires)
}
func (s *slowStore) Delete(key string) error { return s.DeleteCtx(context.Background(), key) }

func upTo(d time.Duration) func() time.Duration {
	return func() time.Duration { return rand.N(d) }
}

const key = "lease"

// never is a look that finds that there is always something to do.
func never(context.Context) (string, bool, error) { return "", false, nil }

// Whatever the delays of the store, no two processes work at once; with a work that
// leaves its result in the store, one works and the others get what it left.
func TestOneWorks(t *testing.T) {
	t.Parallel()
	for name, delay := range map[string]func() time.Duration{
		"a quick store":                    upTo(time.Millisecond),
		"a store as slow as claims may be": upTo(120 * time.Millisecond),
		"a store that is slow at times": func() time.Duration {
			if rand.N(6) == 0 {
				return rand.N(2 * time.Second)
			}
			return rand.N(20 * time.Millisecond)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 300 {
				synctest.Test(t, func(t *testing.T) {
					store := newStore(delay)
					var working, works atomic.Int32
					look := func(ctx context.Context) (string, bool, error) {
						value, found, err := store.FindCtx(ctx, "result")
						return string(value), found, err
					}
					work := func(ctx context.Context, _ string) (string, error) {
						if working.Add(1) != 1 {
							t.Error("two processes work at once")
						}
						works.Add(1)
						time.Sleep(rand.N(2 * time.Second))
						err := store.CommitCtx(ctx, "result", []byte("done"), time.Now().Add(time.Hour))
						working.Add(-1)
						return "done", err
					}
					var processes sync.WaitGroup
					for range 4 {
						processes.Go(func() {
							time.Sleep(3 * delay())
							ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
							defer cancel()
							if got, err := lease.Do(ctx, lease.Lease{Store: store, Key: key}, look, work); got != "done" || err != nil {
								t.Errorf("got %q, %v, want done", got, err)
							}
						})
					}
					processes.Wait()
					if got := works.Load(); got != 1 {
						t.Errorf("got %d works, want 1", got)
					}
				})
			}
		})
	}
}

// After a failure the next process tries, and two still do not work at once.
func TestFailedWork(t *testing.T) {
	t.Parallel()
	failure := errors.New("refused")
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			store := newStore(upTo(20 * time.Millisecond))
			var working, works atomic.Int32
			var processes sync.WaitGroup
			for range 3 {
				processes.Go(func() {
					_, err := lease.Do(t.Context(), lease.Lease{Store: store, Key: key}, never, func(context.Context, string) (string, error) {
						if working.Add(1) != 1 {
							t.Error("two processes work at once")
						}
						defer working.Add(-1)
						time.Sleep(time.Second)
						works.Add(1)
						return "", failure
					})
					if !errors.Is(err, failure) {
						t.Errorf("got %v, want the failure", err)
					}
				})
			}
			processes.Wait()
			if got := works.Load(); got != 3 {
				t.Errorf("got %d works, want 3", got)
			}
			if len(store.values) != 0 {
				t.Errorf("got %v left in the store, want nothing", store.values)
			}
		})
	}
}

// The claim of a process that died is taken over, by one process, once it has been
// there for twenty-five seconds, whatever the clocks of the processes say.
func TestDeadHolder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newStore(upTo(time.Millisecond))
		store.values[key] = "a process that died"
		began := time.Now()
		var working, works atomic.Int32
		var processes sync.WaitGroup
		for range 3 {
			processes.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				lease.Do(ctx, lease.Lease{Store: store, Key: key}, never, func(context.Context, string) (string, error) {
					if working.Add(1) != 1 {
						t.Error("two processes work at once")
					}
					if works.Add(1) == 1 {
						if waited := time.Since(began); waited < 25*time.Second || waited > 27*time.Second {
							t.Errorf("got the lease after %v, want about 25s", waited)
						}
					}
					time.Sleep(10 * time.Second)
					working.Add(-1)
					return "", nil
				})
			})
		}
		processes.Wait()
		if got := works.Load(); got != 3 {
			t.Errorf("got %d works, want 3", got)
		}
	})
}

// A process that learns too late that its claim has settled does not work: the
// lease's life would end while it does.
func TestLateRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newStore(func() time.Duration { return 0 })
		finds := 0
		store.fail = func(operation string) error {
			if operation == "find" {
				if finds++; finds == 2 {
					time.Sleep(3 * time.Second)
				}
			}
			return nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err := lease.Do(ctx, lease.Lease{Store: store, Key: key}, never, func(context.Context, string) (string, error) {
			t.Error("the work was done")
			return "", nil
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the end of the context", err)
		}
	})
}

// A claim that took too long to write is not held, though it is the one in the
// store: another process may have worked from before it was there.
func TestLateClaim(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newStore(func() time.Duration { return 0 })
		var commits atomic.Int32
		store.fail = func(operation string) error {
			if operation == "commit" {
				if commits.Add(1) == 1 {
					time.Sleep(time.Second)
				}
			}
			return nil
		}
		var works atomic.Int32
		var processes sync.WaitGroup
		var left string
		look := func(context.Context) (string, bool, error) {
			store.mu.Lock()
			defer store.mu.Unlock()
			return left, left != "", nil
		}
		work := func(context.Context, string) (string, error) {
			works.Add(1)
			time.Sleep(5 * time.Second)
			store.mu.Lock()
			defer store.mu.Unlock()
			left = "done"
			return left, nil
		}
		for range 2 {
			processes.Go(func() {
				if got, err := lease.Do(t.Context(), lease.Lease{Store: store, Key: key}, look, work); got != "done" || err != nil {
					t.Errorf("got %q, %v, want done", got, err)
				}
			})
		}
		processes.Wait()
		if got := works.Load(); got != 1 {
			t.Errorf("got %d works, want 1", got)
		}
	})
}

// Errors of the store and the end of the context are returned, whenever they come.
func TestErrors(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	for n := 1; n <= 4; n++ {
		synctest.Test(t, func(t *testing.T) {
			store := newStore(func() time.Duration { return 0 })
			operations := 0
			store.fail = func(string) error {
				if operations++; operations == n {
					return down
				}
				return nil
			}
			worked := false
			_, err := lease.Do(t.Context(), lease.Lease{Store: store, Key: key}, never, func(context.Context, string) (string, error) {
				worked = true
				return "", nil
			})
			if n == 4 { // the lease cannot be given back
				if !worked || err != nil {
					t.Errorf("got work done %v, %v, want true and no error", worked, err)
				}
			} else if worked || !errors.Is(err, down) {
				t.Errorf("operation %d: got work done %v, %v, want the store's error", n, worked, err)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		if _, err := lease.Do(t.Context(), lease.Lease{}, func(context.Context) (string, bool, error) { return "", false, down }, nil); !errors.Is(err, down) {
			t.Errorf("look fails: got %v, want its error", err)
		}
	})
	for name, after := range map[string]time.Duration{"while its claim settles": 100 * time.Millisecond, "while another works": time.Second} {
		synctest.Test(t, func(t *testing.T) {
			store := newStore(func() time.Duration { return 0 })
			if after == time.Second {
				store.values[key] = "another"
			}
			ctx, cancel := context.WithTimeout(t.Context(), after)
			defer cancel()
			began := time.Now()
			_, err := lease.Do(ctx, lease.Lease{Store: store, Key: key}, never, nil)
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != after {
				t.Errorf("%s: got %v after %v, want the end of the context after %v", name, err, time.Since(began), after)
			}
		})
	}
}

// Work is told to end in time for the lease to be given back while it lives.
func TestWorkIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newStore(func() time.Duration { return 0 })
		began := time.Now()
		_, err := lease.Do(t.Context(), lease.Lease{Store: store, Key: key}, never, func(ctx context.Context, _ string) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		})
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took > 12*time.Second {
			t.Errorf("got %v after %v, want the end of the context after ten seconds", err, took)
		}
		if len(store.values) != 0 {
			t.Errorf("got %v left in the store, want nothing", store.values)
		}
	})
}

// A process whose context ends during its work, or whose work panics, gives the
// lease back.
func TestLeaseIsGivenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newStore(func() time.Duration { return 0 })
		ctx, cancel := context.WithCancel(t.Context())
		if _, err := lease.Do(ctx, lease.Lease{Store: store, Key: key}, never, func(context.Context, string) (string, error) {
			cancel()
			return "", nil
		}); err != nil || len(store.values) != 0 {
			t.Errorf("got %v and %v left in the store, want nothing", err, store.values)
		}
		func() {
			defer func() { recover() }()
			lease.Do(t.Context(), lease.Lease{Store: store, Key: key}, never, func(context.Context, string) (string, error) { panic("work") })
		}()
		if len(store.values) != 0 {
			t.Errorf("after a panic: got %v left in the store, want nothing", store.values)
		}
	})
}
