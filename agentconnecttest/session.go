package agentconnecttest

import (
	"net/http"
)

// The provider's own cookies. Cookies ignore ports, so their names and their path must
// not be those of an application on the same host.
const (
	cookieSession = "agentconnecttest_session"
	cookieBrowser = "agentconnecttest_browser"
)

func (p *Provider) setCookie(a *Answer, name, value string) {
	cookie := &http.Cookie{
		Name:     name,
		Value:    value,
		Path:     p.base + "/",
		HttpOnly: true,
		Secure:   p.secure,
		SameSite: http.SameSiteLaxMode,
	}
	if value == "" {
		cookie.MaxAge = -1
	}
	a.Header.Add("Set-Cookie", cookie.String())
}

func cookieValue(r *http.Request, name string) string {
	if cookie, err := r.Cookie(name); err == nil {
		return cookie.Value
	}
	return ""
}

// browser returns what ties interactions to a browser, giving it a cookie if it
// has none.
func (p *Provider) browser(a *Answer, r *http.Request) string {
	browser := cookieValue(r, cookieBrowser)
	if browser == "" {
		browser = random()
		p.setCookie(a, cookieBrowser, browser)
	}
	return browser
}

// openSession returns the session of the browser, or nil. It needs p.mu.
func (p *Provider) openSession(r *http.Request) (string, *session) {
	key := cookieValue(r, cookieSession)
	s := p.state.sessions[key]
	if s != nil && p.now().After(s.expires) {
		p.state.endSession(key)
		s = nil
	}
	return key, s
}

// reuseSession answers a request to authorize from the session of the browser
// when it can, or with login_required when a silent login finds none. It reports
// whether it has answered; otherwise the agent must log in, even if the login was
// to be silent: that is how the real one treats a session that does not fit.
func (p *Provider) reuseSession(a *Answer, r *http.Request, request authorization) bool {
	p.mu.Lock()
	key, s := p.openSession(r)
	if s == nil {
		p.mu.Unlock()
		if !request.silent {
			return false
		}
		p.redirectBack(a, request.redirectURI, "error", "login_required",
			"error_description", "End-User authentication is required", "state", request.state)
		return true
	}
	acr, fits := s.auth.acrFor(request.claims.essentialACR)
	fits = fits && (request.loginHint == "" || s.agent.Email() == request.loginHint) &&
		(request.idpHint == "" || s.agent.idp() == request.idpHint) &&
		(len(request.claims.essentialACR) == 0 || !needsFreshLogin(acr))
	if !fits {
		delete(p.state.sessions, key) // what was granted during it stays granted
		p.mu.Unlock()
		return false
	}
	value := p.issueCode(request, key, s, acr)
	p.mu.Unlock()
	p.redirectBack(a, request.redirectURI, "code", value, "state", request.state)
	return true
}

// issueCode needs p.mu.
func (p *Provider) issueCode(request authorization, key string, s *session, acr string) string {
	now := p.now()
	g := p.grant(request, key, s, acr)
	value := random()
	p.state.codes[value] = &code{
		grant:       g,
		redirectURI: request.redirectURI,
		challenge:   request.challenge,
		expires:     now.Add(codeLife),
	}
	p.state.remember(Issued{ClientID: g.clientID, Agent: g.agent, Sub: g.sub, Nonce: g.nonce, Code: value, Time: now})
	p.state.purge(now)
	return value
}

// grant makes the session of that key the agent's latest. It needs p.mu.
func (p *Provider) grant(request authorization, key string, s *session, acr string) *grant {
	g := &grant{
		clientID: request.clientID,
		sub:      s.agent.Sub(),
		agent:    s.agent.Login,
		sid:      random(),
		scopes:   request.scopes,
		claims:   request.claims,
		nonce:    request.nonce,
		acr:      acr,
		amr:      s.auth.amr,
		authTime: p.now(),
	}
	s.grants = append(s.grants, g)
	p.state.latest[g.sub] = key
	return g
}
