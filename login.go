package agentconnect

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/mail"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"github.com/agentconnect-go/agentconnect/internal/pending"
	"github.com/agentconnect-go/agentconnect/internal/provider"
	"github.com/agentconnect-go/agentconnect/internal/weburl"
)

// A LoginOption sets something for one login: see [Authenticator.StartLogin]
// and [Authenticator.LoginURL].
type LoginOption func(*loginRequest)

// A loginRequest is what one login asks for.
type loginRequest struct {
	ReturnTo  string   `json:"-"`
	ACR       []string `json:"acr,omitempty"`
	LoginHint string   `json:"login_hint,omitempty"`
	IdPHint   string   `json:"idp_hint,omitempty"`
	SIRETHint string   `json:"siret_hint,omitempty"`
	Prompt    string   `json:"prompt,omitempty"`

	level requirements // becomes ACR
}

// ReturnTo sets the local page to come back to, by the rules of the parameter
// return_to of [Authenticator.Login]. The default is the home page.
func ReturnTo(page string) LoginOption {
	return func(l *loginRequest) { l.ReturnTo = page }
}

// Level demands levels of this login, beside those of [WithLevel]: MFA,
// MinEIDAS, ACR or CertificationDirigeant. Access rules have no effect here.
func Level(levels ...Requirement) LoginOption {
	return func(l *loginRequest) { l.level = levels }
}

// LoginHint gives the agent's e-mail address to AgentConnect, which then skips
// the page that asks for it, and drops a session of another address.
func LoginHint(email string) LoginOption {
	return func(l *loginRequest) { l.LoginHint = email }
}

// IdPHint sends the agent straight to an identity provider, by idp_id. One that
// AgentConnect does not know fails the login with idp_hint_not_found.
func IdPHint(idpID string) LoginOption {
	return func(l *loginRequest) { l.IdPHint = idpID }
}

// SIRETHint suggests an organisation, 14 digits, to the identity provider. It
// is no access control: the agent can choose another one.
func SIRETHint(siret string) LoginOption {
	return func(l *loginRequest) { l.SIRETHint = siret }
}

// Prompt sets prompt (Core 1.0 section 3.1.2.1): "login", or "none" for a
// silent login, which asks the agent nothing and, when it fails, comes back to the
// page of ReturnTo without one. AgentConnect takes "login" as no guarantee of a
// fresh authentication.
func Prompt(prompt string) LoginOption {
	return func(l *loginRequest) { l.Prompt = prompt }
}

// The parameters of the login that [WithLoginParameters] can open to visitors.
const (
	ParamLoginHint = "login_hint"
	ParamIdPHint   = "idp_hint"
	ParamSIRETHint = "siret_hint"
	ParamPrompt    = "prompt"
)

// hints returns the hints by the names of their parameters.
func (l *loginRequest) hints() map[string]*string {
	return map[string]*string{
		ParamLoginHint: &l.LoginHint,
		ParamIdPHint:   &l.IdPHint,
		ParamSIRETHint: &l.SIRETHint,
		ParamPrompt:    &l.Prompt,
	}
}

// check checks the hints: AgentConnect answers a malformed one with a page of
// its own (Y000400), from which no agent comes back.
func (l *loginRequest) check() error {
	if l.LoginHint != "" && !isEmail(l.LoginHint) {
		return fmt.Errorf("the %s is not an e-mail address", ParamLoginHint)
	}
	if len(l.IdPHint) > 128 || !weburl.IsPrintableASCII(l.IdPHint) {
		return fmt.Errorf("the %s is not an idp_id", ParamIdPHint)
	}
	if l.SIRETHint != "" && (len(l.SIRETHint) != 14 || strings.Trim(l.SIRETHint, "0123456789") != "") {
		return fmt.Errorf("the %s has not 14 digits", ParamSIRETHint)
	}
	if !slices.Contains([]string{"", "login", "none"}, l.Prompt) {
		return fmt.Errorf("the %s is neither login nor none", ParamPrompt)
	}
	return nil
}

// isEmail reports whether s is one bare e-mail address.
func isEmail(s string) bool {
	address, err := mail.ParseAddress(s)
	return err == nil && address.Address == s && len(s) <= 254 && weburl.IsPrintableASCII(s)
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

// claims returns the claims parameter: one of the acr values is demanded, amr
// asked for, in the ID token (Core 1.0 sections 5.5 and 5.5.1.1).
func (l *loginRequest) claims(askAMR bool) string {
	type claim struct {
		Essential bool     `json:"essential"`
		Values    []string `json:"values,omitempty"`
	}
	idToken := map[string]claim{}
	if l.ACR != nil {
		idToken["acr"] = claim{Essential: true, Values: l.ACR}
	}
	if askAMR {
		idToken["amr"] = claim{Essential: true}
	}
	if len(idToken) == 0 {
		return ""
	}
	claims, _ := json.Marshal(map[string]any{"id_token": idToken}) // never fails
	return string(claims)
}

// newLogin makes the request of a login of the options.
func (a *Authenticator) newLogin(opts []LoginOption) (*loginRequest, error) {
	login := &loginRequest{ACR: a.config.acr}
	for _, opt := range opts {
		opt(login)
	}
	if login.level != nil {
		acr, err := a.config.check(slices.Concat(a.config.level, login.level))
		if err != nil {
			return nil, err
		}
		login.ACR = acr
	}
	return login, login.check()
}

// StartLogin starts a login as [Authenticator.Login] does, from a handler of
// the application, with options. Nothing of the request but its cookies is looked
// at. It writes the answer: a redirect to the provider, or a refusal when an
// option is malformed (CodeInvalidRequest) or the provider is away.
func (a *Authenticator) StartLogin(w http.ResponseWriter, r *http.Request, opts ...LoginOption) {
	noStore(w)
	login, err := a.newLogin(opts)
	if err != nil {
		a.refuse(w, r, newError(CodeInvalidRequest, err))
		return
	}
	a.startLogin(w, r, login)
}

// paramRequest is the parameter of the login that carries sealed options.
const paramRequest = "request"

// LoginURL returns the path and query of the application's login with options,
// for a link or a redirect. The options but ReturnTo are sealed, so that a visitor
// can neither read nor change them. It returns an error when an option is
// malformed.
func (a *Authenticator) LoginURL(opts ...LoginOption) (string, error) {
	login, err := a.newLogin(opts)
	if err != nil {
		return "", fmt.Errorf("agentconnect: LoginURL: %w", err)
	}
	if login.ReturnTo != "" {
		login.ReturnTo = a.config.returnTo(login.ReturnTo)
	}
	return a.linkTo(login), nil
}

// linkTo returns the path and query of a login whose ReturnTo is judged.
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

// visitorsLogin makes the request of the login that a visitor asks for: a page
// to come back to, what LoginURL sealed, and the hints that the application opened
// by name. Anything else is ignored.
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
		Silent:   login.Prompt == "none",
	}
	if err := a.pending.Add(w, r, underWay); err != nil {
		a.refuse(w, r, newError(CodeInternal, err))
		return
	}
	kind := EventLoginStarted
	if session := sessionFrom(r.Context()); session != nil && login.ACR != nil {
		kind = EventStepUpStarted
	}
	a.emit(r.Context(), Event{Kind: kind, AcceptedACR: login.ACR})
	redirect(w, a.provider.AuthURL(m, sent(underWay), login.params(a.config.askAMR)...))
}

// warnOfOtherHost says, once, that a login starts at an origin where the callback
// does not find its cookies. A proxy that rewrites Host makes it a false alarm, which
// says how to end it.
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

// sent returns what of a login the provider is sent, and its answers are tied to.
func sent(l *pending.Login) provider.Login {
	return provider.Login{State: l.State, Nonce: l.Nonce, Verifier: l.Verifier}
}

// randomText returns 256 random bits as 43 characters of base64url.
func randomText() string {
	var b [32]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the process rather
	return base64.RawURLEncoding.EncodeToString(b[:])
}
