package agentconnecttest

import "net/http"

// Faults of the answer of the token endpoint.
const (
	TokenInvalidGrant       Fault = "token: invalid_grant"
	TokenInvalidClient      Fault = "token: invalid_client"
	TokenInvalidRequest     Fault = "token: invalid_request with markup in its description"
	TokenErrorWith200       Fault = "token: an error with status 200"
	TokenNotJSON            Fault = "token: not JSON"
	TokenArray              Fault = "token: an array instead of an object"
	TokenTrailingData       Fault = "token: another object after the first"
	TokenRepeatedMember     Fault = "token: id_token is repeated"
	TokenCaseMember         Fault = "token: a member ID_Token beside id_token"
	TokenTypeOther          Fault = "token: token_type is MAC"
	TokenTypeMissing        Fault = "token: no token_type"
	TokenTypeNumber         Fault = "token: token_type is a number"
	TokenTypeLowercase      Fault = "token: token_type is bearer, in lower case"
	TokenMissingIDToken     Fault = "token: no id_token"
	TokenEmptyIDToken       Fault = "token: id_token is empty"
	TokenIDTokenNumber      Fault = "token: id_token is a number"
	TokenMissingAccessToken Fault = "token: no access_token"
	TokenEmptyAccessToken   Fault = "token: access_token is empty"
	TokenMissingExpiry      Fault = "token: no expires_in"
	TokenNoRefreshToken     Fault = "token: no refresh_token"
	TokenUnknownMember      Fault = "token: a member that nobody knows"
	TokenHTMLType           Fault = "token: good JSON in a type that says HTML"
)

func tokenDefinitions() []definition {
	oauthError := func(status int, code, description string) func(*Answer) {
		return func(a *Answer) { a.oauthError(status, code, description) }
	}
	var all []definition
	for _, row := range []struct {
		fault   Fault
		verdict verdict
		change  func(*Answer)
	}{
		{TokenInvalidGrant, refused, oauthError(http.StatusBadRequest, "invalid_grant", "grant request is invalid")},
		{TokenInvalidClient, refused, oauthError(http.StatusUnauthorized, "invalid_client", "client authentication failed")},
		{TokenInvalidRequest, refused, oauthError(http.StatusBadRequest, "invalid_request", "<script>alert(1)</script>\r\nSet-Cookie: a=b")},
		{TokenErrorWith200, refused, oauthError(http.StatusOK, "invalid_grant", "grant request is invalid")},
		{TokenNotJSON, refused, body("access_token=a&token_type=Bearer")},
		{TokenArray, refused, func(a *Answer) { a.Body = []byte("[" + string(a.Body) + "]") }},
		{TokenTrailingData, refused, trail},
		{TokenRepeatedMember, refused, inJSON(func(m *Members) { m.Add("id_token", m.Get("id_token")) })},
		{TokenCaseMember, refused, inJSON(func(m *Members) { m.Add("ID_Token", "somebody else's") })},
		{TokenTypeOther, refused, member("token_type", "MAC")},
		{TokenTypeMissing, refused, without("token_type")},
		{TokenTypeNumber, refused, member("token_type", 1)},
		{TokenTypeLowercase, allowed, member("token_type", "bearer")},
		{TokenMissingIDToken, refused, without("id_token")},
		{TokenEmptyIDToken, refused, member("id_token", "")},
		{TokenIDTokenNumber, refused, member("id_token", 42)},
		{TokenMissingAccessToken, refused, without("access_token")},
		{TokenEmptyAccessToken, refused, member("access_token", "")},
		{TokenMissingExpiry, allowed, without("expires_in")},
		{TokenNoRefreshToken, allowed, without("refresh_token")},
		{TokenUnknownMember, allowed, member("attacker.example/unknown", "value")},
		{TokenHTMLType, refused, contentType("text/html")},
	} {
		all = append(all, definition{row.fault, row.verdict, nil, false, Tamper{Endpoint: Token, Answer: row.change}})
	}
	return all
}

// The changes of a JSON answer leave alone what is not a JSON object.

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
