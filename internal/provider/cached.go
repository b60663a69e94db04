package provider

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/flight"
)

const (
	firstBackoff = 250 * time.Millisecond
	maxBackoff   = 5 * time.Second
)

// freshness has the ages at which a value is read again or dropped.
type freshness struct {
	renewAfter   time.Duration // it is still used, while it is read again
	waitAfter    time.Duration // it is used only if reading it again fails
	uselessAfter time.Duration // it is not used any more
}

// A cached value is read from the provider when it is first needed, and again when it
// is old. All callers that wait share one read. After a failed read there is a pause,
// longer each time.
type cached[T any] struct {
	now       func() time.Time
	freshness freshness
	read      func(ctx context.Context, previous T) (T, error)

	mu      sync.Mutex
	value   T
	reads   int // reads that succeeded; 0: there is no value yet
	readAt  time.Time
	reading *flight.Call[T] // nil: no read is under way
	failure error           // of the last read, nil after a success
	retryAt time.Time
	backoff time.Duration
}

func newCached[T any](now func() time.Time, f freshness, read func(ctx context.Context, previous T) (T, error)) *cached[T] {
	return &cached[T]{now: now, freshness: f, read: read}
}

// get returns the value and its number of reads, which must be greater than "than". If
// the read failed, or mayRead did not allow one, get returns the old value. If there is
// none, or if it is useless, get returns an error. mayRead is only called before a new
// read: joining a read that is under way is free.
func (c *cached[T]) get(ctx context.Context, than int, mayRead func() bool) (T, int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	age := c.now().Sub(c.readAt)
	known := c.reads > than
	if known && age < c.freshness.renewAfter {
		return c.value, c.reads, nil
	}
	if c.reading == nil && !c.now().Before(c.retryAt) && mayRead() {
		previous := c.value
		c.reading = flight.Start(ctx, func(ctx context.Context) (T, error) { return c.renew(ctx, previous) })
	}
	if known && age < c.freshness.waitAfter {
		return c.value, c.reads, nil
	}
	if reading := c.reading; reading != nil {
		c.mu.Unlock()
		_, err := reading.Wait(ctx)
		c.mu.Lock()
		if err != nil && ctx.Err() != nil {
			var none T
			return none, 0, notAnswered("waiting for the provider", ctx.Err(), isPublic)
		}
	}
	if c.reads > 0 && c.now().Sub(c.readAt) < c.freshness.uselessAfter {
		return c.value, c.reads, nil
	}
	var none T
	return none, 0, c.failure
}

// known returns the present value, however old.
func (c *cached[T]) known() (T, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.value, c.reads > 0
}

// always allows every read.
func always() bool { return true }

// renew reads the value. Its call is bounded in time.
func (c *cached[T]) renew(ctx context.Context, previous T) (T, error) {
	value, err := previous, error(fail(Panicked, "reading from the provider", "it ended without a result"))
	defer func() { // also when the read ends its goroutine
		c.mu.Lock()
		defer c.mu.Unlock()
		c.reading = nil
		c.failure = err
		if err != nil {
			c.backoff = min(max(2*c.backoff, firstBackoff), maxBackoff)
			c.retryAt = c.now().Add(c.backoff)
			return
		}
		c.value, c.readAt, c.backoff = value, c.now(), 0
		c.reads++
	}()
	value, err = flight.Safely(func() (T, error) { return c.read(ctx, previous) })
	var panicked *flight.PanicError
	if errors.As(err, &panicked) {
		err = failed(Panicked, "reading from the provider", panicked)
	}
	return value, err
}
