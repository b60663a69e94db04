// Package ci skips or fails a test whose server, browser or package is not installed.
package ci

import (
	"os"
	"testing"
)

// Missing skips a test because something is not installed, or fails it if the
// environment has CI=true. The text tells the developer how to install it.
func Missing(tb testing.TB, text string) {
	tb.Helper()
	if os.Getenv("CI") == "true" {
		tb.Fatal(text)
	}
	tb.Skip(text)
}
