package oidcprovider

import (
	"net/http"
	"net/url"
	"testing"
)

func TestTokenErrors(t *testing.T) {
	rp := newRelyingParty(t, Client{ID: "fs", Secret: secret})
	p := Start(t, Config{Clients: []Client{rp.client}})
	withPKCE := url.Values{"code_challenge": {pkceChallenge}, "code_challenge_method": {"S256"}}
	for _, test := range []struct {
		name      string
		authorize url.Values
		token     url.Values
		status    int
		want      any // error
	}{
		{"PKCE", withPKCE, url.Values{"code_verifier": {pkceVerifier}}, http.StatusOK, nil},
		{"no PKCE", nil, nil, http.StatusOK, nil},
		{"wrong verifier", withPKCE, url.Values{"code_verifier": {pkceChallenge}}, http.StatusBadRequest, "invalid_grant"},
		{"missing verifier", withPKCE, nil, http.StatusBadRequest, "invalid_grant"},
		{"wrong secret", nil, url.Values{"client_secret": {"wrong"}}, http.StatusUnauthorized, "invalid_client"},
		{"no secret", nil, url.Values{"client_secret": nil}, http.StatusUnauthorized, "invalid_client"},
		{"unknown client", nil, url.Values{"client_id": {"nobody"}}, http.StatusUnauthorized, "invalid_client"},
		{"another redirect_uri", nil, url.Values{"redirect_uri": {rp.postLogoutRedirectURI}}, http.StatusBadRequest, "invalid_grant"},
		{"unknown code", nil, url.Values{"code": {"unknown"}}, http.StatusBadRequest, "invalid_grant"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBrowser(t)
			code := rp.authorize(t, p, b, "camille", test.authorize).Get("code")
			resp, answer := rp.post(t, b, p.Issuer+"/token", rp.exchangeForm(code, test.token))
			if resp.StatusCode != test.status || answer["error"] != test.want {
				t.Errorf("got %s and %v, want %d and error %v", resp.Status, answer, test.status, test.want)
			}
		})
	}
}

// The documents want the credentials in the body; the engine takes them from the header as well, so
// it cannot show that a client of ours keeps to the documents.
func TestSecretInHeader(t *testing.T) {
	rp := newRelyingParty(t, Client{ID: "fs", Secret: secret})
	p := Start(t, Config{Clients: []Client{rp.client}})
	for _, test := range []struct {
		secret string
		want   int
	}{
		{url.QueryEscape(secret), http.StatusOK},
		{"wrong", http.StatusUnauthorized},
	} {
		b := newBrowser(t)
		code := rp.authorize(t, p, b, "camille", nil).Get("code")
		form := rp.exchangeForm(code, url.Values{"client_id": nil, "client_secret": nil})
		resp, _ := rp.post(t, b, p.Issuer+"/token", form, func(r *http.Request) { r.SetBasicAuth("fs", test.secret) })
		if resp.StatusCode != test.want {
			t.Errorf("got %s with secret %q, want %d", resp.Status, test.secret, test.want)
		}
	}
}

func TestCodeUsedTwice(t *testing.T) {
	rp := newRelyingParty(t, Client{ID: "fs", Secret: secret})
	p := Start(t, Config{Clients: []Client{rp.client}})
	b := newBrowser(t)
	code := rp.authorize(t, p, b, "camille", nil).Get("code")
	tokens := rp.exchange(t, p, b, code, nil)
	if resp, _ := rp.userinfo(t, p, b, tokens.accessToken()); resp.StatusCode != http.StatusOK {
		t.Fatalf("got %s from userinfo, want 200", resp.Status)
	}
	if resp, answer := rp.post(t, b, p.Issuer+"/token", rp.exchangeForm(code, nil)); resp.StatusCode != http.StatusBadRequest || answer["error"] != "invalid_grant" {
		t.Errorf("got %s and %v, want 400 and invalid_grant", resp.Status, answer)
	}
	if resp, _ := rp.userinfo(t, p, b, tokens.accessToken()); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("got %s from userinfo with a token of that code, want 401", resp.Status)
	}
}

func TestRefresh(t *testing.T) {
	rp := newRelyingParty(t, Client{ID: "fs", Secret: secret})
	p := Start(t, Config{Clients: []Client{rp.client}})
	b := newBrowser(t)
	tokens := rp.login(t, p, b, "camille", nil)

	resp, answer := rp.post(t, b, p.Issuer+"/token", rp.refresh(tokens))
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("got %s and %v, want 200", resp.Status, answer)
	}
	again := tokenAnswer(answer)
	if again.accessToken() == tokens.accessToken() {
		t.Error("got the same access token, want another")
	}
	// Rotated only once 70 % of its life are over.
	if got, want := again["refresh_token"], tokens["refresh_token"]; got != want {
		t.Errorf("got refresh token %v, want the same", got)
	}
	_, claims := rp.verify(t, p, b, again.idToken(), "RS256")
	if claims["sub"] != "camille" || claims["nonce"] != nonce {
		t.Errorf("got sub %v and nonce %v, want camille and the nonce of the login", claims["sub"], claims["nonce"])
	}
	for _, token := range []string{tokens.accessToken(), again.accessToken()} {
		if resp, _ := rp.userinfo(t, p, b, token); resp.StatusCode != http.StatusOK {
			t.Errorf("got %s from userinfo, want 200 with both tokens", resp.Status)
		}
	}
	if resp, answer := rp.post(t, b, p.Issuer+"/token", rp.refresh(tokenAnswer{"refresh_token": "unknown"})); answer["error"] != "invalid_grant" {
		t.Errorf("got %s and %v for an unknown token, want invalid_grant", resp.Status, answer)
	}
}

func TestRevocation(t *testing.T) {
	rp := newRelyingParty(t, Client{ID: "fs", Secret: secret})
	p := Start(t, Config{Clients: []Client{rp.client}})
	for _, test := range []struct {
		name              string
		revoked           string
		userinfo, refresh int // status afterwards
	}{
		{"access token", "access_token", http.StatusUnauthorized, http.StatusOK},
		{"refresh token", "refresh_token", http.StatusUnauthorized, http.StatusBadRequest},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBrowser(t)
			tokens := rp.login(t, p, b, "camille", nil)
			form := rp.authenticated(url.Values{"token": {tokens[test.revoked].(string)}})
			if resp, _ := rp.post(t, b, p.Issuer+"/token/revocation", form); resp.StatusCode != http.StatusOK {
				t.Fatalf("got %s, want 200", resp.Status)
			}
			if resp, _ := rp.userinfo(t, p, b, tokens.accessToken()); resp.StatusCode != test.userinfo {
				t.Errorf("got %s from userinfo, want %d", resp.Status, test.userinfo)
			}
			if resp, _ := rp.post(t, b, p.Issuer+"/token", rp.refresh(tokens)); resp.StatusCode != test.refresh {
				t.Errorf("got %s for a refresh, want %d", resp.Status, test.refresh)
			}
		})
	}
}

func TestIntrospection(t *testing.T) {
	const signedType = "application/token-introspection+jwt"
	rp := newRelyingParty(t, Client{ID: "fs", Secret: secret})
	p := Start(t, Config{Clients: []Client{rp.client}})
	b := newBrowser(t)
	tokens := rp.login(t, p, b, "camille", nil)
	for _, test := range []struct {
		name, alg, accept string
		wantType          string
	}{
		{"plain", "", "", "application/json; charset=utf-8"},
		{"signed, not asked for", "RS256", "application/json", "application/json; charset=utf-8"},
		{"signed RS256", "RS256", signedType, signedType + "; charset=utf-8"},
		{"signed ES256", "ES256", signedType, signedType + "; charset=utf-8"},
		{"signed HS256", "HS256", signedType, signedType + "; charset=utf-8"},
	} {
		t.Run(test.name, func(t *testing.T) {
			// A resource server has a client of its own, and sees the tokens of all others.
			api := &relyingParty{client: Client{ID: "api", Secret: secret, IntrospectionAlg: test.alg}}
			if err := p.Register(api.client); err != nil {
				t.Fatal(err)
			}
			introspect := func(token string) map[string]any {
				t.Helper()
				resp, body := api.postRaw(t, b, p.Issuer+"/token/introspection", api.authenticated(url.Values{"token": {token}}), func(r *http.Request) {
					if test.accept != "" {
						r.Header.Set("Accept", test.accept)
					}
				})
				if got := resp.Header.Get("Content-Type"); got != test.wantType {
					t.Fatalf("got %s as %q, want %q", resp.Status, got, test.wantType)
				}
				if test.wantType != signedType+"; charset=utf-8" {
					return decode(t, body)
				}
				header, claims := api.verify(t, p, b, body, test.alg)
				if header["typ"] != "token-introspection+jwt" || claims["iss"] != p.Issuer || claims["aud"] != "api" {
					t.Errorf("got header %v, iss %v and aud %v, want typ token-introspection+jwt, %s and api", header, claims["iss"], claims["aud"], p.Issuer)
				}
				return claims["token_introspection"].(map[string]any)
			}
			answer := introspect(tokens.accessToken())
			for name, want := range map[string]any{"active": true, "client_id": "fs", "sub": "camille", "iss": p.Issuer, "token_type": "Bearer", "scope": DefaultScope} {
				if got := answer[name]; got != want {
					t.Errorf("got %s %v, want %v", name, got, want)
				}
			}
			if got, want := marshal(t, introspect("unknown")), `{"active":false}`; got != want {
				t.Errorf("got %s for an unknown token, want %s", got, want)
			}
		})
	}
}
