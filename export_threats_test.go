package agentconnect

import "github.com/agentconnect-go/agentconnect/internal/strictjson"

// ReturnToPage returns the page to which a login with a return_to comes back.
func ReturnToPage(a *Authenticator, target string) string { return a.config.returnTo(target) }

// AgentFromUserinfo makes an agent of a userinfo that was verified.
func AgentFromUserinfo(body string) (Agent, error) {
	claims, err := strictjson.Parse([]byte(body))
	if err != nil {
		return Agent{}, err
	}
	return agentFromClaims(claims)
}
