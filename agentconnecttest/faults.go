package agentconnecttest

import (
	"net/http"
	"slices"

	"github.com/agentconnect-go/agentconnect"
)

// Fault is the name of a way in which the provider goes wrong, for
// [Provider.Inject]: Fault("id-token-wrong-nonce"). [Faults] lists them all, with what
// each changes and what a client must make of it. The constants are those that tests of
// applications need most. For anything else, make a [Tamper].
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

// injection panics for a name that is in no row: a test with a misspelt fault would
// test nothing.
func (f Fault) injection() injection {
	for _, d := range definitions() {
		if d.name == string(f) {
			return d.tamper.injection()
		}
	}
	panic("agentconnecttest: no fault is called " + string(f) + "; Faults lists their names")
}

// FaultInfo says what a fault changes and what a client must make of it.
type FaultInfo struct {
	Fault    Fault
	Endpoint Endpoint // where it happens
	Effect   string   // what it changes on the wire

	// Status and Code are how an application made with agentconnect answers a login
	// that meets the fault. They are 0 and "" where no login fails at the application: the
	// fault is allowed, is met after the login or at a resource server, or keeps the
	// browser on a page of the provider's.
	Status int
	Code   agentconnect.Code

	// Refuse tells whether a login must fail because of it. Those that must not
	// are variations that the specifications allow.
	Refuse bool

	// Level restricts Refuse to applications that demand an acr.
	Level bool

	// Slow tells that only the client's own deadline ends the wait.
	Slow bool

	algs []string
}

// Applies reports whether the fault means something to a client registered with
// alg ("RS256", "ES256", "HS256" or "none") for what it changes: the ID token, userinfo
// or introspection. A fault of the key set, for example, means nothing to a client
// registered with HS256.
func (info FaultInfo) Applies(alg string) bool {
	return info.algs == nil || slices.Contains(info.algs, alg)
}

// Faults lists every named fault, for tests that go through them all. Injecting those
// for which Refuse is false must change nothing to a login that succeeds.
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

// verdict is what must become of a fault.
type verdict string

const (
	allowed   verdict = ""
	elsewhere verdict = "elsewhere" // refused, but not by the callback of a login
	badACR    verdict = "acr"       // refused as an ID token, where an acr is demanded

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

// answer is how an application refuses a login.
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

// definition is what a named fault is made of.
type definition struct {
	name    string // of the Fault
	effect  string // what changes on the wire
	verdict verdict
	algs    []string // nil: whatever is registered
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

// The registered algorithms for which a fault means something.
func signedAlgs() []string { return []string{"RS256", "ES256", "HS256"} }
func publicAlgs() []string { return []string{"RS256", "ES256"} }
