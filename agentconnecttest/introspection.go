package agentconnecttest

import (
	"net/http"
	"strings"

	"github.com/agentconnect-go/agentconnect/internal/negotiation"
)

const introspectionJWT = "application/token-introspection+jwt"

// serveIntrospection is RFC 7662. As on the real one, any client may introspect
// any token, and the Accept header alone decides whether the answer is signed.
func (p *Provider) serveIntrospection(a *Answer, r *http.Request) {
	c, value, ok := p.authenticateWithToken(a, r)
	if !ok {
		return
	}
	claims := p.introspect(value)
	signed := prefersJWT(r.Header)
	alg, typ := "none", ""
	if signed {
		alg, typ = c.IntrospectionAlg, "token-introspection+jwt"
	}
	t := p.newJWT(c, alg, typ)
	t.Claims = claims
	if signed {
		t.Claims = Members{
			{"token_introspection", claims},
			{"aud", c.ID},
			{"iat", p.now().Unix()},
			{"iss", p.issuer},
		}
	}
	for _, tamper := range p.faults.take(func(t Tamper) bool { return t.Introspection != nil }) {
		tamper.Introspection(t)
	}
	if t.Plain {
		a.json(http.StatusOK, t.Claims)
		return
	}
	compact, err := t.compact()
	if err != nil {
		a.oauthError(http.StatusInternalServerError, "server_error", err.Error())
		return
	}
	a.write(http.StatusOK, introspectionJWT+"; charset=utf-8", []byte(compact))
}

// prefersJWT reports whether the client prefers the signed answer. If it accepts both
// alike, the first one in the header counts.
func prefersJWT(h http.Header) bool {
	jwt, json := negotiation.MediaType(h, introspectionJWT), negotiation.MediaType(h, "application/json")
	accept := strings.Join(h.Values("Accept"), ",")
	return jwt.Precision == 3 && (jwt.Over(json) || jwt.Weight > 0 && jwt == json &&
		strings.Index(accept, introspectionJWT) < strings.Index(accept, "application/json"))
}

func (p *Provider) introspect(value string) Members {
	p.mu.Lock()
	defer p.mu.Unlock()
	found, isAccess := p.state.token(value)
	if found == nil || found.used || found.grant.revoked || p.now().After(found.expires) {
		return Members{{"active", false}}
	}
	claims := Members{
		{"active", true},
		{"sub", found.grant.sub},
		{"client_id", found.grant.clientID},
		{"exp", found.expires.Unix()},
		{"iat", found.issued.Unix()},
		{"iss", p.issuer},
		{"scope", strings.Join(found.scopes, " ")},
	}
	if isAccess {
		claims.Add("token_type", "Bearer")
	}
	return claims
}

// authenticateWithToken finds the client of a request about a token, and that
// token. On failure it has answered and returns false.
func (p *Provider) authenticateWithToken(a *Answer, r *http.Request) (Client, string, bool) {
	c, ok := p.authenticate(a, r)
	value := r.PostForm.Get("token")
	if ok && value == "" {
		a.oauthError(http.StatusBadRequest, "invalid_request", "missing required parameter 'token'")
		return Client{}, "", false
	}
	return c, value, ok
}

// serveRevocation is RFC 7009: revoking a refresh token revokes its whole grant, and an
// unknown token is not an error.
func (p *Provider) serveRevocation(a *Answer, r *http.Request) {
	c, value, ok := p.authenticateWithToken(a, r)
	if !ok {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	found, isAccess := p.state.token(value)
	switch {
	case found == nil:
	case found.grant.clientID != c.ID:
		a.oauthError(http.StatusBadRequest, "invalid_request", "this token does not belong to you")
		return
	case isAccess:
		delete(p.state.access, value)
	default:
		found.grant.revoked = true
	}
	a.write(http.StatusOK, "text/plain; charset=utf-8", nil)
}
