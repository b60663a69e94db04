package agentconnect

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/navigation"
	"github.com/agentconnect-go/agentconnect/internal/pending"
	"github.com/agentconnect-go/agentconnect/internal/provider"
	"github.com/agentconnect-go/agentconnect/internal/replay"
	"github.com/agentconnect-go/agentconnect/internal/weburl"
)

// callbackTimeout bounds all the calls of a callback to the provider.
const callbackTimeout = 30 * time.Second

// Login starts a login: it redirects to the provider (Core 1.0 section 3.1.2.1)
// with a new state, nonce and PKCE challenge (RFC 7636), and keeps them in a
// sealed cookie of this browser for ten minutes. Nothing is written to the
// session store. It accepts GET and, because the official button is a form, POST; HEAD
// starts nothing. An agent who is logged in can log in again.
//
// Only a person's navigation starts a login. A prefetch, a script, a frame or an image
// gets a 403 problem, and nothing changes: it would disturb the login of a tab, or show
// the login where the person cannot see it. A script can open the login_url of the
// problem as a page. htmx also gets HX-Redirect. A program that sends none of the headers
// of a browser can start a login too.
//
// The parameter return_to, in the query or the form, is the page to return to: a path
// of this application with its query and fragment. An address that a browser could read
// as another site, or one of our own routes, is replaced by the home page
// ([WithHomePath]). Other parameters of the visitor only reach the provider if
// [WithLoginParameters] names them.
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
		a.refuse(w, r, errorf(codeInvalidRequest, "the login's parameters cannot be read"))
		return
	}
	login, err := a.visitorsLogin(r.Form)
	if err != nil {
		refusal := newError(codeInvalidRequest, err)
		refusal.ReturnTo = a.config.returnTo(r.Form.Get("return_to"))
		a.refuse(w, r, refusal)
		return
	}
	a.startLogin(w, r, login)
}

// Callback ends a login, at the registered redirect_uri. It redeems the provider's code
// once, verifies the ID token and the userinfo, calls the login hook, puts a session
// with a new token in the store, and redirects to the page that the agent asked for. It
// accepts GET.
//
// The answer must belong to a login that this browser started less than ten minutes ago
// and that has not ended. It must come from the provider that was asked (iss, RFC
// 9207). Otherwise the request is refused, no session is made, and an existing session
// does not change.
//
// If a browser sends the same callback again within a minute, because our answer was
// lost, it gets the same session, on any instance with the same store, unless the
// session has ended. A browser that is logged in, and returns with an unknown login,
// goes to the home page.
func (a *Authenticator) Callback(w http.ResponseWriter, r *http.Request) {
	noStore(w)
	w.Header().Set("Referrer-Policy", "no-referrer") // the URL has a code
	if r.Method != http.MethodGet {
		a.refuseMethod(w, r, "GET")
		return
	}
	callback, err := provider.ParseCallback(r.URL.RawQuery)
	if err != nil {
		a.refuse(w, r, newError(codeInvalidRequest, err))
		return
	}
	login := a.pending.Find(r, callback.State)
	if login == nil || login.Over {
		a.callbackWithoutLogin(w, r, login)
		return
	}
	answered := answeredLogin{login, callback, tokenOf(login, callback)}
	admitted, err := a.admittedBefore(context.WithoutCancel(r.Context()), answered)
	if err != nil {
		a.refuse(w, r, newError(CodeSessionStore, err)) // the code is not used: the callback can be opened again
		return
	}
	if admitted == nil {
		admitted, err = a.ended.Once(login.State, func() (*admission, error) {
			// A browser that leaves in the middle leaves a complete session or none.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), callbackTimeout)
			defer cancel()
			return a.finishLogin(ctx, r, answered)
		})
		if errors.Is(err, pending.ErrEnded) { // a twin may have ended after the look above
			if again, _ := a.admittedBefore(context.WithoutCancel(r.Context()), answered); again != nil {
				admitted, err = again, nil
			}
		}
	}
	if err != nil {
		a.refuseLogin(w, r, login, asError(err))
		return
	}
	a.pending.Remove(w, r, login)
	a.replaceSession(r, admitted.session)
	a.give(w, r, admitted)
	a.fresh.Set(w, r, admitted.session.token, admitted.session.expires)
	redirect(w, admitted.returnTo)
}

// refuseLogin answers a callback that made no session. After a silent login, that is
// not an error: the agent gets the requested page without a login.
func (a *Authenticator) refuseLogin(w http.ResponseWriter, r *http.Request, login *pending.Login, refusal *Error) {
	refusal.loginRefused, refusal.ReturnTo, refusal.AcceptedACR = true, a.config.returnTo(login.ReturnTo), login.ACR
	refusal.AuthorizeURL = a.provider.SupportURL((&loginRequest{ACR: login.ACR}).params(a.config.askAMR)...)
	a.events.emit(r.Context(), Event{Kind: EventLoginRefused, Code: refusal.Code})
	a.pending.End(w, r, login)
	if login.Silent {
		a.config.logger.LogAttrs(r.Context(), slog.LevelDebug, "agentconnect: no silent login", refusal.logAttrs()...)
		redirect(w, refusal.ReturnTo)
		return
	}
	a.refuse(w, r, refusal)
}

// callbackWithoutLogin answers a callback with a state of no login under way in this
// browser: the login ended, took too long, was replaced by newer ones, or belongs to
// another browser. For an agent who is logged in, nothing changes. A stranger can start
// again, with the requested page if it is still known.
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
	refusal := errorf(codeUnknownState, "this browser has no pending login with this state")
	refusal.ReturnTo = page
	a.refuse(w, r, refusal)
}

// An answeredLogin is a login that is under way in this browser, and the provider's
// answer to it.
type answeredLogin struct {
	*pending.Login
	callback *provider.Callback
	token    string // of its session
}

// tokenOf derives the session token from a login and the provider's answer. The same
// browser with the same answer gets the same token. No other party can compute it: the
// provider does not know the login's key.
func tokenOf(login *pending.Login, callback *provider.Callback) string {
	mac := hmac.New(sha256.New, []byte(login.Key))
	mac.Write([]byte(callback.Code))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// finishLogin does the part of a callback that must run once: from the provider's
// answer to a session in the store.
func (a *Authenticator) finishLogin(ctx context.Context, r *http.Request, login answeredLogin) (*admission, error) {
	m, err := a.provider.Metadata(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.provider.CheckIssuer(m, login.callback); err != nil {
		return nil, err
	}
	if login.callback.Error != "" {
		return nil, providerRefusal(login.callback.Error, login.callback.Description, login.ACR)
	}
	tokens, err := a.provider.Exchange(ctx, m, login.callback.Code, sent(login.Login))
	if err != nil {
		if twin := a.awaitTwin(ctx, login, err); twin != nil {
			return twin, nil
		}
		return nil, err
	}
	userinfo, err := a.provider.Userinfo(ctx, m, tokens)
	if err != nil {
		return nil, err
	}
	agent, err := agentFromClaims(userinfo)
	if err != nil {
		return nil, newError(codeInvalidUserinfo, err)
	}
	agent.setAuthentication(tokens.ID.Claims)

	admitted, err := a.admit(ctx, r, verifiedLogin{agent, login.State, login.ACR, login.token, login.ReturnTo, tokens.ID.Raw, tokens})
	if err != nil {
		refusal := asError(err)
		refusal.idTokenHint = a.links.Seal([]byte(tokens.ID.Raw), fieldIDTokenHint)
		return nil, refusal
	}
	return admitted, nil
}

// replaceSession deletes the former sessions of the browser, usually one.
func (a *Authenticator) replaceSession(r *http.Request, newer *session) {
	for _, old := range a.sessions.presented(r) {
		if old.token == newer.token {
			continue
		}
		if err := replay.Replace(r.Context(), a.sessions.store, old.token, a.fresh.Read(r).IsOf(old.token), a.config.now()); err != nil {
			a.config.logger.WarnContext(r.Context(), "agentconnect: the session before this login could not be deleted and lives until it expires", "cause", err)
		}
		a.endTokensOf(r.Context(), old.token)
	}
}

// Handler serves the four routes: the login and the logout at the paths of
// [WithLoginPath] and [WithLogoutPath], the two callbacks at the paths of the
// registered URLs. It uses the path that the browser requested. So it can be mounted at
// the root, or under a prefix of those paths, even behind http.StripPrefix. Any other
// path gets 404.
func (a *Authenticator) Handler() http.Handler {
	routes := map[string]http.HandlerFunc{
		a.config.loginPath:                  a.Login,
		a.config.logoutPath:                 a.Logout,
		weburl.Path(a.config.redirectURL):   a.Callback,
		weburl.Path(a.config.postLogoutURL): a.LogoutCallback,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, _, _ := strings.Cut(navigation.Target(r), "?")
		handler, ok := routes[path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		handler(w, r)
	})
}

// providerRefusal returns the refusal for an error in the provider's redirect. acr are
// the values that the login demanded.
func providerRefusal(name, description string, acr []string) *Error {
	code := codeOf(name, description)
	refusal := newError(code, nil)
	if code == CodeInsufficientLevel {
		if acr == nil { // nothing was demanded
			refusal = newError(codeAccessDenied, nil)
		} else {
			refusal = levelRefusal(acr)
		}
	}
	refusal.ProviderError, refusal.ProviderDescription = name, description
	return refusal
}

// codeOf returns the code of an error in the provider's redirect. Anyone can forge both
// texts: they only choose one of our explanations, and only if error and description
// match exactly as ProConnect sends them.
func codeOf(name, description string) Code {
	const technical = "authentication aborted due to a technical error on the authorization server"
	switch name {
	case "access_denied":
		switch description {
		case "authentication aborted due to invalid identity":
			return codeIdentityRefused
		case "authentication aborted due to a configuration limitation":
			return codeDomainRefused
		case "user authentication aborted":
			return codeProviderSessionLost
		case "requested ACRs could not be satisfied":
			return CodeInsufficientLevel
		}
		return codeAccessDenied
	case "login_required":
		return codeLoginRequired
	case "idp_hint_not_found":
		return codeIdPHintNotFound
	case "temporarily_unavailable":
		return CodeProviderUnavailable
	case "invalid_request":
		if description == technical { // the identity provider's error, not ours
			return codeProviderError
		}
		return codeRequestRejected
	case "invalid_scope", "unauthorized_client", "unsupported_response_type", "unsupported_response_mode",
		"request_not_supported", "request_uri_not_supported", "registration_not_supported", "invalid_request_uri", "invalid_request_object":
		return codeRequestRejected
	}
	return codeProviderError
}
