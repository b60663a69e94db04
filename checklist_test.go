package agentconnect_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

// Demand 11: a session lasts as long as the application says, whatever the agent
// does, and to midnight in Paris at most if it says that.
func TestSessionLifetime(t *testing.T) {
	t.Parallel()
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	midnight := agentconnect.WithSessionEndAtMidnight()
	for _, tt := range []struct {
		name  string
		opts  []agentconnect.Option
		login time.Time
		want  time.Duration
	}{
		{"twelve hours by default", nil, time.Date(2040, 3, 1, 20, 0, 0, 0, paris), 12 * time.Hour},
		{"an hour", []agentconnect.Option{agentconnect.WithSessionLifetime(time.Hour)}, time.Date(2040, 3, 1, 23, 30, 0, 0, paris), time.Hour},
		{"midnight comes first", []agentconnect.Option{midnight}, time.Date(2040, 3, 1, 20, 0, 0, 0, paris), 4 * time.Hour},
		{"midnight comes later", []agentconnect.Option{midnight}, time.Date(2040, 3, 1, 8, 0, 0, 0, paris), 12 * time.Hour},
		{"midnight in Paris, not in UTC", []agentconnect.Option{midnight}, time.Date(2040, 7, 1, 23, 30, 0, 0, time.UTC), 12 * time.Hour},
		{"after midnight, the next one", []agentconnect.Option{midnight, agentconnect.WithSessionLifetime(48 * time.Hour)}, time.Date(2040, 3, 1, 0, 0, 2, 0, paris), 24*time.Hour - 2*time.Second},
		{"the night when the clocks go forward", []agentconnect.Option{midnight, agentconnect.WithSessionLifetime(48 * time.Hour)}, time.Date(2040, 3, 25, 1, 0, 0, 0, paris), 22 * time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, tt.opts...)
			a.clock.advance(tt.login.Sub(a.clock.Now()))
			login := a.clock.Now()
			b := a.browser()
			b.login("/login", "marie")
			for _, step := range []struct {
				after time.Duration
				want  string
			}{
				{tt.want / 2, a.agentSub("marie")},
				{tt.want - 2*time.Second, a.agentSub("marie")},
				{tt.want + 2*time.Second, ""},
			} {
				a.clock.advance(login.Add(step.after).Sub(a.clock.Now()))
				if got := b.sub(); got != step.want {
					t.Errorf("%v after the login: got %q, want %q", step.after, got, step.want)
				}
			}
		})
	}
}

// Demand 18: the certification is asked for as essential and alone, rechecked, and
// the agent comes back to what was pending; who cannot certify keeps their session and
// is offered another way by the application.
func TestCertificationDirigeant(t *testing.T) {
	t.Parallel()
	const pending = "/mandats/42?etape=3"
	s := newSite(t, siteConfig{}, func(s *app) http.Handler {
		s.auth = s.newAuth(
			agentconnect.WithRedirectURL(s.url+"/callback"),
			agentconnect.WithErrorHandler(func(w http.ResponseWriter, r *http.Request, e *agentconnect.Error) {
				switch e.Code {
				case "access_denied", agentconnect.CodeInsufficientLevel:
					http.Redirect(w, r, "/autrement?page="+url.QueryEscape(e.ReturnTo), http.StatusSeeOther)
				default:
					s.auth.ServeError(w, r, e)
				}
			}))
		mux := http.NewServeMux()
		mux.Handle("/", s.auth.Handler())
		mux.Handle("GET /dossiers", s.auth.RequireAgent(http.HandlerFunc(serveAgent)))
		mux.Handle("GET /mandats/{id}", s.auth.Require(agentconnect.CertificationDirigeant())(http.HandlerFunc(serveAgent)))
		mux.Handle("GET /autrement", s.auth.LoadAgent(http.HandlerFunc(serveAgent)))
		return mux
	})

	head := s.browser()
	head.login("/login", "nadia")
	p := head.login(pending, "nadia")
	if p.StatusCode != http.StatusOK || p.Request.URL.RequestURI() != pending || !strings.Contains(p.body, agentconnect.ACRCertificationDirigeant) {
		t.Errorf("who can certify: got status %d at %s, %s, want the pending page", p.StatusCode, p.Request.URL, p.body)
	}
	asked := s.provider.Received(agentconnecttest.Authorize)
	want := `{"id_token":{"acr":{"essential":true,"values":["` + agentconnect.ACRCertificationDirigeant + `"]}}}`
	if got := asked[len(asked)-1].Form.Get("claims"); got != want {
		t.Errorf("got the claims %s, want %s", got, want)
	}

	other := s.browser()
	other.login("/dossiers", "karim")
	p = other.login(pending, "karim")
	if p.StatusCode != http.StatusOK || p.Request.URL.Path != "/autrement" || p.Request.URL.Query().Get("page") != pending {
		t.Errorf("who cannot: got status %d at %s, want the other way, with the pending page", p.StatusCode, p.Request.URL)
	}
	if got := other.sub(); got != s.agentSub("karim") {
		t.Errorf("who cannot: got %q logged in, want karim as before", got)
	}
}

// Demand 26: the page of a login that failed has what AgentConnect's support asks
// for, and nothing that is secret.
func TestSupportInformation(t *testing.T) {
	t.Parallel()
	a := newApp(t, agentconnect.WithLevel(agentconnect.MFA()), agentconnect.WithSupportContact("support@demarches.example.gouv.fr"))
	p := a.browser().login("/login", "marie", agentconnecttest.Refusing())
	if p.StatusCode != http.StatusForbidden {
		t.Fatalf("got status %d, want 403", p.StatusCode)
	}
	asked := a.provider.Received(agentconnecttest.Authorize)[0]
	text := html.UnescapeString(p.body)
	id := regexp.MustCompile(`<dd>([0-9a-f]{16})</dd>`).FindStringSubmatch(p.body)
	if id == nil || !strings.Contains(a.logs.String(), id[1]) {
		t.Errorf("got the error's id %v, want one that is also in the log", id)
	}
	for _, want := range []string{
		": " + a.provider.Client.ID + "\n",
		": " + a.provider.Issuer + "\n",
		"(heure de Paris)",
		"<dd>" + string("provider_session_lost") + "</dd>",
		"access_denied",
		"support@demarches.example.gouv.fr",
		a.provider.Issuer + "/authorize?",
		"redirect_uri=" + url.QueryEscape(a.url+"/callback"),
		"eidas1-mfa",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("got a page without %q: %s", want, text)
		}
	}
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if value := asked.Form.Get(name); value == "" || strings.Contains(text, value) {
			t.Errorf("got a page with the %s of the login", name)
		}
	}
}
