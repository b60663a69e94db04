package agentconnect_test

import (
	"net/url"
	"testing"

	"github.com/agentconnect-go/agentconnect"
)

// A login that a third party starts (OpenID Connect Core 1.0 section 4) is a login
// with the one provider that is configured, and comes back to a page of ours,
// whatever the third party names.
func TestThirdPartyInitiatedLogin(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	for _, query := range []url.Values{
		{"iss": {a.provider.Issuer}},
		{"iss": {"https://another.example"}, "login_hint": {"karim@another.example"}, "target_link_uri": {"https://another.example/page"}},
	} {
		b := a.browser()
		callback := b.callback("/login?"+query.Encode(), "marie")
		asked := a.provider.Received("authorize")
		last := asked[len(asked)-1].Form
		if got := last.Get("login_hint"); got != "" {
			t.Errorf("%v: got the login_hint %q at the provider, want none", query, got)
		}
		b.expectLogin(callback, "marie", "/")
	}
}

// acr, amr and auth_time are never taken from a userinfo, even if nothing else in the
// login would notice.
func TestUserinfoProvesNoLevel(t *testing.T) {
	t.Parallel()
	body := `{"sub":"s","acr":"eidas3","amr":["mfa"],"auth_time":1795339800,"email":"marie@ministere.example"}`
	agent, err := agentconnect.AgentFromUserinfo(body)
	if err != nil {
		t.Fatalf("got %v, want an agent", err)
	}
	if agent.Email == "" || agent.ACR != "" || agent.AMR != nil || !agent.AuthTime.IsZero() {
		t.Errorf("got acr %q, amr %q, auth_time %v of an agent with the e-mail %q, want the e-mail alone", agent.ACR, agent.AMR, agent.AuthTime, agent.Email)
	}
	for _, name := range []string{"acr", "amr", "auth_time"} {
		var value any
		if found, _ := agent.Claim(name, &value); found {
			t.Errorf("claim %s: got %v, want none", name, value)
		}
	}
}
