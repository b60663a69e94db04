package agentconnecttest

import "time"

func introspectionDefinitions() []definition {
	var all []definition
	for _, row := range []struct {
		name, effect string
		algs         []string
		change       edit
	}{
		{"introspection-inactive", "active is false", nil, introspected(func(m *Members) { *m = Members{{"active", false}} })},
		{"introspection-active-text", "active is a string", nil, introspected(func(m *Members) { m.Set("active", "true") })},
		{"introspection-active-missing", "no active", nil, introspected(func(m *Members) { m.Delete("active") })},
		{"introspection-expired", "active, but exp was five minutes ago", nil, expiredToken},
		{"introspection-other-client", "client_id is one that nobody allowed", nil, introspected(func(m *Members) { m.Set("client_id", "another-client") })},
		{"introspection-missing-client", "no client_id", nil, introspected(func(m *Members) { m.Delete("client_id") })},
		{"introspection-client-number", "client_id is a number", nil, introspected(func(m *Members) { m.Set("client_id", 42) })},
		{"introspection-missing-sub", "no sub", nil, introspected(func(m *Members) { m.Delete("sub") })},
		{"introspection-repeated-client", "client_id is repeated", nil, introspected(func(m *Members) { *m = append(Members{{"client_id", "another-client"}}, *m...) })},
		{"introspection-case-active", "a member Active beside active", nil, introspected(func(m *Members) { m.Set("active", false); m.Add("Active", true) })},
		{"introspection-plain", "plain JSON although a signature is registered", signedAlgs(), plainIntrospection},
		{"introspection-wrong-issuer", "iss of the signed answer is another issuer", signedAlgs(), set("iss", stranger)},
		{"introspection-other-audience", "aud of the signed answer is another client", signedAlgs(), set("aud", "another-client")},
		{"introspection-wrong-type", "typ of the signed answer is JWT", signedAlgs(), header("typ", "JWT")},
		{"introspection-alg-none", "alg none, no signature", signedAlgs(), unsigned("none")},
		{"introspection-other-algorithm", "signed with another algorithm than the registered one", signedAlgs(), otherAlgorithm},
		{"introspection-bad-signature", "the signature is damaged", signedAlgs(), serialize(flip)},
		{"introspection-unpublished-key", "signed with a key that is not published", signedAlgs(), unpublishedKey},
		{"introspection-flat", "the signed answer has its claims at the top instead of in token_introspection", signedAlgs(), flatIntrospection},
	} {
		all = append(all, definition{row.name, row.effect, elsewhere, row.algs, false, Tamper{Introspection: row.change}})
	}
	return all
}

// introspected changes the members about the token. A signed answer has them one level
// down.
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
