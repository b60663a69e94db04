package resourceserver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/agentconnecttest"
	"github.com/agentconnect-go/agentconnect/resourceserver"
)

type roundTripperFunc func(*http.Request) (*http.Response, error)

func (f roundTripperFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// silentAbout is a way to the provider that says nothing about the tokens that
// begin with a text, until released or given up.
func silentAbout(text string, released <-chan struct{}, asked *atomic.Int32) *http.Client {
	return &http.Client{Timeout: time.Hour, Transport: roundTripperFunc(func(r *http.Request) (*http.Response, error) {
		if r.Body != nil {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return nil, err
			}
			if strings.Contains(string(body), "token="+text) {
				asked.Add(1)
				defer asked.Add(-1)
				select {
				case <-released:
				case <-r.Context().Done():
					return nil, r.Context().Err()
				}
			}
			r = r.Clone(r.Context())
			r.Body = io.NopCloser(strings.NewReader(string(body)))
		}
		return http.DefaultTransport.RoundTrip(r)
	})}
}

// eventually waits for what other goroutines are about to do.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not happen", what)
		}
	}
}

// Five thousand calls with made-up tokens, of callers who left, leave nothing behind,
// and a good token is answered at once.
func TestStrangersWhoLeft(t *testing.T) {
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(protocol, func(t *testing.T) {
			var asked atomic.Int32
			a := newAPI(t, agentconnect.Unsigned, resourceserver.WithHTTPClient(silentAbout("stranger", nil, &asked)))
			server := httptest.NewUnstartedServer(a.rs.RequireToken(http.HandlerFunc(a.serve)))
			if protocol == "HTTP/2.0" {
				server.EnableHTTP2 = true
				server.StartTLS()
			} else {
				server.Start()
			}
			t.Cleanup(server.Close)
			good := a.token(a.provider.Client.ID).AccessToken
			call := func(ctx context.Context, token string) (*http.Response, error) {
				r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
				if err != nil {
					return nil, err
				}
				r.Header.Set("Authorization", "Bearer "+token)
				return server.Client().Do(r)
			}
			if res, err := call(t.Context(), good); err != nil || res.StatusCode != http.StatusOK || res.Proto != protocol {
				t.Fatalf("got %v, %v, want 200 over %s", res, err, protocol)
			}
			before := runtime.NumGoroutine()

			const strangers, atOnce = 5000, 100
			for from := 0; from < strangers; from += atOnce {
				ctx, leave := context.WithCancel(t.Context())
				var calls sync.WaitGroup
				for i := range atOnce {
					calls.Go(func() {
						if res, err := call(ctx, fmt.Sprint("stranger-", from+i)); !errors.Is(err, context.Canceled) {
							t.Errorf("got %v, %v, want to have left", res, err)
						}
					})
				}
				eventually(t, "the questions about the strangers' tokens", func() bool { return asked.Load() == atOnce })
				leave()
				calls.Wait()
				eventually(t, "the end of the questions", func() bool { return asked.Load() == 0 })
			}

			began := time.Now()
			res, err := call(t.Context(), good)
			if err != nil || res.StatusCode != http.StatusOK {
				t.Errorf("a good token: got %v, %v, want 200", res, err)
			}
			if took := time.Since(began); took > time.Second {
				t.Errorf("a good token waited %v, want less than a second", took)
			}
			server.Client().CloseIdleConnections()
			eventually(t, fmt.Sprintf("%d goroutines or so, as before", before), func() bool { return runtime.NumGoroutine() < before+20 })
			if logged := a.logs.String(); strings.Contains(logged, `"ERROR"`) || strings.Contains(logged, `"WARN"`) {
				t.Errorf("callers that left are logged as failures: %.500s", logged)
			}
		})
	}
}

// When the provider is being asked about as many tokens as may be, another one is
// answered 503 at once. A call with one of those tokens waits with the others.
func TestTooManyStrangers(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	released := make(chan struct{})
	a := newAPI(t, agentconnect.Unsigned, resourceserver.WithCache(time.Minute), resourceserver.WithHTTPClient(silentAbout("stranger", released, &asked)))
	remembered, good := a.token(a.provider.Client.ID).AccessToken, a.token(a.provider.Client.ID).AccessToken
	if p := a.call("/", "Bearer "+remembered); p.StatusCode != http.StatusOK {
		t.Fatalf("got status %d, %s, want 200", p.StatusCode, p.body)
	}
	var calls sync.WaitGroup
	refused := make([]page, resourceserver.MaxUnderWay)
	for i := range refused {
		calls.Go(func() { refused[i] = a.call("/", fmt.Sprint("Bearer stranger-", i)) })
	}
	eventually(t, "the questions", func() bool { return asked.Load() == resourceserver.MaxUnderWay })
	a.handled.Store(0)
	began := time.Now()
	a.wantRefused(a.call("/", "Bearer "+good), http.StatusServiceUnavailable, resourceserver.CodeOverloaded)
	if took := time.Since(began); took > time.Second {
		t.Errorf("the refusal took %v, want less than a second", took)
	}
	if p := a.call("/", "Bearer "+remembered); p.StatusCode != http.StatusOK {
		t.Errorf("a token that is remembered: got status %d, %s, want 200", p.StatusCode, p.body)
	}
	again := make(chan page)
	go func() { again <- a.call("/", "Bearer stranger-0") }()
	close(released)
	calls.Wait()
	a.handled.Store(0)
	for _, p := range append(refused, <-again) {
		a.wantRefused(p, http.StatusUnauthorized, resourceserver.CodeInvalidToken)
	}
	if p := a.call("/", "Bearer "+good); p.StatusCode != http.StatusOK {
		t.Errorf("afterwards: got status %d, %s, want 200", p.StatusCode, p.body)
	}
	if got := asked.Load(); got != 0 {
		t.Errorf("got %d questions under way, want 0", got)
	}
}

// A panic of the application's transport is an answer for those who wait.
func TestPanicOfTheTransport(t *testing.T) {
	t.Parallel()
	var panics atomic.Bool
	transport := roundTripperFunc(func(r *http.Request) (*http.Response, error) {
		if panics.Load() {
			panic("in the transport")
		}
		return http.DefaultTransport.RoundTrip(r)
	})
	for _, warm := range []bool{false, true} { // whether the metadata is known
		a := newAPI(t, agentconnect.RS256, resourceserver.WithHTTPClient(&http.Client{Transport: transport}))
		token := a.token(a.provider.Client.ID).AccessToken
		panics.Store(false)
		if warm {
			if err := a.rs.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		panics.Store(true)
		a.wantRefused(a.call("/", "Bearer "+token), http.StatusInternalServerError, agentconnect.CodeInternal)
		panics.Store(false)
		a.clock.advance(time.Minute)
		if p := a.call("/", "Bearer "+token); p.StatusCode != http.StatusOK {
			t.Errorf("afterwards: got status %d, %s, want 200", p.StatusCode, p.body)
		}
	}
}

// An odd answer with the same meaning is accepted.
func TestOddButLegalIntrospections(t *testing.T) {
	t.Parallel()
	body := func(change func(string) string) agentconnecttest.Tamper {
		return agentconnecttest.Tamper{Endpoint: agentconnecttest.Introspection, Answer: func(answer *agentconnecttest.Answer) {
			answer.Body = []byte(change(string(answer.Body)))
		}}
	}
	mediaType := func(value string) agentconnecttest.Tamper {
		return agentconnecttest.Tamper{Endpoint: agentconnecttest.Introspection, Answer: func(answer *agentconnecttest.Answer) {
			answer.Header.Set("Content-Type", value)
		}}
	}
	member := func(name string, value any) agentconnecttest.Tamper {
		return agentconnecttest.Tamper{Introspection: func(j *agentconnecttest.JWT) {
			if inner, ok := j.Claims.Get("token_introspection").(agentconnecttest.Members); ok {
				inner.Set(name, value)
				j.Claims.Set("token_introspection", inner)
				return
			}
			j.Claims.Set(name, value)
		}}
	}
	for _, tt := range []struct {
		name   string
		alg    agentconnect.Alg
		tamper agentconnecttest.Tamper
	}{
		{"white space", agentconnect.Unsigned, body(func(s string) string { return " \r\n\t" + strings.ReplaceAll(s, `":`, `" : `) + "\n" })},
		{"active last", agentconnect.Unsigned, body(func(s string) string {
			return strings.TrimSuffix(strings.Replace(s, `"active":true,`, "", 1), "}") + `, "active": true}`
		})},
		{"times with a fraction", agentconnect.Unsigned, body(func(s string) string {
			return strings.Replace(s, `,"iat":`, `.0,"iat":`, 1)
		})},
		{"times with an exponent", agentconnect.Unsigned, body(func(s string) string {
			return strings.Replace(s, `"exp":`, `"nbf":1.7e9,"exp":`, 1)
		})},
		{"members that are null", agentconnect.Unsigned, body(func(s string) string { return strings.Replace(s, `{`, `{"cnf":null,"username":null,"aud":null,`, 1) })},
		{"unknown members", agentconnect.Unsigned, body(func(s string) string { return strings.Replace(s, `{`, `{"Extra":{"active":false},"ext":[1],`, 1) })},
		{"escapes", agentconnect.Unsigned, body(func(s string) string { return strings.Replace(s, `"Bearer"`, `"\u0042earer"`, 1) })},
		{"token_type in another case", agentconnect.Unsigned, member("token_type", "bearer")},
		{"no scope", agentconnect.Unsigned, member("scope", nil)},
		{"an empty scope", agentconnect.RS256, member("scope", "")},
		{"media type in another case", agentconnect.Unsigned, mediaType("Application/JSON")},
		{"media type with parameters", agentconnect.Unsigned, mediaType(`application/json ; charset="UTF-8"; x=y`)},
		{"media type with a malformed parameter", agentconnect.Unsigned, mediaType(`application/json; charset`)},
		{"media type of a JWT in another case", agentconnect.RS256, mediaType("APPLICATION/Token-Introspection+JWT")},
		{"a JWT with a line break", agentconnect.ES256, body(func(s string) string { return s + "\r\n" })},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, tt.alg)
			a.provider.Inject(tt.tamper)
			if p := a.call("/", "Bearer "+a.token(a.provider.Client.ID).AccessToken); p.StatusCode != http.StatusOK {
				t.Errorf("got status %d, %s, want 200; %s", p.StatusCode, p.body, a.logs)
			}
		})
	}
}
