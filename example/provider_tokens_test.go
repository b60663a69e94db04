package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/example/internal/oidcprovider"
	"github.com/agentconnect-go/agentconnect/resourceserver"
)

// startAPI starts an API that takes the access tokens of the service "fs", and answers
// with what it learns of them.
func startAPI(t *testing.T, provider *oidcprovider.Provider, id string, opts ...resourceserver.Option) *httptest.Server {
	t.Helper()
	rs, err := resourceserver.New(append([]resourceserver.Option{
		resourceserver.WithIssuer(provider.Issuer),
		resourceserver.WithClient(id, secret),
		resourceserver.WithAllowedClients("fs"),
		resourceserver.WithLogger(testLogger(t)),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(rs.RequireToken(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := resourceserver.TokenFrom(r.Context())
		json.NewEncoder(w).Encode(token)
	})))
	t.Cleanup(server.Close)
	return server
}

// call calls an API with a token.
func call(t *testing.T, target, token string) answer {
	t.Helper()
	b := newBrowser(t)
	return b.get(target, "Authorization", "Bearer "+token, "Accept", "application/json", "Sec-Fetch-Mode", "")
}

// wantToken checks what an API learned of a token.
func (a answer) wantToken(t *testing.T, sub, clientID string) {
	t.Helper()
	a.wantStatus(t, 200)
	var token resourceserver.Token
	if err := json.Unmarshal([]byte(a.body), &token); err != nil {
		t.Fatal(err)
	}
	if token.Sub != sub || token.ClientID != clientID || !token.HasScope("siret") || !token.ExpiresAt.After(token.IssuedAt) {
		t.Errorf("got sub %q, client %q, scopes %q, from %v to %v, want %q, %q, siret and a while", token.Sub, token.ClientID, token.Scopes, token.IssuedAt, token.ExpiresAt, sub, clientID)
	}
}

// tokenRoutes adds /token, which answers with the access token, as no real
// application does, and /call, which calls an API on the agent's behalf.
func (s *service) tokenRoutes(apiURL string) {
	s.mux.Handle("GET /token", s.auth.RequireAgent(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, err := s.auth.TokenSource(r.Context()).Token()
		switch {
		case errors.Is(err, agentconnect.ErrLoginNeeded):
			s.auth.StartLogin(w, r, agentconnect.LoginOptions{ReturnTo: r.URL.RequestURI()})
		case err != nil:
			http.Error(w, err.Error(), http.StatusBadGateway)
		case token.RefreshToken != "":
			http.Error(w, "the refresh token came out", http.StatusInternalServerError)
		default:
			io.WriteString(w, token.AccessToken)
		}
	})))
	s.mux.Handle("GET /call", s.auth.RequireAgent(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, apiURL, nil)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		resp, err := s.auth.Client(r.Context(), nil).Do(req)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		w.WriteHeader(resp.StatusCode)
		io.Copy(w, resp.Body)
	})))
}

// refreshes counts the renewals of tokens.
func refreshes(count *atomic.Int64) agentconnect.Option {
	return agentconnect.WithEvents(func(_ context.Context, e agentconnect.Event) {
		if e.Kind == agentconnect.EventTokenRefreshed {
			count.Add(1)
		}
	})
}

// registerAPI registers a resource server.
func registerAPI(t *testing.T, provider *oidcprovider.Provider, id, alg string) {
	t.Helper()
	if err := provider.Register(oidcprovider.Client{ID: id, Secret: secret, IntrospectionAlg: alg}); err != nil {
		t.Fatal(err)
	}
}

// TestRealProviderIntrospection has a service call an API on an agent's behalf; the
// API asks the provider about the token, with a client of its own.
func TestRealProviderIntrospection(t *testing.T) {
	provider := oidcprovider.Start(t, oidcprovider.Config{})
	s := startService(t, provider, "fs", agentconnect.WithTokens())
	other := startService(t, provider, "other", agentconnect.WithTokens())
	registerAPI(t, provider, "api", "")
	s.tokenRoutes(startAPI(t, provider, "api").URL)
	other.tokenRoutes("")
	b, stranger := newBrowser(t), newBrowser(t)
	s.login(b, "/call", "camille").wantToken(t, "camille", "fs")
	token := b.get(s.url + "/token").body
	foreign := other.login(stranger, "/token", "sacha").wantStatus(t, 200).body

	for _, test := range []struct {
		name       string
		registered string // introspection_signed_response_alg
		opts       []resourceserver.Option
		token      string
		status     int
		code       string // of the problem
	}{
		{"plain", "", nil, token, 200, ""},
		{"signed RS256", "RS256", []resourceserver.Option{resourceserver.WithIntrospectionAlg(agentconnect.RS256)}, token, 200, ""},
		{"signed ES256", "ES256", []resourceserver.Option{resourceserver.WithIntrospectionAlg(agentconnect.ES256)}, token, 200, ""},
		{"signed HS256", "HS256", []resourceserver.Option{resourceserver.WithIntrospectionAlg(agentconnect.HS256)}, token, 200, ""},
		{"signed in another way", "ES256", []resourceserver.Option{resourceserver.WithIntrospectionAlg(agentconnect.RS256)}, token, 503, "provider_answer"},
		{"signed though not registered so", "", []resourceserver.Option{resourceserver.WithIntrospectionAlg(agentconnect.ES256)}, token, 503, "provider_answer"},
		{"made up", "", nil, "made-up", 401, "invalid_token"},
		{"made up, signed answer", "RS256", []resourceserver.Option{resourceserver.WithIntrospectionAlg(agentconnect.RS256)}, "made-up", 401, "invalid_token"},
		{"of another service", "", nil, foreign, 401, "invalid_token"},
		{"of another service that may call", "", []resourceserver.Option{resourceserver.WithAllowedClients("fs", "other")}, foreign, 200, ""},
		{"a wrong secret", "", []resourceserver.Option{resourceserver.WithClient("api", "another-"+secret)}, token, 500, "invalid_client"},
	} {
		t.Run(test.name, func(t *testing.T) {
			registerAPI(t, provider, "api", test.registered)
			got := call(t, startAPI(t, provider, "api", test.opts...).URL, test.token)
			switch {
			case test.status != 200:
				got.wantProblem(t, test.status, test.code)
			case test.token == foreign:
				got.wantToken(t, "sacha", "other")
			default:
				got.wantToken(t, "camille", "fs")
			}
		})
	}
	t.Run("a provider that is away", func(t *testing.T) {
		rs := startAPI(t, provider, "api")
		registerAPI(t, provider, "api", "")
		call(t, rs.URL, token).wantToken(t, "camille", "fs")
		provider.Stop()
		got := call(t, rs.URL, token)
		got.wantProblem(t, http.StatusServiceUnavailable, "provider_unavailable")
		if got.Header.Get("Retry-After") == "" {
			t.Error("got no Retry-After, want one")
		}
	})
}

// TestRealProviderRefresh renews access tokens that are about to end, and no
// others.
func TestRealProviderRefresh(t *testing.T) {
	for _, test := range []struct {
		name string
		ttl  time.Duration
		want int64 // refreshes
	}{
		{"tokens that last", time.Hour, 0},
		{"tokens that are about to end", 10 * time.Second, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			provider := oidcprovider.Start(t, oidcprovider.Config{AccessTokenTTL: test.ttl})
			var count atomic.Int64
			s := startService(t, provider, "fs", agentconnect.WithTokens(), refreshes(&count))
			registerAPI(t, provider, "api", "")
			s.tokenRoutes(startAPI(t, provider, "api").URL)
			b := newBrowser(t)
			s.login(b, "/agent", "camille").wantStatus(t, 200)
			b.get(s.url+"/call").wantToken(t, "camille", "fs")
			if got := count.Load(); got != test.want {
				t.Errorf("got %d refreshes for one call, want %d", got, test.want)
			}
			before := b.get(s.url+"/token").wantStatus(t, 200).body
			after := b.get(s.url+"/token").wantStatus(t, 200).body
			if renewed := before != after; renewed != (test.want > 0) {
				t.Errorf("got another token: %v, want %v", renewed, test.want > 0)
			}
		})
	}
}

// TestRealProviderRefreshOnce has many requests of one session need a new token
// together.
func TestRealProviderRefreshOnce(t *testing.T) {
	provider := oidcprovider.Start(t, oidcprovider.Config{AccessTokenTTL: 10 * time.Second})
	var count atomic.Int64
	s := startService(t, provider, "fs", agentconnect.WithTokens(), refreshes(&count))
	const requests = 8
	var arrived sync.WaitGroup
	arrived.Add(requests)
	all := make(chan struct{})
	go func() {
		arrived.Wait()
		close(all)
	}()
	s.mux.Handle("GET /together", s.auth.RequireAgent(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		source := s.auth.TokenSource(r.Context())
		arrived.Done()
		select {
		case <-all:
		case <-r.Context().Done():
		}
		if _, err := source.Token(); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
		}
	})))
	b := newBrowser(t)
	s.login(b, "/agent", "camille").wantStatus(t, 200)
	statuses := make(chan int, requests)
	for range requests {
		go func() {
			resp, err := b.Get(s.url + "/together")
			if err != nil {
				statuses <- 0
				return
			}
			resp.Body.Close()
			statuses <- resp.StatusCode
		}()
	}
	for range requests {
		if got := <-statuses; got != http.StatusOK {
			t.Errorf("got status %d, want 200", got)
		}
	}
	if got := count.Load(); got < 1 || got >= requests {
		t.Errorf("got %d refreshes for %d requests at once, want them shared", got, requests)
	}
}

// TestRealProviderRefreshRefused takes the refresh token away: the agent logs in
// again and comes back to the page.
func TestRealProviderRefreshRefused(t *testing.T) {
	provider := oidcprovider.Start(t, oidcprovider.Config{AccessTokenTTL: 10 * time.Second})
	s := startService(t, provider, "fs", agentconnect.WithTokens())
	s.tokenRoutes("")
	b := newBrowser(t)
	s.login(b, "/token", "camille").wantStatus(t, 200)
	if err := provider.Restart(); err != nil { // it forgets every token
		t.Fatal(err)
	}
	b.get(s.url+"/agent").wantStatus(t, 200).wantClaim(t, "sub", "camille")
	s.login(b, "/token?acte=7", "camille").wantStatus(t, 200).wantAt(t, s.url+"/token?acte=7")
}

// TestRealProviderRevocation looks at an access token that somebody kept after the
// logout, which never reaches the provider's own.
func TestRealProviderRevocation(t *testing.T) {
	for _, test := range []struct {
		name string
		opts []agentconnect.Option
		want int
	}{
		{"revoked", []agentconnect.Option{agentconnect.WithTokens(), agentconnect.WithRevocationAtLogout()}, http.StatusUnauthorized},
		{"left to end by itself", []agentconnect.Option{agentconnect.WithTokens()}, http.StatusOK},
	} {
		t.Run(test.name, func(t *testing.T) {
			provider := oidcprovider.Start(t, oidcprovider.Config{})
			s := startService(t, provider, "fs", test.opts...)
			s.tokenRoutes("")
			registerAPI(t, provider, "api", "RS256")
			rs := startAPI(t, provider, "api", resourceserver.WithIntrospectionAlg(agentconnect.RS256))
			b := newBrowser(t)
			token := s.login(b, "/token", "camille").wantStatus(t, 200).body
			call(t, rs.URL, token).wantToken(t, "camille", "fs")
			out := b.once(http.MethodPost, s.url+"/logout").wantStatus(t, http.StatusSeeOther)
			to, err := url.Parse(out.Header.Get("Location"))
			if err != nil || !strings.HasPrefix(to.String(), provider.Issuer+"/session/end?") {
				t.Errorf("got the logout lead to %v, want the provider's", to)
			}
			call(t, rs.URL, token).wantStatus(t, test.want)
			b.get(s.url+"/agent", api()...).wantProblem(t, http.StatusUnauthorized, "unauthenticated")
		})
	}
}
