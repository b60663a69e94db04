package agentconnecttest

import (
	"slices"
	"strings"
)

// authentication is the result of a login with the FI and, if there was one, of the
// code by e-mail.
type authentication struct {
	idpACR string   // the acr of the FI
	idpAMR []string // the amr of the FI
	mail   bool     // ProConnect itself checked a code sent by e-mail
}

// amr is the claim that the services get.
func (auth authentication) amr() []string {
	if auth.mail {
		return append(slices.Clone(auth.idpAMR), "mail")
	}
	return auth.idpAMR
}

// acrFor returns the acr of this authentication for a service that demands one of the
// essential values, or any value if there are none. It returns false if no essential
// value is reached. As on the real one, the code by e-mail counts only if the service
// demands the acr that it gives.
func (auth authentication) acrFor(essential []string) (string, bool) {
	acr := auth.idpACR
	if !slices.Contains(supportedACRs(), acr) {
		acr = acrEIDAS1
	}
	if len(essential) == 0 || slices.Contains(essential, acr) {
		return acr, true
	}
	if raised := raisedByMail(acr); auth.mail && raised != "" && slices.Contains(essential, raised) {
		return raised, true
	}
	return "", false
}

// raisedByMail returns the acr after a code by e-mail, "" if the code does not raise
// it.
func raisedByMail(acr string) string {
	switch acr {
	case acrEIDAS0:
		return acrEIDAS0MFA
	case acrEIDAS1:
		return acrEIDAS1MFA
	}
	return ""
}

// mailMayHelp reports whether ProConnect asks for a code by e-mail. Like the real one,
// it ignores the acr of the FI: for an FI at eidas0 and a service that demands
// eidas1-mfa, it asks again and again.
func (auth authentication) mailMayHelp(essential []string) bool {
	return !slices.Contains(auth.idpAMR, "mail") &&
		(slices.Contains(essential, acrEIDAS0MFA) || slices.Contains(essential, acrEIDAS1MFA))
}

// authenticate lets the agent log in with their FI and reach one of the essential acr
// values, if there are some and if the FI can. If chosen is not empty, the FI answers
// with that acr.
func (a Agent) authenticate(essential []string, chosen string) authentication {
	auth := authentication{idpACR: a.ACR, idpAMR: slices.Clone(a.AMR)}
	if auth.idpACR == "" {
		auth.idpACR = acrEIDAS1
	}
	if auth.idpAMR == nil {
		auth.idpAMR = []string{"pwd"}
	}
	if _, ok := auth.acrFor(essential); chosen == "" && !ok {
		if i := slices.IndexFunc(essential, func(acr string) bool { return slices.Contains(a.OtherACRs, acr) }); i >= 0 {
			chosen = essential[i]
		}
	}
	if chosen != "" && chosen != auth.idpACR {
		auth.idpACR = chosen
		if multiFactor(chosen) {
			auth.idpAMR = append(auth.idpAMR, "pop", "mfa")
		}
	}
	return auth
}

func multiFactor(acr string) bool {
	return strings.HasSuffix(acr, "-mfa") || acr == acrEIDAS2 || acr == acrEIDAS3
}

// needsFreshLogin reports whether an acr needs a new login, even if the open session
// has that acr.
func needsFreshLogin(acr string) bool { return acr == acrEIDAS2 || acr == acrEIDAS3 }
