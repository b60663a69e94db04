// Package weburl says where a browser would go: which addresses are pages of the
// application that it is on, which lead to the same page, which host is this
// machine. It knows URLs as browsers and routers read them, and nothing of logins,
// settings or requests.
package weburl

import (
	"cmp"
	"net"
	"net/url"
	"path"
	"strings"
)

// MaxLocal bounds what [Local] accepts, escapes included: it travels in a cookie,
// of which browsers keep 4096 bytes.
const MaxLocal = 2048

// Local returns the Location that leads to the page target of the application, and
// false when target is not surely one.
//
// The danger is an open redirect: a Location that a browser resolves to another
// origin. By the WHATWG URL standard it does so for a scheme, for two slashes at the
// start, for a backslash wherever a slash may be, with tabs and newlines removed
// first. What is accepted is therefore little: one slash that starts a path without
// backslash, control character or dot segment, which a proxy or a router could
// resolve to two slashes at the start. Everything outside printable ASCII is
// percent-encoded, so that nothing is left to normalise.
func Local(target string) (location string, ok bool) {
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
	location = percentEncode(target)
	return location, len(location) <= MaxLocal
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

// maxUnescape is how many layers of escapes [SamePage] takes off: servers that take
// off more than one each are rare, and three of them in a row do not exist.
const maxUnescape = 3

// SamePage reports whether some router or proxy could take location, as [Local]
// returns it, for the page at the path page. It is generous, for use where the
// page is one to stay away from: escapes, letter case, repeated slashes, dot
// segments, and a slash at the end make no difference, since routers and proxies
// differ about them.
func SamePage(location, page string) bool {
	p, _, _ := strings.Cut(location, "?")
	p, _, _ = strings.Cut(p, "#")
	page = path.Clean("/" + page)
	for range maxUnescape {
		unescaped, err := url.PathUnescape(p)
		if err != nil {
			break
		}
		p = unescaped
		if strings.EqualFold(path.Clean("/"+p), page) {
			return true
		}
	}
	return false
}

// IsLoopback reports whether host can only be this machine (RFC 6761 section 6.3
// for the names, RFC 8252 section 7.3 for the addresses).
func IsLoopback(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	return net.ParseIP(host).IsLoopback() // nil, of what is no address, is none
}

// IsPagePath reports whether p is the path of a page, spelled in the one way that
// routers and browsers leave as it is.
func IsPagePath(p string) bool {
	clean := path.Clean(p)
	return strings.HasPrefix(p, "/") && (clean == p || clean+"/" == p && clean != "/") &&
		!strings.ContainsAny(p, "?#\\%") && IsPrintableASCII(p)
}

// Path returns the path that a browser asks for when it is sent to u.
func Path(u *url.URL) string { return cmp.Or(u.EscapedPath(), "/") }

// IsPrintableASCII reports whether s has nothing but visible ASCII characters.
func IsPrintableASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
