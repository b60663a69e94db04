package resourceserver

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/internal/weburl"
)

const (
	minCache = time.Second
	maxCache = 10 * time.Minute
)

// An Option records one setting for [New], which looks at all of them together. Of
// two options that record the same setting the later one wins.
type Option func(*config)

// config is what the options record, over the defaults. configure validates it.
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
	conflicts    problems // variables of the environment with two values
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
// Required. It has a registration of its own, apart from those of the services that
// call it.
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
// RS256, ES256 or HS256, and then every answer about a token must be signed so (RFC
// 9701); or [agentconnect.Unsigned], the default, if none was registered.
func WithIntrospectionAlg(alg agentconnect.Alg) Option {
	return func(c *config) { c.alg = alg }
}

// WithCache makes the resource server remember for d that a token is good, from a
// second to ten minutes, and never past the end of the token: a token that was
// revoked is then accepted for up to d more. The default is to ask ProConnect at each
// request. Ten thousand tokens are remembered at most, by their hashes; one that was
// refused is not.
func WithCache(d time.Duration) Option {
	return func(c *config) { c.cache = d }
}

// WithHTTPClient sets the client for the requests to ProConnect: see
// [agentconnect.WithHTTPClient].
func WithHTTPClient(client *http.Client) Option {
	return func(c *config) { c.httpClient = client }
}

// WithLogger sets where refusals and failures are logged, a line each: never a token,
// a secret or a sub. The default is slog.Default at the time New is called.
func WithLogger(logger *slog.Logger) Option {
	return func(c *config) { c.logger = logger }
}

// WithErrorHandler replaces the answer to every refusal, a problem by default. The
// handler can fall back on it with [Server.ServeError].
func WithErrorHandler(h agentconnect.ErrorHandler) Option {
	return func(c *config) { c.errorHandler = h }
}

// FromEnv records what the environment variables of the process say, as
// [agentconnect.FromEnv] does, of which it reads PROCONNECT_ENVIRONMENT,
// PROCONNECT_ISSUER, PROCONNECT_CLIENT_ID and PROCONNECT_CLIENT_SECRET, or the same
// called AGENTCONNECT_….
func FromEnv() Option {
	return func(c *config) {
		read := func(option, name string) string {
			v, former := os.Getenv("PROCONNECT_"+name), os.Getenv("AGENTCONNECT_"+name)
			if v != "" && former != "" && v != former {
				c.conflicts.add(option, "conflict", fmt.Sprintf("PROCONNECT_%s and AGENTCONNECT_%s are both set, to different values; keep one", name, name))
			}
			return cmp.Or(v, former)
		}
		if environment, issuer := read(optEnvironment, "ENVIRONMENT"), read(optIssuer, "ISSUER"); environment != "" || issuer != "" {
			c.environment, c.issuer = agentconnect.Environment(environment), issuer
		}
		c.clientID = cmp.Or(read(optClientID, "CLIENT_ID"), c.clientID)
		c.clientSecret = cmp.Or(read(optSecret, "CLIENT_SECRET"), c.clientSecret)
	}
}

// configure returns the settings of New. It makes no network call.
func configure(serveError agentconnect.ErrorHandler, opts []Option) (*config, error) {
	c := &config{
		alg:          agentconnect.Unsigned,
		httpClient:   &http.Client{},
		logger:       slog.Default(),
		errorHandler: serveError,
		now:          time.Now,
	}
	var p problems
	for i, opt := range opts {
		if opt == nil {
			p.add(fmt.Sprintf("option %d", i+1), "missing", "it is nil")
			continue
		}
		opt(c)
	}
	p = append(p, c.conflicts...)
	p.issuer(c)
	p.client(c)
	p.tokens(c)
	p.hooks(c)
	return c, errors.Join(p...)
}

// problems collects what is wrong with the settings. A detail quotes no setting,
// which could be the secret in the wrong place.
type problems []error

func (p *problems) add(option, reason, detail string) {
	*p = append(*p, &agentconnect.ConfigError{Option: option, Reason: reason, Detail: detail})
}

// Where the operator finds a setting that the environment can give.
const (
	optEnvironment = "WithEnvironment (PROCONNECT_ENVIRONMENT or AGENTCONNECT_ENVIRONMENT)"
	optIssuer      = "WithIssuer (PROCONNECT_ISSUER or AGENTCONNECT_ISSUER)"
	optClientID    = "WithClient (PROCONNECT_CLIENT_ID or AGENTCONNECT_CLIENT_ID)"
	optSecret      = "WithClient (PROCONNECT_CLIENT_SECRET or AGENTCONNECT_CLIENT_SECRET)"
)

func (p *problems) issuer(c *config) {
	switch {
	case c.environment == "" && c.issuer == "":
		p.add(optEnvironment, "missing", "say which ProConnect issues the tokens: integration, production, integration-rie or production-rie (or give WithIssuer, PROCONNECT_ISSUER)")
	case c.environment != "" && c.issuer != "":
		p.add(optIssuer, "conflict", "an issuer and an environment are both given; keep one")
	case c.environment != "":
		if c.issuer = c.environment.Issuer(); c.issuer == "" {
			p.add(optEnvironment, "invalid", "it is not one of integration, production, integration-rie, production-rie")
		}
	default:
		u, err := url.Parse(c.issuer)
		switch {
		case err != nil || u.Host == "" || u.User != nil || strings.ContainsAny(c.issuer, "?#") || u.String() != c.issuer:
			p.add(optIssuer, "invalid", "it is not an absolute URL without query and fragment, as the provider spells it")
		case u.Scheme != "https" && !(u.Scheme == "http" && weburl.IsLoopback(u.Hostname())):
			p.add(optIssuer, "insecure", "it is not https; only a loopback address may do without")
		}
	}
}

func (p *problems) client(c *config) {
	for _, f := range []struct{ option, value, what string }{
		{optClientID, c.clientID, "client_id"},
		{optSecret, c.clientSecret, "client_secret"},
	} {
		switch {
		case f.value == "":
			p.add(f.option, "missing", "give the "+f.what+" that ProConnect handed out to this API")
		case strings.TrimSpace(f.value) != f.value:
			p.add(f.option, "invalid", "the value begins or ends with white space")
		}
	}
}

func (p *problems) tokens(c *config) {
	if len(c.clients) == 0 {
		p.add("WithAllowedClients", "missing", "list the client_id of each service that may call; ProConnect tells any client about any token")
	}
	for _, id := range c.clients {
		if id == "" || strings.TrimSpace(id) != id {
			p.add("WithAllowedClients", "invalid", "a client_id is empty, or begins or ends with white space")
		}
	}
	if !slices.Contains([]agentconnect.Alg{agentconnect.RS256, agentconnect.ES256, agentconnect.HS256, agentconnect.Unsigned}, c.alg) {
		p.add("WithIntrospectionAlg", "invalid", "it is not one of RS256, ES256, HS256, none")
	}
	if c.cache != 0 && (c.cache < minCache || c.cache > maxCache) {
		p.add("WithCache", "invalid", fmt.Sprintf("%v is not between %v and %v", c.cache, minCache, maxCache))
	}
}

func (p *problems) hooks(c *config) {
	if c.httpClient == nil {
		p.add("WithHTTPClient", "missing", "the client is nil")
	}
	if c.logger == nil {
		p.add("WithLogger", "missing", "the logger is nil; slog.New(slog.DiscardHandler) logs nothing")
	}
	if c.errorHandler == nil {
		p.add("WithErrorHandler", "missing", "the function is nil")
	}
}
