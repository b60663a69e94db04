package agentconnecttest

import (
	"crypto"
	"crypto/x509"
	"strconv"
	"strings"
	"time"
)

// signedDefinitions are the faults that ID tokens and userinfo share. Their names begin
// with kind. bad is the verdict of those that are refused, and of tells which of the
// two tokens they change.
func signedDefinitions(kind string, bad verdict, of func(edit) Tamper) []definition {
	var all []definition
	for _, row := range []struct {
		name, effect string
		verdict      verdict
		algs         []string
		change       edit
	}{
		{"wrong-issuer", "iss is another issuer", bad, signedAlgs(), set("iss", stranger)},
		{"issuer-slash", "iss has a slash more", bad, signedAlgs(), func(t *JWT) { t.Claims.Set("iss", t.issuer+"/") }},
		{"missing-issuer", "no iss", bad, signedAlgs(), drop("iss")},
		{"issuer-array", "iss is an array", bad, signedAlgs(), func(t *JWT) { t.Claims.Set("iss", []string{t.issuer}) }},
		{"stranger-audience", "aud is another client", bad, signedAlgs(), set("aud", "another-client")},
		{"missing-audience", "no aud", bad, signedAlgs(), drop("aud")},
		{"empty-audience", "aud is an empty array", bad, signedAlgs(), set("aud", []string{})},
		{"audience-number", "aud is a number", bad, signedAlgs(), set("aud", 42)},
		{"audience-mixed", "aud has a number beside the client", bad, signedAlgs(), func(t *JWT) { t.Claims.Set("aud", []any{t.Client.ID, 42}) }},
		{"audience-array", "aud is an array of the client alone", allowed, signedAlgs(), audience(nil)},
		{"several-audiences", "aud has a stranger beside the client, no azp", bad, signedAlgs(), audience(nil, "another-client")},
		{"wrong-authorized-party", "aud has a stranger beside the client, who is azp", bad, signedAlgs(), audience(somebodyElse, "another-client")},
		{"right-authorized-party", "aud has a stranger beside the client, azp is the client", allowed, signedAlgs(), audience(ourselves, "another-client")},
		{"stranger-authorized-party", "aud is the client, azp a stranger", bad, signedAlgs(), set("azp", "another-client")},
		{"alg-none", "alg none, no signature", bad, signedAlgs(), unsigned("none")},
		{"alg-none-title", "alg None, no signature", bad, signedAlgs(), unsigned("None")},
		{"alg-none-upper", "alg NONE, no signature", bad, signedAlgs(), unsigned("NONE")},
		{"alg-none-mixed", "alg nOnE, no signature", bad, signedAlgs(), unsigned("nOnE")},
		{"alg-none-space", "alg none with a space, no signature", bad, signedAlgs(), unsigned("none ")},
		{"alg-empty", "alg empty, no signature", bad, signedAlgs(), unsigned("")},
		{"alg-none-signed", "alg none under a good signature", bad, signedAlgs(), header("alg", "none")},
		{"alg-missing", "no alg", bad, signedAlgs(), dropHeader("alg")},
		{"alg-lowercase", "alg in lower case", bad, signedAlgs(), func(t *JWT) { t.Header.Set("alg", strings.ToLower(t.Alg)) }},
		{"alg-number", "alg is a number", bad, signedAlgs(), header("alg", 256)},
		{"alg-repeated", "alg is repeated", bad, signedAlgs(), func(t *JWT) { t.Header.Add("alg", "none") }},
		{"other-algorithm", "signed with another algorithm than the registered one", bad, signedAlgs(), otherAlgorithm},
		{"hs256-public-pem", "HS256 keyed with the public key, in PEM", bad, publicAlgs(), hs256WithPublicKey(publicPEM)},
		{"hs256-public-der", "HS256 keyed with the public key, in DER", bad, publicAlgs(), hs256WithPublicKey(func(key crypto.PublicKey) ([]byte, error) { return x509.MarshalPKIXPublicKey(key) })},
		{"hs256-public-raw", "HS256 keyed with the modulus or the point of the public key", bad, publicAlgs(), hs256WithPublicKey(publicRaw)},
		{"hs256-secret", "HS256 keyed with the client secret, though a public key is registered", bad, publicAlgs(), hs256WithSecret},
		{"hs256-empty-secret", "HS256 keyed with nothing", bad, signedAlgs(), hs256WithoutSecret},
		{"hs256-wrong-secret", "HS256 keyed with another secret", bad, signedAlgs(), wrongSecret},
		{"expired", "exp was five minutes ago", bad, signedAlgs(), at("exp", -5*time.Minute)},
		{"just-expired", "exp was thirty seconds ago", allowed, signedAlgs(), at("exp", -30*time.Second)},
		{"exp-string", "exp is a string", bad, signedAlgs(), func(t *JWT) { t.Claims.Set("exp", strconv.FormatInt(t.Now.Add(time.Hour).Unix(), 10)) }},
		{"exp-null", "exp is null", bad, signedAlgs(), set("exp", nil)},
		{"exp-negative", "exp is negative", bad, signedAlgs(), set("exp", -1)},
		{"missing-iat", "no iat", bad, signedAlgs(), drop("iat")},
		{"future-iat", "iat is five minutes ahead", bad, signedAlgs(), at("iat", 5*time.Minute)},
		{"slightly-future-iat", "iat is thirty seconds ahead", allowed, signedAlgs(), at("iat", 30*time.Second)},
		{"iat-string", "iat is a string", bad, signedAlgs(), func(t *JWT) { t.Claims.Set("iat", strconv.FormatInt(t.Now.Unix(), 10)) }},
		{"future-nbf", "nbf is five minutes ahead", bad, signedAlgs(), at("nbf", 5*time.Minute)},
		{"slightly-future-nbf", "nbf is thirty seconds ahead", allowed, signedAlgs(), at("nbf", 30*time.Second)},
		{"nbf-string", "nbf is a string", bad, signedAlgs(), set("nbf", "0")},
		{"repeated-sub", "sub is repeated, the second one is somebody else", bad, nil, add("sub", "somebody-else")},
		{"repeated-sub-first", "sub is repeated, the first one is somebody else", bad, nil, addFirst("sub", "somebody-else")},
		{"repeated-sub-same", "sub is repeated with the same value", bad, nil, func(t *JWT) { t.Claims.Add("sub", t.Claims.Get("sub")) }},
		{"case-sub", "a claim Sub beside sub", bad, nil, add("Sub", "somebody-else")},
		{"case-sub-alone", "a claim SUB instead of sub", bad, nil, rename("sub", "SUB")},
		{"case-issuer", "a claim Iss beside iss", bad, signedAlgs(), add("Iss", stranger)},
		{"long-s-sub", "a claim ſub, with a long s, beside sub", bad, nil, add("ſub", "somebody-else")},
		{"unknown-claim", "a claim that nobody knows", allowed, nil, add("attacker.example/unknown", map[string]any{"a": 1})},
		{"payload-array", "the payload is an array", bad, signedAlgs(), payload(`[]`)},
		{"payload-null", "the payload is null", bad, signedAlgs(), payload(`null`)},
		{"payload-not-json", "the payload is not JSON", bad, signedAlgs(), payload(`sub=somebody`)},
		{"payload-trailing", "the payload is followed by another object", bad, signedAlgs(), trailingPayload},
		{"header-jwk", "signed by an attacker whose key is in the header (jwk)", bad, signedAlgs(), embedded("jwk", asJWK)},
		{"header-jku", "signed by an attacker whose keys the header points to (jku)", bad, signedAlgs(), embedded("jku", asURL(pathAttackerJWKS))},
		{"header-x5u", "signed by an attacker whose certificate the header points to (x5u)", bad, signedAlgs(), embedded("x5u", asURL(pathAttackerX5U))},
		{"header-x5c", "signed by an attacker whose certificate is in the header (x5c)", bad, signedAlgs(), embedded("x5c", asCertificate)},
		{"header-critical", "an extension nobody knows is critical (crit)", bad, signedAlgs(), critical},
		{"invented-kid", "kid is invented", bad, publicAlgs(), inventedKID},
		{"swapped-kid", "kid is that of the key of another type", bad, publicAlgs(), swappedKID},
		{"kid-number", "kid is a number", bad, signedAlgs(), header("kid", 1)},
		{"no-kid", "no kid", allowed, publicAlgs(), dropHeader("kid")},
		{"bad-signature", "the signature is damaged", bad, signedAlgs(), serialize(flip)},
		{"no-signature", "the signature is gone", bad, signedAlgs(), serialize(withoutSignature)},
		{"altered", "the payload was altered after it was signed", bad, signedAlgs(), serialize(altered)},
		{"unpublished-key", "signed with a key that is not published", bad, signedAlgs(), unpublishedKey},
		{"unpublished-key-no-kid", "signed with a key that is not published, no kid", bad, signedAlgs(), attackerWithoutKID},
		{"stolen-kid", "signed with a key that is not published, under the kid of one that is", bad, publicAlgs(), stolenKID},
		{"flattened-json", "flattened JSON serialization", bad, signedAlgs(), serialize(flattened)},
		{"general-json", "general JSON serialization", bad, signedAlgs(), serialize(general)},
		{"multi-signature", "general JSON serialization with two signatures, one of them good", bad, signedAlgs(), serialize(multiSignature)},
		{"two-parts", "two parts instead of three", bad, signedAlgs(), serialize(twoParts)},
		{"four-parts", "four parts instead of three", bad, signedAlgs(), serialize(fourParts)},
	} {
		all = append(all, definition{kind + "-" + row.name, row.effect, row.verdict, row.algs, false, of(row.change)})
	}
	return all
}
