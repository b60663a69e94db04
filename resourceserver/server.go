package resourceserver

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/internal/provider"
	"github.com/agentconnect-go/agentconnect/internal/settings"
)

// A Server keeps calls without a good access token out of the routes of an API. Its
// methods can be called by several goroutines. [New] makes one.
type Server struct {
	issuer       string
	clients      []string // the services whose tokens are accepted
	provider     *provider.Provider
	tokens       *tokens
	errorHandler agentconnect.ErrorHandler
	logger       *slog.Logger
	now          func() time.Time
}

// New returns a Server. [WithEnvironment] or [WithIssuer], [WithClient] and
// [WithAllowedClients] are required. New makes no network call. When the options are
// incomplete, contradictory or unsafe, it returns an error that joins an
// [*agentconnect.ConfigError] for each problem.
func New(opts ...Option) (*Server, error) {
	s := &Server{}
	c, err := configure(s.ServeError, opts)
	if err != nil {
		return nil, err
	}
	*s = Server{
		issuer:       c.issuer,
		clients:      slices.Clone(c.clients),
		errorHandler: c.errorHandler,
		logger:       c.logger,
		now:          c.now,
		provider: provider.New(provider.Config{
			Issuer:           c.issuer,
			SameOrigin:       settings.EnvironmentOf(c.issuer) != "",
			ClientID:         c.clientID,
			ClientSecret:     c.clientSecret,
			IntrospectionAlg: jose.SignatureAlgorithm(c.alg),
			Client:           c.httpClient,
			Logger:           c.logger,
			Now:              c.now,
		}),
	}
	s.tokens = newTokens(c.now, c.cache, s.introspect)
	return s, nil
}

// Format writes only the issuer, for every verb: for some verbs, fmt would write the
// client secret.
func (s *Server) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "resourceserver.Server(%s)", s.issuer) }

// Ready returns nil if the provider's metadata is known, so that tokens can be
// introspected, and otherwise an error. It is for the readiness probe of an
// orchestrator. It reads the metadata, within ctx, if it was not read yet.
func (s *Server) Ready(ctx context.Context) error {
	if _, err := s.provider.IntrospectionEndpoint(ctx); err != nil {
		return fmt.Errorf("agentconnect: %w", err)
	}
	return nil
}

// RequireToken runs next only for calls with a good access token: ProConnect says that
// it is active, that it belongs to an agent, and that it was issued to one of the
// services of [WithAllowedClients]. [TokenFrom] returns it.
//
// The token must be in the Authorization header (RFC 6750 section 2.1) and nowhere
// else: URLs end up in logs. A refusal is a problem (RFC 9457), with a WWW-Authenticate
// challenge where one applies (RFC 6750 section 3):
//
//	401 unauthenticated     there is no bearer token
//	400 invalid_request     a malformed or repeated header, or a second token in the query
//	401 invalid_token       not active, of no agent, or issued to another service
//	403 insufficient_scope  see RequireScopes
//	503 provider_…          ProConnect does not answer as it should
//	503 overloaded          too many tokens are being asked about
//	500 invalid_client      ProConnect does not accept the credentials of this API
//
// Each 503 has a Retry-After. Calls with the same token at the same time share one
// request to ProConnect, which is cancelled when all of them have left. Answers have
// Cache-Control: no-store and Vary: Authorization, which next can replace.
//
// RequireToken tells for which agent and which service the call is. The application
// decides what the agent may do. A browser that calls from another origin sends a
// preflight request without a token: answer it before RequireToken.
func (s *Server) RequireToken(next http.Handler) http.Handler { return s.protect(nil, next) }

// RequireScopes returns a middleware like [Server.RequireToken] that also requires all
// of the scopes. A token without them gets 403 insufficient_scope. Inside RequireToken
// it does not ask ProConnect again.
//
// Scopes of ProConnect say which data a service may have ("siret", "email"…).
// RequireScopes panics if one is not a scope (RFC 6749 section 3.3), as routers do for
// a malformed pattern: such a route would refuse every call.
func (s *Server) RequireScopes(scopes ...string) func(http.Handler) http.Handler {
	for _, scope := range scopes {
		if !settings.IsScope(scope) {
			panic(fmt.Sprintf("agentconnect: RequireScopes: %q is not a scope", scope))
		}
	}
	scopes = slices.Clone(scopes)
	return func(next http.Handler) http.Handler { return s.protect(scopes, next) }
}

// protect is RequireToken with scopes.
func (s *Server) protect(scopes []string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		found := fromContext(r.Context())
		if found == nil || found.owner != s {
			w.Header().Set("Cache-Control", "no-store")
			w.Header().Add("Vary", "Authorization")
			token, err := s.identify(r)
			if err != nil {
				s.refuse(w, r, err, scopes)
				return
			}
			found = &tokenOf{owner: s, token: token}
			r = r.WithContext(context.WithValue(r.Context(), tokenKey{}, found))
		}
		if missing := slices.DeleteFunc(slices.Clone(scopes), found.token.HasScope); len(missing) > 0 {
			s.refuse(w, r, insufficientScope(missing), scopes)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// identify returns the Token of a request.
func (s *Server) identify(r *http.Request) (*Token, error) {
	raw, err := bearerToken(r)
	if err != nil {
		return nil, err
	}
	return s.tokens.get(r.Context(), raw)
}
