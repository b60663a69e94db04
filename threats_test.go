package agentconnect_test

import (
	"cmp"
	"encoding/json"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

// The tests of the files threats_*_test.go go through what the library must
// withstand; docs/threats.md has the table of all of them.

// statuses is the HTTP status of each code, as the codes' documentation says.
func statuses() map[agentconnect.Code]int {
	return map[agentconnect.Code]int{
		agentconnect.CodeUnauthenticated:     401,
		agentconnect.CodeInsufficientLevel:   403,
		agentconnect.CodeForbidden:           403,
		agentconnect.CodeLoginRefused:        403,
		"method_not_allowed":                 405,
		"cross_origin":                       403,
		"invalid_request":                    400,
		"unknown_state":                      400,
		"issuer_mismatch":                    400,
		"access_denied":                      403,
		"identity_refused":                   403,
		"domain_refused":                     403,
		"provider_session_lost":              403,
		"login_required":                     403,
		"idp_hint_not_found":                 400,
		"provider_error":                     502,
		"request_rejected":                   500,
		agentconnect.CodeProviderUnavailable: 503,
		agentconnect.CodeProviderTimeout:     504,
		"provider_answer":                    502,
		"invalid_grant":                      400,
		"invalid_client":                     500,
		"invalid_id_token":                   502,
		"invalid_userinfo":                   502,
		agentconnect.CodeSessionStore:        503,
		"session_lost":                       503,
		"not_navigation":                     403,
		agentconnect.CodeInternal:            500,
	}
}

// anyNumber of calls.
const anyNumber = -1

// A refusal is what a request must come to.
type refusal struct {
	code agentconnect.Code
	// exchanges and userinfos are the calls that the request may make to the
	// provider before it is refused.
	exchanges, userinfos int
	// again is where the page's link to a new login leads; "" when it has none.
	again string
	// home is where an agent who is logged in goes instead, when the code is
	// unknown_state; "" is the home page.
	home string
}

// calls returns how often the provider was called with a code and for a userinfo.
func (a *app) calls() (exchanges, userinfos int) {
	return a.provider.Requests(agentconnecttest.Token), a.provider.Requests(agentconnecttest.Userinfo)
}

// refused asserts everything that a refusal is: the status and a page that says
// what to do, no session made, the one there was untouched, no further call to
// the provider, one line in the log.
func (b *browser) refused(want refusal, request func() page) page {
	b.t.Helper()
	a := b.app
	sub, cookie, sessions := b.sub(), b.cookies()["agentconnect"], a.store.sessions(b.t)
	exchanges, userinfos := a.calls()
	logged := len(a.logs.String())

	p := request()
	if want.code == "unknown_state" && sub != "" {
		// Somebody who is logged in is not told about a login that is over.
		if home := cmp.Or(want.home, "/"); p.StatusCode != http.StatusSeeOther || p.location() != home {
			b.t.Errorf("got status %d to %q, want 303 to %q: somebody is logged in", p.StatusCode, p.location(), home)
		}
		if got, _ := a.calls(); got != exchanges || a.store.sessions(b.t) != sessions || b.cookies()["agentconnect"] != cookie || b.sub() != sub {
			b.t.Errorf("got %d exchanges and %d sessions, want nothing changed", got-exchanges, a.store.sessions(b.t))
		}
		return p
	}

	lines := strings.Split(strings.TrimSuffix(a.logs.String()[logged:], "\n"), "\n")
	if got, _ := a.calls(); want.exchanges != anyNumber && got-exchanges != want.exchanges {
		b.t.Errorf("got %d calls to the token endpoint, want %d", got-exchanges, want.exchanges)
	}
	if _, got := a.calls(); want.userinfos != anyNumber && got-userinfos != want.userinfos {
		b.t.Errorf("got %d calls to the userinfo, want %d", got-userinfos, want.userinfos)
	}
	id := b.checkErrorPage(p, want)
	b.checkLogLines(lines, want.code, id)
	if got := a.store.sessions(b.t); got != sessions {
		b.t.Errorf("sessions in the store: got %d, want %d as before", got, sessions)
	}
	if got := b.cookies()["agentconnect"]; got != cookie {
		b.t.Errorf("the refusal changed the session's cookie: got %q, want %q", got, cookie)
	}
	if got := b.sub(); got != sub {
		b.t.Errorf("the refusal changed who is logged in: got %q, want %q", got, sub)
	}
	return p
}

var (
	pageHeading    = regexp.MustCompile(`<h1>[^<]+</h1>`)
	pageParagraphs = regexp.MustCompile(`<p>[^<]+</p>`)
	pageFacts      = regexp.MustCompile(`<dt>[^<]+</dt><dd>([^<]*)</dd>`)
	pageLogin      = regexp.MustCompile(`<a class="button main" href="([^"]*)">`)
)

// checkErrorPage checks the page of a refusal and returns its error number.
func (b *browser) checkErrorPage(p page, want refusal) (id string) {
	b.t.Helper()
	if status := statuses()[want.code]; p.StatusCode != status {
		b.t.Errorf("got status %d, want %d; Location %q, body %.1000s", p.StatusCode, status, p.location(), p.body)
		return ""
	}
	if got := p.Header.Get("Content-Type"); got != "text/html; charset=utf-8" {
		b.t.Errorf("got Content-Type %q, want a page", got)
	}
	checkPageHeaders(b.t, p)
	if !pageHeading.MatchString(p.body) || len(pageParagraphs.FindAllString(p.body, -1)) < 2 {
		b.t.Errorf("the page does not say what happened and what to do: %s", p.body)
	}
	facts := pageFacts.FindAllStringSubmatch(p.body, -1)
	if len(facts) < 2 || facts[0][1] != string(want.code) {
		b.t.Errorf("got a page with %q, want the code %s", facts, want.code)
		return ""
	}
	login := ""
	if found := pageLogin.FindStringSubmatch(p.body); found != nil {
		login = withoutRequest(b.t, found[1])
	}
	if login != want.again {
		b.t.Errorf("the page's link to a new login: got %q, want %q", login, want.again)
	}
	if !strings.Contains(p.body, `<a class="button" href="/">`) {
		b.t.Errorf("the page has no link to the home page: %s", p.body)
	}
	return facts[1][1]
}

// checkPageHeaders checks the headers of any page of the library's own.
func checkPageHeaders(t *testing.T, p page) {
	t.Helper()
	referrer := "no-referrer"
	if strings.Contains(p.body, "<form") { // which says where it comes from
		referrer = "strict-origin"
	}
	if p.Request.Method == http.MethodHead {
		referrer = p.Header.Get("Referrer-Policy")
	}
	for name, want := range map[string]string{
		"Cache-Control":          "no-store",
		"Referrer-Policy":        referrer,
		"X-Content-Type-Options": "nosniff",
	} {
		if got := p.Header.Get(name); got != want {
			t.Errorf("got %s %q, want %q", name, got, want)
		}
	}
	policy := p.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("got Content-Security-Policy %q, want %s", policy, want)
		}
	}
	if strings.Contains(policy, "unsafe-") || strings.Contains(policy, "script-src") || strings.Contains(strings.ToLower(p.body), "<script") {
		t.Errorf("a page without script has Content-Security-Policy %q and body %s", policy, p.body)
	}
}

// checkLogLines checks that a refusal was logged on one line, under the number
// that the page shows.
func (b *browser) checkLogLines(lines []string, code agentconnect.Code, id string) {
	b.t.Helper()
	lines = slices.DeleteFunc(lines, func(line string) bool { // what is wrong with the keys stands on a line of its own
		return strings.Contains(line, "agentconnect: a key of the provider cannot be used")
	})
	if len(lines) != 1 {
		b.t.Errorf("got %d log lines, want 1: %q", len(lines), lines)
		return
	}
	var line struct {
		Code string `json:"code"`
		ID   string `json:"error_id"`
	}
	if err := json.Unmarshal([]byte(lines[0]), &line); err != nil {
		b.t.Errorf("log line %q: %v", lines[0], err)
	}
	if line.Code != string(code) || line.ID == "" || line.ID != id {
		b.t.Errorf("got the log line %s, want code %s and the page's number %s", lines[0], code, id)
	}
}

// sessionOf logs an agent in and returns the session's cookie.
func (a *app) sessionOf(agent string) string {
	a.t.Helper()
	b := a.browser()
	if p := b.login("/dossiers", agent); p.StatusCode != http.StatusOK {
		a.t.Fatalf("login: got status %d, want 200; %s", p.StatusCode, p.body)
	}
	return b.cookies()["agentconnect"]
}

// loggedIn returns a browser in which an agent is logged in and which the
// provider does not know, so that the next login there may be anybody's.
func (a *app) loggedIn(agent string) *browser {
	a.t.Helper()
	b := a.browser()
	b.setCookie("agentconnect", a.sessionOf(agent))
	return b
}

// in returns the application for a subtest.
func (a *app) in(t *testing.T) *app {
	sub := *a
	sub.t = t
	return &sub
}

// eventually waits for what another goroutine is about to do.
func (a *app) eventually(what string, done func() bool) {
	a.t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			a.t.Fatalf("%s did not happen", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// expectLogin ends a login at the callback and checks that it succeeds.
func (b *browser) expectLogin(callback *url.URL, agent, page string) {
	b.t.Helper()
	b.expectLoginAs(callback, b.app.agentSub(agent), page)
}

func (b *browser) expectLoginAs(callback *url.URL, sub, page string) {
	b.t.Helper()
	p := b.navigate(callback.String())
	if p.StatusCode != http.StatusSeeOther || p.location() != page {
		b.t.Errorf("callback: got status %d to %q, want 303 to %q; %.1000s", p.StatusCode, p.location(), page, p.body)
		return
	}
	if got := b.sub(); got != sub {
		b.t.Errorf("got agent %q, want %q", got, sub)
	}
}

// serve starts a server of the application's at another port, with a handler of
// the test's own. Cookies know no ports, so who is logged in is so there too.
func (a *app) serve(handler http.Handler) string {
	a.t.Helper()
	server := httptest.NewServer(a.secrets.watch(handler))
	a.t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		a.t.Fatal(err)
	}
	return "http://localhost:" + u.Port()
}

// callbackOf goes through a login from the provider's authorization URL on.
func (b *browser) callbackOf(authorize, agent string) *url.URL {
	b.t.Helper()
	follow := *b.client
	follow.CheckRedirect = nil
	u, err := b.app.provider.CallbackURL(&follow, authorize, agent)
	if err != nil {
		b.t.Fatalf("login: %v", err)
	}
	return u
}

// withoutRequest returns a link to the login without the sealed level, which is
// different each time.
func withoutRequest(t *testing.T, link string) string {
	t.Helper()
	u, err := url.Parse(html.UnescapeString(link))
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	query.Del("request")
	u.RawQuery = query.Encode()
	return u.String()
}
