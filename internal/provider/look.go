package provider

import (
	"context"
	"sync"
	"time"
)

const (
	// lookPatience bounds how long a caller waits for the result, and lookPeriod is how
	// long the result is valid.
	lookPatience = time.Second
	lookPeriod   = time.Minute
)

// A look remembers whether the provider answers.
type look struct {
	mu      sync.Mutex
	until   time.Time
	answers bool
}

// Answers reports whether the provider answered in the last minute. Known metadata is
// not enough: a browser that is sent to a provider that is down stays there. One caller
// a minute reads the discovery document. Until it is read, Answers returns false to the
// others.
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
