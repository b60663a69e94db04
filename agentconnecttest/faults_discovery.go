package agentconnecttest

import (
	"encoding/json"
	"strings"
)

func discoveryDefinitions() []definition {
	const cleartext = "http://provider.example/api/v2"
	var all []definition
	for _, row := range []struct {
		name, effect string
		verdict      verdict
		change       func(*Answer)
	}{
		{"discovery-other-issuer", "issuer is another one", badAnswer, member("issuer", stranger)},
		{"discovery-issuer-slash", "issuer has a slash more", badAnswer, changeText("issuer", func(s string) string { return s + "/" })},
		{"discovery-issuer-case", "issuer in upper case", badAnswer, changeText("issuer", strings.ToUpper)},
		{"discovery-missing-issuer", "no issuer", badAnswer, without("issuer")},
		{"discovery-missing-authorize", "no authorization_endpoint", badAnswer, without("authorization_endpoint")},
		{"discovery-missing-token", "no token_endpoint", badAnswer, without("token_endpoint")},
		{"discovery-missing-userinfo", "no userinfo_endpoint", badAnswer, without("userinfo_endpoint")},
		{"discovery-missing-jwks", "no jwks_uri", badAnswer, without("jwks_uri")},
		{"discovery-missing-end-session", "no end_session_endpoint", allowed, without("end_session_endpoint")},
		{"discovery-http-authorize", "authorization_endpoint is http, not on loopback", badAnswer, member("authorization_endpoint", cleartext+pathAuthorize)},
		{"discovery-http-token", "token_endpoint is http, not on loopback", badAnswer, member("token_endpoint", cleartext+pathToken)},
		{"discovery-http-userinfo", "userinfo_endpoint is http, not on loopback", badAnswer, member("userinfo_endpoint", cleartext+pathUserinfo)},
		{"discovery-http-jwks", "jwks_uri is http, not on loopback", badAnswer, member("jwks_uri", cleartext+pathJWKS)},
		{"discovery-http-end-session", "end_session_endpoint is http, not on loopback", badAnswer, member("end_session_endpoint", cleartext+pathEndSession)},
		{"discovery-relative-endpoint", "token_endpoint is relative", badAnswer, member("token_endpoint", "/api/v2"+pathToken)},
		{"discovery-script-endpoint", "authorization_endpoint is javascript:", badAnswer, member("authorization_endpoint", "javascript:alert(1)")},
		{"discovery-endpoint-number", "token_endpoint is a number", badAnswer, member("token_endpoint", 42)},
		{"discovery-not-json", "not JSON", badAnswer, body("issuer=me")},
		{"discovery-array", "an array instead of an object", badAnswer, func(a *Answer) { a.Body = []byte("[" + string(a.Body) + "]") }},
		{"discovery-trailing-data", "another object after the first", badAnswer, trail},
		{"discovery-repeated-member", "token_endpoint is repeated", badAnswer, inJSON(func(m *Members) { m.Add("token_endpoint", stranger) })},
		{"discovery-case-member", "a member Token_Endpoint beside token_endpoint", badAnswer, inJSON(func(m *Members) { m.Add("Token_Endpoint", stranger) })},
		{"discovery-without-issuer-param", "iss on the callback is not advertised", allowed, without("authorization_response_iss_parameter_supported")},
		{"discovery-without-pkce", "PKCE is not advertised", allowed, without("code_challenge_methods_supported")},
		{"discovery-without-algorithms", "no algorithm is advertised", allowed, inJSON(func(m *Members) {
			m.Delete("id_token_signing_alg_values_supported")
			m.Delete("userinfo_signing_alg_values_supported")
		})},
		{"discovery-unknown-member", "a member that nobody knows", allowed, member("attacker.example/unknown", map[string]any{"a": 1})},
	} {
		all = append(all, definition{row.name, row.effect, row.verdict, nil, false, Tamper{Endpoint: Discovery, Answer: row.change}})
	}
	return all
}

// changeText changes a member that is a string.
func changeText(name string, change func(string) string) func(*Answer) {
	return inJSON(func(m *Members) {
		var s string
		if raw, ok := m.Get(name).(json.RawMessage); ok && json.Unmarshal(raw, &s) == nil {
			m.Set(name, change(s))
		}
	})
}
