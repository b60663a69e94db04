package resourceserver

import (
	"context"
	"time"
)

// WithClock gives tests the time.
func WithClock(now func() time.Time) Option {
	return func(c *config) { c.now = now }
}

const (
	// MaxRemembered bounds the tokens that are remembered.
	MaxRemembered = maxRemembered
	// MaxUnderWay bounds the questions to the provider.
	MaxUnderWay = maxUnderWay
)

// Tokens is what a Server knows of tokens.
type Tokens = tokens

// NewTokens makes what a Server knows of tokens.
func NewTokens(now func() time.Time, keep time.Duration, ask func(context.Context, string) (*Token, error)) *Tokens {
	return newTokens(now, keep, ask)
}

// Get is what a Server calls for each token.
func (t *tokens) Get(ctx context.Context, token string) (*Token, error) { return t.get(ctx, token) }

// Len returns how many tokens are remembered.
func (t *tokens) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.known)
}
