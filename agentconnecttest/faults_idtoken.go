package agentconnecttest

import (
	"crypto"
	"crypto/x509"
	"strconv"
	"strings"
	"time"
)

// Faults of ID tokens.
const (
	IDTokenWrongIssuer             Fault = "ID token: iss is another issuer"
	IDTokenIssuerSlash             Fault = "ID token: iss has a slash more"
	IDTokenMissingIssuer           Fault = "ID token: no iss"
	IDTokenIssuerArray             Fault = "ID token: iss is an array"
	IDTokenStrangerAudience        Fault = "ID token: aud is another client"
	IDTokenMissingAudience         Fault = "ID token: no aud"
	IDTokenEmptyAudience           Fault = "ID token: aud is an empty array"
	IDTokenAudienceNumber          Fault = "ID token: aud is a number"
	IDTokenAudienceMixed           Fault = "ID token: aud has a number beside the client"
	IDTokenAudienceArray           Fault = "ID token: aud is an array of the client alone"
	IDTokenSeveralAudiences        Fault = "ID token: aud has a stranger beside the client, no azp"
	IDTokenWrongAuthorizedParty    Fault = "ID token: aud has a stranger beside the client, who is azp"
	IDTokenRightAuthorizedParty    Fault = "ID token: aud has a stranger beside the client, azp is the client"
	IDTokenStrangerAuthorizedParty Fault = "ID token: aud is the client, azp a stranger"
	IDTokenAlgNone                 Fault = "ID token: alg none, no signature"
	IDTokenAlgNoneTitle            Fault = "ID token: alg None, no signature"
	IDTokenAlgNoneUpper            Fault = "ID token: alg NONE, no signature"
	IDTokenAlgNoneMixed            Fault = "ID token: alg nOnE, no signature"
	IDTokenAlgNoneSpace            Fault = "ID token: alg none with a space, no signature"
	IDTokenAlgEmpty                Fault = "ID token: alg empty, no signature"
	IDTokenAlgNoneSigned           Fault = "ID token: alg none under a good signature"
	IDTokenAlgMissing              Fault = "ID token: no alg"
	IDTokenAlgLowercase            Fault = "ID token: alg in lower case"
	IDTokenAlgNumber               Fault = "ID token: alg is a number"
	IDTokenAlgRepeated             Fault = "ID token: alg is repeated"
	IDTokenOtherAlgorithm          Fault = "ID token: signed with another algorithm than the registered one"
	IDTokenHS256PublicPEM          Fault = "ID token: HS256 keyed with the public key, in PEM"
	IDTokenHS256PublicDER          Fault = "ID token: HS256 keyed with the public key, in DER"
	IDTokenHS256PublicRaw          Fault = "ID token: HS256 keyed with the modulus or the point of the public key"
	IDTokenHS256Secret             Fault = "ID token: HS256 keyed with the client secret, though a public key is registered"
	IDTokenHS256EmptySecret        Fault = "ID token: HS256 keyed with nothing"
	IDTokenHS256WrongSecret        Fault = "ID token: HS256 keyed with another secret"
	IDTokenExpired                 Fault = "ID token: exp was five minutes ago"
	IDTokenJustExpired             Fault = "ID token: exp was thirty seconds ago"
	IDTokenExpString               Fault = "ID token: exp is a string"
	IDTokenExpNull                 Fault = "ID token: exp is null"
	IDTokenExpNegative             Fault = "ID token: exp is negative"
	IDTokenMissingIAT              Fault = "ID token: no iat"
	IDTokenFutureIAT               Fault = "ID token: iat is five minutes ahead"
	IDTokenSlightlyFutureIAT       Fault = "ID token: iat is thirty seconds ahead"
	IDTokenIATString               Fault = "ID token: iat is a string"
	IDTokenFutureNBF               Fault = "ID token: nbf is five minutes ahead"
	IDTokenSlightlyFutureNBF       Fault = "ID token: nbf is thirty seconds ahead"
	IDTokenNBFString               Fault = "ID token: nbf is a string"
	IDTokenRepeatedSub             Fault = "ID token: sub is repeated, the second one is somebody else"
	IDTokenRepeatedSubFirst        Fault = "ID token: sub is repeated, the first one is somebody else"
	IDTokenRepeatedSubSame         Fault = "ID token: sub is repeated with the same value"
	IDTokenCaseSub                 Fault = "ID token: a claim Sub beside sub"
	IDTokenCaseSubAlone            Fault = "ID token: a claim SUB instead of sub"
	IDTokenCaseIssuer              Fault = "ID token: a claim Iss beside iss"
	IDTokenLongSSub                Fault = "ID token: a claim ſub, with a long s, beside sub"
	IDTokenUnknownClaim            Fault = "ID token: a claim that nobody knows"
	IDTokenPayloadArray            Fault = "ID token: the payload is an array"
	IDTokenPayloadNull             Fault = "ID token: the payload is null"
	IDTokenPayloadNotJSON          Fault = "ID token: the payload is not JSON"
	IDTokenPayloadTrailing         Fault = "ID token: the payload is followed by another object"
	IDTokenHeaderJWK               Fault = "ID token: signed by an attacker whose key is in the header (jwk)"
	IDTokenHeaderJKU               Fault = "ID token: signed by an attacker whose keys the header points to (jku)"
	IDTokenHeaderX5U               Fault = "ID token: signed by an attacker whose certificate the header points to (x5u)"
	IDTokenHeaderX5C               Fault = "ID token: signed by an attacker whose certificate is in the header (x5c)"
	IDTokenHeaderCritical          Fault = "ID token: an extension nobody knows is critical (crit)"
	IDTokenInventedKID             Fault = "ID token: kid is invented"
	IDTokenSwappedKID              Fault = "ID token: kid is that of the key of another type"
	IDTokenKIDNumber               Fault = "ID token: kid is a number"
	IDTokenNoKID                   Fault = "ID token: no kid"
	IDTokenBadSignature            Fault = "ID token: the signature is damaged"
	IDTokenNoSignature             Fault = "ID token: the signature is gone"
	IDTokenAltered                 Fault = "ID token: the payload was altered after it was signed"
	IDTokenUnpublishedKey          Fault = "ID token: signed with a key that is not published"
	IDTokenUnpublishedKeyNoKID     Fault = "ID token: signed with a key that is not published, no kid"
	IDTokenStolenKID               Fault = "ID token: signed with a key that is not published, under the kid of one that is"
	IDTokenFlattenedJSON           Fault = "ID token: flattened JSON serialization"
	IDTokenGeneralJSON             Fault = "ID token: general JSON serialization"
	IDTokenMultiSignature          Fault = "ID token: general JSON serialization with two signatures, one of them good"
	IDTokenTwoParts                Fault = "ID token: two parts instead of three"
	IDTokenFourParts               Fault = "ID token: four parts instead of three"
)

// Faults of what userinfo does not have. The last one leaves logins alone: it is the
// refresh that must be refused.
const (
	IDTokenMissingExp        Fault = "ID token: no exp"
	IDTokenWrongNonce        Fault = "ID token: nonce is another one"
	IDTokenMissingNonce      Fault = "ID token: no nonce"
	IDTokenEmptyNonce        Fault = "ID token: nonce is empty"
	IDTokenNonceNumber       Fault = "ID token: nonce is a number"
	IDTokenNonceArray        Fault = "ID token: nonce is an array of the right one"
	IDTokenRepeatedNonce     Fault = "ID token: nonce is repeated, the first one is another"
	IDTokenWrongAtHash       Fault = "ID token: at_hash is that of another access token"
	IDTokenEmptyAtHash       Fault = "ID token: at_hash is empty"
	IDTokenAtHashNumber      Fault = "ID token: at_hash is a number"
	IDTokenMissingAtHash     Fault = "ID token: no at_hash"
	IDTokenCaseNonce         Fault = "ID token: a claim Nonce beside nonce"
	IDTokenHuge              Fault = "ID token: four megabytes"
	IDTokenAsUserinfo        Fault = "ID token: userinfo instead of the ID token"
	IDTokenOtherSubOnRefresh Fault = "ID token: sub is somebody else at a refresh"
)

// Faults of the subject: userinfo has the same one, so that only the value is at
// fault and not a difference.
const (
	IDTokenEmptySub   Fault = "ID token: sub is empty"
	IDTokenMissingSub Fault = "ID token: no sub"
	IDTokenLongSub    Fault = "ID token: sub has 256 bytes"
	IDTokenSub255     Fault = "ID token: sub has 255 bytes"
	IDTokenSubNumber  Fault = "ID token: sub is a number"
	IDTokenSubNull    Fault = "ID token: sub is null"
	IDTokenSubArray   Fault = "ID token: sub is an array"
)

// Faults of the acr, which matter to applications that demand one.
const (
	IDTokenMissingACR        Fault = "ID token: no acr although it was asked for"
	IDTokenWeakACR           Fault = "ID token: acr is eidas0, less than anybody demands"
	IDTokenUnknownACR        Fault = "ID token: acr is a value nobody knows"
	IDTokenUppercaseACR      Fault = "ID token: acr is in upper case"
	IDTokenPaddedACR         Fault = "ID token: acr has a space at its end"
	IDTokenSeveralACRs       Fault = "ID token: acr is a list in a string"
	IDTokenEmptyACR          Fault = "ID token: acr is empty"
	IDTokenACRArray          Fault = "ID token: acr is an array"
	IDTokenACRNull           Fault = "ID token: acr is null"
	IDTokenCaseACR           Fault = "ID token: a claim ACR beside acr"
	IDTokenACROnlyInUserinfo Fault = "ID token: acr is in userinfo only"
)

func idTokenDefinitions() []definition {
	return []definition{
		{IDTokenWrongIssuer, refused, signedAlgs(), false, Tamper{IDToken: set("iss", stranger)}},
		{IDTokenIssuerSlash, refused, signedAlgs(), false, Tamper{IDToken: func(t *JWT) { t.Claims.Set("iss", t.issuer+"/") }}},
		{IDTokenMissingIssuer, refused, signedAlgs(), false, Tamper{IDToken: drop("iss")}},
		{IDTokenIssuerArray, refused, signedAlgs(), false, Tamper{IDToken: func(t *JWT) { t.Claims.Set("iss", []string{t.issuer}) }}},
		{IDTokenStrangerAudience, refused, signedAlgs(), false, Tamper{IDToken: set("aud", "another-client")}},
		{IDTokenMissingAudience, refused, signedAlgs(), false, Tamper{IDToken: drop("aud")}},
		{IDTokenEmptyAudience, refused, signedAlgs(), false, Tamper{IDToken: set("aud", []string{})}},
		{IDTokenAudienceNumber, refused, signedAlgs(), false, Tamper{IDToken: set("aud", 42)}},
		{IDTokenAudienceMixed, refused, signedAlgs(), false, Tamper{IDToken: func(t *JWT) { t.Claims.Set("aud", []any{t.Client.ID, 42}) }}},
		{IDTokenAudienceArray, allowed, signedAlgs(), false, Tamper{IDToken: audience(nil)}},
		{IDTokenSeveralAudiences, refused, signedAlgs(), false, Tamper{IDToken: audience(nil, "another-client")}},
		{IDTokenWrongAuthorizedParty, refused, signedAlgs(), false, Tamper{IDToken: audience(somebodyElse, "another-client")}},
		{IDTokenRightAuthorizedParty, allowed, signedAlgs(), false, Tamper{IDToken: audience(ourselves, "another-client")}},
		{IDTokenStrangerAuthorizedParty, refused, signedAlgs(), false, Tamper{IDToken: set("azp", "another-client")}},
		{IDTokenAlgNone, refused, signedAlgs(), false, Tamper{IDToken: unsigned("none")}},
		{IDTokenAlgNoneTitle, refused, signedAlgs(), false, Tamper{IDToken: unsigned("None")}},
		{IDTokenAlgNoneUpper, refused, signedAlgs(), false, Tamper{IDToken: unsigned("NONE")}},
		{IDTokenAlgNoneMixed, refused, signedAlgs(), false, Tamper{IDToken: unsigned("nOnE")}},
		{IDTokenAlgNoneSpace, refused, signedAlgs(), false, Tamper{IDToken: unsigned("none ")}},
		{IDTokenAlgEmpty, refused, signedAlgs(), false, Tamper{IDToken: unsigned("")}},
		{IDTokenAlgNoneSigned, refused, signedAlgs(), false, Tamper{IDToken: header("alg", "none")}},
		{IDTokenAlgMissing, refused, signedAlgs(), false, Tamper{IDToken: dropHeader("alg")}},
		{IDTokenAlgLowercase, refused, signedAlgs(), false, Tamper{IDToken: func(t *JWT) { t.Header.Set("alg", strings.ToLower(t.Alg)) }}},
		{IDTokenAlgNumber, refused, signedAlgs(), false, Tamper{IDToken: header("alg", 256)}},
		{IDTokenAlgRepeated, refused, signedAlgs(), false, Tamper{IDToken: func(t *JWT) { t.Header.Add("alg", "none") }}},
		{IDTokenOtherAlgorithm, refused, signedAlgs(), false, Tamper{IDToken: otherAlgorithm}},
		{IDTokenHS256PublicPEM, refused, publicAlgs(), false, Tamper{IDToken: hs256WithPublicKey(publicPEM)}},
		{IDTokenHS256PublicDER, refused, publicAlgs(), false, Tamper{IDToken: hs256WithPublicKey(func(key crypto.PublicKey) ([]byte, error) { return x509.MarshalPKIXPublicKey(key) })}},
		{IDTokenHS256PublicRaw, refused, publicAlgs(), false, Tamper{IDToken: hs256WithPublicKey(publicRaw)}},
		{IDTokenHS256Secret, refused, publicAlgs(), false, Tamper{IDToken: hs256WithSecret}},
		{IDTokenHS256EmptySecret, refused, signedAlgs(), false, Tamper{IDToken: hs256WithoutSecret}},
		{IDTokenHS256WrongSecret, refused, signedAlgs(), false, Tamper{IDToken: wrongSecret}},
		{IDTokenExpired, refused, signedAlgs(), false, Tamper{IDToken: at("exp", -5*time.Minute)}},
		{IDTokenJustExpired, allowed, signedAlgs(), false, Tamper{IDToken: at("exp", -30*time.Second)}},
		{IDTokenExpString, refused, signedAlgs(), false, Tamper{IDToken: func(t *JWT) { t.Claims.Set("exp", strconv.FormatInt(t.Now.Add(time.Hour).Unix(), 10)) }}},
		{IDTokenExpNull, refused, signedAlgs(), false, Tamper{IDToken: set("exp", nil)}},
		{IDTokenExpNegative, refused, signedAlgs(), false, Tamper{IDToken: set("exp", -1)}},
		{IDTokenMissingIAT, refused, signedAlgs(), false, Tamper{IDToken: drop("iat")}},
		{IDTokenFutureIAT, refused, signedAlgs(), false, Tamper{IDToken: at("iat", 5*time.Minute)}},
		{IDTokenSlightlyFutureIAT, allowed, signedAlgs(), false, Tamper{IDToken: at("iat", 30*time.Second)}},
		{IDTokenIATString, refused, signedAlgs(), false, Tamper{IDToken: func(t *JWT) { t.Claims.Set("iat", strconv.FormatInt(t.Now.Unix(), 10)) }}},
		{IDTokenFutureNBF, refused, signedAlgs(), false, Tamper{IDToken: at("nbf", 5*time.Minute)}},
		{IDTokenSlightlyFutureNBF, allowed, signedAlgs(), false, Tamper{IDToken: at("nbf", 30*time.Second)}},
		{IDTokenNBFString, refused, signedAlgs(), false, Tamper{IDToken: set("nbf", "0")}},
		{IDTokenRepeatedSub, refused, nil, false, Tamper{IDToken: add("sub", "somebody-else")}},
		{IDTokenRepeatedSubFirst, refused, nil, false, Tamper{IDToken: addFirst("sub", "somebody-else")}},
		{IDTokenRepeatedSubSame, refused, nil, false, Tamper{IDToken: func(t *JWT) { t.Claims.Add("sub", t.Claims.Get("sub")) }}},
		{IDTokenCaseSub, refused, nil, false, Tamper{IDToken: add("Sub", "somebody-else")}},
		{IDTokenCaseSubAlone, refused, nil, false, Tamper{IDToken: rename("sub", "SUB")}},
		{IDTokenCaseIssuer, refused, signedAlgs(), false, Tamper{IDToken: add("Iss", stranger)}},
		{IDTokenLongSSub, refused, nil, false, Tamper{IDToken: add("ſub", "somebody-else")}},
		{IDTokenUnknownClaim, allowed, nil, false, Tamper{IDToken: add("attacker.example/unknown", map[string]any{"a": 1})}},
		{IDTokenPayloadArray, refused, signedAlgs(), false, Tamper{IDToken: payload(`[]`)}},
		{IDTokenPayloadNull, refused, signedAlgs(), false, Tamper{IDToken: payload(`null`)}},
		{IDTokenPayloadNotJSON, refused, signedAlgs(), false, Tamper{IDToken: payload(`sub=somebody`)}},
		{IDTokenPayloadTrailing, refused, signedAlgs(), false, Tamper{IDToken: trailingPayload}},
		{IDTokenHeaderJWK, refused, signedAlgs(), false, Tamper{IDToken: embedded("jwk", asJWK)}},
		{IDTokenHeaderJKU, refused, signedAlgs(), false, Tamper{IDToken: embedded("jku", asURL(pathAttackerJWKS))}},
		{IDTokenHeaderX5U, refused, signedAlgs(), false, Tamper{IDToken: embedded("x5u", asURL(pathAttackerX5U))}},
		{IDTokenHeaderX5C, refused, signedAlgs(), false, Tamper{IDToken: embedded("x5c", asCertificate)}},
		{IDTokenHeaderCritical, refused, signedAlgs(), false, Tamper{IDToken: critical}},
		{IDTokenInventedKID, refused, publicAlgs(), false, Tamper{IDToken: inventedKID}},
		{IDTokenSwappedKID, refused, publicAlgs(), false, Tamper{IDToken: swappedKID}},
		{IDTokenKIDNumber, refused, signedAlgs(), false, Tamper{IDToken: header("kid", 1)}},
		{IDTokenNoKID, allowed, publicAlgs(), false, Tamper{IDToken: dropHeader("kid")}},
		{IDTokenBadSignature, refused, signedAlgs(), false, Tamper{IDToken: serialize(flip)}},
		{IDTokenNoSignature, refused, signedAlgs(), false, Tamper{IDToken: serialize(withoutSignature)}},
		{IDTokenAltered, refused, signedAlgs(), false, Tamper{IDToken: serialize(altered)}},
		{IDTokenUnpublishedKey, refused, signedAlgs(), false, Tamper{IDToken: unpublishedKey}},
		{IDTokenUnpublishedKeyNoKID, refused, signedAlgs(), false, Tamper{IDToken: attackerWithoutKID}},
		{IDTokenStolenKID, refused, publicAlgs(), false, Tamper{IDToken: stolenKID}},
		{IDTokenFlattenedJSON, refused, signedAlgs(), false, Tamper{IDToken: serialize(flattened)}},
		{IDTokenGeneralJSON, refused, signedAlgs(), false, Tamper{IDToken: serialize(general)}},
		{IDTokenMultiSignature, refused, signedAlgs(), false, Tamper{IDToken: serialize(multiSignature)}},
		{IDTokenTwoParts, refused, signedAlgs(), false, Tamper{IDToken: serialize(twoParts)}},
		{IDTokenFourParts, refused, signedAlgs(), false, Tamper{IDToken: serialize(fourParts)}},
		{IDTokenMissingExp, refused, signedAlgs(), false, Tamper{IDToken: drop("exp")}},
		{IDTokenWrongNonce, refused, signedAlgs(), false, Tamper{IDToken: set("nonce", "another-nonce-of-more-than-thirty-two-characters")}},
		{IDTokenMissingNonce, refused, signedAlgs(), false, Tamper{IDToken: drop("nonce")}},
		{IDTokenEmptyNonce, refused, signedAlgs(), false, Tamper{IDToken: set("nonce", "")}},
		{IDTokenNonceNumber, refused, signedAlgs(), false, Tamper{IDToken: set("nonce", 42)}},
		{IDTokenNonceArray, refused, signedAlgs(), false, Tamper{IDToken: func(t *JWT) { t.Claims.Set("nonce", []any{t.Claims.Get("nonce")}) }}},
		{IDTokenRepeatedNonce, refused, signedAlgs(), false, Tamper{IDToken: addFirst("nonce", "another-nonce-of-more-than-thirty-two-characters")}},
		{IDTokenWrongAtHash, refused, signedAlgs(), false, Tamper{IDToken: set("at_hash", leftHalf("another access token"))}},
		{IDTokenEmptyAtHash, refused, signedAlgs(), false, Tamper{IDToken: set("at_hash", "")}},
		{IDTokenAtHashNumber, refused, signedAlgs(), false, Tamper{IDToken: set("at_hash", 42)}},
		{IDTokenMissingAtHash, allowed, signedAlgs(), false, Tamper{IDToken: drop("at_hash")}},
		{IDTokenCaseNonce, refused, signedAlgs(), false, Tamper{IDToken: add("Nonce", "another")}},
		{IDTokenCaseACR, refusedByLevel, signedAlgs(), false, Tamper{IDToken: add("ACR", "eidas3")}},
		{IDTokenHuge, refused, signedAlgs(), false, Tamper{IDToken: func(t *JWT) { t.Claims.Add("padding", strings.Repeat("x", 4<<20)) }}},
		{IDTokenAsUserinfo, refused, signedAlgs(), false, Tamper{IDToken: likeUserinfo}},
		{IDTokenOtherSubOnRefresh, allowed, signedAlgs(), false, Tamper{IDToken: otherSubOnRefresh}},
		{IDTokenEmptySub, refused, signedAlgs(), false, onBoth(set("sub", ""))},
		{IDTokenMissingSub, refused, signedAlgs(), false, onBoth(drop("sub"))},
		{IDTokenLongSub, refused, signedAlgs(), false, onBoth(set("sub", strings.Repeat("s", 256)))},
		{IDTokenSub255, allowed, signedAlgs(), false, onBoth(set("sub", strings.Repeat("s", 255)))},
		{IDTokenSubNumber, refused, signedAlgs(), false, onBoth(set("sub", 42))},
		{IDTokenSubNull, refused, signedAlgs(), false, onBoth(set("sub", nil))},
		{IDTokenSubArray, refused, signedAlgs(), false, onBoth(func(t *JWT) { t.Claims.Set("sub", []any{t.Claims.Get("sub")}) })},
		{IDTokenMissingACR, refusedByLevel, signedAlgs(), false, Tamper{IDToken: drop("acr")}},
		{IDTokenWeakACR, refusedByLevel, signedAlgs(), false, Tamper{IDToken: set("acr", "eidas0")}},
		{IDTokenUnknownACR, refusedByLevel, signedAlgs(), false, Tamper{IDToken: set("acr", "eidas9")}},
		{IDTokenUppercaseACR, refusedByLevel, signedAlgs(), false, Tamper{IDToken: func(t *JWT) { t.Claims.Set("acr", strings.ToUpper(demandedACR(t))) }}},
		{IDTokenPaddedACR, refusedByLevel, signedAlgs(), false, Tamper{IDToken: func(t *JWT) { t.Claims.Set("acr", demandedACR(t)+" ") }}},
		{IDTokenSeveralACRs, refusedByLevel, signedAlgs(), false, Tamper{IDToken: set("acr", "eidas1 eidas1-mfa eidas2 eidas3")}},
		{IDTokenEmptyACR, refusedByLevel, signedAlgs(), false, Tamper{IDToken: set("acr", "")}},
		{IDTokenACRArray, refusedByLevel, signedAlgs(), false, Tamper{IDToken: func(t *JWT) { t.Claims.Set("acr", []string{demandedACR(t)}) }}},
		{IDTokenACRNull, refusedByLevel, signedAlgs(), false, Tamper{IDToken: set("acr", nil)}},
		{IDTokenACROnlyInUserinfo, refusedByLevel, signedAlgs(), false, Tamper{
			IDToken:  drop("acr"),
			Userinfo: set("acr", "eidas3"),
		}},
	}
}

func onBoth(change edit) Tamper { return Tamper{IDToken: change, Userinfo: change} }

// demandedACR is the acr of the token, or one that a service could have demanded.
func demandedACR(t *JWT) string {
	if acr, ok := t.Claims.Get("acr").(string); ok {
		return acr
	}
	return acrEIDAS1MFA
}

// likeUserinfo leaves what userinfo has: neither nonce, auth_time nor at_hash.
func likeUserinfo(t *JWT) {
	for _, name := range []string{"nonce", "auth_time", "at_hash", "acr", "amr", "sid"} {
		t.Claims.Delete(name)
	}
	t.Claims.Add("email", "somebody@ministere.example.gouv.fr")
}

func otherSubOnRefresh(t *JWT) {
	if t.IDToken != "" {
		t.Claims.Set("sub", "somebody-else")
	}
}
