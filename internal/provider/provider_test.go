package provider

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	testClient = "client"
	testSecret = "a-secret-of-the-tests-of-more-than-thirty-two-bytes"
	testSub    = "sub-of-somebody"
	testNonce  = "0123456789012345678901234567890123456789abc"
)

func testTime() time.Time { return time.Unix(1_790_000_000, 0) }

// A fake is a provider whose answers a test can change.
type fake struct {
	*httptest.Server
	key    *rsa.PrivateKey
	logs   *lockedBuilder
	config Config

	mu       sync.Mutex
	handlers map[string]http.HandlerFunc
	requests map[string]int
	clock    time.Time
}

// signingKey is made once, because making one takes long.
var signingKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// newFake starts a provider on a loopback address.
func newFake(t testing.TB) *fake {
	t.Helper()
	f := &fake{key: signingKey(), logs: &lockedBuilder{}, handlers: map[string]http.HandlerFunc{}, requests: map[string]int{}, clock: testTime()}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	f.config = Config{
		Issuer: f.URL, ClientID: testClient, ClientSecret: testSecret,
		RedirectURL: "https://app.example/callback", PostLogoutRedirectURL: "https://app.example/out", Scopes: []string{"openid"},
		IDTokenAlg: jose.RS256, UserinfoAlg: jose.RS256,
		Logger: slog.New(slog.NewTextHandler(f.logs, nil)),
		Now:    f.now,
	}
	f.handle("/.well-known/openid-configuration", f.sendJSON(f.document()))
	f.handle("/jwks", f.sendJSON(map[string]any{"keys": []any{f.jwk("current")}}))
	return f
}

func (f *fake) document() map[string]any {
	return map[string]any{
		"issuer": f.URL, "authorization_endpoint": f.URL + "/authorize", "token_endpoint": f.URL + "/token", "userinfo_endpoint": f.URL + "/userinfo",
		"jwks_uri": f.URL + "/jwks", "end_session_endpoint": f.URL + "/end", "introspection_endpoint": f.URL + "/introspect", "revocation_endpoint": f.URL + "/revoke",
	}
}

func (f *fake) jwk(kid string) jose.JSONWebKey {
	return jose.JSONWebKey{Key: &f.key.PublicKey, KeyID: kid, Use: "sig", Algorithm: "RS256"}
}

func (f *fake) now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.clock
}

func (f *fake) advance(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clock = f.clock.Add(d)
}

// handle changes what a path answers.
func (f *fake) handle(path string, h http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.handlers[path] = h
}

// count returns how often a path was asked for.
func (f *fake) count(path string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.requests[path]
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.requests[r.URL.Path]++
	h := f.handlers[r.URL.Path]
	f.mu.Unlock()
	if h == nil {
		http.NotFound(w, r)
		return
	}
	h(w, r)
}

// sendJSON answers a value as JSON.
func (f *fake) sendJSON(v any) http.HandlerFunc {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return send(http.StatusOK, "application/json", string(body))
}

// send answers a body.
func send(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = []string{contentType}
		w.WriteHeader(status)
		w.Write([]byte(body))
	}
}

// sign signs a payload with the provider's key.
func (f *fake) sign(t testing.TB, payload string, header map[jose.HeaderKey]any) string {
	t.Helper()
	options := &jose.SignerOptions{ExtraHeaders: header}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: f.key, KeyID: "current"}}, options)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := signer.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	token, err := signature.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// claims returns the payload of a good ID token, with members changed: one that is
// nil is left out.
func (f *fake) claims(t testing.TB, changes map[string]any) string {
	t.Helper()
	now := testTime().Unix()
	all := map[string]any{"iss": f.config.Issuer, "aud": testClient, "sub": testSub, "iat": now, "exp": now + 60, "nonce": testNonce}
	for name, value := range changes {
		all[name] = value
		if value == nil {
			delete(all, name)
		}
	}
	payload, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(payload)
}

// lockedBuilder is a strings.Builder for several goroutines.
type lockedBuilder struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuilder) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuilder) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// offline returns a Provider that reaches nobody and verifies HS256.
func offline(userinfo jose.SignatureAlgorithm) *Provider {
	return New(Config{
		Issuer: "https://provider.example/api/v2", ClientID: testClient, ClientSecret: testSecret, IDTokenAlg: jose.HS256, UserinfoAlg: userinfo,
		Client: &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) { return nil, errors.New("no network here") })},
		Logger: slog.New(slog.DiscardHandler), Now: testTime,
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// signHS256 returns a payload as a JWT of the client.
func signHS256(payload []byte) string {
	input := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256"}`)) + "." + base64.RawURLEncoding.EncodeToString(payload)
	mac := hmac.New(sha256.New, []byte(testSecret))
	mac.Write([]byte(input))
	return input + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// asFailure returns the Failure that an error must be.
func asFailure(t testing.TB, err error) *Failure {
	t.Helper()
	f, ok := err.(*Failure)
	if !ok {
		t.Fatalf("got the error %v of type %T, want a *Failure", err, err)
	}
	return f
}

// The keys are read once. A token with a key that is not among them causes one more
// read, and is good if the key was published meanwhile.
func TestRotatedKey(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.handle("/jwks", f.sendJSON(map[string]any{"keys": []any{f.jwk("former")}}))
	p := New(f.config)
	verify := func(header map[jose.HeaderKey]any, good bool, reads int) {
		t.Helper()
		_, err := p.verifyIDToken(t.Context(), f.sign(t, f.claims(t, nil), header), testNonce, "access")
		if got := f.count("/jwks"); (err == nil) != good || got != reads {
			t.Errorf("got %v after %d reads of the keys, want a good token: %t, after %d", err, got, good, reads)
		}
	}
	former := map[jose.HeaderKey]any{"kid": "former"}
	for range 3 {
		verify(former, true, 1)
	}
	verify(nil, false, 2)
	f.handle("/jwks", f.sendJSON(map[string]any{"keys": []any{f.jwk("current")}}))
	verify(nil, true, 3)
	verify(nil, true, 3)
}

// A thousand tokens with invented kids cost a handful of reads of the keys, and what
// a minute brings is spent once.
func TestInventedKeys(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	p := New(f.config)
	if _, err := p.verifyIDToken(t.Context(), f.sign(t, f.claims(t, nil), nil), testNonce, "access"); err != nil {
		t.Fatalf("a good ID token: %v", err)
	}
	invent := func(n int) {
		t.Helper()
		for range n {
			header := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"alg":"RS256","kid":%q}`, rand.Text()))
			token := header + "." + base64.RawURLEncoding.EncodeToString([]byte(f.claims(t, nil))) + "." + strings.Repeat("A", 342)
			if _, err := p.verifyIDToken(t.Context(), token, testNonce, "access"); err == nil {
				t.Fatal("a token without a signature was accepted")
			}
		}
	}
	for round, want := range []int{5, 6, 7} {
		invent(1000)
		if got := f.count("/jwks"); got != want {
			t.Errorf("round %d: got %d reads of the keys, want %d", round, got, want)
		}
		f.advance(keyReadPeriod)
	}
}

// Calls are bounded in time, also if the application's client is not.
func TestCallTimeout(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		client *http.Client
		want   time.Duration
	}{{nil, callTimeout}, {&http.Client{}, callTimeout}, {&http.Client{Timeout: time.Minute}, time.Minute}} {
		if got := newBackChannel(tt.client).timeout; got != tt.want {
			t.Errorf("%+v: got %v, want %v", tt.client, got, tt.want)
		}
	}
}
