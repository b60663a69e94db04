package resourceserver

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/flight"
)

const (
	// maxRemembered bounds how many tokens are remembered.
	maxRemembered = 10_000
	// maxUnderWay bounds how many tokens the provider is asked about at a time.
	maxUnderWay = 256
)

// tokens asks about each token once for all the calls that wait. It remembers only good
// tokens, for a while: an invented token takes no memory and displaces no good one.
type tokens struct {
	now  func() time.Time
	keep time.Duration // 0: nothing is remembered
	ask  func(ctx context.Context, token string) (*Token, error)

	// A request ends when the last call that waits for it has left.
	questions flight.Group[tokenHash, *Token]

	mu    sync.Mutex
	known map[tokenHash]knownToken
}

// A tokenHash stands for a token, which is not kept.
type tokenHash [sha256.Size]byte

type knownToken struct {
	token *Token
	until time.Time
}

func newTokens(now func() time.Time, keep time.Duration, ask func(context.Context, string) (*Token, error)) *tokens {
	return &tokens{
		now:       now,
		keep:      keep,
		ask:       ask,
		questions: flight.Group[tokenHash, *Token]{Limit: maxUnderWay},
		known:     map[tokenHash]knownToken{},
	}
}

// get returns the result of ask for a token, or a remembered one.
func (t *tokens) get(ctx context.Context, raw string) (*Token, error) {
	hash := tokenHash(sha256.Sum256([]byte(raw)))
	if token := t.remembered(hash); token != nil {
		return token, nil
	}
	token, err := t.questions.Do(ctx, hash, func(ctx context.Context) (*Token, error) {
		asked := t.now()
		token, err := t.ask(ctx, raw)
		if err != nil {
			token = nil
		}
		t.remember(hash, token, asked)
		return token, err
	})
	if errors.Is(err, flight.ErrFull) {
		return nil, &refusal{code: CodeOverloaded, cause: err}
	}
	return token, err
}

// remembered returns a token that was good a moment ago, nil if there is none.
func (t *tokens) remembered(hash tokenHash) *Token {
	t.mu.Lock()
	defer t.mu.Unlock()
	if known := t.known[hash]; t.now().Before(known.until) {
		return known.token
	}
	return nil
}

// remember keeps a token, until its end at most. It does not keep a nil token, nor one
// without a known end.
func (t *tokens) remember(hash tokenHash, token *Token, asked time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.known, hash)
	if token == nil {
		return
	}
	until := asked.Add(t.keep)
	if token.ExpiresAt.Before(until) {
		until = token.ExpiresAt
	}
	if !t.now().Before(until) {
		return
	}
	if len(t.known) >= maxRemembered {
		t.makeRoom()
	}
	t.known[hash] = knownToken{token, until}
}

// makeRoom drops one of a few tokens: the one that ends first. t.mu is held.
func (t *tokens) makeRoom() {
	var first tokenHash
	var until time.Time
	looked := 0
	for hash, known := range t.known { // begins anywhere
		if until.IsZero() || known.until.Before(until) {
			first, until = hash, known.until
		}
		if looked++; looked == 16 {
			break
		}
	}
	delete(t.known, first)
}
