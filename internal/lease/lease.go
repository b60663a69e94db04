// Package lease lets one of several processes that share a store do a piece of
// work while the others wait for what it leaves in the store. It needs nothing of
// the store but reads, writes and deletions, which is all that stores of scs have.
// It knows nothing of the work.
//
// This is Fischer's algorithm. A process that finds no claim writes its own, waits
// until every claim that was decided upon before could see it has been written, and
// holds the lease if its claim is still there: the last one written wins. A
// process whose claim took too long to write does not hold the lease, whatever it
// reads.
//
// The exclusion holds as long as a read returns the last write that was confirmed,
// and no process stops between its last look at the clock and its work for longer
// than a lease lives. A replica that lags, or a process that was suspended, breaks
// it.
package lease

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/alexedwards/scs/v2"
)

const (
	// settle is how long a claim must stay alone, and how long it may take from the
	// look at the store to the end of its writing.
	settle = 500 * time.Millisecond
	// poll is how often the others look.
	poll = 100 * time.Millisecond
	// life is after how long a claim that does not change is that of a process that
	// died. It is counted by each waiter, with its own clock.
	life = 25 * time.Second
	// hold is when the context of the work ends. The rest of a lease's life is for
	// what the work still has to write then, and for giving the lease back.
	hold = 10 * time.Second
)

// A Lease is the right to do one piece of work.
type Lease struct {
	// Store is shared by all the processes.
	Store scs.CtxStore
	// Key is where the store keeps the claim.
	Key string
	// Expires is when the store may forget a claim that nobody took back.
	Expires time.Time
}

// Do calls work in one process at a time, unless look finds that there is nothing
// to do any more. look is called before each try to get the lease, and again once
// it is held; it returns what is in the store and whether that is enough. Do
// returns what look or work returned, or the error of the store or of ctx.
func Do[T any](ctx context.Context, l Lease, look func(context.Context) (value T, enough bool, err error), work func(ctx context.Context, found T) (T, error)) (T, error) {
	var none T
	var seen claim
	for {
		if value, enough, err := look(ctx); enough || err != nil {
			return value, err
		}
		held, err := l.claim(ctx, &seen)
		if err != nil {
			return none, fmt.Errorf("lease: %w", err)
		}
		if held {
			break
		}
		if err := wait(ctx, poll); err != nil {
			return none, fmt.Errorf("lease: %w", err)
		}
	}
	// When this fails, the others wait until the claim has had its life.
	defer l.Store.DeleteCtx(context.WithoutCancel(ctx), l.Key)
	working, cancel := context.WithTimeout(ctx, hold)
	defer cancel()
	found, enough, err := look(working)
	if enough || err != nil {
		return found, err
	}
	return work(working, found)
}

// A claim is what the store has under the key of a lease, as one process saw it.
type claim struct {
	id    string
	since time.Time
}

// claim tries to get the lease. seen is the claim of another process that was there
// at the last try.
func (l Lease) claim(ctx context.Context, seen *claim) (held bool, err error) {
	began := time.Now()
	there, err := l.read(ctx)
	if err != nil {
		return false, err
	}
	if there != seen.id {
		*seen = claim{there, began}
	}
	if there != "" && began.Sub(seen.since) < life {
		return false, nil
	}
	ours := rand.Text()
	if err := l.Store.CommitCtx(ctx, l.Key, []byte(ours), l.Expires); err != nil {
		return false, err
	}
	if time.Since(began) > settle {
		// Another process may hold the lease by now, and ours has replaced its claim.
		// Ours stays: it keeps the others away as well.
		return false, nil
	}
	if err := wait(ctx, settle); err != nil {
		return false, err
	}
	there, err = l.read(ctx)
	return there == ours && time.Since(began) < 4*settle, err
}

// read returns the claim that is in the store, "" when there is none.
func (l Lease) read(ctx context.Context) (string, error) {
	id, _, err := l.Store.FindCtx(ctx, l.Key) // nil when there is none
	return string(id), err
}

// wait waits for d, or for the end of ctx.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
