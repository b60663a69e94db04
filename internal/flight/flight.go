// Package flight lets many callers share one call. A call runs in a goroutine of its
// own, so that each caller can leave when its own context ends. A panic in a call is
// recovered: all the callers that wait get it as an error, and the process goes on.
//
// The package knows nothing about the calls.
package flight

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
)

// ErrFull is the error of Group.Do when as many calls as Group.Limit are under way.
var ErrFull = errors.New("too many calls are under way")

// errEnded is the error of a call that ended its goroutine (runtime.Goexit).
var errEnded = errors.New("the call ended without a result")

// A PanicError is the error of a call that panicked.
type PanicError struct {
	// Value is the value of the panic. It may quote anything.
	Value any
	// At is the function, the file and the line that panicked.
	At string
}

// Error says where the call panicked, and the type of the value. The value itself
// may hold a secret and is shown only if the Go runtime made it.
func (e *PanicError) Error() string {
	if err, ok := e.Value.(runtime.Error); ok {
		return fmt.Sprintf("panic in %s: %v", e.At, err)
	}
	return fmt.Sprintf("panic in %s with a %T", e.At, e.Value)
}

// Safely runs f and returns its results, or a *PanicError if it panics.
func Safely[V any](f func() (V, error)) (value V, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, At: panicked()}
		}
	}()
	return f()
}

// panicked returns where the panic under way began. A deferred function calls it.
func panicked() string {
	pc := make([]uintptr, 32)
	frames := runtime.CallersFrames(pc[:runtime.Callers(3, pc)]) // without Callers, panicked and the deferred function
	for {
		frame, more := frames.Next()
		if !strings.HasPrefix(frame.Function, "runtime.") || !more {
			return fmt.Sprintf("%s (%s:%d)", frame.Function, frame.File, frame.Line)
		}
	}
}

// A Call is a call under way, or one that has ended.
type Call[V any] struct {
	done  chan struct{} // closed when value and err are set
	value V
	err   error
}

// Start runs f in a goroutine. The context of f has the values of ctx, and does not
// end with it.
func Start[V any](ctx context.Context, f func(context.Context) (V, error)) *Call[V] {
	c := &Call[V]{done: make(chan struct{}), err: errEnded}
	go c.run(context.WithoutCancel(ctx), f)
	return c
}

func (c *Call[V]) run(ctx context.Context, f func(context.Context) (V, error)) {
	defer close(c.done)
	value, err := Safely(func() (V, error) { return f(ctx) })
	c.value, c.err = value, err
}

// Wait returns the results of the call, or the error of ctx if that ends first.
func (c *Call[V]) Wait(ctx context.Context) (V, error) {
	select {
	case <-c.done:
		return c.value, c.err
	case <-ctx.Done():
		var none V
		return none, ctx.Err()
	}
}

// A Group has at most one call under way for each key. Its zero value has no limit.
// The fields must not change once the Group is used.
type Group[K comparable, V any] struct {
	// Limit bounds how many calls are under way. 0: there is no bound.
	Limit int
	// Persist lets a call go on after all callers have left. Otherwise the context of
	// the call ends when the last caller leaves.
	Persist bool

	mu       sync.Mutex
	calls    map[K]*shared[V]
	underWay int
}

// shared is a call of a Group.
type shared[V any] struct {
	*Call[V]
	waiting int
	cancel  context.CancelFunc
}

// Do returns the results of f, or of the call under way with the same key. It returns
// the error of ctx if that ends first, ErrFull if a call would have to start and the
// limit is reached, and a *PanicError if the call panicked. The context of f has the
// values of the first caller's.
func (g *Group[K, V]) Do(ctx context.Context, key K, f func(context.Context) (V, error)) (V, error) {
	c, err := g.join(ctx, key, f)
	if err != nil {
		var none V
		return none, err
	}
	defer g.leave(key, c)
	return c.Wait(ctx)
}

// join finds the call of a key, or starts it.
func (g *Group[K, V]) join(ctx context.Context, key K, f func(context.Context) (V, error)) (*shared[V], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if c, ok := g.calls[key]; ok {
		c.waiting++
		return c, nil
	}
	if g.Limit > 0 && g.underWay >= g.Limit {
		return nil, ErrFull
	}
	if g.calls == nil {
		g.calls = map[K]*shared[V]{}
	}
	c := &shared[V]{waiting: 1}
	callCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c.cancel = cancel
	g.calls[key] = c
	g.underWay++
	c.Call = Start(callCtx, func(context.Context) (V, error) {
		defer g.ended(key, c)
		return f(callCtx)
	})
	return c, nil
}

// leave removes a caller from a call. A cancelled call accepts no new caller.
func (g *Group[K, V]) leave(key K, c *shared[V]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c.waiting--
	if c.waiting > 0 || g.Persist {
		return
	}
	c.cancel()
	g.forget(key, c)
}

// ended makes room for the next call.
func (g *Group[K, V]) ended(key K, c *shared[V]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c.cancel()
	g.underWay--
	g.forget(key, c)
}

// forget removes a call, unless another one has its key by now. g.mu is held.
func (g *Group[K, V]) forget(key K, c *shared[V]) {
	if g.calls[key] == c {
		delete(g.calls, key)
	}
}
