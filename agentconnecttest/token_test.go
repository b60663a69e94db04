package agentconnecttest_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agentconnect-go/agentconnect/agentconnecttest"
	"github.com/go-jose/go-jose/v4"
)

// fresh returns a code that nobody has used, with its verifier.
func (a *app) fresh(t *testing.T) (code, verifier string) {
	t.Helper()
	callback, err := a.srv.CallbackURL(newBrowser(t), a.http.URL+"/login", "marie")
	if err != nil {
		t.Fatal(err)
	}
	return callback.Query().Get("code"), a.verifierOf(callback.Query().Get("state"))
}

func TestTokenAnswer(t *testing.T) {
	clock := newClock()
	srv := agentconnecttest.NewServer(t, agentconnecttest.WithClock(clock.now))
	a := newApp(t, srv)
	got := a.logIn(t, newBrowser(t), "marie")
	if got.query.Get("iss") != srv.Issuer || got.query.Get("error") != "" {
		t.Errorf("callback: got %v, want iss and no error", got.query)
	}
	if got.tokens.TokenType != "Bearer" || got.tokens.ExpiresIn != 3600 || got.tokens.RefreshToken == "" || got.tokens.Scope != allScopes {
		t.Errorf("got %+v, want a bearer of one hour, a refresh token and the scopes", got.tokens)
	}
	header, claims := decode(t, got.tokens.IDToken)
	key, _ := srv.SigningKey("RS256")
	if want := `{"alg":"RS256","typ":"JWT","kid":"` + key.ID + `"}`; header != want {
		t.Errorf("header: got %s, want %s", header, want)
	}
	digest := sha256.Sum256([]byte(got.tokens.AccessToken))
	sent := srv.Received(agentconnecttest.Authorize)[0]
	now := clock.now().Unix()
	for name, want := range map[string]string{
		"iss":       `"` + srv.Issuer + `"`,
		"sub":       `"demo-4f1c2d9e-marie"`,
		"aud":       `"client-id"`,
		"exp":       strconv.FormatInt(now+3600, 10),
		"iat":       strconv.FormatInt(now, 10),
		"auth_time": strconv.FormatInt(now, 10),
		"nonce":     `"` + sent.Form.Get("nonce") + `"`,
		"at_hash":   `"` + base64.RawURLEncoding.EncodeToString(digest[:16]) + `"`,
		"acr":       "", "amr": "", "sid": "", "azp": "", "nbf": "", "email": "",
	} {
		if value := member(t, claims, name); value != want {
			t.Errorf("%s: got %s, want %s", name, value, want)
		}
	}
}

func TestSignatures(t *testing.T) {
	for _, alg := range []string{"RS256", "ES256", "HS256"} {
		t.Run(alg, func(t *testing.T) {
			srv := agentconnecttest.NewServer(t, agentconnecttest.WithAlgorithms(alg, ""))
			got := newApp(t, srv).logIn(t, newBrowser(t), "marie")
			var key any = []byte(srv.Client.Secret)
			if alg != "HS256" {
				signing, ok := srv.SigningKey(alg)
				if !ok {
					t.Fatal("got no signing key")
				}
				key = signing.Private.Public()
			}
			for what, compact := range map[string]string{"ID token": got.tokens.IDToken, "userinfo": got.body} {
				parsed, err := jose.ParseSignedCompact(compact, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
				if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				if _, err := parsed.Verify(key); err != nil {
					t.Errorf("%s: got %v, want a good signature", what, err)
				}
				if hasKID := parsed.Signatures[0].Header.KeyID != ""; hasKID != (alg != "HS256") {
					t.Errorf("%s: got a kid: %v, want one unless HS256", what, hasKID)
				}
			}
			if got := got.userinfo.Header.Get("Content-Type"); got != "application/jwt; charset=utf-8" {
				t.Errorf("userinfo: got type %q, want application/jwt; charset=utf-8", got)
			}
		})
	}
}

func TestTokenErrors(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	a := newApp(t, srv)
	srv.AddClient(agentconnecttest.Client{ID: "other", Secret: "other-secret"})
	code, verifier := a.fresh(t)
	good := map[string]string{
		"grant_type": "authorization_code", "code": code, "code_verifier": verifier, "redirect_uri": a.http.URL + "/callback",
	}
	for _, test := range []struct {
		name   string
		change map[string]string // "" removes
		extra  string            // appended to the body
		basic  bool
		status int
		want   string
	}{
		{name: "wrong secret", change: map[string]string{"client_secret": "wrong"}, status: 401, want: "invalid_client"},
		{name: "no secret", change: map[string]string{"client_secret": ""}, status: 401, want: "invalid_client"},
		{name: "unknown client", change: map[string]string{"client_id": "nobody"}, status: 401, want: "invalid_client"},
		{name: "neither id nor secret", change: map[string]string{"client_id": "", "client_secret": ""}, status: 401, want: "invalid_client"},
		{name: "credentials in the header", change: map[string]string{"client_id": "", "client_secret": ""}, basic: true, status: 401, want: "invalid_client"},
		{name: "credentials in both", basic: true, status: 401, want: "invalid_client"},
		{name: "repeated", extra: "&code=again", status: 400, want: "invalid_request"},
		{name: "no grant_type", change: map[string]string{"grant_type": ""}, status: 400, want: "invalid_request"},
		{name: "other grant_type", change: map[string]string{"grant_type": "password"}, status: 400, want: "unsupported_grant_type"},
		{name: "no code", change: map[string]string{"code": ""}, status: 400, want: "invalid_request"},
		{name: "no redirect_uri", change: map[string]string{"redirect_uri": ""}, status: 400, want: "invalid_request"},
		{name: "unknown code", change: map[string]string{"code": "unknown"}, status: 400, want: "invalid_grant"},
		{name: "other redirect_uri", change: map[string]string{"redirect_uri": a.http.URL + "/callback/"}, status: 400, want: "invalid_grant"},
		{name: "other client's code", change: map[string]string{"client_id": "other", "client_secret": "other-secret"}, status: 400, want: "invalid_grant"},
		{name: "no verifier", change: map[string]string{"code_verifier": ""}, status: 400, want: "invalid_grant"},
		{name: "wrong verifier", change: map[string]string{"code_verifier": strings.Repeat("v", 43)}, status: 400, want: "invalid_grant"},
		{name: "no refresh_token", change: map[string]string{"grant_type": "refresh_token"}, status: 400, want: "invalid_request"},
		{name: "unknown refresh_token", change: map[string]string{"grant_type": "refresh_token", "refresh_token": "unknown"}, status: 400, want: "invalid_grant"},
		{name: "nothing wrong, after all that", status: 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			form := map[string]string{"client_id": a.client.ID, "client_secret": a.client.Secret}
			for _, from := range []map[string]string{good, test.change} {
				for name, value := range from {
					form[name] = value
				}
			}
			var body strings.Builder
			for name, value := range form {
				if value != "" {
					body.WriteString("&" + name + "=" + value)
				}
			}
			req, err := http.NewRequest(http.MethodPost, srv.Issuer+"/token", strings.NewReader(body.String()[1:]+test.extra))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if test.basic {
				req.SetBasicAuth(a.client.ID, a.client.Secret)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			var got tokens
			if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != test.status || got.Error != test.want || resp.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("got %d %q, Cache-Control %q, want %d %q, no-store", resp.StatusCode, got.Error, resp.Header.Get("Cache-Control"), test.status, test.want)
			}
		})
	}
}

func TestCodeIsUsableOnceAndSoon(t *testing.T) {
	clock := newClock()
	srv := agentconnecttest.NewServer(t, agentconnecttest.WithClock(clock.now))
	a := newApp(t, srv)

	code, verifier := a.fresh(t)
	status, got := a.exchange(t.Context(), code, verifier)
	if status != http.StatusOK {
		t.Fatalf("first use: got %d, want 200", status)
	}
	if status, again := a.exchange(t.Context(), code, verifier); status != http.StatusBadRequest || again.Error != "invalid_grant" {
		t.Errorf("second use: got %d %q, want 400 invalid_grant", status, again.Error)
	}
	if resp, _ := a.userinfo(t.Context(), got.AccessToken); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("access token after a second use: got %d, want 401", resp.StatusCode)
	}
	if status, _ := a.tokenRequest(t.Context(), "grant_type", "refresh_token", "refresh_token", got.RefreshToken); status != http.StatusBadRequest {
		t.Errorf("refresh after a second use: got %d, want 400", status)
	}

	code, verifier = a.fresh(t)
	srv.EndProviderSession("demo-4f1c2d9e-marie")
	if status, ended := a.exchange(t.Context(), code, verifier); status != http.StatusInternalServerError || ended.Error != "server_error" {
		t.Errorf("after the session ended: got %d %q, want 500 server_error", status, ended.Error)
	}

	code, verifier = a.fresh(t)
	clock.advance(61 * time.Second)
	if status, late := a.exchange(t.Context(), code, verifier); status != http.StatusBadRequest || late.Error != "invalid_grant" {
		t.Errorf("after a minute: got %d %q, want 400 invalid_grant", status, late.Error)
	}
}

// TestCodeUsedByManyAtOnce: one of them gets tokens, none keeps them.
func TestCodeUsedByManyAtOnce(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	a := newApp(t, srv)
	code, verifier := a.fresh(t)
	var wait sync.WaitGroup
	var mu sync.Mutex
	var won []tokens
	for range 8 {
		wait.Go(func() {
			if status, got := a.exchange(t.Context(), code, verifier); status == http.StatusOK {
				mu.Lock()
				won = append(won, got)
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	if len(won) != 1 {
		t.Fatalf("got %d answers with tokens, want 1", len(won))
	}
	if resp, _ := a.userinfo(t.Context(), won[0].AccessToken); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("its access token: got %d, want 401", resp.StatusCode)
	}
}

func TestRefresh(t *testing.T) {
	for _, test := range []struct {
		name   string
		opts   []agentconnecttest.ServerOption
		rotate bool
	}{
		{name: "without rotation"},
		{name: "with rotation", opts: []agentconnecttest.ServerOption{agentconnecttest.WithRefreshTokenRotation()}, rotate: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			clock := newClock()
			srv := agentconnecttest.NewServer(t, append(test.opts, agentconnecttest.WithClock(clock.now))...)
			a := newApp(t, srv)
			first := a.logIn(t, newBrowser(t), "marie").tokens
			refresh := func(token string, more ...string) (int, tokens) {
				return a.tokenRequest(t.Context(), append([]string{"grant_type", "refresh_token", "refresh_token", token}, more...)...)
			}
			clock.advance(61 * time.Minute)
			if resp, _ := a.userinfo(t.Context(), first.AccessToken); resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("access token after an hour: got %d, want 401", resp.StatusCode)
			}
			if status, got := refresh(first.RefreshToken, "scope", "openid nothing"); status != 400 || got.Error != "invalid_scope" {
				t.Errorf("with a scope more: got %d %q, want 400 invalid_scope", status, got.Error)
			}
			status, second := refresh(first.RefreshToken, "scope", "openid email")
			if status != http.StatusOK || second.RefreshToken == "" || second.AccessToken == first.AccessToken || second.Scope != "openid email" {
				t.Fatalf("got %d %+v, want other tokens for two scopes", status, second)
			}
			if rotated := second.RefreshToken != first.RefreshToken; rotated != test.rotate {
				t.Errorf("another refresh token: got %v, want %v", rotated, test.rotate)
			}
			_, before := decode(t, first.IDToken)
			_, after := decode(t, second.IDToken)
			for _, name := range []string{"sub", "nonce", "auth_time", "aud"} {
				if member(t, before, name) != member(t, after, name) {
					t.Errorf("%s: got %s, want %s as at the login", name, member(t, after, name), member(t, before, name))
				}
			}
			if resp, _ := a.userinfo(t.Context(), second.AccessToken); resp.StatusCode != http.StatusOK {
				t.Errorf("its access token: got %d, want 200", resp.StatusCode)
			}
			if _, body, err := a.post(t.Context(), "/token/introspection", "token", first.RefreshToken); err != nil || (member(t, body, "active") == "true") == test.rotate {
				t.Errorf("introspection of the former one: got %s, %v, want active: %v", body, err, !test.rotate)
			}
			status, _ = refresh(first.RefreshToken)
			if test.rotate {
				if status != http.StatusBadRequest {
					t.Errorf("the former one again: got %d, want 400", status)
				}
				if status, _ := refresh(second.RefreshToken); status != http.StatusBadRequest {
					t.Errorf("the new one after that: got %d, want 400, the grant being revoked", status)
				}
				return
			}
			if status != http.StatusOK {
				t.Errorf("again: got %d, want 200", status)
			}
			clock.advance(12 * time.Hour)
			if status, got := refresh(first.RefreshToken); status != 400 || got.Error != "invalid_grant" {
				t.Errorf("after its life: got %d %q, want 400 invalid_grant", status, got.Error)
			}
		})
	}
}

// TestPKCEIsOptional: without a challenge there is nothing to verify, and a
// verifier is refused (RFC 7636, 4.6; RFC 9700, 4.8.2).
func TestPKCEIsOptional(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	a := newApp(t, srv).with("code_challenge", "", "code_challenge_method", "")
	code, verifier := a.fresh(t)
	if status, got := a.exchange(t.Context(), code, verifier); status != http.StatusBadRequest || got.Error != "invalid_grant" {
		t.Errorf("with a verifier: got %d %q, want 400 invalid_grant", status, got.Error)
	}
	if status, got := a.exchange(t.Context(), code, ""); status != http.StatusOK || got.AccessToken == "" {
		t.Errorf("without one: got %d %q, want tokens", status, got.Error)
	}
}

func TestRefreshTokenIsItsClients(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	srv.AddClient(agentconnecttest.Client{ID: "other", Secret: "other-secret"})
	a := newApp(t, srv)
	refresh := a.logIn(t, newBrowser(t), "marie").tokens.RefreshToken
	use := []string{"grant_type", "refresh_token", "refresh_token", refresh}
	if status, got := a.tokenRequest(t.Context(), append(use, "client_id", "other", "client_secret", "other-secret")...); status != http.StatusBadRequest || got.Error != "invalid_grant" {
		t.Errorf("by another client: got %d %q, want 400 invalid_grant", status, got.Error)
	}
	if resp, body, err := a.post(t.Context(), "/token", append(use, "scope", "email")...); err != nil || resp.StatusCode != http.StatusOK || member(t, body, "scope") != `"email"` || strings.Contains(body, "id_token") {
		t.Errorf("without openid: got %s, %v, want tokens without an ID token", body, err)
	}
	if status, got := a.tokenRequest(t.Context(), use...); status != http.StatusOK || got.IDToken == "" {
		t.Errorf("by its own: got %d %q, want an ID token", status, got.Error)
	}
}

func TestRequestsAreBounded(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	resp, body := send(t, newBrowser(t), http.MethodPost, srv.Issuer+"/token", url.Values{"grant_type": {strings.Repeat("x", 2<<20)}})
	if resp.StatusCode != http.StatusBadRequest || !strings.Contains(body, "Y000400") {
		t.Errorf("two megabytes: got %d %s, want 400", resp.StatusCode, body)
	}
}

func TestRotatedRefreshTokenUsedByManyAtOnce(t *testing.T) {
	srv := agentconnecttest.NewServer(t, agentconnecttest.WithRefreshTokenRotation())
	a := newApp(t, srv)
	first := a.logIn(t, newBrowser(t), "marie").tokens.RefreshToken
	var wait sync.WaitGroup
	var won atomic.Int32
	for range 16 {
		wait.Go(func() {
			if status, _ := a.tokenRequest(t.Context(), "grant_type", "refresh_token", "refresh_token", first); status == http.StatusOK {
				won.Add(1)
			}
		})
	}
	wait.Wait()
	if got := won.Load(); got != 1 {
		t.Errorf("got %d answers with tokens, want 1", got)
	}
}

func TestWhatHasExpiredIsInactive(t *testing.T) {
	clock := newClock()
	srv := agentconnecttest.NewServer(t, agentconnecttest.WithClock(clock.now))
	a := newApp(t, srv)
	first := a.logIn(t, newBrowser(t), "marie").tokens
	clock.advance(11*time.Hour + 50*time.Minute)
	if _, body, err := a.post(t.Context(), "/token/introspection", "token", first.AccessToken); err != nil || member(t, body, "active") != "false" {
		t.Errorf("introspection of an old access token: got %s, %v, want active false", body, err)
	}
	_, second := a.tokenRequest(t.Context(), "grant_type", "refresh_token", "refresh_token", first.RefreshToken)
	if resp, _ := a.userinfo(t.Context(), second.AccessToken); resp.StatusCode != http.StatusOK {
		t.Errorf("userinfo during the session: got %d, want 200", resp.StatusCode)
	}
	clock.advance(20 * time.Minute)
	if resp, _ := a.userinfo(t.Context(), second.AccessToken); resp.StatusCode != http.StatusInternalServerError {
		t.Errorf("userinfo after the session: got %d, want 500, though the access token is young", resp.StatusCode)
	}
}

func TestScopesAreAnsweredOnce(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	got := newApp(t, srv).with("scope", "openid email openid unknown email").logIn(t, newBrowser(t), "marie")
	if got.tokens.Scope != "openid email" {
		t.Errorf("got scope %q, want openid email", got.tokens.Scope)
	}
}
