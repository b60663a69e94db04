package provider

import (
	"context"
	"sync"
	"time"
)

const (
	// lookPatience bounds how long a caller waits to learn whether the provider
	// answers, and lookPeriod how long the answer holds.
	lookPatience = time.Second
	lookPeriod   = time.Minute
)

// A look remembers whether the provider answers.
type look struct {
	mu      sync.Mutex
	until   time.Time
	answers bool
}

// Answers reports whether the provider answered in the last minute. Known metadata
// does not tell: a browser that is sent to a provider that is down stays there. One
// caller a minute asks for the discovery document; for the others the provider does
// not answer meanwhile.
func (p *Provider) Answers(ctx context.Context) bool {
	l, now := p.look, p.config.Now
	l.mu.Lock()
	if now().Before(l.until) {
		defer l.mu.Unlock()
		return l.answers
	}
	l.answers, l.until = false, now().Add(lookPeriod)
	l.mu.Unlock()

	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookPatience)
	defer cancel()
	_, err := p.discover(ctx, nil)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers, l.until = err == nil, now().Add(lookPeriod)
	return l.answers
}
