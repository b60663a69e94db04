package agentconnecttest

import (
	"slices"
	"strings"
)

// authentication is what a login with the FI, and perhaps a code by e-mail, gave.
type authentication struct {
	idpACR string // what the FI said
	amr    []string
	mail   bool // AgentConnect itself checked a code sent by e-mail
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
	if raised := raisedByMail(acr); auth.mail && slices.Contains(essential, raised) {
		return raised, true
	}
	return "", false
}

// raisedByMail is what a code by e-mail makes of an acr.
func raisedByMail(acr string) string {
	switch acr {
	case acrEIDAS0:
		return acrEIDAS0MFA
	case acrEIDAS1:
		return acrEIDAS1MFA
	}
	return acr
}

// authenticate lets the agent log in with their FI so as to reach one of the
// essential acr values, when there are some. A chosen acr, when it is not empty, is
// what the FI answers, whatever it was asked.
func (a Agent) authenticate(essential []string, chosen string) authentication {
	auth := authentication{idpACR: a.ACR, amr: slices.Clone(a.AMR)}
	if auth.idpACR == "" {
		auth.idpACR = acrEIDAS1
	}
	if auth.amr == nil {
		auth.amr = []string{"pwd"}
	}
	if _, ok := auth.acrFor(essential); chosen == "" && !ok {
		if i := slices.IndexFunc(essential, func(acr string) bool { return slices.Contains(a.OtherACRs, acr) }); i >= 0 {
			chosen = essential[i]
		}
	}
	if chosen != "" && chosen != auth.idpACR {
		auth.idpACR = chosen
		if multiFactor(chosen) {
			auth.amr = append(auth.amr, "pop", "mfa")
		}
	}
	if _, ok := auth.acrFor(essential); ok || a.NoMailCode || slices.Contains(auth.amr, "mail") {
		return auth
	}
	auth.mail = true
	auth.amr = append(auth.amr, "mail")
	return auth
}

func multiFactor(acr string) bool {
	return strings.HasSuffix(acr, "-mfa") || acr == acrEIDAS2 || acr == acrEIDAS3
}

// needsFreshLogin says whether an open session is not enough for an acr, even
// when it was opened with that very one.
func needsFreshLogin(acr string) bool { return acr == acrEIDAS2 || acr == acrEIDAS3 }
