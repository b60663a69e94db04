package agentconnecttest

import (
	"net/http"
	"slices"
	"strings"
)

// serveUserinfo answers with the claims of the agent's latest session, even if the
// access token comes from another login. So a logout in another application makes it
// fail with a 500.
func (p *Provider) serveUserinfo(a *Answer, r *http.Request) {
	a.Header.Set("Cache-Control", "no-store")
	value, ok := bearer(r)
	if !ok {
		a.Header.Set("WWW-Authenticate", `Bearer realm="`+p.issuer+`"`)
		a.oauthError(http.StatusBadRequest, "invalid_request", "no access token provided")
		return
	}
	found, agent, c, problem := p.latestAgent(value)
	switch problem {
	case "":
	case "server_error":
		serverError(a)
		return
	default:
		p.invalidToken(a)
		return
	}
	t := p.newJWT(c, c.UserinfoAlg, "JWT")
	t.IDToken = p.lastIDToken(found.grant)
	for _, name := range userinfoClaims(found) {
		if value, given := agent.Claims[name]; given {
			t.Claims.Set(name, value)
		}
	}
	if !t.Plain {
		t.Claims.Set("aud", c.ID)
		t.Claims.Set("exp", found.expires.Unix())
		t.Claims.Set("iat", p.now().Unix())
		t.Claims.Set("iss", p.issuer)
	}
	for _, tamper := range p.faults.take(func(t Tamper) bool { return t.Userinfo != nil }) {
		tamper.Userinfo(t)
	}
	if t.Plain {
		a.json(http.StatusOK, t.Claims)
		return
	}
	signed, err := t.compact()
	if err != nil {
		a.oauthError(http.StatusInternalServerError, "server_error", err.Error())
		return
	}
	a.write(http.StatusOK, "application/jwt; charset=utf-8", []byte(signed))
}

// latestAgent returns the agent of an access token, with the claims of their latest
// session, and the client; or the code of an error.
func (p *Provider) latestAgent(accessToken string) (found *token, agent Agent, c Client, problem string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	found = p.state.access[accessToken]
	now := p.now()
	if found == nil || found.grant.revoked || now.After(found.expires) {
		return nil, Agent{}, Client{}, "invalid_token"
	}
	latest := p.state.alive(found.grant.sub, now)
	if latest == nil {
		return nil, Agent{}, Client{}, "server_error"
	}
	return found, latest.agent, p.clients[found.grant.clientID], ""
}

// userinfoClaims lists the claims that the token's scopes and the claims parameter ask
// for. A claim may be there twice.
func userinfoClaims(t *token) []string {
	names := claimsOf(t.scopes)
	for _, name := range t.grant.claims.userinfo {
		if slices.Contains(supportedClaims(), name) {
			names = append(names, name)
		}
	}
	return names
}

// bearer returns the token of the Authorization header (RFC 6750, 2.1) or of the
// form (2.2).
func bearer(r *http.Request) (string, bool) {
	if scheme, value, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "Bearer") && value != "" {
		return value, true
	}
	value := r.PostForm.Get("access_token")
	return value, value != ""
}

func (p *Provider) invalidToken(a *Answer) {
	a.Header.Set("WWW-Authenticate", `Bearer realm="`+p.issuer+`", error="invalid_token", error_description="invalid token provided"`)
	a.oauthError(http.StatusUnauthorized, "invalid_token", "invalid token provided")
}
