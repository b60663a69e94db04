package agentconnect

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/cookies"
	"github.com/agentconnect-go/agentconnect/internal/email"
	"github.com/agentconnect-go/agentconnect/internal/fresh"
	"github.com/agentconnect-go/agentconnect/internal/navigation"
	"github.com/agentconnect-go/agentconnect/internal/replay"
)

// RequireAgent runs next only for agents who are logged in, with the agent in the
// request's context: see [AgentFrom]. For a stranger, next never runs.
//
// A stranger's navigation (GET or HEAD, by a person who opens a page in a tab) is
// redirected to the login and returns to the same URL with its query. Any other request
// gets a 401 problem (RFC 9457) with the login's URL, and starts no login. If the
// session store does not answer, every request gets a 503.
//
// It costs one read of the session store and writes nothing to it. Answers carry
// Cache-Control: no-store and Vary: Cookie, which next can replace. next gets the
// original http.ResponseWriter. [http.FileServer] removes Cache-Control from its
// errors; to keep it, put "//go:debug httpservecontentkeepheaders=1" into package main.
//
// RequireAgent only identifies the agent. The application decides what the agent may
// do: see [Authenticator.Require]. RequireAgent does not protect the forms of next
// against forgery: SameSite=Lax helps, but use [http.CrossOriginProtection].
func (a *Authenticator) RequireAgent(next http.Handler) http.Handler {
	return a.protect(guard{rules: a.config.level, acr: a.config.acr, renews: true}, next)
}

// RequireAgentWithoutRenewal is [Authenticator.RequireAgent] for automatic requests of
// a page, such as polling. They do not count as use of the session ([WithIdleTimeout]),
// even with a Require inside.
func (a *Authenticator) RequireAgentWithoutRenewal(next http.Handler) http.Handler {
	return a.protect(guard{rules: a.config.level, acr: a.config.acr}, next)
}

// Require returns a middleware like [Authenticator.RequireAgent] that also checks
// requirements. Inside RequireAgent it does not read the session again.
//
// An agent who does not meet an access rule gets a 403 that names the rule. An agent
// whose login does not reach the level logs in again at that level and returns to the
// same URL (step-up). If the level cannot be reached, the agent gets a 403 page, and
// the session does not change. The acr of the ID token is always verified. Requests
// that are not navigations get a 403 problem with the unmet requirements.
//
// Require panics, as routers do for a malformed pattern, if no agent can meet the
// requirements: no single acr value satisfies all the levels together, including
// [WithLevel], or an argument of a rule is malformed (see [Requirement]).
func (a *Authenticator) Require(rs ...Requirement) func(http.Handler) http.Handler {
	// The requirements of every login apply to every request: they may be stricter now
	// than at the login.
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

// A guard has the requirements of a protected route.
type guard struct {
	rules  requirements // including those of every login
	acr    []string     // the values that their levels accept
	asks   bool         // a stranger's login asks for these levels
	renews bool         // a request counts as use of the session
}

// protect runs next for the requests that a guard accepts.
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
		if len(g.rules) > 0 { // avoids a copy of the agent
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

// LoadAgent runs next for every request. If an agent is logged in, the agent is in the
// request's context. It is for public pages that greet agents. An agent who does not
// satisfy [WithLevel] is a stranger there. If the session store does not answer, every
// agent is a stranger. Answers have Cache-Control: no-store and Vary: Cookie. Requests
// do not count as use of the session ([WithIdleTimeout]).
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

// identify returns the valid session of a request, nil for a stranger, and sets the
// headers of an answer that depends on it. It ends a session that was idle for too
// long. It does not end an expired session: if this instance's clock is wrong, the
// session may be valid on others, and stores delete expired records themselves.
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

// endIdle ends a session whose own cookie shows that it was idle for too long.
func (a *Authenticator) endIdle(w http.ResponseWriter, r *http.Request, session *session) {
	a.events.emit(r.Context(), agentEvent(EventSessionExpired, session.agent))
	if err := a.sessions.destroy(r.Context(), session.token); err != nil {
		a.config.logger.WarnContext(r.Context(), "agentconnect: a session that is over could not be deleted", "cause", err)
	}
	a.endTokensOf(r.Context(), session.token)
	a.sessions.forgetCookies(w, r)
	a.setCookie(w, r, idleSuffix, "1", int(session.expires.Sub(a.config.now())/time.Second)+1)
}

// refuseStore answers a request whose session the store could not return.
func (a *Authenticator) refuseStore(w http.ResponseWriter, r *http.Request, err error) {
	if hasLeft(r) {
		a.config.logger.DebugContext(r.Context(), "agentconnect: the client left before its session was read")
		w.WriteHeader(http.StatusServiceUnavailable) // the client has left
		return
	}
	a.refuse(w, r, newError(CodeSessionStore, err))
}

// hasLeft reports whether the client of a request has closed its connection: an error
// is then not a failure.
func hasLeft(r *http.Request) bool { return errors.Is(r.Context().Err(), context.Canceled) }

// dependsOnAgent sets Cache-Control: no-store and Vary: Cookie, in a single allocation,
// because every protected request does it. If next appends to one of them, the other
// does not change.
func dependsOnAgent(h http.Header) {
	values := []string{"no-store", "Cookie"}
	h["Cache-Control"] = values[:1:1]
	if vary := h["Vary"]; len(vary) > 0 {
		h["Vary"] = append(vary, "Cookie")
		return
	}
	h["Vary"] = values[1:]
}

// refuseStranger sends a stranger to the login, or answers that a login is needed. The
// login asks at once for the level of the route.
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
		refusal.ReturnTo = a.pageOf(r)
		a.refuse(w, r, refusal)
		return
	}
	switch path, _, _ := strings.Cut(navigation.Target(r), "?"); {
	case path == a.config.loginPath, path == a.config.redirectURL.Path:
		a.refuse(w, r, errorf(CodeInternal, "RequireAgent is around the login or the callback, which would redirect for ever: put it around protected routes only"))
	case g.asks:
		a.stepUp(w, r, g.acr)
	default:
		redirect(w, a.loginURL(navigation.Target(r)))
	}
}

// lost explains why a browser that just got a session is a stranger. It returns nil if
// it got none a moment ago, or if another tab got a newer one. If this instance cannot
// read the session, a login replaces it: lost returns nil the first time.
func (a *Authenticator) lost(w http.ResponseWriter, r *http.Request) error {
	token, mark := cookies.Value(r, a.config.cookieName), a.fresh.Read(r)
	if mark == nil || mark.IsUnreadable() || replay.IsReplaced(r.Context(), a.sessions.store, token) {
		return nil
	}
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

// refuseAgent starts a step-up if that helps, and otherwise answers with the unmet
// requirements.
func (a *Authenticator) refuseAgent(w http.ResponseWriter, r *http.Request, lacking *Error) {
	if lacking.Code == CodeInsufficientLevel && navigation.Is(r) {
		a.stepUp(w, r, lacking.AcceptedACR)
		return
	}
	lacking.ReturnTo = a.pageOf(r)
	a.events.emit(r.Context(), Event{Kind: EventAccessRefused, Code: lacking.Code})
	a.refuse(w, r, lacking)
}

// stepUp starts a login that demands one of the acr values and returns to the same page.
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

// pageOf returns the page to return to after a request: itself if it is a navigation, or
// one that htmx makes in place of a navigation, and otherwise the page that sent it, by
// its Referer. It returns "" if that is not a page of this application.
func (a *Authenticator) pageOf(r *http.Request) string {
	if navigation.Is(r) || r.Method == http.MethodGet && r.Header.Get("HX-Boosted") == "true" {
		return a.config.returnTo(navigation.Target(r))
	}
	referer, err := url.Parse(r.Referer())
	if err != nil || referer.Host != a.config.redirectURL.Host {
		return ""
	}
	return a.config.returnTo(referer.RequestURI())
}

// StripCookies removes the cookies of this package from a request that is passed on,
// for example with [net/http/httputil.ReverseProxy]: the server behind it could replay
// them. It changes the request's headers and keeps other cookies. Call it on the
// outgoing request:
//
//	Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(upstream); auth.StripCookies(p.Out) }
func (a *Authenticator) StripCookies(r *http.Request) {
	names := a.pending.Names()
	for _, stem := range a.config.cookieNames() {
		for _, suffix := range []string{"", seenSuffix, fresh.Suffix, logoutSuffix, idleSuffix, silentSuffix} {
			names = append(names, stem+suffix)
		}
	}
	cookies.Strip(r, names)
}
