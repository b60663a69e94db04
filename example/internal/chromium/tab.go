package chromium

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Tab is a tab. Its methods end the test if they do not succeed within half a minute.
type Tab struct {
	tb    testing.TB
	ctx   context.Context
	watch *watch

	checked bool
}

// Page is where a navigation ended.
type Page struct {
	URL    string
	Status int
}

// NewTab opens a tab in a new profile, without cookies. At the end of the test, these
// fail it: requests that left the machine, messages in the console, script errors,
// violations of a Content-Security-Policy, and all other errors that the browser
// reports.
func (b *Browser) NewTab(tb testing.TB) *Tab {
	tb.Helper()
	return open(b.ctx, tb, chromedp.WithNewBrowserContext()).check()
}

// NewUncheckedTab does the same without these checks: for pages whose requests must be
// refused.
func (b *Browser) NewUncheckedTab(tb testing.TB) *Tab {
	tb.Helper()
	return open(b.ctx, tb, chromedp.WithNewBrowserContext())
}

// Another opens a tab of the same profile: it shares the cookies. It is checked if
// this one is.
func (t *Tab) Another() *Tab {
	t.tb.Helper()
	other := open(t.ctx, t.tb)
	if t.checked {
		return other.check()
	}
	return other
}

func open(parent context.Context, tb testing.TB, options ...chromedp.ContextOption) *Tab {
	tb.Helper()
	w := &watch{documents: map[network.RequestID]bool{}}
	ctx, cancel := chromedp.NewContext(parent, append(options, chromedp.WithListener(w.see))...)
	tb.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		tb.Fatalf("opening a tab: %v", err)
	}
	t := &Tab{tb: tb, ctx: ctx, watch: w}
	command(t, audits.Enable, cdp.Empty{})
	return t
}

// check makes the complaints fail the test at its end.
func (t *Tab) check() *Tab {
	t.checked = true
	t.tb.Cleanup(func() {
		for _, problem := range t.watch.complaints() {
			t.tb.Error(problem)
		}
	})
	return t
}

// command sends a command of the DevTools protocol.
func command[P, R any](t *Tab, c cdp.Command[P, R], params P) R {
	t.tb.Helper()
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	result, err := chromedp.Call(ctx, c, params)
	if err != nil {
		t.tb.Fatalf("%s: %v", c.Method, err)
	}
	return result
}

func (t *Tab) do(what string, step chromedp.Action[chromedp.Void]) {
	t.tb.Helper()
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, step); err != nil {
		t.tb.Fatalf("%s: %v", what, err)
	}
}

// navigate runs an action that opens a page, and waits until the page is loaded.
func (t *Tab) navigate(what string, step chromedp.Action[chromedp.Void]) Page {
	t.tb.Helper()
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	response, err := chromedp.RunResponse(ctx, step)
	if err != nil {
		t.tb.Fatalf("%s: %v", what, err)
	}
	return Page{t.URL(), int(response.Status)}
}

// Open opens a URL as if it were typed and follows the redirects.
func (t *Tab) Open(url string) Page {
	t.tb.Helper()
	return t.navigate("opening "+url, chromedp.Navigate(url))
}

// Click clicks on the element of a CSS selector. The click must open a page.
func (t *Tab) Click(selector string) Page {
	t.tb.Helper()
	return t.navigate("clicking on "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// Tick clicks on the element of a CSS selector. The click must not open a page.
func (t *Tab) Tick(selector string) {
	t.tb.Helper()
	t.do("clicking on "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// Choose selects an option of a select element by its value.
func (t *Tab) Choose(selector, value string) {
	t.tb.Helper()
	t.do("choosing in "+selector, chromedp.SetValue(chromedp.CSS(selector), value))
}

// The keys of a person without a mouse.
const (
	KeyTab   = kb.Tab
	KeyEnter = kb.Enter
	KeyDown  = kb.ArrowDown
)

// Press presses a key that opens no page.
func (t *Tab) Press(key string) {
	t.tb.Helper()
	t.do("pressing a key", chromedp.KeyEvent(key))
}

// PressAndGo presses a key that opens a page.
func (t *Tab) PressAndGo(key string) Page {
	t.tb.Helper()
	return t.navigate("pressing a key", chromedp.KeyEvent(key))
}

// TabTo presses Tab until the element of a CSS selector has the focus. It fails the
// test if the element cannot be reached or its focus is not visible.
func (t *Tab) TabTo(selector string) {
	t.tb.Helper()
	for range 50 {
		t.Press(KeyTab)
		if !Eval[bool](t, fmt.Sprintf("document.activeElement.matches(%q)", selector)) {
			continue
		}
		if got := Eval[string](t, "getComputedStyle(document.activeElement).outlineStyle"); got == "none" {
			t.tb.Errorf("%s: got no outline on %s, want the focus to be seen", t.URL(), selector)
		}
		return
	}
	t.tb.Fatalf("%s: got no focus on %s with the Tab key", t.URL(), selector)
}

// Back goes back in the history and waits until the JavaScript expression holds is
// true.
func (t *Tab) Back(holds string) {
	t.tb.Helper()
	history := command(t, page.GetNavigationHistory, cdp.Empty{})
	if history.CurrentIndex < 1 {
		t.tb.Fatal("there is no page to go back to")
	}
	entry := history.Entries[history.CurrentIndex-1]
	// chromedp's NavigateBack waits for a load. A page from the back/forward cache has
	// none.
	command(t, page.NavigateToHistoryEntry, page.NavigateToHistoryEntryParams{EntryID: entry.ID})
	t.Until(holds)
}

// Until waits until a JavaScript expression is true.
func (t *Tab) Until(holds string) {
	t.tb.Helper()
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for {
		// Between two pages the expression cannot be evaluated: ignore the error.
		if held, err := chromedp.Run(ctx, chromedp.Evaluate[bool](holds)); err == nil && held {
			return
		}
		select {
		case <-ctx.Done():
			t.tb.Fatalf("waited %v in vain for this: %s; %s shows %s", patience, holds, t.URL(), t.Text())
		case <-poll.C:
		}
	}
}

// Eval returns the value of a JavaScript expression. It waits for a promise.
func Eval[T any](t *Tab, expression string) T {
	t.tb.Helper()
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		t.tb.Fatalf("evaluating a script: %v", err)
	}
	return value
}

// URL is the address of the page.
func (t *Tab) URL() string {
	t.tb.Helper()
	return Eval[string](t, "location.href")
}

// Text is the visible text of the page, with its title.
func (t *Tab) Text() string {
	t.tb.Helper()
	return Eval[string](t, `document.title + "\n" + document.body.innerText`)
}

// Contains reports whether the element of a CSS selector is on the page.
func (t *Tab) Contains(selector string) bool {
	t.tb.Helper()
	return Eval[bool](t, fmt.Sprintf("document.querySelector(%q) !== null", selector))
}

// Requests returns all the requests of the tab.
func (t *Tab) Requests() []Request { return t.watch.sent() }

// Request returns the last request whose URL begins with the prefix.
func (t *Tab) Request(prefix string) (Request, bool) {
	requests := t.Requests()
	for i := len(requests) - 1; i >= 0; i-- {
		if strings.HasPrefix(requests[i].URL, prefix) {
			return requests[i], true
		}
	}
	return Request{}, false
}

// Cookies returns all the cookies of the profile, of every host.
func (t *Tab) Cookies() []*network.Cookie {
	t.tb.Helper()
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	result, err := chromedp.CallBrowser(ctx, storage.GetCookies, storage.GetCookiesParams{BrowserContextID: chromedp.FromContext(ctx).BrowserContextID})
	if err != nil {
		t.tb.Fatalf("reading the cookies: %v", err)
	}
	return result.Cookies
}

// SetCookie plants a cookie at a URL.
func (t *Tab) SetCookie(url, name, value string) {
	t.tb.Helper()
	command(t, network.SetCookie, network.SetCookieParams{URL: url, Name: name, Value: value})
}

// SetLanguage sets the tab's Accept-Language.
func (t *Tab) SetLanguage(acceptLanguage string) {
	t.tb.Helper()
	command(t, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": acceptLanguage}})
}

// SetColorScheme sets the preferred colour scheme, "light" or "dark".
func (t *Tab) SetColorScheme(scheme string) {
	t.tb.Helper()
	command(t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
}

// SetForcedColors turns forced colours on, "light" or "dark".
func (t *Tab) SetForcedColors(scheme string) {
	t.tb.Helper()
	command(t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "forced-colors", Value: "active"}, {Name: "prefers-color-scheme", Value: scheme},
	}})
}

// SetWidth sets the width of the window.
func (t *Tab) SetWidth(width int64) {
	t.tb.Helper()
	t.do("resizing", chromedp.EmulateViewport(width, 900))
}

// Screenshot returns the whole page as a PNG image.
func (t *Tab) Screenshot() []byte {
	t.tb.Helper()
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	image, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.tb.Fatalf("taking a screenshot: %v", err)
	}
	return image
}
