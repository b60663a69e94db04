package agentconnecttest

import (
	"strings"
)

func idTokenDefinitions() []definition {
	return append(signedDefinitions("id-token", badIDToken, func(change edit) Tamper { return Tamper{IDToken: change} }), []definition{
		{"id-token-missing-exp", "no exp", badIDToken, signedAlgs(), false, Tamper{IDToken: drop("exp")}},
		{"id-token-wrong-nonce", "nonce is another one", badIDToken, signedAlgs(), false, Tamper{IDToken: set("nonce", "another-nonce-of-more-than-thirty-two-characters")}},
		{"id-token-missing-nonce", "no nonce", badIDToken, signedAlgs(), false, Tamper{IDToken: drop("nonce")}},
		{"id-token-empty-nonce", "nonce is empty", badIDToken, signedAlgs(), false, Tamper{IDToken: set("nonce", "")}},
		{"id-token-nonce-number", "nonce is a number", badIDToken, signedAlgs(), false, Tamper{IDToken: set("nonce", 42)}},
		{"id-token-nonce-array", "nonce is an array of the right one", badIDToken, signedAlgs(), false, Tamper{IDToken: func(t *JWT) { t.Claims.Set("nonce", []any{t.Claims.Get("nonce")}) }}},
		{"id-token-repeated-nonce", "nonce is repeated, the first one is another", badIDToken, signedAlgs(), false, Tamper{IDToken: addFirst("nonce", "another-nonce-of-more-than-thirty-two-characters")}},
		{"id-token-wrong-at-hash", "at_hash is that of another access token", badIDToken, signedAlgs(), false, Tamper{IDToken: set("at_hash", leftHalf("another access token"))}},
		{"id-token-empty-at-hash", "at_hash is empty", badIDToken, signedAlgs(), false, Tamper{IDToken: set("at_hash", "")}},
		{"id-token-at-hash-number", "at_hash is a number", badIDToken, signedAlgs(), false, Tamper{IDToken: set("at_hash", 42)}},
		{"id-token-missing-at-hash", "no at_hash", allowed, signedAlgs(), false, Tamper{IDToken: drop("at_hash")}},
		{"id-token-case-nonce", "a claim Nonce beside nonce", badIDToken, signedAlgs(), false, Tamper{IDToken: add("Nonce", "another")}},
		{"id-token-case-acr", "a claim ACR beside acr", badACR, signedAlgs(), false, Tamper{IDToken: add("ACR", "eidas3")}},
		{"id-token-huge", "four megabytes", badAnswer, signedAlgs(), false, Tamper{IDToken: func(t *JWT) { t.Claims.Add("padding", strings.Repeat("x", 4<<20)) }}},
		{"id-token-as-userinfo", "userinfo instead of the ID token", badIDToken, signedAlgs(), false, Tamper{IDToken: likeUserinfo}},
		{"id-token-other-sub-on-refresh", "sub is somebody else at a refresh", allowed, signedAlgs(), false, Tamper{IDToken: otherSubOnRefresh}},
		{"id-token-empty-sub", "sub is empty", badIDToken, signedAlgs(), false, onBoth(set("sub", ""))},
		{"id-token-missing-sub", "no sub", badIDToken, signedAlgs(), false, onBoth(drop("sub"))},
		{"id-token-long-sub", "sub has 256 bytes", badIDToken, signedAlgs(), false, onBoth(set("sub", strings.Repeat("s", 256)))},
		{"id-token-sub-255", "sub has 255 bytes", allowed, signedAlgs(), false, onBoth(set("sub", strings.Repeat("s", 255)))},
		{"id-token-sub-number", "sub is a number", badIDToken, signedAlgs(), false, onBoth(set("sub", 42))},
		{"id-token-sub-null", "sub is null", badIDToken, signedAlgs(), false, onBoth(set("sub", nil))},
		{"id-token-sub-array", "sub is an array", badIDToken, signedAlgs(), false, onBoth(func(t *JWT) { t.Claims.Set("sub", []any{t.Claims.Get("sub")}) })},
		{"id-token-missing-acr", "no acr although it was asked for", tooLow, signedAlgs(), false, Tamper{IDToken: drop("acr")}},
		{"id-token-weak-acr", "acr is eidas0, less than anybody demands", tooLow, signedAlgs(), false, Tamper{IDToken: set("acr", "eidas0")}},
		{"id-token-unknown-acr", "acr is a value nobody knows", tooLow, signedAlgs(), false, Tamper{IDToken: set("acr", "eidas9")}},
		{"id-token-uppercase-acr", "acr is in upper case", tooLow, signedAlgs(), false, Tamper{IDToken: func(t *JWT) { t.Claims.Set("acr", strings.ToUpper(demandedACR(t))) }}},
		{"id-token-padded-acr", "acr has a space at its end", tooLow, signedAlgs(), false, Tamper{IDToken: func(t *JWT) { t.Claims.Set("acr", demandedACR(t)+" ") }}},
		{"id-token-several-acrs", "acr is a list in a string", tooLow, signedAlgs(), false, Tamper{IDToken: set("acr", "eidas1 eidas1-mfa eidas2 eidas3")}},
		{"id-token-empty-acr", "acr is empty", tooLow, signedAlgs(), false, Tamper{IDToken: set("acr", "")}},
		{"id-token-acr-array", "acr is an array", tooLow, signedAlgs(), false, Tamper{IDToken: func(t *JWT) { t.Claims.Set("acr", []string{demandedACR(t)}) }}},
		{"id-token-acr-null", "acr is null", tooLow, signedAlgs(), false, Tamper{IDToken: set("acr", nil)}},
		{"id-token-acr-only-in-userinfo", "acr is in userinfo only", tooLow, signedAlgs(), false, Tamper{
			IDToken:  drop("acr"),
			Userinfo: set("acr", "eidas3"),
		}},
	}...)
}

func onBoth(change edit) Tamper { return Tamper{IDToken: change, Userinfo: change} }

// demandedACR is the acr of the token, or one that a service could have demanded.
func demandedACR(t *JWT) string {
	if acr, ok := t.Claims.Get("acr").(string); ok {
		return acr
	}
	return acrEIDAS1MFA
}

// likeUserinfo removes the claims of a login, which a userinfo does not have, and adds
// one that only a userinfo has.
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
