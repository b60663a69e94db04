package agentconnecttest

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
)

// newInteraction begins a passage through the provider's pages. It shows no page yet.
func (p *Provider) newInteraction(browser string, request authorization) *interaction {
	now := p.now()
	i := &interaction{id: random(), browser: browser, request: request, expires: now.Add(interactionLife)}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state.started++
	i.number = p.state.started
	p.state.interactions[i.id] = i
	p.state.purge(now)
	return i
}

// serveInteraction shows the page of an interaction and receives its form: first the
// login page and then, if necessary, the page that asks for a code.
func (p *Provider) serveInteraction(a *Answer, r *http.Request, id string) {
	browser := cookieValue(r, cookieBrowser)
	if id, ok := strings.CutSuffix(id, pathInteractionError); ok {
		p.goBack(a, r, id, browser)
		return
	}
	i, mail := p.openInteraction(id, browser)
	switch {
	case i == nil && r.Method == http.MethodPost && p.isForeign(id, browser):
		p.errorPage(a, r, "Y470001", "this form is not of this browser", nil)
	case i == nil:
		p.interactionOver(a, r)
	case mail && r.Method == http.MethodPost:
		p.receiveMailCode(a, r, i)
	case mail:
		p.mailCodePage(a, r, i, "")
	case r.Method == http.MethodPost:
		p.receiveChoice(a, r, i)
	default:
		p.loginPage(a, r, i)
	}
}

// receiveChoice receives the form of the login page.
func (p *Provider) receiveChoice(a *Answer, r *http.Request, i *interaction) {
	agent, known := p.Agent(r.PostForm.Get("agent"))
	refuses := r.PostForm.Has("refuse")
	if !known && !refuses {
		p.errorPage(a, r, "Y000400", "no such demonstration agent", nil)
		return
	}
	if p.faults.crossTabs() {
		if i, _ = p.openInteraction(p.latestInteraction(i.browser).id, i.browser); i == nil {
			p.interactionOver(a, r)
			return
		}
	}
	if refuses {
		p.endWithError(a, i, redirectError{"access_denied", descriptionAborted})
		return
	}
	auth := agent.authenticate(i.request.claims.essentialACR, r.PostForm.Get("acr"))
	p.conclude(a, r, i, p.logIn(a, r, agent, auth))
}

// conclude answers an interaction for the session with that key: with a code for the
// application, with the page that asks for a code by e-mail, or with a refusal.
func (p *Provider) conclude(a *Answer, r *http.Request, i *interaction, key string) {
	request := i.request
	c, _ := p.client(request.clientID)
	agent, auth, blocked, ok := p.sessionOf(key)
	if !ok {
		p.interactionOver(a, r)
		return
	}
	switch {
	case blocked:
		p.errorPage(a, r, "Y500024", "the account is blocked", i)
		return
	case !c.acceptsEmail(agent.Email()):
		p.errorPage(a, r, "Y500025", "the service accepts other e-mail domains", i)
		return
	case c.PublicOnly && !slices.Contains(agent.roles(), "agent_public"):
		p.errorPage(a, r, "Y500015", "the service accepts public agents only", i)
		return
	}
	acr, ok := auth.acrFor(request.claims.essentialACR)
	switch {
	case ok:
		value, open := p.useInteraction(i, key, acr)
		if !open {
			p.interactionOver(a, r)
			return
		}
		p.redirectBack(a, request.redirectURI, "code", value, "state", request.state)
	case !p.ruled().rie && auth.mailMayHelp(request.claims.essentialACR):
		p.askForMailCode(a, i, key, agent)
	default:
		p.endWithError(a, i, redirectError{"access_denied", descriptionACR})
	}
}

// goBack serves the link of an error page. As on the real one, it uses the code and the
// text of the link: anyone can write such a link.
func (p *Provider) goBack(a *Answer, r *http.Request, id, browser string) {
	i, _ := p.openInteraction(id, browser)
	query := r.URL.Query()
	problem := redirectError{cmp.Or(query.Get("error"), "server_error"), cmp.Or(query.Get("error_description"), "An unexpected error occurred")}
	switch {
	case i == nil:
		p.interactionOver(a, r)
	case max(len(problem.code), len(problem.description)) > 256:
		p.errorPage(a, r, "Y000400", "error or error_description is too long", nil)
	default:
		p.endWithError(a, i, problem)
	}
}

// endWithError ends an interaction with an error for the application.
func (p *Provider) endWithError(a *Answer, i *interaction, problem redirectError) {
	p.mu.Lock()
	i.done = true
	p.mu.Unlock()
	p.redirectBack(a, i.request.redirectURI, "error", problem.code, "error_description", problem.description, "state", i.request.state)
}

// interactionOver shows that this browser has no such interaction.
func (p *Provider) interactionOver(a *Answer, r *http.Request) {
	p.errorPage(a, r, "oidc-provider-error:session-not-found", "this login is over, expired, or was started in another browser", nil)
}

// openInteraction returns the open interaction of a browser, or nil, and whether it
// waits for a code by e-mail.
func (p *Provider) openInteraction(id, browser string) (i *interaction, mail bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i = p.state.interactions[id]; !p.isOpen(i, browser) {
		return nil, false
	}
	return i, i.session != ""
}

// isForeign reports whether a form was sent without the cookies of its page.
func (p *Provider) isForeign(id, browser string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := p.state.interactions[id]
	return browser == "" || i != nil && i.browser != browser
}

// isOpen needs p.mu.
func (p *Provider) isOpen(i *interaction, browser string) bool {
	return i != nil && !i.done && i.browser == browser && !p.now().After(i.expires)
}

// useInteraction ends an interaction and returns the code for the application. It is
// false when another request was faster.
func (p *Provider) useInteraction(i *interaction, key, acr string) (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.state.sessions[key]
	if i.done || s == nil {
		return "", false
	}
	i.done = true
	return p.issueCode(i.request, key, s, acr), true
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
	hinted := func(a Agent) bool { return request.loginHint != "" && a.Email() == request.loginHint }
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
