// Package weburl knows where a browser goes: which addresses are pages of the
// application, which lead to the same page, and which hosts are this machine. It reads
// URLs as browsers and routers do, and knows nothing about logins, settings or
// requests.
package weburl

import (
	"cmp"
	"net"
	"net/url"
	"path"
	"strings"
)

// MaxLocal bounds the pages that [Local] accepts, escapes included: the page is kept in
// a cookie, and browsers keep 4096 bytes of a cookie.
const MaxLocal = 2048

// Local returns the Location of the page target of the application. It returns false if
// target may lead elsewhere.
//
// The danger is an open redirect: a Location that a browser resolves to another origin.
// By the WHATWG URL standard, a scheme or two slashes at the start do that. A backslash
// counts as a slash, and tabs and newlines are removed first. So Local only accepts one
// slash followed by a path without backslashes, control characters and dot segments: a
// proxy or a router could resolve dot segments to two slashes at the start. Characters
// outside printable ASCII are percent-encoded, so that nothing is left to normalise.
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

// maxUnescape is how many layers of escapes [SamePage] removes. Few servers remove more
// than one layer, and no chain has three of them.
const maxUnescape = 3

// SamePage reports whether a router or a proxy could read location, as [Local] returns
// it, as the page at the path page. It is for pages that must be avoided, so it finds
// too many rather than too few: it ignores escapes, letter case, repeated slashes, dot
// segments and a slash at the end, because routers and proxies differ about them.
func SamePage(location, page string) bool {
	p, _, _ := strings.Cut(location, "?")
	p, _, _ = strings.Cut(p, "#")
	page = path.Clean(page)
	for range maxUnescape {
		unescaped, err := url.PathUnescape(p)
		if err != nil {
			break
		}
		p = unescaped
		if strings.EqualFold(path.Clean(p), page) {
			return true
		}
	}
	return false
}

// IsLoopback reports whether host is always this machine (RFC 6761 section 6.3 for the
// names, RFC 8252 section 7.3 for the addresses).
func IsLoopback(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	return net.ParseIP(host).IsLoopback() // ParseIP returns nil for a name, which is not loopback
}

// IsPagePath reports whether p is the path of a page that routers and browsers leave
// unchanged.
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
