// Package ci says what happens to a test whose server, browser or package is not
// installed.
package ci

import (
	"os"
	"testing"
)

// Missing skips a test because of what is not installed here, or fails it when the
// environment has CI=true: there nothing is skipped. what says what to install.
func Missing(tb testing.TB, what string) {
	tb.Helper()
	if os.Getenv("CI") == "true" {
		tb.Fatal(what)
	}
	tb.Skip(what)
}
