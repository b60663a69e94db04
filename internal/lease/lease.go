// Package lease lets one of several processes that share a store do a piece of work,
// while the others wait for its result in the store. It only needs reads, writes and
// deletions: stores of scs have nothing else. It knows nothing about the work.
//
// This is Fischer's algorithm. A process that finds no claim writes its own. It then
// waits, so that every process that also found none has written its claim. It holds the
// lease if its own claim is still there: the last claim written wins. A process whose
// write took too long does not hold the lease, even if it reads its own claim.
//
// Two conditions must hold: a read returns the last confirmed write, and no process
// pauses for longer than the life of a lease between its last look at the clock and its
// work. A replica that lags or a suspended process breaks the exclusion.
package lease

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/alexedwards/scs/v2"
)

const (
	// settle is how long a claim must stay alone. It also bounds the time from the read
	// that found no claim to the end of the write.
	settle = 500 * time.Millisecond
	// poll is the time between two reads of a waiting process.
	poll = 100 * time.Millisecond
	// life is how long a claim may stay unchanged before its process is considered
	// dead. Each waiter counts with its own clock.
	life = 25 * time.Second
	// hold is when the context of the work ends. The rest of the lease's life is for
	// the last writes of the work, and for giving the lease back.
	hold = 10 * time.Second
)

// A Lease is the right to do one piece of work.
type Lease struct {
	// Store is shared by all the processes.
	Store scs.CtxStore
	// Key is where the store keeps the claim.
	Key string
	// Expires is when the store may forget a claim that was not deleted.
	Expires time.Time
}

// Do calls work in one process at a time, unless look finds that the work is already
// done. look is called before each attempt to get the lease, and again once it is held.
// It returns the result in the store and whether it is good enough. Do returns the
// results of look or work, or the error of the store or of ctx.
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
	// If this fails, the others wait until the claim expires.
	defer l.Store.DeleteCtx(context.WithoutCancel(ctx), l.Key)
	working, cancel := context.WithTimeout(ctx, hold)
	defer cancel()
	found, enough, err := look(working)
	if enough || err != nil {
		return found, err
	}
	return work(working, found)
}

// A claim is the value under the key of a lease, as one process read it.
type claim struct {
	id    string
	since time.Time
}

// claim tries to get the lease. seen is the claim of another process that the last
// attempt found.
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
	// The last look at the clock: a process that was suspended meanwhile gives up.
	return there == ours && time.Since(began) < 4*settle, err
}

// read returns the claim in the store, or "" if there is none.
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
