package resourceserver

import (
	"net/http"
	"strings"

	"github.com/agentconnect-go/agentconnect"
)

// maxBearerToken bounds the length of an access token. The provider is not asked about
// longer ones. ProConnect's have 43 characters.
const maxBearerToken = 4096

// bearerToken returns the access token of a request, from its Authorization
// header (RFC 6750 section 2.1). It does not read a form-encoded body: the body belongs
// to the application.
func bearerToken(r *http.Request) (string, error) {
	headers := r.Header.Values("Authorization")
	if len(headers) > 1 {
		return "", refusalf("invalid_request", "the header Authorization is repeated")
	}
	scheme, token, _ := strings.Cut(strings.Join(headers, ""), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", &refusal{code: agentconnect.CodeUnauthenticated}
	}
	if r.URL.RawQuery != "" && r.URL.Query().Has("access_token") {
		return "", refusalf("invalid_request", "there is a second access token, in the query")
	}
	token = strings.TrimLeft(token, " ")
	if !isB64Token(token) {
		return "", refusalf("invalid_request", "the header Authorization is malformed")
	}
	if len(token) > maxBearerToken {
		return "", refusalf(CodeInvalidToken, "the token is longer than %d bytes", maxBearerToken)
	}
	return token, nil
}

// isB64Token reports whether s is a b64token (RFC 6750 section 2.1).
func isB64Token(s string) bool {
	s = strings.TrimRight(s, "=")
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
			return false
		}
		return !strings.ContainsRune("-._~+/", c)
	})
}
