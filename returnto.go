package agentconnect

import (
	"net/http"
	"net/url"
	"strings"
)

// maxReturnTo bounds a return_to, escapes included: it travels in a cookie, of
// which browsers keep 4096 bytes.
const maxReturnTo = 2048

// localPage returns the Location that leads to the page target of this
// application, and false when target is not surely one.
//
// The danger is an open redirect: a Location that a browser resolves to
// another origin. By the WHATWG URL standard it does so for a scheme, for two
// slashes at the start, for a backslash wherever a slash may be, with tabs and
// newlines removed first. What is accepted is therefore little: one slash that
// starts a path without backslash, control character or dot segment (which a
// proxy or a router could resolve to two slashes at the start). Everything
// outside printable ASCII is percent-encoded, so that nothing is left to
// normalise.
func localPage(target string) (string, bool) {
	if !strings.HasPrefix(target, "/") || strings.HasPrefix(target, "//") || strings.ContainsFunc(target, isOddInPath) {
		return "", false
	}
	u, err := url.Parse(target)
	if err != nil {
		return "", false
	}
	for segment := range strings.SplitSeq(u.Path, "/") {
		if segment == "." || segment == ".." {
			return "", false
		}
	}
	// A backslash or a control character that hides behind an escape would
	// surface in an application that unescapes before it redirects.
	if strings.ContainsFunc(u.Path, isOddInPath) || strings.HasPrefix(u.Path, "//") {
		return "", false
	}
	location := percentEncode(target)
	return location, len(location) <= maxReturnTo
}

// isOddInPath reports whether r is a backslash or a control character.
func isOddInPath(r rune) bool { return r < ' ' || r == '\\' || r == 0x7f }

// percentEncode escapes the bytes that may not stand in a Location.
func percentEncode(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>^`{|}", c) >= 0 {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// returnTo returns the page to come back to after a login: target when it is a
// page of this application and none of our own routes (which would log in
// again, or out), otherwise the home page.
func (c *config) returnTo(target string) string {
	location, ok := localPage(target)
	if !ok {
		return c.homePath
	}
	path, _, _ := strings.Cut(location, "?")
	path, _, _ = strings.Cut(path, "#")
	if c.isOwnRoute(path) {
		return c.homePath
	}
	return location
}

// isOwnRoute reports whether an escaped path leads to one of our handlers. It
// is generous: escapes, letter case and a trailing slash make no difference,
// since routers differ about them.
func (c *config) isOwnRoute(escapedPath string) bool {
	path, err := url.PathUnescape(escapedPath)
	if err != nil {
		return true
	}
	path = strings.TrimRight(path, "/")
	for _, own := range []string{c.loginPath, c.logoutPath, urlPath(c.redirectURL), urlPath(c.postLogoutURL)} {
		if strings.EqualFold(path, strings.TrimRight(own, "/")) {
			return true
		}
	}
	return false
}

// requestTarget returns the path and query that the browser asked for. It is
// read from the request line, which http.StripPrefix and routers leave alone.
func requestTarget(r *http.Request) string {
	u, err := url.ParseRequestURI(r.RequestURI)
	if err != nil { // a request that no server received: httptest, a caller's own
		u = r.URL
	}
	return (&url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}).RequestURI()
}
