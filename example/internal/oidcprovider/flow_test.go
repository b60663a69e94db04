package oidcprovider

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestLogin(t *testing.T) {
	p := Start(t, Config{})
	for _, test := range []struct{ idTokenAlg, userinfoAlg string }{
		{"RS256", "RS256"},
		{"ES256", "ES256"},
		{"HS256", "HS256"},
		{"RS256", ""},
		{"ES256", "HS256"},
	} {
		t.Run(test.idTokenAlg+" "+test.userinfoAlg, func(t *testing.T) {
			rp := newRelyingParty(t, Client{
				ID: "fs", Secret: secret, IDTokenAlg: test.idTokenAlg, UserinfoAlg: test.userinfoAlg,
				Scope: DefaultScope + " siren phone chorusdt idp_acr organizational_unit belonging_population custom",
			})
			if err := p.Register(rp.client); err != nil {
				t.Fatal(err)
			}
			b := newBrowser(t)

			callback := rp.authorize(t, p, b, "camille", url.Values{"scope": {rp.client.Scope}})
			if got, want := slices.Sorted(maps.Keys(callback)), []string{"code", "iss", "state"}; !slices.Equal(got, want) {
				t.Fatalf("got callback parameters %q, want %q", got, want)
			}
			if got := callback.Get("iss"); got != p.Issuer {
				t.Errorf("got iss %q, want %q", got, p.Issuer)
			}
			if got := callback.Get("state"); got != state {
				t.Errorf("got state %q, want %q", got, state)
			}

			tokens := rp.exchange(t, p, b, callback.Get("code"), nil)
			if got, want := slices.Sorted(maps.Keys(tokens)), []string{"access_token", "expires_in", "id_token", "refresh_token", "scope", "token_type"}; !slices.Equal(got, want) {
				t.Errorf("got token answer %q, want %q", got, want)
			}
			if tokens["token_type"] != "Bearer" || tokens["expires_in"] != 3600.0 {
				t.Errorf("got %v for %v, want Bearer for 3600", tokens["token_type"], tokens["expires_in"])
			}

			header, claims := rp.verify(t, p, b, tokens.idToken(), test.idTokenAlg)
			if _, ok := header["kid"]; ok == (test.idTokenAlg == "HS256") {
				t.Errorf("got header %v, want a kid unless HS256", header)
			}
			if got, want := slices.Sorted(maps.Keys(claims)), []string{"at_hash", "aud", "auth_time", "exp", "iat", "iss", "nonce", "sub"}; !slices.Equal(got, want) {
				t.Errorf("got ID token claims %q, want %q", got, want)
			}
			for name, want := range map[string]any{"iss": p.Issuer, "aud": "fs", "sub": "camille", "nonce": nonce} {
				if got := claims[name]; got != want {
					t.Errorf("got %s %v, want %v", name, got, want)
				}
			}

			resp, body := rp.userinfo(t, p, b, tokens.accessToken())
			wantType := "application/json; charset=utf-8"
			var data map[string]any
			if test.userinfoAlg == "" {
				data = decode(t, body)
			} else {
				wantType = "application/jwt; charset=utf-8"
				_, data = rp.verify(t, p, b, body, test.userinfoAlg)
				for _, name := range []string{"iss", "aud", "exp", "iat"} {
					if _, ok := data[name]; !ok {
						t.Errorf("got no %s in the signed userinfo, want one", name)
					}
					delete(data, name)
				}
			}
			if got := resp.Header.Get("Content-Type"); got != wantType {
				t.Errorf("got userinfo as %q, want %q", got, wantType)
			}
			want := maps.Clone(Agents()[0].Claims)
			want["sub"] = "camille"
			if got, want := marshal(t, data), marshal(t, want); got != want {
				t.Errorf("got userinfo %s, want %s", got, want)
			}
		})
	}
}

func TestScopeLimitsUserinfo(t *testing.T) {
	rp := newRelyingParty(t, Client{ID: "fs", Secret: secret, Scope: "openid email phone siren"})
	p := Start(t, Config{Clients: []Client{rp.client}})
	b := newBrowser(t)
	// Unknown scopes are dropped, null and missing claims stay what they are.
	tokens := rp.login(t, p, b, "sacha", url.Values{"scope": {"openid email phone siren unknown"}})
	_, body := rp.userinfo(t, p, b, tokens.accessToken())
	want := `{"email":"sacha.exemple@entreprise.example","phone_number":null,"sub":"sacha"}`
	if got := marshal(t, decode(t, body)); got != want {
		t.Errorf("got userinfo %s, want %s", got, want)
	}
}

// The claims parameter reaches what the client's scopes do not.
func TestClaimsBeyondScope(t *testing.T) {
	rp := newRelyingParty(t, Client{ID: "fs", Secret: secret, Scope: "openid"})
	p := Start(t, Config{Clients: []Client{rp.client}})
	b := newBrowser(t)
	tokens := rp.login(t, p, b, "camille", url.Values{"scope": {"openid"}, "claims": {`{"userinfo":{"siren":null}}`}})
	_, body := rp.userinfo(t, p, b, tokens.accessToken())
	if got, want := marshal(t, decode(t, body)), `{"siren":"999999998","sub":"camille"}`; got != want {
		t.Errorf("got userinfo %s, want %s", got, want)
	}
}

func TestErrorsByRedirect(t *testing.T) {
	rp := newRelyingParty(t, Client{ID: "fs", Secret: secret})
	p := Start(t, Config{Clients: []Client{rp.client}})
	for _, test := range []struct {
		name   string
		params url.Values
		opts   []Option
		want   string
	}{
		{"refused by the agent", nil, []Option{Refuse()}, "access_denied"},
		{"silent without a session", url.Values{"prompt": {"none"}}, nil, "login_required"},
		{"unknown idp_hint", url.Values{"idp_hint": {"nobody"}}, nil, "idp_hint_not_found"},
		{"scope not granted", url.Values{"scope": {"openid chorusdt"}}, nil, "invalid_scope"},
		{"no openid", url.Values{"scope": {"email"}}, nil, "invalid_request"},
		{"response_type none", url.Values{"response_type": {"none"}}, nil, "unsupported_response_type"},
		{"unknown prompt", url.Values{"prompt": {"select_account"}}, nil, "invalid_request"},
		{"claims not JSON", url.Values{"claims": {"{"}}, nil, "invalid_request"},
		{"PKCE plain", url.Values{"code_challenge": {pkceChallenge}, "code_challenge_method": {"plain"}}, nil, "invalid_request"},
		{"request object", url.Values{"request": {"e30.e30."}}, nil, "request_not_supported"},
		{"essential acr of another level", essential(`"values":["eidas2","eidas3"]`), nil, "access_denied"},
		{"essential acr of a lower level", essential(`"value":"eidas1"`), []Option{WithACR("eidas2")}, "access_denied"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := rp.authorize(t, p, newBrowser(t), "camille", test.params, test.opts...)
			if got.Get("error") != test.want {
				t.Errorf("got error %q (%s), want %q", got.Get("error"), got.Get("error_description"), test.want)
			}
			if got.Get("state") != state || got.Get("iss") != p.Issuer {
				t.Errorf("got state %q and iss %q, want %q and %q", got.Get("state"), got.Get("iss"), state, p.Issuer)
			}
		})
	}
}

func TestProviderPages(t *testing.T) {
	rp := newRelyingParty(t, Client{ID: "fs", Secret: secret})
	p := Start(t, Config{Clients: []Client{rp.client}})
	for _, test := range []struct {
		name   string
		params url.Values
		want   string
	}{
		{"no state", url.Values{"state": nil}, "Y000400"},
		{"no client", url.Values{"client_id": nil}, "Y000400"},
		{"two states", url.Values{"state": {"a", "b"}}, "Y000400"},
		{"long nonce", url.Values{"nonce": {strings.Repeat("n", 513)}}, "Y000400"},
		{"nonce not ASCII", url.Values{"nonce": {"é"}}, "Y000400"},
		{"login_hint", url.Values{"login_hint": {"camille"}}, "Y000400"},
		{"siret_hint", url.Values{"siret_hint": {"123"}}, "Y000400"},
		{"redirect_uri not registered", url.Values{"redirect_uri": {rp.redirectURI + "/"}}, "invalid_redirect_uri"},
		{"unknown client", url.Values{"client_id": {"nobody"}}, "invalid_client"},
	} {
		t.Run(test.name, func(t *testing.T) {
			resp, err := newBrowser(t).Get(rp.authorizeURL(p, test.params))
			if err != nil {
				t.Fatal(err)
			}
			if got := text(t, resp); resp.StatusCode != http.StatusBadRequest || !strings.Contains(got, test.want) {
				t.Errorf("got %s at %s: %s; want 400 with %s", resp.Status, resp.Request.URL.Path, got, test.want)
			}
		})
	}
}

func TestAssurance(t *testing.T) {
	rp := newRelyingParty(t, Client{ID: "fs", Secret: secret})
	p := Start(t, Config{Clients: []Client{rp.client}})
	for _, test := range []struct {
		name   string
		params url.Values
		opts   []Option
		acr    any
		amr    []string
	}{
		{"nothing asked", nil, []Option{WithACR("eidas2")}, nil, nil},
		{"acr, not essential", url.Values{"claims": {`{"id_token":{"acr":null}}`}}, nil, "eidas1", nil},
		{"one of several", essential(`"values":["eidas1-mfa","eidas2"]`), []Option{WithACR("eidas2")}, "eidas2", nil},
		{"a single one", essential(`"value":"eidas1-mfa"`), []Option{WithACR("eidas1-mfa")}, "eidas1-mfa", nil},
		{"a level nobody knows", essential(`"value":"eidas1"`), []Option{WithACR("eidas9")}, "eidas1", nil},
		{"amr", url.Values{"claims": {`{"id_token":{"amr":{"essential":true}}}`}}, []Option{WithAMR("pwd", "otp")}, nil, []string{"pwd", "otp"}},
		{"acr_values", url.Values{"acr_values": {"eidas3"}}, nil, "eidas1", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBrowser(t)
			tokens := rp.login(t, p, b, "camille", test.params, test.opts...)
			_, claims := rp.verify(t, p, b, tokens.idToken(), "RS256")
			if got := claims["acr"]; got != test.acr {
				t.Errorf("got acr %v, want %v", got, test.acr)
			}
			if got := stringList(claims["amr"]); !slices.Equal(got, test.amr) {
				t.Errorf("got amr %q, want %q", got, test.amr)
			}
		})
	}
}

func TestProviderSession(t *testing.T) {
	rp := newRelyingParty(t, Client{ID: "fs", Secret: secret})
	other := newRelyingParty(t, Client{ID: "other", Secret: secret})
	p := Start(t, Config{Clients: []Client{rp.client, other.client}})
	camille, sacha := Agents()[0].Claims, Agents()[1].Claims
	for _, test := range []struct {
		name    string
		acr     string
		params  url.Values
		waiting bool // on the provider's page
	}{
		{"reused by another client", "", nil, false},
		{"reused silently", "", url.Values{"prompt": {"none"}}, false},
		{"prompt=login changes nothing", "", url.Values{"prompt": {"login"}}, false},
		{"the same e-mail", "", url.Values{"login_hint": {camille["email"].(string)}}, false},
		{"another e-mail", "", url.Values{"login_hint": {sacha["email"].(string)}}, true},
		{"the same FI", "", url.Values{"idp_hint": {camille["idp_id"].(string)}}, false},
		{"another FI", "", url.Values{"idp_hint": {sacha["idp_id"].(string)}}, true},
		{"a level that it has", "eidas1-mfa", essential(`"values":["eidas1-mfa","eidas2"]`), false},
		{"a level that it lacks", "", essential(`"values":["eidas1-mfa","eidas2"]`), true},
		{"a level that must be proved again", "eidas2", essential(`"values":["eidas1-mfa","eidas2"]`), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBrowser(t)
			rp.login(t, p, b, "camille", nil, WithACR(test.acr))
			resp, err := b.Get(other.authorizeURL(p, test.params))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if got := p.Waiting(resp); got != test.waiting {
				t.Errorf("got the login form: %v (%s), want %v", got, resp.Request.URL.Path, test.waiting)
			}
			if !test.waiting && resp.Request.URL.Query().Get("code") == "" {
				t.Errorf("got callback %v, want a code", resp.Request.URL.Query())
			}
		})
	}
}

func TestAnotherAgentInTheSameBrowser(t *testing.T) {
	rp := newRelyingParty(t, Client{ID: "fs", Secret: secret})
	p := Start(t, Config{Clients: []Client{rp.client}})
	b := newBrowser(t)
	before := rp.login(t, p, b, "camille", nil)
	resp, err := b.Get(rp.authorizeURL(p, url.Values{"login_hint": {Agents()[1].Claims["email"].(string)}}))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	// Not through Answer, which would also submit a page of the engine's between the two agents.
	resp, err = b.PostForm(resp.Request.URL.String(), url.Values{"agent": {"sacha"}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	code := resp.Request.URL.Query().Get("code")
	if code == "" {
		t.Fatalf("got to %s, want a callback with a code", resp.Request.URL)
	}
	_, claims := rp.verify(t, p, b, rp.exchange(t, p, b, code, nil).idToken(), "RS256")
	if got := claims["sub"]; got != "sacha" {
		t.Errorf("got sub %v, want sacha", got)
	}
	if resp, _ := rp.userinfo(t, p, b, before.accessToken()); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("got %s from userinfo for the first agent, whose session is over, want 401", resp.Status)
	}
}

func TestTabs(t *testing.T) {
	rp := newRelyingParty(t, Client{ID: "fs", Secret: secret})
	open := func(p *Provider, b *browser, state string) *http.Response {
		resp, err := b.Get(rp.authorizeURL(p, url.Values{"state": {state}}))
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	answer := func(p *Provider, b *browser, tab *http.Response) *http.Response {
		resp, err := p.Answer(b.Client, tab, "camille")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		return resp
	}
	t.Run("as AgentConnect", func(t *testing.T) {
		p := Start(t, Config{Clients: []Client{rp.client}})
		b := newBrowser(t)
		first, second := open(p, b, "first"), open(p, b, "second")
		if got := answer(p, b, first).Request.URL.Query().Get("state"); got != "second" {
			t.Errorf("got state %q from the first tab, want the second's", got)
		}
		resp := answer(p, b, second)
		if got := text(t, resp); resp.StatusCode != http.StatusBadRequest || !strings.Contains(got, "Y030110") {
			t.Errorf("got %s from the second tab: %s; want 400 with Y030110", resp.Status, got)
		}
	})
	t.Run("separate", func(t *testing.T) {
		p := Start(t, Config{Clients: []Client{rp.client}, SeparateTabs: true})
		b := newBrowser(t)
		first, second := open(p, b, "first"), open(p, b, "second")
		for tab, want := range map[*http.Response]string{first: "first", second: "second"} {
			if got := answer(p, b, tab).Request.URL.Query(); got.Get("state") != want || got.Get("code") == "" {
				t.Errorf("got %v from the %s tab, want its state and a code", got, want)
			}
		}
	})
}

func TestLogout(t *testing.T) {
	p := Start(t, Config{})
	for _, alg := range []string{"RS256", "ES256", "HS256"} {
		t.Run(alg, func(t *testing.T) {
			rp := newRelyingParty(t, Client{ID: "fs", Secret: secret, IDTokenAlg: alg})
			if err := p.Register(rp.client); err != nil {
				t.Fatal(err)
			}
			b := newBrowser(t)
			tokens := rp.login(t, p, b, "camille", nil)

			resp := rp.logout(t, p, b, url.Values{"id_token_hint": {tokens.idToken()}, "state": {state}, "post_logout_redirect_uri": {rp.postLogoutRedirectURI}})
			if got, want := resp.Request.URL.String(), rp.postLogoutRedirectURI+"?state="+state; got != want {
				t.Fatalf("got to %s, want %s", got, want)
			}
			if got := rp.authorize(t, p, b, "camille", url.Values{"prompt": {"none"}}).Get("error"); got != "login_required" {
				t.Errorf("got error %q after the logout, want login_required", got)
			}
			if resp, _ := rp.userinfo(t, p, b, tokens.accessToken()); resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("got %s from userinfo after the logout, want 401", resp.Status)
			}
			if _, answer := rp.post(t, b, p.Issuer+"/token", rp.refresh(tokens)); answer["error"] != "invalid_grant" {
				t.Errorf("got %v for a refresh after the logout, want invalid_grant", answer)
			}
		})
	}
}

func TestLogoutVariants(t *testing.T) {
	rp := newRelyingParty(t, Client{ID: "fs", Secret: secret})
	p := Start(t, Config{Clients: []Client{rp.client}})
	for _, test := range []struct {
		name   string
		params url.Values
		want   string // where the browser ends
	}{
		{"client_id for want of an ID token", url.Values{"client_id": {"fs"}, "post_logout_redirect_uri": {rp.postLogoutRedirectURI}}, rp.postLogoutRedirectURI},
		{"nothing", nil, p.Issuer + "/session/end/success"},
		{"unregistered URI", url.Values{"client_id": {"fs"}, "post_logout_redirect_uri": {rp.postLogoutRedirectURI + "/"}}, p.Issuer + "/session/end"},
	} {
		for _, session := range []bool{true, false} {
			b := newBrowser(t)
			if session {
				rp.login(t, p, b, "camille", nil)
			}
			at := *rp.logout(t, p, b, test.params).Request.URL
			at.RawQuery = ""
			if got := at.String(); got != test.want {
				t.Errorf("%s, session %v: got to %s, want %s", test.name, session, got, test.want)
			}
		}
	}
	if resp, _ := rp.post(t, newBrowser(t), p.Issuer+"/session/end", nil); resp.StatusCode != http.StatusNotFound {
		t.Errorf("got %s for a POST, want 404", resp.Status)
	}
}
