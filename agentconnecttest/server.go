package agentconnecttest

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// Server is a [Provider] that listens on a loopback address during a test.
type Server struct {
	*Provider

	// URL is its address, such as "http://127.0.0.1:41234", and Issuer the issuer
	// identifier, URL + "/api/v2". Both stay the same after [Server.Restart].
	URL, Issuer string

	// Client is the service provider that is registered from the start.
	// [Server.SetRedirectURIs] and [Provider.SetClient] change the registration, not this
	// field.
	Client Client

	tb      testing.TB
	address string
	memory  *memory // nil when there is a network
	serving sync.WaitGroup
	handler sync.RWMutex // held for reading by each request being handled
	mu      sync.Mutex
	running *http.Server // nil when stopped
}

// ServerOption configures the provider that [NewServer] starts.
type ServerOption func(*Config)

// WithClient registers c in place of the default client. Without an ID, a
// Secret or redirect URIs, it gets those of the default one.
func WithClient(c Client) ServerOption {
	return func(cfg *Config) { cfg.Clients[0] = c }
}

// WithAlgorithms sets the registered algorithms of the client: those of
// [Client.IDTokenAlg] and [Client.UserinfoAlg].
func WithAlgorithms(idToken, userinfo string) ServerOption {
	return func(cfg *Config) { cfg.Clients[0].IDTokenAlg, cfg.Clients[0].UserinfoAlg = idToken, userinfo }
}

// WithAgents replaces the demonstration agents.
func WithAgents(agents ...Agent) ServerOption {
	return func(cfg *Config) { cfg.Agents = agents }
}

// WithClock sets the provider's clock, see [Config.Now].
func WithClock(now func() time.Time) ServerOption {
	return func(cfg *Config) { cfg.Now = now }
}

// WithRefreshTokenRotation makes refresh tokens usable once, see
// [Config.RotateRefreshTokens].
func WithRefreshTokenRotation() ServerOption {
	return func(cfg *Config) { cfg.RotateRefreshTokens = true }
}

// WithRIE makes it the provider of the State's private network, see [Config.RIE].
func WithRIE() ServerOption {
	return func(cfg *Config) { cfg.RIE = true }
}

// WithAccessTokenLife sets how long access tokens last, see [Config.AccessTokenLife].
func WithAccessTokenLife(life time.Duration) ServerOption {
	return func(cfg *Config) { cfg.AccessTokenLife = life }
}

// WithoutNetwork replaces the network by function calls: between the provider, the
// application of [Server.StartApplication], clients of [Server.Browser] and
// applications with [Server.Options]. No goroutine waits for a network, so a test in a
// testing/synctest bubble can move the time with time.Sleep. Answers do not stream.
func WithoutNetwork() ServerOption {
	return func(cfg *Config) { cfg.withoutNetwork = true }
}

// WithLogger sets the logger of the provider's requests, see [Config.Logger].
func WithLogger(logger *slog.Logger) ServerOption {
	return func(cfg *Config) { cfg.Logger = logger }
}

// NewServer starts a provider on a free loopback port; it stops at the end of the
// test. It has one client, "client-id", whose redirect URIs are those of an application on
// http://localhost:8080 and http://127.0.0.1:8080 (/callback and /logout/callback).
// If the application has another address, as usual for one that the test starts, give
// it to [Server.SetRedirectURIs]. Any failure ends the test.
func NewServer(tb testing.TB, opts ...ServerOption) *Server {
	tb.Helper()
	cfg := Config{Clients: []Client{{}}}
	for _, opt := range opts {
		opt(&cfg)
	}
	cfg.Clients[0] = cfg.Clients[0].orDefault()
	s := &Server{tb: tb, address: memoryProvider}
	if cfg.withoutNetwork {
		s.memory = &memory{handlers: make(map[string]http.Handler)}
	}
	listener := s.listen("127.0.0.1:0")
	if listener != nil {
		s.address = listener.Addr().String()
	}
	s.URL = "http://" + s.address
	s.Issuer = s.URL + "/api/v2"
	cfg.Issuer = s.Issuer
	var err error
	if s.Provider, err = New(cfg); err != nil {
		if listener != nil {
			_ = listener.Close()
		}
		tb.Fatalf("agentconnecttest: %v", err)
	}
	s.Client = cfg.Clients[0].withDefaults()
	s.requests.keep = true
	s.serve(listener)
	tb.Cleanup(s.Stop)
	return s
}

// listen returns nil without a network.
func (s *Server) listen(address string) net.Listener {
	s.tb.Helper()
	if s.memory != nil {
		return nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		s.tb.Fatalf("agentconnecttest: listening: %v", err)
	}
	return listener
}

// orDefault fills in the empty fields of a client with those of the default client.
func (c Client) orDefault() Client {
	if c.ID == "" {
		c.ID = "client-id"
	}
	if c.Secret == "" {
		c.Secret = "a-demonstration-secret-of-more-than-sixty-four-characters-in-all-0123456789"
	}
	if c.RedirectURIs == nil {
		c.RedirectURIs = []string{"http://localhost:8080/callback", "http://127.0.0.1:8080/callback"}
	}
	if c.PostLogoutRedirectURIs == nil {
		c.PostLogoutRedirectURIs = []string{"http://localhost:8080/logout/callback", "http://127.0.0.1:8080/logout/callback"}
	}
	return c
}

// serve needs that no server is running.
func (s *Server) serve(listener net.Listener) {
	if s.memory != nil {
		s.memory.listen(s.address, http.HandlerFunc(s.handle))
		return
	}
	server := &http.Server{Handler: http.HandlerFunc(s.handle), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	s.running = server
	s.serving.Go(func() { _ = server.Serve(listener) })
}

func (s *Server) handle(w http.ResponseWriter, r *http.Request) {
	s.handler.RLock()
	defer s.handler.RUnlock()
	s.ServeHTTP(w, r)
}

// Stop makes the provider unreachable: it refuses connections and cuts those that are
// open. It keeps its state for [Server.Restart].
func (s *Server) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.memory != nil {
		s.memory.listen(s.address, nil)
	}
	if s.running == nil {
		return
	}
	_ = s.running.Close()
	s.running = nil
	s.serving.Wait()
	s.handler.Lock() // the requests that were cut have ended
	defer s.handler.Unlock()
}

// Restart makes the provider reachable again at the same address, after [Server.Stop]
// or instead of it. It keeps the sessions, codes, tokens and keys. An application that
// met the outage may wait for up to five seconds before it reads the metadata again.
func (s *Server) Restart() {
	s.tb.Helper()
	s.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serve(s.listen(s.address))
}

// AddClient registers another client, or changes one; see [Provider.SetClient].
// A failure ends the test.
func (s *Server) AddClient(c Client) {
	s.tb.Helper()
	if err := s.SetClient(c); err != nil {
		s.tb.Fatal(err)
	}
}

// SetRedirectURIs replaces the redirect URIs of the client of [Server.Client]. It can
// be called at any time. A URI that cannot be registered ends the test.
func (s *Server) SetRedirectURIs(uris ...string) {
	s.tb.Helper()
	s.change(func(c *Client) { c.RedirectURIs = uris })
}

// SetPostLogoutRedirectURIs does the same for post-logout redirect URIs.
func (s *Server) SetPostLogoutRedirectURIs(uris ...string) {
	s.tb.Helper()
	s.change(func(c *Client) { c.PostLogoutRedirectURIs = uris })
}

func (s *Server) change(edit func(*Client)) {
	s.tb.Helper()
	c, ok := s.client(s.Client.ID)
	if !ok {
		s.tb.Fatal(errors.New("agentconnecttest: the client is gone"))
	}
	edit(&c)
	s.AddClient(c)
}

// RotateKeys is [Provider.RotateKeys]; a failure ends the test.
func (s *Server) RotateKeys() (former []Key) {
	s.tb.Helper()
	former, err := s.Provider.RotateKeys()
	if err != nil {
		s.tb.Fatal(err)
	}
	return former
}

// NewKey is [Provider.NewKey]; a failure ends the test.
func (s *Server) NewKey(alg string) Key {
	s.tb.Helper()
	k, err := s.Provider.NewKey(alg)
	if err != nil {
		s.tb.Fatal(err)
	}
	return k
}
