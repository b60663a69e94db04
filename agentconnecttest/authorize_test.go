package agentconnecttest_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

// open answers a navigation without following redirects.
func open(t *testing.T, browser *http.Client, address string) (*http.Response, string) {
	t.Helper()
	return send(t, browser, http.MethodGet, address, nil)
}

// send is open with a method and a form.
func send(t *testing.T, browser *http.Client, method, address string, form url.Values) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	still := *browser
	still.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := still.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestDiscovery(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	resp, body := open(t, newBrowser(t), srv.Issuer+"/.well-known/openid-configuration")
	if got := resp.Header.Get("Cache-Control"); got != "public, max-age=600" {
		t.Errorf("Cache-Control: got %q, want public, max-age=600", got)
	}
	if head, rest := send(t, newBrowser(t), http.MethodHead, srv.Issuer+"/.well-known/openid-configuration", nil); head.StatusCode != http.StatusOK || head.ContentLength != int64(len(body)) || rest != "" {
		t.Errorf("HEAD: got %d, length %d, body %q, want 200, %d and no body", head.StatusCode, head.ContentLength, rest, len(body))
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"issuer":                 srv.URL + "/api/v2",
		"authorization_endpoint": srv.Issuer + "/authorize",
		"token_endpoint":         srv.Issuer + "/token",
		"userinfo_endpoint":      srv.Issuer + "/userinfo",
		"jwks_uri":               srv.Issuer + "/jwks",
		"end_session_endpoint":   srv.Issuer + "/session/end",
		"revocation_endpoint":    srv.Issuer + "/token/revocation",
		"introspection_endpoint": srv.Issuer + "/token/introspection",
		"authorization_response_iss_parameter_supported": true,
		"claims_parameter_supported":                     true,
	} {
		if got[name] != want {
			t.Errorf("%s: got %v, want %v", name, got[name], want)
		}
	}
	for name, want := range map[string]string{
		"acr_values_supported":                  "eidas0 eidas0-mfa eidas1 eidas1-mfa eidas2 eidas3 https://proconnect.gouv.fr/assurance/certification-dirigeant",
		"code_challenge_methods_supported":      "S256",
		"response_types_supported":              "code",
		"token_endpoint_auth_methods_supported": "client_secret_post",
		"id_token_signing_alg_values_supported": "HS256 ES256 RS256",
		"scopes_supported":                      allScopes,
	} {
		var values []string
		list, _ := got[name].([]any)
		for _, value := range list {
			values = append(values, value.(string))
		}
		if strings.Join(values, " ") != want {
			t.Errorf("%s: got %v, want %s", name, values, want)
		}
	}
}

// TestAuthorizeErrorPages shows the requests whose errors do not go back to the
// application.
func TestAuthorizeErrorPages(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	a := newApp(t, srv)
	for _, test := range []struct {
		name string
		with []string
		raw  string // appended to the query
		want string // the code
	}{
		{name: "no client_id", with: []string{"client_id", ""}, want: "Y000400"},
		{name: "no response_type", with: []string{"response_type", ""}, want: "Y000400"},
		{name: "no redirect_uri", with: []string{"redirect_uri", ""}, want: "Y000400"},
		{name: "no scope", with: []string{"scope", ""}, want: "Y000400"},
		{name: "empty scope", with: []string{"scope", ""}, raw: "&scope=", want: "Y000400"},
		{name: "no state", with: []string{"state", ""}, want: "Y000400"},
		{name: "short state", with: []string{"state", strings.Repeat("s", 31)}, want: "Y000400"},
		{name: "no nonce", with: []string{"nonce", ""}, want: "Y000400"},
		{name: "short nonce", with: []string{"nonce", strings.Repeat("n", 31)}, want: "Y000400"},
		{name: "long nonce", with: []string{"nonce", strings.Repeat("n", 513)}, want: "Y000400"},
		{name: "nonce not ASCII", with: []string{"nonce", strings.Repeat("é", 32)}, want: "Y000400"},
		{name: "repeated scope", with: []string{"scope", "openid", "scope", "openid"}, want: "Y000400"},
		{name: "repeated optional parameter", with: []string{"prompt", "login", "prompt", "login"}, want: "Y000400"},
		{name: "malformed escape", raw: "&x=%zz", want: "Y000400"},
		{name: "login_hint is no e-mail", with: []string{"login_hint", "marie"}, want: "Y000400"},
		{name: "login_hint has a name", with: []string{"login_hint", "Marie <marie@a.example>"}, want: "Y000400"},
		{name: "siret_hint too short", with: []string{"siret_hint", "1300252650001"}, want: "Y000400"},
		{name: "siret_hint has letters", with: []string{"siret_hint", "1300252650001a"}, want: "Y000400"},
		{name: "unknown client", with: []string{"client_id", "nobody"}, want: "oidc-provider-rendered-error:invalid_client"},
		{name: "redirect_uri with a slash more", with: []string{"redirect_uri", a.http.URL + "/callback/"}, want: "oidc-provider-rendered-error:invalid_redirect_uri"},
		{name: "redirect_uri with a query", with: []string{"redirect_uri", a.http.URL + "/callback?a=b"}, want: "oidc-provider-rendered-error:invalid_redirect_uri"},
		{name: "redirect_uri with another scheme", with: []string{"redirect_uri", strings.Replace(a.http.URL, "http:", "https:", 1) + "/callback"}, want: "oidc-provider-rendered-error:invalid_redirect_uri"},
		{name: "redirect_uri is no URL", with: []string{"redirect_uri", "callback"}, want: "Y000400"},
		{name: "only unknown values are essential", with: []string{"claims", `{"id_token":{"acr":{"essential":true,"values":["eidas4"]}}}`}, want: "invalid_request"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a.with(test.with...)
			resp, body := open(t, newBrowser(t), a.authorizeURL()+test.raw)
			if resp.StatusCode != http.StatusBadRequest || !strings.Contains(body, "<code>"+test.want+"</code>") {
				t.Errorf("got %d %s, want 400 and a page with %s", resp.StatusCode, body, test.want)
			}
		})
	}
}

func TestErrorPageOfAnyCode(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	a := newApp(t, srv)
	srv.Inject(agentconnecttest.Tamper{ErrorPage: "Y999999"})
	if _, body := open(t, newBrowser(t), a.authorizeURL()); !strings.Contains(body, "<code>Y999999</code>") || !strings.Contains(body, "La demande du service n’a pas pu être traitée.") {
		t.Errorf("got %s, want a page with Y999999 and what is said of unknown codes", body)
	}
}

func TestAuthorizeErrorRedirects(t *testing.T) {
	srv := agentconnecttest.NewServer(t, agentconnecttest.WithClient(agentconnecttest.Client{Scopes: []string{"openid", "email"}}))
	a := newApp(t, srv)
	for _, test := range []struct {
		name string
		with []string
		want string
	}{
		{"response_type", []string{"response_type", "token"}, "unsupported_response_type"},
		{"response_mode", []string{"response_mode", "fragment"}, "unsupported_response_mode"},
		{"request", []string{"request", "a.b.c"}, "request_not_supported"},
		{"request_uri", []string{"request_uri", "https://a.example"}, "invalid_request_uri"},
		{"registration", []string{"registration", "{}"}, "registration_not_supported"},
		{"scope not granted", []string{"scope", "openid siret"}, "invalid_scope"},
		{"no openid", []string{"scope", "email"}, "invalid_request"},
		{"unknown prompt", []string{"prompt", "dance"}, "invalid_request"},
		{"max_age that is no number", []string{"max_age", "x"}, "invalid_request"},
		{"prompt none and login", []string{"prompt", "none login"}, "invalid_request"},
		{"silent without a session", []string{"prompt", "none"}, "login_required"},
		{"unknown idp_hint", []string{"idp_hint", "nowhere"}, "idp_hint_not_found"},
		{"claims is not JSON", []string{"claims", "acr"}, "invalid_request"},
		{"claims with something after", []string{"claims", `{"id_token":{"acr":null}}{`}, "invalid_request"},
		{"claims with a good part and a bad one", []string{"claims", `{"id_token":{"acr":null},"userinfo":[]}`}, "invalid_request"},
		{"claims is an array", []string{"claims", "[]"}, "invalid_request"},
		{"claims asks for nothing", []string{"claims", "{}"}, "invalid_request"},
		{"acr values is a string", []string{"claims", `{"id_token":{"acr":{"essential":true,"values":"eidas1"}}}`}, "invalid_request"},
		{"plain PKCE", []string{"code_challenge_method", "plain"}, "invalid_request"},
		{"PKCE without method", []string{"code_challenge_method", ""}, "invalid_request"},
		{"PKCE without challenge", []string{"code_challenge", ""}, "invalid_request"},
		{"PKCE challenge too short", []string{"code_challenge", "short"}, "invalid_request"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.with[0] != "scope" {
				test.with = append(test.with, "scope", "openid email")
			}
			state := strings.Repeat("s", 32)
			a.with(append(test.with, "state", state)...)
			resp, _ := open(t, newBrowser(t), a.authorizeURL())
			location, err := resp.Location()
			if resp.StatusCode != http.StatusSeeOther || err != nil {
				t.Fatalf("got %d, %v, want 303 with a location", resp.StatusCode, err)
			}
			q := location.Query()
			if !strings.HasPrefix(location.String(), a.http.URL+"/callback?") || q.Get("error") != test.want ||
				q.Get("state") != state || q.Get("iss") != srv.Issuer || q.Has("code") {
				t.Errorf("got %s, want error %s with state and iss", location, test.want)
			}
			if got := resp.Header.Get("Cache-Control"); got != "no-store" {
				t.Errorf("Cache-Control: got %q, want no-store", got)
			}
		})
	}
}

func TestEmptyOptionalParametersAreAbsent(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	a := newApp(t, srv)
	resp, _ := open(t, newBrowser(t), a.authorizeURL()+"&claims=&response_mode=&idp_hint=&acr_values=")
	if got := resp.Header.Get("Location"); !strings.HasPrefix(got, srv.Issuer+"/interaction/") {
		t.Errorf("got %d to %q, want the login page", resp.StatusCode, got)
	}
}

func TestScopesOpenClaims(t *testing.T) {
	srv := agentconnecttest.NewServer(t, agentconnecttest.WithAlgorithms("RS256", "none"))
	a := newApp(t, srv)
	for _, test := range []struct{ agent, scope, want string }{
		{"marie", "openid", "sub"},
		{"marie", "openid email unknown_scope", "email sub"},
		{"marie", "openid phone chorusdt", "chorusdt:matricule chorusdt:societe phone_number sub"},
		{"marie", allScopes, "belonging_population chorusdt:matricule chorusdt:societe custom email given_name idp_acr idp_id organization_label organizational_unit phone_number roles siren siret sub uid usual_name"},
		{"karim", "openid organization_label roles", "roles sub"},
	} {
		t.Run(test.agent+" "+test.scope, func(t *testing.T) {
			a.with("scope", test.scope)
			got := a.logIn(t, newBrowser(t), test.agent)
			var claims map[string]any
			if err := json.Unmarshal([]byte(got.body), &claims); err != nil {
				t.Fatal(err)
			}
			if names := strings.Join(slices.Sorted(maps.Keys(claims)), " "); names != test.want {
				t.Errorf("got %s, want %s", names, test.want)
			}
		})
	}
}

func TestNullClaimsStayNull(t *testing.T) {
	srv := agentconnecttest.NewServer(t, agentconnecttest.WithAlgorithms("RS256", "none"))
	got := newApp(t, srv).logIn(t, newBrowser(t), "zoe")
	if phone := member(t, got.body, "phone_number"); phone != "null" {
		t.Errorf("phone_number: got %s, want null", phone)
	}
}

func claimsFor(acr string) []string {
	return []string{"claims", `{"id_token":{"amr":null,"acr":` + acr + `}}`}
}

func TestAssurance(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	a := newApp(t, srv)
	mfa := `{"essential":true,"values":["eidas0-mfa","eidas1-mfa","eidas2","eidas3"]}`
	for _, test := range []struct {
		name      string
		agent     string
		with      []string
		opts      []agentconnecttest.LoginOption
		acr, amr  string // in the ID token
		wantError string
	}{
		{name: "not asked for", agent: "marie"},
		{name: "asked for", agent: "marie", with: claimsFor(`null`), acr: `"eidas1"`, amr: `["pwd"]`},
		{name: "essential, satisfied", agent: "marie", with: claimsFor(`{"essential":true,"value":"eidas1"}`), acr: `"eidas1"`, amr: `["pwd"]`},
		{name: "the list is exact", agent: "olivier", with: claimsFor(`{"essential":true,"value":"eidas1"}`), opts: []agentconnecttest.LoginOption{agentconnecttest.WithACR("eidas2")}, wantError: "access_denied"},
		{name: "second factor by e-mail", agent: "marie", with: claimsFor(mfa), acr: `"eidas1-mfa"`, amr: `["pwd","mail"]`},
		{name: "second factor by e-mail, one value", agent: "marie", with: claimsFor(`{"essential":true,"value":"eidas1-mfa"}`), acr: `"eidas1-mfa"`, amr: `["pwd","mail"]`},
		{name: "not the same factor twice", agent: "karim", with: claimsFor(mfa), wantError: "access_denied"},
		{name: "eidas0 and a code by e-mail", agent: "lucie", with: claimsFor(mfa), acr: `"eidas0-mfa"`, amr: `["pwd","mail"]`},
		{name: "the code raises to eidas1-mfa, not to eidas2", agent: "marie", with: claimsFor(`{"essential":true,"value":"eidas2"}`), wantError: "access_denied"},
		{name: "eidas0 raised", agent: "marie", with: claimsFor(mfa), opts: []agentconnecttest.LoginOption{agentconnecttest.WithACR("eidas0")}, acr: `"eidas0-mfa"`, amr: `["pwd","mail"]`},
		{name: "the card on demand", agent: "olivier", with: claimsFor(`{"essential":true,"values":["eidas2","eidas3"]}`), acr: `"eidas2"`, amr: `["pwd","pop","mfa"]`},
		{name: "the card, other order", agent: "olivier", with: claimsFor(`{"essential":true,"values":["eidas3","eidas2"]}`), acr: `"eidas3"`, amr: `["pwd","pop","mfa"]`},
		{name: "the card for an acr with two factors", agent: "olivier", with: claimsFor(`{"essential":true,"value":"eidas1-mfa"}`), acr: `"eidas1-mfa"`, amr: `["pwd","pop","mfa"]`},
		{name: "no card when the password is enough", agent: "olivier", with: claimsFor(`{"essential":true,"values":["eidas2","eidas1"]}`), acr: `"eidas1"`, amr: `["pwd"]`},
		{name: "no card when another level was chosen", agent: "olivier", with: claimsFor(`{"essential":true,"value":"eidas2"}`), opts: []agentconnecttest.LoginOption{agentconnecttest.WithACR("eidas0")}, wantError: "access_denied"},
		{name: "dirigeant", agent: "nadia", with: claimsFor(`{"essential":true,"value":"https://proconnect.gouv.fr/assurance/certification-dirigeant"}`), acr: `"https://proconnect.gouv.fr/assurance/certification-dirigeant"`, amr: `["pwd"]`},
		{name: "no dirigeant", agent: "marie", with: claimsFor(`{"essential":true,"value":"https://proconnect.gouv.fr/assurance/certification-dirigeant"}`), wantError: "access_denied"},
		{name: "not essential", agent: "lucie", with: claimsFor(`{"values":["eidas3"]}`), acr: `"eidas0"`, amr: `["pwd"]`},
		{name: "unknown values beside known ones", agent: "marie", with: claimsFor(`{"essential":true,"values":["eidas4","eidas1"]}`), acr: `"eidas1"`, amr: `["pwd"]`},
		{name: "an acr that ProConnect does not know", agent: "marie", with: claimsFor(`{"essential":true,"value":"eidas1"}`), opts: []agentconnecttest.LoginOption{agentconnecttest.WithACR("local")}, acr: `"eidas1"`, amr: `["pwd"]`},
		{name: "acr_values alone enforces nothing", agent: "lucie", with: []string{"acr_values", "eidas3"}, acr: `"eidas0"`},
		{name: "acr_values beside claims changes what is essential", agent: "lucie", with: append(claimsFor(`{"essential":true,"values":["eidas0"]}`), "acr_values", "eidas3"), wantError: "access_denied"},
		{name: "essential, without values", agent: "lucie", with: claimsFor(`{"essential":true}`), acr: `"eidas0"`, amr: `["pwd"]`},
		{name: "nothing of the ID token is asked for", agent: "lucie", with: []string{"claims", `{"userinfo":{"siret":null}}`}},
		{name: "two prompts that have no effect", agent: "lucie", with: []string{"prompt", "login consent"}},
		{name: "the only response mode", agent: "lucie", with: []string{"response_mode", "query"}},
		{name: "refused by the agent", agent: "marie", opts: []agentconnecttest.LoginOption{agentconnecttest.Refusing()}, wantError: "access_denied"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a.with(test.with...)
			got := a.logIn(t, newBrowser(t), test.agent, test.opts...)
			if code := got.query.Get("error"); code != test.wantError {
				t.Fatalf("error: got %q, want %q", code, test.wantError)
			}
			if got.query.Get("iss") != srv.Issuer {
				t.Errorf("iss: got %q, want %q", got.query.Get("iss"), srv.Issuer)
			}
			if test.wantError != "" {
				return
			}
			_, claims := decode(t, got.tokens.IDToken)
			if acr, amr := member(t, claims, "acr"), member(t, claims, "amr"); acr != test.acr || amr != test.amr {
				t.Errorf("got acr %s, amr %s, want %s, %s", acr, amr, test.acr, test.amr)
			}
		})
	}
}

// asks says whether the provider shows its login page to this browser.
func asks(t *testing.T, a *app, browser *http.Client) bool {
	t.Helper()
	resp, _ := open(t, browser, a.authorizeURL())
	location, err := resp.Location()
	if err != nil {
		t.Fatalf("got %d, %v, want a redirect", resp.StatusCode, err)
	}
	return strings.HasPrefix(location.String(), a.srv.Issuer+"/interaction/")
}

func TestSingleSignOn(t *testing.T) {
	essential := func(acr string) []string { return claimsFor(`{"essential":true,"value":"` + acr + `"}`) }
	for _, test := range []struct {
		name        string
		first, then []string
		after       time.Duration
		want        bool // whether the agent must log in again
	}{
		{name: "plain"},
		{name: "prompt=login has no effect", then: []string{"prompt", "login"}},
		{name: "silent", then: []string{"prompt", "none"}},
		{name: "before the end of the session", after: 11*time.Hour + 59*time.Minute},
		{name: "after the end of the session", after: 12*time.Hour + time.Minute, want: true},
		{name: "hint of the same agent", then: []string{"login_hint", "olivier.temoin@ministere.example.gouv.fr"}},
		{name: "hint of another agent", then: []string{"login_hint", "lucie.essai@hopital.example.gouv.fr"}, want: true},
		{name: "hint of the same FI", then: []string{"idp_hint", "00000000-0000-4000-8000-000000000001"}},
		{name: "hint of another FI", then: []string{"idp_hint", "00000000-0000-4000-8000-000000000002"}, want: true},
		{name: "acr satisfied", then: essential("eidas1")},
		{name: "acr not satisfied", then: essential("eidas1-mfa"), want: true},
		{name: "acr satisfied by the card", first: essential("eidas1-mfa"), then: essential("eidas1-mfa")},
		{name: "eidas2 is always fresh", first: essential("eidas2"), then: essential("eidas2"), want: true},
		{name: "eidas3 is always fresh", first: essential("eidas3"), then: essential("eidas3"), want: true},
		{name: "eidas2 on a plain login", first: essential("eidas2")},
		{name: "silent, acr not satisfied", then: append(essential("eidas2"), "prompt", "none"), want: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			clock := newClock()
			srv := agentconnecttest.NewServer(t, agentconnecttest.WithClock(clock.now))
			a := newApp(t, srv)
			browser := newBrowser(t)
			a.with(test.first...).logIn(t, browser, "olivier")
			clock.advance(test.after)
			a.with(test.then...)
			if got := asks(t, a, browser); got != test.want {
				t.Errorf("asks who it is: got %v, want %v", got, test.want)
			}
			if other := newBrowser(t); test.then == nil && !asks(t, a, other) {
				t.Error("another browser: got a login without being asked, want the login page")
			}
		})
	}
}

// TestSecondFactorOfTheSession: the code by e-mail is remembered, and counts only
// for a service that demands it.
func TestSecondFactorOfTheSession(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	a := newApp(t, srv)
	browser := newBrowser(t)
	mfa := claimsFor(`{"essential":true,"value":"eidas1-mfa"}`)
	a.with(mfa...).logIn(t, browser, "marie")
	for _, test := range []struct {
		with []string
		want string
	}{{claimsFor(`null`), `"eidas1"`}, {mfa, `"eidas1-mfa"`}} {
		if a.with(test.with...); asks(t, a, browser) {
			t.Fatal("got the login page, want the session reused")
		}
		_, claims := decode(t, a.logIn(t, browser, "").tokens.IDToken)
		if acr := member(t, claims, "acr"); acr != test.want {
			t.Errorf("acr: got %s, want %s", acr, test.want)
		}
	}
}

func TestHintsChooseWhoIsOffered(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	if err := srv.SetAgent(oddAgents()[1]); err != nil {
		t.Fatal(err)
	}
	a := newApp(t, srv)
	for _, test := range []struct {
		name string
		with []string
		want string // who logs in when nobody is picked
	}{
		{"none", nil, "demo-4f1c2d9e-marie"},
		{"e-mail", []string{"login_hint", "karim.fictif@entreprise.example"}, "demo-77c0a1be-karim"},
		{"e-mail of nobody", []string{"login_hint", "nobody@a.example"}, "demo-4f1c2d9e-marie"},
		{"FI", []string{"idp_hint", "00000000-0000-4000-8000-000000000002"}, "demo-9a70b3c1-hugo"},
		{"SIRET", []string{"siret_hint", "00000003400017"}, "demo-77c0a1be-karim"},
		{"e-mail and FI", []string{"login_hint", "marie.exemple@ministere.example.gouv.fr", "idp_hint", "00000000-0000-4000-8000-000000000002"}, "demo-twin"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a.with(test.with...)
			_, claims := decode(t, a.logIn(t, newBrowser(t), "").tokens.IDToken)
			if sub := member(t, claims, "sub"); sub != `"`+test.want+`"` {
				t.Errorf("sub: got %s, want %s", sub, test.want)
			}
		})
	}
	a.with("login_hint", "karim.fictif@entreprise.example")
	if _, err := srv.Login(newBrowser(t), a.http.URL+"/login", "marie"); err == nil || !strings.Contains(err.Error(), `does not offer agent "marie", only karim`) {
		t.Errorf("picking somebody else than hinted: got %v, want an error that says who is offered", err)
	}
}

func TestAuthorizeByPost(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	a := newApp(t, srv)
	u, err := url.Parse(a.authorizeURL())
	if err != nil {
		t.Fatal(err)
	}
	browser := newBrowser(t)
	browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := browser.PostForm(srv.Issuer+"/authorize", u.Query())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Location"); resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(got, srv.Issuer+"/interaction/") {
		t.Errorf("got %d to %q, want 303 to the login page", resp.StatusCode, got)
	}
}

func TestUnknownAddresses(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	for _, address := range []string{srv.URL + "/", srv.URL + "/api", srv.Issuer, srv.Issuer + "/nowhere", srv.Issuer + "/token", srv.Issuer + "/moved/x", srv.URL + "/jwks", srv.Issuer + "/interaction/"} {
		resp, body := open(t, newBrowser(t), address)
		if resp.StatusCode != http.StatusNotFound || !strings.Contains(body, "Y000404") {
			t.Errorf("GET %s: got %d, want 404 and a page with Y000404", address, resp.StatusCode)
		}
	}
}
