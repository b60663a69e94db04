package agentconnecttest

import (
	"slices"
	"strings"
)

// authentication is what a login with the FI, and perhaps a code by e-mail, gave.
type authentication struct {
	idpACR string   // what the FI said
	idpAMR []string // how the FI says that it authenticated the agent
	mail   bool     // ProConnect itself checked a code sent by e-mail
}

// amr is what the services are told.
func (auth authentication) amr() []string {
	if auth.mail {
		return append(slices.Clone(auth.idpAMR), "mail")
	}
	return auth.idpAMR
}

// acrFor returns the acr with which this authentication answers a service that
// demands one of the essential values, or any when there are none. It is false when
// none is reached. As on the real one, the code by e-mail counts only for a service that
// demands what it gives.
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

// raisedByMail is what a code by e-mail makes of an acr, "" for nothing.
func raisedByMail(acr string) string {
	switch acr {
	case acrEIDAS0:
		return acrEIDAS0MFA
	case acrEIDAS1:
		return acrEIDAS1MFA
	}
	return ""
}

// mailMayHelp says whether ProConnect asks for a code by e-mail. Like the real one, it
// does not look at what the FI gave: for an FI at eidas0 and a service that demands
// eidas1-mfa it asks again and again.
func (auth authentication) mailMayHelp(essential []string) bool {
	return !slices.Contains(auth.idpAMR, "mail") &&
		(slices.Contains(essential, acrEIDAS0MFA) || slices.Contains(essential, acrEIDAS1MFA))
}

// authenticate lets the agent log in with their FI so as to reach one of the
// essential acr values, when there are some. A chosen acr, when it is not empty, is
// what the FI answers, whatever it was asked.
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

// needsFreshLogin says whether an open session is not enough for an acr, even
// when it was opened with that very one.
func needsFreshLogin(acr string) bool { return acr == acrEIDAS2 || acr == acrEIDAS3 }
