package agentconnecttest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Agent is somebody who can log in, and what their identity provider (the FI,
// their own administration) says about them.
type Agent struct {
	// Login is the short key to pick the agent by, such as "marie". Required.
	Login string

	// Claims are the claims of the agent by their names in userinfo; "sub", a
	// non-empty string, is required. "idp_acr" is filled in at each login with
	// what the FI gave, unless it is among them. A nil value is sent as JSON null.
	Claims map[string]any

	// ACR is the acr that the FI gives by default; the default is "eidas1". A value
	// that ProConnect does not know counts as "eidas1", as on the real one.
	ACR string

	// AMR is how the agent authenticates by default; the default is "pwd". With "mail"
	// among them, ProConnect sends no code by e-mail of its own: it would be the same
	// factor twice.
	AMR []string

	// OtherACRs are the values, besides ACR, that the FI can give when a service
	// demands one of them.
	OtherACRs []string

	// Blocked says that the account is blocked: the agent stays on the error page
	// Y500024.
	Blocked bool
}

// Sub returns the agent's "sub" claim.
func (a Agent) Sub() string {
	sub, _ := a.Claims["sub"].(string)
	return sub
}

// Email returns the agent's "email" claim, or "".
func (a Agent) Email() string {
	email, _ := a.Claims["email"].(string)
	return email
}

func (a Agent) idp() string {
	idp, _ := a.Claims["idp_id"].(string)
	return idp
}

// name is what the login page shows.
func (a Agent) name() string {
	var parts []string
	for _, claim := range []string{"given_name", "usual_name"} {
		if s, _ := a.Claims[claim].(string); s != "" {
			parts = append(parts, s)
		}
	}
	if len(parts) == 0 {
		return a.Login
	}
	return strings.Join(parts, " ")
}

func (a Agent) validate() error {
	var problems []error
	if a.Login == "" {
		problems = append(problems, errors.New("field Login is missing"))
	}
	if a.Sub() == "" {
		problems = append(problems, errors.New(`field Claims: "sub" must be a non-empty string`))
	}
	for _, acr := range a.OtherACRs {
		if !slices.Contains(supportedACRs(), acr) {
			problems = append(problems, fmt.Errorf("field OtherACRs: %q is not an acr of ProConnect", acr))
		}
	}
	return errors.Join(problems...)
}

func (a Agent) clone() Agent {
	a.Claims = maps.Clone(a.Claims)
	a.AMR = slices.Clone(a.AMR)
	a.OtherACRs = slices.Clone(a.OtherACRs)
	return a
}

// SetAgent adds an agent, in place of the one that has its Login if there is one.
// Sessions that are open keep what they were opened with: like the real provider,
// a change shows at the next login. The error joins everything that is wrong with a.
func (p *Provider) SetAgent(a Agent) error {
	if err := a.validate(); err != nil {
		return fmt.Errorf("agentconnecttest: agent: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if known := p.agentByLogin(a.Login); known != nil {
		*known = a.clone()
		return nil
	}
	p.agents = append(p.agents, a.clone())
	return nil
}

// Agent returns the agent of that Login.
func (p *Provider) Agent(login string) (Agent, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a := p.agentByLogin(login); a != nil {
		return a.clone(), true
	}
	return Agent{}, false
}

// agentByLogin needs p.mu, or that nobody else knows p yet.
func (p *Provider) agentByLogin(login string) *Agent {
	for i := range p.agents {
		if p.agents[i].Login == login {
			return &p.agents[i]
		}
	}
	return nil
}

// The identity providers of the demonstration agents.
const (
	demoIDPMinistry = "00000000-0000-4000-8000-000000000001"
	demoIDPHospital = "00000000-0000-4000-8000-000000000002"
	demoIDPCompany  = "00000000-0000-4000-8000-000000000003"
)

// DemoAgents returns the demonstration agents:
//
//   - "marie", agent of a ministry, with every claim of ProConnect;
//   - "marie-hopital", the same e-mail address through another identity provider,
//     hence another sub;
//   - "zoe", whose names have accents, apostrophes and markup in them and whose optional
//     claims are null or absent;
//   - "karim", an outside contractor (prestataire), without any role;
//   - "nadia", the head of a company, who can prove it (certification dirigeant);
//   - "olivier", who has a smart card: eidas2 and eidas3 on demand;
//   - "lucie", whose identity provider offers eidas0 and nothing more.
//
// None of them exists.
func DemoAgents() []Agent {
	return []Agent{
		{
			Login: "marie",
			Claims: map[string]any{
				"sub":                  "demo-4f1c2d9e-marie",
				"given_name":           "Marie Louise",
				"usual_name":           "Exemple",
				"email":                "marie.exemple@ministere.example.gouv.fr",
				"uid":                  "mexemple",
				"siret":                "00000001800010",
				"siren":                "000000018",
				"phone_number":         "+33 1 99 00 00 01",
				"organizational_unit":  "DEMO/SG/NUM",
				"belonging_population": "agent",
				"chorusdt:matricule":   "DEMO0001",
				"chorusdt:societe":     "DEMO",
				"idp_id":               demoIDPMinistry,
				"roles":                []string{"agent_public", "agent_public_etat"},
				"organization_label":   "Ministère de démonstration",
				"custom":               map[string]any{"bureau": "D-101", "habilitations": []string{"lecture", "signature"}, "anciennete": 12},
			},
			ACR: acrEIDAS1,
			AMR: []string{"pwd"},
		},
		{
			Login: "marie-hopital",
			Claims: map[string]any{
				"sub":                  "demo-9a70b3c1-marie-hopital",
				"given_name":           "Marie Louise",
				"usual_name":           "Exemple",
				"email":                "marie.exemple@ministere.example.gouv.fr",
				"uid":                  "h-000042",
				"siret":                "00000002600013",
				"idp_id":               demoIDPHospital,
				"belonging_population": "agent",
				"roles":                []string{"agent_public", "agent_public_hospitalier"},
				"organization_label":   "Hôpital de démonstration",
				"custom":               map[string]any{},
			},
			ACR: acrEIDAS1,
			AMR: []string{"pwd"},
		},
		{
			Login: "zoe",
			Claims: map[string]any{
				"sub":                  "demo-2b6de0f7-zoe",
				"given_name":           "Zoé Maëlle",
				"usual_name":           "D’Œil-de-Bœuf <Ñ'Guyễn> & “Fils”",
				"email":                "Zoe.O'Exemple+test@Prefecture.Example.gouv.fr",
				"uid":                  "zoë",
				"siret":                "00000001800010",
				"phone_number":         nil,
				"organizational_unit":  nil,
				"belonging_population": nil,
				"idp_id":               demoIDPMinistry,
				"roles":                []string{"agent_public", "agent_public_territorial"},
				"custom":               map[string]any{},
			},
			ACR: acrEIDAS1,
			AMR: []string{"pwd"},
		},
		{
			Login: "karim",
			Claims: map[string]any{
				"sub":                  "demo-77c0a1be-karim",
				"given_name":           "Karim",
				"usual_name":           "Prestataire",
				"email":                "karim.prestataire@entreprise.example",
				"uid":                  "ext-karim",
				"siret":                "00000003400017",
				"belonging_population": "prestataire",
				"idp_id":               demoIDPCompany,
				"roles":                []string{},
				"custom":               map[string]any{},
			},
			ACR: acrEIDAS1,
			AMR: []string{"pwd", "mail"},
		},
		{
			Login: "nadia",
			Claims: map[string]any{
				"sub":                "demo-e51f88d2-nadia",
				"given_name":         "Nadia",
				"usual_name":         "Dirigeante",
				"email":              "nadia.dirigeante@entreprise.example",
				"uid":                "nadia",
				"siret":              "00000003400017",
				"siren":              "000000034",
				"idp_id":             demoIDPCompany,
				"roles":              []string{"dirigeant"},
				"organization_label": "Entreprise de démonstration",
				"custom":             map[string]any{},
			},
			ACR:       acrEIDAS1,
			AMR:       []string{"pwd"},
			OtherACRs: []string{acrDirigeant},
		},
		{
			Login: "olivier",
			Claims: map[string]any{
				"sub":                "demo-1d94c6aa-olivier",
				"given_name":         "Olivier",
				"usual_name":         "Carte-Agent",
				"email":              "olivier.carte-agent@ministere.example.gouv.fr",
				"uid":                "ocarte",
				"siret":              "00000001800010",
				"idp_id":             demoIDPMinistry,
				"roles":              []string{"agent_public", "agent_public_etat"},
				"organization_label": "Ministère de démonstration",
				"custom":             map[string]any{},
			},
			ACR:       acrEIDAS1,
			AMR:       []string{"pwd"},
			OtherACRs: []string{acrEIDAS1MFA, acrEIDAS2, acrEIDAS3},
		},
		{
			Login: "lucie",
			Claims: map[string]any{
				"sub":                  "demo-c3385e10-lucie",
				"given_name":           "Lucie",
				"usual_name":           "Stagiaire",
				"email":                "lucie.stagiaire@hopital.example.gouv.fr",
				"uid":                  "lucie",
				"siret":                "00000002600013",
				"belonging_population": "stagiaire",
				"idp_id":               demoIDPHospital,
				"roles":                []string{"agent_public", "agent_public_hospitalier"},
				"custom":               map[string]any{},
			},
			ACR: acrEIDAS0,
			AMR: []string{"pwd"},
		},
	}
}
