package agentconnecttest

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestPurge: what has expired goes away in the end, what has not stays, used codes
// included.
func TestPurge(t *testing.T) {
	now := time.Date(2026, 9, 1, 9, 0, 0, 0, time.UTC)
	s := newState()
	s.sessions["old"] = &session{expires: now.Add(-time.Second)}
	s.sessions["open"] = &session{expires: now.Add(time.Second)}
	s.latest["gone"], s.latest["here"] = "old", "open"
	s.codes["old"] = &code{expires: now.Add(-time.Second)}
	s.codes["used"] = &code{expires: now.Add(time.Second), used: true}
	s.purge(now)
	if len(s.codes) != 2 {
		t.Fatalf("while there is little: got %d codes, want both kept", len(s.codes))
	}
	for range 1100 {
		s.interactions[random()] = &interaction{expires: now.Add(-time.Second)}
		s.access[random()] = &token{expires: now.Add(-time.Second)}
		s.refresh[random()] = &token{expires: now.Add(-time.Second)}
	}
	s.purge(now)
	if got := len(s.interactions) + len(s.access) + len(s.refresh); got != 0 {
		t.Errorf("got %d expired entries, want 0", got)
	}
	if len(s.sessions) != 1 || s.sessions["open"] == nil || len(s.latest) != 1 || s.latest["here"] == "" {
		t.Errorf("got sessions %v, latest %v, want those that are open", s.sessions, s.latest)
	}
	if len(s.codes) != 1 || s.codes["used"] == nil {
		t.Errorf("got codes %v, want the used one, so that its second use is noticed", s.codes)
	}
}

// TestMemoriesAreBounded: neither requests nor redirected answers nor issued tokens
// pile up in a long run.
func TestMemoriesAreBounded(t *testing.T) {
	p, err := New(Config{Issuer: "http://127.0.0.1:1/api/v2"})
	if err != nil {
		t.Fatal(err)
	}
	p.requests.keep = true
	p.Inject(DiscoveryRedirect)
	const n = 3*recordedMax + 10
	for range n {
		req := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:1/api/v2/.well-known/openid-configuration", http.NoBody)
		p.ServeHTTP(httptest.NewRecorder(), req)
		p.state.remember(Issued{})
	}
	if got := p.Requests(Discovery); got != n {
		t.Errorf("requests counted: got %d, want %d", got, n)
	}
	for what, got := range map[string]int{"received": len(p.Received(Discovery)), "issued": len(p.Issued())} {
		if got < recordedMax || got > 2*recordedMax {
			t.Errorf("%s: got %d remembered, want between %d and %d", what, got, recordedMax, 2*recordedMax)
		}
	}
	if got := len(p.moved.answers); got > movedMax {
		t.Errorf("redirected answers: got %d kept, want at most %d", got, movedMax)
	}
}

func TestMembersKeepOrderAndRepetition(t *testing.T) {
	const text = `{"b":1,"a":{"z":0,"y":"é<"},"b":2}`
	m, err := readMembers([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if got := jsonText(m); got != `{"b":1,"a":{"z":0,"y":"é\u003c"},"b":2}` {
		t.Errorf("got %s, want the members of %s as they were", got, text)
	}
	m.Set("b", 3)
	m.Delete("a")
	m.Add("c", nil)
	if got := jsonText(m); got != `{"b":3,"b":2,"c":null}` {
		t.Errorf("got %s, want the first b set, a gone, c added", got)
	}
	for _, wrong := range []string{``, `[]`, `{`, `{"a"`, `{"a":}`} {
		if _, err := readMembers([]byte(wrong)); err == nil {
			t.Errorf("%s: got no error, want one", wrong)
		}
	}
}
