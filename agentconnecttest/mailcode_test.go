package agentconnecttest_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

const multiFactor = `{"id_token":{"amr":null,"acr":{"essential":true,"values":["eidas0-mfa","eidas1-mfa","eidas2","eidas3"]}}}`

var shownCode = regexp.MustCompile(`<code id="mail-code">(\d{8})</code>`)

// codePage goes as far as the page that asks for a code, and returns its address and
// the code.
func codePage(t *testing.T, a *app, browser *http.Client, agent string) (page, code string) {
	t.Helper()
	page, _ = tab(t, a, browser)
	to, body := submit(t, browser, page, url.Values{"agent": {agent}})
	if to.String() != page {
		t.Fatalf("got %s %s, want the page of the code", to, body)
	}
	_, body = open(t, browser, page)
	found := shownCode.FindStringSubmatch(body)
	if found == nil {
		t.Fatalf("got %s, want a code of eight digits on it", body)
	}
	return page, found[1]
}

func TestCodeByEmail(t *testing.T) {
	wrong := func(code string) string {
		if code == "00000000" {
			return "00000001"
		}
		return "00000000"
	}
	for _, test := range []struct {
		name  string
		after time.Duration
		tries int // wrong ones before
		typed func(code string) string
		want  string // on the page; "" for a code for the application
	}{
		{name: "right"},
		{name: "right, within the hour", after: 59 * time.Minute},
		{name: "wrong", typed: wrong, want: "Y170003"},
		{name: "no eight digits", typed: func(string) string { return "1234567" }, want: "Y000400"},
		{name: "right after nine wrong ones", tries: 9},
		{name: "right after ten wrong ones", tries: 10, want: "Y170001"},
		{name: "right five minutes after ten wrong ones", tries: 10, after: 5*time.Minute + time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			clock := newClock()
			srv := agentconnecttest.NewServer(t, agentconnecttest.WithClock(clock.now))
			a := newApp(t, srv).with("claims", multiFactor)
			browser := newBrowser(t)
			page, code := codePage(t, a, browser, "marie")
			for range test.tries {
				if _, body := submit(t, browser, page, url.Values{"verify_email_token": {wrong(code)}}); !strings.Contains(body, "Y170003") {
					t.Fatalf("a wrong code: got %s, want Y170003", body)
				}
			}
			clock.advance(test.after)
			typed := code
			if test.typed != nil {
				typed = test.typed(code)
			}
			to, body := submit(t, browser, page, url.Values{"verify_email_token": {typed}})
			if test.want == "" && to.Query().Get("code") == "" || !strings.Contains(body, test.want) {
				t.Errorf("got %s %s, want %q", to, body, test.want)
			}
		})
	}
}

// TestCodeByEmailIsSentOnceAnHour: the page shown again, or in another tab, asks for
// the code that was sent already, and a code works once.
func TestCodeByEmailIsSentOnceAnHour(t *testing.T) {
	clock := newClock()
	srv := agentconnecttest.NewServer(t, agentconnecttest.WithClock(clock.now))
	a := newApp(t, srv).with("claims", multiFactor)
	browser := newBrowser(t)
	page, first := codePage(t, a, browser, "marie")
	clock.advance(50 * time.Minute)
	later := newBrowser(t)
	laterPage, second := codePage(t, a, later, "marie")
	if first != second {
		t.Errorf("after fifty minutes: got another code, want the same")
	}
	clock.advance(11 * time.Minute)
	if _, body := submit(t, later, laterPage, url.Values{"verify_email_token": {second}}); !strings.Contains(body, "Y170003") {
		t.Errorf("after an hour: got %s, want Y170003", body)
	}
	_, body := open(t, later, laterPage)
	third := shownCode.FindStringSubmatch(body)
	if third == nil || third[1] == first {
		t.Fatalf("after an hour: got %v, want another code than %s", third, first)
	}
	if to, body := submit(t, later, laterPage, url.Values{"verify_email_token": {third[1]}}); to.Query().Get("code") == "" {
		t.Errorf("the new code: got %s %s, want a code for the application", to, body)
	}
	if _, body := submit(t, browser, page, url.Values{"verify_email_token": {third[1]}}); !strings.Contains(body, "session-not-found") {
		t.Errorf("the first page, which is older than an hour: got %s, want an error", body)
	}
}

// TestCodeByEmailThatDoesNotHelp: at an identity provider of level eidas0, a service
// that demands eidas1-mfa or more gets the page of the code again and again. On the RIE,
// and after a code that was the identity provider's own second factor, it gets
// access_denied.
func TestCodeByEmailThatDoesNotHelp(t *testing.T) {
	minimum := `{"id_token":{"acr":{"essential":true,"values":["eidas1-mfa","eidas2","eidas3"]}}}`
	srv := agentconnecttest.NewServer(t)
	a := newApp(t, srv).with("claims", minimum)
	browser := newBrowser(t)
	page, code := codePage(t, a, browser, "lucie")
	for range 3 {
		to, body := submit(t, browser, page, url.Values{"verify_email_token": {code}})
		if to.String() != page {
			t.Fatalf("got %s %s, want the page of the code again", to, body)
		}
		_, body = open(t, browser, page)
		code = shownCode.FindStringSubmatch(body)[1]
	}
	if _, err := srv.Login(newBrowser(t), a.http.URL+"/login", "lucie"); err == nil || !strings.Contains(err.Error(), "again") {
		t.Errorf("Login: got %v, want an error that says so", err)
	}
	rie := agentconnecttest.NewServer(t, agentconnecttest.WithRIE())
	for name, a := range map[string]*app{"RIE": newApp(t, rie), "mail already": newApp(t, srv)} {
		got := a.with("claims", multiFactor).logIn(t, newBrowser(t), map[string]string{"RIE": "marie", "mail already": "karim"}[name])
		if got.query.Get("error") != "access_denied" || got.query.Get("error_description") != "requested ACRs could not be satisfied" {
			t.Errorf("%s: got %v, want access_denied", name, got.query)
		}
	}
}
