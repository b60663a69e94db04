package agentconnecttest

import (
	"net/http"
	"strings"
	"unicode"
)

func userinfoDefinitions() []definition {
	return append(signedDefinitions("userinfo", badUserinfo, func(change edit) Tamper { return Tamper{Userinfo: change} }), []definition{
		{"userinfo-missing-exp", "no exp", allowed, signedAlgs(), false, Tamper{Userinfo: drop("exp")}},
		{"userinfo-other-sub", "sub is somebody else", badUserinfo, nil, false, Tamper{Userinfo: set("sub", "somebody-else")}},
		{"userinfo-missing-sub", "no sub", badUserinfo, nil, false, Tamper{Userinfo: drop("sub")}},
		{"userinfo-empty-sub", "sub is empty", badUserinfo, nil, false, Tamper{Userinfo: set("sub", "")}},
		{"userinfo-sub-number", "sub is a number", badUserinfo, nil, false, Tamper{Userinfo: set("sub", 42)}},
		{"userinfo-sub-null", "sub is null", badUserinfo, nil, false, Tamper{Userinfo: set("sub", nil)}},
		{"userinfo-plain-json", "plain JSON although a signature is registered", badUserinfo, signedAlgs(), false, Tamper{Userinfo: func(t *JWT) { t.Plain = true }}},
		{"userinfo-plain-json-as-jwt", "plain JSON in a type that says JWT", badUserinfo, signedAlgs(), false, Tamper{Userinfo: func(t *JWT) { t.Serialize = func(string) string { return jsonText(t.Claims) } }}},
		{"userinfo-signed", "signed although plain JSON is registered", badUserinfo, []string{"none"}, false, Tamper{Userinfo: func(t *JWT) { t.Plain = false; t.SignWith(t.SigningKey("RS256")) }}},
		{"userinfo-is-id-token", "the ID token instead of userinfo", badUserinfo, signedAlgs(), false, Tamper{Userinfo: func(t *JWT) { t.Serialize = func(string) string { return t.IDToken } }}},
		{"userinfo-null-text", "every optional text is null", allowed, nil, false, Tamper{Userinfo: nullText}},
		{"userinfo-only-sub", "nothing but sub", allowed, nil, false, Tamper{Userinfo: onlySub}},
		{"userinfo-odd-content-type", "content type in odd case", allowed, nil, false, Tamper{Endpoint: Userinfo, Answer: func(a *Answer) { a.Header.Set("Content-Type", oddCase(a.Header.Get("Content-Type"))) }}},
		{"userinfo-json-content-type", "a JWT in a type that says JSON", badUserinfo, signedAlgs(), false, Tamper{Endpoint: Userinfo, Answer: func(a *Answer) { a.Header.Set("Content-Type", "application/json") }}},
		{"userinfo-text-content-type", "a type that says text", badUserinfo, nil, false, Tamper{Endpoint: Userinfo, Answer: func(a *Answer) { a.Header.Set("Content-Type", "text/plain") }}},
		{"userinfo-no-content-type", "no content type", badAnswer, nil, false, Tamper{Endpoint: Userinfo, Answer: func(a *Answer) { a.Header["Content-Type"] = nil }}},
		{"userinfo-unauthorized", "401, as after a logout elsewhere", badAnswer, nil, false, Tamper{Endpoint: Userinfo, Answer: unauthorized}},
	}...)
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
