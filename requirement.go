package agentconnect

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/agentconnect-go/agentconnect/internal/email"
	"github.com/agentconnect-go/agentconnect/internal/settings"
	"github.com/agentconnect-go/agentconnect/internal/weburl"
	"github.com/agentconnect-go/agentconnect/internal/wording"
)

// The acr values of ProConnect: the level of the agent's identity by the eIDAS
// regulation, and whether several factors were used.
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

// knownACR reports whether ProConnect can give the value. If a login only asks for
// other values, ProConnect's server redirects for ever.
func knownACR(acr string) bool { return slices.Contains(knownACRs(), acr) }

func knownACRs() []string {
	return []string{ACREIDAS0, ACREIDAS0MFA, ACREIDAS1, ACREIDAS1MFA, ACREIDAS2, ACREIDAS3, ACRCertificationDirigeant}
}

// A Requirement is one condition of [Authenticator.Require]: a level, which a new login
// can reach, or an access rule about the agent.
//
// If no agent can meet it, for example EmailDomain("@a.example"), New returns a
// [*ConfigError] and Require panics. The same applies to a rule on a claim whose scope
// is not requested.
type Requirement struct {
	// acr lists the accepted values of a level; nil for an access rule.
	acr []string
	// allows is the access rule; nil for a level.
	allows func(Agent) bool
	// reason explains an access rule to a person who does not meet it.
	reason Reason
	// scopes: each of them gives the claims of the rule; nil: unknown.
	scopes []string
	// roles are those of [Role].
	roles []string
	// problem is the error of an argument that no agent can meet; nil: none.
	problem error
}

// MFA demands a login with several factors: the acr eidas0-mfa, eidas1-mfa,
// eidas2 or eidas3. If the agent's administration has no second factor, ProConnect
// sends a code by e-mail, but not on the RIE.
func MFA() Requirement {
	return Requirement{acr: []string{ACREIDAS0MFA, ACREIDAS1MFA, ACREIDAS2, ACREIDAS3}}
}

// MinEIDAS demands a login at the eIDAS level n or higher: 1 accepts eidas1,
// eidas1-mfa, eidas2 and eidas3. Levels go from 1 to 3; New and Require refuse any
// other.
//
// Do not use MinEIDAS(1) together with [MFA]; New and Require log a warning. If the
// identity provider only gives eidas0, ProConnect sends a code by e-mail, reaches
// eidas0-mfa, which is not enough, and asks for a code again and again.
func MinEIDAS(n int) Requirement {
	switch n {
	case 1:
		return Requirement{acr: []string{ACREIDAS1, ACREIDAS1MFA, ACREIDAS2, ACREIDAS3}}
	case 2:
		return Requirement{acr: []string{ACREIDAS2, ACREIDAS3}}
	case 3:
		return Requirement{acr: []string{ACREIDAS3}}
	}
	return Requirement{acr: []string{}, problem: fmt.Errorf("MinEIDAS: %d is not an eIDAS level; they go from 1 to 3", n)}
}

// ACR demands a login whose acr is exactly one of the values: ACR("eidas1") refuses an
// agent with eidas2. For a minimum, use [MinEIDAS]. New and Require refuse values that
// ProConnect does not give.
func ACR(values ...string) Requirement {
	return Requirement{
		acr:     append([]string{}, values...),
		problem: checkEach("ACR", "an acr that ProConnect gives", values, knownACR),
	}
}

// CertificationDirigeant demands proof that the person legally represents the
// organisation.
//
// ProConnect can certify a person who heads a private company registered in
// France and has a FranceConnect account. It cannot certify public bodies,
// associations, or companies owned by companies alone. The service must say so before,
// and offer these people another way.
func CertificationDirigeant() Requirement {
	return Requirement{acr: []string{ACRCertificationDirigeant}}
}

// Role accepts agents who have one of the roles ([RoleAgentPublic]…). It needs the
// scope roles. On the RIE every agent has only the role agent_public, so New and
// Require refuse a rule without it there.
func Role(roles ...string) Requirement {
	roles = slices.Clone(roles)
	var french, english []string
	for _, role := range roles {
		name := wording.Role(role)
		french, english = append(french, name.French), append(english, name.English)
	}
	return Requirement{
		allows: func(a Agent) bool { return slices.ContainsFunc(roles, a.HasRole) },
		reason: Reason{
			French:  "un compte que ProConnect reconnaît comme celui d’" + strings.Join(french, " ou d’"),
			English: "an account that ProConnect recognises as that of " + strings.Join(english, " or of "),
		},
		scopes:  []string{"roles"},
		roles:   roles,
		problem: checkEach("Role", "a role that ProConnect gives", roles, func(role string) bool { return wording.Role(role) != wording.Phrase{} }),
	}
}

// EmailDomain accepts agents whose e-mail address is in one of the domains,
// compared whole and ignoring case: "culture.gouv.fr" accepts neither
// sub.culture.gouv.fr nor notculture.gouv.fr. It needs the scope email. Write the
// domain without "@" and without "*".
func EmailDomain(domains ...string) Requirement {
	domains = slices.Clone(domains)
	return Requirement{
		allows: func(a Agent) bool {
			at := strings.LastIndexByte(a.Email, '@')
			return at > 0 && slices.ContainsFunc(domains, func(d string) bool { return strings.EqualFold(a.Email[at+1:], d) })
		},
		reason: Reason{
			French:  "une adresse électronique du domaine " + strings.Join(domains, " ou "),
			English: "an e-mail address in the domain " + strings.Join(domains, " or "),
		},
		scopes:  []string{"email"},
		problem: checkEach("EmailDomain", "the domain of an e-mail address", domains, email.IsDomain),
	}
}

// Email accepts the agents with these e-mail addresses, ignoring case. The page for
// other agents does not show the list.
func Email(addresses ...string) Requirement {
	addresses = slices.Clone(addresses)
	return Requirement{
		allows: func(a Agent) bool {
			return a.Email != "" && slices.ContainsFunc(addresses, func(e string) bool { return strings.EqualFold(e, a.Email) })
		},
		reason:  Reason{"une adresse électronique autorisée ici", "an e-mail address that is allowed here"},
		scopes:  []string{"email"},
		problem: checkEach("Email", "an e-mail address", addresses, email.Valid),
	}
}

// SIRET accepts the agents of these establishments, 14 digits each, without spaces.
// Spaces in the agent's claim are ignored. ProConnect warns that the claim is not
// equally reliable for every ministry. The check digit is not checked, because test
// identities have invented numbers.
func SIRET(sirets ...string) Requirement {
	r := oneOf(sirets, func(a Agent) string { return withoutSpaces(a.SIRET) })
	r.reason = Reason{"un établissement (SIRET) autorisé", "an establishment (SIRET) that is allowed"}
	r.scopes = []string{"siret"}
	r.problem = checkEach("SIRET", "a SIRET of 14 digits without spaces", sirets, func(s string) bool { return isDigits(s, 14) })
	return r
}

// SIREN accepts the agents of these organisations, 9 digits each, without
// spaces: by the claim siren if the agent has one, otherwise by the first nine digits
// of the siret.
func SIREN(sirens ...string) Requirement {
	r := oneOf(sirens, func(a Agent) string {
		if siret := withoutSpaces(a.SIRET); a.SIREN == "" && len(siret) == 14 {
			return siret[:9]
		}
		return withoutSpaces(a.SIREN)
	})
	r.reason = Reason{"une organisation (SIREN) autorisée", "an organisation (SIREN) that is allowed"}
	r.scopes = []string{"siren", "siret"}
	r.problem = checkEach("SIREN", "a SIREN of 9 digits without spaces", sirens, func(s string) bool { return isDigits(s, 9) })
	return r
}

// IdPID accepts the agents of these identity providers, by idp_id. One
// administration can have two: one on the Internet and one on the RIE.
func IdPID(ids ...string) Requirement {
	r := oneOf(ids, func(a Agent) string { return a.IdPID })
	r.reason = Reason{"un fournisseur d’identité autorisé", "an identity provider that is allowed"}
	r.scopes = []string{"idp_id"}
	r.problem = checkEach("IdPID", "an idp_id", ids, func(id string) bool { return id != "" && weburl.IsPrintableASCII(id) })
	return r
}

// oneOf accepts agents whose claim is one of the values. It refuses an agent without
// the claim.
func oneOf(values []string, claim func(Agent) string) Requirement {
	values = slices.Clone(values)
	return Requirement{allows: func(a Agent) bool {
		v := claim(a)
		return v != "" && slices.Contains(values, v)
	}}
}

// checkEach checks the arguments of a rule: at least one, and each valid.
func checkEach(rule, what string, values []string, ok func(string) bool) error {
	if len(values) == 0 {
		return fmt.Errorf("%s: the list is empty; give %s", rule, what)
	}
	for _, v := range values {
		if !ok(v) {
			return fmt.Errorf("%s: %s is not %s", rule, settings.Quote(v), what)
		}
	}
	return nil
}

// isDigits reports whether s is n digits.
func isDigits(s string, n int) bool { return len(s) == n && strings.Trim(s, "0123456789") == "" }

// withoutSpaces removes the spaces between groups of digits.
func withoutSpaces(s string) string {
	if !strings.ContainsFunc(s, unicode.IsSpace) { // as nearly always
		return s
	}
	return strings.Join(strings.Fields(s), "")
}

// Condition accepts the agents for whom allows returns true. It is for any rule of the
// application, for example on [Agent.Custom]. allows is called at each request, from
// several goroutines. reason explains the condition to a person who does not meet it,
// as an item of the list "What is demanded here".
func Condition(reason Reason, allows func(Agent) bool) Requirement {
	return Requirement{reason: reason, allows: allows}
}

// Met reports whether an agent meets the requirement, for decisions in a handler or a
// login hook. The zero Requirement is never met.
func (r Requirement) Met(agent Agent) bool {
	if r.allows != nil {
		return r.allows(agent)
	}
	return slices.Contains(r.acr, agent.ACR)
}

// requirements are those of a route, or of every login.
type requirements []Requirement

// check returns the acr values that satisfy all the levels, nil if there is no level.
// It returns an error if no agent can meet the requirements, with these scopes and on
// this network.
func (rs requirements) check(scopes []string, rie bool) ([]string, error) {
	for _, r := range rs {
		switch {
		case r.problem != nil:
			return nil, r.problem
		case r.acr == nil && r.allows == nil:
			return nil, errors.New("a requirement is the zero value, or a condition without a function")
		case r.scopes != nil && !slices.ContainsFunc(r.scopes, func(scope string) bool { return slices.Contains(scopes, scope) }):
			return nil, fmt.Errorf("a rule needs the scope %s, which WithScopes does not ask for", strings.Join(r.scopes, " or "))
		case r.roles != nil && rie && !slices.Contains(r.roles, RoleAgentPublic):
			return nil, errors.New("Role: on the RIE every agent has only the role agent_public; this rule refuses every agent there")
		}
	}
	return rs.acceptedACR()
}

// acceptedACR returns the acr values that satisfy all the levels: a login has one
// value, which must be in the list of each level. It returns nil if there is no level.
func (rs requirements) acceptedACR() ([]string, error) {
	var accepted []string
	for _, r := range rs {
		switch {
		case r.acr == nil:
		case accepted == nil:
			for _, acr := range r.acr {
				if !slices.Contains(accepted, acr) { // it goes into a cookie
					accepted = append(accepted, acr)
				}
			}
		default:
			accepted = slices.DeleteFunc(accepted, func(acr string) bool { return !slices.Contains(r.acr, acr) })
		}
		if r.acr != nil && len(accepted) == 0 {
			return nil, errors.New("no single acr value satisfies all the levels together")
		}
	}
	return accepted, nil
}

// loopsByEmail reports whether ProConnect can loop with these values: with an identity
// provider at eidas0, its code by e-mail reaches eidas0-mfa, which is not enough, so it
// sends another code.
func loopsByEmail(acr []string) bool {
	return slices.Contains(acr, ACREIDAS1MFA) && !slices.Contains(acr, ACREIDAS1) && !slices.Contains(acr, ACREIDAS0MFA)
}

// lacking is the only check of requirements, for a login, a route and a session. It
// returns the unmet rules first, because a new login does not help there, and otherwise
// the level. acr is the list of acceptedACR.
func (rs requirements) lacking(agent Agent, acr []string) *Error {
	var rules []Reason
	for _, r := range rs {
		if r.allows != nil && !r.allows(agent) {
			rules = append(rules, r.reason)
		}
	}
	if len(rules) > 0 {
		err := newError(CodeForbidden, nil)
		err.Reasons = rules
		return err
	}
	if acr != nil && !slices.Contains(acr, agent.ACR) {
		return levelRefusal(acr)
	}
	return nil
}

// levelRefusal is the refusal of a login without an acr that is accepted.
func levelRefusal(acr []string) *Error {
	err := errorf(CodeInsufficientLevel, "the login does not have one of the acr values that are demanded")
	err.Reasons, err.AcceptedACR = []Reason{Reason(wording.Level(acr))}, acr
	return err
}
