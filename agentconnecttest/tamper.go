package agentconnecttest

import (
	"net/url"
	"slices"
	"sync"
)

// Tamper changes the provider's answers in one or several places. A nil field changes
// nothing. The named faults ([Fault]) are Tampers. A test that needs another fault
// injects its own Tamper:
//
//	srv.Inject(agentconnecttest.Tamper{IDToken: func(t *agentconnecttest.JWT) {
//		t.Claims.Set("acr", "eidas3")
//	}})
//
// Several goroutines may call the functions at the same time.
type Tamper struct {
	// IDToken and Userinfo change a token before it is signed; Introspection
	// changes an introspection answer, signed or plain.
	IDToken, Userinfo, Introspection func(*JWT)

	// Callback changes the URL that takes the browser back to the application's
	// redirect URI, with a code or with an error; LogoutCallback the one to its
	// post-logout redirect URI.
	Callback, LogoutCallback func(*url.URL)

	// Answer changes the answer of Endpoint, after everything else.
	Endpoint Endpoint
	Answer   func(*Answer)

	// ErrorPage makes the provider show its error page with this code (Y……) instead
	// of the login page. The browser does not come back to the application by itself.
	ErrorPage string

	// CrossTabs answers the form of each login page of a browser like that of the
	// latest one: tab 1 gets the state of tab 2.
	CrossTabs bool
}

func (t Tamper) injection() injection { return injection{tamper: t, left: -1} }

// Injectable is an argument of [Provider.Inject]: a [Fault], a [Tamper], or one of
// them limited by [Times], [Once] or [After].
type Injectable interface{ injection() injection }

type injection struct {
	tamper Tamper
	skip   int // applications still to let pass
	left   int // applications left; negative: no limit
}

func (i injection) injection() injection { return i }

// Times limits a fault to its first n applications.
func Times(n int, fault Injectable) Injectable {
	i := fault.injection()
	i.left = max(n, 0)
	return i
}

// Once limits a fault to its first application.
func Once(fault Injectable) Injectable { return Times(1, fault) }

// After lets the first n answers pass before the fault applies.
func After(n int, fault Injectable) Injectable {
	i := fault.injection()
	i.skip = max(n, 0)
	return i
}

// Inject makes faults apply from now on, after those injected before, until
// [Provider.Clear].
func (p *Provider) Inject(faults ...Injectable) {
	p.faults.mu.Lock()
	defer p.faults.mu.Unlock()
	for _, fault := range faults {
		p.faults.active = append(p.faults.active, new(fault.injection()))
	}
}

// Clear removes all injected faults. Their lasting effects, such as an ended session,
// stay.
func (p *Provider) Clear() {
	p.faults.mu.Lock()
	defer p.faults.mu.Unlock()
	p.faults.active = nil
}

type faultSet struct {
	mu     sync.Mutex
	active []*injection
}

// take returns the Tampers that apply in one place now, and counts their use.
func (set *faultSet) take(applies func(Tamper) bool) []Tamper {
	set.mu.Lock()
	defer set.mu.Unlock()
	var taken []Tamper
	for _, i := range set.active {
		switch {
		case !applies(i.tamper):
		case i.skip > 0:
			i.skip--
		case i.left != 0:
			i.left--
			taken = append(taken, i.tamper)
		}
	}
	set.active = slices.DeleteFunc(set.active, func(i *injection) bool { return i.left == 0 })
	return taken
}

func (set *faultSet) crossTabs() bool {
	return len(set.take(func(t Tamper) bool { return t.CrossTabs })) > 0
}
