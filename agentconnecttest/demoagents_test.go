package agentconnecttest_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

// oddAgents are for tests alone: one whose name is made of markup, and one with the
// e-mail address of marie at another identity provider.
func oddAgents() []agentconnecttest.Agent {
	return []agentconnecttest.Agent{
		{Login: "odd", Claims: map[string]any{
			"sub": "demo-odd", "given_name": "Zoé", "usual_name": "D’Œil-de-Bœuf <Ñ'Guyễn> & “Fils”",
			"email": "Zoe.O'Exemple+test@Prefecture.Example.gouv.fr", "idp_id": "00000000-0000-4000-8000-000000000009",
		}},
		{Login: "twin", Claims: map[string]any{
			"sub": "demo-twin", "email": "marie.exemple@ministere.example.gouv.fr", "idp_id": "00000000-0000-4000-8000-000000000002",
		}},
	}
}

// TestDemoAgentsCanBeShown: nobody has the name or the e-mail of another, no name is made
// of markup, and together they are what a service meets.
func TestDemoAgentsCanBeShown(t *testing.T) {
	name := regexp.MustCompile(`^[\p{L} ’-]+$`)
	seen := make(map[string]bool)
	covered := make(map[string]bool)
	for _, agent := range agentconnecttest.DemoAgents() {
		given, _ := agent.Claims["given_name"].(string)
		usual, _ := agent.Claims["usual_name"].(string)
		for _, text := range []string{given, usual} {
			if !name.MatchString(text) {
				t.Errorf("%s: got the name %q, want letters", agent.Login, text)
			}
		}
		for _, key := range []string{agent.Login, agent.Sub(), agent.Email(), given + " " + usual} {
			if seen[key] || key == "" {
				t.Errorf("%s: got %q, which is empty or that of another agent", agent.Login, key)
			}
			seen[key] = true
		}
		if at := strings.LastIndex(agent.Email(), "@"); !strings.Contains(agent.Email()[at:], ".example") {
			t.Errorf("%s: got the e-mail %s, want one that cannot exist", agent.Login, agent.Email())
		}
		for _, acr := range append(slices.Clone(agent.OtherACRs), agent.ACR) {
			covered[acr] = true
		}
		roles, _ := agent.Claims["roles"].([]string)
		for _, role := range roles {
			covered[role] = true
		}
		covered["no role"] = covered["no role"] || len(roles) == 0
		population, _ := agent.Claims["belonging_population"].(string)
		covered[population] = true
	}
	for _, want := range []string{
		"eidas0", "eidas1", "eidas1-mfa", "eidas2", "eidas3", "https://proconnect.gouv.fr/assurance/certification-dirigeant",
		"agent_public", "agent_public_etat", "agent_public_territorial", "no role", "agent", "prestataire", "stagiaire",
	} {
		if !covered[want] {
			t.Errorf("got nobody with %s, want somebody", want)
		}
	}
}
