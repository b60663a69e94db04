package flight_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/agentconnect-go/agentconnect/internal/flight"
)

type result struct {
	value int
	err   error
}

// do runs Do in a goroutine.
func do(ctx context.Context, g *flight.Group[string, int], key string, f func(context.Context) (int, error)) chan result {
	c := make(chan result, 1)
	go func() {
		v, err := g.Do(ctx, key, f)
		c <- result{v, err}
	}()
	return c
}

// held is a call that goes on until it is let go or its context ends.
type held struct {
	started chan context.Context
	letGo   chan struct{}
}

func newHeld() *held { return &held{make(chan context.Context, 100), make(chan struct{})} }

func (h *held) call(ctx context.Context) (int, error) {
	h.started <- ctx
	select {
	case <-h.letGo:
		return 7, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// joined waits until n callers wait for the key: a caller whose context has ended
// cannot be told from one that has not come yet, so each says when it is in.
func joined(t *testing.T, g *flight.Group[string, int], key string, n int) {
	t.Helper()
	for g.Waiting(key) != n {
		runtime.Gosched()
		if t.Context().Err() != nil {
			t.Fatal("they never joined")
		}
	}
}

func TestOneCallForMany(t *testing.T) {
	t.Parallel()
	var g flight.Group[string, int]
	h := newHeld()
	var all []chan result
	for range 50 {
		all = append(all, do(t.Context(), &g, "a", h.call))
	}
	joined(t, &g, "a", 50)
	other := do(t.Context(), &g, "b", func(context.Context) (int, error) { return 8, nil })
	if got := <-other; got.value != 8 || got.err != nil {
		t.Errorf("another key: got %+v, want 8", got)
	}
	close(h.letGo)
	for _, c := range all {
		if got := <-c; got.value != 7 || got.err != nil {
			t.Errorf("got %+v, want 7", got)
		}
	}
	if got := len(h.started); got != 1 {
		t.Errorf("got %d calls, want 1", got)
	}
	if v, err := g.Do(t.Context(), "a", func(context.Context) (int, error) { return 9, nil }); v != 9 || err != nil {
		t.Errorf("after the call: got %d, %v, want another call", v, err)
	}
}

// A panic, and the end of the goroutine, become the error of everybody who waits.
func TestPanics(t *testing.T) {
	t.Parallel()
	const secret = "secret of somebody"
	var none map[string]int
	for name, tt := range map[string]struct {
		f    func()
		want string
	}{
		"a text":         {func() { panic(secret) }, "with a string"},
		"an error":       {func() { panic(errors.New(secret)) }, "with a *errors.errorString"},
		"a stringer":     {func() { panic(fmt.Stringer(stringer(secret))) }, "with a flight_test.stringer"},
		"of the runtime": {func() { none["a"] = 1 }, "assignment to entry in nil map"},
		"nil":            {func() { panic(nil) }, "panic called with nil argument"},
		"Goexit":         {runtime.Goexit, "the call ended without a result"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := flight.Group[string, int]{Limit: 1}
			letGo := make(chan struct{})
			call := func(context.Context) (int, error) {
				<-letGo
				tt.f()
				return 1, nil
			}
			var all []chan result
			for range 5 {
				all = append(all, do(t.Context(), &g, "a", call))
			}
			joined(t, &g, "a", 5)
			close(letGo)
			for _, c := range all {
				got := <-c
				if got.err == nil || !strings.Contains(got.err.Error(), tt.want) || strings.Contains(got.err.Error(), secret) {
					t.Errorf("got %d, %v, want an error that says %q and quotes nothing", got.value, got.err, tt.want)
				}
				if name != "Goexit" && !strings.Contains(got.err.Error(), "flight_test.go:") {
					t.Errorf("got %v, want an error that says where", got.err)
				}
			}
			if v, err := g.Do(t.Context(), "a", func(context.Context) (int, error) { return 2, nil }); v != 2 || err != nil {
				t.Errorf("after it: got %d, %v, want room for another call", v, err)
			}
			c := flight.Start(t.Context(), func(context.Context) (int, error) { tt.f(); return 1, nil })
			if _, err := c.Wait(t.Context()); err == nil {
				t.Error("Start: got no error")
			}
		})
	}
}

type stringer string

func (s stringer) String() string { return string(s) }

// The call ends with its last caller, and not before; nobody joins what was
// cancelled.
func TestLastCallerLeaves(t *testing.T) {
	t.Parallel()
	var g flight.Group[string, int]
	h := newHeld()
	first, leaveFirst := context.WithCancel(t.Context())
	second, leaveSecond := context.WithCancel(t.Context())
	a := do(first, &g, "a", h.call)
	joined(t, &g, "a", 1)
	b := do(second, &g, "a", h.call)
	joined(t, &g, "a", 2)
	ctx := <-h.started

	leaveFirst()
	if got := <-a; !errors.Is(got.err, context.Canceled) {
		t.Errorf("the first caller: got %+v, want its context's error", got)
	}
	if ctx.Err() != nil {
		t.Error("the call was cancelled with its first caller")
	}
	leaveSecond()
	<-b
	<-ctx.Done()
	next := newHeld()
	close(next.letGo)
	if v, err := g.Do(t.Context(), "a", next.call); v != 7 || err != nil {
		t.Errorf("after the last caller left: got %d, %v, want a call of its own", v, err)
	}
	if _, err := g.Do(first, "a", func(context.Context) (int, error) { t.Error("it was called"); return 0, nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that has left: got %v, want its context's error", err)
	}
}

func TestPersist(t *testing.T) {
	t.Parallel()
	g := flight.Group[string, int]{Persist: true}
	h := newHeld()
	ctx, leave := context.WithCancel(t.Context())
	a := do(ctx, &g, "a", h.call)
	callCtx := <-h.started
	leave()
	<-a
	b := do(t.Context(), &g, "a", h.call)
	joined(t, &g, "a", 1)
	if callCtx.Err() != nil {
		t.Error("the call was cancelled")
	}
	close(h.letGo)
	if got := <-b; got.value != 7 || len(h.started) != 0 {
		t.Errorf("got %+v, want the result of the call that went on", got)
	}
}

// A call counts until it has ended, also when everybody has left.
func TestLimit(t *testing.T) {
	t.Parallel()
	g := flight.Group[string, int]{Limit: 2}
	slow := newHeld()
	deaf := func(context.Context) (int, error) { slow.started <- nil; <-slow.letGo; return 7, nil }
	ctx, leave := context.WithCancel(t.Context())
	a, b := do(ctx, &g, "a", deaf), do(t.Context(), &g, "b", deaf)
	<-slow.started
	<-slow.started
	again := do(t.Context(), &g, "b", deaf)
	joined(t, &g, "b", 2)
	leave()
	<-a
	if _, err := g.Do(t.Context(), "c", deaf); !errors.Is(err, flight.ErrFull) {
		t.Errorf("a third call: got %v, want ErrFull", err)
	}
	close(slow.letGo)
	for _, c := range []chan result{b, again} {
		if got := <-c; got.value != 7 || got.err != nil {
			t.Errorf("got %+v, want 7", got)
		}
	}
	for g.UnderWay() > 0 {
		runtime.Gosched()
	}
	if v, err := g.Do(t.Context(), "c", deaf); v != 7 || err != nil {
		t.Errorf("once they have ended: got %d, %v, want 7", v, err)
	}
}

type contextKey struct{}

// The context of a call has the values of the first caller's, not its end.
func TestStartContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), contextKey{}, "value"))
	cancel()
	c := flight.Start(ctx, func(ctx context.Context) (any, error) { return ctx.Value(contextKey{}), ctx.Err() })
	if got, err := c.Wait(t.Context()); got != "value" || err != nil {
		t.Errorf("got %v, %v, want the value and no end", got, err)
	}
	stuck := flight.Start(t.Context(), func(context.Context) (int, error) { <-t.Context().Done(); return 0, nil })
	if _, err := stuck.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the waiting caller's context's error", err)
	}
}

// Callers that come and go at random all get an answer, and nothing stays behind.
func TestComingAndGoing(t *testing.T) {
	t.Parallel()
	var g flight.Group[string, int]
	var wg sync.WaitGroup
	for i := range 500 {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if i%3 == 0 {
				go cancel()
			}
			v, err := g.Do(ctx, fmt.Sprint(i%7), func(ctx context.Context) (int, error) {
				runtime.Gosched()
				return 1, ctx.Err()
			})
			if err == nil && v != 1 || err != nil && i%3 != 0 {
				t.Errorf("got %d, %v", v, err)
			}
		})
	}
	wg.Wait()
	for g.UnderWay() > 0 {
		runtime.Gosched()
	}
	if got := g.Waiting("0"); got != 0 {
		t.Errorf("got %d callers of a call that ended, want none", got)
	}
}
