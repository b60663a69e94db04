package settings

import (
	"cmp"
	"os"
)

// environments are the four environments of ProConnect, with their issuers.
func environments() [4]struct{ name, issuer string } {
	return [4]struct{ name, issuer string }{
		{"integration", "https://fca.integ01.dev-agentconnect.fr/api/v2"},
		{"production", "https://auth.agentconnect.gouv.fr/api/v2"},
		{"integration-rie", "https://fca.integ02.agentconnect.rie.gouv.fr/api/v2"},
		{"production-rie", "https://auth.agentconnect.rie.gouv.fr/api/v2"},
	}
}

// IssuerOf returns the issuer of an environment, or "" for an unknown name.
func IssuerOf(environment string) string {
	for _, e := range environments() {
		if e.name == environment {
			return e.issuer
		}
	}
	return ""
}

// EnvironmentOf returns the environment with that issuer, or "" if there is none.
func EnvironmentOf(issuer string) string {
	for _, e := range environments() {
		if e.issuer == issuer {
			return e.name
		}
	}
	return ""
}

// IsProduction reports whether an environment is for real agents.
func IsProduction(environment string) bool {
	return environment == "production" || environment == "production-rie"
}

// IsRIE reports whether an environment is on the State's private network.
func IsRIE(environment string) bool {
	return environment == "integration-rie" || environment == "production-rie"
}

// A Variable is the name of an environment variable without its prefix, PROCONNECT_ or
// AGENTCONNECT_.
type Variable string

// The variables.
const (
	Environment           Variable = "ENVIRONMENT"
	Issuer                Variable = "ISSUER"
	ClientID              Variable = "CLIENT_ID"
	ClientSecret          Variable = "CLIENT_SECRET"
	RedirectURL           Variable = "REDIRECT_URL"
	PostLogoutRedirectURL Variable = "POST_LOGOUT_REDIRECT_URL"
	IDTokenAlg            Variable = "ID_TOKEN_ALG"
	UserinfoAlg           Variable = "USERINFO_ALG"
	Scopes                Variable = "SCOPES"
)

// Option names the setting for the operator: the function that records it, and both
// names of the variable.
func (v Variable) Option() string {
	var option string
	switch v {
	case Environment:
		option = "WithEnvironment"
	case Issuer:
		option = "WithIssuer"
	case ClientID, ClientSecret:
		option = "WithClient"
	case RedirectURL:
		option = "WithRedirectURL"
	case PostLogoutRedirectURL:
		option = "WithPostLogoutRedirectURL"
	case IDTokenAlg:
		option = "WithIDTokenAlg"
	case UserinfoAlg:
		option = "WithUserinfoAlg"
	case Scopes:
		option = "WithScopes"
	}
	return option + " (PROCONNECT_" + string(v) + " or AGENTCONNECT_" + string(v) + ")"
}

// Get returns the value of a variable under either name. Two different values are a
// problem.
func (p *Problems) Get(v Variable) string {
	value, former := os.Getenv("PROCONNECT_"+string(v)), os.Getenv("AGENTCONNECT_"+string(v))
	if value != "" && former != "" && value != former {
		if v == ClientSecret {
			p.Hide(value, former)
		}
		p.Add(v.Option(), "conflict", "PROCONNECT_%s and AGENTCONNECT_%s are both set, to different values; keep one", string(v), string(v))
	}
	return cmp.Or(value, former)
}

// Read sets setting to the value of a variable, unless the variable is unset or empty.
func Read[T ~string](p *Problems, v Variable, setting *T) {
	*setting = cmp.Or(T(p.Get(v)), *setting)
}

// ReadProvider sets the environment and the issuer from their variables. If either
// variable is set, it replaces both settings.
func ReadProvider[T ~string](p *Problems, environment *T, issuer *string) {
	if e, i := p.Get(Environment), p.Get(Issuer); e != "" || i != "" {
		*environment, *issuer = T(e), i
	}
}
