// Package chromium controls Debian's Chromium for tests. Tabs have their own cookies or
// share them. It records all their requests and all the errors that the browser
// reports.
//
// If Chromium is not installed, a test is skipped, or fails if the environment has
// CI=true. Nothing leaves the machine: only localhost is resolved.
package chromium

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/agentconnect-go/agentconnect/example/internal/ci"
)

// patience bounds each step of a test.
const patience = 30 * time.Second

// Browser is a running Chromium.
type Browser struct {
	tb  testing.TB
	ctx context.Context
}

// Start starts Chromium without a window, in French, with an empty directory for
// its data; it ends with the test. Certificates are not verified.
func Start(tb testing.TB) *Browser {
	tb.Helper()
	path := Path(tb)
	options := slices.Concat(chromedp.DefaultExecAllocatorOptions[:], []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path),
		chromedp.Flag("accept-lang", "fr-FR,fr"),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-gpu", true),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"),
		chromedp.Flag("ignore-certificate-errors", true),
		chromedp.Flag("no-sandbox", os.Geteuid() == 0), // Chromium refuses to run as root with it
	})
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	tb.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(tb.Logf))
	tb.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		tb.Fatalf("starting %s: %v", path, err)
	}
	return &Browser{tb, ctx}
}

// Path returns where Chromium is.
func Path(tb testing.TB) string {
	tb.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		path, err = exec.LookPath("chromium-browser") // of other distributions
	}
	if err != nil {
		ci.Missing(tb, "Chromium is not installed: install Debian's package chromium")
	}
	return path
}
