package agentconnecttest

import "time"

// Faults of introspection, for resource servers: Refuse means that the call they
// received must not go through.
const (
	IntrospectionInactive       Fault = "introspection: active is false"
	IntrospectionActiveText     Fault = "introspection: active is a string"
	IntrospectionActiveMissing  Fault = "introspection: no active"
	IntrospectionExpired        Fault = "introspection: active, but exp was five minutes ago"
	IntrospectionOtherClient    Fault = "introspection: client_id is one that nobody allowed"
	IntrospectionMissingClient  Fault = "introspection: no client_id"
	IntrospectionClientNumber   Fault = "introspection: client_id is a number"
	IntrospectionMissingSub     Fault = "introspection: no sub"
	IntrospectionRepeatedClient Fault = "introspection: client_id is repeated"
	IntrospectionCaseActive     Fault = "introspection: a member Active beside active"

	IntrospectionPlain          Fault = "introspection: plain JSON although a signature is registered"
	IntrospectionWrongIssuer    Fault = "introspection: iss of the signed answer is another issuer"
	IntrospectionOtherAudience  Fault = "introspection: aud of the signed answer is another client"
	IntrospectionWrongType      Fault = "introspection: typ of the signed answer is JWT"
	IntrospectionAlgNone        Fault = "introspection: alg none, no signature"
	IntrospectionOtherAlgorithm Fault = "introspection: signed with another algorithm than the registered one"
	IntrospectionBadSignature   Fault = "introspection: the signature is damaged"
	IntrospectionUnpublishedKey Fault = "introspection: signed with a key that is not published"
	IntrospectionFlat           Fault = "introspection: the signed answer has its claims at the top instead of in token_introspection"
)

func introspectionDefinitions() []definition {
	var all []definition
	for _, row := range []struct {
		fault  Fault
		algs   []string
		change edit
	}{
		{IntrospectionInactive, nil, introspected(func(m *Members) { *m = Members{{"active", false}} })},
		{IntrospectionActiveText, nil, introspected(func(m *Members) { m.Set("active", "true") })},
		{IntrospectionActiveMissing, nil, introspected(func(m *Members) { m.Delete("active") })},
		{IntrospectionExpired, nil, expiredToken},
		{IntrospectionOtherClient, nil, introspected(func(m *Members) { m.Set("client_id", "another-client") })},
		{IntrospectionMissingClient, nil, introspected(func(m *Members) { m.Delete("client_id") })},
		{IntrospectionClientNumber, nil, introspected(func(m *Members) { m.Set("client_id", 42) })},
		{IntrospectionMissingSub, nil, introspected(func(m *Members) { m.Delete("sub") })},
		{IntrospectionRepeatedClient, nil, introspected(func(m *Members) { *m = append(Members{{"client_id", "another-client"}}, *m...) })},
		{IntrospectionCaseActive, nil, introspected(func(m *Members) { m.Set("active", false); m.Add("Active", true) })},
		{IntrospectionPlain, signedAlgs(), plainIntrospection},
		{IntrospectionWrongIssuer, signedAlgs(), set("iss", stranger)},
		{IntrospectionOtherAudience, signedAlgs(), set("aud", "another-client")},
		{IntrospectionWrongType, signedAlgs(), header("typ", "JWT")},
		{IntrospectionAlgNone, signedAlgs(), unsigned("none")},
		{IntrospectionOtherAlgorithm, signedAlgs(), otherAlgorithm},
		{IntrospectionBadSignature, signedAlgs(), serialize(flip)},
		{IntrospectionUnpublishedKey, signedAlgs(), unpublishedKey},
		{IntrospectionFlat, signedAlgs(), flatIntrospection},
	} {
		all = append(all, definition{row.fault, refused, row.algs, false, Tamper{Introspection: row.change}})
	}
	return all
}

// introspected changes what is said about the token, which a signed answer has one
// level down.
func introspected(change func(*Members)) edit {
	return func(t *JWT) {
		if inner, ok := t.Claims.Get("token_introspection").(Members); ok {
			change(&inner)
			t.Claims.Set("token_introspection", inner)
			return
		}
		change(&t.Claims)
	}
}

func expiredToken(t *JWT) {
	introspected(func(m *Members) { m.Set("exp", t.Now.Add(-5*time.Minute).Unix()) })(t)
}

func plainIntrospection(t *JWT) {
	if inner, ok := t.Claims.Get("token_introspection").(Members); ok {
		t.Claims, t.Plain = inner, true
	}
}

func flatIntrospection(t *JWT) {
	if inner, ok := t.Claims.Get("token_introspection").(Members); ok {
		t.Claims.Delete("token_introspection")
		t.Claims = append(t.Claims, inner...)
	}
}
