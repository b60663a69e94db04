package agentconnecttest

import "net/http"

func tokenDefinitions() []definition {
	oauthError := func(status int, code, description string) func(*Answer) {
		return func(a *Answer) { a.oauthError(status, code, description) }
	}
	var all []definition
	for _, row := range []struct {
		name, effect string
		verdict      verdict
		change       func(*Answer)
	}{
		{"token-invalid-grant", "invalid_grant", badGrant, oauthError(http.StatusBadRequest, "invalid_grant", "grant request is invalid")},
		{"token-invalid-client", "invalid_client", badClient, oauthError(http.StatusUnauthorized, "invalid_client", "client authentication failed")},
		{"token-invalid-request", "invalid_request with markup in its description", badAnswer, oauthError(http.StatusBadRequest, "invalid_request", "<script>alert(1)</script>\r\nSet-Cookie: a=b")},
		{"token-error-with-200", "an error with status 200", badGrant, oauthError(http.StatusOK, "invalid_grant", "grant request is invalid")},
		{"token-not-json", "not JSON", badAnswer, body("access_token=a&token_type=Bearer")},
		{"token-array", "an array instead of an object", badAnswer, func(a *Answer) { a.Body = []byte("[" + string(a.Body) + "]") }},
		{"token-trailing-data", "another object after the first", badAnswer, trail},
		{"token-repeated-member", "id_token is repeated", badAnswer, inJSON(func(m *Members) { m.Add("id_token", m.Get("id_token")) })},
		{"token-case-member", "a member ID_Token beside id_token", badAnswer, inJSON(func(m *Members) { m.Add("ID_Token", "somebody else's") })},
		{"token-type-other", "token_type is MAC", badAnswer, member("token_type", "MAC")},
		{"token-type-missing", "no token_type", badAnswer, without("token_type")},
		{"token-type-number", "token_type is a number", badAnswer, member("token_type", 1)},
		{"token-type-lowercase", "token_type is bearer, in lower case", allowed, member("token_type", "bearer")},
		{"token-missing-id-token", "no id_token", badAnswer, without("id_token")},
		{"token-empty-id-token", "id_token is empty", badAnswer, member("id_token", "")},
		{"token-id-token-number", "id_token is a number", badAnswer, member("id_token", 42)},
		{"token-missing-access-token", "no access_token", badAnswer, without("access_token")},
		{"token-empty-access-token", "access_token is empty", badAnswer, member("access_token", "")},
		{"token-missing-expiry", "no expires_in", allowed, without("expires_in")},
		{"token-no-refresh-token", "no refresh_token", allowed, without("refresh_token")},
		{"token-unknown-member", "a member that nobody knows", allowed, member("attacker.example/unknown", "value")},
		{"token-html-type", "good JSON in a type that says HTML", badAnswer, contentType("text/html")},
	} {
		all = append(all, definition{row.name, row.effect, row.verdict, nil, false, Tamper{Endpoint: Token, Answer: row.change}})
	}
	return all
}

// The changes of a JSON answer do nothing if it is not a JSON object.

func inJSON(change func(*Members)) func(*Answer) {
	return func(a *Answer) {
		m, err := readMembers(a.Body)
		if err != nil {
			return
		}
		change(&m)
		a.Body = []byte(jsonText(m))
	}
}

func member(name string, value any) func(*Answer) {
	return inJSON(func(m *Members) { m.Set(name, value) })
}

func without(name string) func(*Answer) {
	return inJSON(func(m *Members) { m.Delete(name) })
}

func body(text string) func(*Answer) { return func(a *Answer) { a.Body = []byte(text) } }

func trail(a *Answer) { a.Body = append(a.Body, a.Body...) }

func contentType(value string) func(*Answer) {
	return func(a *Answer) { a.Header.Set("Content-Type", value) }
}
