package agentconnect

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
)

// Hosts is several registrations in one process, chosen by the host name that
// the browser asked for: an application that is reached on the Internet and on
// the RIE has two, each with its AgentConnect, its URLs, its cookies and its
// sessions. It has the handlers and middleware of an [Authenticator]. A request
// for another host name is answered 421 (RFC 9110 section 15.5.20).
type Hosts struct {
	byHost map[string]*Authenticator
}

// ByHost returns the Hosts of authenticators, each chosen for the host name of
// its redirect URL (ports do not count). It returns an error when two have the
// same one, or none is given.
func ByHost(auths ...*Authenticator) (*Hosts, error) {
	h := &Hosts{byHost: map[string]*Authenticator{}}
	var errs []error
	if len(auths) == 0 {
		errs = append(errs, errors.New("agentconnect: ByHost: no authenticator"))
	}
	for i, a := range auths {
		if a == nil {
			errs = append(errs, fmt.Errorf("agentconnect: ByHost: authenticator %d is nil", i+1))
			continue
		}
		host := strings.ToLower(a.config.redirectURL.Hostname())
		if h.byHost[host] != nil {
			errs = append(errs, fmt.Errorf("agentconnect: ByHost: two authenticators have redirect URLs on %s", host))
		}
		h.byHost[host] = a
	}
	return h, errors.Join(errs...)
}

// Authenticator returns the one of a request, nil when its host name is none of
// theirs.
func (h *Hosts) Authenticator(r *http.Request) *Authenticator {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return h.byHost[strings.ToLower(strings.Trim(host, "[]"))]
}

// serve answers with what pick chooses for the request's host.
func (h *Hosts) serve(w http.ResponseWriter, r *http.Request, pick func(*Authenticator) http.Handler) {
	a := h.Authenticator(r)
	if a == nil {
		http.Error(w, http.StatusText(http.StatusMisdirectedRequest), http.StatusMisdirectedRequest)
		return
	}
	pick(a).ServeHTTP(w, r)
}

// Login is [Authenticator.Login].
func (h *Hosts) Login(w http.ResponseWriter, r *http.Request) {
	h.serve(w, r, func(a *Authenticator) http.Handler { return http.HandlerFunc(a.Login) })
}

// Callback is [Authenticator.Callback].
func (h *Hosts) Callback(w http.ResponseWriter, r *http.Request) {
	h.serve(w, r, func(a *Authenticator) http.Handler { return http.HandlerFunc(a.Callback) })
}

// Logout is [Authenticator.Logout].
func (h *Hosts) Logout(w http.ResponseWriter, r *http.Request) {
	h.serve(w, r, func(a *Authenticator) http.Handler { return http.HandlerFunc(a.Logout) })
}

// LogoutCallback is [Authenticator.LogoutCallback].
func (h *Hosts) LogoutCallback(w http.ResponseWriter, r *http.Request) {
	h.serve(w, r, func(a *Authenticator) http.Handler { return http.HandlerFunc(a.LogoutCallback) })
}

// Handler is [Authenticator.Handler].
func (h *Hosts) Handler() http.Handler {
	return h.each(func(a *Authenticator) http.Handler { return a.Handler() })
}

// RequireAgent is [Authenticator.RequireAgent].
func (h *Hosts) RequireAgent(next http.Handler) http.Handler {
	return h.each(func(a *Authenticator) http.Handler { return a.RequireAgent(next) })
}

// LoadAgent is [Authenticator.LoadAgent].
func (h *Hosts) LoadAgent(next http.Handler) http.Handler {
	return h.each(func(a *Authenticator) http.Handler { return a.LoadAgent(next) })
}

// SilentLogin is [Authenticator.SilentLogin].
func (h *Hosts) SilentLogin(next http.Handler) http.Handler {
	return h.each(func(a *Authenticator) http.Handler { return a.SilentLogin(next) })
}

// Require is [Authenticator.Require].
func (h *Hosts) Require(rs ...Requirement) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return h.each(func(a *Authenticator) http.Handler { return a.Require(rs...)(next) })
	}
}

// each makes the handler of every authenticator, once.
func (h *Hosts) each(make func(*Authenticator) http.Handler) http.Handler {
	handlers := map[*Authenticator]http.Handler{}
	for _, a := range h.byHost {
		handlers[a] = make(a)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.serve(w, r, func(a *Authenticator) http.Handler { return handlers[a] })
	})
}
