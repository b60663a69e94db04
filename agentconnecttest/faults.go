package agentconnecttest

import (
	"net/http"
	"slices"

	"github.com/agentconnect-go/agentconnect"
)

// Fault is the name of a way in which the provider fails, for [Provider.Inject]:
// Fault("id-token-wrong-nonce"). [Faults] lists them all, with the effect of each and
// the answer that a client must give. The constants are those that tests of
// applications need most. For anything else, use a [Tamper]. Inject, [Times], [Once] and
// [After] panic for an unknown name, because such a test would test nothing.
type Fault string

// The faults that tests of applications need most. [Faults] lists all.
const (
	DiscoveryError503    Fault = "discovery-error-503"
	TokenError503        Fault = "token-error-503"
	TokenInvalidGrant    Fault = "token-invalid-grant"
	UserinfoError503     Fault = "userinfo-error-503"
	UserinfoUnauthorized Fault = "userinfo-unauthorized"
	IDTokenWrongIssuer   Fault = "id-token-wrong-issuer"
	IDTokenExpired       Fault = "id-token-expired"
	IDTokenWeakACR       Fault = "id-token-weak-acr"
	CallbackAccessDenied Fault = "callback-access-denied"
	CallbackServerError  Fault = "callback-server-error"
	PageCrossedTabs      Fault = "page-crossed-tabs"
)

// injection implements Injectable. It panics for an unknown name.
func (f Fault) injection() injection {
	for _, d := range definitions() {
		if d.name == string(f) {
			return d.tamper.injection()
		}
	}
	panic("agentconnecttest: no fault is called " + string(f) + "; Faults lists their names")
}

// FaultInfo describes the effect of a fault and the answer that a client must give.
type FaultInfo struct {
	Fault    Fault
	Endpoint Endpoint // where it happens
	Effect   string   // its change on the wire

	// Status and Code are the answer of an application made with agentconnect to a
	// login with the fault. They are 0 and "" if no login fails at the application: the
	// fault is allowed, occurs after the login or at a resource server, or keeps the
	// browser on a page of the provider.
	Status int
	Code   agentconnect.Code

	// Refuse reports whether a login must fail because of the fault. If not, the fault
	// is a variation that the specifications allow.
	Refuse bool

	// Level restricts Refuse to applications that demand an acr.
	Level bool

	// Slow says that only the client's own deadline ends the wait.
	Slow bool

	algs []string
}

// Applies reports whether the fault affects a client. alg ("RS256", "ES256", "HS256" or
// "none") is the client's registered algorithm for the changed token: ID token,
// userinfo or introspection. A fault of the key set, for example, does not affect a
// client registered with HS256.
func (info FaultInfo) Applies(alg string) bool {
	return info.algs == nil || slices.Contains(info.algs, alg)
}

// Faults lists every named fault, for tests that try them all. A fault with Refuse
// false must not make a login fail.
func Faults() []FaultInfo {
	var infos []FaultInfo
	for _, d := range definitions() {
		status, code := d.verdict.answer()
		infos = append(infos, FaultInfo{
			Fault:    Fault(d.name),
			Endpoint: d.endpoint(),
			Effect:   d.effect,
			Status:   status,
			Code:     code,
			Refuse:   d.verdict != allowed,
			Level:    d.verdict == tooLow || d.verdict == badACR,
			Slow:     d.slow,
			algs:     d.algs,
		})
	}
	return infos
}

// verdict is the required answer to a fault.
type verdict string

const (
	allowed   verdict = ""
	elsewhere verdict = "elsewhere" // refused, but not by the callback of a login
	badACR    verdict = "acr"       // refused as an ID token, if an acr is demanded

	badRequest    = verdict("invalid_request")
	unknownState  = verdict("unknown_state")
	otherIssuer   = verdict("issuer_mismatch")
	badGrant      = verdict("invalid_grant")
	badClient     = verdict("invalid_client")
	denied        = verdict("access_denied")
	sessionLost   = verdict("provider_session_lost")
	badIdentity   = verdict("identity_refused")
	otherDomain   = verdict("domain_refused")
	ourRequest    = verdict("request_rejected")
	loginRequired = verdict("login_required")
	tooLow        = verdict(agentconnect.CodeInsufficientLevel)
	badIDToken    = verdict("invalid_id_token")
	badUserinfo   = verdict("invalid_userinfo")
	badAnswer     = verdict("provider_answer")
	providerError = verdict("provider_error")
	away          = verdict(agentconnect.CodeProviderUnavailable)
	tooLate       = verdict(agentconnect.CodeProviderTimeout)
)

// answer is an application's refusal of a login.
func (v verdict) answer() (int, agentconnect.Code) {
	status := 0
	switch v {
	case allowed, elsewhere:
		return 0, ""
	case badACR:
		return badIDToken.answer()
	case badRequest, unknownState, otherIssuer, badGrant:
		status = http.StatusBadRequest
	case denied, sessionLost, badIdentity, otherDomain, loginRequired, tooLow:
		status = http.StatusForbidden
	case badClient, ourRequest:
		status = http.StatusInternalServerError
	case away:
		status = http.StatusServiceUnavailable
	case tooLate:
		status = http.StatusGatewayTimeout
	default:
		status = http.StatusBadGateway
	}
	return status, agentconnect.Code(v)
}

// definition is the row of a named fault.
type definition struct {
	name    string // of the Fault
	effect  string // the change on the wire
	verdict verdict
	algs    []string // nil: any registered algorithm
	slow    bool
	tamper  Tamper
}

func (d definition) endpoint() Endpoint {
	switch t := d.tamper; {
	case t.Answer != nil:
		return t.Endpoint
	case t.IDToken != nil:
		return Token
	case t.Userinfo != nil:
		return Userinfo
	case t.Introspection != nil:
		return Introspection
	case t.LogoutCallback != nil:
		return EndSession
	case t.CrossTabs:
		return LoginPage
	}
	return Authorize
}

func definitions() []definition {
	return slices.Concat(
		idTokenDefinitions(),
		userinfoDefinitions(),
		endpointDefinitions(),
		tokenDefinitions(),
		discoveryDefinitions(),
		jwksDefinitions(),
		callbackDefinitions(),
		introspectionDefinitions(),
	)
}

// signedAlgs returns the registered algorithms with a signature.
func signedAlgs() []string { return []string{"RS256", "ES256", "HS256"} }

// publicAlgs returns those with a public key.
func publicAlgs() []string { return []string{"RS256", "ES256"} }
