package agentconnecttest

import (
	"encoding/json"
	"strings"
)

// Faults of the discovery document.
const (
	DiscoveryOtherIssuer        Fault = "discovery: issuer is another one"
	DiscoveryIssuerSlash        Fault = "discovery: issuer has a slash more"
	DiscoveryIssuerCase         Fault = "discovery: issuer in upper case"
	DiscoveryMissingIssuer      Fault = "discovery: no issuer"
	DiscoveryMissingAuthorize   Fault = "discovery: no authorization_endpoint"
	DiscoveryMissingToken       Fault = "discovery: no token_endpoint"
	DiscoveryMissingUserinfo    Fault = "discovery: no userinfo_endpoint"
	DiscoveryMissingJWKS        Fault = "discovery: no jwks_uri"
	DiscoveryMissingEndSession  Fault = "discovery: no end_session_endpoint"
	DiscoveryHTTPAuthorize      Fault = "discovery: authorization_endpoint is http, not on loopback"
	DiscoveryHTTPToken          Fault = "discovery: token_endpoint is http, not on loopback"
	DiscoveryHTTPUserinfo       Fault = "discovery: userinfo_endpoint is http, not on loopback"
	DiscoveryHTTPJWKS           Fault = "discovery: jwks_uri is http, not on loopback"
	DiscoveryHTTPEndSession     Fault = "discovery: end_session_endpoint is http, not on loopback"
	DiscoveryRelativeEndpoint   Fault = "discovery: token_endpoint is relative"
	DiscoveryScriptEndpoint     Fault = "discovery: authorization_endpoint is javascript:"
	DiscoveryEndpointNumber     Fault = "discovery: token_endpoint is a number"
	DiscoveryNotJSON            Fault = "discovery: not JSON"
	DiscoveryArray              Fault = "discovery: an array instead of an object"
	DiscoveryTrailingData       Fault = "discovery: another object after the first"
	DiscoveryRepeatedMember     Fault = "discovery: token_endpoint is repeated"
	DiscoveryCaseMember         Fault = "discovery: a member Token_Endpoint beside token_endpoint"
	DiscoveryWithoutIssuerParam Fault = "discovery: iss on the callback is not advertised"
	DiscoveryWithoutPKCE        Fault = "discovery: PKCE is not advertised"
	DiscoveryWithoutAlgorithms  Fault = "discovery: no algorithm is advertised"
	DiscoveryUnknownMember      Fault = "discovery: a member that nobody knows"
)

func discoveryDefinitions() []definition {
	const cleartext = "http://provider.example/api/v2"
	var all []definition
	for _, row := range []struct {
		fault   Fault
		verdict verdict
		change  func(*Answer)
	}{
		{DiscoveryOtherIssuer, refused, member("issuer", stranger)},
		{DiscoveryIssuerSlash, refused, changeText("issuer", func(s string) string { return s + "/" })},
		{DiscoveryIssuerCase, refused, changeText("issuer", strings.ToUpper)},
		{DiscoveryMissingIssuer, refused, without("issuer")},
		{DiscoveryMissingAuthorize, refused, without("authorization_endpoint")},
		{DiscoveryMissingToken, refused, without("token_endpoint")},
		{DiscoveryMissingUserinfo, refused, without("userinfo_endpoint")},
		{DiscoveryMissingJWKS, refused, without("jwks_uri")},
		{DiscoveryMissingEndSession, allowed, without("end_session_endpoint")},
		{DiscoveryHTTPAuthorize, refused, member("authorization_endpoint", cleartext+pathAuthorize)},
		{DiscoveryHTTPToken, refused, member("token_endpoint", cleartext+pathToken)},
		{DiscoveryHTTPUserinfo, refused, member("userinfo_endpoint", cleartext+pathUserinfo)},
		{DiscoveryHTTPJWKS, refused, member("jwks_uri", cleartext+pathJWKS)},
		{DiscoveryHTTPEndSession, refused, member("end_session_endpoint", cleartext+pathEndSession)},
		{DiscoveryRelativeEndpoint, refused, member("token_endpoint", "/api/v2"+pathToken)},
		{DiscoveryScriptEndpoint, refused, member("authorization_endpoint", "javascript:alert(1)")},
		{DiscoveryEndpointNumber, refused, member("token_endpoint", 42)},
		{DiscoveryNotJSON, refused, body("issuer=me")},
		{DiscoveryArray, refused, func(a *Answer) { a.Body = []byte("[" + string(a.Body) + "]") }},
		{DiscoveryTrailingData, refused, trail},
		{DiscoveryRepeatedMember, refused, inJSON(func(m *Members) { m.Add("token_endpoint", stranger) })},
		{DiscoveryCaseMember, refused, inJSON(func(m *Members) { m.Add("Token_Endpoint", stranger) })},
		{DiscoveryWithoutIssuerParam, allowed, without("authorization_response_iss_parameter_supported")},
		{DiscoveryWithoutPKCE, allowed, without("code_challenge_methods_supported")},
		{DiscoveryWithoutAlgorithms, allowed, inJSON(func(m *Members) {
			m.Delete("id_token_signing_alg_values_supported")
			m.Delete("userinfo_signing_alg_values_supported")
		})},
		{DiscoveryUnknownMember, allowed, member("attacker.example/unknown", map[string]any{"a": 1})},
	} {
		all = append(all, definition{row.fault, row.verdict, nil, false, Tamper{Endpoint: Discovery, Answer: row.change}})
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
