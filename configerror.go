package agentconnect

import (
	"fmt"
	"strings"
)

// A ConfigError is one problem of the options given to [New], which returns
// all of them joined (errors.Join): errors.As finds the first, and the Unwrap
// method of what New returns yields the list. It never contains a secret.
type ConfigError struct {
	// Option is the name of the option function, "WithRedirectURL"; where an
	// environment variable records the same setting, its names follow in
	// parentheses.
	Option string
	// Reason is "missing", "invalid", "insecure" or "conflict".
	Reason string
	// Detail says what is wrong and what is expected, in a sentence.
	Detail string
}

// Error returns "agentconnect: OPTION: REASON: DETAIL".
func (e *ConfigError) Error() string {
	return "agentconnect: " + e.Option + ": " + e.Reason + ": " + e.Detail
}

// problems collects what is wrong with the settings.
type problems struct {
	errs    []error
	secrets []string
}

func (p *problems) add(option, reason, format string, args ...any) {
	for i, arg := range args {
		args[i] = p.redact(arg)
	}
	p.errs = append(p.errs, &ConfigError{Option: option, Reason: reason, Detail: fmt.Sprintf(format, args...)})
}

// redact takes the secrets out of what a detail quotes: before it is quoted,
// which could escape them.
func (p *problems) redact(arg any) any {
	switch a := arg.(type) {
	case string:
		for _, secret := range p.secrets {
			a = strings.ReplaceAll(a, secret, "[redacted]")
		}
		return a
	case error:
		return p.redact(a.Error())
	}
	return arg
}

// shown quotes a value that is not what belongs there.
func (p *problems) shown(value string) string {
	return quoteShort(fmt.Sprint(p.redact(value)))
}

// quoteShort quotes a value that may be a typing error, or the client secret in
// the wrong place: it shows no more than 16 bytes, and AgentConnect's secrets have
// 64 characters.
func quoteShort(value string) string {
	if len(value) > 16 {
		return fmt.Sprintf("the value of %d bytes", len(value))
	}
	return fmt.Sprintf("%q", value)
}

// Where the operator finds a setting that the environment can give.
const (
	optEnvironment = "WithEnvironment (PROCONNECT_ENVIRONMENT or AGENTCONNECT_ENVIRONMENT)"
	optIssuer      = "WithIssuer (PROCONNECT_ISSUER or AGENTCONNECT_ISSUER)"
	optClientID    = "WithClient (PROCONNECT_CLIENT_ID or AGENTCONNECT_CLIENT_ID)"
	optSecret      = "WithClient (PROCONNECT_CLIENT_SECRET or AGENTCONNECT_CLIENT_SECRET)"
	optRedirect    = "WithRedirectURL (PROCONNECT_REDIRECT_URL or AGENTCONNECT_REDIRECT_URL)"
	optPostLogout  = "WithPostLogoutRedirectURL (PROCONNECT_POST_LOGOUT_REDIRECT_URL or AGENTCONNECT_POST_LOGOUT_REDIRECT_URL)"
	optScopes      = "WithScopes (PROCONNECT_SCOPES or AGENTCONNECT_SCOPES)"
	optIDTokenAlg  = "WithIDTokenAlg (PROCONNECT_ID_TOKEN_ALG or AGENTCONNECT_ID_TOKEN_ALG)"
	optUserinfoAlg = "WithUserinfoAlg (PROCONNECT_USERINFO_ALG or AGENTCONNECT_USERINFO_ALG)"
)
