package agentconnect

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/agentconnect-go/agentconnect/internal/cookies"
	"github.com/agentconnect-go/agentconnect/internal/navigation"
	"github.com/agentconnect-go/agentconnect/internal/weburl"
)

// Logout ends the session, then sends the browser to the provider, so that it
// ends its own (OpenID Connect RP-Initiated Logout 1.0), with the ID token as
// id_token_hint and a state; the provider sends it on to
// [Authenticator.LogoutCallback]. The session ends first, whatever becomes of
// the rest.
//
// It takes POST. GET shows a page with a button and ends nothing, so that no
// image and no link of another site can log an agent out; a form of another site
// is refused, by Sec-Fetch-Site and Origin. Without a session it goes to the page of
// [WithLoggedOutPath]; a session that is over also ends at the provider, which may still know the
// agent. When the store cannot delete the session, the agent is told so (503), and
// the browser forgets it.
//
// A form with the field "login", the path and query of the application's login as
// [Authenticator.LoginURL] returns them, is that of "log in with another account":
// the login starts when the provider has ended its session.
//
// A script is answered 200 with a JSON object: its member location is where the
// script has to send the browser, so that the provider's session ends too. htmx gets
// HX-Redirect as well.
func (a *Authenticator) Logout(w http.ResponseWriter, r *http.Request) {
	noStore(w)
	switch r.Method {
	case http.MethodPost:
	case http.MethodGet, http.MethodHead:
		a.serveLogoutPage(w, r)
		return
	default:
		a.refuseMethod(w, r, "GET, HEAD, POST")
		return
	}
	if err := a.origin.Check(r); err != nil {
		a.refuse(w, r, newError(codeCrossOrigin, err))
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	r.ParseForm() // a form that cannot be read is a logout without fields
	next := a.loginAfterLogout(r.PostForm.Get(fieldLogin))
	hint, _ := a.links.Open(r.PostForm.Get(fieldIDTokenHint), fieldIDTokenHint)
	idToken := string(hint)

	ended, err := a.endSessions(r)
	a.sessions.forgetCookies(w, r)
	a.fresh.Forget(w, r)
	if err != nil {
		refusal := newError(CodeSessionStore, err)
		refusal.logoutFailed = true
		a.refuse(w, r, refusal)
		return
	}
	if len(ended) == 0 && next == "" {
		a.goOnLoggedOut(w, r, "")
		return
	}
	for _, session := range ended {
		idToken = cmp.Or(idToken, session.idToken)
		a.events.emit(r.Context(), agentEvent(EventLoggedOut, session.agent))
		a.config.logoutHook(r.Context(), &Logout{session.agent, session.account, r, headerWriter{w.Header()}})
	}
	a.logOutOfProvider(w, r, idToken, next)
}

// endSessions deletes every session whose token the browser presents, with what is
// kept of it, and returns
// those that there were: also one that is over, which the provider's may outlive.
func (a *Authenticator) endSessions(r *http.Request) ([]*session, error) {
	ctx := context.WithoutCancel(r.Context()) // a browser that leaves has logged out
	var ended []*session
	var errs []error
	for _, p := range a.sessions.presented(r) {
		session, err := a.sessions.findWithIDToken(ctx, p)
		if session != nil {
			ended = append(ended, session)
		}
		errs = append(errs, err, a.sessions.destroy(ctx, p.token))
		a.endTokensOf(ctx, p.token) // also when the session could not be read
	}
	return ended, errors.Join(errs...)
}

// loginAfterLogout returns the login that a form names, and "" for anything but
// a login of this application.
func (a *Authenticator) loginAfterLogout(link string) string {
	path, _, _ := strings.Cut(link, "?")
	if path != a.config.loginPath || !weburl.IsPrintableASCII(link) {
		return ""
	}
	if len(link) > maxLoginAfterLogout {
		return path
	}
	return link
}

// logOutOfProvider sends the browser to the provider's end_session_endpoint, and
// from there on to a login, if next is one. When the provider has no such endpoint
// or is away, it goes on at once.
func (a *Authenticator) logOutOfProvider(w http.ResponseWriter, r *http.Request, idToken, next string) {
	state := randomText()
	name := logoutCookieOf(a.config.cookieName)
	a.setCookie(w, r, logoutSuffix, a.logouts.Seal([]byte(state+" "+next), name), int(logoutLifetime.Seconds()))
	m, err := a.provider.Metadata(r.Context())
	if err != nil || m.EndSessionEndpoint == "" {
		a.goOnLoggedOut(w, r, next)
		return
	}
	sendTo(w, r, a.provider.EndSessionURL(m, idToken, state))
}

// goOnLoggedOut sends a browser from a logout that ended to a login, or to the page
// of those who are logged out.
func (a *Authenticator) goOnLoggedOut(w http.ResponseWriter, r *http.Request, next string) {
	sendTo(w, r, cmp.Or(next, a.config.loggedOutPath))
}

// isLoggingOut reports whether a logout of this browser has not come back from the
// provider, which may then still know the agent.
func (a *Authenticator) isLoggingOut(r *http.Request) bool {
	return a.hasCookie(r, logoutSuffix)
}

// LogoutCallback is where the provider sends the browser after a logout, at the
// registered post_logout_redirect_uri. It goes on to the page of [WithLoggedOutPath],
// or to the login with another account. The session
// ended before; when the state is the one of a logout of this browser, whatever
// it still has is forgotten as well. A wrong or missing state changes nothing. It
// takes GET.
func (a *Authenticator) LogoutCallback(w http.ResponseWriter, r *http.Request) {
	noStore(w)
	if r.Method != http.MethodGet {
		a.refuseMethod(w, r, "GET")
		return
	}
	for _, stem := range a.config.cookieNames() {
		name := logoutCookieOf(stem)
		logout, _ := a.logouts.Open(cookies.Value(r, name), name)
		state, next, ok := strings.Cut(string(logout), " ")
		if !ok || r.URL.Query().Get("state") != state {
			continue
		}
		http.SetCookie(w, cookies.New(name, "", -1, a.config.secureCookies))
		a.goOnLoggedOut(w, r, next)
		return
	}
	redirect(w, a.config.homePath)
}

// The provider's session may outlive one that was idle for too long here, and would
// log the next person at the computer in with one click. So a browser whose session
// ended by the idle timeout has a cookie that says so, and its next login first ends
// the provider's session. It is not signed: all that it can do is that.
const idleSuffix = "-idle"

// endProviderSession sends a browser whose session ended by the idle timeout to the
// provider's logout, once, from where it comes back to the login. It reports whether
// it did.
func (a *Authenticator) endProviderSession(w http.ResponseWriter, r *http.Request, login *loginRequest) bool {
	if !a.hasCookie(r, idleSuffix) {
		return false
	}
	a.setCookie(w, r, idleSuffix, "", -1)
	next := ""
	if r.Method == http.MethodGet {
		next = a.loginAfterLogout(navigation.Target(r)) // with its hints
	}
	a.logOutOfProvider(w, r, "", cmp.Or(next, a.loginAfterLogout(a.loginURL(a.config.returnTo(login.ReturnTo)))))
	return true
}

// logoutSuffix ends the name of the cookie of a logout under way.
const logoutSuffix = "-logout"

func logoutCookieOf(stem string) string { return stem + logoutSuffix }

// setCookie sets the cookie whose name ends with a suffix, and takes those of the
// other stems from the browser, so that all of them together stay small.
func (a *Authenticator) setCookie(w http.ResponseWriter, r *http.Request, suffix, value string, maxAge int) {
	for i, stem := range a.config.cookieNames() {
		switch {
		case i == 0:
			http.SetCookie(w, cookies.New(stem+suffix, value, maxAge, a.config.secureCookies))
		case len(cookies.Named(r, stem+suffix)) > 0:
			http.SetCookie(w, cookies.New(stem+suffix, "", -1, a.config.secureCookies))
		}
	}
}

// hasCookie reports whether a request has a cookie whose name ends with a suffix, of
// any stem.
func (a *Authenticator) hasCookie(r *http.Request, suffix string) bool {
	return slices.ContainsFunc(a.config.cookieNames(), func(stem string) bool { return len(cookies.Named(r, stem+suffix)) > 0 })
}
