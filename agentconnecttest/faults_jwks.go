package agentconnecttest

import (
	"encoding/json"
	"slices"
)

func jwksDefinitions() []definition {
	var all []definition
	for _, row := range []struct {
		name, effect string
		verdict      verdict
		change       func(*Answer)
	}{
		{"keys-no-keys", "none", badIDToken, body(`{"keys":[]}`)},
		{"keys-no-member", "no member of that name", badAnswer, body(`{}`)},
		{"keys-not-array", "an object instead of an array", badAnswer, body(`{"keys":{}}`)},
		{"keys-not-json", "not JSON", badAnswer, body(`keys`)},
		{"keys-trailing-data", "another object after the first", badAnswer, trail},
		{"keys-other-keys", "only some that sign nothing here", badIDToken, body(`{"keys":[` + otherRSA("unrelated") + `,` + otherEC("unrelated-too") + `]}`)},
		{"keys-encryption-keys", "all are for encryption (use)", badIDToken, eachKey(func(k *Members) { k.Set("use", "enc"); k.Delete("alg") })},
		{"keys-encryption-ops", "all are for encryption (key_ops)", badIDToken, eachKey(func(k *Members) { k.Delete("use"); k.Delete("alg"); k.Set("key_ops", []string{"encrypt"}) })},
		{"keys-other-algorithms", "all are for other algorithms (alg)", badIDToken, eachKey(otherAlg)},
		{"keys-symmetric", "all are symmetric", badIDToken, eachKey(func(k *Members) {
			*k = Members{{"kty", "oct"}, {"kid", k.Get("kid")}, {"k", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}}
		})},
		{"keys-odd-keys", "odd, unknown, malformed and non-signing ones before the good ones", allowed, prepend(oddKeys()...)},
		{"keys-odd-members", "entries that are not objects before the good ones", allowed, prepend(`null`, `42`, `"key"`, `[]`, `true`)},
		{"keys-shared-kid", "another key of the same type under the same kid before the good ones", allowed, sharedKID},
		{"keys-shared-kid-types", "every key under the kid of the others", allowed, eachKey(func(k *Members) { k.Set("kid", "shared") })},
		{"keys-bare-keys", "neither use nor alg", allowed, eachKey(func(k *Members) { k.Delete("use"); k.Delete("alg") })},
		{"keys-unknown-members", "members that nobody knows", allowed, eachKey(func(k *Members) { k.Set("attacker.example/unknown", []int{1}) })},
		{"keys-plain-type", "a type that says plain JSON", allowed, contentType("application/json")},
	} {
		tamper := Tamper{Endpoint: JWKS, Answer: row.change}
		if row.name == "keys-shared-kid-types" {
			tamper.IDToken, tamper.Userinfo = sharedHeader, sharedHeader
		}
		all = append(all, definition{row.name, row.effect, row.verdict, publicAlgs(), false, tamper})
	}
	return all
}

// sharedHeader names the shared kid in tokens that have one.
func sharedHeader(t *JWT) {
	if t.Header.Get("kid") != nil {
		t.Header.Set("kid", "shared")
	}
}

// otherRSA and otherEC are public keys. Their private keys are lost.
func otherRSA(kid string) string {
	return `{"kty":"RSA","use":"sig","alg":"RS256","e":"AQAB","kid":"` + kid + `","n":"` + otherModulus + `"}`
}

func otherEC(kid string) string {
	return `{"kty":"EC","use":"sig","alg":"ES256","crv":"P-256","kid":"` + kid + `","x":"` + otherX + `","y":"` + otherY + `"}`
}

// oddKeys are entries that a key set may contain and that a client must ignore.
func oddKeys() []string {
	return []string{
		`{}`,
		`{"kty":"OKP","crv":"Ed25519","kid":"ed","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
		`{"kty":"FUTURE","kid":"future","use":"sig"}`,
		`{"kty":42,"kid":42}`,
		`{"kty":"RSA","kid":"no-modulus","e":"AQAB"}`,
		`{"kty":"RSA","kid":"bad-base64","e":"AQAB","n":"!!!"}`,
		`{"kty":"RSA","kid":"tiny","e":"AQAB","n":"AQAB"}`,
		`{"kty":"EC","kid":"off-curve","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`,
		`{"kty":"EC","kid":"other-curve","crv":"secp256k1","x":"AQ","y":"AQ"}`,
		`{"kty":"oct","kid":"secret","k":"c2VjcmV0"}`,
		`{"kty":"RSA","kid":"encryption","use":"enc","e":"AQAB","n":"` + otherModulus + `"}`,
		`{"kty":"RSA","kid":"x5c","e":"AQAB","n":"` + otherModulus + `","x5c":["not a certificate"]}`,
	}
}

func inKeys(change func([]json.RawMessage) []json.RawMessage) func(*Answer) {
	return inJSON(func(m *Members) {
		var keys []json.RawMessage
		if raw, ok := m.Get("keys").(json.RawMessage); ok && json.Unmarshal(raw, &keys) == nil {
			m.Set("keys", change(keys))
		}
	})
}

func eachKey(change func(*Members)) func(*Answer) {
	return inKeys(func(keys []json.RawMessage) []json.RawMessage {
		for i, raw := range keys {
			if k, err := readMembers(raw); err == nil {
				change(&k)
				keys[i] = json.RawMessage(jsonText(k))
			}
		}
		return keys
	})
}

func prepend(entries ...string) func(*Answer) {
	return inKeys(func(keys []json.RawMessage) []json.RawMessage {
		var odd []json.RawMessage
		for _, entry := range entries {
			odd = append(odd, json.RawMessage(entry))
		}
		return slices.Concat(odd, keys)
	})
}

// otherAlg gives a key another algorithm of its own type.
func otherAlg(k *Members) {
	if string(k.Get("kty").(json.RawMessage)) == `"RSA"` { // every key we publish has a kty
		k.Set("alg", "RS512")
		return
	}
	k.Set("alg", "ES512")
}

// sharedKID puts, before each key, another one of its type under its kid.
func sharedKID(a *Answer) {
	inKeys(func(keys []json.RawMessage) []json.RawMessage {
		var all []json.RawMessage
		for _, raw := range keys {
			var k struct{ Kty, Kid string }
			if json.Unmarshal(raw, &k) != nil {
				continue
			}
			double := otherEC(k.Kid)
			if k.Kty == "RSA" {
				double = otherRSA(k.Kid)
			}
			all = append(all, json.RawMessage(double))
		}
		return append(all, keys...)
	})(a)
}

// The public halves of two keys.
const (
	otherModulus = "" +
		"qBGhG3uxzAkizhlxJKjhm_-_zKCNCvw1yrYKn2gzDpPc9S-tL70vcTvQmoJXaJaHQ0rwMZxm9hPJnrezOTp24Y" +
		"VMVSUhQzo7ufz5-1P61liJg34N4f34atKZ9gcypjcRa2MDDpfrIG3G61gRBFbCEjT90FWrKOpYioi-2gDVKYuV" +
		"HrgYcEp0cUJsIAWZPs5qt_FA2GhBZHp5ONmTpwVVVlWtLUgfVehDIXUyIpIoEPlhItY9p29ZoUi2hVbxunlQhn" +
		"kXpo2q3V9GnKJW0GBRe4m8F_pEkDFdrQHqACIAojM38K0_dqsvtFSZaIJBlFF2nt37XMMPSzjhMVjtCGqzFQ"
	otherX = "Ba8sQuribXcNQq8MWaA3UY3nstXN4fFamvYuvVv-F28"
	otherY = "Pmyi717pnpBil_mSXNRfvIOE4wzlvFFK97a43PTDdI0"
)
