package agentconnect_test

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

// shortestSecret is the length from which a value is searched for in the logs:
// tests plant cookies such as "x", which are in every text.
const shortestSecret = 8

// secrets are the values that went through an application and that its logs may
// not contain: cookies, codes, states, descriptions of errors.
type secrets struct {
	mu   sync.Mutex
	seen map[string]bool
}

func newSecrets() *secrets { return &secrets{seen: map[string]bool{}} }

func (s *secrets) add(values ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range values {
		if len(v) >= shortestSecret {
			s.seen[v] = true
		}
	}
}

// watch notes the secrets of the requests to next and of its answers.
func (s *secrets) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, c := range r.Cookies() {
			s.add(c.Value)
		}
		query := r.URL.Query()
		for _, name := range []string{"code", "state", "error_description"} {
			s.add(query[name]...)
		}
		defer func() {
			for _, line := range w.Header()["Set-Cookie"] {
				if c, err := http.ParseSetCookie(line); err == nil {
					s.add(c.Value)
				}
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// checkLogs reports each secret, of the application and of its provider, and
// each name and e-mail of who logged in, that the logs contain.
func (s *secrets) checkLogs(t *testing.T, logs string, provider *agentconnecttest.Server) {
	t.Helper()
	for _, v := range s.in(logs, provider) {
		at := strings.Index(logs, v)
		t.Errorf("the logs contain the secret %q: …%s…", v, logs[max(0, at-200):min(len(logs), at+200)])
	}
}

// in returns the secrets that a log contains.
func (s *secrets) in(logs string, provider *agentconnecttest.Server) []string {
	if logs == "" {
		return nil
	}
	s.mu.Lock()
	values := slices.Collect(maps.Keys(s.seen))
	s.mu.Unlock()
	for _, v := range provider.Secrets() {
		if len(v) >= shortestSecret {
			values = append(values, v)
		}
	}
	for _, v := range provider.PersonalData() {
		values = append(values, v, url.QueryEscape(v))
	}
	return slices.DeleteFunc(values, func(v string) bool { return !strings.Contains(logs, v) })
}
