package agentconnect

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/cookies"
	"github.com/agentconnect-go/agentconnect/internal/email"
	"github.com/agentconnect-go/agentconnect/internal/fresh"
	"github.com/agentconnect-go/agentconnect/internal/navigation"
)

// RequireAgent lets through to next the requests of agents who are logged in,
// with the agent in the request's context: see [AgentFrom]. Of anybody else's
// request, next never runs.
//
// A stranger's navigation (GET or HEAD, of a person who opens a page in a tab) is
// redirected to the login and comes back to the same URL, query included. Any other request is
// answered 401 with a problem (RFC 9457) that names the login's URL, and starts
// no login. When the session store does not answer, everybody gets a 503.
//
// It costs one read of the session store and writes nothing to it. Answers carry
// Cache-Control: no-store and Vary: Cookie, which next can replace. The
// http.ResponseWriter is passed on as it is. [http.FileServer] takes Cache-Control
// off its errors: where that matters, package main says
// "//go:debug httpservecontentkeepheaders=1".
//
// RequireAgent says who is asking. What they may do is the application's
// decision: see [Authenticator.Require]. It does not protect the forms of next
// against forgery: SameSite=Lax is a mitigation, [http.CrossOriginProtection] a
// protection.
func (a *Authenticator) RequireAgent(next http.Handler) http.Handler {
	return a.protect(guard{rules: a.config.level, acr: a.config.acr, renews: true}, next)
}

// RequireAgentWithoutRenewal is [Authenticator.RequireAgent] for requests that a
// page makes by itself, as one that polls does: they do not count as use of the
// session ([WithIdleTimeout]), also where a Require is inside.
func (a *Authenticator) RequireAgentWithoutRenewal(next http.Handler) http.Handler {
	return a.protect(guard{rules: a.config.level, acr: a.config.acr}, next)
}

// Require returns a middleware that does what [Authenticator.RequireAgent] does
// and demands more. Inside RequireAgent it does not read the session again.
//
// An agent who does not meet an access rule gets a 403 that says which. One whose
// login does not reach the level is sent to log in anew with the acr that it
// takes and comes back to the same URL (step-up); if it cannot be reached, a 403
// page says so and the session stays as it was. The acr is verified in the ID
// token, whatever was asked for. Requests that are not navigations get a 403
// problem with what lacks.
//
// Require panics, as routers do for a malformed pattern, when a requirement
// refuses everybody: no single acr value satisfies all the levels together, those
// of [WithLevel] included, or an argument of a rule is malformed (see
// [Requirement]).
func (a *Authenticator) Require(rs ...Requirement) func(http.Handler) http.Handler {
	// What every login must satisfy binds every request: it may be more than when
	// the agent logged in.
	rules := slices.Concat(a.config.level, rs)
	acr, err := a.config.check(rules)
	if err != nil {
		panic("agentconnect: Require: " + err.Error())
	}
	a.config.warnOfLoop(acr)
	return func(next http.Handler) http.Handler {
		return a.protect(guard{rules: rules, acr: acr, asks: acr != nil, renews: true}, next)
	}
}

// A guard is what a protected route demands.
type guard struct {
	rules  requirements // with those of every login
	acr    []string     // what their levels accept
	asks   bool         // a stranger's login starts at once, with these levels
	renews bool         // a request is a use of the session
}

// protect lets the requests that a guard accepts through to next.
func (a *Authenticator) protect(g guard, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session := sessionFrom(r.Context())
		if session == nil || session.owner != a.sessions {
			var err error
			if session, err = a.identify(w, r); err != nil {
				a.refuseStore(w, r, err)
				return
			}
			if session == nil {
				a.refuseStranger(w, r, g)
				return
			}
			r = r.WithContext(contextWithSession(r.Context(), session))
		}
		if len(g.rules) > 0 { // copying the agent is not free
			if lacking := g.rules.lacking(session.agent, g.acr); lacking != nil {
				a.refuseAgent(w, r, lacking)
				return
			}
		}
		if !session.settled {
			session.settled = true
			if g.renews {
				a.sessions.renew(w, session)
			}
		}
		next.ServeHTTP(w, r)
	})
}

// LoadAgent puts the agent in the request's context when somebody is logged in,
// and lets everybody through: for public pages that greet who is known. An agent
// who does not satisfy [WithLevel] is a stranger there, and when the session store
// does not answer, everybody is. Answers carry Cache-Control: no-store and Vary:
// Cookie. Requests do not count as use of the session ([WithIdleTimeout]).
func (a *Authenticator) LoadAgent(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, err := a.identify(w, r)
		if err != nil && !hasLeft(r) {
			a.config.logger.WarnContext(r.Context(), "agentconnect: the session store does not answer; a public page is served as to a stranger", "cause", err)
		}
		if session != nil && a.config.level.lacking(session.agent, a.config.acr) == nil {
			r = r.WithContext(contextWithSession(r.Context(), session))
		}
		next.ServeHTTP(w, r)
	})
}

// identify returns the valid session of a request, nil for a stranger, and sets
// the headers of an answer that depends on it. A session that was idle for too long
// ends. One that is too old does not, since an instance whose clock is off must not
// end what others find valid: stores forget by themselves what is over.
func (a *Authenticator) identify(w http.ResponseWriter, r *http.Request) (*session, error) {
	dependsOnAgent(w.Header())
	session, verdict, err := a.sessions.identify(r)
	switch verdict {
	case valid:
		return session, err
	case over:
		a.events.emit(r.Context(), agentEvent(EventSessionExpired, session.agent))
	case idle:
		a.endIdle(w, r, session)
	}
	return nil, err
}

// endIdle ends a session that was idle for too long, as its own cookie shows.
func (a *Authenticator) endIdle(w http.ResponseWriter, r *http.Request, session *session) {
	a.events.emit(r.Context(), agentEvent(EventSessionExpired, session.agent))
	if err := a.sessions.destroy(r.Context(), session.token); err != nil {
		a.config.logger.WarnContext(r.Context(), "agentconnect: a session that is over could not be deleted", "cause", err)
	}
	a.endTokensOf(r.Context(), session.token)
	a.sessions.forgetCookies(w, r)
	a.setCookie(w, r, idleSuffix, "1", int(session.expires.Sub(a.config.now())/time.Second)+1)
}

// refuseStore answers a request that the store could not be asked about.
func (a *Authenticator) refuseStore(w http.ResponseWriter, r *http.Request, err error) {
	if hasLeft(r) {
		a.config.logger.DebugContext(r.Context(), "agentconnect: the client left before its session was read")
		w.WriteHeader(http.StatusServiceUnavailable) // nobody reads it
		return
	}
	a.refuse(w, r, newError(CodeSessionStore, err))
}

// hasLeft reports whether the client of a request has closed its connection: what
// then fails is no failure.
func hasLeft(r *http.Request) bool { return errors.Is(r.Context().Err(), context.Canceled) }

// dependsOnAgent sets Cache-Control: no-store and Vary: Cookie, in a single
// allocation since every protected request does it. What next appends to one of
// them does not reach the other.
func dependsOnAgent(h http.Header) {
	values := []string{"no-store", "Cookie"}
	h["Cache-Control"] = values[:1:1]
	if vary := h["Vary"]; len(vary) > 0 {
		h["Vary"] = append(vary, "Cookie")
		return
	}
	h["Vary"] = values[1:]
}

// refuseStranger sends a stranger to the login, or says that one is needed.
// Where a level is demanded the login asks for it at once, rather than twice.
func (a *Authenticator) refuseStranger(w http.ResponseWriter, r *http.Request, g guard) {
	if !navigation.Is(r) {
		refusal := newError(CodeUnauthenticated, nil)
		refusal.ReturnTo = a.pageOf(r)
		a.refuse(w, r, refusal)
		return
	}
	if cause := a.lost(w, r); cause != nil {
		a.fresh.Forget(w, r) // one page: the next login may work
		refusal := newError(codeSessionLost, cause)
		refusal.ReturnTo = a.config.returnTo(navigation.Target(r))
		a.refuse(w, r, refusal)
		return
	}
	switch {
	case g.asks:
		a.stepUp(w, r, g.acr)
	default:
		redirect(w, a.loginURL(navigation.Target(r)))
	}
}

// lost says what a stranger's browser must have lost: nil when it was given no
// session a moment ago. A session that the store has, and that this instance cannot
// read, is not lost: a login replaces it, unless the last one did just that.
func (a *Authenticator) lost(w http.ResponseWriter, r *http.Request) error {
	mark := a.fresh.Read(r)
	if mark == nil || mark.IsUnreadable() {
		return nil
	}
	token := cookies.Value(r, a.config.cookieName)
	if !mark.IsOf(token) {
		return errors.New("the browser does not present the cookie of the session that it was just given, or presents two: does a proxy drop or rewrite cookies, does another application on this host use the same cookie name?")
	}
	switch a.sessions.recordOf(r.Context(), token) {
	case recordForeign:
		return nil
	case recordUnreadable:
		if mark.IsSecond() {
			return errors.New("the store has the session that the browser was just given, and this instance cannot read its record, for the second time: do all instances have the same sealing keys (WithSealedSessions), and a version that reads what the others write?")
		}
		if r.Method != http.MethodHead { // which starts no login
			a.fresh.SetUnreadable(w, token)
		}
		return nil
	}
	return errors.New("the browser presents the session that it was just given, and this instance does not find it or takes it to be over: is the store shared by all instances (the default one is not), does it keep what it confirms, does it read from a replica that lags, do the clocks agree?")
}

// refuseAgent sends an agent to step up where that helps, and otherwise says
// what lacks.
func (a *Authenticator) refuseAgent(w http.ResponseWriter, r *http.Request, lacking *Error) {
	if lacking.Code == CodeInsufficientLevel && navigation.Is(r) {
		a.stepUp(w, r, lacking.AcceptedACR)
		return
	}
	lacking.ReturnTo = a.pageOf(r)
	if navigation.Is(r) {
		lacking.ReturnTo = a.config.returnTo(navigation.Target(r))
	}
	a.events.emit(r.Context(), Event{Kind: EventAccessRefused, Code: lacking.Code})
	a.refuse(w, r, lacking)
}

// stepUp starts a login that demands one of the acr values, of the agent who is
// logged in, to come back to the same page.
func (a *Authenticator) stepUp(w http.ResponseWriter, r *http.Request, acr []string) {
	if r.Method == http.MethodHead { // starts nothing
		redirect(w, a.loginURL(navigation.Target(r)))
		return
	}
	login := &loginRequest{ReturnTo: navigation.Target(r), ACR: acr}
	if session := sessionFrom(r.Context()); session != nil && email.Valid(session.agent.Email) {
		login.LoginHint = session.agent.Email
	}
	a.startLogin(w, r, login)
}

// pageOf returns the page that a request which is no navigation came from, by
// its Referer, so that a login started there comes back to a page that can be
// opened with GET; "" when that is not a page of this application. What htmx
// opens in place of a navigation is itself the page.
func (a *Authenticator) pageOf(r *http.Request) string {
	if r.Method == http.MethodGet && r.Header.Get("HX-Boosted") == "true" {
		return a.config.returnTo(navigation.Target(r))
	}
	referer, err := url.Parse(r.Referer())
	if err != nil || referer.Host != a.config.redirectURL.Host {
		return ""
	}
	return a.config.returnTo(referer.RequestURI())
}

// StripCookies takes the cookies of this package out of a request that is passed on,
// with [net/http/httputil.ReverseProxy] for one: what is behind it could replay them.
// It changes the request's headers, and leaves other cookies as they are. Call it on
// the outgoing request:
//
//	Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(upstream); auth.StripCookies(p.Out) }
func (a *Authenticator) StripCookies(r *http.Request) {
	names := a.pending.Names()
	for _, stem := range a.config.cookieNames() {
		for _, suffix := range []string{"", "-seen", fresh.Suffix, logoutSuffix, idleSuffix, silentSuffix} {
			names = append(names, stem+suffix)
		}
	}
	cookies.Strip(r, names)
}
