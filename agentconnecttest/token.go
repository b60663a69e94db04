package agentconnecttest

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

func (p *Provider) serveToken(a *Answer, r *http.Request) {
	c, ok := p.authenticate(a, r)
	if !ok {
		return
	}
	switch grantType := r.PostForm.Get("grant_type"); grantType {
	case "":
		a.oauthError(http.StatusBadRequest, "invalid_request", "missing required parameter 'grant_type'")
	case "authorization_code":
		p.exchange(a, r, c)
	case "refresh_token":
		p.refreshTokens(a, r, c)
	default:
		a.oauthError(http.StatusBadRequest, "unsupported_grant_type", "unsupported grant_type requested")
	}
}

// serverError is the real one's answer if the agent has no session: after a logout in
// another application, or after twelve hours.
func serverError(a *Answer) {
	a.oauthError(http.StatusInternalServerError, "server_error", "oops! something went wrong")
}

func invalidGrant(a *Answer) {
	a.oauthError(http.StatusBadRequest, "invalid_grant", "grant request is invalid")
}

// exchange redeems a code, once. A second use revokes all the tokens of the first one.
func (p *Provider) exchange(a *Answer, r *http.Request, c Client) {
	for _, name := range []string{"code", "redirect_uri"} {
		if r.PostForm.Get(name) == "" {
			a.oauthError(http.StatusBadRequest, "invalid_request", "missing required parameter '"+name+"'")
			return
		}
	}
	switch g, problem := p.useCode(c, r.PostForm); problem {
	case "":
		p.answerTokens(a, c, g, g.scopes, "")
	case "server_error":
		serverError(a)
	default:
		invalidGrant(a)
	}
}

// useCode returns the grant of a code that may be used now, or the code of an error.
func (p *Provider) useCode(c Client, form url.Values) (g *grant, problem string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := p.state.codes[form.Get("code")]
	now := p.now()
	switch {
	case found == nil, found.grant.clientID != c.ID, found.grant.revoked, now.After(found.expires),
		found.redirectURI != form.Get("redirect_uri"), !pkceMatches(found.challenge, form.Get("code_verifier")):
		return nil, "invalid_grant"
	case found.used:
		found.grant.revoked = true
		return nil, "invalid_grant"
	case p.state.alive(found.grant.sub, now) == nil:
		return nil, "server_error"
	}
	found.used = true
	return found.grant, ""
}

// pkceMatches is RFC 7636, 4.6, with S256. A verifier without a challenge is
// refused too.
func pkceMatches(challenge, verifier string) bool {
	if challenge == "" {
		return verifier == ""
	}
	digest := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(digest[:]) == challenge
}

// refreshTokens answers a refresh. It gives the same refresh token until 70 % of its
// life is over, and then a new one. Redeeming the old one again revokes the whole
// grant.
func (p *Provider) refreshTokens(a *Answer, r *http.Request, c Client) {
	value := r.PostForm.Get("refresh_token")
	if value == "" {
		a.oauthError(http.StatusBadRequest, "invalid_request", "missing required parameter 'refresh_token'")
		return
	}
	found, scopes, problem := p.useRefreshToken(c, value, strings.Fields(r.PostForm.Get("scope")))
	switch problem {
	case "":
		if found.used {
			value = "" // another one takes its place
		}
		p.answerTokens(a, c, found.grant, scopes, value)
	case "invalid_scope":
		a.oauthError(http.StatusBadRequest, problem, "refresh token missing requested scope")
	case "server_error":
		serverError(a)
	default:
		invalidGrant(a)
	}
}

// useRefreshToken returns a refresh token that may be used now, with the wanted
// scopes or, without any, all of its own; or the code of an error.
func (p *Provider) useRefreshToken(c Client, value string, wanted []string) (found *token, scopes []string, problem string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	found = p.state.refresh[value]
	now := p.now()
	switch {
	case found == nil, found.grant.clientID != c.ID, found.grant.revoked, now.After(found.expires):
		return nil, nil, "invalid_grant"
	case p.state.alive(found.grant.sub, now) == nil:
		return nil, nil, "server_error"
	case found.used:
		found.grant.revoked = true
		return nil, nil, "invalid_grant"
	case len(wanted) == 0:
		wanted = found.scopes
	}
	for _, scope := range wanted {
		if !slices.Contains(found.scopes, scope) {
			return nil, nil, "invalid_scope"
		}
	}
	found.used = p.rules.rotate || now.Sub(found.issued) >= found.expires.Sub(found.issued)*7/10
	return found, wanted, ""
}

// answerTokens sends the tokens of issueTokens.
func (p *Provider) answerTokens(a *Answer, c Client, g *grant, scopes []string, refresh string) {
	issued, err := p.issueTokens(c, g, scopes, refresh)
	if err != nil {
		a.oauthError(http.StatusInternalServerError, "server_error", err.Error())
		return
	}
	body := Members{
		{"access_token", issued.AccessToken},
		{"expires_in", int(p.ruled().accessLife / time.Second)},
	}
	if issued.IDToken != "" {
		body.Add("id_token", issued.IDToken)
	}
	body.Add("refresh_token", issued.RefreshToken)
	body.Add("scope", strings.Join(scopes, " "))
	body.Add("token_type", "Bearer")
	a.json(http.StatusOK, body)
}

// issueTokens issues an access token, an ID token when openid is among the scopes
// and, unless one is given, a refresh token.
func (p *Provider) issueTokens(c Client, g *grant, scopes []string, refresh string) (Issued, error) {
	now := p.now()
	issued := Issued{
		ClientID: c.ID, Agent: g.agent, Sub: g.sub, Nonce: g.nonce,
		AccessToken: random(), RefreshToken: refresh, Time: now,
	}
	if slices.Contains(scopes, "openid") {
		var err error
		if issued.IDToken, err = p.idToken(c, g, issued.AccessToken); err != nil {
			return Issued{}, err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state.access[issued.AccessToken] = &token{grant: g, scopes: scopes, issued: now, expires: now.Add(p.rules.accessLife)}
	if refresh == "" {
		issued.RefreshToken = random()
		p.state.refresh[issued.RefreshToken] = &token{grant: g, scopes: g.scopes, issued: now, expires: now.Add(refreshLife)}
	}
	if issued.IDToken != "" {
		g.idToken = issued.IDToken
	}
	p.state.remember(issued)
	p.state.purge(now)
	return issued, nil
}

func (p *Provider) idToken(c Client, g *grant, access string) (string, error) {
	t := p.newJWT(c, c.IDTokenAlg, "JWT")
	t.IDToken = p.lastIDToken(g)
	t.Claims.Set("sub", g.sub)
	for _, claim := range []Member{{"acr", g.acr}, {"amr", g.amr}, {"sid", g.sid}} {
		if slices.Contains(g.claims.idToken, claim.Name) {
			t.Claims.Set(claim.Name, claim.Value)
		}
	}
	now := p.now()
	t.Claims.Set("auth_time", g.authTime.Unix())
	t.Claims.Set("nonce", g.nonce)
	t.Claims.Set("at_hash", leftHalf(access))
	t.Claims.Set("aud", c.ID)
	t.Claims.Set("exp", now.Add(idTokenLife).Unix())
	t.Claims.Set("iat", now.Unix())
	t.Claims.Set("iss", p.issuer)
	for _, tamper := range p.faults.take(func(t Tamper) bool { return t.IDToken != nil }) {
		tamper.IDToken(t)
	}
	return t.compact()
}

func (p *Provider) lastIDToken(g *grant) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return g.idToken
}
