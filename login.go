package agentconnect

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"github.com/agentconnect-go/agentconnect/internal/email"
	"github.com/agentconnect-go/agentconnect/internal/navigation"
	"github.com/agentconnect-go/agentconnect/internal/pending"
	"github.com/agentconnect-go/agentconnect/internal/provider"
	"github.com/agentconnect-go/agentconnect/internal/weburl"
)

// LoginOptions are the options of one login: see [Authenticator.StartLogin] and
// [Authenticator.LoginURL]. The zero value is an ordinary login that returns to the
// home page.
type LoginOptions struct {
	// ReturnTo is the local page to return to, by the rules of the parameter return_to
	// of [Authenticator.Login]. "" is the home page.
	ReturnTo string
	// Level demands levels of this login, in addition to [WithLevel]: MFA, MinEIDAS,
	// ACR or CertificationDirigeant. Access rules have no effect here.
	Level []Requirement
	// LoginHint gives the agent's e-mail address to ProConnect, which then skips the
	// page that asks for it, and drops a session of another address.
	LoginHint string
	// IdPHint sends the agent directly to an identity provider, by idp_id. If
	// ProConnect does not know it, the login fails with idp_hint_not_found.
	IdPHint string
	// SIRETHint suggests an organisation, 14 digits, to the identity provider. It is
	// not an access control: the agent can choose another one.
	SIRETHint string
	// Prompt sets prompt (Core 1.0 section 3.1.2.1): "login", or "none" for a silent
	// login, which returns to the page of ReturnTo, logged in or not. With "login",
	// ProConnect does not guarantee a new authentication. A silent login asks for the
	// level without demanding it, because the provider would otherwise show a page. If
	// the answer does not reach the level, no agent is logged in.
	Prompt string
}

// A loginRequest is the content of one login.
type loginRequest struct {
	ReturnTo  string   `json:"-"`
	ACR       []string `json:"acr,omitempty"`
	LoginHint string   `json:"login_hint,omitempty"`
	IdPHint   string   `json:"idp_hint,omitempty"`
	SIRETHint string   `json:"siret_hint,omitempty"`
	Prompt    string   `json:"prompt,omitempty"`
}

// hints returns the hints by the names of their parameters, which [WithLoginParameters]
// can allow to visitors.
func (l *loginRequest) hints() map[string]*string {
	return map[string]*string{
		"login_hint": &l.LoginHint,
		"idp_hint":   &l.IdPHint,
		"siret_hint": &l.SIRETHint,
		"prompt":     &l.Prompt,
	}
}

// check checks the hints: ProConnect answers a malformed hint with an error page
// (Y000400) that has no way back.
func (l *loginRequest) check() error {
	if l.LoginHint != "" && !email.Valid(l.LoginHint) {
		return errors.New("the login_hint is not an e-mail address")
	}
	if len(l.IdPHint) > 128 || !weburl.IsPrintableASCII(l.IdPHint) {
		return errors.New("the idp_hint is not an idp_id")
	}
	if l.SIRETHint != "" && !isDigits(l.SIRETHint, 14) {
		return errors.New("the siret_hint does not have 14 digits")
	}
	if !slices.Contains([]string{"", "login", "none"}, l.Prompt) {
		return errors.New("the prompt is neither login nor none")
	}
	return nil
}

// params returns the authorization request's parameters of the login.
func (l *loginRequest) params(askAMR bool) []oauth2.AuthCodeOption {
	var params []oauth2.AuthCodeOption
	for name, value := range l.hints() {
		if *value != "" {
			params = append(params, oauth2.SetAuthURLParam(name, *value))
		}
	}
	if claims := l.claims(askAMR); claims != "" {
		params = append(params, oauth2.SetAuthURLParam("claims", claims))
	}
	return params
}

// silent reports whether the login is silent (prompt=none).
func (l *loginRequest) silent() bool { return l.Prompt == "none" }

// claims returns the claims parameter, for the ID token (Core 1.0 sections 5.5 and
// 5.5.1.1): it demands one of the acr values and asks for amr. A silent login does not
// demand the acr.
func (l *loginRequest) claims(askAMR bool) string {
	type claim struct {
		Essential bool     `json:"essential"`
		Values    []string `json:"values,omitempty"`
	}
	idToken := map[string]*claim{}
	if l.ACR != nil {
		idToken["acr"] = &claim{Essential: true, Values: l.ACR}
	}
	if askAMR {
		idToken["amr"] = &claim{Essential: true}
	}
	if len(idToken) == 0 {
		return ""
	}
	if l.silent() {
		for name := range idToken {
			idToken[name] = nil
		}
	}
	claims, _ := json.Marshal(map[string]any{"id_token": idToken}) // never fails
	return string(claims)
}

// newLogin makes the loginRequest of the options.
func (a *Authenticator) newLogin(o LoginOptions) (*loginRequest, error) {
	login := &loginRequest{
		ReturnTo:  o.ReturnTo,
		ACR:       a.config.acr,
		LoginHint: o.LoginHint,
		IdPHint:   o.IdPHint,
		SIRETHint: o.SIRETHint,
		Prompt:    o.Prompt,
	}
	if len(o.Level) > 0 {
		acr, err := a.config.check(slices.Concat(a.config.level, o.Level))
		if err != nil {
			return nil, err
		}
		login.ACR = acr
	}
	return login, login.check()
}

// StartLogin starts a login with options from a handler of the application, as
// [Authenticator.Login] does. It ignores the parameters of the request. It writes the
// answer: a redirect to the provider, or a refusal if the request is not a person's
// navigation (not_navigation), if an option is malformed (invalid_request), or if the
// provider is away.
func (a *Authenticator) StartLogin(w http.ResponseWriter, r *http.Request, o LoginOptions) {
	noStore(w)
	login, err := a.newLogin(o)
	if err != nil {
		a.refuse(w, r, newError(codeInvalidRequest, err))
		return
	}
	a.startLogin(w, r, login)
}

// paramRequest is the parameter of the login that carries sealed options.
const paramRequest = "request"

// LoginURL returns the path and query of the application's login with options,
// for a link or a redirect. All options except ReturnTo are sealed, so that a visitor
// can neither read nor change them. It returns an error if an option is malformed.
func (a *Authenticator) LoginURL(o LoginOptions) (string, error) {
	login, err := a.newLogin(o)
	if err != nil {
		return "", fmt.Errorf("agentconnect: LoginURL: %w", err)
	}
	if login.ReturnTo != "" {
		login.ReturnTo = a.config.returnTo(login.ReturnTo)
	}
	return a.linkTo(login), nil
}

// linkTo returns the path and query of a login whose ReturnTo is already checked.
func (a *Authenticator) linkTo(login *loginRequest) string {
	query := url.Values{}
	if login.ReturnTo != "" {
		query.Set("return_to", login.ReturnTo)
	}
	request, _ := json.Marshal(login) // never fails
	if string(request) != "{}" {
		query.Set(paramRequest, a.links.Seal(request, paramRequest))
	}
	if len(query) == 0 {
		return a.config.loginPath
	}
	return a.config.loginPath + "?" + query.Encode()
}

// visitorsLogin makes the loginRequest of a visitor: the page to return to, the options
// that LoginURL sealed, and the hints that the application allows by name. It ignores
// all other parameters.
func (a *Authenticator) visitorsLogin(form url.Values) (*loginRequest, error) {
	login := &loginRequest{ACR: slices.Clone(a.config.acr)} // decoded into below
	if sealed := form.Get(paramRequest); sealed != "" {
		request, ok := a.links.Open(sealed, paramRequest)
		if !ok {
			return nil, fmt.Errorf("the parameter %s was not made here", paramRequest)
		}
		if err := json.Unmarshal(request, login); err != nil {
			return nil, err
		}
	}
	hints := login.hints()
	for _, name := range a.config.loginParameters {
		if value := form.Get(name); value != "" {
			*hints[name] = value
		}
	}
	login.ReturnTo = form.Get("return_to")
	return login, login.check()
}

// startLogin keeps a new pending login in the browser and redirects it to the
// provider.
func (a *Authenticator) startLogin(w http.ResponseWriter, r *http.Request, login *loginRequest) {
	if !navigation.MayStartLogin(r) {
		refusal := newError(codeNotNavigation, nil)
		refusal.ReturnTo, refusal.AcceptedACR = a.config.returnTo(login.ReturnTo), login.ACR
		a.refuse(w, r, refusal)
		return
	}
	if a.endProviderSession(w, r, login) {
		return
	}
	m, err := a.provider.Metadata(r.Context())
	if err != nil {
		a.refuse(w, r, asError(err))
		return
	}
	a.warnOfOtherHost(r)
	underWay := &pending.Login{
		State:    randomText(),
		Nonce:    randomText(),
		Verifier: oauth2.GenerateVerifier(),
		Key:      randomText(),
		ReturnTo: a.config.returnTo(login.ReturnTo),
		ACR:      login.ACR,
		Silent:   login.silent(),
	}
	if err := a.pending.Add(w, r, underWay); err != nil {
		a.refuse(w, r, newError(CodeInternal, err))
		return
	}
	kind := EventLoginStarted
	if session := sessionFrom(r.Context()); session != nil && login.ACR != nil {
		kind = EventStepUpStarted
	}
	a.events.emit(r.Context(), Event{Kind: kind, AcceptedACR: login.ACR})
	redirect(w, a.provider.AuthURL(m, sent(underWay), login.params(a.config.askAMR)...))
}

// warnOfOtherHost logs, once, that a login starts at an origin whose cookies the
// callback does not get. Behind a proxy that rewrites Host it is a false alarm; the
// message says how to stop it.
func (a *Authenticator) warnOfOtherHost(r *http.Request) {
	registered := a.config.redirectURL
	scheme, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",")
	if strings.EqualFold(r.Host, registered.Host) && (scheme == "" || strings.EqualFold(scheme, registered.Scheme)) {
		return
	}
	a.otherHost.Do(func() {
		came := r.Host[:min(len(r.Host), 255)]
		if scheme != "" {
			came = scheme[:min(len(scheme), 5)] + "://" + came
		}
		a.config.logger.WarnContext(r.Context(), "agentconnect: a login starts on another host or scheme than that of the redirect URL: its cookies do not come back, and it ends on \"unknown state\"; open the application at the registered address, or have the proxy pass the browser's Host and scheme on",
			"request", came, "redirect_url", registered.Scheme+"://"+registered.Host)
	})
}

// sent returns the values of a login that the provider gets, and that its answers must
// match.
func sent(l *pending.Login) provider.Login {
	return provider.Login{State: l.State, Nonce: l.Nonce, Verifier: l.Verifier}
}

// randomText returns 256 random bits as 43 characters of base64url.
func randomText() string {
	var b [32]byte
	rand.Read(b[:]) // never fails: crypto/rand would end the process
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// loginURL returns the path and query of the login that returns to target. A target that
// the login would not keep is left out: escaped, a long one exceeds what proxies accept.
func (a *Authenticator) loginURL(target string) string {
	if target = a.config.returnTo(target); target == a.config.homePath {
		return a.config.loginPath
	}
	return a.config.loginPath + "?return_to=" + url.QueryEscape(target)
}

// returnTo returns the page to return to after a login: target if it is a page of this
// application and not one of our own routes (which would log in again, or out),
// otherwise the home page.
func (c *config) returnTo(target string) string {
	location, ok := weburl.Local(target)
	if !ok {
		return c.homePath
	}
	for _, own := range []string{c.loginPath, c.logoutPath, weburl.Path(c.redirectURL), weburl.Path(c.postLogoutURL)} {
		if weburl.SamePage(location, own) {
			return c.homePath
		}
	}
	return location
}
