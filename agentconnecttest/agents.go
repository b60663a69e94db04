package agentconnecttest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Agent is a person who can log in, with the claims of their identity provider (the FI,
// their own administration).
type Agent struct {
	// Login is the short key to pick the agent by, such as "marie". Required.
	Login string

	// Claims are the claims of the agent by their names in userinfo; "sub", a
	// non-empty string, is required. Each login sets "idp_acr" to the acr of the FI,
	// unless Claims has it. A nil value is sent as JSON null.
	Claims map[string]any

	// ACR is the acr that the FI gives by default; the default is "eidas1". A value
	// that ProConnect does not know counts as "eidas1", as on the real one.
	ACR string

	// AMR is how the agent authenticates by default; the default is "pwd". With "mail"
	// among them, ProConnect does not send its own code by e-mail: it would be the same
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

// roles returns the claim. If it was read from JSON, it is a list of any.
func (a Agent) roles() []string {
	switch claim := a.Claims["roles"].(type) {
	case []string:
		return claim
	case []any:
		var roles []string
		for _, role := range claim {
			if text, ok := role.(string); ok {
				roles = append(roles, text)
			}
		}
		return roles
	}
	return nil
}

func (a Agent) idp() string {
	idp, _ := a.Claims["idp_id"].(string)
	return idp
}

// name returns the name that the login page shows.
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

// SetAgent adds an agent, or replaces the agent with the same Login. Open sessions keep
// the former claims: as on the real provider, a change shows at the next login. The
// error joins all the problems of a.
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

// Agent returns the agent with that Login, and false if there is none.
func (p *Provider) Agent(login string) (Agent, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a := p.agentByLogin(login); a != nil {
		return a.clone(), true
	}
	return Agent{}, false
}

// agentByLogin needs p.mu.
func (p *Provider) agentByLogin(login string) *Agent {
	for i := range p.agents {
		if p.agents[i].Login == login {
			return &p.agents[i]
		}
	}
	return nil
}
