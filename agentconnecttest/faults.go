package agentconnecttest

import "slices"

// Fault is a named way in which the provider goes wrong, to be given to
// [Provider.Inject]. Its value says what happens, in words fit for the name of a
// subtest. [Faults] lists them all with what a client must make of each; when none of them is
// what a test needs, [Tamper] is what they are made of.
type Fault string

func (f Fault) injection() injection {
	for _, d := range definitions() {
		if d.fault == f {
			return d.tamper.injection()
		}
	}
	panic("agentconnecttest: no fault is called " + string(f)) // a wiring error: only constants of this package are faults
}

// FaultInfo says what a client must make of a fault.
type FaultInfo struct {
	Fault    Fault
	Endpoint Endpoint // where it happens

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
		infos = append(infos, FaultInfo{
			Fault:    d.fault,
			Endpoint: d.endpoint(),
			Refuse:   d.verdict != allowed,
			Level:    d.verdict == refusedByLevel,
			Slow:     d.slow,
			algs:     d.algs,
		})
	}
	return infos
}

type verdict int

const (
	allowed verdict = iota
	refused
	refusedByLevel
)

// definition is what a named fault is made of.
type definition struct {
	fault   Fault
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
