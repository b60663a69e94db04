package records

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/flight"
)

// maxOperations bounds the operations of a store that are under way, and so
// the goroutines that wait for a store that hangs.
const maxOperations = 256

// errStoreHangs is the error of operations that are not started.
var errStoreHangs = fmt.Errorf("%d operations of the session store have not returned; no other one is started", maxOperations)

// A watchdog keeps a store that hangs from holding up requests. The store may ignore
// contexts, or not accept them.
type watchdog struct {
	slots chan struct{} // one for each operation under way
	late  atomic.Int32  // operations that nobody waits for any more
}

func newWatchdog() *watchdog {
	return &watchdog{slots: make(chan struct{}, maxOperations)}
}

// The states of an operation.
const (
	underWay int32 = iota
	ended
	abandoned
)

// watch calls op in its own goroutine. It returns when op returns, after timeout, or
// when ctx ends, whichever is first. A panic of op is an error. If watch returned
// before op, it calls undo, if any, once op has returned.
func watch[T any](ctx context.Context, w *watchdog, timeout time.Duration, undo func(), op func(context.Context) (T, error)) (T, error) {
	var none T
	if w.late.Load() >= maxOperations {
		return none, errStoreHangs
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	select {
	case w.slots <- struct{}{}:
	case <-ctx.Done():
		return none, tooLate(ctx)
	}
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	var state atomic.Int32
	go func() {
		defer func() { <-w.slots }()
		var r result
		r.value, r.err = flight.Safely(func() (T, error) { return op(ctx) })
		inTime := state.CompareAndSwap(underWay, ended)
		if inTime {
			done <- r
		} else {
			defer w.late.Add(-1)
		}
		if undo != nil && (!inTime || r.err != nil) {
			_, _ = flight.Safely(func() (T, error) { undo(); return none, nil })
		}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
	}
	if !state.CompareAndSwap(underWay, abandoned) {
		r := <-done
		return r.value, r.err
	}
	w.late.Add(1)
	return none, tooLate(ctx)
}

// tooLate says why an operation is not waited for any more.
func tooLate(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("no answer in time: %w", ctx.Err())
	}
	return ctx.Err()
}
