package agentconnect

import (
	"reflect"
	"slices"
	"strings"
	"time"
)

const (
	minIntrospectionCache = time.Second
	maxIntrospectionCache = 10 * time.Minute
)

// resourceServerSettings is what the options of resource servers record.
type resourceServerSettings struct {
	allowedClients []string
	alg            Alg
	cache          time.Duration
}

// WithAllowedClients lists the client_id of each service that may call a
// resource server. Required by [NewResourceServer], and for it alone. AgentConnect
// tells any registered client about any token: without the list, whoever gets an
// agent to log in to any service at all could call the API as that agent.
func WithAllowedClients(ids ...string) Option {
	return func(c *config) { c.resourceServer.allowedClients = ids }
}

// WithIntrospectionAlg gives the registered introspection_signed_response_alg
// of a resource server: RS256, ES256 or HS256, and then every answer about a token
// must be signed so (RFC 9701); or Unsigned, the default, where none was
// registered. It is for [NewResourceServer] alone.
func WithIntrospectionAlg(alg Alg) Option {
	return func(c *config) { c.resourceServer.alg = alg }
}

// WithIntrospectionCache makes a resource server remember for d that a token is
// good, from a second to ten minutes, and never past the end of the token: a token
// that was revoked is then accepted for up to d more. The default is to ask
// AgentConnect at each request. Ten thousand tokens are remembered at most, by
// their hashes; one that was refused is not. It is for [NewResourceServer] alone.
func WithIntrospectionCache(d time.Duration) Option {
	return func(c *config) { c.resourceServer.cache = d }
}

// isForLoginsOnly reports whether settings that one option recorded are not the
// zero ones, though all that a resource server uses of them is.
func (c config) isForLoginsOnly() bool {
	used := config{
		environment:    c.environment,
		issuer:         c.issuer,
		clientID:       c.clientID,
		clientSecret:   c.clientSecret,
		httpClient:     c.httpClient,
		logger:         c.logger,
		errorHandler:   c.errorHandler,
		resourceServer: c.resourceServer,
		now:            c.now,
	}
	return reflect.ValueOf(used).IsZero() && !reflect.ValueOf(c).IsZero()
}

// introspection checks the settings of resource servers.
func (p *problems) introspection(s *resourceServerSettings) {
	if len(s.allowedClients) == 0 {
		p.add("WithAllowedClients", "missing", "list the client_id of each service that may call; AgentConnect tells anybody about any token")
	}
	for _, id := range s.allowedClients {
		if id == "" || strings.TrimSpace(id) != id {
			p.add("WithAllowedClients", "invalid", "%s is no client_id: it is empty, or begins or ends with white space", p.shown(id))
		}
	}
	if s.alg != "" && !slices.Contains([]Alg{RS256, ES256, HS256, Unsigned}, s.alg) {
		p.add("WithIntrospectionAlg", "invalid", "%s is not one of RS256, ES256, HS256, none", p.shown(string(s.alg)))
	}
	if s.cache != 0 && (s.cache < minIntrospectionCache || s.cache > maxIntrospectionCache) {
		p.add("WithIntrospectionCache", "invalid", "%v is not between %v and %v", s.cache, minIntrospectionCache, maxIntrospectionCache)
	}
}

// notForNew reports the options that only a resource server has a use for.
func (p *problems) notForNew(c *config) {
	for _, o := range []struct {
		option string
		given  bool
	}{
		{"WithAllowedClients", c.resourceServer.allowedClients != nil},
		{"WithIntrospectionAlg", c.resourceServer.alg != ""},
		{"WithIntrospectionCache", c.resourceServer.cache != 0},
	} {
		if o.given {
			p.add(o.option, "conflict", "it is an option of NewResourceServer; New has no use for it")
		}
	}
}
