package agentconnect

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"
)

// maxIntrospections bounds how many tokens are remembered.
const maxIntrospections = 10_000

// introspections asks about each token once for everybody who waits, and
// remembers the good ones for a while. Only those: what a stranger makes up leaves
// nothing behind, and pushes nobody out.
type introspections struct {
	now  func() time.Time
	keep time.Duration // 0: nothing is remembered
	ask  func(ctx context.Context, token string) (*TokenInfo, error)

	mu      sync.Mutex
	known   map[tokenHash]knownToken
	waiting map[tokenHash]*introspectionRun
}

// A tokenHash stands for a token, which is not kept.
type tokenHash [sha256.Size]byte

type knownToken struct {
	info  *TokenInfo
	until time.Time
}

// An introspectionRun is a question under way.
type introspectionRun struct {
	done chan struct{} // closed when the fields below are set
	info *TokenInfo
	err  error
}

func newIntrospections(now func() time.Time, keep time.Duration, ask func(context.Context, string) (*TokenInfo, error)) *introspections {
	return &introspections{
		now:     now,
		keep:    keep,
		ask:     ask,
		known:   map[tokenHash]knownToken{},
		waiting: map[tokenHash]*introspectionRun{},
	}
}

// get returns what ask says of a token, or said a moment ago.
func (i *introspections) get(ctx context.Context, token string) (*TokenInfo, error) {
	key := tokenHash(sha256.Sum256([]byte(token)))
	i.mu.Lock()
	if known := i.known[key]; i.now().Before(known.until) {
		i.mu.Unlock()
		return known.info, nil
	}
	run, ok := i.waiting[key]
	if !ok {
		run = &introspectionRun{done: make(chan struct{})}
		i.waiting[key] = run
		// It goes on without who asked first: others may have joined.
		go i.run(context.WithoutCancel(ctx), key, token, run)
	}
	i.mu.Unlock()
	select {
	case <-run.done:
		return run.info, run.err
	case <-ctx.Done():
		if ctx.Err() == context.DeadlineExceeded {
			return nil, errorf(CodeProviderTimeout, "waiting for the introspection: %w", ctx.Err())
		}
		return nil, errorf(CodeProviderUnavailable, "waiting for the introspection: %w", ctx.Err())
	}
}

// run asks about a token. What it calls is bounded in time.
func (i *introspections) run(ctx context.Context, key tokenHash, token string, run *introspectionRun) {
	asked := i.now()
	run.info, run.err = i.ask(ctx, token)
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.waiting, key)
	delete(i.known, key)
	if run.err == nil {
		i.remember(key, run.info, asked)
	}
	close(run.done)
}

// remember keeps a good token, and at most until its end: one whose end is not
// known, not at all. i.mu is held.
func (i *introspections) remember(key tokenHash, info *TokenInfo, asked time.Time) {
	until := asked.Add(i.keep)
	if info.ExpiresAt.Before(until) {
		until = info.ExpiresAt
	}
	if !i.now().Before(until) {
		return
	}
	if len(i.known) >= maxIntrospections {
		i.makeRoom()
	}
	i.known[key] = knownToken{info, until}
}

// makeRoom drops one of a few tokens: the one that ends first. i.mu is held.
func (i *introspections) makeRoom() {
	var first tokenHash
	var until time.Time
	looked := 0
	for key, known := range i.known { // begins anywhere
		if until.IsZero() || known.until.Before(until) {
			first, until = key, known.until
		}
		if looked++; looked == 16 {
			break
		}
	}
	delete(i.known, first)
}
