package agentconnecttest

import (
	"net/http"
	"net/url"
	"slices"
)

// serveEndSession ends the session of the browser without asking for
// confirmation, and sends the browser back to the application if it says where (OpenID
// Connect RP-Initiated Logout 1.0). Without the browser's cookie, no session ends. As
// on the real one, an error in the request is noticed after the session has ended. A
// browser that had a session gets a page with the error, any other gets a 500.
func (p *Provider) serveEndSession(a *Answer, r *http.Request) {
	params := r.URL.Query()
	for _, name := range []string{"id_token_hint", "client_id", "post_logout_redirect_uri", "state"} {
		if len(params[name]) > 1 {
			p.errorPage(a, r, "Y000400", name+" is repeated", nil)
			return
		}
	}
	s := p.leaveSession(a, r)
	c, problem := p.clientOfLogout(params)
	back := params.Get("post_logout_redirect_uri")
	if problem == nil && c.ID != "" && back != "" && !slices.Contains(c.PostLogoutRedirectURIs, back) {
		problem = &redirectError{"invalid_request", "post_logout_redirect_uri not registered"}
	}
	if problem != nil {
		if s == nil {
			problem = &redirectError{"server_error", "oops! something went wrong"}
		}
		p.errorPage(a, r, "oidc-provider-rendered-error:"+problem.code, problem.description, nil)
		return
	}
	p.revokeLatest(s)
	if c.ID == "" || back == "" {
		p.loggedOutPage(a, r)
		return
	}
	var pairs []string
	if params.Has("state") {
		pairs = []string{"state", params.Get("state")}
	}
	u := withQuery(back, pairs...)
	for _, tamper := range p.faults.take(func(t Tamper) bool { return t.LogoutCallback != nil }) {
		tamper.LogoutCallback(u)
	}
	a.seeOther(u.String())
}

// leaveSession ends the session of the browser and returns it, or nil.
func (p *Provider) leaveSession(a *Answer, r *http.Request) *session {
	p.mu.Lock()
	key, s := p.openSession(r)
	delete(p.state.sessions, key)
	p.mu.Unlock()
	p.setCookie(a, cookieSession, "")
	return s
}

// revokeLatest revokes the tokens of the latest login of a session. Tokens of other
// applications stay: the real one does not know them any more.
func (p *Provider) revokeLatest(s *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s == nil || len(s.grants) == 0 {
		return
	}
	last := s.grants[len(s.grants)-1].clientID
	for _, g := range s.grants {
		g.revoked = g.revoked || g.clientID == last
	}
}

// clientOfLogout returns the client that a logout names with id_token_hint or
// client_id, or none. It returns an error if they are wrong.
func (p *Provider) clientOfLogout(params url.Values) (Client, *redirectError) {
	id, hint := params.Get("client_id"), params.Get("id_token_hint")
	if id == "" && hint == "" {
		return Client{}, nil
	}
	if hint == "" {
		c, ok := p.client(id)
		if !ok {
			return Client{}, &redirectError{"invalid_client", "client is invalid"}
		}
		return c, nil
	}
	c, ok := p.hintedClient(hint)
	switch {
	case !ok:
		return Client{}, &redirectError{"invalid_request", "could not validate id_token_hint"}
	case id != "" && id != c.ID:
		return Client{}, &redirectError{"invalid_request", "client_id does not match the provided id_token_hint"}
	}
	return c, nil
}

// hintedClient returns the client an ID token was issued to, expired or not.
func (p *Provider) hintedClient(idToken string) (Client, bool) {
	p.mu.Lock()
	clients := make([]Client, 0, len(p.clients))
	for _, c := range p.clients {
		clients = append(clients, c)
	}
	p.mu.Unlock()
	for _, c := range clients {
		if claims, ok := p.verified(c, idToken); ok && claims["aud"] == c.ID {
			return c, true
		}
	}
	return Client{}, false
}
