package provider

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

// The fuzz targets. Run one for long with
//
//	go test -run '^$' -fuzz FuzzIDTokenPayload -fuzztime 10m ./internal/provider

const testIssuer = "https://provider.example/api/v2"

func fuzzPayloads() []string {
	now := testTime().Unix()
	base := fmt.Sprintf(`"iss":%q,"aud":"client","sub":%q,"iat":%d`, testIssuer, testSub, now)
	return []string{
		fmt.Sprintf(`{%s,"exp":%d,"nonce":%q}`, base, now+60, testNonce),
		fmt.Sprintf(`{%s,"exp":%d,"nonce":%q,"acr":"eidas1","amr":["pwd"],"auth_time":%d}`, base, now+60, testNonce, now),
		fmt.Sprintf(`{%s,"exp":1e300,"nonce":%q}`, base, testNonce),
		fmt.Sprintf(`{%s,"exp":%d,"nonce":%q,"Nonce":"x"}`, base, now+60, testNonce),
		fmt.Sprintf(`{%s,"exp":%d,"nonce":%q,"aud":["client","x"],"azp":"client"}`, base, now+60, testNonce),
		fmt.Sprintf(`{%s,"exp":%d,"nonce":"\u0030%s"}`, base, now+60, testNonce[1:]),
		fmt.Sprintf(`{%s}`, base),
		fmt.Sprintf(`{%s,"email":"a@b.example","roles":["x"],"custom":{"a":{"b":1}},"siret":null}`, base),
		fmt.Sprintf(`{%s,"roles":[null],"custom":"x"}`, base),
		fmt.Sprintf(`{%s,"exp":%d,"nonce":%q,"custom":{"a":1e700,"b":-1e-700,"c":-0}}`, base, now+60, testNonce),
		fmt.Sprintf(`{%s,"exp":%d,"nonce":%q,"auth_time":1e700}`, base, now+60, testNonce),
		fmt.Sprintf(`{%s,"exp":1e700,"nonce":%q,"nbf":-1e700}`, base, testNonce),
		`null`, `[]`, `{}`, `{"sub":"a","sub":"b"}`, `{"a":{"b":1,"b":2}}`, "{\"\xff\":1}", `{"\ud800":1,"\ud801":2}`, `{"sub":"a"}{"sub":"b"}`, strings.Repeat("[", 100),
	}
}

// An ID token that is accepted says, by the account of another reader, what it
// must say.
func FuzzIDTokenPayload(f *testing.F) {
	for _, seed := range fuzzPayloads() {
		f.Add([]byte(seed))
	}
	p := offline(Unsigned)
	// An independent verifier, that of go-oidc, accepts whatever is accepted here.
	other := oidc.NewVerifier(testIssuer, secretKey{}, &oidc.Config{ClientID: testClient, SupportedSigningAlgs: []string{"HS256"}, SkipExpiryCheck: true})
	if _, err := p.verifyIDToken(f.Context(), signHS256([]byte(fuzzPayloads()[0])), testNonce, "access token"); err != nil {
		f.Fatalf("a good ID token: %v", err)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		token := signHS256(payload)
		if _, err := p.verifyIDToken(t.Context(), token, testNonce, "access token"); err != nil {
			return
		}
		if _, err := other.Verify(t.Context(), token); err != nil && !tooLarge(err) {
			t.Fatalf("accepted, and go-oidc says %v: %s", err, payload)
		}
		claims := readJSON(t, payload)
		now := testTime()
		if claims["iss"] != testIssuer || claims["nonce"] != testNonce {
			t.Fatalf("accepted: %s", payload)
		}
		if sub, _ := claims["sub"].(string); sub == "" || len(sub) > 255 {
			t.Fatalf("accepted with sub %v: %s", claims["sub"], payload)
		}
		if exp, ok := readNumber(claims["exp"]); !ok || exp <= float64(now.Unix()-61) {
			t.Fatalf("accepted with exp %v: %s", claims["exp"], payload)
		}
		if iat, ok := readNumber(claims["iat"]); !ok || iat >= float64(now.Unix()+61) {
			t.Fatalf("accepted with iat %v: %s", claims["iat"], payload)
		}
		if nbf, ok := claims["nbf"]; ok {
			if n, ok := readNumber(nbf); !ok || n >= float64(now.Unix()+61) {
				t.Fatalf("accepted with nbf %v: %s", nbf, payload)
			}
		}
		switch aud := claims["aud"].(type) {
		case string:
			if aud != "client" {
				t.Fatalf("accepted with aud %v: %s", aud, payload)
			}
		case []any:
			if !slices.Contains(aud, any("client")) || len(aud) > 1 && slices.ContainsFunc(aud, func(a any) bool { return a != "client" }) && claims["azp"] != "client" {
				t.Fatalf("accepted with aud %v: %s", aud, payload)
			}
		default:
			t.Fatalf("accepted with aud %v: %s", aud, payload)
		}
		if azp, ok := claims["azp"]; ok && azp != nil && azp != "" && azp != "client" {
			t.Fatalf("accepted with azp %v: %s", azp, payload)
		}
		if hash, ok := claims["at_hash"]; ok {
			sum := sha256.Sum256([]byte("access token"))
			if hash != base64.RawURLEncoding.EncodeToString(sum[:16]) {
				t.Fatalf("accepted with at_hash %v: %s", hash, payload)
			}
		}
	})
}

// secretKey verifies with the client secret.
type secretKey struct{}

// VerifySignature implements oidc.KeySet.
func (secretKey) VerifySignature(_ context.Context, token string) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.HS256})
	if err != nil {
		return nil, err
	}
	return jws.Verify([]byte(testSecret))
}

// tooLarge reports whether go-oidc only minds a number that its types do not hold.
func tooLarge(err error) bool { return strings.Contains(err.Error(), "failed to unmarshal claims") }

// A userinfo that is accepted is of the ID token's sub, plain or signed, and what is
// accepted signed is accepted plain.
func FuzzUserinfoPayload(f *testing.F) {
	for _, seed := range fuzzPayloads() {
		f.Add([]byte(seed))
	}
	plain, signed := offline(Unsigned), offline(jose.HS256)
	if _, err := signed.verifyUserinfo(f.Context(), &answer{mediaType: "application/jwt", body: []byte(signHS256([]byte(fuzzPayloads()[7])))}, testSub); err != nil {
		f.Fatalf("a good userinfo: %v", err)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		info, err := plain.verifyUserinfo(t.Context(), &answer{mediaType: "application/json", body: payload}, testSub)
		_, signedErr := signed.verifyUserinfo(t.Context(), &answer{mediaType: "application/jwt", body: []byte(signHS256(payload))}, testSub)
		if signedErr == nil && err != nil {
			t.Fatalf("signed it is accepted, plain it is not: %v: %s", err, payload)
		}
		if err != nil {
			return
		}
		claims := readJSON(t, payload)
		if claims["sub"] != testSub || claims["nonce"] != nil || len(claims) != len(maps.Collect(info.All())) {
			t.Fatalf("accepted: %s", payload)
		}
	})
}

// readJSON decodes an object that was accepted as encoding/json does it. Its
// numbers stay text: 1e700 is JSON, and no float64.
func readJSON(t *testing.T, payload []byte) map[string]any {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(payload))
	dec.UseNumber()
	var claims map[string]any
	if err := dec.Decode(&claims); err != nil || dec.More() {
		t.Fatalf("accepted, and it is not an object: %v: %s", err, payload)
	}
	return claims
}

// readNumber returns a number of readJSON, and whether it is one that a float64
// holds.
func readNumber(v any) (float64, bool) {
	number, _ := v.(json.Number)
	f, err := number.Float64()
	return f, err == nil
}

// A key set that is read is JSON; the keys of it that are odd are left out and
// make nothing fail.
func FuzzKeySet(f *testing.F) {
	for _, seed := range []string{
		`{"keys":[]}`, `{"keys":null}`, `{}`, `{"keys":[{}]}`, `{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`, `{"keys":[{"kty":"EC","crv":"P-256","x":"","y":""}]}`,
		`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`, `{"keys":[{"kty":"oct","k":"AA"}]}`,
		`{"keys":[{"kty":"EC","crv":"P-256","kid":"good","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"sig"}]}`,
		`{"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","key_ops":["encrypt"]}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		keys, err := parseKeys(body)
		if err != nil {
			return
		}
		var set struct {
			Keys []json.RawMessage `json:"keys"`
		}
		if err := json.Unmarshal(body, &set); err != nil || len(keys.usable)+len(keys.LeftOut) > len(set.Keys) {
			t.Fatalf("got %d keys of %s, %v", len(keys.usable), body, err)
		}
	})
}
