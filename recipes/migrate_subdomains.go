package recipes

import (
	"strings"

	"github.com/agentconnect-go/agentconnect"
)

// EmailUnder accepts the e-mail addresses of every domain under one, as oauth2-proxy
// does for --email-domain=.example.gouv.fr. EmailDomain compares whole domains.
func EmailUnder(domain string) agentconnect.Requirement {
	return agentconnect.Condition(agentconnect.Reason{
		French:  "une adresse électronique sous " + domain,
		English: "an e-mail address under " + domain,
	}, func(agent agentconnect.Agent) bool {
		at := strings.LastIndexByte(agent.Email, '@')
		return at > 0 && strings.HasSuffix(strings.ToLower(agent.Email[at+1:]), "."+domain)
	})
}
