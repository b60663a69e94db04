package agentconnecttest

import (
	"net/http"
)

// The provider's own cookies. Cookies ignore ports, so their names and path must differ
// from those of an application on the same host.
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

// browser returns the identifier of a browser. It sets the cookie if there is none.
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
		delete(p.state.sessions, key)
		s = nil
	}
	return key, s
}

// serveLogin answers a request to authorize: with login_required if a silent login
// finds no session, from the browser's session if it fits, and otherwise with the login
// page. As on the real one, a silent login whose session does not fit gets the login
// page too, and the session ends.
func (p *Provider) serveLogin(a *Answer, r *http.Request, browser string, request authorization) {
	picked := p.picked(r)
	p.mu.Lock()
	key, s := p.openSession(r)
	fits := s != nil && s.fits(request) && (picked == nil || picked.Login == s.agent.Login)
	if s != nil && !fits {
		delete(p.state.sessions, key) // its grants stay
	}
	p.mu.Unlock()
	switch {
	case s == nil && request.silent:
		p.redirectBack(a, request.redirectURI, "error", "login_required",
			"error_description", "End-User authentication is required", "state", request.state)
	case fits:
		p.conclude(a, r, p.newInteraction(browser, request), key)
	case picked != nil:
		auth := picked.authenticate(request.claims.essentialACR, "")
		_, reached := auth.acrFor(request.claims.essentialACR)
		auth.mail = !reached && !p.ruled().rie && auth.mailMayHelp(request.claims.essentialACR)
		p.conclude(a, r, p.newInteraction(browser, request), p.logIn(a, r, *picked, auth))
	default:
		a.seeOther(p.issuer + pathInteraction + p.newInteraction(browser, request).id)
	}
}

// picked returns the agent that [Config.PickAgent] logs in, or nil.
func (p *Provider) picked(r *http.Request) *Agent {
	pick := p.ruled().pick
	if pick == nil {
		return nil
	}
	agent, ok := p.Agent(pick(r))
	if !ok {
		return nil
	}
	return &agent
}

// fits reports whether a session can answer a request without a page.
func (s *session) fits(request authorization) bool {
	essential := request.claims.essentialACR
	acr, reached := s.auth.acrFor(essential)
	return reached && (len(essential) == 0 || !needsFreshLogin(acr)) &&
		(request.loginHint == "" || s.agent.Email() == request.loginHint) &&
		(request.idpHint == "" || s.agent.idp() == request.idpHint)
}

// sessionOf returns the agent of a session, their authentication, and whether their
// account is blocked now.
func (p *Provider) sessionOf(key string) (agent Agent, auth authentication, blocked, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.state.sessions[key]
	if s == nil {
		return Agent{}, authentication{}, false, false
	}
	current := p.agentByLogin(s.agent.Login)
	return s.agent, s.auth, current != nil && current.Blocked, true
}

// logIn opens a session in the browser and returns its key.
func (p *Provider) logIn(a *Answer, r *http.Request, agent Agent, auth authentication) string {
	s := p.newSession(agent, auth)
	key := random()
	p.mu.Lock()
	delete(p.state.sessions, cookieValue(r, cookieSession)) // one session for each browser
	p.state.sessions[key] = s
	p.mu.Unlock()
	p.setCookie(a, cookieSession, key)
	return key
}

// newSession changes the agent: the caller must not share it. It adds the claims that
// the real one computes: idp_acr, and roles, an empty array if there are none.
func (p *Provider) newSession(agent Agent, auth authentication) *session {
	if _, given := agent.Claims["idp_acr"]; !given {
		agent.Claims["idp_acr"] = auth.idpACR
	}
	if _, given := agent.Claims["roles"]; !given {
		agent.Claims["roles"] = []string{}
	}
	if p.ruled().rie {
		agent.Claims["roles"] = []string{"agent_public"}
		delete(agent.Claims, "organization_label")
	}
	return &session{agent: agent, auth: auth, expires: p.now().Add(sessionLife)}
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

// grant makes the session with that key the agent's latest. It needs p.mu.
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
		amr:      s.auth.amr(),
		authTime: p.now(),
	}
	s.grants = append(s.grants, g)
	p.state.latest[g.sub] = key
	return g
}
