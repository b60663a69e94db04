package agentconnect

import (
	"context"
	"time"
)

// MaxIntrospections bounds the cache of a resource server.
const MaxIntrospections = maxIntrospections

// Introspections is the cache of a resource server.
type Introspections = introspections

// NewIntrospections makes the cache of a resource server.
func NewIntrospections(now func() time.Time, keep time.Duration, ask func(context.Context, string) (*TokenInfo, error)) *Introspections {
	return newIntrospections(now, keep, ask)
}

// Get is what a resource server calls for each token.
func (i *introspections) Get(ctx context.Context, token string) (*TokenInfo, error) {
	return i.get(ctx, token)
}

// Len returns how many tokens are remembered.
func (i *introspections) Len() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.known)
}
