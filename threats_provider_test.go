package agentconnect_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

const refusedPage = "/login?return_to=%2Fdossiers%2F7"

// providerRefusal is what a fault of the provider must come to at the callback.
// Where a GET on a connection that was kept open gets no answer at all, Go's
// transport sends it again: anyNumber.
func providerRefusal(info agentconnecttest.FaultInfo) refusal {
	away, answer := agentconnect.CodeProviderUnavailable, agentconnect.Code("provider_answer")
	codes := map[agentconnecttest.Fault]agentconnect.Code{
		agentconnecttest.Fault("id-token-huge"): answer,

		agentconnecttest.TokenError503:                 away,
		agentconnecttest.Fault("token-error-429"):      away,
		agentconnecttest.Fault("token-truncated"):      away,
		agentconnecttest.Fault("token-reset"):          away,
		agentconnecttest.TokenInvalidGrant:             "invalid_grant",
		agentconnecttest.Fault("token-error-with-200"): "invalid_grant",
		agentconnecttest.Fault("token-invalid-client"): "invalid_client",

		agentconnecttest.Fault("userinfo-error-500"):          answer,
		agentconnecttest.UserinfoError503:                     away,
		agentconnecttest.Fault("userinfo-error-429"):          away,
		agentconnecttest.Fault("userinfo-redirect"):           answer,
		agentconnecttest.Fault("userinfo-permanent-redirect"): answer,
		agentconnecttest.Fault("userinfo-huge"):               answer,
		agentconnecttest.Fault("userinfo-gzip-bomb"):          answer,
		agentconnecttest.Fault("userinfo-truncated"):          away,
		agentconnecttest.Fault("userinfo-reset"):              away,
		agentconnecttest.UserinfoUnauthorized:                 answer,
		agentconnecttest.Fault("userinfo-no-content-type"):    answer,

		agentconnecttest.Fault("keys-error-503"):        away,
		agentconnecttest.Fault("keys-error-429"):        away,
		agentconnecttest.Fault("keys-truncated"):        away,
		agentconnecttest.Fault("keys-reset"):            away,
		agentconnecttest.Fault("keys-no-keys"):          "invalid_id_token",
		agentconnecttest.Fault("keys-other-keys"):       "invalid_id_token",
		agentconnecttest.Fault("keys-encryption-keys"):  "invalid_id_token",
		agentconnecttest.Fault("keys-encryption-ops"):   "invalid_id_token",
		agentconnecttest.Fault("keys-other-algorithms"): "invalid_id_token",
		agentconnecttest.Fault("keys-symmetric"):        "invalid_id_token",

		agentconnecttest.DiscoveryError503:            away,
		agentconnecttest.Fault("discovery-error-429"): away,
		agentconnecttest.Fault("discovery-truncated"): away,
		agentconnecttest.Fault("discovery-reset"):     away,
	}
	want := refusal{code: codes[info.Fault], exchanges: 1, again: refusedPage}
	if info.Slow {
		want.code = agentconnect.CodeProviderTimeout
	}
	switch {
	case info.Endpoint == agentconnecttest.Discovery:
		want.exchanges = 0
	case info.Endpoint == agentconnecttest.Userinfo:
		want.userinfos = 1
	}
	switch info.Fault {
	case agentconnecttest.Fault("userinfo-truncated"), agentconnecttest.Fault("userinfo-reset"):
		want.userinfos = anyNumber
	case agentconnecttest.Fault("token-invalid-client"): // no login helps here
		want.again = ""
	}
	if want.code != "" {
		return want
	}
	switch {
	case isIDTokenFault(info):
		want.code = "invalid_id_token"
	case info.Endpoint == agentconnecttest.Userinfo:
		want.code = "invalid_userinfo"
	default:
		want.code = answer
	}
	return want
}

func isIDTokenFault(info agentconnecttest.FaultInfo) bool {
	return strings.HasPrefix(string(info.Fault), "id-token-")
}

// subFaults change the sub of an agent, within what is allowed.
func subFaults() map[agentconnecttest.Fault]string {
	return map[agentconnecttest.Fault]string{agentconnecttest.Fault("id-token-sub-255"): strings.Repeat("s", 255)}
}

// TestThreatTokensAndUserinfo goes through the faults of the token endpoint, of
// ID tokens and of the userinfo, for each registered algorithm, while another
// agent is logged in in the same browser. Each refusal leaves that agent logged
// in; each variation that the specifications allow succeeds.
func TestThreatTokensAndUserinfo(t *testing.T) {
	t.Parallel()
	for _, algs := range []struct{ idToken, userinfo agentconnect.Alg }{
		{agentconnect.RS256, agentconnect.RS256},
		{agentconnect.ES256, agentconnect.ES256},
		{agentconnect.HS256, agentconnect.HS256},
		{agentconnect.RS256, agentconnect.Unsigned},
	} {
		t.Run(string(algs.idToken+"-"+algs.userinfo), func(t *testing.T) {
			t.Parallel()
			a := newAppWith(t, []agentconnecttest.ServerOption{agentconnecttest.WithAlgorithms(string(algs.idToken), string(algs.userinfo))},
				agentconnect.WithIDTokenAlg(algs.idToken), agentconnect.WithUserinfoAlg(algs.userinfo))
			session := a.sessionOf("marie")
			for _, info := range agentconnecttest.Faults() {
				switch info.Endpoint {
				case agentconnecttest.Token:
					// What is not about signatures is the same for all algorithms.
					if !info.Applies(string(algs.idToken)) || algs.userinfo == agentconnect.Unsigned || algs.idToken != agentconnect.RS256 && !isIDTokenFault(info) {
						continue
					}
				case agentconnecttest.Userinfo:
					if !info.Applies(string(algs.userinfo)) {
						continue
					}
				default:
					continue
				}
				if info.Slow || info.Level || info.Fault == agentconnecttest.Fault("id-token-huge") && algs.idToken != agentconnect.RS256 {
					continue
				}
				t.Run(string(info.Fault), func(t *testing.T) {
					a := a.in(t)
					a.clock.advance(time.Minute) // gives the keys' bucket a token back
					b := a.browser()
					if info.Refuse {
						b.setCookie("agentconnect", session)
					}
					a.provider.Inject(info.Fault)
					defer a.provider.Clear()
					callback := b.callback("/login?return_to=/dossiers/7", "karim")
					if !info.Refuse {
						if sub := subFaults()[info.Fault]; sub != "" {
							b.expectLoginAs(callback, sub, "/dossiers/7")
							return
						}
						b.expectLogin(callback, "karim", "/dossiers/7")
						return
					}
					b.refused(providerRefusal(info), func() page { return b.navigate(callback.String()) })
				})
			}
			for _, e := range []agentconnecttest.Endpoint{agentconnecttest.Attacker, agentconnecttest.Elsewhere} {
				if got := a.provider.Requests(e); got != 0 {
					t.Errorf("requests to %s: got %d, want 0: no redirect and no URL of a token is followed", e, got)
				}
			}
		})
	}
}

// TestThreatKeySets goes through the faults of the key set, each with an
// application that knows no key yet.
func TestThreatKeySets(t *testing.T) {
	t.Parallel()
	for _, alg := range []agentconnect.Alg{agentconnect.RS256, agentconnect.ES256} {
		for _, info := range agentconnecttest.Faults() {
			if info.Endpoint != agentconnecttest.JWKS || info.Slow || !info.Applies(string(alg)) {
				continue
			}
			t.Run(string(alg)+" "+string(info.Fault), func(t *testing.T) {
				t.Parallel()
				a := newAppWith(t, []agentconnecttest.ServerOption{agentconnecttest.WithAlgorithms(string(alg), string(alg))}, agentconnect.WithIDTokenAlg(alg))
				b := a.browser()
				a.provider.Inject(info.Fault)
				callback := b.callback("/login?return_to=/dossiers/7", "karim")
				if !info.Refuse {
					b.expectLogin(callback, "karim", "/dossiers/7")
					return
				}
				b.refused(providerRefusal(info), func() page { return b.navigate(callback.String()) })
				if got := a.provider.Requests(agentconnecttest.Elsewhere); got != 0 {
					t.Errorf("redirects followed: got %d, want 0", got)
				}
			})
		}
	}
}

// TestThreatDiscovery goes through the faults of the discovery document, each
// with an application that does not know the provider yet.
func TestThreatDiscovery(t *testing.T) {
	t.Parallel()
	for _, info := range agentconnecttest.Faults() {
		if info.Endpoint != agentconnecttest.Discovery || info.Slow {
			continue
		}
		t.Run(string(info.Fault), func(t *testing.T) {
			t.Parallel()
			a := newApp(t)
			b := a.browser()
			a.provider.Inject(info.Fault)
			if !info.Refuse {
				b.expectLogin(b.callback("/login?return_to=/dossiers/7", "karim"), "karim", "/dossiers/7")
				return
			}
			want := providerRefusal(info)
			want.again = "/login"
			b.refused(want, func() page { return b.navigate("/login?return_to=/dossiers/7") })
			if got := a.provider.Requests(agentconnecttest.Elsewhere); got != 0 {
				t.Errorf("redirects followed: got %d, want 0", got)
			}
			if err := a.auth.Ready(t.Context()); err == nil {
				t.Error("Ready: got nil, want an error while the provider is not known")
			}
		})
	}
}

// A document that changes its issuer or loses an endpoint later does not replace
// the good one.
func TestThreatDiscoveryLater(t *testing.T) {
	t.Parallel()
	for _, fault := range []agentconnecttest.Fault{
		agentconnecttest.Fault("discovery-other-issuer"), agentconnecttest.Fault("discovery-missing-token"), agentconnecttest.Fault("discovery-missing-end-session"),
		agentconnecttest.Fault("discovery-http-token"), agentconnecttest.Fault("discovery-error-500"), agentconnecttest.Fault("discovery-not-json"),
	} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			a := newApp(t)
			a.browser().login("/dossiers", "marie")
			a.provider.Inject(fault)
			for round := range 3 {
				a.clock.advance(61 * time.Minute)
				b := a.browser()
				b.expectLogin(b.callback("/login?return_to=/dossiers/7", "karim"), "karim", "/dossiers/7")
				if p := b.post("/logout", nil); !strings.HasPrefix(p.location(), a.provider.Issuer+"/session/end?") {
					t.Errorf("round %d: logout: got %q, want the provider's end of session", round, p.location())
				}
				a.eventually("another read of the document", func() bool {
					a.clock.advance(time.Second) // past the pause after a read that failed
					b.navigate("/login")
					return a.provider.Requests(agentconnecttest.Discovery) > round+1
				})
			}
		})
	}
}

// TestThreatSlowProvider: every call ends in a bounded time, also when the
// answer comes a byte a second.
func TestThreatSlowProvider(t *testing.T) {
	t.Parallel()
	for _, info := range agentconnecttest.Faults() {
		if !info.Slow || !slices.Contains([]agentconnecttest.Endpoint{agentconnecttest.Token, agentconnecttest.Userinfo, agentconnecttest.JWKS, agentconnecttest.Discovery}, info.Endpoint) {
			continue
		}
		t.Run(string(info.Fault), func(t *testing.T) {
			t.Parallel()
			a := newApp(t, agentconnect.WithHTTPClient(&http.Client{Timeout: 3 * time.Second}))
			b := a.browser()
			want := providerRefusal(info)
			if info.Endpoint == agentconnecttest.Discovery {
				a.provider.Inject(info.Fault)
				want.again = "/login"
				b.refused(want, func() page { return b.navigate("/login?return_to=/dossiers/7") })
				return
			}
			callback := b.callback("/login?return_to=/dossiers/7", "karim")
			a.provider.Inject(info.Fault)
			b.refused(want, func() page { return b.navigate(callback.String()) })
		})
	}
}

// A small answer that unpacks to a large one is refused before it is unpacked
// whole, and one that is just below the bound is read.
func TestThreatAnswerSize(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	for _, tt := range []struct {
		name    string
		padding int
		packed  bool
		refuse  bool
	}{
		{"just below a mebibyte", 1<<20 - 1<<14, false, false},
		{"just below a mebibyte, packed", 1<<20 - 1<<14, true, false},
		{"just above a mebibyte", 1 << 20, false, true},
		{"just above a mebibyte, packed", 1 << 20, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := a.in(t)
			b := a.browser()
			a.provider.Inject(agentconnecttest.Tamper{Endpoint: agentconnecttest.Token, Answer: func(answer *agentconnecttest.Answer) {
				answer.Body = append(bytes.Repeat([]byte(" "), tt.padding), answer.Body...)
				if tt.packed {
					answer.Header.Set("Content-Encoding", "gzip")
					answer.Body = pack(answer.Body)
				}
			}})
			defer a.provider.Clear()
			callback := b.callback("/login?return_to=/dossiers/7", "karim")
			if !tt.refuse {
				b.expectLogin(callback, "karim", "/dossiers/7")
				return
			}
			b.refused(refusal{code: "provider_answer", exchanges: 1, again: refusedPage}, func() page { return b.navigate(callback.String()) })
		})
	}
}

func pack(body []byte) []byte {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	w.Write(body)
	w.Close()
	return packed.Bytes()
}

// A countingTransport counts the bytes that are read of answers.
type countingTransport struct {
	base http.RoundTripper
	read atomic.Int64
}

func (c *countingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := c.base.RoundTrip(r)
	if err == nil {
		res.Body = countingBody{res.Body, &c.read}
	}
	return res, err
}

type countingBody struct {
	io.ReadCloser
	read *atomic.Int64
}

func (b countingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read.Add(int64(n))
	return n, err
}

// Of an answer that is too large no more is read than tells so.
func TestThreatLargeAnswerIsNotRead(t *testing.T) {
	t.Parallel()
	transport := &countingTransport{base: http.DefaultTransport}
	a := newApp(t, agentconnect.WithHTTPClient(&http.Client{Transport: transport}))
	b := a.browser()
	callback := b.callback("/login?return_to=/dossiers/7", "karim")
	a.provider.Inject(agentconnecttest.Fault("token-huge")) // sixteen mebibytes
	b.refused(refusal{code: "provider_answer", exchanges: 1, again: refusedPage}, func() page { return b.navigate(callback.String()) })
	if got := transport.read.Load(); got < 1<<20 || got > 1<<20+1<<16 {
		t.Errorf("got %d bytes read, want a mebibyte and the documents before it", got)
	}
}

// A heldTransport holds back the requests for one path while it is told to.
type heldTransport struct {
	path    string
	release chan struct{} // closed when what is held goes on
	held    atomic.Bool
	aborted atomic.Bool // whether a client gave up one that was held
}

func (h *heldTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if h.held.Load() && strings.HasSuffix(r.URL.Path, h.path) {
		select {
		case <-h.release:
		case <-r.Context().Done():
			h.aborted.Store(true)
			return nil, r.Context().Err()
		}
	}
	return http.DefaultTransport.RoundTrip(r)
}

// While a provider that is known does not answer for its document, logins go on
// with the one at hand and wait for nothing. Who has no document at hand waits no
// longer than it wants to.
func TestThreatDiscoveryHangs(t *testing.T) {
	t.Parallel()
	transport := &heldTransport{path: "/.well-known/openid-configuration", release: make(chan struct{})}
	defer close(transport.release)
	client := agentconnect.WithHTTPClient(&http.Client{Transport: transport})
	a := newApp(t, client)
	b := a.browser()
	b.navigate("/login")
	transport.held.Store(true)
	a.clock.advance(61 * time.Minute)
	b.expectLogin(b.callback("/login?return_to=/dossiers/7", "karim"), "karim", "/dossiers/7")
	if transport.aborted.Load() {
		t.Error("a login waited for the document until the call was given up, want it to use the one at hand")
	}

	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.another(client).auth.Ready(impatient); !errors.Is(err, context.Canceled) {
		t.Errorf("Ready of an instance that knows nothing: got %v, want %v", err, context.Canceled)
	}
}

// The document is read again after an hour, and what it then says is used: also
// an endpoint that it did not have before.
func TestThreatDiscoveryRenewed(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	endSession := ""
	a.provider.Inject(agentconnecttest.Tamper{Endpoint: agentconnecttest.Discovery, Answer: func(answer *agentconnecttest.Answer) {
		var document map[string]any
		if err := json.Unmarshal(answer.Body, &document); err != nil {
			t.Error(err)
		}
		document["authorization_endpoint"] = fmt.Sprintf("%s?read=%d", document["authorization_endpoint"], a.provider.Requests(agentconnecttest.Discovery))
		delete(document, "end_session_endpoint")
		if endSession != "" {
			document["end_session_endpoint"] = endSession
		}
		answer.Body, _ = json.Marshal(document)
	}})
	for _, want := range []string{"", "", a.provider.Issuer + "/session/end/1", a.provider.Issuer + "/session/end/2"} {
		endSession = want
		reads := a.provider.Requests(agentconnecttest.Discovery)
		a.clock.advance(25 * time.Hour) // so that who needs it waits for it
		b := a.browser()
		b.login("/dossiers", "marie")
		p := b.post("/logout", nil)
		if got := a.provider.Requests(agentconnecttest.Discovery) - reads; got != 1 {
			t.Errorf("reads of the document: got %d, want 1", got)
		}
		if got, want := b.navigate("/login").location(), fmt.Sprintf("read=%d", reads+1); !strings.Contains(got, want) {
			t.Errorf("login: got %q, want the endpoint of the last document, with %s", got, want)
		}
		if want == "" && p.location() != "/" || !strings.HasPrefix(p.location(), cmp.Or(want, "/")) {
			t.Errorf("logout: got %q, want %q", p.location(), cmp.Or(want, "/"))
		}
	}
}

// An endpoint is an https URL with a host, and nothing that would change where
// the secrets go.
func TestThreatEndpoints(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		endpoint any
		want     string // in what Ready says
	}{
		{"token_endpoint", nil, "token_endpoint is missing"},
		{"token_endpoint", "", "token_endpoint is missing"},
		{"token_endpoint", 7, "token_endpoint is not text"},
		{"token_endpoint", "/token", "token_endpoint is not an absolute URL"},
		{"token_endpoint", "https:///token", "token_endpoint is not an absolute URL"},
		{"token_endpoint", "https:token", "token_endpoint is not an absolute URL"},
		{"token_endpoint", "https://idp.example/%zz", "token_endpoint is not an absolute URL"},
		{"token_endpoint", "https://marie:secret@idp.example/token", "token_endpoint is not an absolute URL"},
		{"token_endpoint", "https://idp.example/token#there", "token_endpoint is not an absolute URL"},
		{"token_endpoint", "http://idp.example/token", "token_endpoint is not https"},
		{"token_endpoint", "ftp://localhost/token", "token_endpoint is not https"},
		{"token_endpoint", "https://idp.example/token", ""},
		{"authorization_endpoint", "javascript://idp.example/%0aalert(1)", "authorization_endpoint is not https"},
		{"userinfo_endpoint", nil, "userinfo_endpoint is missing"},
		{"jwks_uri", "file:///keys", "jwks_uri is not an absolute URL"},
		{"end_session_endpoint", "/session/end", "end_session_endpoint is not an absolute URL"},
		{"end_session_endpoint", 7, "end_session_endpoint is not text"},
		{"end_session_endpoint", nil, ""},
		{"issuer", 7, "of the issuer"},
	} {
		t.Run(fmt.Sprintf("%s %v", tt.name, tt.endpoint), func(t *testing.T) {
			t.Parallel()
			a := newApp(t)
			a.provider.Inject(agentconnecttest.Tamper{Endpoint: agentconnecttest.Discovery, Answer: func(answer *agentconnecttest.Answer) {
				var document map[string]any
				if err := json.Unmarshal(answer.Body, &document); err != nil {
					t.Error(err)
				}
				document[tt.name] = tt.endpoint
				answer.Body, _ = json.Marshal(document)
			}})
			err := a.auth.Ready(t.Context())
			if tt.want == "" {
				if err != nil {
					t.Errorf("Ready: got %v, want nil", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Ready: got %v, want one that says %q", err, tt.want)
			}
			b := a.browser()
			b.refused(refusal{code: "provider_answer", again: "/login"}, func() page { return b.navigate("/login") })
		})
	}
}

// A timeout of the transport is one of the provider, and an overloaded provider
// is one in whatever type it says so.
func TestThreatProviderAwayAtTheExchange(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		transport http.RoundTripper
		answer    func(*agentconnecttest.Answer)
		want      refusal
	}{
		{"transport's timeout", failing("/token", os.ErrDeadlineExceeded), nil, refusal{code: agentconnect.CodeProviderTimeout, again: refusedPage}},
		{"no connection", failing("/token", syscall.ECONNREFUSED), nil, refusal{code: agentconnect.CodeProviderUnavailable, again: refusedPage}},
		{"503 in HTML", nil, func(answer *agentconnecttest.Answer) {
			answer.Status = http.StatusServiceUnavailable
			answer.Header.Set("Content-Type", "text/html")
		}, refusal{code: agentconnect.CodeProviderUnavailable, exchanges: 1, again: refusedPage}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, agentconnect.WithHTTPClient(&http.Client{Transport: tt.transport}))
			a.provider.Inject(agentconnecttest.Tamper{Endpoint: agentconnecttest.Token, Answer: tt.answer})
			b := a.browser()
			callback := b.callback("/login?return_to=/dossiers/7", "karim")
			b.refused(tt.want, func() page { return b.navigate(callback.String()) })
		})
	}
}

type roundTripperFunc func(*http.Request) (*http.Response, error)

func (f roundTripperFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// failing is a transport that fails for a path.
func failing(path string, err error) http.RoundTripper {
	return roundTripperFunc(func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, path) {
			return nil, err
		}
		return http.DefaultTransport.RoundTrip(r)
	})
}

// A claim of another type than its own is refused where it is read, and harms
// nobody where it is not.
func TestThreatMalformedClaims(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	const idToken, userinfo = "ID token", "userinfo"
	for _, tt := range []struct {
		where, claim string
		value        any
		refuse       bool
	}{
		{idToken, "sub", 7, true},
		{idToken, "nonce", 7, true},
		{idToken, "nonce", nil, true},
		{idToken, "at_hash", 7, true},
		{idToken, "aud", 7, true},
		{idToken, "aud", []any{"me", 7}, true},
		{idToken, "azp", 7, true},
		{idToken, "azp", nil, false},
		{idToken, "exp", "tomorrow", true},
		{idToken, "exp", nil, true},
		{idToken, "exp", 1e300, true},
		{idToken, "iat", nil, true},
		{idToken, "iat", "now", true},
		{idToken, "iat", -1e300, true},
		{idToken, "nbf", true, true},
		{idToken, "auth_time", "now", false},
		{idToken, "given_name", 7, false},
		{userinfo, "sub", 7, true},
		{userinfo, "given_name", 7, true},
		{userinfo, "given_name", nil, false},
		{userinfo, "email", []string{"marie@culture.example"}, true},
		{userinfo, "siret", int64(13002526500013), true},
		{userinfo, "roles", "agent_public", true},
		{userinfo, "roles", []any{"agent_public", nil}, true},
		{userinfo, "roles", []any{7}, true},
		{userinfo, "roles", nil, false},
		{userinfo, "exp", "tomorrow", true},
		{userinfo, "iat", nil, true},
		{userinfo, "nonce", "that of an ID token", true},
		{userinfo, "at_hash", "that of an ID token", true},
		{userinfo, "custom", 7, false},
	} {
		t.Run(fmt.Sprintf("%s %s %v", tt.where, tt.claim, tt.value), func(t *testing.T) {
			a := a.in(t)
			a.clock.advance(time.Minute)
			change := func(token *agentconnecttest.JWT) { token.Claims.Set(tt.claim, tt.value) }
			fault, want := agentconnecttest.Tamper{IDToken: change}, refusal{code: "invalid_id_token", exchanges: 1, again: refusedPage}
			if tt.where == userinfo {
				fault, want = agentconnecttest.Tamper{Userinfo: change}, refusal{code: "invalid_userinfo", exchanges: 1, userinfos: 1, again: refusedPage}
			}
			a.provider.Inject(fault)
			defer a.provider.Clear()
			b := a.browser()
			callback := b.callback("/login?return_to=/dossiers/7", "karim")
			if tt.refuse {
				b.refused(want, func() page { return b.navigate(callback.String()) })
				return
			}
			b.expectLogin(callback, "karim", "/dossiers/7")
		})
	}
}

// JSON in a type that says something else is not taken for a document.
func TestThreatDocumentType(t *testing.T) {
	t.Parallel()
	for _, endpoint := range []agentconnecttest.Endpoint{agentconnecttest.Discovery, agentconnecttest.JWKS} {
		t.Run(string(endpoint), func(t *testing.T) {
			t.Parallel()
			a := newApp(t)
			a.provider.Inject(agentconnecttest.Tamper{Endpoint: endpoint, Answer: func(answer *agentconnecttest.Answer) {
				answer.Header.Set("Content-Type", "text/html; charset=utf-8")
			}})
			b := a.browser()
			if endpoint == agentconnecttest.Discovery {
				b.refused(refusal{code: "provider_answer", again: "/login"}, func() page { return b.navigate("/login") })
				return
			}
			callback := b.callback("/login?return_to=/dossiers/7", "karim")
			b.refused(refusal{code: "provider_answer", exchanges: 1, again: refusedPage}, func() page { return b.navigate(callback.String()) })
		})
	}
}

// An RSA key of less than 2048 bits (RFC 7518 section 3.3) is not used.
func TestThreatWeakKey(t *testing.T) {
	t.Parallel()
	for _, bits := range []int{1024, 2048} {
		private, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		a := newApp(t)
		key := agentconnecttest.Key{ID: "weak", Alg: "RS256", Private: private}
		a.provider.PublishKey(key)
		a.provider.SignWith(key)
		b := a.browser()
		callback := b.callback("/login?return_to=/dossiers/7", "karim")
		if bits == 2048 {
			b.expectLogin(callback, "karim", "/dossiers/7")
			continue
		}
		b.refused(refusal{code: "invalid_id_token", exchanges: 1, again: refusedPage}, func() page { return b.navigate(callback.String()) })
	}
}

// Clocks may be a minute apart, and no more, for exp, iat and nbf.
func TestThreatClockTolerance(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	for _, tt := range []struct {
		claim  string
		at     time.Duration
		refuse bool
	}{
		{"exp", -59 * time.Second, false},
		{"exp", -61 * time.Second, true},
		{"iat", 59 * time.Second, false},
		{"iat", 62 * time.Second, true},
		{"nbf", 59 * time.Second, false},
		{"nbf", 62 * time.Second, true},
	} {
		for _, where := range []string{"ID token", "userinfo"} {
			t.Run(where+" "+tt.claim+" "+tt.at.String(), func(t *testing.T) {
				a := a.in(t)
				b := a.browser()
				change := func(token *agentconnecttest.JWT) { token.Claims.Set(tt.claim, token.Now.Add(tt.at).Unix()) }
				fault, want := agentconnecttest.Tamper{IDToken: change}, refusal{code: "invalid_id_token", exchanges: 1, again: refusedPage}
				if where == "userinfo" {
					fault, want = agentconnecttest.Tamper{Userinfo: change}, refusal{code: "invalid_userinfo", exchanges: 1, userinfos: 1, again: refusedPage}
				}
				a.provider.Inject(fault)
				defer a.provider.Clear()
				callback := b.callback("/login?return_to=/dossiers/7", "karim")
				if tt.refuse {
					b.refused(want, func() page { return b.navigate(callback.String()) })
					return
				}
				b.expectLogin(callback, "karim", "/dossiers/7")
			})
		}
	}
}

// A claim that only differs by case from one that is read is refused, in the ID
// token, in the userinfo, signed or not, and in the answer of the token endpoint.
func TestThreatAmbiguousJSON(t *testing.T) {
	t.Parallel()
	for _, alg := range []agentconnect.Alg{agentconnect.RS256, agentconnect.Unsigned} {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			a := newAppWith(t, []agentconnecttest.ServerOption{agentconnecttest.WithAlgorithms("RS256", string(alg))}, agentconnect.WithUserinfoAlg(alg))
			for _, name := range []string{"EMAIL", "Siret", "Roles", "Custom", "IDP_ID", "uſual_name", "\u212aey", "Chorusdt:Matricule"} {
				for _, repeated := range []string{"", "email"} {
					t.Run(name+repeated, func(t *testing.T) {
						a := a.in(t)
						b := a.browser()
						a.provider.Inject(agentconnecttest.Tamper{Userinfo: func(token *agentconnecttest.JWT) {
							token.Claims.Add(name, "x")
							if repeated != "" {
								token.Claims.Add("custom", agentconnecttest.Members{{Name: "a", Value: 1}, {Name: "a", Value: 2}})
							}
						}})
						defer a.provider.Clear()
						callback := b.callback("/login?return_to=/dossiers/7", "karim")
						if name == "\u212aey" && repeated == "" { // "key" is none of ours
							b.expectLogin(callback, "karim", "/dossiers/7")
							return
						}
						b.refused(refusal{code: "invalid_userinfo", exchanges: 1, userinfos: 1, again: refusedPage}, func() page { return b.navigate(callback.String()) })
					})
				}
			}
		})
	}
}

// A login signed with a key that was published a moment ago succeeds, and the
// next rotations too.
func TestThreatRotation(t *testing.T) {
	t.Parallel()
	for _, alg := range []agentconnect.Alg{agentconnect.RS256, agentconnect.ES256} {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			a := newAppWith(t, []agentconnecttest.ServerOption{agentconnecttest.WithAlgorithms(string(alg), string(alg))}, agentconnect.WithIDTokenAlg(alg))
			for rotation := range 4 {
				b := a.browser()
				callback := b.callback("/login?return_to=/dossiers/7", "karim")
				if rotation > 0 {
					for _, former := range a.provider.RotateKeys() {
						a.provider.WithdrawKey(former.ID)
					}
				}
				b.expectLogin(callback, "karim", "/dossiers/7")
			}
			if got := a.provider.Requests(agentconnecttest.JWKS); got != 4 {
				t.Errorf("reads of the keys: got %d, want one for each set", got)
			}
		})
	}
}

// Keys that rotate between the ID token and the userinfo, both of which are
// signed with the newest.
func TestThreatRotationInFlight(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.browser().login("/dossiers", "marie")
	b := a.browser()
	callback := b.callback("/login?return_to=/dossiers/7", "karim")
	var rotate sync.Once
	a.provider.Inject(agentconnecttest.Tamper{Endpoint: agentconnecttest.Token, Answer: func(*agentconnecttest.Answer) {
		rotate.Do(func() { a.provider.RotateKeys() })
	}})
	b.expectLogin(callback, "karim", "/dossiers/7")
}

// Keys that rotate while a read of the set of before is under way, which a login
// with the newest joins: it reads once more.
func TestThreatRotationDuringARead(t *testing.T) { // not parallel: it looks at all goroutines
	a := newApp(t)
	a.browser().login("/dossiers", "marie")
	first, second := a.browser(), a.browser()
	callbacks := []*url.URL{first.callback("/login", "karim"), second.callback("/login", "karim")}
	reading, answer := make(chan struct{}), make(chan struct{})
	letGo := sync.OnceFunc(func() { close(answer) })
	defer letGo()
	var once sync.Once
	a.provider.Inject(agentconnecttest.Tamper{Endpoint: agentconnecttest.JWKS, Answer: func(*agentconnecttest.Answer) {
		once.Do(func() { close(reading); <-answer }) // with the keys of now
	}})
	var ended sync.WaitGroup
	end := func(b *browser, callback *url.URL) {
		ended.Go(func() {
			if p := b.navigate(callback.String()); p.StatusCode != http.StatusSeeOther {
				t.Errorf("got status %d, want 303", p.StatusCode)
			}
		})
	}
	a.provider.RotateKeys()
	end(first, callbacks[0])
	<-reading
	a.provider.RotateKeys()
	end(second, callbacks[1])
	a.eventually("two logins that wait for one read of the keys", func() bool {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		return bytes.Count(stacks, []byte("provider.(*keySet).verify(")) == 2
	})
	letGo()
	ended.Wait()
}

// Keys rotate while many agents log in: everybody gets in.
func TestThreatRotationUnderLoad(t *testing.T) {
	t.Parallel()
	a := newAppWith(t, []agentconnecttest.ServerOption{agentconnecttest.WithAlgorithms("ES256", "ES256")}, agentconnect.WithIDTokenAlg(agentconnect.ES256))
	a.browser().login("/dossiers", "marie")
	logins := make([]*browser, 40)
	callbacks := make([]*url.URL, len(logins))
	for i := range logins {
		logins[i] = a.browser()
		callbacks[i] = logins[i].callback("/login", "karim")
	}
	var ended sync.WaitGroup
	for i, b := range logins {
		if i == 10 || i == 25 {
			a.provider.RotateKeys()
		}
		ended.Go(func() {
			if p := b.navigate(callbacks[i].String()); p.StatusCode != http.StatusSeeOther {
				t.Errorf("login %d: got status %d, want 303; %.500s", i, p.StatusCode, p.body)
			}
		})
	}
	ended.Wait()
	if got := a.provider.Requests(agentconnecttest.JWKS); got > 4 {
		t.Errorf("reads of the keys: got %d, want a handful", got)
	}
}

// Logins with invented kids cost a handful of fetches. Afterwards a real rotation still
// succeeds as soon as the bucket has a token.
func TestThreatInventedKeys(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	for range 3 {
		a.browser().login("/dossiers", "marie")
	}
	if got := a.provider.Requests(agentconnecttest.JWKS); got != 1 {
		t.Errorf("reads of the keys for three logins: got %d, want 1", got)
	}
	a.provider.Inject(agentconnecttest.Fault("id-token-invented-kid"))
	for i := range 10 {
		b := a.browser()
		callback := b.callback("/login?return_to=/dossiers/7", "karim")
		b.refused(refusal{code: "invalid_id_token", exchanges: 1, again: refusedPage}, func() page { return b.navigate(callback.String()) })
		if got, want := a.provider.Requests(agentconnecttest.JWKS), min(i+2, 5); got != want {
			t.Errorf("reads of the keys after %d invented kids: got %d, want %d", i+1, got, want)
		}
	}
	// More invented kids do not keep the bucket empty.
	a.clock.advance(40 * time.Second)
	b := a.browser()
	callback := b.callback("/login?return_to=/dossiers/7", "karim")
	b.refused(refusal{code: "invalid_id_token", exchanges: 1, again: refusedPage}, func() page { return b.navigate(callback.String()) })
	a.provider.Clear()
	a.provider.RotateKeys()
	a.clock.advance(40 * time.Second)
	b = a.browser()
	b.expectLogin(b.callback("/login?return_to=/dossiers/7", "karim"), "karim", "/dossiers/7")
	reads := a.provider.Requests(agentconnecttest.JWKS)
	a.provider.Inject(agentconnecttest.Fault("id-token-invented-kid"))
	for range 5 { // what the minute brought is spent
		b := a.browser()
		callback := b.callback("/login?return_to=/dossiers/7", "karim")
		b.refused(refusal{code: "invalid_id_token", exchanges: 1, again: refusedPage}, func() page { return b.navigate(callback.String()) })
	}
	if got := a.provider.Requests(agentconnecttest.JWKS) - reads; got != 0 {
		t.Errorf("more reads of the keys: got %d, want 0", got)
	}
}

// A key that was withdrawn stops being trusted within its time to live.
func TestThreatWithdrawnKey(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.browser().login("/dossiers", "marie")
	key, _ := a.provider.SigningKey("RS256")
	a.provider.WithdrawKey(key.ID) // and whoever stole it goes on signing
	b := a.browser()
	b.expectLogin(b.callback("/login?return_to=/dossiers/7", "karim"), "karim", "/dossiers/7")
	a.clock.advance(10*time.Minute + time.Second)
	b = a.browser()
	callback := b.callback("/login?return_to=/dossiers/7", "karim")
	b.refused(refusal{code: "invalid_id_token", exchanges: 1, again: refusedPage}, func() page { return b.navigate(callback.String()) })
}

// A failing key endpoint leaves the last good keys in use, for an hour.
func TestThreatStaleKeys(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.browser().login("/dossiers", "marie")
	a.provider.Inject(agentconnecttest.Fault("keys-error-500"))
	for range 5 {
		a.clock.advance(11 * time.Minute)
		b := a.browser()
		b.expectLogin(b.callback("/login?return_to=/dossiers/7", "karim"), "karim", "/dossiers/7")
	}
	a.clock.advance(6 * time.Minute)
	b := a.browser()
	callback := b.callback("/login?return_to=/dossiers/7", "karim")
	b.refused(refusal{code: "provider_answer", exchanges: 1, again: refusedPage}, func() page { return b.navigate(callback.String()) })
	a.provider.Clear()
	a.clock.advance(time.Minute)
	b = a.browser()
	b.expectLogin(b.callback("/login?return_to=/dossiers/7", "karim"), "karim", "/dossiers/7")
}

// A token without kid may match the one fitting key; when two fit, it is refused
// rather than tried with each.
func TestThreatTokenWithoutKID(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.provider.Inject(agentconnecttest.Fault("id-token-no-kid"))
	b := a.browser()
	b.expectLogin(b.callback("/login?return_to=/dossiers/7", "karim"), "karim", "/dossiers/7")

	a.provider.PublishKey(a.provider.NewKey("RS256"))
	a.clock.advance(11 * time.Minute)
	b = a.browser()
	callback := b.callback("/login?return_to=/dossiers/7", "karim")
	b.refused(refusal{code: "invalid_id_token", exchanges: 1, again: refusedPage}, func() page { return b.navigate(callback.String()) })
}

// Keys of other types, and of other curves, do not make a token without kid
// ambiguous, though nothing but their type says what they are for.
func TestThreatTokenWithoutKIDAmongOtherKeys(t *testing.T) {
	t.Parallel()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	others := map[agentconnect.Alg][]any{agentconnect.RS256: {}, agentconnect.ES256: {rsaKey.Public()}}
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		others[agentconnect.RS256] = append(others[agentconnect.RS256], key.Public())
		if curve != elliptic.P256() {
			others[agentconnect.ES256] = append(others[agentconnect.ES256], key.Public())
		}
	}
	for alg, keys := range others {
		a := newAppWith(t, []agentconnecttest.ServerOption{agentconnecttest.WithAlgorithms(string(alg), string(alg))}, agentconnect.WithIDTokenAlg(alg))
		signing, _ := a.provider.SigningKey(string(alg))
		set := []any{signing.JWK()}
		for _, key := range keys {
			set = append(set, jose.JSONWebKey{Key: key})
		}
		body, err := json.Marshal(map[string]any{"keys": set})
		if err != nil {
			t.Fatal(err)
		}
		a.provider.SetJWKS(body)
		a.provider.Inject(agentconnecttest.Fault("id-token-no-kid"))
		b := a.browser()
		b.expectLogin(b.callback("/login?return_to=/dossiers/7", "karim"), "karim", "/dossiers/7")
	}
}

// A key is used for its own algorithm alone, and RSA keys of less than 2048 bits
// not at all.
func TestThreatKeyFitsAlgorithm(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change map[string]any
		refuse bool
	}{
		{"as published", nil, false},
		{"neither use nor alg", map[string]any{"use": nil, "alg": nil}, false},
		{"key_ops verify", map[string]any{"use": nil, "key_ops": []string{"verify"}}, false},
		{"use enc", map[string]any{"use": "enc"}, true},
		{"key_ops that is no list", map[string]any{"use": nil, "key_ops": "verify"}, true},
		{"key_ops encrypt", map[string]any{"use": nil, "key_ops": []string{"encrypt", "wrapKey"}}, true},
		{"alg PS256", map[string]any{"alg": "PS256"}, true},
		{"alg RSA-OAEP", map[string]any{"alg": "RSA-OAEP"}, true},
		{"alg ES256", map[string]any{"alg": "ES256"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t)
			key, _ := a.provider.SigningKey("RS256")
			var jwk map[string]any
			if err := json.Unmarshal(key.JWK(), &jwk); err != nil {
				t.Fatal(err)
			}
			for name, value := range tt.change {
				jwk[name] = value
				if value == nil {
					delete(jwk, name)
				}
			}
			set, err := json.Marshal(map[string]any{"keys": []any{jwk}})
			if err != nil {
				t.Fatal(err)
			}
			a.provider.SetJWKS(set)
			b := a.browser()
			callback := b.callback("/login?return_to=/dossiers/7", "karim")
			if tt.refuse {
				b.refused(refusal{code: "invalid_id_token", exchanges: 1, again: refusedPage}, func() page { return b.navigate(callback.String()) })
				return
			}
			b.expectLogin(callback, "karim", "/dossiers/7")
		})
	}
}

// An algorithm next to the registered one, with the very same key, is refused.
func TestThreatNeighbourAlgorithms(t *testing.T) {
	t.Parallel()
	for registered, neighbours := range map[agentconnect.Alg][]jose.SignatureAlgorithm{
		agentconnect.RS256: {jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS512},
		agentconnect.HS256: {jose.HS256, jose.HS384, jose.HS512},
	} {
		a := newAppWith(t, []agentconnecttest.ServerOption{agentconnecttest.WithAlgorithms(string(registered), string(registered))}, agentconnect.WithIDTokenAlg(registered))
		a.provider.Inject(agentconnecttest.Fault("keys-bare-keys")) // so that only the token says which algorithm
		for _, alg := range neighbours {
			for _, where := range []string{"ID token", "userinfo"} {
				t.Run(where+" "+string(alg), func(t *testing.T) {
					a := a.in(t)
					resign := func(token *agentconnecttest.JWT) {
						kid, _ := token.Header.Get("kid").(string)
						signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: token.Key, KeyID: kid}}, nil)
						if err != nil {
							t.Error(err)
							return
						}
						token.Serialize = func(compact string) string {
							payload, err := base64.RawURLEncoding.DecodeString(strings.Split(compact, ".")[1])
							if err != nil {
								t.Error(err)
							}
							signed, err := signer.Sign(payload)
							if err != nil {
								t.Error(err)
							}
							resigned, err := signed.CompactSerialize()
							if err != nil {
								t.Error(err)
							}
							return resigned
						}
					}
					fault, want := agentconnecttest.Tamper{IDToken: resign}, refusal{code: "invalid_id_token", exchanges: 1, again: refusedPage}
					if where == "userinfo" {
						fault, want = agentconnecttest.Tamper{Userinfo: resign}, refusal{code: "invalid_userinfo", exchanges: 1, userinfos: 1, again: refusedPage}
					}
					b := a.browser()
					a.provider.Inject(fault)
					defer func() { a.provider.Clear(); a.provider.Inject(agentconnecttest.Fault("keys-bare-keys")) }()
					callback := b.callback("/login?return_to=/dossiers/7", "karim")
					if string(alg) == string(registered) {
						b.expectLogin(callback, "karim", "/dossiers/7")
						return
					}
					b.refused(want, func() page { return b.navigate(callback.String()) })
				})
			}
		}
	}
}

// One attempt: the code is sent once, with the credentials in the body, and to
// no other address, whatever the token endpoint answers.
func TestThreatOneAttempt(t *testing.T) {
	t.Parallel()
	for _, fault := range []agentconnecttest.Fault{
		agentconnecttest.Fault("token-error-500"), agentconnecttest.Fault("token-invalid-client"), agentconnecttest.Fault("token-reset"), agentconnecttest.Fault("token-redirect"), agentconnecttest.Fault("token-permanent-redirect"), agentconnecttest.Fault("token-empty"),
	} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			a := newApp(t)
			b := a.browser()
			callback := b.callback("/login", "karim")
			a.provider.Inject(fault)
			p := b.navigate(callback.String())
			if p.StatusCode < 400 {
				t.Errorf("got status %d, want a refusal", p.StatusCode)
			}
			// And the page that was refused, again: the browser's reload button.
			again := b.navigate(callback.String())
			if again.StatusCode != http.StatusBadRequest {
				t.Errorf("reloaded: got status %d, want 400", again.StatusCode)
			}
			if exchanges, _ := a.calls(); exchanges != 1 {
				t.Errorf("calls to the token endpoint: got %d, want 1", exchanges)
			}
			if got := a.provider.Requests(agentconnecttest.Elsewhere); got != 0 {
				t.Errorf("redirects followed: got %d, want 0", got)
			}
		})
	}
}

// New and NewResourceServer do not mind that an application replaced
// http.DefaultTransport, and logins go through the replacement.
func TestThreatDefaultTransportReplaced(t *testing.T) { // not parallel: it changes http.DefaultTransport
	standard := http.DefaultTransport
	defer func() { http.DefaultTransport = standard }()
	http.DefaultTransport = roundTripperFunc(func(r *http.Request) (*http.Response, error) { return standard.RoundTrip(r) })
	a := newApp(t)
	b := a.browser()
	b.expectLogin(b.callback("/login?return_to=/dossiers/7", "karim"), "karim", "/dossiers/7")
	newApp(t, agentconnect.WithHTTPClient(&http.Client{Transport: standard}))
}

// A transport of the application's that panics in the middle of a login hurts that
// login alone.
func TestThreatTransportPanics(t *testing.T) {
	t.Parallel()
	var panics atomic.Bool
	panics.Store(true)
	a := newApp(t, agentconnect.WithHTTPClient(&http.Client{Transport: roundTripperFunc(func(r *http.Request) (*http.Response, error) {
		if panics.Load() {
			panic("in a transport")
		}
		return http.DefaultTransport.RoundTrip(r)
	})}))
	b := a.browser()
	b.refused(refusal{code: agentconnect.CodeInternal, again: "/login"}, func() page { return b.navigate("/login") })
	panics.Store(false)
	a.clock.advance(10 * time.Second)
	callback := b.callback("/login?return_to=/dossiers/7", "karim")
	panics.Store(true)
	b.refused(refusal{code: agentconnect.CodeInternal, again: refusedPage}, func() page { return b.navigate(callback.String()) })
}
