package agentconnecttest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

func TestUserinfo(t *testing.T) {
	srv := agentconnecttest.NewServer(t, agentconnecttest.WithAlgorithms("RS256", "none"))
	a := newApp(t, srv)
	got := a.logIn(t, newBrowser(t), "marie")
	if kind := got.userinfo.Header.Get("Content-Type"); kind != "application/json; charset=utf-8" {
		t.Errorf("type: got %q, want application/json; charset=utf-8", kind)
	}
	for name, want := range map[string]string{"email": `"marie.exemple@ministere.example.gouv.fr"`, "idp_acr": `"eidas1"`, "iss": "", "aud": "", "exp": ""} {
		if value := member(t, got.body, name); value != want {
			t.Errorf("%s: got %s, want %s", name, value, want)
		}
	}
	for _, test := range []struct {
		name, authorization string
		status              int
	}{
		{"no token", "", 400},
		{"not a bearer", "Basic YTpi", 400},
		{"empty token", "Bearer ", 400},
		{"unknown token", "Bearer unknown", 401},
		{"lower case scheme", "bearer " + got.tokens.AccessToken, 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			req, err := http.NewRequest(http.MethodGet, srv.Issuer+"/userinfo", nil)
			if err != nil {
				t.Fatal(err)
			}
			if test.authorization != "" {
				req.Header.Set("Authorization", test.authorization)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != test.status {
				t.Errorf("got %d, want %d", resp.StatusCode, test.status)
			}
			if challenged := resp.Header.Get("WWW-Authenticate") != ""; challenged != (test.status != 200) {
				t.Errorf("WWW-Authenticate: got one: %v, want one with errors", challenged)
			}
		})
	}
}

// TestUserinfoIsThatOfTheLatestSession: a login elsewhere changes it, a logout
// elsewhere makes it fail.
func TestUserinfoIsThatOfTheLatestSession(t *testing.T) {
	srv := agentconnecttest.NewServer(t, agentconnecttest.WithAlgorithms("RS256", "none"))
	a := newApp(t, srv)
	here := a.logIn(t, newBrowser(t), "marie").tokens.AccessToken

	agent, _ := srv.Agent("marie")
	agent.Claims["email"] = "marie.changed@ministere.example.gouv.fr"
	if err := srv.SetAgent(agent); err != nil {
		t.Fatal(err)
	}
	if _, body := a.userinfo(t.Context(), here); member(t, body, "email") != `"marie.exemple@ministere.example.gouv.fr"` {
		t.Errorf("before the next login: got %s, want the former e-mail", body)
	}
	elsewhere := newBrowser(t)
	a.logIn(t, elsewhere, "marie")
	if _, body := a.userinfo(t.Context(), here); member(t, body, "email") != `"marie.changed@ministere.example.gouv.fr"` {
		t.Errorf("after a login elsewhere: got %s, want the new e-mail", body)
	}
	open(t, elsewhere, srv.Issuer+"/session/end")
	if resp, _ := a.userinfo(t.Context(), here); resp.StatusCode != http.StatusInternalServerError {
		t.Errorf("after a logout elsewhere: got %d, want 500", resp.StatusCode)
	}
}

func TestEndProviderSession(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	a := newApp(t, srv)
	browser := newBrowser(t)
	access := a.logIn(t, browser, "marie").tokens.AccessToken
	if srv.EndProviderSession("nobody") {
		t.Error("of nobody: got true, want false")
	}
	if asks(t, a, browser) {
		t.Error("before: got the login page, want the session reused")
	}
	if !srv.EndProviderSession("demo-4f1c2d9e-marie") {
		t.Error("got false, want true")
	}
	if !asks(t, a, browser) {
		t.Error("after: got the session reused, want the login page")
	}
	if resp, _ := a.userinfo(t.Context(), access); resp.StatusCode != http.StatusInternalServerError {
		t.Errorf("userinfo: got %d, want 500", resp.StatusCode)
	}
	if got := a.with("prompt", "none").logIn(t, browser, ""); got.query.Get("error") != "login_required" {
		t.Errorf("silent login: got %v, want login_required", got.query)
	}
}

func TestEndSession(t *testing.T) {
	for _, alg := range []string{"RS256", "ES256", "HS256"} {
		t.Run(alg, func(t *testing.T) {
			srv := agentconnecttest.NewServer(t, agentconnecttest.WithAlgorithms(alg, alg))
			srv.AddClient(agentconnecttest.Client{ID: "other", Secret: "other-secret", PostLogoutRedirectURIs: []string{"http://127.0.0.1:1/other"}})
			a := newApp(t, srv)
			back := a.http.URL + "/logout/callback"
			forged := func(idToken string) string { return idToken[:len(idToken)-8] + "AAAAAAAA" }
			for _, test := range []struct {
				name     string
				query    func(idToken string) url.Values
				method   string
				status   int
				location string
				page     string // in the page
				ended    bool
			}{
				{name: "hint, back with state", query: func(id string) url.Values {
					return url.Values{"id_token_hint": {id}, "post_logout_redirect_uri": {back}, "state": {"the state&more"}}
				}, status: 303, location: back + "?state=the+state%26more", ended: true},
				{name: "client_id, back without state", query: func(string) url.Values {
					return url.Values{"client_id": {"client-id"}, "post_logout_redirect_uri": {back}}
				}, status: 303, location: back, ended: true},
				{name: "hint and its client", query: func(id string) url.Values {
					return url.Values{"id_token_hint": {id}, "client_id": {"client-id"}, "post_logout_redirect_uri": {back}}
				}, status: 303, location: back, ended: true},
				{name: "hint alone", query: func(id string) url.Values { return url.Values{"id_token_hint": {id}} }, status: 200, page: "déconnecté", ended: true},
				{name: "nothing", query: func(string) url.Values { return nil }, status: 200, page: "déconnecté", ended: true},
				{name: "back, but for whom?", query: func(string) url.Values { return url.Values{"post_logout_redirect_uri": {back}} }, status: 200, page: "déconnecté", ended: true},
				{name: "unregistered address", query: func(id string) url.Values {
					return url.Values{"id_token_hint": {id}, "post_logout_redirect_uri": {back + "/"}}
				}, status: 400, page: "oidc-provider-rendered-error:invalid_request", ended: true},
				{name: "address of another client", query: func(id string) url.Values {
					return url.Values{"id_token_hint": {id}, "post_logout_redirect_uri": {"http://127.0.0.1:1/other"}}
				}, status: 400, page: "post_logout_redirect_uri not registered", ended: true},
				{name: "forged hint", query: func(id string) url.Values { return url.Values{"id_token_hint": {forged(id)}} }, status: 400, page: "could not validate id_token_hint", ended: true},
				{name: "hint of another client", query: func(id string) url.Values { return url.Values{"id_token_hint": {id}, "client_id": {"other"}} }, status: 400, page: "client_id does not match the provided id_token_hint", ended: true},
				{name: "unknown client", query: func(string) url.Values { return url.Values{"client_id": {"nobody"}} }, status: 400, page: "oidc-provider-rendered-error:invalid_client", ended: true},
				{name: "repeated state", query: func(string) url.Values { return url.Values{"state": {"a", "b"}} }, status: 400, page: "Y000400"},
				{name: "POST", query: func(string) url.Values { return nil }, method: http.MethodPost, status: 404, page: "Y000404"},
			} {
				t.Run(test.name, func(t *testing.T) {
					browser := newBrowser(t)
					idToken := a.logIn(t, browser, "marie").tokens.IDToken
					method := test.method
					if method == "" {
						method = http.MethodGet
					}
					resp, page := send(t, browser, method, srv.Issuer+"/session/end?"+test.query(idToken).Encode(), nil)
					if resp.StatusCode != test.status || resp.Header.Get("Location") != test.location || !strings.Contains(page, test.page) {
						t.Errorf("got %d to %q: %s, want %d to %q with %q", resp.StatusCode, resp.Header.Get("Location"), page, test.status, test.location, test.page)
					}
					gone := slices.ContainsFunc(resp.Cookies(), func(c *http.Cookie) bool { return c.Name == "agentconnecttest_session" && c.MaxAge < 0 })
					if gone != test.ended {
						t.Errorf("got the cookies %v, want the session's gone: %v", resp.Cookies(), test.ended)
					}
					if ended := asks(t, a, browser); ended != test.ended {
						t.Errorf("session ended: got %v, want %v", ended, test.ended)
					}
				})
			}
		})
	}
}

// TestEndSessionOfAStranger: without a session, what is wrong with a logout is not said.
func TestEndSessionOfAStranger(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	a := newApp(t, srv)
	back := a.http.URL + "/logout/callback"
	for name, query := range map[string]url.Values{
		"unregistered address": {"client_id": {"client-id"}, "post_logout_redirect_uri": {back + "/"}},
		"unknown client":       {"client_id": {"nobody"}, "post_logout_redirect_uri": {back}},
		"not a token":          {"id_token_hint": {"x"}, "post_logout_redirect_uri": {back}},
	} {
		t.Run(name, func(t *testing.T) {
			resp, page := open(t, newBrowser(t), srv.Issuer+"/session/end?"+query.Encode())
			const want = "oidc-provider-rendered-error:server_error"
			if resp.StatusCode != http.StatusInternalServerError || !strings.Contains(page, want) {
				t.Errorf("got %d: %s, want 500 with %s", resp.StatusCode, page, want)
			}
		})
	}
}

// TestServerToServerLogoutEndsNothing: without the browser's cookie, nobody is
// logged out.
func TestServerToServerLogoutEndsNothing(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	a := newApp(t, srv)
	browser := newBrowser(t)
	idToken := a.logIn(t, browser, "marie").tokens.IDToken
	open(t, newBrowser(t), srv.Issuer+"/session/end?id_token_hint="+idToken)
	if asks(t, a, browser) {
		t.Error("got the session ended, want it untouched")
	}
}

func TestIntrospection(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	a := newApp(t, srv)
	api := agentconnecttest.Client{ID: "api", Secret: "the secret of the resource server", IntrospectionAlg: "ES256"}
	srv.AddClient(api)
	got := a.logIn(t, newBrowser(t), "marie").tokens
	introspect := func(c agentconnecttest.Client, token, accept string) (*http.Response, string) {
		t.Helper()
		form := url.Values{"client_id": {c.ID}, "client_secret": {c.Secret}, "token": {token}}
		req, err := http.NewRequest(http.MethodPost, srv.Issuer+"/token/introspection", strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Accept", accept)
		resp, err := http.DefaultClient.Do(req)
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
	const jwt = "application/token-introspection+jwt"
	for _, test := range []struct {
		name   string
		client agentconnecttest.Client
		token  string
		accept string
		status int
		kind   string
		want   map[string]string
	}{
		{name: "by another client than the token's", client: api, token: got.AccessToken, status: 200, kind: "application/json; charset=utf-8",
			want: map[string]string{"active": "true", "sub": `"demo-4f1c2d9e-marie"`, "client_id": `"client-id"`, "token_type": `"Bearer"`, "iss": `"` + srv.Issuer + `"`, "scope": `"` + allScopes + `"`}},
		{name: "signed", client: api, token: got.AccessToken, accept: jwt, status: 200, kind: jwt + "; charset=utf-8",
			want: map[string]string{"active": "true", "client_id": `"client-id"`}},
		{name: "JSON rather than signed", client: api, token: got.AccessToken, accept: jwt + ";q=0.5, application/json", status: 200, kind: "application/json; charset=utf-8",
			want: map[string]string{"active": "true"}},
		{name: "signed rather than anything", client: api, token: got.AccessToken, accept: jwt + ", */*", status: 200, kind: jwt + "; charset=utf-8",
			want: map[string]string{"active": "true"}},
		{name: "signed before JSON", client: api, token: got.AccessToken, accept: jwt + ", application/json", status: 200, kind: jwt + "; charset=utf-8",
			want: map[string]string{"active": "true"}},
		{name: "JSON before signed", client: api, token: got.AccessToken, accept: "application/json, " + jwt, status: 200, kind: "application/json; charset=utf-8",
			want: map[string]string{"active": "true"}},
		{name: "not the signed one", client: api, token: got.AccessToken, accept: jwt + ";q=0", status: 200, kind: "application/json; charset=utf-8",
			want: map[string]string{"active": "true"}},
		{name: "refresh token", client: api, token: got.RefreshToken, status: 200, kind: "application/json; charset=utf-8",
			want: map[string]string{"active": "true", "token_type": ""}},
		{name: "unknown token", client: api, token: "unknown", status: 200, kind: "application/json; charset=utf-8",
			want: map[string]string{"active": "false", "client_id": ""}},
		{name: "unknown token, signed", client: api, token: "unknown", accept: jwt, status: 200, kind: jwt + "; charset=utf-8",
			want: map[string]string{"active": "false"}},
		{name: "no token", client: api, status: 400, kind: "application/json; charset=utf-8", want: map[string]string{"error": `"invalid_request"`}},
		{name: "wrong secret, no token", client: agentconnecttest.Client{ID: "api", Secret: "wrong"}, status: 401, kind: "application/json; charset=utf-8",
			want: map[string]string{"error": `"invalid_client"`}},
		{name: "wrong secret", client: agentconnecttest.Client{ID: "api", Secret: "wrong"}, token: got.AccessToken, status: 401, kind: "application/json; charset=utf-8",
			want: map[string]string{"error": `"invalid_client"`, "active": ""}},
	} {
		t.Run(test.name, func(t *testing.T) {
			resp, body := introspect(test.client, test.token, test.accept)
			if kind := resp.Header.Get("Content-Type"); resp.StatusCode != test.status || kind != test.kind {
				t.Fatalf("got %d, type %q, want %d, %q", resp.StatusCode, kind, test.status, test.kind)
			}
			if strings.HasPrefix(test.kind, jwt) {
				header, claims := decode(t, body)
				if typ, aud := member(t, header, "typ"), member(t, claims, "aud"); typ != `"token-introspection+jwt"` || aud != `"api"` {
					t.Errorf("got typ %s, aud %s, want token-introspection+jwt, api", typ, aud)
				}
				body = member(t, claims, "token_introspection")
			}
			for name, want := range test.want {
				if value := member(t, body, name); value != want {
					t.Errorf("%s: got %s, want %s", name, value, want)
				}
			}
		})
	}
}

func TestRevocation(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	srv.AddClient(agentconnecttest.Client{ID: "other", Secret: "other-secret"})
	a := newApp(t, srv)
	got := a.logIn(t, newBrowser(t), "marie").tokens
	active := func(token string) bool {
		t.Helper()
		_, body, err := a.post(t.Context(), "/token/introspection", "token", token)
		if err != nil {
			t.Fatal(err)
		}
		return member(t, body, "active") == "true"
	}
	for _, test := range []struct {
		name            string
		with            []string
		status          int
		access, refresh bool // still active afterwards
	}{
		{"wrong secret", []string{"token", got.AccessToken, "client_secret", "wrong"}, 401, true, true},
		{"somebody else's token", []string{"token", got.AccessToken, "client_id", "other", "client_secret", "other-secret"}, 400, true, true},
		{"no token", nil, 400, true, true},
		{"unknown token", []string{"token", "unknown"}, 200, true, true},
		{"access token", []string{"token", got.AccessToken}, 200, false, true},
		{"refresh token", []string{"token", got.RefreshToken}, 200, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			resp, _, err := a.post(t.Context(), "/token/revocation", test.with...)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != test.status || active(got.AccessToken) != test.access || active(got.RefreshToken) != test.refresh {
				t.Errorf("got %d, access token active: %v, refresh token: %v, want %d, %v, %v",
					resp.StatusCode, active(got.AccessToken), active(got.RefreshToken), test.status, test.access, test.refresh)
			}
		})
	}
	fresh := a.logIn(t, newBrowser(t), "marie").tokens
	if _, _, err := a.post(t.Context(), "/token/revocation", "token", fresh.RefreshToken); err != nil {
		t.Fatal(err)
	}
	if active(fresh.AccessToken) {
		t.Error("access token after its refresh token was revoked: got active, want the whole grant revoked")
	}
}

func TestIssueTokens(t *testing.T) {
	srv := agentconnecttest.NewServer(t, agentconnecttest.WithAlgorithms("RS256", "none"))
	a := newApp(t, srv)
	issued, err := srv.IssueTokens("client-id", "olivier", "openid", "email")
	if err != nil {
		t.Fatal(err)
	}
	resp, body := a.userinfo(t.Context(), issued.AccessToken)
	var claims map[string]any
	if err := json.Unmarshal([]byte(body), &claims); err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || len(claims) != 2 || claims["email"] != "olivier.temoin@ministere.example.gouv.fr" {
		t.Errorf("userinfo: got %d %s, want 200 with sub and email", resp.StatusCode, body)
	}
	if _, err := srv.IssueTokens("nobody", "olivier"); err == nil {
		t.Error("unknown client: got no error, want one")
	}
	if _, err := srv.IssueTokens("client-id", "nobody"); err == nil {
		t.Error("unknown agent: got no error, want one")
	}
}

func TestIntrospectionFaults(t *testing.T) {
	srv := agentconnecttest.NewServer(t, agentconnecttest.WithClock(newClock().now)) // answers to one question are the same
	srv.AddClient(agentconnecttest.Client{ID: "api", Secret: "the secret of the resource server", IntrospectionAlg: "RS256"})
	issued, err := srv.IssueTokens("client-id", "marie")
	if err != nil {
		t.Fatal(err)
	}
	answer := func(accept string) string {
		t.Helper()
		form := url.Values{"client_id": {"api"}, "client_secret": {"the secret of the resource server"}, "token": {issued.AccessToken}}
		req, err := http.NewRequest(http.MethodPost, srv.Issuer+"/token/introspection", strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Accept", accept)
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		if err != nil {
			return err.Error()
		}
		return resp.Status + resp.Header.Get("Content-Type") + string(body)
	}
	for _, accept := range []string{"application/json", "application/token-introspection+jwt"} {
		good := answer(accept)
		for _, info := range agentconnecttest.Faults() {
			alg := "RS256"
			if accept == "application/json" {
				alg = "none"
			}
			if info.Endpoint != agentconnecttest.Introspection || info.Slow || !info.Applies(alg) {
				continue
			}
			t.Run(alg+" "+string(info.Fault), func(t *testing.T) {
				srv.Inject(info.Fault)
				defer srv.Clear()
				if answer(accept) == good {
					t.Error("got the good answer, want another")
				}
			})
		}
		if now := answer(accept); now != good {
			t.Errorf("after every fault: got %s, want %s", now, good)
		}
	}

	const plain, signed = "application/json", "application/token-introspection+jwt"
	for _, test := range []struct {
		fault   agentconnecttest.Fault
		accept  string
		kind    string
		members map[string]string // of the answer
		inner   string            // "sub" of its token_introspection
	}{
		{agentconnecttest.Fault("introspection-missing-sub"), plain, plain, map[string]string{"active": "true", "sub": "", "aud": ""}, ""},
		{agentconnecttest.Fault("introspection-missing-sub"), signed, signed, map[string]string{"active": "", "sub": "", "aud": `"api"`}, ""},
		{agentconnecttest.Fault("introspection-wrong-type"), signed, signed, map[string]string{"active": "", "sub": "", "aud": `"api"`}, `"demo-4f1c2d9e-marie"`},
		{agentconnecttest.Fault("introspection-plain"), signed, plain, map[string]string{"active": "true", "sub": `"demo-4f1c2d9e-marie"`, "aud": ""}, ""},
		{agentconnecttest.Fault("introspection-flat"), signed, signed, map[string]string{"active": "true", "sub": `"demo-4f1c2d9e-marie"`, "aud": `"api"`, "token_introspection": ""}, ""},
	} {
		t.Run(string(test.fault)+" "+test.accept, func(t *testing.T) {
			srv.Inject(test.fault)
			defer srv.Clear()
			status, body, _ := strings.Cut(answer(test.accept), "; charset=utf-8")
			if status != "200 OK"+test.kind {
				t.Fatalf("got %s %s, want 200 and %s", status, body, test.kind)
			}
			if test.kind == signed {
				_, body = decode(t, body)
			}
			for name, want := range test.members {
				if got := member(t, body, name); got != want {
					t.Errorf("%s: got %s, want %s", name, got, want)
				}
			}
			if inner := member(t, body, "token_introspection"); inner != "" && member(t, inner, "sub") != test.inner {
				t.Errorf("got %s in token_introspection, want sub %s", inner, test.inner)
			}
		})
	}
}

func TestLogoutFaults(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	a := newApp(t, srv)
	back := a.http.URL + "/logout/callback"
	for _, test := range []struct {
		fault agentconnecttest.Fault
		want  string
	}{
		{agentconnecttest.Fault("logout-missing-state"), back},
		{agentconnecttest.Fault("logout-repeated-state"), back + "?state=mine&state=mine"},
		{agentconnecttest.Fault("logout-wrong-state"), back + "?state=a-state-that-nobody-started-0123456789012345"},
	} {
		t.Run(string(test.fault), func(t *testing.T) {
			srv.Inject(test.fault)
			defer srv.Clear()
			resp, _ := open(t, newBrowser(t), srv.Issuer+"/session/end?client_id=client-id&state=mine&post_logout_redirect_uri="+url.QueryEscape(back))
			if got := resp.Header.Get("Location"); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestClaimsParameterOpensUserinfoClaims(t *testing.T) {
	srv := agentconnecttest.NewServer(t, agentconnecttest.WithAlgorithms("RS256", "none"))
	marie, _ := srv.Agent("marie")
	marie.Claims["colour"] = "blue" // which AgentConnect does not support
	if err := srv.SetAgent(marie); err != nil {
		t.Fatal(err)
	}
	a := newApp(t, srv).with("scope", "openid", "claims", `{"userinfo":{"siret":null,"colour":null,"sub":null},"id_token":{"sid":null}}`)
	got := a.logIn(t, newBrowser(t), "marie")
	if siret, email := member(t, got.body, "siret"), member(t, got.body, "email"); siret != `"00000001800010"` || email != "" || member(t, got.body, "colour") != "" || strings.Count(got.body, `"sub"`) != 1 {
		t.Errorf("got %s, want siret, neither email nor colour, and one sub", got.body)
	}
	if _, claims := decode(t, got.tokens.IDToken); member(t, claims, "sid") == "" {
		t.Errorf("got %s, want a sid", claims)
	}
}

func TestLogoutRevokesWhatTheSessionGave(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	a := newApp(t, srv)
	browser := newBrowser(t)
	got := a.logIn(t, browser, "marie").tokens
	open(t, browser, srv.Issuer+"/session/end")
	if status, _ := a.tokenRequest(t.Context(), "grant_type", "refresh_token", "refresh_token", got.RefreshToken); status != http.StatusBadRequest {
		t.Errorf("refresh: got %d, want 400", status)
	}
	if _, body, err := a.post(t.Context(), "/token/introspection", "token", got.AccessToken); err != nil || member(t, body, "active") != "false" {
		t.Errorf("introspection: got %s, %v, want active false", body, err)
	}
}

// TestLogoutHintIsOfThisProviderAndFindsItsClient: providers of one process share
// an RSA key, and clients of one provider share it all.
func TestLogoutHintIsOfThisProviderAndFindsItsClient(t *testing.T) {
	here, elsewhere := agentconnecttest.NewServer(t), agentconnecttest.NewServer(t)
	for _, id := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		here.AddClient(agentconnecttest.Client{ID: id, Secret: "secret-" + id})
	}
	a := newApp(t, here)
	for i, srv := range []*agentconnecttest.Server{here, elsewhere} {
		issued, err := srv.IssueTokens("client-id", "marie")
		if err != nil {
			t.Fatal(err)
		}
		srv.RotateKeys() // what was signed before is still a hint
		srv.SignWith(srv.NewKey("RS256"))
		unpublished, err := srv.IssueTokens("client-id", "marie")
		if err != nil {
			t.Fatal(err)
		}
		q := url.Values{"post_logout_redirect_uri": {a.http.URL + "/logout/callback"}}
		for _, hint := range []string{issued.IDToken, unpublished.IDToken} {
			q.Set("id_token_hint", hint)
			resp, _ := open(t, newBrowser(t), here.Issuer+"/session/end?"+q.Encode())
			if want := []int{http.StatusSeeOther, http.StatusInternalServerError}[i]; resp.StatusCode != want {
				t.Errorf("hint of provider %d: got %d, want %d", i, resp.StatusCode, want)
			}
		}
	}
}

// TestTamperWithoutChangesNothing: a Tamper may be for one place only, and every
// place meets it.
func TestTamperWithoutChangesNothing(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	a := newApp(t, srv)
	srv.Inject(agentconnecttest.Tamper{})
	for _, endpoint := range []agentconnecttest.Endpoint{
		agentconnecttest.Discovery, agentconnecttest.Authorize, agentconnecttest.LoginPage, agentconnecttest.Token, agentconnecttest.Userinfo,
		agentconnecttest.JWKS, agentconnecttest.EndSession, agentconnecttest.Introspection, agentconnecttest.Revocation, agentconnecttest.Elsewhere,
	} {
		srv.Inject(agentconnecttest.Tamper{Endpoint: endpoint})
	}
	browser := newBrowser(t)
	got := a.logIn(t, browser, "marie")
	if got.userinfo.StatusCode != http.StatusOK || got.tokens.IDToken == "" {
		t.Errorf("got %+v, want a login", got)
	}
	if _, body, err := a.post(t.Context(), "/token/introspection", "token", got.tokens.AccessToken); err != nil || member(t, body, "active") != "true" {
		t.Errorf("introspection: got %s, %v, want active true", body, err)
	}
	back := a.http.URL + "/logout/callback"
	if resp, _ := open(t, browser, srv.Issuer+"/session/end?client_id=client-id&post_logout_redirect_uri="+url.QueryEscape(back)); resp.Header.Get("Location") != back {
		t.Errorf("logout: got %d to %q, want %s", resp.StatusCode, resp.Header.Get("Location"), back)
	}
}

// TestUnfitSessionIsGone: as on the real one, a request that the session does not
// fit closes it, even if the agent goes no further.
func TestUnfitSessionIsGone(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	a := newApp(t, srv)
	browser := newBrowser(t)
	refresh := a.logIn(t, browser, "marie").tokens.RefreshToken
	if a.with("login_hint", "lucie.essai@hopital.example.gouv.fr"); !asks(t, a, browser) {
		t.Fatal("hint of another agent: got the session reused, want the login page")
	}
	if a.with(); !asks(t, a, browser) {
		t.Error("afterwards: got the session reused, want the login page")
	}
	if status, got := a.tokenRequest(t.Context(), "grant_type", "refresh_token", "refresh_token", refresh); status != http.StatusInternalServerError || got.Error != "server_error" {
		t.Errorf("refresh: got %d %q, want 500 server_error", status, got.Error)
	}
	a.with().logIn(t, browser, "marie")
	if status, _ := a.tokenRequest(t.Context(), "grant_type", "refresh_token", "refresh_token", refresh); status != http.StatusOK {
		t.Errorf("refresh after the next login: got %d, want 200", status)
	}
}
