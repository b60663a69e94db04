package agentconnect

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/agentconnect-go/agentconnect/internal/weburl"
)

// maxBearerToken bounds the access tokens that are worth a question to the
// provider. AgentConnect's have 43 characters.
const maxBearerToken = 4096

// bearerToken returns the access token of a request, from its Authorization
// header (RFC 6750 section 2.1). A token in a form-encoded body is not looked for:
// the body is the application's.
func bearerToken(r *http.Request) (string, error) {
	headers := r.Header.Values("Authorization")
	if len(headers) > 1 {
		return "", errorf(CodeInvalidRequest, "the header Authorization is repeated")
	}
	scheme, token, _ := strings.Cut(strings.Join(headers, ""), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", newError(CodeUnauthenticated, nil)
	}
	if r.URL.RawQuery != "" && r.URL.Query().Has("access_token") {
		return "", errorf(CodeInvalidRequest, "there is a second access token, in the query")
	}
	token = strings.TrimLeft(token, " ")
	if !isB68(token) {
		return "", errorf(CodeInvalidRequest, "the header Authorization is malformed")
	}
	if len(token) > maxBearerToken {
		return "", errorf(CodeInvalidToken, "the token is longer than %d bytes", maxBearerToken)
	}
	return token, nil
}

// isB68 reports whether s is a b68token (RFC 6750 section 2.1).
func isB68(s string) bool {
	s = strings.TrimRight(s, "=")
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
			return false
		}
		return !strings.ContainsRune("-._~+/", c)
	})
}

// isScope reports whether s is a scope-token (RFC 6749 section 3.3).
func isScope(s string) bool {
	return s != "" && weburl.IsPrintableASCII(s) && !strings.ContainsAny(s, `"\`)
}

// challengeOf returns the WWW-Authenticate header of a refusal (RFC 6750 section
// 3), "" when another token would not help. The realm is where tokens come from.
func challengeOf(realm string, code Code, scopes []string) string {
	params := []string{"realm=" + strconv.Quote(realm)}
	switch code {
	case CodeUnauthenticated: // and no error: the caller may not have known
	case CodeInvalidRequest, CodeInvalidToken, CodeInsufficientScope:
		_, detail := tokenMessage(code)
		params = append(params, `error="`+string(code)+`"`, "error_description="+strconv.Quote(detail))
	default:
		return ""
	}
	if code == CodeInsufficientScope {
		params = append(params, `scope="`+strings.Join(scopes, " ")+`"`)
	}
	return "Bearer " + strings.Join(params, ", ")
}
