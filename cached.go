package agentconnect

import (
	"context"
	"sync"
	"time"
)

const (
	firstBackoff = 250 * time.Millisecond
	maxBackoff   = 5 * time.Second
)

// freshness says what the age of a value means.
type freshness struct {
	renewAfter   time.Duration // it is still used, while it is read again
	waitAfter    time.Duration // it is used only if reading it again fails
	uselessAfter time.Duration // it is not used any more
}

// cached is a value that is read from the provider when it is first needed and
// again when it is old. One read serves everybody who waits for it; after one
// that failed there is a pause, longer each time.
type cached[T any] struct {
	now       func() time.Time
	freshness freshness
	read      func(ctx context.Context, previous T) (T, error)

	mu      sync.Mutex
	value   T
	reads   int // how many succeeded; 0: there is no value yet
	readAt  time.Time
	reading chan struct{} // closed at the end of the read under way; nil: none is
	failure error         // of the last read, nil after a success
	retryAt time.Time
	backoff time.Duration
}

// get returns a value that more than "than" reads made, with the number of
// reads; or the value there is, if reading it failed or mayRead did not allow it
// and it is not useless; or why there is none. mayRead is only asked when a read
// would start: to join one is free.
func (c *cached[T]) get(ctx context.Context, than int, mayRead func() bool) (T, int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	age := c.now().Sub(c.readAt)
	known := c.reads > than
	if known && age < c.freshness.renewAfter {
		return c.value, c.reads, nil
	}
	if c.reading == nil && !c.now().Before(c.retryAt) && mayRead() {
		c.reading = make(chan struct{})
		go c.renew(context.WithoutCancel(ctx), c.reading, c.value)
	}
	if known && age < c.freshness.waitAfter {
		return c.value, c.reads, nil
	}
	if c.reading != nil {
		reading := c.reading
		c.mu.Unlock()
		var err error
		select {
		case <-reading:
		case <-ctx.Done():
			err = callFailed("waiting for the provider", ctx.Err())
		}
		c.mu.Lock()
		if err != nil {
			var none T
			return none, 0, err
		}
	}
	if c.reads > 0 && c.now().Sub(c.readAt) < c.freshness.uselessAfter {
		return c.value, c.reads, nil
	}
	var none T
	return none, 0, c.failure
}

// known returns the value there is, however old.
func (c *cached[T]) known() (T, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.value, c.reads > 0
}

// always allows every read.
func always() bool { return true }

// renew reads the value. What it calls is bounded in time.
func (c *cached[T]) renew(ctx context.Context, done chan struct{}, previous T) {
	value, err := c.read(ctx, previous)
	c.mu.Lock()
	defer c.mu.Unlock()
	defer close(done)
	c.reading = nil
	c.failure = err
	if err != nil {
		c.backoff = min(max(2*c.backoff, firstBackoff), maxBackoff)
		c.retryAt = c.now().Add(c.backoff)
		return
	}
	c.value, c.readAt, c.backoff = value, c.now(), 0
	c.reads++
}
