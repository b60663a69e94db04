package agentconnecttest

import (
	"net/http"
	"strings"
)

// Endpoint names one of the provider's endpoints, in [Provider.Requests], in
// [Tamper] and in [FaultInfo].
type Endpoint string

// The endpoints.
const (
	Discovery     Endpoint = "discovery"     // GET {issuer}/.well-known/openid-configuration
	Authorize     Endpoint = "authorize"     // GET or POST {issuer}/authorize
	LoginPage     Endpoint = "login"         // GET and POST {issuer}/interaction/{id}
	Token         Endpoint = "token"         // POST {issuer}/token
	Userinfo      Endpoint = "userinfo"      // GET or POST {issuer}/userinfo
	JWKS          Endpoint = "jwks"          // GET {issuer}/jwks
	EndSession    Endpoint = "session/end"   // GET {issuer}/session/end
	Revocation    Endpoint = "revocation"    // POST {issuer}/token/revocation
	Introspection Endpoint = "introspection" // POST {issuer}/token/introspection
	Attacker      Endpoint = "attacker"      // the addresses in jku and x5u of an attacker's token
	Elsewhere     Endpoint = "elsewhere"     // the style sheet and every unknown address
)

const (
	pathDiscovery     = "/.well-known/openid-configuration"
	pathAuthorize     = "/authorize"
	pathInteraction   = "/interaction/"
	pathToken         = "/token"
	pathUserinfo      = "/userinfo"
	pathJWKS          = "/jwks"
	pathEndSession    = "/session/end"
	pathRevocation    = "/token/revocation"
	pathIntrospection = "/token/introspection"
	pathStyle         = "/demonstration.css"

	pathInteractionError = "/error" // after the id of an interaction
)

type handlerFunc func(*Answer, *http.Request)

// route finds the endpoint of a request. A request with a method that the endpoint does
// not serve counts as a request to it.
func (p *Provider) route(r *http.Request) (Endpoint, handlerFunc) {
	path, under := strings.CutPrefix(r.URL.Path, p.base)
	if !under {
		return Elsewhere, p.serveNotFound
	}
	get := r.Method == http.MethodGet || r.Method == http.MethodHead
	post := r.Method == http.MethodPost
	pick := func(e Endpoint, allowed bool, h handlerFunc) (Endpoint, handlerFunc) {
		if !allowed {
			return e, p.serveNotFound
		}
		return e, h
	}
	switch path {
	case pathDiscovery:
		return pick(Discovery, get, p.serveDiscovery)
	case pathAuthorize:
		return pick(Authorize, get || post, p.serveAuthorize)
	case pathToken:
		return pick(Token, post, p.serveToken)
	case pathUserinfo:
		return pick(Userinfo, get || post, p.serveUserinfo)
	case pathJWKS:
		return pick(JWKS, get, p.serveJWKS)
	case pathEndSession:
		return pick(EndSession, get, p.serveEndSession)
	case pathRevocation:
		return pick(Revocation, post, p.serveRevocation)
	case pathIntrospection:
		return pick(Introspection, post, p.serveIntrospection)
	case pathStyle:
		return pick(Elsewhere, get, p.serveStyle)
	case pathAttackerJWKS:
		return pick(Attacker, get, p.serveAttackerJWKS)
	case pathAttackerX5U:
		return pick(Attacker, get, p.serveAttackerCertificate)
	}
	if strings.HasPrefix(path, pathMoved) {
		return Elsewhere, p.serveMoved
	}
	if id, ok := strings.CutPrefix(path, pathInteraction); ok && id != "" {
		return pick(LoginPage, get || post, func(a *Answer, r *http.Request) { p.serveInteraction(a, r, id) })
	}
	return Elsewhere, p.serveNotFound
}

func (p *Provider) serveNotFound(a *Answer, r *http.Request) {
	p.errorPage(a, r, "Y000404", "unknown address, or method not allowed there", nil)
}

func (p *Provider) serveDiscovery(a *Answer, _ *http.Request) {
	algs := []string{"HS256", "ES256", "RS256"}
	auth := []string{"client_secret_post"}
	a.Header.Set("Cache-Control", "public, max-age=600")
	a.json(http.StatusOK, Members{
		{"acr_values_supported", supportedACRs()},
		{"authorization_endpoint", p.issuer + pathAuthorize},
		{"claims_parameter_supported", true},
		{"claims_supported", supportedClaims()},
		{"code_challenge_methods_supported", []string{"S256"}},
		{"end_session_endpoint", p.issuer + pathEndSession},
		{"grant_types_supported", []string{"authorization_code", "refresh_token"}},
		{"id_token_signing_alg_values_supported", algs},
		{"issuer", p.issuer},
		{"jwks_uri", p.issuer + pathJWKS},
		{"authorization_response_iss_parameter_supported", true},
		{"response_modes_supported", []string{"query"}},
		{"response_types_supported", []string{"code"}},
		{"scopes_supported", SupportedScopes()},
		{"subject_types_supported", []string{"public"}},
		{"token_endpoint_auth_methods_supported", auth},
		{"token_endpoint", p.issuer + pathToken},
		{"request_parameter_supported", false},
		{"request_uri_parameter_supported", false},
		{"userinfo_endpoint", p.issuer + pathUserinfo},
		{"userinfo_signing_alg_values_supported", algs},
		{"introspection_endpoint", p.issuer + pathIntrospection},
		{"introspection_endpoint_auth_methods_supported", auth},
		{"introspection_signing_alg_values_supported", algs},
		{"revocation_endpoint", p.issuer + pathRevocation},
		{"revocation_endpoint_auth_methods_supported", auth},
		{"claim_types_supported", []string{"normal"}},
	})
}
