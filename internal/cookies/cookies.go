// Package cookies sets and reads cookies: one place for the attributes of all that we
// set, and for what of a Cookie header is ours. It knows nothing of what they hold.
package cookies

import (
	"net/http"
	"slices"
	"strings"
)

// New returns a cookie with the attributes of ours. The session's own is written by
// scs with the same ones. Path=/ and Secure
// are what the __Host- prefix demands (RFC 6265bis section 4.1.3.2).
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

// maxNamed is how often a Cookie header may contain the name of a cookie of ours:
// more often than any browser of an agent does. It bounds what reading an odd
// header costs.
const maxNamed = 50

// Named returns the request's cookies with that name, and none when the
// header contains the name too often.
//
// What is a cookie's name is for net/http to say, and for nobody else: the
// __Host- prefix, which keeps other hosts from setting a cookie, protects a name
// only as long as no second parser takes another name for the same. To browsers
// "\u2000__Host-x" is a name without a prefix.
func Named(r *http.Request, name string) []*http.Cookie {
	if n := count(r, name); n == 0 || n > maxNamed {
		return nil
	}
	return r.CookiesNamed(name)
}

// Crowded reports whether the header contains a name, or the beginning of several,
// too often: then nothing in it is worth the time.
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

// Value returns the value of a cookie, and "" when it is missing, in quotes,
// which we never set, or there twice: one of two was planted by a neighbour.
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

// plain finds a cookie that is spelled to the byte as this package sets it,
// and is certain that there is no other one of the name. It saves every protected
// request what net/http allocates; where it is not certain, net/http decides.
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

// Strip takes the cookies with the names out of a request that is passed on. It is
// generous: another server, with another parser, might take for one of ours what is
// none to us.
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
