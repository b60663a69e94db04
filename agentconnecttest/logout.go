package agentconnecttest

import (
	"net/http"
	"slices"
)

// serveEndSession ends the session of the browser without asking for
// confirmation, and sends the browser back to the application if it says where (OpenID
// Connect RP-Initiated Logout 1.0). Without the browser's cookie, nobody is
// logged out.
func (p *Provider) serveEndSession(a *Answer, r *http.Request) {
	params := r.URL.Query()
	for _, name := range []string{"id_token_hint", "client_id", "post_logout_redirect_uri", "state"} {
		if len(params[name]) > 1 {
			p.errorPage(a, r, http.StatusBadRequest, "Y000400", name+" is repeated")
			return
		}
	}
	c, known := p.client(params.Get("client_id"))
	if params.Get("client_id") != "" && !known {
		p.errorPage(a, r, http.StatusBadRequest, "invalid_client", "client_id is not registered")
		return
	}
	if hint := params.Get("id_token_hint"); hint != "" {
		hinted, ok := p.hintedClient(hint)
		if !ok {
			p.errorPage(a, r, http.StatusBadRequest, "Y000400", "id_token_hint was not issued by this provider")
			return
		}
		if known && hinted.ID != c.ID {
			p.errorPage(a, r, http.StatusBadRequest, "Y000400", "client_id does not match the provided id_token_hint")
			return
		}
		c, known = hinted, true
	}
	back := params.Get("post_logout_redirect_uri")
	if known && back != "" && !slices.Contains(c.PostLogoutRedirectURIs, back) {
		p.errorPage(a, r, http.StatusBadRequest, "Y030111", "post_logout_redirect_uri is not registered for this client")
		return
	}
	p.mu.Lock()
	key, s := p.openSession(r)
	if s != nil {
		p.state.endSession(key)
	}
	p.mu.Unlock()
	p.setCookie(a, cookieSession, "")
	if !known || back == "" {
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
