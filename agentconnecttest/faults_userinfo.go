package agentconnecttest

import (
	"crypto"
	"crypto/x509"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Faults of userinfo, when it is a signed token or, where that means something, plain
// JSON.
const (
	UserinfoWrongIssuer             Fault = "userinfo: iss is another issuer"
	UserinfoIssuerSlash             Fault = "userinfo: iss has a slash more"
	UserinfoMissingIssuer           Fault = "userinfo: no iss"
	UserinfoIssuerArray             Fault = "userinfo: iss is an array"
	UserinfoStrangerAudience        Fault = "userinfo: aud is another client"
	UserinfoMissingAudience         Fault = "userinfo: no aud"
	UserinfoEmptyAudience           Fault = "userinfo: aud is an empty array"
	UserinfoAudienceNumber          Fault = "userinfo: aud is a number"
	UserinfoAudienceMixed           Fault = "userinfo: aud has a number beside the client"
	UserinfoAudienceArray           Fault = "userinfo: aud is an array of the client alone"
	UserinfoSeveralAudiences        Fault = "userinfo: aud has a stranger beside the client, no azp"
	UserinfoWrongAuthorizedParty    Fault = "userinfo: aud has a stranger beside the client, who is azp"
	UserinfoRightAuthorizedParty    Fault = "userinfo: aud has a stranger beside the client, azp is the client"
	UserinfoStrangerAuthorizedParty Fault = "userinfo: aud is the client, azp a stranger"
	UserinfoAlgNone                 Fault = "userinfo: alg none, no signature"
	UserinfoAlgNoneTitle            Fault = "userinfo: alg None, no signature"
	UserinfoAlgNoneUpper            Fault = "userinfo: alg NONE, no signature"
	UserinfoAlgNoneMixed            Fault = "userinfo: alg nOnE, no signature"
	UserinfoAlgNoneSpace            Fault = "userinfo: alg none with a space, no signature"
	UserinfoAlgEmpty                Fault = "userinfo: alg empty, no signature"
	UserinfoAlgNoneSigned           Fault = "userinfo: alg none under a good signature"
	UserinfoAlgMissing              Fault = "userinfo: no alg"
	UserinfoAlgLowercase            Fault = "userinfo: alg in lower case"
	UserinfoAlgNumber               Fault = "userinfo: alg is a number"
	UserinfoAlgRepeated             Fault = "userinfo: alg is repeated"
	UserinfoOtherAlgorithm          Fault = "userinfo: signed with another algorithm than the registered one"
	UserinfoHS256PublicPEM          Fault = "userinfo: HS256 keyed with the public key, in PEM"
	UserinfoHS256PublicDER          Fault = "userinfo: HS256 keyed with the public key, in DER"
	UserinfoHS256PublicRaw          Fault = "userinfo: HS256 keyed with the modulus or the point of the public key"
	UserinfoHS256Secret             Fault = "userinfo: HS256 keyed with the client secret, though a public key is registered"
	UserinfoHS256EmptySecret        Fault = "userinfo: HS256 keyed with nothing"
	UserinfoHS256WrongSecret        Fault = "userinfo: HS256 keyed with another secret"
	UserinfoExpired                 Fault = "userinfo: exp was five minutes ago"
	UserinfoJustExpired             Fault = "userinfo: exp was thirty seconds ago"
	UserinfoExpString               Fault = "userinfo: exp is a string"
	UserinfoExpNull                 Fault = "userinfo: exp is null"
	UserinfoExpNegative             Fault = "userinfo: exp is negative"
	UserinfoMissingIAT              Fault = "userinfo: no iat"
	UserinfoFutureIAT               Fault = "userinfo: iat is five minutes ahead"
	UserinfoSlightlyFutureIAT       Fault = "userinfo: iat is thirty seconds ahead"
	UserinfoIATString               Fault = "userinfo: iat is a string"
	UserinfoFutureNBF               Fault = "userinfo: nbf is five minutes ahead"
	UserinfoSlightlyFutureNBF       Fault = "userinfo: nbf is thirty seconds ahead"
	UserinfoNBFString               Fault = "userinfo: nbf is a string"
	UserinfoRepeatedSub             Fault = "userinfo: sub is repeated, the second one is somebody else"
	UserinfoRepeatedSubFirst        Fault = "userinfo: sub is repeated, the first one is somebody else"
	UserinfoRepeatedSubSame         Fault = "userinfo: sub is repeated with the same value"
	UserinfoCaseSub                 Fault = "userinfo: a claim Sub beside sub"
	UserinfoCaseSubAlone            Fault = "userinfo: a claim SUB instead of sub"
	UserinfoCaseIssuer              Fault = "userinfo: a claim Iss beside iss"
	UserinfoLongSSub                Fault = "userinfo: a claim ſub, with a long s, beside sub"
	UserinfoUnknownClaim            Fault = "userinfo: a claim that nobody knows"
	UserinfoPayloadArray            Fault = "userinfo: the payload is an array"
	UserinfoPayloadNull             Fault = "userinfo: the payload is null"
	UserinfoPayloadNotJSON          Fault = "userinfo: the payload is not JSON"
	UserinfoPayloadTrailing         Fault = "userinfo: the payload is followed by another object"
	UserinfoHeaderJWK               Fault = "userinfo: signed by an attacker whose key is in the header (jwk)"
	UserinfoHeaderJKU               Fault = "userinfo: signed by an attacker whose keys the header points to (jku)"
	UserinfoHeaderX5U               Fault = "userinfo: signed by an attacker whose certificate the header points to (x5u)"
	UserinfoHeaderX5C               Fault = "userinfo: signed by an attacker whose certificate is in the header (x5c)"
	UserinfoHeaderCritical          Fault = "userinfo: an extension nobody knows is critical (crit)"
	UserinfoInventedKID             Fault = "userinfo: kid is invented"
	UserinfoSwappedKID              Fault = "userinfo: kid is that of the key of another type"
	UserinfoKIDNumber               Fault = "userinfo: kid is a number"
	UserinfoNoKID                   Fault = "userinfo: no kid"
	UserinfoBadSignature            Fault = "userinfo: the signature is damaged"
	UserinfoNoSignature             Fault = "userinfo: the signature is gone"
	UserinfoAltered                 Fault = "userinfo: the payload was altered after it was signed"
	UserinfoUnpublishedKey          Fault = "userinfo: signed with a key that is not published"
	UserinfoUnpublishedKeyNoKID     Fault = "userinfo: signed with a key that is not published, no kid"
	UserinfoStolenKID               Fault = "userinfo: signed with a key that is not published, under the kid of one that is"
	UserinfoFlattenedJSON           Fault = "userinfo: flattened JSON serialization"
	UserinfoGeneralJSON             Fault = "userinfo: general JSON serialization"
	UserinfoMultiSignature          Fault = "userinfo: general JSON serialization with two signatures, one of them good"
	UserinfoTwoParts                Fault = "userinfo: two parts instead of three"
	UserinfoFourParts               Fault = "userinfo: four parts instead of three"
	UserinfoMissingExp              Fault = "userinfo: no exp"
	UserinfoOtherSub                Fault = "userinfo: sub is somebody else"
	UserinfoMissingSub              Fault = "userinfo: no sub"
	UserinfoEmptySub                Fault = "userinfo: sub is empty"
	UserinfoSubNumber               Fault = "userinfo: sub is a number"
	UserinfoSubNull                 Fault = "userinfo: sub is null"
	UserinfoPlainJSON               Fault = "userinfo: plain JSON although a signature is registered"
	UserinfoPlainJSONAsJWT          Fault = "userinfo: plain JSON in a type that says JWT"
	UserinfoSigned                  Fault = "userinfo: signed although plain JSON is registered"
	UserinfoIsIDToken               Fault = "userinfo: the ID token instead of userinfo"
	UserinfoNullText                Fault = "userinfo: every optional text is null"
	UserinfoOnlySub                 Fault = "userinfo: nothing but sub"
	UserinfoOddContentType          Fault = "userinfo: content type in odd case"
	UserinfoJSONContentType         Fault = "userinfo: a JWT in a type that says JSON"
	UserinfoTextContentType         Fault = "userinfo: a type that says text"
	UserinfoNoContentType           Fault = "userinfo: no content type"
	UserinfoUnauthorized            Fault = "userinfo: 401, as after a logout elsewhere"
)

func userinfoDefinitions() []definition {
	return []definition{
		{UserinfoWrongIssuer, refused, signedAlgs(), false, Tamper{Userinfo: set("iss", stranger)}},
		{UserinfoIssuerSlash, refused, signedAlgs(), false, Tamper{Userinfo: func(t *JWT) { t.Claims.Set("iss", t.issuer+"/") }}},
		{UserinfoMissingIssuer, refused, signedAlgs(), false, Tamper{Userinfo: drop("iss")}},
		{UserinfoIssuerArray, refused, signedAlgs(), false, Tamper{Userinfo: func(t *JWT) { t.Claims.Set("iss", []string{t.issuer}) }}},
		{UserinfoStrangerAudience, refused, signedAlgs(), false, Tamper{Userinfo: set("aud", "another-client")}},
		{UserinfoMissingAudience, refused, signedAlgs(), false, Tamper{Userinfo: drop("aud")}},
		{UserinfoEmptyAudience, refused, signedAlgs(), false, Tamper{Userinfo: set("aud", []string{})}},
		{UserinfoAudienceNumber, refused, signedAlgs(), false, Tamper{Userinfo: set("aud", 42)}},
		{UserinfoAudienceMixed, refused, signedAlgs(), false, Tamper{Userinfo: func(t *JWT) { t.Claims.Set("aud", []any{t.Client.ID, 42}) }}},
		{UserinfoAudienceArray, allowed, signedAlgs(), false, Tamper{Userinfo: audience(nil)}},
		{UserinfoSeveralAudiences, refused, signedAlgs(), false, Tamper{Userinfo: audience(nil, "another-client")}},
		{UserinfoWrongAuthorizedParty, refused, signedAlgs(), false, Tamper{Userinfo: audience(somebodyElse, "another-client")}},
		{UserinfoRightAuthorizedParty, allowed, signedAlgs(), false, Tamper{Userinfo: audience(ourselves, "another-client")}},
		{UserinfoStrangerAuthorizedParty, refused, signedAlgs(), false, Tamper{Userinfo: set("azp", "another-client")}},
		{UserinfoAlgNone, refused, signedAlgs(), false, Tamper{Userinfo: unsigned("none")}},
		{UserinfoAlgNoneTitle, refused, signedAlgs(), false, Tamper{Userinfo: unsigned("None")}},
		{UserinfoAlgNoneUpper, refused, signedAlgs(), false, Tamper{Userinfo: unsigned("NONE")}},
		{UserinfoAlgNoneMixed, refused, signedAlgs(), false, Tamper{Userinfo: unsigned("nOnE")}},
		{UserinfoAlgNoneSpace, refused, signedAlgs(), false, Tamper{Userinfo: unsigned("none ")}},
		{UserinfoAlgEmpty, refused, signedAlgs(), false, Tamper{Userinfo: unsigned("")}},
		{UserinfoAlgNoneSigned, refused, signedAlgs(), false, Tamper{Userinfo: header("alg", "none")}},
		{UserinfoAlgMissing, refused, signedAlgs(), false, Tamper{Userinfo: dropHeader("alg")}},
		{UserinfoAlgLowercase, refused, signedAlgs(), false, Tamper{Userinfo: func(t *JWT) { t.Header.Set("alg", strings.ToLower(t.Alg)) }}},
		{UserinfoAlgNumber, refused, signedAlgs(), false, Tamper{Userinfo: header("alg", 256)}},
		{UserinfoAlgRepeated, refused, signedAlgs(), false, Tamper{Userinfo: func(t *JWT) { t.Header.Add("alg", "none") }}},
		{UserinfoOtherAlgorithm, refused, signedAlgs(), false, Tamper{Userinfo: otherAlgorithm}},
		{UserinfoHS256PublicPEM, refused, publicAlgs(), false, Tamper{Userinfo: hs256WithPublicKey(publicPEM)}},
		{UserinfoHS256PublicDER, refused, publicAlgs(), false, Tamper{Userinfo: hs256WithPublicKey(func(key crypto.PublicKey) ([]byte, error) { return x509.MarshalPKIXPublicKey(key) })}},
		{UserinfoHS256PublicRaw, refused, publicAlgs(), false, Tamper{Userinfo: hs256WithPublicKey(publicRaw)}},
		{UserinfoHS256Secret, refused, publicAlgs(), false, Tamper{Userinfo: hs256WithSecret}},
		{UserinfoHS256EmptySecret, refused, signedAlgs(), false, Tamper{Userinfo: hs256WithoutSecret}},
		{UserinfoHS256WrongSecret, refused, signedAlgs(), false, Tamper{Userinfo: wrongSecret}},
		{UserinfoExpired, refused, signedAlgs(), false, Tamper{Userinfo: at("exp", -5*time.Minute)}},
		{UserinfoJustExpired, allowed, signedAlgs(), false, Tamper{Userinfo: at("exp", -30*time.Second)}},
		{UserinfoExpString, refused, signedAlgs(), false, Tamper{Userinfo: func(t *JWT) { t.Claims.Set("exp", strconv.FormatInt(t.Now.Add(time.Hour).Unix(), 10)) }}},
		{UserinfoExpNull, refused, signedAlgs(), false, Tamper{Userinfo: set("exp", nil)}},
		{UserinfoExpNegative, refused, signedAlgs(), false, Tamper{Userinfo: set("exp", -1)}},
		{UserinfoMissingIAT, refused, signedAlgs(), false, Tamper{Userinfo: drop("iat")}},
		{UserinfoFutureIAT, refused, signedAlgs(), false, Tamper{Userinfo: at("iat", 5*time.Minute)}},
		{UserinfoSlightlyFutureIAT, allowed, signedAlgs(), false, Tamper{Userinfo: at("iat", 30*time.Second)}},
		{UserinfoIATString, refused, signedAlgs(), false, Tamper{Userinfo: func(t *JWT) { t.Claims.Set("iat", strconv.FormatInt(t.Now.Unix(), 10)) }}},
		{UserinfoFutureNBF, refused, signedAlgs(), false, Tamper{Userinfo: at("nbf", 5*time.Minute)}},
		{UserinfoSlightlyFutureNBF, allowed, signedAlgs(), false, Tamper{Userinfo: at("nbf", 30*time.Second)}},
		{UserinfoNBFString, refused, signedAlgs(), false, Tamper{Userinfo: set("nbf", "0")}},
		{UserinfoRepeatedSub, refused, nil, false, Tamper{Userinfo: add("sub", "somebody-else")}},
		{UserinfoRepeatedSubFirst, refused, nil, false, Tamper{Userinfo: addFirst("sub", "somebody-else")}},
		{UserinfoRepeatedSubSame, refused, nil, false, Tamper{Userinfo: func(t *JWT) { t.Claims.Add("sub", t.Claims.Get("sub")) }}},
		{UserinfoCaseSub, refused, nil, false, Tamper{Userinfo: add("Sub", "somebody-else")}},
		{UserinfoCaseSubAlone, refused, nil, false, Tamper{Userinfo: rename("sub", "SUB")}},
		{UserinfoCaseIssuer, refused, signedAlgs(), false, Tamper{Userinfo: add("Iss", stranger)}},
		{UserinfoLongSSub, refused, nil, false, Tamper{Userinfo: add("ſub", "somebody-else")}},
		{UserinfoUnknownClaim, allowed, nil, false, Tamper{Userinfo: add("attacker.example/unknown", map[string]any{"a": 1})}},
		{UserinfoPayloadArray, refused, signedAlgs(), false, Tamper{Userinfo: payload(`[]`)}},
		{UserinfoPayloadNull, refused, signedAlgs(), false, Tamper{Userinfo: payload(`null`)}},
		{UserinfoPayloadNotJSON, refused, signedAlgs(), false, Tamper{Userinfo: payload(`sub=somebody`)}},
		{UserinfoPayloadTrailing, refused, signedAlgs(), false, Tamper{Userinfo: trailingPayload}},
		{UserinfoHeaderJWK, refused, signedAlgs(), false, Tamper{Userinfo: embedded("jwk", asJWK)}},
		{UserinfoHeaderJKU, refused, signedAlgs(), false, Tamper{Userinfo: embedded("jku", asURL(pathAttackerJWKS))}},
		{UserinfoHeaderX5U, refused, signedAlgs(), false, Tamper{Userinfo: embedded("x5u", asURL(pathAttackerX5U))}},
		{UserinfoHeaderX5C, refused, signedAlgs(), false, Tamper{Userinfo: embedded("x5c", asCertificate)}},
		{UserinfoHeaderCritical, refused, signedAlgs(), false, Tamper{Userinfo: critical}},
		{UserinfoInventedKID, refused, publicAlgs(), false, Tamper{Userinfo: inventedKID}},
		{UserinfoSwappedKID, refused, publicAlgs(), false, Tamper{Userinfo: swappedKID}},
		{UserinfoKIDNumber, refused, signedAlgs(), false, Tamper{Userinfo: header("kid", 1)}},
		{UserinfoNoKID, allowed, publicAlgs(), false, Tamper{Userinfo: dropHeader("kid")}},
		{UserinfoBadSignature, refused, signedAlgs(), false, Tamper{Userinfo: serialize(flip)}},
		{UserinfoNoSignature, refused, signedAlgs(), false, Tamper{Userinfo: serialize(withoutSignature)}},
		{UserinfoAltered, refused, signedAlgs(), false, Tamper{Userinfo: serialize(altered)}},
		{UserinfoUnpublishedKey, refused, signedAlgs(), false, Tamper{Userinfo: unpublishedKey}},
		{UserinfoUnpublishedKeyNoKID, refused, signedAlgs(), false, Tamper{Userinfo: attackerWithoutKID}},
		{UserinfoStolenKID, refused, publicAlgs(), false, Tamper{Userinfo: stolenKID}},
		{UserinfoFlattenedJSON, refused, signedAlgs(), false, Tamper{Userinfo: serialize(flattened)}},
		{UserinfoGeneralJSON, refused, signedAlgs(), false, Tamper{Userinfo: serialize(general)}},
		{UserinfoMultiSignature, refused, signedAlgs(), false, Tamper{Userinfo: serialize(multiSignature)}},
		{UserinfoTwoParts, refused, signedAlgs(), false, Tamper{Userinfo: serialize(twoParts)}},
		{UserinfoFourParts, refused, signedAlgs(), false, Tamper{Userinfo: serialize(fourParts)}},
		{UserinfoMissingExp, allowed, signedAlgs(), false, Tamper{Userinfo: drop("exp")}},
		{UserinfoOtherSub, refused, nil, false, Tamper{Userinfo: set("sub", "somebody-else")}},
		{UserinfoMissingSub, refused, nil, false, Tamper{Userinfo: drop("sub")}},
		{UserinfoEmptySub, refused, nil, false, Tamper{Userinfo: set("sub", "")}},
		{UserinfoSubNumber, refused, nil, false, Tamper{Userinfo: set("sub", 42)}},
		{UserinfoSubNull, refused, nil, false, Tamper{Userinfo: set("sub", nil)}},
		{UserinfoPlainJSON, refused, signedAlgs(), false, Tamper{Userinfo: func(t *JWT) { t.Plain = true }}},
		{UserinfoPlainJSONAsJWT, refused, signedAlgs(), false, Tamper{Userinfo: func(t *JWT) { t.Serialize = func(string) string { return jsonText(t.Claims) } }}},
		{UserinfoSigned, refused, []string{"none"}, false, Tamper{Userinfo: func(t *JWT) { t.Plain = false; t.SignWith(t.SigningKey("RS256")) }}},
		{UserinfoIsIDToken, refused, signedAlgs(), false, Tamper{Userinfo: func(t *JWT) { t.Serialize = func(string) string { return t.IDToken } }}},
		{UserinfoNullText, allowed, nil, false, Tamper{Userinfo: nullText}},
		{UserinfoOnlySub, allowed, nil, false, Tamper{Userinfo: onlySub}},
		{UserinfoOddContentType, allowed, nil, false, Tamper{Endpoint: Userinfo, Answer: func(a *Answer) { a.Header.Set("Content-Type", oddCase(a.Header.Get("Content-Type"))) }}},
		{UserinfoJSONContentType, refused, signedAlgs(), false, Tamper{Endpoint: Userinfo, Answer: func(a *Answer) { a.Header.Set("Content-Type", "application/json") }}},
		{UserinfoTextContentType, refused, nil, false, Tamper{Endpoint: Userinfo, Answer: func(a *Answer) { a.Header.Set("Content-Type", "text/plain") }}},
		{UserinfoNoContentType, refused, nil, false, Tamper{Endpoint: Userinfo, Answer: func(a *Answer) { a.Header["Content-Type"] = nil }}},
		{UserinfoUnauthorized, refused, nil, false, Tamper{Endpoint: Userinfo, Answer: unauthorized}},
	}
}

// oddCase alternates capitals and small letters: types are compared without case
// (RFC 9110, 8.3.1).
func oddCase(s string) string {
	upper := false
	return strings.Map(func(r rune) rune {
		upper = !upper
		if upper {
			return unicode.ToUpper(r)
		}
		return unicode.ToLower(r)
	}, s)
}

func unauthorized(a *Answer) {
	a.Header.Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	a.oauthError(http.StatusUnauthorized, "invalid_token", "invalid token provided")
}

func nullText(t *JWT) {
	for _, name := range []string{"phone_number", "organizational_unit", "belonging_population", "organization_label", "chorusdt:matricule", "chorusdt:societe"} {
		t.Claims.Set(name, nil)
	}
}

func onlySub(t *JWT) {
	for _, name := range claimsOf(SupportedScopes()[1:]) {
		t.Claims.Delete(name)
	}
}
