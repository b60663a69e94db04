package resourceserver_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/agentconnecttest"
	"github.com/agentconnect-go/agentconnect/resourceserver"
)

const (
	apiID     = "api"
	apiSecret = "the-secret-of-the-api-which-is-a-client-of-its-own"
)

// An api is a resource server on a real server, with a provider of its own at
// which the service "client-id" is registered.
type api struct {
	t        *testing.T
	provider *agentconnecttest.Server
	rs       *resourceserver.Server
	url      string
	clock    *clock
	logs     *logs
	handled  atomic.Int32 // calls that reached a handler
}

// newAPI starts an API whose answers about tokens are signed with alg; opts come
// after the harness's own options.
func newAPI(t *testing.T, alg agentconnect.Alg, opts ...resourceserver.Option) *api {
	t.Helper()
	a := &api{t: t, clock: newClock(), logs: &logs{}}
	a.provider = agentconnecttest.NewServer(t, agentconnecttest.WithClock(a.clock.Now))
	a.provider.AddClient(agentconnecttest.Client{ID: apiID, Secret: apiSecret, IntrospectionAlg: string(alg)})
	rs, err := resourceserver.New(append([]resourceserver.Option{
		resourceserver.WithIssuer(a.provider.Issuer),
		resourceserver.WithClient(apiID, apiSecret),
		resourceserver.WithAllowedClients("another-service", a.provider.Client.ID),
		resourceserver.WithIntrospectionAlg(alg),
		resourceserver.WithLogger(a.logs.logger()),
		resourceserver.WithClock(a.clock.Now),
	}, opts...)...)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	a.rs = rs
	mux := http.NewServeMux()
	mux.Handle("/", rs.RequireToken(http.HandlerFunc(a.serve)))
	mux.Handle("/siret", rs.RequireScopes("siret", "email")(http.HandlerFunc(a.serve)))
	mux.Handle("/nested", rs.RequireToken(rs.RequireScopes("siret")(http.HandlerFunc(a.serve))))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	a.url = server.URL
	return a
}

// serve answers what is known of the token.
func (a *api) serve(w http.ResponseWriter, r *http.Request) {
	a.handled.Add(1)
	token, ok := resourceserver.TokenFrom(r.Context())
	if !ok {
		http.Error(w, "no token", http.StatusTeapot)
		return
	}
	json.NewEncoder(w).Encode(token)
}

// token issues an access token to a client for the agent marie.
func (a *api) token(client string, scopes ...string) agentconnecttest.Issued {
	a.t.Helper()
	issued, err := a.provider.IssueTokens(client, "marie", scopes...)
	if err != nil {
		a.t.Fatal(err)
	}
	return issued
}

// call sends a request with the values of the header Authorization.
func (a *api) call(target string, authorization ...string) page {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), http.MethodGet, a.url+target, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header["Authorization"] = authorization
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return page{resp, string(body)}
}

// introspections returns how often the provider was asked about a token.
func (a *api) introspections() int { return a.provider.Requests(agentconnecttest.Introspection) }

// wantRefused checks a refusal, its challenge, and that no handler ran.
func (a *api) wantRefused(p page, status int, code agentconnect.Code) {
	a.t.Helper()
	if p.StatusCode != status || p.problem() != string(code) {
		a.t.Errorf("got status %d, %s, want %d and a problem %s", p.StatusCode, p.body, status, code)
	}
	if got := a.handled.Load(); got != 0 {
		a.t.Errorf("handler: got %d calls, want 0", got)
	}
	if got := p.Header.Get("Cache-Control"); got != "no-store" {
		a.t.Errorf("got Cache-Control %q, want no-store", got)
	}
	challenge := p.Header.Get("WWW-Authenticate")
	switch {
	case code == agentconnect.CodeUnauthenticated:
		if want := fmt.Sprintf("Bearer realm=%q", a.provider.Issuer); challenge != want {
			a.t.Errorf("got WWW-Authenticate %q, want %q", challenge, want)
		}
	case status >= 500:
		if there := p.Header["Www-Authenticate"]; there != nil {
			a.t.Errorf("got WWW-Authenticate %q, want none: another token would not help", there)
		}
	default:
		if want := fmt.Sprintf("Bearer realm=%q, error=%q, error_description=", a.provider.Issuer, code); !strings.HasPrefix(challenge, want) {
			a.t.Errorf("got WWW-Authenticate %q, want %s…", challenge, want)
		}
	}
	if got, want := p.Header.Get("Retry-After") != "", status == 503; got != want {
		a.t.Errorf("got Retry-After %q with status %d, want one: %v", p.Header.Get("Retry-After"), status, want)
	}
}

func signedAndPlain() []agentconnect.Alg {
	return []agentconnect.Alg{agentconnect.Unsigned, agentconnect.RS256, agentconnect.ES256, agentconnect.HS256}
}

func TestResourceServer(t *testing.T) {
	t.Parallel()
	for _, alg := range signedAndPlain() {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, alg)
			token := a.token(a.provider.Client.ID, "openid", "siret", "email")
			p := a.call("/", "Bearer "+token.AccessToken)
			if p.StatusCode != http.StatusOK {
				t.Fatalf("got status %d, %s, want 200", p.StatusCode, p.body)
			}
			var got resourceserver.Token
			if err := json.Unmarshal([]byte(p.body), &got); err != nil {
				t.Fatal(err)
			}
			now := a.clock.Now().Truncate(time.Second)
			if got.Sub != token.Sub || got.ClientID != a.provider.Client.ID || !slices.Equal(got.Scopes, []string{"openid", "siret", "email"}) ||
				!got.IssuedAt.Equal(now) || !got.ExpiresAt.Equal(now.Add(time.Hour)) {
				t.Errorf("got %s, want the token's sub %s, client, scopes and times", p.body, token.Sub)
			}
			if vary, cache := p.Header.Get("Vary"), p.Header.Get("Cache-Control"); vary != "Authorization" || cache != "no-store" {
				t.Errorf("got Vary %q, Cache-Control %q, want Authorization, no-store", vary, cache)
			}

			asked := a.provider.Received(agentconnecttest.Introspection)
			if len(asked) != 1 {
				t.Fatalf("introspection: got %d requests, want 1", len(asked))
			}
			want := url.Values{"token": {token.AccessToken}, "token_type_hint": {"access_token"}, "client_id": {apiID}, "client_secret": {apiSecret}}
			if got := asked[0].PostForm.Encode(); got != want.Encode() || asked[0].URL.RawQuery != "" || asked[0].Header.Get("Authorization") != "" {
				t.Errorf("introspection: got %s, query %q, want everything in the body: %s", got, asked[0].URL.RawQuery, want.Encode())
			}
			accept := "application/token-introspection+jwt"
			if alg == agentconnect.Unsigned {
				accept = "application/json"
			}
			if got := asked[0].Header.Get("Accept"); got != accept {
				t.Errorf("introspection: got Accept %q, want %q", got, accept)
			}
		})
	}
}

// The token is that of one well-formed Authorization header; nothing else makes
// anybody ask the provider.
func TestBearerToken(t *testing.T) {
	t.Parallel()
	a := newAPI(t, agentconnect.Unsigned)
	token := a.token(a.provider.Client.ID).AccessToken
	for _, tt := range []struct {
		name          string
		target        string
		authorization []string
		status        int
		code          agentconnect.Code
	}{
		{"none", "/", nil, 401, agentconnect.CodeUnauthenticated},
		{"empty", "/", []string{""}, 401, agentconnect.CodeUnauthenticated},
		{"another scheme", "/", []string{"Basic YTpi"}, 401, agentconnect.CodeUnauthenticated},
		{"the token without scheme", "/", []string{token}, 401, agentconnect.CodeUnauthenticated},
		{"a scheme that begins like ours", "/", []string{"BearerToken " + token}, 401, agentconnect.CodeUnauthenticated},
		{"in the query alone", "/?access_token=" + token, nil, 401, agentconnect.CodeUnauthenticated},
		{"in the query too", "/?access_token=" + token, []string{"Bearer " + token}, 400, "invalid_request"},
		{"in the query too, escaped", "/?access%5Ftoken=x", []string{"Bearer " + token}, 400, "invalid_request"},
		{"header repeated", "/", []string{"Bearer " + token, "Bearer " + token}, 400, "invalid_request"},
		{"header repeated, one empty", "/", []string{"Bearer " + token, ""}, 400, "invalid_request"},
		{"headers joined by a proxy", "/", []string{"Bearer " + token + ", Bearer " + token}, 400, "invalid_request"},
		{"no token", "/", []string{"Bearer"}, 400, "invalid_request"},
		{"spaces for a token", "/", []string{"Bearer  "}, 400, "invalid_request"},
		{"two tokens", "/", []string{"Bearer " + token + " " + token}, 400, "invalid_request"},
		{"a parameter", "/", []string{`Bearer token="` + token + `"`}, 400, "invalid_request"},
		{"only padding", "/", []string{"Bearer =="}, 400, "invalid_request"},
		{"not ASCII", "/", []string{"Bearer é"}, 400, "invalid_request"},
		{"a tabulation", "/", []string{"Bearer a\tb"}, 400, "invalid_request"},
		{"enormous", "/", []string{"Bearer " + strings.Repeat("a", 5000)}, 401, resourceserver.CodeInvalidToken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a.t = t
			a.wantRefused(a.call(tt.target, tt.authorization...), tt.status, tt.code)
		})
	}
	a.t = t
	if got := a.introspections(); got != 0 {
		t.Errorf("introspections: got %d, want 0", got)
	}
	for _, good := range []string{"Bearer " + token, "bearer " + token, "BEARER   " + token} {
		if p := a.call("/?x=access_token", good); p.StatusCode != http.StatusOK {
			t.Errorf("%.7s: got status %d, %s, want 200", good, p.StatusCode, p.body)
		}
	}
}

// Tokens that the provider knows, and that open nothing here.
func TestTokensThatAreNotAccepted(t *testing.T) {
	t.Parallel()
	introspection := func(name string, value any) agentconnecttest.Tamper {
		return agentconnecttest.Tamper{Introspection: func(j *agentconnecttest.JWT) { j.Claims.Set(name, value) }}
	}
	for _, tt := range []struct {
		name  string
		token func(a *api) string
	}{
		{"unknown", func(*api) string { return "unknown" }},
		{"unknown, of every kind of character", func(*api) string { return "aZ09-._~+/==" }},
		{"of a service that is not allowed", func(a *api) string {
			a.provider.AddClient(agentconnecttest.Client{ID: "stranger", Secret: "the secret of a service that this API does not know"})
			return a.token("stranger").AccessToken
		}},
		{"of the API itself, which is not in its list", func(a *api) string { return a.token(apiID).AccessToken }},
		{"a refresh token", func(a *api) string { return a.token(a.provider.Client.ID).RefreshToken }},
		{"expired", func(a *api) string {
			token := a.token(a.provider.Client.ID).AccessToken
			a.clock.advance(time.Hour + time.Second)
			return token
		}},
		{"not active, with everything else", func(a *api) string {
			a.provider.Inject(introspection("active", false))
			return a.token(a.provider.Client.ID).AccessToken
		}},
		{"bound to a key", func(a *api) string {
			a.provider.Inject(introspection("cnf", map[string]string{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}))
			return a.token(a.provider.Client.ID).AccessToken
		}},
		{"of the type DPoP", func(a *api) string {
			a.provider.Inject(introspection("token_type", "DPoP"))
			return a.token(a.provider.Client.ID).AccessToken
		}},
		{"not valid yet", func(a *api) string {
			a.provider.Inject(introspection("nbf", a.clock.Now().Add(5*time.Minute).Unix()))
			return a.token(a.provider.Client.ID).AccessToken
		}},
		{"with a sub that is too long", func(a *api) string {
			a.provider.Inject(introspection("sub", strings.Repeat("a", 256)))
			return a.token(a.provider.Client.ID).AccessToken
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, agentconnect.Unsigned)
			a.wantRefused(a.call("/", "Bearer "+tt.token(a)), 401, resourceserver.CodeInvalidToken)
		})
	}
}

// Whatever the provider does wrong, no call goes through, nothing secret is
// logged, and a token that was good is good again afterwards.
func TestResourceServerFaults(t *testing.T) {
	t.Parallel()
	for _, alg := range signedAndPlain() {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			for _, fault := range agentconnecttest.Faults() {
				switch fault.Endpoint {
				case agentconnecttest.Introspection, agentconnecttest.Discovery, agentconnecttest.JWKS:
				default:
					continue
				}
				if !fault.Refuse || !fault.Applies(string(alg)) || fault.Endpoint == agentconnecttest.JWKS && alg == agentconnect.Unsigned {
					continue
				}
				// What has nothing to do with signatures is tried with and without one.
				if fault.Applies("none") && alg != agentconnect.Unsigned && alg != agentconnect.RS256 {
					continue
				}
				t.Run(string(fault.Fault), func(t *testing.T) {
					t.Parallel()
					timeout := 10 * time.Second
					if fault.Slow {
						timeout = 200 * time.Millisecond
					}
					a := newAPI(t, alg, resourceserver.WithHTTPClient(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: timeout}))
					token := a.token(a.provider.Client.ID).AccessToken
					a.provider.Inject(fault.Fault)
					p := a.call("/", "Bearer "+token)
					if p.StatusCode == http.StatusUnauthorized {
						a.wantRefused(p, 401, resourceserver.CodeInvalidToken)
					} else {
						a.wantRefused(p, 503, agentconnect.Code(p.problem()))
						if !strings.HasPrefix(p.problem(), "provider_") {
							t.Errorf("got the problem %q, want provider_…", p.problem())
						}
					}
					a.wantNoSecrets()
					if fault.Slow {
						return // nobody knows how long a good answer takes on a busy machine
					}
					a.provider.Clear()
					a.clock.advance(time.Minute) // past the pause after a failure
					if p := a.call("/", "Bearer "+token); p.StatusCode != http.StatusOK {
						t.Errorf("without the fault: got status %d, %s, want 200", p.StatusCode, p.body)
					}
				})
			}
		})
	}
}

// wantNoSecrets searches the logs for what never belongs there.
func (a *api) wantNoSecrets() {
	a.t.Helper()
	logged := a.logs.String()
	for _, secret := range slices.Concat(a.provider.Secrets(), a.provider.PersonalData(), []string{apiSecret}) {
		if strings.Contains(logged, secret) {
			a.t.Errorf("the logs contain %q: %s", secret, logged)
		}
	}
}

// A token that the provider refuses is the caller's problem; that the provider
// does not answer, or not with what it should, is not.
func TestWhoseFaultARefusedTokenIs(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		fault  agentconnecttest.Fault
		alg    agentconnect.Alg
		status int
		code   agentconnect.Code
	}{
		{agentconnecttest.Fault("introspection-inactive"), agentconnect.RS256, 401, resourceserver.CodeInvalidToken},
		{agentconnecttest.Fault("introspection-expired"), agentconnect.RS256, 401, resourceserver.CodeInvalidToken},
		{agentconnecttest.Fault("introspection-other-client"), agentconnect.RS256, 401, resourceserver.CodeInvalidToken},
		{agentconnecttest.Fault("introspection-missing-client"), agentconnect.RS256, 401, resourceserver.CodeInvalidToken},
		{agentconnecttest.Fault("introspection-missing-sub"), agentconnect.RS256, 401, resourceserver.CodeInvalidToken},
		{agentconnecttest.Fault("introspection-active-text"), agentconnect.RS256, 503, "provider_answer"},
		{agentconnecttest.Fault("introspection-active-missing"), agentconnect.RS256, 503, "provider_answer"},
		{agentconnecttest.Fault("introspection-case-active"), agentconnect.RS256, 503, "provider_answer"},
		{agentconnecttest.Fault("introspection-repeated-client"), agentconnect.Unsigned, 503, "provider_answer"},
		{agentconnecttest.Fault("introspection-plain"), agentconnect.RS256, 503, "provider_answer"},
		{agentconnecttest.Fault("introspection-wrong-type"), agentconnect.RS256, 503, "provider_answer"},
		{agentconnecttest.Fault("introspection-other-audience"), agentconnect.RS256, 503, "provider_answer"},
		{agentconnecttest.Fault("introspection-bad-signature"), agentconnect.HS256, 503, "provider_answer"},
		{agentconnecttest.Fault("introspection-error-500"), agentconnect.Unsigned, 503, "provider_answer"},
		{agentconnecttest.Fault("introspection-error-503"), agentconnect.Unsigned, 503, agentconnect.CodeProviderUnavailable},
		{agentconnecttest.Fault("keys-error-503"), agentconnect.RS256, 503, agentconnect.CodeProviderUnavailable},
		{agentconnecttest.Fault("discovery-other-issuer"), agentconnect.Unsigned, 503, "provider_answer"},
	} {
		t.Run(string(tt.fault), func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, tt.alg)
			token := a.token(a.provider.Client.ID).AccessToken
			a.provider.Inject(tt.fault)
			a.wantRefused(a.call("/", "Bearer "+token), tt.status, tt.code)
		})
	}
}

// Answers that are not what RFC 7662 says are no answer at all.
func TestOddIntrospections(t *testing.T) {
	t.Parallel()
	member := func(name string, value any) agentconnecttest.Tamper {
		return agentconnecttest.Tamper{Introspection: func(j *agentconnecttest.JWT) { j.Claims.Set(name, value) }}
	}
	mediaType := func(value string) agentconnecttest.Tamper {
		return agentconnecttest.Tamper{Endpoint: agentconnecttest.Introspection, Answer: func(answer *agentconnecttest.Answer) {
			answer.Header.Set("Content-Type", value)
		}}
	}
	for _, tt := range []struct {
		name   string
		alg    agentconnect.Alg
		tamper agentconnecttest.Tamper
	}{
		{"of another issuer", agentconnect.Unsigned, member("iss", "https://attacker.example/api/v2")},
		{"iss a number", agentconnect.Unsigned, member("iss", 1)},
		{"scope a list", agentconnect.Unsigned, member("scope", []string{"openid"})},
		{"token_type a list", agentconnect.Unsigned, member("token_type", []string{"Bearer"})},
		{"sub a number", agentconnect.Unsigned, member("sub", 7)},
		{"active a number", agentconnect.Unsigned, member("active", 1)},
		{"active null", agentconnect.Unsigned, member("active", nil)},
		{"JSON that says it is text", agentconnect.Unsigned, mediaType("text/plain")},
		{"JSON that says it is signed", agentconnect.Unsigned, mediaType("application/token-introspection+jwt")},
		{"a JWT that says it is JSON", agentconnect.RS256, mediaType("application/json")},
		{"a JWT that says it is any JWT", agentconnect.RS256, mediaType("application/jwt")},
		{"token_introspection is text", agentconnect.RS256, member("token_introspection", "active")},
		{"token_introspection is a list", agentconnect.RS256, member("token_introspection", []any{map[string]any{"active": true}})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, tt.alg)
			a.provider.Inject(tt.tamper)
			a.wantRefused(a.call("/", "Bearer "+a.token(a.provider.Client.ID).AccessToken), 503, "provider_answer")
		})
	}
}

// RFC 7662 section 2.2 makes most members optional.
func TestIntrospectionWithoutIssuer(t *testing.T) {
	t.Parallel()
	a := newAPI(t, agentconnect.Unsigned)
	a.provider.Inject(agentconnecttest.Tamper{Introspection: func(j *agentconnecttest.JWT) { j.Claims.Delete("iss") }})
	if p := a.call("/", "Bearer "+a.token(a.provider.Client.ID).AccessToken); p.StatusCode != http.StatusOK {
		t.Errorf("got status %d, %s, want 200", p.StatusCode, p.body)
	}
}

// An answer about a token that was signed for something else is none.
func TestOtherTokensAreNoIntrospection(t *testing.T) {
	t.Parallel()
	a := newAPI(t, agentconnect.RS256)
	token := a.token(a.provider.Client.ID)
	ours := a.token(apiID).IDToken // its iss, aud and signature are those of an answer to the API
	for name, body := range map[string]string{"our own ID token": ours, "the service's ID token": token.IDToken} {
		a.provider.Inject(agentconnecttest.Once(agentconnecttest.Tamper{
			Endpoint: agentconnecttest.Introspection,
			Answer:   func(answer *agentconnecttest.Answer) { answer.Body = []byte(body) },
		}))
		t.Run(name, func(t *testing.T) {
			a.t = t
			a.wantRefused(a.call("/", "Bearer "+token.AccessToken), 503, "provider_answer")
		})
	}
}

func TestProviderWithoutIntrospection(t *testing.T) {
	t.Parallel()
	for name, endpoint := range map[string]any{"missing": nil, "in clear": "http://provider.example/introspection", "a number": 42} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, agentconnect.Unsigned)
			if err := a.rs.Ready(t.Context()); err != nil {
				t.Fatalf("Ready: got %v, want nil", err)
			}
			a = newAPI(t, agentconnect.Unsigned)
			a.provider.Inject(agentconnecttest.Tamper{Endpoint: agentconnecttest.Discovery, Answer: func(answer *agentconnecttest.Answer) {
				var doc map[string]any
				if err := json.Unmarshal(answer.Body, &doc); err != nil {
					t.Error(err)
				}
				delete(doc, "introspection_endpoint")
				if endpoint != nil {
					doc["introspection_endpoint"] = endpoint
				}
				answer.Body, _ = json.Marshal(doc)
			}})
			if err := a.rs.Ready(t.Context()); err == nil {
				t.Error("Ready: got nil, want an error")
			}
			a.wantRefused(a.call("/", "Bearer "+a.token(a.provider.Client.ID).AccessToken), 503, "provider_answer")
			if got := a.introspections(); got != 0 {
				t.Errorf("introspections: got %d, want 0", got)
			}
		})
	}
}

// A document that loses the endpoint later does not replace the good one.
func TestProviderLosesIntrospection(t *testing.T) {
	t.Parallel()
	a := newAPI(t, agentconnect.Unsigned)
	call := func() page { return a.call("/", "Bearer "+a.token(a.provider.Client.ID).AccessToken) }
	if p := call(); p.StatusCode != http.StatusOK {
		t.Fatalf("got status %d, %s, want 200", p.StatusCode, p.body)
	}
	a.provider.Inject(agentconnecttest.Tamper{Endpoint: agentconnecttest.Discovery, Answer: func(answer *agentconnecttest.Answer) {
		answer.Body = bytes.Replace(answer.Body, []byte(`"introspection_endpoint"`), []byte(`"former_endpoint"`), 1)
	}})
	a.clock.advance(25 * time.Hour) // the next call waits for another read of the document
	if p := call(); p.StatusCode != http.StatusOK || a.provider.Requests(agentconnecttest.Discovery) != 2 {
		t.Errorf("got status %d, %s, after %d reads of the document, want 200 after 2", p.StatusCode, p.body, a.provider.Requests(agentconnecttest.Discovery))
	}
}

func TestResourceServerWithoutItsProvider(t *testing.T) {
	t.Parallel()
	a := newAPI(t, agentconnect.RS256)
	token := a.token(a.provider.Client.ID).AccessToken
	a.provider.Stop()
	a.wantRefused(a.call("/", "Bearer "+token), 503, agentconnect.CodeProviderUnavailable)
	a.wantRefused(a.call("/"), 401, agentconnect.CodeUnauthenticated)
	a.provider.Restart()
	a.clock.advance(time.Minute)
	if p := a.call("/", "Bearer "+token); p.StatusCode != http.StatusOK {
		t.Errorf("after its return: got status %d, %s, want 200", p.StatusCode, p.body)
	}
	a.wantNoSecrets()
}

func TestResourceServerWithAWrongSecret(t *testing.T) {
	t.Parallel()
	a := newAPI(t, agentconnect.Unsigned, resourceserver.WithClient(apiID, "not-the-secret-of-this-api"))
	a.wantRefused(a.call("/", "Bearer "+a.token(a.provider.Client.ID).AccessToken), 500, "invalid_client")
	if logged := a.logs.String(); !strings.Contains(logged, "invalid_client") || strings.Contains(logged, "not-the-secret") {
		t.Errorf("got the log %s, want invalid_client and no secret", logged)
	}
}

func TestRequireScopes(t *testing.T) {
	t.Parallel()
	a := newAPI(t, agentconnect.Unsigned)
	some := a.token(a.provider.Client.ID, "openid", "email").AccessToken
	all := a.token(a.provider.Client.ID, "openid", "email", "siret").AccessToken
	p := a.call("/siret", "Bearer "+some)
	a.wantRefused(p, 403, resourceserver.CodeInsufficientScope)
	if want := `scope="siret email"`; !strings.HasSuffix(p.Header.Get("WWW-Authenticate"), want) {
		t.Errorf("got WWW-Authenticate %q, want it to end with %s", p.Header.Get("WWW-Authenticate"), want)
	}
	if want := `"reasons":["the scope siret"]`; !strings.Contains(p.body, want) {
		t.Errorf("got %s, want %s", p.body, want)
	}
	a.wantRefused(a.call("/nested", "Bearer "+some), 403, resourceserver.CodeInsufficientScope)
	a.wantRefused(a.call("/siret"), 401, agentconnect.CodeUnauthenticated)

	before := a.introspections()
	for _, target := range []string{"/siret", "/nested"} {
		if p := a.call(target, "Bearer "+all); p.StatusCode != http.StatusOK {
			t.Errorf("%s: got status %d, %s, want 200", target, p.StatusCode, p.body)
		}
	}
	if got := a.introspections() - before; got != 2 {
		t.Errorf("introspections of two calls: got %d, want 2: one middleware inside another asks nothing", got)
	}
}

// A list that is changed after it was given changes no route.
func TestRequireScopesKeepsItsList(t *testing.T) {
	t.Parallel()
	a := newAPI(t, agentconnect.Unsigned)
	scopes := []string{"siret"}
	route := a.rs.RequireScopes(scopes...)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	scopes[0] = "openid"
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+a.token(a.provider.Client.ID, "openid", "email").AccessToken)
	w := httptest.NewRecorder()
	route.ServeHTTP(w, r)
	if w.Code != http.StatusForbidden {
		t.Errorf("got status %d, want 403", w.Code)
	}
}

func TestRequireScopesPanicsOnWhatIsNoScope(t *testing.T) {
	t.Parallel()
	a := newAPI(t, agentconnect.Unsigned)
	for _, scope := range []string{"", "siret email", `a"b`, `a\b`, "é"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("RequireScopes(%q): got no panic", scope)
				}
			}()
			a.rs.RequireScopes("openid", scope)
		}()
	}
}

// The middleware asks about each token itself, whatever the context says.
func TestContextWithToken(t *testing.T) {
	t.Parallel()
	a, b := newAPI(t, agentconnect.Unsigned), newAPI(t, agentconnect.Unsigned)
	planted := resourceserver.Token{Sub: "planted", ClientID: a.provider.Client.ID, Scopes: []string{"siret"}}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	if _, ok := resourceserver.TokenFrom(r.Context()); ok {
		t.Error("TokenFrom of a request: got a token, want none")
	}
	r = r.WithContext(resourceserver.ContextWithToken(r.Context(), planted))
	if got, ok := resourceserver.TokenFrom(r.Context()); !ok || got.Sub != "planted" || !got.HasScope("siret") || got.HasScope("email") {
		t.Errorf("TokenFrom: got %#v, %v, want the token that was planted", got, ok)
	}
	w := httptest.NewRecorder()
	a.rs.RequireToken(http.HandlerFunc(a.serve)).ServeHTTP(w, r)
	if w.Code != http.StatusUnauthorized {
		t.Errorf("with a token in the context alone: got status %d, want 401", w.Code)
	}

	// Nor does one resource server believe another.
	w = httptest.NewRecorder()
	r = httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+b.token(b.provider.Client.ID).AccessToken)
	b.rs.RequireToken(a.rs.RequireToken(http.HandlerFunc(a.serve))).ServeHTTP(w, r)
	if w.Code != http.StatusUnauthorized || a.introspections() != 1 {
		t.Errorf("with another's token: got status %d, %d introspections, want 401 and 1", w.Code, a.introspections())
	}
}

func TestTokenInfoShowsNobody(t *testing.T) {
	t.Parallel()
	token := resourceserver.Token{Sub: "704e024229015d2bd47f7a5e5ab05b35c8336ab403c38022985f8cfadc86fe91", ClientID: "service"}
	logs := &logs{}
	logs.logger().Info("call", "token", token)
	for name, got := range map[string]string{"%v": fmt.Sprintf("%v", token), "%+v": fmt.Sprintf("%+v", token), "%#v": fmt.Sprintf("%#v", token), "log": logs.String()} {
		if strings.Contains(got, token.Sub) || !strings.Contains(got, agentconnect.Pseudonym(token.Sub)) || !strings.Contains(got, "service") {
			t.Errorf("%s: got %s, want the pseudonym and the service", name, got)
		}
	}
}

func TestTokenClaim(t *testing.T) {
	t.Parallel()
	a := newAPI(t, agentconnect.RS256)
	a.provider.Inject(agentconnecttest.Tamper{Introspection: func(j *agentconnecttest.JWT) {
		if inner, ok := j.Claims.Get("token_introspection").(agentconnecttest.Members); ok {
			inner.Set("acr", "eidas2")
			inner.Set("matricule", int64(33612345678))
			j.Claims.Set("token_introspection", inner)
		}
	}})
	handler := a.rs.RequireToken(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := resourceserver.TokenFrom(r.Context())
		var acr string
		if ok, err := token.Claim("acr", &acr); !ok || err != nil || acr != "eidas2" {
			t.Errorf("acr: got %q, %v, %v, want eidas2", acr, ok, err)
		}
		var number int
		if ok, err := token.Claim("acr", &number); ok || err == nil {
			t.Errorf("acr as a number: got %v, %v, want an error", ok, err)
		}
		var small int8
		if ok, err := token.Claim("matricule", &small); ok || err == nil || !strings.Contains(err.Error(), "number into") || strings.Contains(err.Error(), "33612345678") {
			t.Errorf("matricule as an int8: got %v, %v, want an error that does not show it", ok, err)
		}
		if ok, err := token.Claim("absent", &acr); ok || err != nil {
			t.Errorf("absent: got %v, %v, want false", ok, err)
		}
		a.handled.Add(1)
	}))
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+a.token(a.provider.Client.ID).AccessToken)
	handler.ServeHTTP(httptest.NewRecorder(), r)
	if a.handled.Load() != 1 {
		t.Error("the handler did not run")
	}
}

func TestResourceServerErrorHandler(t *testing.T) {
	t.Parallel()
	var a *api
	a = newAPI(t, agentconnect.Unsigned, resourceserver.WithErrorHandler(func(w http.ResponseWriter, r *http.Request, err *agentconnect.Error) {
		if err.Code == agentconnect.CodeUnauthenticated {
			a.rs.ServeError(w, r, err)
			return
		}
		http.Error(w, "ours: "+string(err.Code), err.Status)
	}))
	a.wantRefused(a.call("/"), 401, agentconnect.CodeUnauthenticated)
	p := a.call("/", "Bearer unknown")
	if p.StatusCode != 401 || p.body != "ours: invalid_token\n" || p.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("got status %d, %q, header %v, want the handler's answer with the challenge", p.StatusCode, p.body, p.Header)
	}
}

// A refusal of the application's own is answered as ours are.
func TestServeOwnError(t *testing.T) {
	t.Parallel()
	a := newAPI(t, agentconnect.Unsigned)
	w := httptest.NewRecorder()
	a.rs.ServeError(w, httptest.NewRequest("GET", "/", nil), &agentconnect.Error{
		Code: agentconnect.CodeProviderUnavailable, Reasons: []agentconnect.Reason{{French: "une raison"}},
	})
	if got := w.Body.String(); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || !strings.Contains(got, `"status":503`) || !strings.Contains(got, `"reasons":["une raison"]`) {
		t.Errorf("got status %d, header %v, %s, want that of the code, when to retry, and the reason", w.Code, w.Header(), got)
	}
}

func TestNewProblems(t *testing.T) {
	t.Parallel()
	other := func(issuer string) []resourceserver.Option {
		return []resourceserver.Option{resourceserver.WithEnvironment(""), resourceserver.WithIssuer(issuer)}
	}
	good := []resourceserver.Option{
		resourceserver.WithEnvironment(agentconnect.Production),
		resourceserver.WithClient("api", "secret-of-the-api"),
		resourceserver.WithAllowedClients("service"),
	}
	for _, tt := range []struct {
		name string
		opts []resourceserver.Option
		want []string // option: reason
	}{
		{"nothing wrong", nil, nil},
		{"everything", []resourceserver.Option{
			resourceserver.WithIntrospectionAlg(agentconnect.ES256), resourceserver.WithCache(time.Minute),
			resourceserver.WithHTTPClient(&http.Client{}), resourceserver.WithLogger((&logs{}).logger()),
			resourceserver.WithErrorHandler(func(http.ResponseWriter, *http.Request, *agentconnect.Error) {}),
		}, nil},
		{"no allowed client", []resourceserver.Option{resourceserver.WithAllowedClients()}, []string{"WithAllowedClients: missing"}},
		{"empty client", []resourceserver.Option{resourceserver.WithAllowedClients("service", "")}, []string{"WithAllowedClients: invalid"}},
		{"client with a space", []resourceserver.Option{resourceserver.WithAllowedClients("service ")}, []string{"WithAllowedClients: invalid"}},
		{"unknown algorithm", []resourceserver.Option{resourceserver.WithIntrospectionAlg("PS256")}, []string{"WithIntrospectionAlg: invalid"}},
		{"cache too short", []resourceserver.Option{resourceserver.WithCache(time.Millisecond)}, []string{"WithCache: invalid"}},
		{"cache too long", []resourceserver.Option{resourceserver.WithCache(time.Hour)}, []string{"WithCache: invalid"}},
		{"negative cache", []resourceserver.Option{resourceserver.WithCache(-time.Minute)}, []string{"WithCache: invalid"}},
		{"nil client", []resourceserver.Option{resourceserver.WithHTTPClient(nil)}, []string{"WithHTTPClient: missing"}},
		{"nil logger", []resourceserver.Option{resourceserver.WithLogger(nil)}, []string{"WithLogger: missing"}},
		{"nil option", []resourceserver.Option{nil}, []string{"option 4: missing"}},
		{"issuer and environment", []resourceserver.Option{resourceserver.WithIssuer("https://provider.example")}, []string{"WithIssuer (PROCONNECT_ISSUER or AGENTCONNECT_ISSUER): conflict"}},
		{"an issuer that is no URL", other("provider"), []string{"WithIssuer (PROCONNECT_ISSUER or AGENTCONNECT_ISSUER): invalid"}},
		{"an issuer with a password", other("https://a:b@provider.example"), []string{"WithIssuer (PROCONNECT_ISSUER or AGENTCONNECT_ISSUER): invalid"}},
		{"an issuer with a query", other("https://provider.example?a=b"), []string{"WithIssuer (PROCONNECT_ISSUER or AGENTCONNECT_ISSUER): invalid"}},
		{"an issuer in unusual spelling", other("https://provider.example/é"), []string{"WithIssuer (PROCONNECT_ISSUER or AGENTCONNECT_ISSUER): invalid"}},
		{"an issuer in clear", other("http://provider.example"), []string{"WithIssuer (PROCONNECT_ISSUER or AGENTCONNECT_ISSUER): insecure"}},
		{"an issuer of another scheme", other("ftp://provider.example"), []string{"WithIssuer (PROCONNECT_ISSUER or AGENTCONNECT_ISSUER): invalid"}},
		{"an issuer on this machine", other("http://localhost:8080/api/v2"), nil},
		{"neither issuer nor environment", other(""), []string{"WithEnvironment (PROCONNECT_ENVIRONMENT or AGENTCONNECT_ENVIRONMENT): missing"}},
		{"a secret with a space", []resourceserver.Option{resourceserver.WithClient("api", " secret-of-the-api")}, []string{"WithClient (PROCONNECT_CLIENT_SECRET or AGENTCONNECT_CLIENT_SECRET): invalid"}},
		{"nil error handler", []resourceserver.Option{resourceserver.WithErrorHandler(nil)}, []string{"WithErrorHandler: missing"}},
		{"the secret in the issuer", []resourceserver.Option{
			resourceserver.WithEnvironment(""), resourceserver.WithIssuer("https://provider.example/secret-of-the-api#x"),
		}, []string{"WithIssuer (PROCONNECT_ISSUER or AGENTCONNECT_ISSUER): invalid"}},
		{"all at once", []resourceserver.Option{
			resourceserver.WithEnvironment("test"), resourceserver.WithClient("", ""), resourceserver.WithAllowedClients(), resourceserver.WithIntrospectionAlg("?"),
		}, []string{
			"WithEnvironment (PROCONNECT_ENVIRONMENT or AGENTCONNECT_ENVIRONMENT): invalid", "WithClient (PROCONNECT_CLIENT_ID or AGENTCONNECT_CLIENT_ID): missing",
			"WithClient (PROCONNECT_CLIENT_SECRET or AGENTCONNECT_CLIENT_SECRET): missing", "WithAllowedClients: missing", "WithIntrospectionAlg: invalid",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rs, err := resourceserver.New(slices.Concat(good, tt.opts)...)
			if (rs == nil) != (err != nil) {
				t.Errorf("got a resource server: %v, and the error %v", rs != nil, err)
			}
			if got := configProblems(err); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "secret-of-the-api") {
				t.Errorf("the error contains the secret: %v", err)
			}
		})
	}
}

// A detail says what is wrong, what belongs there, and shows a typing error.
func TestNewSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	issuer := func(issuer string) []resourceserver.Option {
		return []resourceserver.Option{resourceserver.WithEnvironment(""), resourceserver.WithIssuer(issuer)}
	}
	for _, tt := range []struct {
		opts []resourceserver.Option
		want string
	}{
		{[]resourceserver.Option{resourceserver.WithEnvironment("staging")}, `"staging" is not one of integration, production`},
		{[]resourceserver.Option{resourceserver.WithIntrospectionAlg("RS265")}, `"RS265" is not one of RS256, ES256, HS256, none`},
		{[]resourceserver.Option{resourceserver.WithIntrospectionAlg("secret-of-the-api")}, `"[redacted]" is not one of`},
		{issuer("provider"), `"provider" is not an absolute https URL`},
		{issuer("https://a:b@provider.example"), "has no user name and no password"},
		{issuer("https://provider.example#"), `"https://provider.example#" has a fragment`},
		{issuer("https://provider.example?a=b"), "an issuer has no query"},
		{issuer("HTTPS://provider.example"), `"https://provider.example" says the same`},
		{issuer("http://provider.example"), `"http://provider.example" is http`},
		{issuer("http://provider.example/secret-of-the-api"), `"http://provider.example/[redacted]" is http`},
		{issuer(""), "integration, production, integration-rie or production-rie"},
		{[]resourceserver.Option{resourceserver.WithClient("", "secret-of-the-api")}, "give the client_id that ProConnect handed out to this API"},
	} {
		_, err := resourceserver.New(append([]resourceserver.Option{
			resourceserver.WithEnvironment(agentconnect.Production),
			resourceserver.WithClient("api", "secret-of-the-api"),
			resourceserver.WithAllowedClients("service"),
		}, tt.opts...)...)
		if got := fmt.Sprint(err); !strings.Contains(got, tt.want) || strings.Contains(got, "secret-of-the-api") {
			t.Errorf("got %s, want …%s…, and no secret", got, tt.want)
		}
	}
}

// configProblems returns "OPTION: REASON" for each problem of an error.
func configProblems(err error) []string {
	var list []string
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range joined.Unwrap() {
			var problem *agentconnect.ConfigError
			if errors.As(one, &problem) {
				list = append(list, problem.Option+": "+problem.Reason)
			}
		}
	}
	return list
}

// Both names of a variable are read; what the environment says of logins does not
// matter here.
func TestFromEnv(t *testing.T) {
	good := map[string]string{"PROCONNECT_ENVIRONMENT": "integration", "PROCONNECT_CLIENT_ID": "api", "PROCONNECT_CLIENT_SECRET": "secret-of-the-api"}
	for _, tt := range []struct {
		name string
		env  map[string]string // over good
		opts []resourceserver.Option
		want []string
	}{
		{"PROCONNECT", nil, nil, nil},
		{"AGENTCONNECT", map[string]string{
			"PROCONNECT_ENVIRONMENT": "", "AGENTCONNECT_ENVIRONMENT": "production", "PROCONNECT_CLIENT_ID": "", "AGENTCONNECT_CLIENT_ID": "api",
			"PROCONNECT_CLIENT_SECRET": "", "AGENTCONNECT_CLIENT_SECRET": "secret-of-the-api",
		}, nil, nil},
		{"both, the same", map[string]string{"AGENTCONNECT_CLIENT_ID": "api"}, nil, nil},
		{"of logins", map[string]string{"PROCONNECT_REDIRECT_URL": "nonsense", "PROCONNECT_SCOPES": "nonsense", "PROCONNECT_ID_TOKEN_ALG": "nonsense"}, nil, nil},
		{"two secrets", map[string]string{"AGENTCONNECT_CLIENT_SECRET": "another-secret-of-the-api"}, nil,
			[]string{"WithClient (PROCONNECT_CLIENT_SECRET or AGENTCONNECT_CLIENT_SECRET): conflict"}},
		{"two environments", map[string]string{"AGENTCONNECT_ENVIRONMENT": "production"}, nil,
			[]string{"WithEnvironment (PROCONNECT_ENVIRONMENT or AGENTCONNECT_ENVIRONMENT): conflict"}},
		{"an issuer beside", map[string]string{"AGENTCONNECT_ISSUER": "https://provider.example"}, nil,
			[]string{"WithIssuer (PROCONNECT_ISSUER or AGENTCONNECT_ISSUER): conflict"}},
		{"options win", map[string]string{"PROCONNECT_CLIENT_ID": " nonsense "}, []resourceserver.Option{resourceserver.WithClient("api", "secret-of-the-api")}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, env := range []map[string]string{good, tt.env} {
				for name, value := range env {
					t.Setenv(name, value)
				}
			}
			_, err := resourceserver.New(append([]resourceserver.Option{resourceserver.FromEnv(), resourceserver.WithAllowedClients("service")}, tt.opts...)...)
			if got := configProblems(err); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "secret-of-the-api") {
				t.Errorf("the error contains the secret: %v", err)
			}
		})
	}
	t.Run("defaults", func(t *testing.T) {
		for _, name := range []string{"ENVIRONMENT", "ISSUER", "CLIENT_ID", "CLIENT_SECRET"} {
			t.Setenv("PROCONNECT_"+name, "")
			t.Setenv("AGENTCONNECT_"+name, "")
		}
		_, err := resourceserver.New(resourceserver.WithEnvironment(agentconnect.Integration), resourceserver.WithClient("api", "secret"),
			resourceserver.WithAllowedClients("service"), resourceserver.FromEnv())
		if err != nil {
			t.Errorf("got %v, want the options before it to be its defaults", err)
		}
	})
}

// No verb of fmt shows the secret.
func TestFormatShowsNoSecret(t *testing.T) {
	t.Parallel()
	rs, err := resourceserver.New(resourceserver.WithEnvironment(agentconnect.Integration), resourceserver.WithClient("api", "secret-of-the-api"), resourceserver.WithAllowedClients("service"))
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%q", "%x"} {
		if got, want := fmt.Sprintf(verb, rs), "resourceserver.Server("+agentconnect.Integration.Issuer()+")"; got != want {
			t.Errorf("%s: got %s, want %s", verb, got, want)
		}
	}
}

// The credentials and the tokens of an environment go to its own host alone.
func TestEndpointsOfAnEnvironment(t *testing.T) {
	t.Parallel()
	issuer := agentconnect.Production.Issuer()
	for _, tt := range []struct {
		name, introspection string
		opts                []resourceserver.Option
		want                bool // ready
	}{
		{"its own host", "https://auth.agentconnect.gouv.fr/introspection", []resourceserver.Option{resourceserver.WithEnvironment(agentconnect.Production)}, true},
		{"another host", "https://attacker.example/introspection", []resourceserver.Option{resourceserver.WithEnvironment(agentconnect.Production)}, false},
		{"another host, by the issuer", "https://attacker.example/introspection", []resourceserver.Option{resourceserver.WithIssuer(issuer)}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			transport := roundTripperFunc(func(r *http.Request) (*http.Response, error) {
				doc := map[string]string{"issuer": issuer, "introspection_endpoint": tt.introspection}
				for _, name := range []string{"authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"} {
					doc[name] = issuer + "/" + name
				}
				w := httptest.NewRecorder()
				w.Header().Set("Content-Type", "application/json")
				json.NewEncoder(w).Encode(doc)
				return w.Result(), nil
			})
			rs, err := resourceserver.New(append(tt.opts, resourceserver.WithClient("api", "secret-of-the-api"),
				resourceserver.WithAllowedClients("service"), resourceserver.WithHTTPClient(&http.Client{Transport: transport}))...)
			if err != nil {
				t.Fatal(err)
			}
			if err := rs.Ready(t.Context()); (err == nil) != tt.want {
				t.Errorf("got %v, want ready: %v", err, tt.want)
			}
		})
	}
}
