package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/example/internal/servers"
)

// A settingsChange is a change of what instances share, in the steps of
// docs/sessions.md. Each step is deployed on one instance after the other, so that
// two neighbouring steps run at once.
type settingsChange struct {
	name   string
	sealed bool // records, in some step
	steps  [][]agentconnect.Option
}

func settingsChanges() []settingsChange {
	const newSecret = "the-new-secret-of-the-client-0123456789"
	oldKey, newKey, unsealed := bytes.Repeat([]byte("o"), 32), bytes.Repeat([]byte("n"), 32), []byte(agentconnect.Unsealed)
	type steps = [][]agentconnect.Option
	return []settingsChange{
		{"client secret", false, steps{
			{agentconnect.WithClient("fs", secret)},
			{agentconnect.WithClient("fs", secret), agentconnect.WithOtherClientSecrets(newSecret)},
			{agentconnect.WithClient("fs", newSecret), agentconnect.WithOtherClientSecrets(secret)},
			{agentconnect.WithClient("fs", newSecret)},
		}},
		{"sealing key", true, steps{
			{agentconnect.WithSealedSessions(oldKey)},
			{agentconnect.WithSealedSessions(oldKey, newKey)},
			{agentconnect.WithSealedSessions(newKey, oldKey)},
			{agentconnect.WithSealedSessions(newKey)},
		}},
		{"sealing turned on", true, steps{
			{},
			{agentconnect.WithSealedSessions(unsealed, newKey)},
			{agentconnect.WithSealedSessions(newKey, unsealed)},
			{agentconnect.WithSealedSessions(newKey)},
		}},
		{"cookie name", false, steps{
			{},
			{agentconnect.WithOtherCookieNames("demarches")},
			{agentconnect.WithCookieName("demarches"), agentconnect.WithOtherCookieNames("agentconnect")},
			{agentconnect.WithCookieName("demarches")},
		}},
	}
}

// TestRollingChanges makes each change there and back on two instances that answer in
// turn: nobody is logged out, no POST is lost, and logins and logouts may begin on one
// instance and end on the other. Sessions of the first step are over before the
// last one, as the documentation says.
func TestRollingChanges(t *testing.T) {
	t.Parallel()
	for _, change := range settingsChanges() {
		for _, direction := range []string{"there", "back"} {
			t.Run(change.name+", "+direction, func(t *testing.T) {
				t.Parallel()
				steps := change.steps
				if direction == "back" {
					steps = [][]agentconnect.Option{steps[3], steps[2], steps[1], steps[0]}
				}
				checkRollingChange(t, steps, change.sealed)
			})
		}
	}
}

func checkRollingChange(t *testing.T, steps [][]agentconnect.Option, sealed bool) {
	redis := servers.StartRedis(t)
	stores := openRedisStores(t, redis, 2)
	c := startCluster(t, stores)
	addAgents(t, c.provider, 1)
	client := &http.Client{Transport: &bothSecrets{c: c}}
	deploy := func(instance int, step []agentconnect.Option) {
		t.Helper()
		c.deploy(instance, stores[instance], append([]agentconnect.Option{
			agentconnect.WithIdleTimeout(5 * time.Minute), agentconnect.WithHTTPClient(client),
		}, step...)...)
	}
	deploy(0, steps[0])
	deploy(1, steps[0])

	var working []*visitor
	check := func(state string) {
		t.Helper()
		if t.Failed() {
			return
		}
		// Logins and logouts, begun and ended on each.
		for begin := range 2 {
			for end := range 2 {
				c.pin(map[string]int{"/login": begin, "/callback": end, "/logout": begin, "/logout/callback": end})
				v := visitorsOf(t, c.url, 0)[0]
				v.wantLogin(t)
				v.wantLogout(t)
				v.wantStranger(t)
				v.wantLogin(t)
				working = append(working, v)
			}
		}
		c.pin(nil)
		if !sealed { // the proof of a request on one instance holds on the other
			age(t, redis, 2*time.Minute)
			for i, v := range working {
				c.pin(map[string]int{"/agent": i % 2})
				v.wantMe(t)
			}
			age(t, redis, 4*time.Minute)
		}
		started := c.provider.Requests("authorize")
		for i, v := range working {
			for instance := range 2 {
				c.pin(map[string]int{"/agent": instance})
				v.wantMe(t)
				if status, err := v.write(); err != nil || status != http.StatusOK {
					t.Errorf("browser %d, instance %d: got status %d and error %v, want the POST accepted", i, instance, status, err)
				}
			}
		}
		c.pin(nil)
		if got := c.provider.Requests("authorize") - started; got != 0 {
			t.Errorf("got %d logins, want none: somebody was logged out", got)
		}
		if t.Failed() {
			t.Fatalf("in this state: %s; the log: %s", state, c.logs)
		}
	}
	check("all on the first step")
	for i, step := range steps[1:] {
		if i+2 == len(steps) { // the sessions of the first steps are over
			working = working[len(working)-len(working)/5:] // those of the check before, when all ran the last but one
		}
		deploy(0, step)
		check(fmt.Sprintf("the first instance on step %d, the second on step %d", i+2, i+1))
		deploy(1, step)
		check(fmt.Sprintf("both on step %d", i+2))
	}
}

// write posts as a form of the application does.
func (v *visitor) write() (status int, err error) {
	stopping := *v.Client
	stopping.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := stopping.PostForm(v.url+"/agent", url.Values{})
	if err != nil {
		return 0, err
	}
	resp.Body.Close()
	return resp.StatusCode, nil
}

// bothSecrets stands for a provider that accepts the old and the new secret during a
// change: it registers the secret that the instance is about to present.
type bothSecrets struct {
	c  *cluster
	mu sync.Mutex
}

func (s *bothSecrets) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodPost {
		return http.DefaultTransport.RoundTrip(r)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	if presented := form.Get("client_secret"); strings.TrimSpace(presented) != "" {
		if err := s.c.provider.SetClient(s.c.registration(presented)); err != nil {
			return nil, err
		}
	}
	return http.DefaultTransport.RoundTrip(r)
}
