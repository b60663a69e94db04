//go:build !unix

package benchmarks

import "time"

// cpuTime is not known here: its metric is left out.
func cpuTime() time.Duration { return 0 }
