package agentconnect

import (
	"net/http"
	"strings"
)

// newCookie is the one place where the attributes of our cookies are set, but
// for the session's own, which scs writes with the same ones. Path=/ and Secure
// are what the __Host- prefix demands (RFC 6265bis section 4.1.3.2).
func newCookie(name, value string, maxAge int, secure bool) *http.Cookie {
	return &http.Cookie{
		Name:     name,
		Value:    value,
		Path:     "/",
		MaxAge:   maxAge,
		Secure:   secure,
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	}
}

// cookieValue returns the value of a cookie, and "" when it is missing or there
// twice: one of two was planted by a neighbour. It does what Request.CookiesNamed
// does, without parsing the others.
func cookieValue(r *http.Request, name string) string {
	value, found := "", false
	for _, line := range r.Header["Cookie"] {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			n, v, _ := strings.Cut(strings.TrimSpace(pair), "=")
			if n != name {
				continue
			}
			if found {
				return ""
			}
			value, found = v, true
		}
	}
	return value
}
