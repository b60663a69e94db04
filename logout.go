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

// Logout ends the session. It then sends the browser to the provider to end the
// provider's session (OpenID Connect RP-Initiated Logout 1.0), with the ID token as
// id_token_hint and a state. The provider sends the browser to
// [Authenticator.LogoutCallback]. The session ends first, even if the rest fails.
//
// It accepts POST. GET shows a page with a button and ends nothing, so that an image or
// a link of another site cannot log an agent out. Forms of other sites are refused, by
// Sec-Fetch-Site and Origin. Without the cookie of a session, it redirects to the page
// of [WithLoggedOutPath]. A session that is already over also ends at the provider,
// which may still know the agent. If the store cannot delete the session, the agent gets
// a 503 page, and the browser loses the cookie.
//
// To log in with another account, the form has the field "login": the path and query of
// the application's login, as [Authenticator.LoginURL] returns them. The login starts
// after the provider has ended its session.
//
// A script gets 200 with a JSON object. It must send the browser to the member
// location, so that the provider's session ends too. htmx also gets HX-Redirect.
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
	// A session that was there may have ended a moment ago, by a double click: the
	// browser then drops the first answer, which leads to the provider.
	if len(ended) == 0 && next == "" && len(a.sessions.presented(r)) == 0 {
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

// endSessions deletes every session whose token the browser presents, with its tokens,
// and returns these sessions. Expired sessions are among them, because the provider's
// session may still live.
func (a *Authenticator) endSessions(r *http.Request) ([]*session, error) {
	ctx := context.WithoutCancel(r.Context()) // the logout goes on if the browser leaves
	var ended []*session
	var errs []error
	for _, p := range a.sessions.presented(r) {
		session, err := a.sessions.findWithIDToken(ctx, p)
		if session != nil {
			ended = append(ended, session)
		}
		errs = append(errs, err, a.sessions.destroy(ctx, p.token))
		a.endTokensOf(ctx, p.token) // even if the session could not be read
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

// logOutOfProvider sends the browser to the provider's end_session_endpoint, and after
// that to the login next, if there is one. If the provider has no such endpoint or is
// away, the browser skips it.
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

// goOnLoggedOut sends a browser after a logout to a login, or to the page of
// [WithLoggedOutPath].
func (a *Authenticator) goOnLoggedOut(w http.ResponseWriter, r *http.Request, next string) {
	sendTo(w, r, cmp.Or(next, a.config.loggedOutPath))
}

// isLoggingOut reports whether a logout of this browser has not come back from the
// provider. The provider may then still know the agent.
func (a *Authenticator) isLoggingOut(r *http.Request) bool {
	return a.hasCookie(r, logoutSuffix)
}

// LogoutCallback ends a logout, at the registered post_logout_redirect_uri. It
// redirects to the page of [WithLoggedOutPath], or to the login with another account.
// The session has already ended, and a session that began since then goes on. A wrong or
// missing state changes nothing, and leads to the home page. It accepts GET.
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

// After an idle timeout here, the provider's session may still live, and would log the
// next person at the computer in with one click. So a browser whose session ended by
// the idle timeout gets a cookie, and its next login first ends the provider's session.
// The cookie is not signed, because it has no other effect.
const idleSuffix = "-idle"

// endProviderSession sends a browser whose session ended by the idle timeout to the
// provider's logout, once. From there the browser returns to the login. It reports
// whether it did so.
func (a *Authenticator) endProviderSession(w http.ResponseWriter, r *http.Request, login *loginRequest) bool {
	if !a.hasCookie(r, idleSuffix) {
		return false
	}
	a.setCookie(w, r, idleSuffix, "", -1)
	next := ""
	if r.Method == http.MethodGet {
		next = a.loginAfterLogout(navigation.Target(r)) // with its hints
	}
	a.logOutOfProvider(w, r, "", cmp.Or(next, a.loginAfterLogout(a.loginURL(login.ReturnTo))))
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
