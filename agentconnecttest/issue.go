package agentconnecttest

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
)

// IssueTokens gives a client tokens for an agent without a browser, as if the agent had
// just logged in there. It is for the tests of resource servers. Without scopes, it
// grants all those of the client. It returns an error if the client or the agent is
// unknown.
func (p *Provider) IssueTokens(clientID, agentLogin string, scopes ...string) (Issued, error) {
	c, ok := p.client(clientID)
	if !ok {
		return Issued{}, fmt.Errorf("agentconnecttest: no client %q", clientID)
	}
	agent, ok := p.Agent(agentLogin)
	if !ok {
		return Issued{}, fmt.Errorf("agentconnecttest: no agent %q", agentLogin)
	}
	if len(scopes) == 0 {
		scopes = c.Scopes
	}
	auth := agent.authenticate(nil, "")
	acr, _ := auth.acrFor(nil) // always satisfied when nothing is demanded
	s := p.newSession(agent, auth)
	key := random()
	p.mu.Lock()
	p.state.sessions[key] = s
	g := p.grant(authorization{clientID: clientID, scopes: scopes, nonce: random()}, key, s, acr)
	p.mu.Unlock()
	return p.issueTokens(c, g, scopes, "")
}

// Secrets returns everything that the provider has issued or received and that must
// never be in a log: client secrets, codes, tokens, states, nonces, PKCE verifiers and
// the provider's own cookies. Like [Provider.Received], it knows the latest requests of
// a [Server].
func (p *Provider) Secrets() []string {
	secrets := make(map[string]bool)
	for _, i := range p.Issued() {
		for _, secret := range []string{i.Nonce, i.Code, i.AccessToken, i.RefreshToken, i.IDToken} {
			secrets[secret] = true
		}
	}
	p.mu.Lock()
	for _, c := range p.clients {
		secrets[c.Secret] = true
	}
	p.mu.Unlock()
	for _, r := range p.received() {
		for _, name := range []string{"state", "nonce", "code", "code_verifier", "client_secret", "refresh_token", "token", "access_token", "id_token_hint"} {
			for _, secret := range r.Form[name] {
				secrets[secret] = true
			}
		}
		for _, cookie := range (&http.Request{Header: r.Header}).Cookies() {
			secrets[cookie.Value] = true
		}
	}
	delete(secrets, "")
	return slices.Sorted(maps.Keys(secrets))
}

// PersonalData returns the data that identifies the agents who have logged in: names,
// e-mail addresses, telephone numbers and identifiers, including the sub. None of it
// must be in a log.
func (p *Provider) PersonalData() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	data := make(map[string]bool)
	for _, i := range p.state.issued {
		agent := p.agentByLogin(i.Agent)
		if agent == nil {
			continue
		}
		for _, name := range []string{"sub", "given_name", "usual_name", "email", "uid", "phone_number"} {
			if s, _ := agent.Claims[name].(string); s != "" {
				data[s] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(data))
}
