package agentconnect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/go-jose/go-jose/v4"

	"github.com/agentconnect-go/agentconnect/internal/provider"
)

// retryAfter is when a caller may try again after an answer of 503, in seconds.
const retryAfter = "5"

// A ResourceServer lets the calls that services make on behalf of an agent, with
// the access token that AgentConnect gave them, through to an API: it asks
// AgentConnect about each token (introspection, RFC 7662), with a registration
// of its own, and answers refusals as RFC 6750 says. It knows neither sessions nor
// cookies, and never redirects. Its methods can be called by several goroutines.
// One is made by [NewResourceServer].
//
// A service sends the token in the Authorization header. It gets one with
// [Authenticator.Client].
type ResourceServer struct {
	config  *config
	clients []string // whose tokens are accepted
	alg     Alg

	provider *provider.Provider
	tokens   *introspections
}

// NewResourceServer returns a ResourceServer with the settings that the options
// record. It takes [WithEnvironment] or [WithIssuer], [WithClient] with the
// resource server's own client_id and client_secret, [WithAllowedClients],
// [WithIntrospectionAlg], [WithIntrospectionCache], [WithHTTPClient],
// [WithLogger], [WithErrorHandler] and [FromEnv], of which it uses the
// environment, the issuer and the client. Like [New], it makes no network call,
// and returns an error that joins a [*ConfigError] for each problem, options that
// only a login has a use for among them.
func NewResourceServer(opts ...Option) (*ResourceServer, error) {
	rs := &ResourceServer{}
	c, p := newConfig(rs.ServeError), &problems{}
	c.record(p, opts)
	for i, opt := range opts {
		var alone config
		if opt != nil {
			opt(&alone)
		}
		if alone.isForLoginsOnly() {
			p.add(fmt.Sprintf("option %d", i+1), "conflict", "a resource server has no use for what this option sets; it takes WithEnvironment, WithIssuer, WithClient, WithAllowedClients, WithIntrospectionAlg, WithIntrospectionCache, WithHTTPClient, WithLogger, WithErrorHandler, FromEnv")
		}
	}
	p.issuer(c)
	p.client(c)
	p.backChannel(c)
	p.introspection(&c.resourceServer)
	if len(p.errs) > 0 {
		return nil, errors.Join(p.errs...)
	}

	wire := c.provider()
	wire.IntrospectionAlg = jose.SignatureAlgorithm(c.resourceServer.alg)
	*rs = ResourceServer{
		config:   c,
		clients:  slices.Clone(c.resourceServer.allowedClients),
		alg:      cmp.Or(c.resourceServer.alg, Unsigned),
		provider: provider.New(wire),
	}
	rs.tokens = newIntrospections(c.now, c.resourceServer.cache, rs.introspect)
	return rs, nil
}

// Ready returns nil when the provider's metadata is known, so that tokens can be
// introspected, and otherwise why it is not: for the readiness probe of an
// orchestrator. It reads the metadata if it was not read yet, within ctx.
func (rs *ResourceServer) Ready(ctx context.Context) error {
	if _, err := rs.provider.IntrospectionEndpoint(ctx); err != nil {
		return asError(err)
	}
	return nil
}

// RequireToken lets through to next the calls that carry an access token which
// AgentConnect says is active, of an agent, issued to one of the services of
// [WithAllowedClients], with what AgentConnect says of it in the request's
// context: see [TokenFrom]. Of any other call, next never runs.
//
// The token is that of the Authorization header (RFC 6750 section 2.1), and is
// looked for nowhere else: URLs end up in logs. The others are answered a problem
// (RFC 9457) and, where it applies, a WWW-Authenticate challenge (RFC 6750 section
// 3):
//
//	401 unauthenticated     no bearer token
//	400 invalid_request     a malformed or repeated header, or a second token in the query
//	401 invalid_token       not active, of no agent, or issued to another service
//	403 insufficient_scope  see RequireScopes
//	503 provider_…          AgentConnect does not answer as it should; Retry-After says when to try again
//	500 invalid_client      AgentConnect does not accept the credentials of this resource server
//
// Calls with one token that come at the same time share one question to
// AgentConnect. Answers carry Cache-Control: no-store and Vary: Authorization,
// which next can replace.
//
// RequireToken says for whom and for which service the call is. What the agent may
// do is the application's decision. A browser that calls from another origin sends a
// preflight request without a token: what answers that goes around RequireToken.
func (rs *ResourceServer) RequireToken(next http.Handler) http.Handler {
	return rs.protect(nil, next)
}

// RequireScopes returns a middleware that does what [ResourceServer.RequireToken]
// does and demands that the token was granted all of the scopes; one that was not
// is answered 403 insufficient_scope. Inside RequireToken it does not ask
// AgentConnect again.
//
// Scopes of AgentConnect say which data a service may have ("siret", "email"…).
// RequireScopes panics when one is not a scope (RFC 6749 section 3.3), as routers
// do for a malformed pattern: such a route would refuse everybody.
func (rs *ResourceServer) RequireScopes(scopes ...string) func(http.Handler) http.Handler {
	for _, scope := range scopes {
		if !isScope(scope) {
			panic(fmt.Sprintf("agentconnect: RequireScopes: %q is not a scope", scope))
		}
	}
	scopes = slices.Clone(scopes)
	return func(next http.Handler) http.Handler { return rs.protect(scopes, next) }
}

// protect is RequireToken with scopes.
func (rs *ResourceServer) protect(scopes []string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := tokenFrom(r.Context())
		if token == nil || token.owner != rs {
			noStore(w)
			w.Header().Add("Vary", "Authorization")
			info, err := rs.identify(r)
			if err != nil {
				rs.refuse(w, r, withoutToken(err), scopes)
				return
			}
			token = &requestToken{owner: rs, info: info}
			r = r.WithContext(context.WithValue(r.Context(), tokenKey{}, token))
		}
		if lacking := slices.DeleteFunc(slices.Clone(scopes), token.info.HasScope); len(lacking) > 0 {
			refusal := newError(CodeInsufficientScope, nil)
			for _, scope := range lacking {
				refusal.Reasons = append(refusal.Reasons, Reason{French: "le scope " + scope, English: "the scope " + scope})
			}
			rs.refuse(w, r, refusal, scopes)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// identify returns what AgentConnect says of the token of a request.
func (rs *ResourceServer) identify(r *http.Request) (*TokenInfo, error) {
	raw, err := bearerToken(r)
	if err != nil {
		return nil, err
	}
	return rs.tokens.get(r.Context(), raw)
}

// withoutToken is the refusal of a call whose token is not known to be good.
// Whatever the provider does wrong is, for who calls us, our being unavailable for
// the moment.
func withoutToken(err error) *Error {
	refusal := asError(err)
	switch refusal.Code {
	case CodeProviderUnavailable, CodeProviderTimeout, CodeProviderAnswer:
		refusal.Status = http.StatusServiceUnavailable
	}
	return refusal
}

// refuse logs a refusal and has it answered.
func (rs *ResourceServer) refuse(w http.ResponseWriter, r *http.Request, e *Error, scopes []string) {
	noStore(w)
	if challenge := challengeOf(rs.config.issuer, e.Code, scopes); challenge != "" {
		w.Header().Set("WWW-Authenticate", challenge)
	}
	if e.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", retryAfter)
	}
	e.report(r.Context(), rs.config.logger)
	rs.config.errorHandler(w, r, e)
}

// ServeError is the default [ErrorHandler] of a resource server: a problem (RFC
// 9457), in English, with the members code, error_id and, where they apply,
// reasons. The headers of RFC 6750 are already set, also for another handler.
func (rs *ResourceServer) ServeError(w http.ResponseWriter, r *http.Request, e *Error) {
	title, detail := tokenMessage(e.Code)
	newProblem(e, title, detail).serve(w)
}

// tokenMessage says to the developer of a service what happened to a call.
func tokenMessage(code Code) (title, detail string) {
	switch code {
	case CodeUnauthenticated:
		return "Access token needed", "The request has no access token of AgentConnect: send one in the header Authorization, as Bearer."
	case CodeInvalidRequest:
		return "Malformed request", "The request must carry one access token, in one header Authorization, as Bearer, and nowhere else."
	case CodeInvalidToken:
		return "Access token not accepted", "The access token is expired, revoked or unknown, or was not issued to a service that this API serves."
	case CodeInsufficientScope:
		return "Scope missing", "The access token was not granted what is demanded here."
	case CodeInvalidClient:
		return "API misconfigured", "AgentConnect does not recognise this API."
	}
	m := messageOf("en", code)
	return m.title, m.happened
}
