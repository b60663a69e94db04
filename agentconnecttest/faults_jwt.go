package agentconnecttest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"
	"time"
)

// The faults of ID tokens and of userinfo share the functions of this file. Each
// changes one thing in a token.

type edit func(*JWT)

const stranger = "https://attacker.example"

func set(name string, value any) edit { return func(t *JWT) { t.Claims.Set(name, value) } }

func drop(name string) edit { return func(t *JWT) { t.Claims.Delete(name) } }

// rename keeps the value of a claim under another spelling of its name.
func rename(name, other string) edit {
	return func(t *JWT) {
		value := t.Claims.Get(name)
		t.Claims.Delete(name)
		t.Claims.Add(other, value)
	}
}

// add puts a claim beside those that are there.
func add(name string, value any) edit { return func(t *JWT) { t.Claims.Add(name, value) } }

// addFirst puts a claim before those that are there.
func addFirst(name string, value any) edit {
	return func(t *JWT) { t.Claims = append(Members{{name, value}}, t.Claims...) }
}

// at sets a claim to the provider's time plus d.
func at(name string, d time.Duration) edit {
	return func(t *JWT) { t.Claims.Set(name, t.Now.Add(d).Unix()) }
}

// audience adds others to the client in aud, and sets azp if it is not nil.
func audience(azp func(Client) string, others ...string) edit {
	return func(t *JWT) {
		t.Claims.Set("aud", append([]string{t.Client.ID}, others...))
		if azp != nil {
			t.Claims.Set("azp", azp(t.Client))
		}
	}
}

func ourselves(c Client) string { return c.ID }

func somebodyElse(Client) string { return "another-client" }

// unsigned is the algorithm none, with an empty signature.
func unsigned(spelling string) edit {
	return func(t *JWT) {
		t.Alg, t.Key = "none", nil
		t.Header.Set("alg", spelling)
	}
}

func header(name string, value any) edit { return func(t *JWT) { t.Header.Set(name, value) } }

func dropHeader(name string) edit { return func(t *JWT) { t.Header.Delete(name) } }

// hs256WithPublicKey signs with HS256. The secret is a public key in one of its
// encodings, and the kid is that of the public key.
func hs256WithPublicKey(encode func(crypto.PublicKey) ([]byte, error)) edit {
	return func(t *JWT) {
		k := t.SigningKey(t.Alg)
		secret, err := encode(k.Private.Public())
		if err != nil {
			panic("agentconnecttest: encoding our own public key: " + err.Error())
		}
		t.SignHS256(secret)
		t.Header.Set("kid", k.ID)
	}
}

func publicPEM(key crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), err
}

// publicRaw is another value that a confused library could take for the secret: the
// modulus or the point.
func publicRaw(key crypto.PublicKey) ([]byte, error) {
	if key, ok := key.(*rsa.PublicKey); ok {
		return key.N.Bytes(), nil
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	return der[max(0, len(der)-65):], err // an uncompressed P-256 point ends the encoding
}

// hs256WithSecret signs correctly, but with an algorithm that is not registered.
func hs256WithSecret(t *JWT) { t.SignHS256([]byte(t.Client.Secret)) }

func hs256WithoutSecret(t *JWT) { t.SignHS256([]byte{}) }

// otherAlgorithm signs with a good key of the provider, but with an algorithm that is
// not registered.
func otherAlgorithm(t *JWT) {
	if t.Alg == "RS256" {
		t.SignWith(t.SigningKey("ES256"))
		return
	}
	t.SignWith(t.SigningKey("RS256"))
}

// attackersKey returns the attacker's key for the algorithm of t. For HS256, which has
// none, it returns the one for RS256.
func attackersKey(t *JWT) Key {
	if t.Alg == "ES256" {
		return t.AttackerKey("ES256")
	}
	return t.AttackerKey("RS256")
}

func unpublishedKey(t *JWT) { t.SignWith(attackersKey(t)) }

func wrongSecret(t *JWT) { t.SignHS256([]byte("not-the-secret-of-this-client-at-all")) }

// stolenKID signs with the attacker's key and the kid of the provider's key.
func stolenKID(t *JWT) {
	kid := t.Header.Get("kid")
	t.SignWith(attackersKey(t))
	t.Header.Set("kid", kid)
}

// attackerWithoutKID signs with the attacker's key and names none.
func attackerWithoutKID(t *JWT) {
	t.SignWith(attackersKey(t))
	t.Header.Delete("kid")
}

// embedded signs with the attacker's key and says in the header where to find it.
func embedded(name string, value func(t *JWT, k Key) any) edit {
	return func(t *JWT) {
		k := attackersKey(t)
		t.SignWith(k)
		t.Header.Set(name, value(t, k))
	}
}

func asJWK(_ *JWT, k Key) any { return k.JWK() }

// asURL returns an address of the provider itself, so that a test sees the clients that
// follow it.
func asURL(path string) func(*JWT, Key) any {
	return func(t *JWT, _ Key) any { return t.issuer + path }
}

func asCertificate(_ *JWT, k Key) any {
	return []string{base64.StdEncoding.EncodeToString(certificate(k))}
}

// certificate returns a self-signed certificate of a key, in DER.
func certificate(k Key) []byte {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "attacker.example"},
		NotBefore:    time.Unix(0, 0),
		NotAfter:     time.Unix(1<<33, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Private.Public(), k.Private)
	if err != nil {
		panic("agentconnecttest: certifying our own key: " + err.Error())
	}
	return der
}

// critical requires an unknown extension (RFC 7515, 4.1.11).
func critical(t *JWT) {
	t.Header.Set("crit", []string{stranger + "/extension"})
	t.Header.Set(stranger+"/extension", true)
}

// swappedKID names the other published key.
func swappedKID(t *JWT) {
	other := "ES256"
	if t.Alg == "ES256" {
		other = "RS256"
	}
	t.Header.Set("kid", t.SigningKey(other).ID)
}

func inventedKID(t *JWT) { t.Header.Set("kid", "invented-"+rand.Text()) }

func serialize(change func(header, payload, signature string) string) edit {
	return func(t *JWT) {
		t.Serialize = func(compact string) string {
			header, rest, _ := strings.Cut(compact, ".")
			payload, signature, _ := strings.Cut(rest, ".")
			return change(header, payload, signature)
		}
	}
}

// flip changes a character in the middle of a signature: all its bits are part of the
// signature.
func flip(header, payload, signature string) string {
	b := []byte(signature)
	if i := len(b) / 2; len(b) > 0 {
		if b[i] == 'A' {
			b[i] = 'B'
		} else {
			b[i] = 'A'
		}
	}
	return header + "." + payload + "." + string(b)
}

// altered changes the payload under a signature that was good.
func altered(header, payload, signature string) string {
	claims, err := base64.RawURLEncoding.DecodeString(payload)
	if err == nil {
		claims = append(claims, ' ')
	}
	return header + "." + base64.RawURLEncoding.EncodeToString(claims) + "." + signature
}

func withoutSignature(header, payload, _ string) string { return header + "." + payload + "." }

func twoParts(header, payload, _ string) string { return header + "." + payload }

func fourParts(header, payload, signature string) string {
	return header + "." + payload + "." + signature + "." + signature
}

// flattened and general are the JSON serializations of RFC 7515, 7.2.
func flattened(header, payload, signature string) string {
	return jsonText(Members{{"payload", payload}, {"protected", header}, {"signature", signature}})
}

func general(header, payload, signature string) string {
	return jsonText(Members{{"payload", payload}, {"signatures", []Members{
		{{"protected", header}, {"signature", signature}},
	}}})
}

// multiSignature puts a good signature beside a bad one: a reader that accepts any of
// them accepts the content.
func multiSignature(header, payload, signature string) string {
	return jsonText(Members{{"payload", payload}, {"signatures", []Members{
		{{"protected", base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))}, {"signature", ""}},
		{{"protected", header}, {"signature", signature}},
	}}})
}

func jsonText(m Members) string {
	b, err := json.Marshal(m)
	if err != nil {
		panic("agentconnecttest: strings that are not JSON: " + err.Error())
	}
	return string(b)
}

func payload(text string) edit { return func(t *JWT) { t.Payload = []byte(text) } }

// trailingPayload puts a second object after the claims.
func trailingPayload(t *JWT) { t.Payload = []byte(jsonText(t.Claims) + `{"sub":"somebody-else"}`) }
