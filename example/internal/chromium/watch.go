package chromium

import (
	"fmt"
	"net/url"
	"slices"
	"sync"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"

	"github.com/agentconnect-go/agentconnect/internal/weburl"
)

// Request is a request that a tab sent, redirects included.
type Request struct {
	Method string
	URL    string
}

// watch records the events of a tab.
type watch struct {
	mu        sync.Mutex
	requests  []Request
	problems  []string
	documents map[network.RequestID]bool
}

// see handles the events of the browser, in their order.
func (w *watch) see(event any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		w.requests = append(w.requests, Request{e.Request.Method, e.Request.URL})
		if e.Type == network.ResourceTypeDocument {
			w.documents[e.RequestID] = true
		}
		if !isLoopback(e.Request.URL) {
			w.complain("a request left the machine: %s", e.Request.URL)
		}
	case *runtime.EventConsoleAPICalled:
		for _, arg := range e.Args {
			w.complain("the page wrote to the console: %s %s", e.Type, arg.Value)
		}
	case *runtime.EventExceptionThrown:
		w.complain("a script failed: %v", e.ExceptionDetails)
	case *log.EventEntryAdded:
		// Chromium reports the status of a refusal page as a failure to load.
		refusal := e.Entry.Source == log.EntrySourceNetwork && w.documents[e.Entry.NetworkRequestID]
		if !refusal && e.Entry.Level != log.EntryLevelVerbose {
			w.complain("%s %s: %s (%s)", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL)
		}
	case *audits.EventIssueAdded:
		switch e.Issue.Code {
		case audits.InspectorIssueCodeBounceTrackingIssue, // every login by redirects looks like it
			audits.InspectorIssueCodePerformanceIssue: // a test reads document.cookie
			return
		}
		if d := e.Issue.Details; d != nil && d.ContentSecurityPolicyIssueDetails != nil {
			w.complain("content security policy: %s blocked %q", d.ContentSecurityPolicyIssueDetails.ViolatedDirective, d.ContentSecurityPolicyIssueDetails.BlockedURL)
			return
		}
		w.complain("issue: %s", e.Issue.Code)
	}
}

func (w *watch) complain(format string, args ...any) {
	w.problems = append(w.problems, fmt.Sprintf(format, args...))
}

// isLoopback reports whether a request for the URL stays on this machine.
func isLoopback(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil {
		return false
	}
	if slices.Contains([]string{"about", "blob", "data"}, u.Scheme) {
		return true
	}
	return weburl.IsLoopback(u.Hostname())
}

func (w *watch) sent() []Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.requests)
}

func (w *watch) complaints() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.problems)
}
