package main

import (
	"net/url"
	"testing"

	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

// secret is long enough for HS256, and easy to find in a log.
const secret = "a-secret-that-must-not-be-printed-0123456789-0123456789-0123456789"

// settings are those of a client "fs" of an issuer.
func settings(issuer string) environment {
	return environment{
		"AGENTCONNECT_ISSUER":        issuer,
		"AGENTCONNECT_CLIENT_ID":     "fs",
		"AGENTCONNECT_CLIENT_SECRET": secret,
	}
}

// provided is the program with a provider of the same process.
type provided struct {
	*program
	provider *agentconnecttest.Server
}

// startProvided starts both and registers the program with the provider.
func startProvided(t *testing.T, pairs ...string) *provided {
	t.Helper()
	provider := agentconnecttest.NewServer(t, agentconnecttest.WithClient(agentconnecttest.Client{ID: "fs", Secret: secret}))
	p := &provided{start(t, settings(provider.Issuer).with(pairs...)), provider}
	p.provider.SetRedirectURIs(p.url + "/callback")
	p.provider.SetPostLogoutRedirectURIs(p.url + "/logout/callback")
	return p
}

// login opens a page of the program and logs the agent in on the way.
func (p *provided) login(b *browser, path, agent string, opts ...agentconnecttest.LoginOption) answer {
	p.t.Helper()
	return b.read(p.provider.Login(b.Client, p.url+path, agent, opts...))
}

// loggedIn returns a browser in which the agent is logged in.
func (p *provided) loggedIn(agent string) *browser {
	p.t.Helper()
	b := newBrowser(p.t)
	p.login(b, "/agent", agent).wantStatus(p.t, 200).wantAt(p.t, p.url+"/agent")
	return b
}

// logout presses the button.
func (p *program) logout(b *browser) answer {
	p.t.Helper()
	return b.post(p.url+"/logout", url.Values{})
}
