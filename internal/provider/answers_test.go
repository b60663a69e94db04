package provider

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Where an endpoint may be: what is secret is sent there.
func TestEndpoints(t *testing.T) {
	t.Parallel()
	const loopback, secured = "http://127.0.0.1:8080/api/v2", "https://provider.example/api/v2"
	for _, tt := range []struct {
		issuer     string
		sameOrigin bool
		endpoint   string
		want       string
	}{
		{secured, false, "https://provider.example/token", ""},
		{secured, false, "https://other.example/token", ""},
		{secured, false, "http://127.0.0.1:9/token", "token_endpoint is not https"},
		{secured, false, "http://localhost/token", "token_endpoint is not https"},
		{secured, false, "http://provider.example/token", "token_endpoint is not https"},
		{secured, true, "https://provider.example:443/token", ""},
		{secured, true, "https://PROVIDER.example/token", ""},
		{secured, true, "https://other.example/token", "token_endpoint is not on the issuer's host, https://provider.example:443"},
		{secured, true, "https://provider.example:8443/token", "token_endpoint is not on the issuer's host, https://provider.example:443"},
		{secured, true, "https://provider.example.evil.example/token", "token_endpoint is not on the issuer's host, https://provider.example:443"},
		{loopback, false, "http://127.0.0.1:8080/token", ""},
		{loopback, false, "http://localhost:9/token", ""},
		{loopback, false, "http://provider.example/token", "token_endpoint is not https"},
		{secured, false, "/token", "token_endpoint is not an absolute URL"},
		{secured, false, "https://user:pass@provider.example/token", "token_endpoint is not an absolute URL"},
	} {
		rules, err := rulesOf(tt.issuer, tt.sameOrigin)
		if err != nil {
			t.Fatal(err)
		}
		err = rules.check("token_endpoint", tt.endpoint)
		if got := fmt.Sprint(err); tt.want != got && (tt.want != "" || err != nil) {
			t.Errorf("%s of %s, same origin %t: got %v, want %q", tt.endpoint, tt.issuer, tt.sameOrigin, err, tt.want)
		}
		// The document is held to the same rules, and so is an endpoint that is read later.
		document := map[string]any{"issuer": tt.issuer}
		for _, name := range []string{"authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"} {
			document[name] = tt.issuer + "/" + name
		}
		document["introspection_endpoint"] = tt.endpoint
		body, _ := json.Marshal(document)
		m, err := parseMetadata(body, tt.issuer, tt.sameOrigin)
		if err != nil {
			t.Fatalf("%s: %v", tt.issuer, err)
		}
		if _, err := m.Endpoint("introspection_endpoint"); (err == nil) != (tt.want == "") {
			t.Errorf("introspection_endpoint %s: got %v, want an error: %t", tt.endpoint, err, tt.want != "")
		}
		document["token_endpoint"] = tt.endpoint
		body, _ = json.Marshal(document)
		if _, err := parseMetadata(body, tt.issuer, tt.sameOrigin); (err == nil) != (tt.want == "") {
			t.Errorf("document with the token_endpoint %s: got %v, want an error: %t", tt.endpoint, err, tt.want != "")
		}
	}
}

// Legal answers are accepted, in every spelling. Others are refused with the true
// reason.
func TestOddAnswersOfTheTokenEndpoint(t *testing.T) {
	t.Parallel()
	const asJSON = "application/json"
	f := newFake(t)
	p := New(f.config)
	m, err := p.Metadata(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, contentType, life, tokenType string
		claims                             map[string]any
		want                               time.Duration
		err                                string
	}{
		{"as usual", asJSON, `3600`, "Bearer", nil, time.Hour, ""},
		{"a fraction", asJSON, `3600.0`, "Bearer", nil, time.Hour, ""},
		{"an exponent", asJSON, `3.6e3`, "Bearer", nil, time.Hour, ""},
		{"as text", asJSON, `"3600"`, "Bearer", nil, time.Hour, ""},
		{"null", asJSON, `null`, "Bearer", nil, 0, ""},
		{"small letters", asJSON, `3600`, "bearer", nil, time.Hour, ""},
		{"a parameter", "application/json; charset=utf-8", `3600`, "Bearer", nil, time.Hour, ""},
		{"capitals", "Application/JSON;Charset=UTF-8", `3600`, "Bearer", nil, time.Hour, ""},
		{"a malformed parameter", "application/json; charset", `3600`, "Bearer", nil, time.Hour, ""},
		{"an end", "application/json;", `3600`, "Bearer", nil, time.Hour, ""},
		{"times with exponents", asJSON, `3600`, "Bearer", map[string]any{"exp": json.RawMessage(`1.79000006e9`), "iat": json.RawMessage(`1790000000.0`), "auth_time": json.RawMessage(`179e7`)}, time.Hour, ""},
		{"aud in a list", asJSON, `3600`, "Bearer", map[string]any{"aud": []string{testClient}}, time.Hour, ""},
		{"words", asJSON, `"soon"`, "Bearer", nil, 0, "token endpoint: expires_in is not a number of seconds"},
		{"negative", asJSON, `-1`, "Bearer", nil, 0, "token endpoint: expires_in is not a number of seconds"},
		{"not a number", asJSON, `"NaN"`, "Bearer", nil, 0, "token endpoint: expires_in is not a number of seconds"},
		{"another type", asJSON, `3600`, "DPoP", nil, 0, "token endpoint: the token_type is not Bearer"},
		{"HTML", "text/html", `3600`, "Bearer", nil, 0, "token endpoint: the answer is text/html, not JSON"},
		{"exp as text", asJSON, `3600`, "Bearer", map[string]any{"exp": "1790000060"}, 0, "ID token: exp is not a number"},
		{"no exp", asJSON, `3600`, "Bearer", map[string]any{"exp": nil}, 0, "ID token: the claim exp is missing"},
		{"no iat", asJSON, `3600`, "Bearer", map[string]any{"iat": nil}, 0, "ID token: the claim iat is missing"},
		{"another iss", asJSON, `3600`, "Bearer", map[string]any{"iss": "https://other.example"}, 0, "ID token: the iss is not the issuer"},
		{"Iss beside iss", asJSON, `3600`, "Bearer", map[string]any{"Iss": "x"}, 0, "ID token: the iss is not the issuer"},
		{"another aud", asJSON, `3600`, "Bearer", map[string]any{"aud": "other"}, 0, "ID token: the client is not an audience"},
		{"no aud", asJSON, `3600`, "Bearer", map[string]any{"aud": nil}, 0, "ID token: the client is not an audience"},
		{"a stranger in aud", asJSON, `3600`, "Bearer", map[string]any{"aud": []string{testClient, "other"}}, 0, "ID token: there are other audiences, and no azp"},
		{"another azp", asJSON, `3600`, "Bearer", map[string]any{"azp": "other"}, 0, "ID token: the azp is not the client"},
		{"no sub", asJSON, `3600`, "Bearer", map[string]any{"sub": nil}, 0, "ID token: the claim sub is missing"},
		{"a long sub", asJSON, `3600`, "Bearer", map[string]any{"sub": strings.Repeat("s", 256)}, 0, "ID token: the claim sub is longer than 255 bytes"},
		{"another nonce", asJSON, `3600`, "Bearer", map[string]any{"nonce": "x"}, 0, "ID token: the nonce is not that of this login"},
		{"another at_hash", asJSON, `3600`, "Bearer", map[string]any{"at_hash": "x"}, 0, "ID token: the at_hash is not that of the access token"},
		{"its at_hash", asJSON, `3600`, "Bearer", map[string]any{"at_hash": accessTokenHash("access")}, time.Hour, ""},
		{"expired", asJSON, `3600`, "Bearer", map[string]any{"exp": testTime().Unix() - 60}, 0, "ID token: it expired at 2026-09-21T14:12:20Z"},
		{"of the future", asJSON, `3600`, "Bearer", map[string]any{"nbf": testTime().Unix() + 61}, 0, "ID token: its nbf, 2026-09-21T14:14:21Z, is in the future"},
	} {
		body := fmt.Sprintf(`{"access_token":"access","refresh_token":"refresh","token_type":%q,"expires_in":%s,"id_token":%q}`, tt.tokenType, tt.life, f.sign(t, f.claims(t, tt.claims), nil))
		f.handle("/token", send(200, tt.contentType, body))
		tokens, err := p.Exchange(t.Context(), m, "code", Login{Nonce: testNonce})
		if tt.err != "" {
			if err == nil || err.Error() != tt.err {
				t.Errorf("%s: got the error %v, want %q", tt.name, err, tt.err)
			}
			continue
		}
		if err != nil || tokens.Life != tt.want || tokens.Access != "access" || tokens.Refresh != "refresh" || tokens.ID.Sub != testSub {
			t.Errorf("%s: got %+v, %v, want a life of %v", tt.name, tokens, err, tt.want)
		}
	}
}

// A refusal of the provider's says who refused: the provider, or something before it.
func TestRefusalsOfTheTokenEndpoint(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	p := New(f.config)
	for _, tt := range []struct {
		status      int
		contentType string
		body        string
		kind        Kind
		oauthError  string
	}{
		{400, "application/json", `{"error":"invalid_grant"}`, InvalidGrant, "invalid_grant"},
		{200, "application/json", `{"error":"invalid_grant"}`, InvalidGrant, "invalid_grant"},
		{401, "application/json; charset=utf-8", `{"error":"invalid_client"}`, InvalidClient, "invalid_client"},
		{500, "application/json", `{"error":"server_error"}`, BadAnswer, "server_error"},
		{500, "text/html", `{"error":"server_error"}`, BadAnswer, ""},
		{502, "text/html", `<html>`, BadAnswer, ""},
		{503, "text/html", `<html>`, Unavailable, ""},
		{429, "application/json", `{"error":"slow_down"}`, Unavailable, "slow_down"},
		{400, "application/json", `{"error":"the code of Marie"}`, BadAnswer, ""},
		{400, "application/json", `{"Error":"invalid_grant"}`, BadAnswer, ""},
	} {
		f.handle("/token", send(tt.status, tt.contentType, tt.body))
		_, err := p.Refresh(t.Context(), "refresh", testSub)
		if got := asFailure(t, err); got.Kind != tt.kind || got.OAuthError != tt.oauthError || got.Status != tt.status || strings.Contains(got.Error(), "Marie") {
			t.Errorf("%d %s: got %s, error %q, status %d, %v; want %s, %q", tt.status, tt.body, got.Kind, got.OAuthError, got.Status, got, tt.kind, tt.oauthError)
		}
	}
}

// Superfluous members of a key do not matter; a key that cannot be used is left out,
// with a reason, and logged once.
func TestOddKeys(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	good := map[string]any{}
	text, _ := json.Marshal(f.jwk("current"))
	if err := json.Unmarshal(text, &good); err != nil {
		t.Fatal(err)
	}
	with := func(changes map[string]any) map[string]any {
		key := maps.Clone(good)
		maps.Copy(key, changes)
		return key
	}
	private, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384 := map[string]any{}
	text, _ = json.Marshal(jose.JSONWebKey{Key: &private.PublicKey, KeyID: "current", Use: "sig"})
	if err := json.Unmarshal(text, &p384); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		key     map[string]any
		fits    bool
		leftOut string
	}{
		"x5c of something else":  {with(map[string]any{"x5c": []string{"not a certificate"}, "x5t": "?", "x5u": ":"}), true, ""},
		"x5c of another type":    {with(map[string]any{"x5c": 5, "x5t#S256": []int{1}}), true, ""},
		"members of others":      {with(map[string]any{"exp": "tomorrow", "iat": map[string]any{}, "d": 5}), true, ""},
		"for encryption":         {with(map[string]any{"use": "enc"}), false, ""},
		"for signing alone":      {with(map[string]any{"key_ops": []string{"sign"}}), false, ""},
		"of another kind":        {map[string]any{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}, false, ""},
		"of another curve":       {p384, false, ""},
		"of another algorithm":   {with(map[string]any{"alg": "PS256"}), false, ""},
		"a modulus that is none": {with(map[string]any{"n": "?"}), false, `the key "current": it is malformed`},
		"no modulus":             {with(map[string]any{"n": nil}), false, `the key "current": it is malformed`},
		"use of another type":    {with(map[string]any{"use": 5}), false, `the key "current": use is not text`},
		"key_ops of another":     {with(map[string]any{"key_ops": "verify"}), false, `the key "current": key_ops is not a list of texts`},
		"no kty":                 {with(map[string]any{"kty": nil}), false, `the key "current": kty is missing`},
		"Kty beside kty":         {with(map[string]any{"Kty": "EC"}), false, `the key "": a member's name differs by case from kty`},
		"too short":              {with(map[string]any{"n": strings.Repeat("_", 171)}), false, `the key "current": it has 1024 bits, fewer than 2048`},
		"a long name":            {with(map[string]any{"kid": strings.Repeat("k", 100), "n": "?"}), false, `the key "` + strings.Repeat("k", 64) + `…": it is malformed`},
	} {
		t.Run(name, func(t *testing.T) {
			body, err := json.Marshal(map[string]any{"keys": []any{tt.key}})
			if err != nil {
				t.Fatal(err)
			}
			keys, err := parseKeys(body)
			if err != nil {
				t.Fatal(err)
			}
			leftOut := ""
			for _, key := range keys.LeftOut {
				leftOut += key.String()
			}
			if got := keys.Fitting(jose.RS256) == 1; got != tt.fits || leftOut != tt.leftOut || keys.Fitting(jose.ES256) != 0 {
				t.Errorf("got a key that fits: %t, left out: %q, want %t, %q", got, leftOut, tt.fits, tt.leftOut)
			}
		})
	}
	f.handle("/jwks", f.sendJSON(map[string]any{"keys": []any{good, with(map[string]any{"kid": "odd", "n": "?"})}}))
	p := New(f.config)
	for range 3 {
		if _, err := p.verifyIDToken(t.Context(), f.sign(t, f.claims(t, nil), nil), testNonce, "access"); err != nil {
			t.Fatal(err)
		}
		if _, _, err := p.keys.published.get(t.Context(), f.count("/jwks"), always); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Count(f.logs.String(), "kid=odd"); got != 1 {
		t.Errorf("got %d lines about the key that is left out, want 1: %s", got, f.logs)
	}
}

// A JWT with critical header parameters is refused (RFC 7515 section 4.1.11), also with
// those that go-jose knows.
func TestCriticalHeaderParameters(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	p := New(f.config)
	for name, header := range map[string]map[jose.HeaderKey]any{
		"known to go-jose": {"crit": []string{"b64"}, "b64": true},
		"unknown":          {"crit": []string{"exp"}, "exp": 1},
		"empty":            {"crit": []string{}},
	} {
		if _, err := p.verifyIDToken(t.Context(), f.sign(t, f.claims(t, nil), header), testNonce, "access"); err == nil {
			t.Errorf("%s: got no error, want one", name)
		}
	}
	if _, err := p.verifyIDToken(t.Context(), f.sign(t, f.claims(t, nil), nil), testNonce, "access"); err != nil {
		t.Errorf("without them: got %v, want no error", err)
	}
}
