package resourceserver

import (
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/internal/settings"
)

const (
	minCache = time.Second
	maxCache = 10 * time.Minute
)

// An Option records one setting for [New], which checks all of them together. If two
// options record the same setting, the later one wins.
type Option func(*config)

// config holds the settings: the defaults, and then the options. configure validates
// it.
type config struct {
	environment  agentconnect.Environment
	issuer       string // configure sets that of the environment
	clientID     string
	clientSecret string
	clients      []string
	alg          agentconnect.Alg
	cache        time.Duration
	httpClient   *http.Client
	logger       *slog.Logger
	errorHandler agentconnect.ErrorHandler
	now          func() time.Time
	problems     *settings.Problems // found so far, by options too
}

// WithEnvironment chooses the ProConnect that issues the tokens. Required, unless
// [WithIssuer] names an issuer; both at once is an error.
func WithEnvironment(e agentconnect.Environment) Option {
	return func(c *config) { c.environment = e }
}

// WithIssuer names the OpenID provider by its issuer URL, in place of an environment:
// see [agentconnect.WithIssuer].
func WithIssuer(issuer string) Option {
	return func(c *config) { c.issuer = issuer }
}

// WithClient gives the client_id and client_secret of the resource server itself.
// Required. Its registration is not that of a service that calls it.
func WithClient(id, secret string) Option {
	return func(c *config) { c.clientID, c.clientSecret = id, secret }
}

// WithAllowedClients lists the client_id of each service that may call. Required.
// ProConnect tells any registered client about any token: without the list, a service
// that gets an agent to log in could call the API as that agent.
func WithAllowedClients(ids ...string) Option {
	return func(c *config) { c.clients = ids }
}

// WithIntrospectionAlg gives the registered introspection_signed_response_alg:
// RS256, ES256 or HS256. Every answer about a token must then be signed with it (RFC
// 9701). The default is [agentconnect.Unsigned], for a registration without one.
func WithIntrospectionAlg(alg agentconnect.Alg) Option {
	return func(c *config) { c.alg = alg }
}

// WithCache makes the resource server remember for d that a token is good, but never
// past the end of the token. d is from a second to ten minutes. A revoked token is
// accepted for up to d more. By default, ProConnect is asked at each request. At most
// ten thousand tokens are remembered, by their hashes. Refused tokens are not
// remembered.
func WithCache(d time.Duration) Option {
	return func(c *config) { c.cache = d }
}

// WithHTTPClient sets the client for the requests to ProConnect: see
// [agentconnect.WithHTTPClient].
func WithHTTPClient(client *http.Client) Option {
	return func(c *config) { c.httpClient = client }
}

// WithLogger sets the logger of refusals and failures, one line each. A line never
// contains a token, a secret or a sub. The default is slog.Default at the time New is
// called.
func WithLogger(logger *slog.Logger) Option {
	return func(c *config) { c.logger = logger }
}

// WithErrorHandler replaces the answer to every refusal, a problem by default. The
// handler can fall back on it with [Server.ServeError].
func WithErrorHandler(h agentconnect.ErrorHandler) Option {
	return func(c *config) { c.errorHandler = h }
}

// FromEnv reads settings from environment variables, as [agentconnect.FromEnv] does:
// PROCONNECT_ENVIRONMENT, PROCONNECT_ISSUER, PROCONNECT_CLIENT_ID and
// PROCONNECT_CLIENT_SECRET, or the same names with AGENTCONNECT_.
func FromEnv() Option {
	return func(c *config) {
		settings.ReadProvider(c.problems, &c.environment, &c.issuer)
		settings.Read(c.problems, settings.ClientID, &c.clientID)
		settings.Read(c.problems, settings.ClientSecret, &c.clientSecret)
	}
}

// configure returns the settings of New. It makes no network call.
func configure(serveError agentconnect.ErrorHandler, opts []Option) (*config, error) {
	p := &settings.Problems{}
	c := &config{
		alg:          agentconnect.Unsigned,
		httpClient:   &http.Client{},
		logger:       slog.Default(),
		errorHandler: serveError,
		now:          time.Now,
		problems:     p,
	}
	settings.Record(p, c, opts)
	p.Hide(c.clientSecret)
	c.issuer = p.Issuer(string(c.environment), c.issuer)
	p.Client(c.clientID, c.clientSecret, "this API")
	p.Want(len(c.clients) > 0, "WithAllowedClients", "list the client_id of each service that may call; ProConnect tells any client about any token")
	for _, id := range c.clients {
		if id == "" || strings.TrimSpace(id) != id {
			p.Add("WithAllowedClients", "invalid", "a client_id is empty, or begins or ends with white space")
		}
	}
	p.AlgOrNone("WithIntrospectionAlg", string(c.alg))
	if c.cache != 0 {
		p.Between("WithCache", c.cache, minCache, maxCache)
	}
	p.Calls(c.httpClient, c.logger, c.errorHandler != nil)
	return c, p.Err(func(problem settings.Problem) error { return (*agentconnect.ConfigError)(&problem) })
}
