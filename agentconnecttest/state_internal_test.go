package agentconnecttest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
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
	s.interactions["open"] = &interaction{expires: now.Add(time.Second)}
	s.access["open"], s.refresh["open"] = &token{expires: now.Add(time.Second)}, &token{expires: now.Add(time.Second)}
	s.purge(now)
	if got := len(s.interactions) + len(s.access) + len(s.refresh); got != 3 || s.interactions["open"] == nil || s.access["open"] == nil || s.refresh["open"] == nil {
		t.Errorf("got %d interactions and tokens, want the one of each that has not expired", got)
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
	p.Inject(Fault("discovery-redirect"))
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

func TestAlteredTexts(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{flip("h", "p", "BBB"), "h.p.BAB"},
		{flip("h", "p", "BAB"), "h.p.BBB"},
		{flip("h", "p", ""), "h.p."},
		{altered("h", "e30", "s"), "h.e30g.s"},
		{oddCase("text/html"), "TeXt/hTmL"},
	} {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}

func TestFaultsOfES256(t *testing.T) {
	p, err := New(Config{Issuer: "http://127.0.0.1:1/api/v2"})
	if err != nil {
		t.Fatal(err)
	}
	for alg, size := range map[string]int{"RS256": 256, "ES256": 65} { // the modulus; the point, uncompressed
		token := p.newJWT(Client{}, alg, "JWT")
		raw, err := publicRaw(token.SigningKey(alg).Private.Public())
		if err != nil || len(raw) != size {
			t.Errorf("%s: got %d raw bytes, %v, want %d", alg, len(raw), err, size)
		}
		if got := attackersKey(token).Alg; got != alg {
			t.Errorf("%s: got an attacker's key for %s", alg, got)
		}
	}
}

func TestKeySetFaultsKeepTheTypesOfKeys(t *testing.T) {
	p, err := New(Config{Issuer: "http://127.0.0.1:1/api/v2"})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		fault Fault
		want  string
	}{
		{Fault("keys-other-algorithms"), "EC ES512, RSA RS512"},
		{Fault("keys-shared-kid"), "EC ES256, RSA RS256, EC ES256, RSA RS256"},
	} {
		p.Clear()
		p.Inject(test.fault)
		w := httptest.NewRecorder()
		p.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://127.0.0.1:1/api/v2/jwks", http.NoBody))
		var set struct {
			Keys []struct{ Kty, Alg, Kid string }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &set); err != nil {
			t.Fatal(err)
		}
		var got []string
		kids := make(map[string]int)
		for _, k := range set.Keys {
			got = append(got, k.Kty+" "+k.Alg)
			kids[k.Kid]++
		}
		if strings.Join(got, ", ") != test.want || len(kids) != 2 {
			t.Errorf("%s: got %s under %d identifiers, want %s under 2", test.fault, strings.Join(got, ", "), len(kids), test.want)
		}
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
