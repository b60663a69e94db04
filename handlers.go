package agentconnect

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/cookies"
	"github.com/agentconnect-go/agentconnect/internal/pending"
	"github.com/agentconnect-go/agentconnect/internal/provider"
	"github.com/agentconnect-go/agentconnect/internal/weburl"
)

const (
	// maxForm bounds the body of a login form.
	maxForm = 64 << 10
	// callbackTimeout bounds everything that a callback asks of the provider.
	callbackTimeout = 30 * time.Second
)

// Login starts a login: it redirects to the provider (Core 1.0 section 3.1.2.1)
// with a new state, nonce and PKCE challenge (RFC 7636), and keeps them in a
// sealed cookie of this browser for ten minutes. Nothing is written to the
// session store. It takes GET and, since the official button is a form, POST;
// HEAD starts nothing. Somebody who is logged in already can log in anew.
//
// Only a person's navigation starts a login. A prefetch, a script, a frame or an
// image would end the login that a tab has under way, or go where nobody sees it: it
// is answered 403 with a problem whose login_url a script can open as a page, and
// nothing changes. htmx gets HX-Redirect as well.
//
// The parameter return_to, in the query or the form, is the page to come back
// to: a path of this application with its query and fragment. Anything that a
// browser could take for another site, and our own routes, are replaced by the
// home page ([WithHomePath]). Of the visitor's other parameters, only those that
// [WithLoginParameters] names reach the provider.
func (a *Authenticator) Login(w http.ResponseWriter, r *http.Request) {
	noStore(w)
	switch r.Method {
	case http.MethodGet, http.MethodPost:
	case http.MethodHead:
		return
	default:
		a.refuseMethod(w, r, "GET, HEAD, POST")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		a.refuse(w, r, errorf(CodeInvalidRequest, "the login's parameters cannot be read"))
		return
	}
	login, err := a.visitorsLogin(r.Form)
	if err != nil {
		refusal := newError(CodeInvalidRequest, err)
		refusal.ReturnTo = a.config.returnTo(r.Form.Get("return_to"))
		a.refuse(w, r, refusal)
		return
	}
	a.startLogin(w, r, login)
}

// Callback ends a login, at the registered redirect_uri: it takes the code that
// the provider sent the browser back with, redeems it once, verifies the ID token
// and the userinfo, asks the login hook, puts a session under a new token in the
// store, and goes on to the page that the agent was going to. It takes GET.
//
// The answer must belong to a login that this browser started less than ten
// minutes ago and that has not ended, and come from the provider that was asked
// (iss, RFC 9207). When anything is not as it should be, the request is refused,
// no session is made, and one that existed stays as it was.
//
// A browser that sends the same callback again within a minute, because our answer
// was lost, gets the same session, on any instance that has the same store, unless
// it ended meanwhile. A browser that is logged in, and comes with a login that is
// not known any more, goes home.
func (a *Authenticator) Callback(w http.ResponseWriter, r *http.Request) {
	noStore(w)
	w.Header().Set("Referrer-Policy", "no-referrer") // the URL has a code
	if r.Method != http.MethodGet {
		a.refuseMethod(w, r, "GET")
		return
	}
	callback, err := provider.ParseCallback(r.URL.RawQuery)
	if err != nil {
		a.refuse(w, r, newError(CodeInvalidRequest, err))
		return
	}
	login := a.pending.Find(r, callback.State)
	if login == nil || login.Over {
		a.callbackWithoutLogin(w, r, login)
		return
	}
	again, err := a.sessions.givenBefore(context.WithoutCancel(r.Context()), tokenOf(login, callback))
	if err != nil {
		a.refuse(w, r, newError(CodeSessionStore, err)) // nothing is used up: it can be opened again
		return
	}
	a.pending.Remove(w, r, login)
	admitted := &admission{session: again, returnTo: a.config.returnTo(login.ReturnTo)}
	if again == nil {
		admitted, err = a.ended.Once(login.State, func() (*admission, error) {
			// A browser that goes away in the middle leaves a whole session or none.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), callbackTimeout)
			defer cancel()
			return a.finishLogin(ctx, r, callback, login)
		})
	}
	if err != nil {
		a.refuseLogin(w, r, login, asError(err))
		return
	}
	a.replaceSession(r, admitted.session)
	a.give(w, r, admitted)
	a.fresh.set(w, admitted.session)
	redirect(w, admitted.returnTo)
}

// refuseLogin answers a callback that made no session. After a silent try,
// which the agent did not ask for, that is no error: the page that was asked for
// comes without a login.
func (a *Authenticator) refuseLogin(w http.ResponseWriter, r *http.Request, login *pending.Login, refusal *Error) {
	refusal.loginRefused, refusal.ReturnTo, refusal.AcceptedACR = true, a.config.returnTo(login.ReturnTo), login.ACR
	refusal.AuthorizeURL = a.provider.SupportURL((&loginRequest{ACR: login.ACR}).params(a.config.askAMR)...)
	a.emit(r.Context(), Event{Kind: EventLoginRefused, Code: refusal.Code})
	if login.Silent {
		a.config.logger.LogAttrs(r.Context(), slog.LevelDebug, "agentconnect: no silent login", refusal.logAttrs()...)
		redirect(w, refusal.ReturnTo)
		return
	}
	a.refuse(w, r, refusal)
}

// callbackWithoutLogin answers a callback whose state belongs to no login that
// this browser has under way: it ended, took too long, was dropped for newer ones,
// or is another browser's. An agent who is logged in goes on, and nothing changes;
// anybody else starts again, on the page that was asked for if that is still known.
func (a *Authenticator) callbackWithoutLogin(w http.ResponseWriter, r *http.Request, over *pending.Login) {
	page := a.config.homePath
	if over != nil {
		a.pending.Remove(w, r, over)
		page = a.config.returnTo(over.ReturnTo)
	}
	if _, verdict, _ := a.sessions.identify(r); verdict == valid {
		redirect(w, page)
		return
	}
	refusal := errorf(CodeUnknownState, "this browser has no pending login with this state")
	refusal.ReturnTo = page
	a.refuse(w, r, refusal)
}

// tokenOf returns the session token that a login and the provider's answer to it
// amount to: the same when the same browser brings the same answer twice. Nobody
// else can make it, the provider included, which does not know the login's key.
func tokenOf(login *pending.Login, callback *provider.Callback) string {
	mac := hmac.New(sha256.New, []byte(login.Key))
	mac.Write([]byte(callback.Code))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// finishLogin does what a callback does once: from the provider's answer to a
// session in the store.
func (a *Authenticator) finishLogin(ctx context.Context, r *http.Request, callback *provider.Callback, login *pending.Login) (*admission, error) {
	m, err := a.provider.Metadata(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.provider.CheckIssuer(m, callback); err != nil {
		return nil, err
	}
	if callback.Error != "" {
		return nil, providerRefusal(callback.Error, callback.Description, login.ACR)
	}
	tokens, err := a.provider.Exchange(ctx, m, callback.Code, sent(login))
	if err != nil {
		return nil, err
	}
	userinfo, err := a.provider.Userinfo(ctx, m, tokens)
	if err != nil {
		return nil, err
	}
	agent, err := agentFromClaims(userinfo)
	if err != nil {
		return nil, newError(CodeInvalidUserinfo, err)
	}
	agent.setAuthentication(tokens.ID.Claims)

	admitted, err := a.admit(ctx, r, verifiedLogin{agent, login.State, login.ACR, tokenOf(login, callback), login.ReturnTo, tokens.ID.Raw, tokens})
	if err != nil {
		refusal := asError(err)
		refusal.idTokenHint = a.links.Seal([]byte(tokens.ID.Raw), fieldIDTokenHint)
		return nil, refusal
	}
	return admitted, nil
}

// replaceSession deletes the sessions that the browser had before, one as a rule.
// They are out of reach already, under tokens that the browser forgets.
func (a *Authenticator) replaceSession(r *http.Request, newer *session) {
	for _, old := range a.sessions.presented(r) {
		if old.token == newer.token {
			continue
		}
		if err := a.sessions.destroy(r.Context(), old.token); err != nil {
			a.config.logger.WarnContext(r.Context(), "agentconnect: the session before this login could not be deleted and lives until it expires", "cause", err)
		}
		a.endTokensOf(r.Context(), old.token)
	}
}

// Logout ends the session, then sends the browser to the provider, so that it
// ends its own (OpenID Connect RP-Initiated Logout 1.0), with the ID token as
// id_token_hint and a state; the provider sends it on to
// [Authenticator.LogoutCallback]. The session ends first, whatever becomes of
// the rest.
//
// It takes POST. GET shows a page with a button and ends nothing, so that no
// image and no link of another site can log an agent out; a form of another site
// is refused, by Sec-Fetch-Site and Origin. Without a session it goes to the home
// page; a session that is over also ends at the provider, which may still know the
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
		a.refuse(w, r, newError(CodeCrossOrigin, err))
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	r.ParseForm() // a form that cannot be read is a logout without fields
	next := a.loginAfterLogout(r.PostForm.Get(fieldLogin))
	hint, _ := a.links.Open(r.PostForm.Get(fieldIDTokenHint), fieldIDTokenHint)
	idToken := string(hint)

	ended, err := a.endSessions(r)
	a.sessions.forgetCookies(w, r)
	a.fresh.forget(w, r)
	if err != nil {
		refusal := newError(CodeSessionStore, err)
		refusal.logoutFailed = true
		a.refuse(w, r, refusal)
		return
	}
	if len(ended) == 0 && next == "" {
		sendTo(w, r, a.config.homePath)
		return
	}
	for _, session := range ended {
		idToken = cmp.Or(idToken, session.idToken)
		a.emit(r.Context(), agentEvent(EventLoggedOut, session.agent))
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

const (
	// fieldLogin is the field of a logout's form that names a login to go on with:
	// a login with another account.
	fieldLogin = "login"
	// fieldIDTokenHint is the field that has the sealed ID token of a login that
	// was refused, and so left a session at the provider and none here.
	fieldIDTokenHint = "id_token_hint"
	// maxLoginAfterLogout bounds what the cookie of a logout keeps.
	maxLoginAfterLogout = 512
	// logoutLifetime is how long the provider may take to send the browser back, and
	// how long no public page tries to log it in again while it has not come back.
	logoutLifetime = time.Hour
)

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
	http.SetCookie(w, cookies.New(name, a.logouts.Seal([]byte(state+" "+next), name), int(logoutLifetime.Seconds()), a.config.secureCookies))
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

// logoutCookieOf names the cookie of a logout under way.
func logoutCookieOf(stem string) string { return stem + "-logout" }

// isLoggingOut reports whether a logout of this browser has not come back from the
// provider, which may then still know the agent.
func (a *Authenticator) isLoggingOut(r *http.Request) bool {
	return len(cookies.Named(r, logoutCookieOf(a.config.cookieName))) > 0
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

// redirect sends a browser to a URL that is known to be good, with GET.
// http.Redirect would rewrite it.
func redirect(w http.ResponseWriter, location string) {
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusSeeOther)
}

// sendTo is redirect, and tells a script, which could not follow a redirect to
// another site, where to send its browser: in a JSON object with the member location,
// and to htmx in a header of its own.
func sendTo(w http.ResponseWriter, r *http.Request, location string) {
	if isForPerson(r) || isPlainProgram(r) {
		redirect(w, location)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	if isHTMX(r.Header) {
		h.Set("HX-Redirect", location)
	}
	json.NewEncoder(w).Encode(map[string]string{"location": location})
}

// noStore keeps every cache from keeping the answer (RFC 9111 section 5.2.2.5).
func noStore(w http.ResponseWriter) { w.Header().Set("Cache-Control", "no-store") }

// refuseMethod answers a method that a handler does not take.
func (a *Authenticator) refuseMethod(w http.ResponseWriter, r *http.Request, allow string) {
	w.Header().Set("Allow", allow)
	a.refuse(w, r, errorf(CodeMethodNotAllowed, "the handler takes %s", allow))
}
