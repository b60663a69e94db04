package agentconnecttest

import (
	"cmp"
	"net/http"
	"slices"
)

// startInteraction sends the browser to the login page.
func (p *Provider) startInteraction(a *Answer, browser string, request authorization) {
	now := p.now()
	i := &interaction{id: random(), browser: browser, request: request, expires: now.Add(interactionLife)}
	p.mu.Lock()
	p.state.started++
	i.number = p.state.started
	p.state.interactions[i.id] = i
	p.state.purge(now)
	p.mu.Unlock()
	a.seeOther(p.issuer + pathInteraction + i.id)
}

// serveInteraction shows the login page and receives its form.
func (p *Provider) serveInteraction(a *Answer, r *http.Request, id string) {
	browser := cookieValue(r, cookieBrowser)
	i := p.usableInteraction(id, browser, false)
	if i == nil {
		p.interactionOver(a, r)
		return
	}
	if r.Method != http.MethodPost {
		p.loginPage(a, r, i)
		return
	}
	agent, known := p.Agent(r.PostForm.Get("agent"))
	refuses := r.PostForm.Has("refuse")
	if !known && !refuses {
		p.errorPage(a, r, http.StatusBadRequest, "Y000400", "no such demonstration agent")
		return
	}
	if p.faults.crossTabs() {
		id = p.latestInteraction(browser).id
	}
	if i = p.usableInteraction(id, browser, true); i == nil {
		p.interactionOver(a, r)
		return
	}
	request := i.request
	if refuses {
		p.redirectBack(a, request.redirectURI, "error", "access_denied", "error_description", "the agent refused to log in", "state", request.state)
		return
	}
	auth := agent.authenticate(request.claims.essentialACR, r.PostForm.Get("acr"))
	acr, ok := auth.acrFor(request.claims.essentialACR)
	if !ok {
		p.redirectBack(a, request.redirectURI, "error", "access_denied", "error_description", "requested ACRs could not be satisfied", "state", request.state)
		return
	}
	value := p.logIn(a, r, request, agent, auth, acr)
	p.redirectBack(a, request.redirectURI, "code", value, "state", request.state)
}

func (p *Provider) interactionOver(a *Answer, r *http.Request) {
	p.errorPage(a, r, http.StatusBadRequest, "Y030110", "this login is over, expired, or was started in another browser")
}

// usableInteraction returns the interaction of a browser that can still be
// answered, or nil; with use, nobody can afterwards.
func (p *Provider) usableInteraction(id, browser string, use bool) *interaction {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := p.state.interactions[id]
	if i == nil || i.done || i.browser != browser || p.now().After(i.expires) {
		return nil
	}
	i.done = use
	return i
}

// latestInteraction needs a browser that has one.
func (p *Provider) latestInteraction(browser string) *interaction {
	p.mu.Lock()
	defer p.mu.Unlock()
	var latest *interaction
	for _, i := range p.state.interactions {
		if i.browser == browser && (latest == nil || i.number > latest.number) {
			latest = i
		}
	}
	return latest
}

// logIn opens a session in the browser and returns the code for the application.
func (p *Provider) logIn(a *Answer, r *http.Request, request authorization, agent Agent, auth authentication, acr string) string {
	s := p.newSession(agent, auth)
	key := random()
	p.mu.Lock()
	delete(p.state.sessions, cookieValue(r, cookieSession)) // one session for each browser
	p.state.sessions[key] = s
	value := p.issueCode(request, key, s, acr)
	p.mu.Unlock()
	p.setCookie(a, cookieSession, key)
	return value
}

// newSession needs an agent that nobody else holds.
func (p *Provider) newSession(agent Agent, auth authentication) *session {
	if _, given := agent.Claims["idp_acr"]; !given {
		agent.Claims["idp_acr"] = auth.idpACR
	}
	return &session{agent: agent, auth: auth, expires: p.now().Add(sessionLife)}
}

// choices lists the agents that the login page offers, the best fit first.
func (p *Provider) choices(request authorization) []Agent {
	p.mu.Lock()
	var agents []Agent
	for _, a := range p.agents {
		agents = append(agents, a.clone())
	}
	p.mu.Unlock()
	if request.idpHint != "" {
		agents = slices.DeleteFunc(agents, func(a Agent) bool { return a.idp() != request.idpHint })
	}
	hinted := func(a Agent) bool { return a.Email() == request.loginHint }
	if slices.ContainsFunc(agents, hinted) {
		agents = slices.DeleteFunc(agents, func(a Agent) bool { return !hinted(a) })
	}
	slices.SortStableFunc(agents, func(a, b Agent) int {
		return cmp.Compare(fitsSIRET(b, request.siretHint), fitsSIRET(a, request.siretHint))
	})
	return agents
}

func fitsSIRET(a Agent, hint string) int {
	if hint != "" && a.Claims["siret"] == hint {
		return 1
	}
	return 0
}
