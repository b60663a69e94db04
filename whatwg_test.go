package agentconnect_test

import (
	"net/url"
	"strings"
	"testing"
)

// A whatwgURL is what a browser makes of a Location.
type whatwgURL struct {
	scheme, host string
	path         []string // its segments, dot segments resolved
	query        string
	fragment     string
}

// origin returns scheme://host.
func (u whatwgURL) origin() string { return u.scheme + "://" + u.host }

// pathname returns the path.
func (u whatwgURL) pathname() string { return "/" + strings.Join(u.path, "/") }

// resolveWHATWG resolves input against a base of a special scheme, as the URL
// Standard's basic URL parser (url.spec.whatwg.org, section 4.4) has a browser do
// it. It is written from the standard alone and shares nothing with net/url. Of
// hosts it only lower-cases and percent-decodes: what it is for is to tell our own
// from any other.
func resolveWHATWG(base whatwgURL, input string) whatwgURL {
	input = strings.TrimFunc(input, func(r rune) bool { return r <= ' ' }) // C0 control or space
	input = strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' || r == '\r' {
			return -1
		}
		return r
	}, input)
	input, fragment, _ := strings.Cut(input, "#")

	rest := input
	scheme := base.scheme
	if s, after, ok := cutScheme(input); ok {
		switch {
		case s == base.scheme && !startsWithSlashes(after, 2):
			rest = after // special relative: "https:/path", "https:path"
		case isSpecialScheme(s):
			return parseAuthority(whatwgURL{scheme: s, fragment: fragment}, strings.TrimLeft(after, `/\`))
		default:
			return whatwgURL{scheme: s, host: "opaque", fragment: fragment}
		}
		scheme = s
	}
	if startsWithSlashes(rest, 2) {
		return parseAuthority(whatwgURL{scheme: scheme, fragment: fragment}, strings.TrimLeft(rest, `/\`))
	}
	u := whatwgURL{scheme: base.scheme, host: base.host, fragment: fragment}
	path, query, hasQuery := strings.Cut(rest, "?")
	switch {
	case path == "" && !hasQuery:
		u.path, u.query = base.path, base.query
	case path == "":
		u.path, u.query = base.path, query
	case startsWithSlashes(path, 1):
		u.path, u.query = resolvePath(nil, path[1:]), query
	default:
		u.path, u.query = resolvePath(base.path[:max(0, len(base.path)-1)], path), query
	}
	return u
}

// cutScheme splits off a scheme, in lower case.
func cutScheme(s string) (scheme, after string, ok bool) {
	for i, c := range []byte(s) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		switch {
		case c == ':' && i > 0:
			return strings.ToLower(s[:i]), s[i+1:], true
		case letter, i > 0 && (c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.'):
		default:
			return "", "", false
		}
	}
	return "", "", false
}

func isSpecialScheme(s string) bool {
	switch s {
	case "http", "https", "ws", "wss", "ftp", "file":
		return true
	}
	return false
}

// startsWithSlashes reports whether s begins with n slashes or backslashes,
// which a browser takes for the same where the scheme is special.
func startsWithSlashes(s string, n int) bool {
	if len(s) < n {
		return false
	}
	return strings.Trim(s[:n], `/\`) == ""
}

func parseAuthority(u whatwgURL, rest string) whatwgURL {
	end := strings.IndexAny(rest, `/\?`)
	if end < 0 {
		end = len(rest)
	}
	authority, rest := rest[:end], rest[end:]
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		authority = authority[at+1:]
	}
	if decoded, err := url.PathUnescape(authority); err == nil {
		authority = decoded
	}
	u.host = strings.ToLower(authority)
	path, query, _ := strings.Cut(rest, "?")
	if path != "" {
		path = path[1:]
	}
	u.path, u.query = resolvePath(nil, path), query
	return u
}

// resolvePath appends the segments of path to the ones before.
func resolvePath(before []string, path string) []string {
	segments := append([]string{}, before...)
	all := strings.Split(strings.ReplaceAll(path, `\`, "/"), "/")
	for i, segment := range all {
		last := i == len(all)-1
		switch strings.ReplaceAll(strings.ToLower(segment), "%2e", ".") {
		case "..":
			segments = segments[:max(0, len(segments)-1)]
			if last {
				segments = append(segments, "")
			}
		case ".":
			if last {
				segments = append(segments, "")
			}
		default:
			segments = append(segments, segment)
		}
	}
	return segments
}

func TestResolveWHATWG(t *testing.T) {
	t.Parallel()
	base := whatwgURL{scheme: "https", host: "app.example", path: []string{"a", "callback"}}
	for _, tt := range []struct{ input, origin, pathname string }{
		{"/x/y?q#f", "https://app.example", "/x/y"},
		{"x", "https://app.example", "/a/x"},
		{"", "https://app.example", "/a/callback"},
		{"//evil.example/x", "https://evil.example", "/x"},
		{`/\evil.example`, "https://evil.example", "/"},
		{`\\evil.example`, "https://evil.example", "/"},
		{"/\t/evil.example", "https://evil.example", "/"},
		{" \x01//evil.example", "https://evil.example", "/"},
		{"https:/x", "https://app.example", "/x"},
		{"https:x", "https://app.example", "/a/x"},
		{"https:/\\evil.example", "https://evil.example", "/"},
		{"http:/x/y", "http://x", "/y"},
		{"HTTPS:///evil.example", "https://evil.example", "/"},
		{"javascript:alert(1)", "javascript://opaque", "/"},
		{"data:text/html,x", "data://opaque", "/"},
		{"https://app.example@evil.example/", "https://evil.example", "/"},
		{"https://evil.example\\@app.example/", "https://evil.example", "/@app.example/"},
		{"/x/../../y/./z/%2e%2E/w", "https://app.example", "/y/w"},
		{"/x/..", "https://app.example", "/"},
		{"/x//y", "https://app.example", "/x//y"},
	} {
		got := resolveWHATWG(base, tt.input)
		if got.origin() != tt.origin || got.pathname() != tt.pathname {
			t.Errorf("%q: got %s and %q, want %s and %q", tt.input, got.origin(), got.pathname(), tt.origin, tt.pathname)
		}
	}
}
