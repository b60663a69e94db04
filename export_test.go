package agentconnect

import "time"

// WithClock gives tests the time.
func WithClock(now func() time.Time) Option {
	return func(c *config) { c.now = now }
}
