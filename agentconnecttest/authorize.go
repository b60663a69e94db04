package agentconnecttest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// authorization is a request to authorize that has been checked.
type authorization struct {
	clientID    string
	redirectURI string
	state       string
	nonce       string
	scopes      []string
	claims      claimsRequest
	challenge   string
	loginHint   string
	idpHint     string
	siretHint   string
	silent      bool
}

// claimsRequest is the claims parameter (OpenID Connect Core 5.5), with the effect of
// acr_values on it.
type claimsRequest struct {
	idToken, userinfo []string // names asked for
	essentialACR      []string // one of these, when there are some
	unreachableACR    bool     // an acr is essential and none of its values is known
}

// redirectError is an error that goes back to the application.
type redirectError struct{ code, description string }

func (p *Provider) serveAuthorize(a *Answer, r *http.Request) {
	params := r.URL.Query()
	if r.Method == http.MethodPost {
		params = r.PostForm
	}
	if problem := malformed(params); problem != "" {
		p.errorPage(a, r, "Y000400", problem, nil)
		return
	}
	c, ok := p.client(params.Get("client_id"))
	if !ok {
		p.errorPage(a, r, "oidc-provider-rendered-error:invalid_client", "client_id is not registered", nil)
		return
	}
	redirectURI := params.Get("redirect_uri")
	if !slices.Contains(c.RedirectURIs, redirectURI) {
		p.errorPage(a, r, "oidc-provider-rendered-error:invalid_redirect_uri", "redirect_uri is not registered for this client", nil)
		return
	}
	request, problem := check(params, c)
	if problem == nil {
		problem = p.unknownIDP(request)
	}
	if problem != nil {
		p.redirectBack(a, redirectURI, "error", problem.code, "error_description", problem.description, "state", params.Get("state"))
		return
	}
	if request.claims.unreachableACR {
		p.errorPage(a, r, "invalid_request",
			"ProConnect knows none of the essential acr values; the real one would loop for ever", nil)
		return
	}
	browser := p.browser(a, r)
	if pages := p.faults.take(func(t Tamper) bool { return t.ErrorPage != "" }); len(pages) > 0 {
		p.errorPage(a, r, pages[0].ErrorPage, "injected fault", p.newInteraction(browser, request))
		return
	}
	p.serveLogin(a, r, browser, request)
}

// redirectBack sends the browser back to the application, always with iss
// (RFC 9207).
func (p *Provider) redirectBack(a *Answer, redirectURI string, pairs ...string) {
	u := withQuery(redirectURI, append(pairs, "iss", p.issuer)...)
	for _, tamper := range p.faults.take(func(t Tamper) bool { return t.Callback != nil }) {
		tamper.Callback(u)
	}
	a.seeOther(u.String())
}

var siretForm = regexp.MustCompile(`^[0-9]{14}$`)

// malformed returns the reason for the error page Y000400, or "".
func malformed(params url.Values) string {
	const must, may = true, false
	for _, rule := range []struct {
		name     string
		required bool
		valid    func(string) bool
	}{
		{"client_id", must, nil},
		{"response_type", must, nil},
		{"redirect_uri", must, func(s string) bool { return strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://") }},
		{"scope", must, nil},
		{"state", must, func(s string) bool { return len(s) >= 32 }},
		{"nonce", must, func(s string) bool { return len(s) >= 32 && len(s) <= 512 && isASCII(s) }},
		{"claims", may, nil},
		{"acr_values", may, nil},
		{"prompt", may, nil},
		{"response_mode", may, nil},
		{"login_hint", may, isEmail},
		{"idp_hint", may, nil},
		{"siret_hint", may, siretForm.MatchString},
		{"code_challenge", may, nil},
		{"code_challenge_method", may, nil},
	} {
		values := params[rule.name]
		switch {
		case len(values) > 1:
			return rule.name + " is repeated"
		case len(values) == 0 && !rule.required:
		case len(values) == 0 || rule.required && values[0] == "":
			return rule.name + " is missing"
		case rule.valid != nil && !rule.valid(values[0]):
			return rule.name + " is malformed"
		}
	}
	return ""
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > 127 })
}

var challengeForm = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`)

// check reads the other parameters, once errors can go back to the application.
func check(params url.Values, c Client) (authorization, *redirectError) {
	request := authorization{
		clientID:    c.ID,
		redirectURI: params.Get("redirect_uri"),
		state:       params.Get("state"),
		nonce:       params.Get("nonce"),
		challenge:   params.Get("code_challenge"),
		loginHint:   params.Get("login_hint"),
		idpHint:     params.Get("idp_hint"),
		siretHint:   params.Get("siret_hint"),
	}
	invalid := func(description string) (authorization, *redirectError) {
		return request, &redirectError{"invalid_request", description}
	}
	for name, code := range map[string]string{
		"request":      "request_not_supported",
		"request_uri":  "invalid_request_uri",
		"registration": "registration_not_supported",
	} {
		if params.Has(name) {
			return request, &redirectError{code, name + " parameter provided but not supported"}
		}
	}
	if params.Get("response_type") != "code" {
		return request, &redirectError{"unsupported_response_type", "unsupported response_type requested"}
	}
	if mode := params.Get("response_mode"); mode != "" && mode != "query" {
		return request, &redirectError{"unsupported_response_mode", "unsupported response_mode requested"}
	}
	prompts := strings.Fields(params.Get("prompt"))
	for _, prompt := range prompts {
		if !slices.Contains([]string{"login", "consent", "none"}, prompt) {
			return invalid("unsupported prompt value requested")
		}
	}
	request.silent = slices.Contains(prompts, "none")
	if request.silent && len(prompts) > 1 {
		return invalid("prompt none must only be used alone")
	}
	if age := params.Get("max_age"); strings.ContainsFunc(age, func(r rune) bool { return r < '0' || r > '9' }) {
		return invalid("invalid max_age parameter value")
	}
	switch method := params.Get("code_challenge_method"); {
	case request.challenge == "" && method != "":
		return invalid("code_challenge must be provided with code_challenge_method")
	case request.challenge != "" && method != "S256":
		return invalid("not supported value of code_challenge_method")
	case request.challenge != "" && !challengeForm.MatchString(request.challenge):
		return invalid("code_challenge must be 43 to 128 unreserved characters")
	}
	for _, scope := range strings.Fields(params.Get("scope")) {
		switch {
		case !slices.Contains(SupportedScopes(), scope) || slices.Contains(request.scopes, scope):
		case !slices.Contains(c.Scopes, scope):
			return request, &redirectError{"invalid_scope", "requested scope is not allowed"}
		default:
			request.scopes = append(request.scopes, scope)
		}
	}
	if !slices.Contains(request.scopes, "openid") {
		return invalid("openid scope must be requested")
	}
	var problem string
	if request.claims, problem = readClaims(params.Get("claims"), strings.Fields(params.Get("acr_values"))); problem != "" {
		return invalid(problem)
	}
	return request, nil
}

// readClaims reads the claims parameter. As in the engine of the real one,
// acr_values replaces the values of the acr claim: they are essential if that claim is.
func readClaims(parameter string, acrValues []string) (claimsRequest, string) {
	var wanted struct {
		IDToken  map[string]json.RawMessage `json:"id_token"`
		Userinfo map[string]json.RawMessage `json:"userinfo"`
	}
	if parameter != "" {
		if json.Unmarshal([]byte(parameter), &wanted) != nil {
			return claimsRequest{}, "could not parse the claims parameter JSON"
		}
		if wanted.IDToken == nil && wanted.Userinfo == nil {
			return claimsRequest{}, "claims parameter should have userinfo or id_token properties"
		}
	}
	var claims claimsRequest
	for name := range wanted.IDToken {
		claims.idToken = append(claims.idToken, name)
	}
	for name := range wanted.Userinfo {
		claims.userinfo = append(claims.userinfo, name)
	}
	var acr struct {
		Essential bool     `json:"essential"`
		Value     string   `json:"value"`
		Values    []string `json:"values"`
	}
	if raw, ok := wanted.IDToken["acr"]; ok && json.Unmarshal(raw, &acr) != nil {
		return claimsRequest{}, "invalid claims.id_token.acr"
	}
	if len(acrValues) > 0 {
		acr.Values = acrValues
		claims.idToken = append(claims.idToken, "acr")
	}
	values := acr.Values
	if acr.Value != "" {
		values = []string{acr.Value}
	}
	if acr.Essential && len(values) > 0 {
		for _, value := range values {
			if slices.Contains(supportedACRs(), value) {
				claims.essentialACR = append(claims.essentialACR, value)
			}
		}
		claims.unreachableACR = len(claims.essentialACR) == 0
	}
	return claims, ""
}

func (p *Provider) unknownIDP(request authorization) *redirectError {
	if request.idpHint == "" {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if slices.ContainsFunc(p.agents, func(a Agent) bool { return a.idp() == request.idpHint }) {
		return nil
	}
	return &redirectError{"idp_hint_not_found", "provided idp_hint could not be found"}
}
