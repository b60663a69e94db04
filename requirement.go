package agentconnect

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The values of acr that AgentConnect gives: how sure it is of who the agent
// is, by the levels of the eIDAS regulation, and whether several factors proved
// it.
const (
	ACREIDAS0    = "eidas0"
	ACREIDAS0MFA = "eidas0-mfa"
	ACREIDAS1    = "eidas1"
	ACREIDAS1MFA = "eidas1-mfa"
	ACREIDAS2    = "eidas2" // multi-factor by definition
	ACREIDAS3    = "eidas3" // multi-factor by definition
	// ACRCertificationDirigeant proves that the person legally represents the
	// organisation.
	ACRCertificationDirigeant = "https://proconnect.gouv.fr/assurance/certification-dirigeant"
)

// knownACR reports whether AgentConnect can give the value. Asking for others
// alone makes its server redirect for ever.
func knownACR(acr string) bool { return slices.Contains(knownACRs(), acr) }

func knownACRs() []string {
	return []string{ACREIDAS0, ACREIDAS0MFA, ACREIDAS1, ACREIDAS1MFA, ACREIDAS2, ACREIDAS3, ACRCertificationDirigeant}
}

// A Requirement is one condition of [Authenticator.Require]: a level, which a
// new login can reach, or an access rule, which looks at the agent.
type Requirement struct {
	// acr lists the accepted values of a level; nil for an access rule.
	acr []string
	// allows is the access rule; nil for a level.
	allows func(Agent) bool
	// reason says what the condition is, to who does not meet it.
	reason Reason
}

// MFA demands a login with several factors: the acr eidas0-mfa, eidas1-mfa,
// eidas2 or eidas3. Where the agent's administration has no second factor,
// AgentConnect sends a code by e-mail.
func MFA() Requirement {
	return Requirement{
		acr: []string{ACREIDAS0MFA, ACREIDAS1MFA, ACREIDAS2, ACREIDAS3},
		reason: Reason{
			French:  "une connexion avec plusieurs facteurs d’authentification (mot de passe et code, carte agent…)",
			English: "a login with several authentication factors (password and code, agent card…)",
		},
	}
}

// MinEIDAS demands a login at the eIDAS level n or higher: 1 accepts eidas1,
// eidas1-mfa, eidas2 and eidas3. Levels go from 1 to 3; another makes a
// requirement that New and Require refuse.
func MinEIDAS(n int) Requirement {
	r := Requirement{reason: Reason{
		French:  fmt.Sprintf("une connexion de niveau eIDAS %d au moins", n),
		English: fmt.Sprintf("a login at eIDAS level %d or higher", n),
	}}
	switch n {
	case 1:
		r.acr = []string{ACREIDAS1, ACREIDAS1MFA, ACREIDAS2, ACREIDAS3}
	case 2:
		r.acr = []string{ACREIDAS2, ACREIDAS3}
	case 3:
		r.acr = []string{ACREIDAS3}
	default:
		r.acr = []string{}
	}
	return r
}

// ACR demands a login whose acr is exactly one of the values. The list is
// exact: ACR("eidas1") refuses an agent with eidas2; for a minimum there is
// [MinEIDAS]. Values that AgentConnect does not give make a requirement that New
// and Require refuse.
func ACR(values ...string) Requirement {
	return Requirement{
		acr: append([]string{}, values...),
		reason: Reason{
			French:  "une connexion de niveau " + strings.Join(values, " ou "),
			English: "a login at the level " + strings.Join(values, " or "),
		},
	}
}

// CertificationDirigeant demands a login that proves that the person legally
// represents the organisation.
func CertificationDirigeant() Requirement {
	return Requirement{
		acr: []string{ACRCertificationDirigeant},
		reason: Reason{
			French:  "la certification que vous représentez légalement votre organisation",
			English: "the certification that you legally represent your organisation",
		},
	}
}

// Role accepts agents who have one of the roles ([RoleAgentPublic]…). The scope
// roles must be among those asked for.
func Role(roles ...string) Requirement {
	roles = slices.Clone(roles)
	return Condition(Reason{
		French:  "le rôle " + strings.Join(roles, " ou "),
		English: "the role " + strings.Join(roles, " or "),
	}, func(a Agent) bool { return slices.ContainsFunc(roles, a.HasRole) })
}

// EmailDomain accepts agents whose e-mail address is in one of the domains,
// compared whole and whatever the case: "culture.gouv.fr" accepts neither
// sub.culture.gouv.fr nor notculture.gouv.fr. The scope email must be among
// those asked for.
func EmailDomain(domains ...string) Requirement {
	domains = slices.Clone(domains)
	return Condition(Reason{
		French:  "une adresse électronique du domaine " + strings.Join(domains, " ou "),
		English: "an e-mail address in the domain " + strings.Join(domains, " or "),
	}, func(a Agent) bool {
		at := strings.LastIndexByte(a.Email, '@')
		return at > 0 && slices.ContainsFunc(domains, func(d string) bool {
			return d != "" && strings.EqualFold(a.Email[at+1:], d)
		})
	})
}

// Email accepts the agents with these e-mail addresses, whatever the case. The
// page that refuses others does not show the list.
func Email(addresses ...string) Requirement {
	addresses = slices.Clone(addresses)
	return Condition(Reason{
		French:  "une adresse électronique autorisée pour cette page",
		English: "an e-mail address that is allowed on this page",
	}, func(a Agent) bool {
		return a.Email != "" && slices.ContainsFunc(addresses, func(e string) bool { return strings.EqualFold(e, a.Email) })
	})
}

// SIRET accepts the agents of these establishments, 14 digits each. AgentConnect
// warns that it is not equally reliable for every ministry.
func SIRET(sirets ...string) Requirement {
	return oneOf("un établissement (SIRET) autorisé", "an establishment (SIRET) that is allowed", sirets, func(a Agent) string { return a.SIRET })
}

// SIREN accepts the agents of these organisations, 9 digits each: by the claim
// siren where the agent has one, otherwise by the first nine digits of the
// siret.
func SIREN(sirens ...string) Requirement {
	return oneOf("une organisation (SIREN) autorisée", "an organisation (SIREN) that is allowed", sirens, func(a Agent) string {
		if a.SIREN == "" && len(a.SIRET) == 14 {
			return a.SIRET[:9]
		}
		return a.SIREN
	})
}

// IdPID accepts the agents of these identity providers, by idp_id. One
// administration can have two: one on the Internet and one on the RIE.
func IdPID(ids ...string) Requirement {
	return oneOf("un fournisseur d’identité autorisé", "an identity provider that is allowed", ids, func(a Agent) string { return a.IdPID })
}

// oneOf accepts agents of whom a claim is one of the values, and never one who
// does not have the claim.
func oneOf(french, english string, values []string, claim func(Agent) string) Requirement {
	values = slices.Clone(values)
	return Condition(Reason{French: french, English: english}, func(a Agent) bool {
		v := claim(a)
		return v != "" && slices.Contains(values, v)
	})
}

// Condition accepts the agents for whom allows returns true: any rule of the
// application's. It is called at each request, from several goroutines; reason
// says to who is refused what the condition is, as the end of "This page
// demands…".
func Condition(reason Reason, allows func(Agent) bool) Requirement {
	return Requirement{reason: reason, allows: allows}
}

// CustomClaim accepts agents of whom allows accepts the member of that name in
// the claim custom (scope custom), decoded as [Agent.Custom] says; who has no such
// member is refused without asking. reason is as for [Condition].
func CustomClaim(name string, reason Reason, allows func(value any) bool) Requirement {
	return Condition(reason, func(a Agent) bool {
		value, ok := a.Custom()[name]
		return ok && allows(value)
	})
}

// Met reports whether an agent meets the requirement: for code that decides for
// itself, within a handler or a login hook. The zero Requirement is never met.
func (r Requirement) Met(agent Agent) bool {
	if r.allows != nil {
		return r.allows(agent)
	}
	return slices.Contains(r.acr, agent.ACR)
}

// requirements is what a route, or every login, demands.
type requirements []Requirement

// acceptedACR returns the acr values that satisfy all the levels: one value
// comes back from a login, so it must be in the list of each. It returns nil
// when no level is demanded.
func (rs requirements) acceptedACR() ([]string, error) {
	var accepted []string
	levels := 0
	for _, r := range rs {
		if r.acr == nil && r.allows == nil {
			return nil, errors.New("a requirement is the zero value, or a condition without a function")
		}
		if r.acr == nil {
			continue
		}
		if len(r.acr) == 0 {
			return nil, errors.New("a level accepts no acr value; eIDAS levels go from 1 to 3")
		}
		for _, acr := range r.acr {
			if !knownACR(acr) {
				return nil, fmt.Errorf("AgentConnect gives no acr %s", quoteShort(acr))
			}
		}
		if levels == 0 {
			accepted = slices.Clone(r.acr)
		} else {
			accepted = slices.DeleteFunc(accepted, func(acr string) bool { return !slices.Contains(r.acr, acr) })
		}
		levels++
	}
	if levels > 0 && len(accepted) == 0 {
		return nil, errors.New("no single acr value satisfies all the levels together")
	}
	return accepted, nil
}

// lacking returns the conditions that the agent does not meet: the access
// rules first, since no new login helps there, otherwise the levels. acr is the
// list of acceptedACR.
func (rs requirements) lacking(agent Agent, acr []string) *Error {
	var rules, levels []Reason
	for _, r := range rs {
		switch {
		case r.allows != nil && !r.allows(agent):
			rules = append(rules, r.reason)
		case r.acr != nil:
			levels = append(levels, r.reason)
		}
	}
	if len(rules) > 0 {
		err := newError(CodeForbidden, nil)
		err.Reasons = rules
		return err
	}
	if acr != nil && !slices.Contains(acr, agent.ACR) {
		err := newError(CodeInsufficientLevel, nil)
		err.Reasons, err.AcceptedACR = levels, acr
		return err
	}
	return nil
}
