package agentconnect_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/internal/provider"
)

// The fuzz targets. Run one for long with
//
//	go test -run '^$' -fuzz FuzzReturnTo -fuzztime 10m .
//
// What they found is kept as seeds under testdata/fuzz.

const (
	fuzzIssuer = "https://provider.example/api/v2"
	fuzzSecret = "a-secret-for-fuzzing-of-more-than-thirty-two-bytes"
	fuzzSub    = "sub-of-somebody"
	fuzzNonce  = "0123456789012345678901234567890123456789abc"
)

func fuzzTime() time.Time { return time.Unix(1_790_000_000, 0) }

// fuzzAuth returns an Authenticator that reaches no provider.
func fuzzAuth(tb testing.TB, opts ...agentconnect.Option) *agentconnect.Authenticator {
	tb.Helper()
	auth, err := agentconnect.New(append([]agentconnect.Option{
		agentconnect.WithIssuer(fuzzIssuer),
		agentconnect.WithClient("client", fuzzSecret),
		agentconnect.WithRedirectURL("https://app.example/callback"),
		agentconnect.WithPostLogoutRedirectURL("https://app.example/logout/callback"),
		agentconnect.WithIDTokenAlg(agentconnect.HS256),
		agentconnect.WithLogger(slog.New(slog.DiscardHandler)),
		agentconnect.WithHTTPClient(&http.Client{Transport: noNetwork{}}),
		agentconnect.WithSessionStore(newStore()),
		agentconnect.WithClock(fuzzTime),
	}, opts...)...)
	if err != nil {
		tb.Fatal(err)
	}
	return auth
}

// noNetwork fails every request.
type noNetwork struct{}

func (noNetwork) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("no network here")
}

var plainReturnTo = regexp.MustCompile(`^(/[a-z0-9_-]+)+/?(\?[a-z0-9=&_/:-]*)?(#[a-z0-9_-]*)?$`)

// The final Location, resolved as a browser does it, stays on our origin and off
// our own routes; a page that is plainly good survives.
func FuzzReturnTo(f *testing.F) {
	for _, seed := range slices.Concat(badReturnTos(), goodReturnTos()) {
		f.Add(seed)
	}
	auth := fuzzAuth(f)
	base := whatwgURL{scheme: "https", host: "app.example", path: []string{"callback"}}
	f.Fuzz(func(t *testing.T, target string) {
		location := agentconnect.ReturnToPage(auth, target)
		if problem := judgeLocation(base, location); problem != "" {
			t.Fatalf("return_to %q: Location %q: %s", target, location, problem)
		}
		if len(location) > 2048 {
			t.Fatalf("return_to %q: got a Location of %d bytes, want at most 2048", target, len(location))
		}
		if again := agentconnect.ReturnToPage(auth, location); again != location {
			t.Fatalf("return_to %q: got %q, and of that %q", target, location, again)
		}
		if plainReturnTo.MatchString(target) && len(target) <= 2048 && judgeLocation(base, target) == "" && location != target {
			t.Fatalf("return_to %q: got %q, want it as it is", target, location)
		}
	})
}

// Each parameter that is read from a callback's query is there once and within its
// bounds, as another parser confirms. Unknown parameters change nothing. Without a
// pending login, no query gets a session or a 5xx.
func FuzzCallbackQuery(f *testing.F) {
	for _, seed := range []string{
		"code=a&state=b&iss=c", "error=access_denied&error_description=d&state=b&iss=c", "code=a&code=b&state=c", "code=a;state=b", "code=%zz&state=b", "state=", "code=a&error=b&state=c",
		"CODE=a&STATE=b", "code=a&state=b&session_state=c&more", "code=a+b&state=%00%ff", "code[]=a&state=b", "&&=&code=a&state=b", "state=" + strings.Repeat("x", 5000),
	} {
		f.Add(seed)
	}
	auth := fuzzAuth(f)
	f.Fuzz(func(t *testing.T, query string) {
		answer, err := provider.ParseCallback(query)
		if err == nil {
			values := splitQuery(query)
			for name, got := range map[string]string{"code": answer.Code, "state": answer.State, "iss": answer.Iss, "error": answer.Error, "error_description": answer.Description} {
				if len(values[name]) > 1 || len(got) > 4096 || len(values[name]) == 1 && values[name][0] != got || len(values[name]) == 0 && got != "" {
					t.Fatalf("query %q: read %s %q, the query has %q", query, name, got, values[name])
				}
			}
			if answer.State == "" || (answer.Code == "") == (answer.Error == "") {
				t.Fatalf("query %q: read %+v", query, answer)
			}
			if len(query) < 8000 {
				if more, err := provider.ParseCallback(query + "&unknown=1&unknown=2"); err != nil || *more != *answer {
					t.Fatalf("query %q with unknown parameters: got %+v, %v, want %+v", query, *more, err, *answer)
				}
			}
		}
		r := httptest.NewRequest(http.MethodGet, "/callback", nil)
		r.URL.RawQuery = query
		w := httptest.NewRecorder()
		auth.Callback(w, r)
		if w.Code != http.StatusBadRequest || len(w.Header().Values("Set-Cookie")) != 0 {
			t.Fatalf("query %q: got status %d and cookies %q, want 400 and none", query, w.Code, w.Header().Values("Set-Cookie"))
		}
	})
}

// splitQuery reads a query without net/url's parser of queries.
func splitQuery(query string) map[string][]string {
	values := map[string][]string{}
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, value = strings.ReplaceAll(name, "+", " "), strings.ReplaceAll(value, "+", " ")
		n, err := url.PathUnescape(name)
		if err != nil {
			continue
		}
		v, err := url.PathUnescape(value)
		if err != nil {
			continue
		}
		values[n] = append(values[n], v)
	}
	return values
}

// For every Cookie header, an agent is logged in only if net/http finds the session's
// cookie in it exactly once, and no answer is a 5xx. TOKEN stands for the token of a
// session that exists.
func FuzzCookieHeader(f *testing.F) {
	store := newStore()
	auth := fuzzAuth(f, agentconnect.WithSessionStore(store), agentconnect.WithIdleTimeout(time.Hour), agentconnect.WithClock(time.Now))
	token := agentconnect.NewSession(f, auth, fuzzSub)
	const name = "__Host-agentconnect"
	for _, seed := range nearlyNamed(name, "TOKEN") {
		f.Add(seed, "")
	}
	for _, seed := range []string{name + "=TOKEN", name + "=TOKEN; " + name + "=TOKEN", "a=b; " + name + "=TOKEN; c=d", name + "=\"TOKEN\"", "x=" + name + "=TOKEN", "__Host-agentconnect=x", "__Host-agentconnect=" + strings.Repeat("A", 43), "__Host-agentconnect-login-abcdefgh=AAAA; __Host-agentconnect-seen=x", "a=b; ; =; __Host-agentconnect=\"x\"", "__Host-agentconnect-logout=AAAA"} {
		f.Add(seed, "state=abcdefgh&code=x")
	}
	f.Fuzz(func(t *testing.T, cookie, query string) {
		cookie = strings.ReplaceAll(cookie, "TOKEN", token)
		own := (&http.Request{Header: http.Header{"Cookie": {cookie}}}).CookiesNamed(name)
		known := len(own) == 1 && !own[0].Quoted && own[0].Value == token && strings.Count(cookie, name) <= 50
		protected := auth.RequireAgent(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if agent, ok := agentconnect.AgentFrom(r.Context()); !known || !ok || agent.Sub != fuzzSub {
				t.Errorf("cookie %q: somebody is let through", cookie)
			}
			known = false
		}))
		for _, tt := range []struct {
			method, path string
			handler      http.Handler
		}{
			{"GET", "/dossiers", protected},
			{"GET", "/callback", http.HandlerFunc(auth.Callback)},
			{"POST", "/logout", http.HandlerFunc(auth.Logout)},
			{"GET", "/logout/callback", http.HandlerFunc(auth.LogoutCallback)},
		} {
			r := httptest.NewRequest(tt.method, tt.path, nil)
			r.URL.RawQuery = query
			r.Header["Cookie"] = []string{cookie}
			w := httptest.NewRecorder()
			tt.handler.ServeHTTP(w, r)
			if w.Code >= 500 {
				t.Fatalf("%s %s with cookie %q: got status %d", tt.method, tt.path, cookie, w.Code)
			}
			if tt.path == "/dossiers" && known {
				t.Fatalf("cookie %q: the agent is not let through", cookie)
			}
		}
		token = agentconnect.NewSession(t, auth, fuzzSub) // the logout ended it
	})
}

// A record that can be read is one that can be written: what is read of it,
// written and read again, is the same. No record makes the reader fail otherwise
// than with an error.
func FuzzSessionRecord(f *testing.F) {
	var agent agentconnect.Agent
	if err := agent.UnmarshalJSON([]byte(`{"sub":"s","email":"a@b.example","roles":["x","y"],"amr":["pwd"],"acr":"eidas1","auth_time":1790000000,"custom":{"a":[1,null]}}`)); err != nil {
		f.Fatal(err)
	}
	good := agentconnect.SessionRecord{Agent: agent, Created: fuzzTime(), Expires: fuzzTime().Add(time.Hour), Login: [16]byte{1, 2, 3}, IDToken: "a.b.c"}.Encode()
	f.Add(good)
	f.Add(good[:50])
	f.Add([]byte{})
	f.Add(append(slices.Clone(good[:41]), bytes.Repeat([]byte{0xff}, 64)...))
	f.Add(append(slices.Clone(good[:41]), bytes.Repeat([]byte{0x80}, 64)...))
	f.Fuzz(func(t *testing.T, record []byte) {
		read, err := agentconnect.DecodeSessionRecord(record)
		if err != nil {
			return
		}
		again, err := agentconnect.DecodeSessionRecord(read.Encode())
		if err != nil {
			t.Fatalf("what was read cannot be read again: %v", err)
		}
		if !bytes.Equal(again.Encode(), read.Encode()) || !again.Created.Equal(read.Created) || !again.Expires.Equal(read.Expires) || again.IDToken != read.IDToken || again.Login != read.Login {
			t.Fatalf("got %+v, and again %+v", read, again)
		}
		read.Agent.Claims() // whatever it holds
	})
}

// An agent that can be read from JSON survives the session's record and JSON.
func FuzzAgent(f *testing.F) {
	for _, seed := range []string{
		`{"sub":"s","email":"a@b.example","roles":["x"],"custom":{"a":{"b":1}},"siret":null}`, `{"sub":"s","roles":[null],"custom":"x"}`, `{"sub":"s","roles":[],"email":"","acr":"","amr":[]}`,
		`{"sub":"s","acr":"eidas1","amr":["pwd"],"auth_time":1790000000}`, `{"sub":"s","auth_time":1e700}`, `{"sub":"s","auth_time":0}`, `{"sub":"s","custom":{"a":1e700,"b":-1e-700,"c":-0}}`, `{"sub":"s","Sub":"x"}`, `{}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var agent agentconnect.Agent
		if err := agent.UnmarshalJSON(data); err != nil {
			return
		}
		want, err := json.Marshal(agent)
		if err != nil {
			t.Fatal(err)
		}
		var again agentconnect.Agent
		if err := json.Unmarshal(want, &again); err != nil {
			t.Fatalf("the agent's JSON %s: %v", want, err)
		}
		record, err := agentconnect.DecodeSessionRecord(agentconnect.SessionRecord{Agent: agent}.Encode())
		if err != nil {
			t.Fatal(err)
		}
		for name, other := range map[string]agentconnect.Agent{"JSON": again, "record": record.Agent} {
			if got, err := json.Marshal(other); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("after the %s: got %s, %v, want %s", name, got, err, want)
			}
		}
	})
}
