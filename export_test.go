package agentconnect

import "time"

// WithClock gives tests the time.
func WithClock(now func() time.Time) Option {
	return func(s *settings) { s.now = now }
}
