package agentconnecttest

import (
	"encoding/json"
	"slices"
)

// Faults of the key set. They mean something to clients that fetch it while they apply: one that
// has fetched it before may still have good keys.
const (
	JWKSNoKeys          Fault = "keys: none"
	JWKSNoMember        Fault = "keys: no member of that name"
	JWKSNotArray        Fault = "keys: an object instead of an array"
	JWKSNotJSON         Fault = "keys: not JSON"
	JWKSTrailingData    Fault = "keys: another object after the first"
	JWKSOtherKeys       Fault = "keys: only some that sign nothing here"
	JWKSEncryptionKeys  Fault = "keys: all are for encryption (use)"
	JWKSEncryptionOps   Fault = "keys: all are for encryption (key_ops)"
	JWKSOtherAlgorithms Fault = "keys: all are for other algorithms (alg)"
	JWKSSymmetric       Fault = "keys: all are symmetric"
	JWKSOddKeys         Fault = "keys: odd, unknown, malformed and non-signing ones before the good ones"
	JWKSOddMembers      Fault = "keys: entries that are not objects before the good ones"
	JWKSSharedKID       Fault = "keys: another key of the same type under the same kid before the good ones"
	JWKSSharedKIDTypes  Fault = "keys: every key under the kid of the others"
	JWKSBareKeys        Fault = "keys: neither use nor alg"
	JWKSUnknownMembers  Fault = "keys: members that nobody knows"
	JWKSPlainType       Fault = "keys: a type that says plain JSON"
)

func jwksDefinitions() []definition {
	var all []definition
	for _, row := range []struct {
		fault   Fault
		verdict verdict
		change  func(*Answer)
	}{
		{JWKSNoKeys, refused, body(`{"keys":[]}`)},
		{JWKSNoMember, refused, body(`{}`)},
		{JWKSNotArray, refused, body(`{"keys":{}}`)},
		{JWKSNotJSON, refused, body(`keys`)},
		{JWKSTrailingData, refused, trail},
		{JWKSOtherKeys, refused, body(`{"keys":[` + otherRSA("unrelated") + `,` + otherEC("unrelated-too") + `]}`)},
		{JWKSEncryptionKeys, refused, eachKey(func(k *Members) { k.Set("use", "enc"); k.Delete("alg") })},
		{JWKSEncryptionOps, refused, eachKey(func(k *Members) { k.Delete("use"); k.Delete("alg"); k.Set("key_ops", []string{"encrypt"}) })},
		{JWKSOtherAlgorithms, refused, eachKey(otherAlg)},
		{JWKSSymmetric, refused, eachKey(func(k *Members) {
			*k = Members{{"kty", "oct"}, {"kid", k.Get("kid")}, {"k", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}}
		})},
		{JWKSOddKeys, allowed, prepend(oddKeys()...)},
		{JWKSOddMembers, allowed, prepend(`null`, `42`, `"key"`, `[]`, `true`)},
		{JWKSSharedKID, allowed, sharedKID},
		{JWKSSharedKIDTypes, allowed, eachKey(func(k *Members) { k.Set("kid", "shared") })},
		{JWKSBareKeys, allowed, eachKey(func(k *Members) { k.Delete("use"); k.Delete("alg") })},
		{JWKSUnknownMembers, allowed, eachKey(func(k *Members) { k.Set("attacker.example/unknown", []int{1}) })},
		{JWKSPlainType, allowed, contentType("application/json")},
	} {
		tamper := Tamper{Endpoint: JWKS, Answer: row.change}
		if row.fault == JWKSSharedKIDTypes {
			tamper.IDToken, tamper.Userinfo = sharedHeader, sharedHeader
		}
		all = append(all, definition{row.fault, row.verdict, publicAlgs(), false, tamper})
	}
	return all
}

// sharedHeader names the shared kid in tokens that have one.
func sharedHeader(t *JWT) {
	if t.Header.Get("kid") != nil {
		t.Header.Set("kid", "shared")
	}
}

// otherRSA and otherEC are public keys whose private halves nobody has kept.
func otherRSA(kid string) string {
	return `{"kty":"RSA","use":"sig","alg":"RS256","e":"AQAB","kid":"` + kid + `","n":"` + otherModulus + `"}`
}

func otherEC(kid string) string {
	return `{"kty":"EC","use":"sig","alg":"ES256","crv":"P-256","kid":"` + kid + `","x":"` + otherX + `","y":"` + otherY + `"}`
}

// oddKeys are entries that a key set may hold and that a client must step over.
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
