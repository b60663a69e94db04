package benchmarks

import (
	"testing"
	"time"
)

// A stopwatch adds up the CPU time of the process, which other processes on the
// machine disturb far less than they do the time on the clock. What the provider
// and the collector do is in it.
type stopwatch struct {
	started, total time.Duration
}

func (s *stopwatch) start() { s.started = cpuTime() }
func (s *stopwatch) stop()  { s.total += cpuTime() - s.started }

// report reports the CPU time of each of n operations.
func (s *stopwatch) report(b *testing.B, n int) {
	if s.total > 0 {
		b.ReportMetric(float64(s.total.Nanoseconds())/float64(n), "cpu-ns/op")
	}
}
