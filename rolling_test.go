package agentconnect_test

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agentconnect-go/agentconnect"
)

// A rollingApp is an application whose requests reach two instances with different
// settings in turn, as during a rolling deployment.
type rollingApp struct {
	*app
	requests atomic.Int64
	only     atomic.Int64 // the instance that answers: 1, 2, or 0 for both in turn
}

// nextSecret is a client secret that the provider of a rollingApp accepts beside
// the client's own.
const nextSecret = "next-demonstration-secret-of-more-than-sixty-four-characters-0123456789"

func newRollingApp(t *testing.T, one, two []agentconnect.Option) *rollingApp {
	t.Helper()
	a := newApp(t)
	transport := roundTripperFunc(func(r *http.Request) (*http.Response, error) {
		if r.Body != nil {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return nil, err
			}
			body = bytes.ReplaceAll(body, []byte(nextSecret), []byte(url.QueryEscape(a.provider.Client.Secret)))
			r = r.Clone(r.Context())
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		}
		return http.DefaultTransport.RoundTrip(r)
	})
	rolling := &rollingApp{app: a}
	var instances []http.Handler
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := rolling.requests.Add(1)
		if only := rolling.only.Load(); only > 0 {
			n = only - 1
		}
		instances[n%2].ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	_, port, _ := strings.Cut(strings.TrimPrefix(front.URL, "http://"), ":")
	a.url = "http://localhost:" + port
	a.public = a.url
	a.provider.SetRedirectURIs(a.public + "/callback")
	a.provider.SetPostLogoutRedirectURIs(a.public + "/logout/callback")
	for _, opts := range [][]agentconnect.Option{one, two} {
		instance := *a
		instance.auth = a.newAuth(append([]agentconnect.Option{agentconnect.WithHTTPClient(&http.Client{Transport: transport})}, opts...)...)
		instances = append(instances, instance.routes())
	}
	return rolling
}

// Each change of what instances must have in common has an order of steps. Between
// one step and the next the instances of both answer in turn: nobody is logged out,
// no POST is lost, and what began on one ends on the other.
func TestThreatRollingChanges(t *testing.T) {
	t.Parallel()
	oldKey, newKey := []byte(strings.Repeat("o", 32)), []byte(strings.Repeat("n", 32))
	unsealed := []byte(agentconnect.Unsealed)
	opts := func(opts ...agentconnect.Option) []agentconnect.Option { return opts }
	for _, tt := range []struct {
		name  string
		steps func(id, secret string) [][]agentconnect.Option
	}{
		{"client secret", func(id, current string) [][]agentconnect.Option {
			return [][]agentconnect.Option{
				opts(agentconnect.WithClient(id, current)),
				opts(agentconnect.WithClient(id, current), agentconnect.WithOtherClientSecrets(nextSecret)),
				opts(agentconnect.WithClient(id, nextSecret), agentconnect.WithOtherClientSecrets(current)),
				opts(agentconnect.WithClient(id, nextSecret)),
			}
		}},
		{"sealing key", func(string, string) [][]agentconnect.Option {
			return [][]agentconnect.Option{
				opts(agentconnect.WithSealedSessions(oldKey)),
				opts(agentconnect.WithSealedSessions(oldKey, newKey)),
				opts(agentconnect.WithSealedSessions(newKey, oldKey)),
			}
		}},
		{"sealing turned on", func(string, string) [][]agentconnect.Option {
			return [][]agentconnect.Option{
				nil,
				opts(agentconnect.WithSealedSessions(unsealed, newKey)),
				opts(agentconnect.WithSealedSessions(newKey, unsealed)),
			}
		}},
		{"sealing turned off", func(string, string) [][]agentconnect.Option {
			return [][]agentconnect.Option{
				opts(agentconnect.WithSealedSessions(oldKey)),
				opts(agentconnect.WithSealedSessions(oldKey, unsealed)),
				opts(agentconnect.WithSealedSessions(unsealed, oldKey)),
			}
		}},
		{"cookie name", func(string, string) [][]agentconnect.Option {
			return [][]agentconnect.Option{
				nil,
				opts(agentconnect.WithOtherCookieNames("next")),
				opts(agentconnect.WithCookieName("next"), agentconnect.WithOtherCookieNames("agentconnect")),
			}
		}},
		{"idle timeout shortened", func(string, string) [][]agentconnect.Option {
			return [][]agentconnect.Option{opts(agentconnect.WithIdleTimeout(time.Hour)), nil}
		}},
		{"lifetime", func(string, string) [][]agentconnect.Option {
			return [][]agentconnect.Option{nil, opts(agentconnect.WithSessionLifetime(6 * time.Hour))}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			probe := newApp(t)
			steps := tt.steps(probe.provider.Client.ID, probe.provider.Client.Secret)
			for i := range len(steps) - 1 {
				idle := agentconnect.WithIdleTimeout(10 * time.Minute)
				a := newRollingApp(t, append(opts(idle), steps[i]...), append(opts(idle), steps[i+1]...))
				for first := range int64(2) {
					a.rollThrough(t, i, first)
				}
			}
		})
	}
}

// rollThrough is an hour of an agent who logs in on one of the instances.
func (a *rollingApp) rollThrough(t *testing.T, step int, first int64) {
	t.Helper()
	b := a.browser()
	a.only.Store(first + 1)
	callback := b.callback("/login?return_to=/dossiers/7", "marie")
	a.only.Store(2 - first)
	if p := b.navigate(callback.String()); p.StatusCode != http.StatusSeeOther || p.location() != "/dossiers/7" {
		t.Errorf("step %d: a login begun on instance %d, ended on the other: got status %d to %q, want 303 to the page", step, first+1, p.StatusCode, p.location())
	}
	b.login("/login", "marie")
	a.only.Store(0)
	for minute := range 30 {
		a.clock.advance(time.Minute)
		p := b.do(http.MethodPost, "/dossiers", http.Header{"Sec-Fetch-Mode": {"cors"}, "Origin": {a.url}}, "a=b")
		if p.StatusCode != http.StatusOK {
			t.Fatalf("step %d, from instance %d, minute %d: a POST got status %d, want 200", step, first+1, minute, p.StatusCode)
		}
	}
	// An agent who is only ever answered by one instance, and then by the other.
	for _, only := range []int64{first + 1, 2 - first} {
		a.only.Store(only)
		for range 3 {
			a.clock.advance(8 * time.Minute)
			if got := b.sub(); got != a.agentSub("marie") {
				t.Errorf("step %d, from instance %d, now on %d: got agent %q, want marie", step, first+1, only, got)
			}
		}
	}
	// A new login on the other instance replaces the session, and a logout ends it.
	before := b.cookies()
	b.login("/login", "marie")
	old := a.browser()
	for name, value := range before {
		old.setCookie(name, value)
	}
	for _, only := range []int64{1, 2} {
		a.only.Store(only)
		if got := old.sub(); got != "" {
			t.Errorf("step %d, from instance %d: the session before the second login: got agent %q on instance %d, want none", step, first+1, got, only)
		}
		if got := b.sub(); got != a.agentSub("marie") {
			t.Errorf("step %d, from instance %d: after the second login: got agent %q on instance %d, want marie", step, first+1, got, only)
		}
	}
	a.only.Store(first + 1)
	after := b.cookies()
	if p := b.post("/logout", nil); p.StatusCode != http.StatusSeeOther || !strings.Contains(p.location(), "id_token_hint") {
		t.Errorf("step %d: logout on instance %d: got status %d to %.60q, want 303 to the provider", step, first+1, p.StatusCode, p.location())
	}
	for name, value := range after {
		old.setCookie(name, value)
	}
	for _, only := range []int64{1, 2} {
		a.only.Store(only)
		if got := old.sub(); got != "" {
			t.Errorf("step %d, from instance %d: after the logout: got agent %q on instance %d, want none", step, first+1, got, only)
		}
		if got := b.sub(); got != "" {
			t.Errorf("step %d, from instance %d: the browser after the logout: got agent %q on instance %d, want none", step, first+1, got, only)
		}
	}
	records, err := a.store.All()
	if err != nil {
		t.Fatal(err)
	}
	// A session that was replaced a moment ago is remembered for a minute, beside the sessions.
	maps.DeleteFunc(records, func(key string, _ []byte) bool { return key[len(key)-44] == '-' })
	if n := len(records); n != 0 {
		t.Errorf("step %d, from instance %d: got %d sessions after the logout, want none", step, first+1, n)
	}
}

// A step that is left out costs a new login, and never the session of the
// instances that can read it.
func TestThreatRollingWithoutSteps(t *testing.T) {
	t.Parallel()
	key := []byte(strings.Repeat("k", 32))
	idle := agentconnect.WithIdleTimeout(10 * time.Minute)
	for name, tt := range map[string]struct {
		newer []agentconnect.Option
		reads bool // the instance of before reads what the newer one wrote
	}{
		"client secret":     {[]agentconnect.Option{agentconnect.WithClient("agentconnect-demo", nextSecret)}, true},
		"sealing turned on": {[]agentconnect.Option{agentconnect.WithSealedSessions(key)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			probe := newApp(t)
			if name == "client secret" {
				tt.newer[0] = agentconnect.WithClient(probe.provider.Client.ID, nextSecret)
			}
			a := newRollingApp(t, []agentconnect.Option{idle}, append(tt.newer, idle))
			a.only.Store(2)
			b := a.browser()
			b.login("/dossiers", "marie")
			for range 4 {
				a.clock.advance(8 * time.Minute)
				a.only.Store(2)
				if got := b.sub(); got != a.agentSub("marie") {
					t.Errorf("on the newer instance: got agent %q, want marie", got)
				}
				a.only.Store(1)
				if got := b.sub() != ""; got != tt.reads {
					t.Errorf("on the older instance: got an agent %v, want %v", got, tt.reads)
				}
			}
		})
	}
}
