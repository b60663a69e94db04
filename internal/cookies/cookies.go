// Package cookies sets and reads cookies. It is the one place for the attributes of our
// cookies, and for finding them in a Cookie header. It does not know their content.
package cookies

import (
	"net/http"
	"slices"
	"strings"
)

// New returns a cookie with the attributes of all our cookies. The __Host- prefix
// requires Path=/ and Secure (RFC 6265bis section 4.1.3.2).
func New(name, value string, maxAge int, secure bool) *http.Cookie {
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

// maxNamed is how often a Cookie header may contain the name of one of our cookies. No
// browser of an agent comes near it. It bounds the cost of reading an odd header.
const maxNamed = 50

// Named returns the request's cookies with that name, and none when the
// header contains the name too often.
//
// Only net/http parses cookie names. The __Host- prefix keeps other hosts from setting
// a cookie. It protects a name only if no second parser reads another name as the same:
// to browsers "\u2000__Host-x" is a name without a prefix.
func Named(r *http.Request, name string) []*http.Cookie {
	if n := count(r, name); n == 0 || n > maxNamed {
		return nil
	}
	return r.CookiesNamed(name)
}

// Crowded reports whether the header contains a name, or a prefix of several names, too
// often. Such a header is not read.
func Crowded(r *http.Request, name string) bool { return count(r, name) > maxNamed }

// count counts how often the header contains a name, up to one more than maxNamed.
func count(r *http.Request, name string) int {
	found := 0
	for _, line := range r.Header["Cookie"] {
		for at := strings.Index(line, name); at >= 0; at = strings.Index(line, name) {
			if found++; found > maxNamed {
				return found
			}
			line = line[at+len(name):]
		}
	}
	return found
}

// Value returns the value of a cookie. It returns "" if the cookie is missing, if its
// value is in quotes (we never set any), or if it is there twice: a neighbour planted
// one of the two.
func Value(r *http.Request, name string) string {
	if lines := r.Header["Cookie"]; len(lines) == 1 {
		if value, certain := plain(lines[0], name); certain {
			return value
		}
	}
	if cookies := Named(r, name); len(cookies) == 1 && !cookies[0].Quoted {
		return cookies[0].Value
	}
	return ""
}

// plain finds a cookie that is spelled exactly as this package sets it, if no other
// cookie can have that name. It saves each protected request the allocations of
// net/http. If it is not certain, net/http decides.
func plain(line, name string) (value string, certain bool) {
	end := 0
	for range maxNamed + 1 {
		i := strings.Index(line[end:], name)
		if i < 0 {
			return value, true
		}
		start := end + i
		end = start + len(name)
		if end < len(line) && isBase64URL(line[end:end+1]) {
			continue // of a longer name, or of a value
		}
		v, _, _ := strings.Cut(line[end:], ";")
		begins := start == 0 || strings.HasSuffix(line[:start], "; ")
		if value != "" || !begins || len(v) < 2 || v[0] != '=' || !isBase64URL(v[1:]) {
			return "", false
		}
		value = v[1:]
	}
	return "", true // crowded
}

// isBase64URL reports whether s has nothing but the letters of base64url.
func isBase64URL(s string) bool {
	for _, c := range []byte(s) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}

// Strip removes the cookies with these names from a request that is passed on. It
// removes similar names too: another server, with another parser, may read one of them
// as our cookie.
func Strip(r *http.Request, names []string) {
	var lines []string
	for _, line := range r.Header["Cookie"] {
		var kept []string
		for pair := range strings.SplitSeq(line, ";") {
			name, _, _ := strings.Cut(pair, "=")
			name = strings.TrimFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' })
			if name != "" && !slices.ContainsFunc(names, func(own string) bool { return strings.EqualFold(own, name) }) {
				kept = append(kept, strings.Trim(pair, " \t"))
			}
		}
		if len(kept) > 0 {
			lines = append(lines, strings.Join(kept, "; "))
		}
	}
	if len(lines) == 0 {
		r.Header.Del("Cookie")
		return
	}
	r.Header["Cookie"] = lines
}
