package agentconnect

import (
	"cmp"
	"net"
	"net/url"
	"path"
	"strings"
)

// absoluteURL parses a URL that is https, or http on a loopback host, and has
// neither fragment nor credentials. It returns nil after adding what is wrong.
func (p *problems) absoluteURL(option, raw string) *url.URL {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		// url.Parse's error quotes its input, which may hold credentials.
		p.add(option, "invalid", "it is not a URL")
	case u.User != nil:
		p.add(option, "invalid", "a URL here has no user name and no password")
	case u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		p.add(option, "invalid", "%s is not an absolute https URL", p.shown(raw))
	case strings.Contains(raw, "#"):
		p.add(option, "invalid", "%q has a fragment", raw)
	case !isPrintableASCII(raw) || strings.Contains(raw, "\\"):
		p.add(option, "invalid", "%q has a space, a backslash or a letter beyond ASCII", raw)
	case u.String() != raw:
		p.add(option, "invalid", "%q is written in an unusual way; %q says the same", raw, u.String())
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		p.add(option, "insecure", "%q is http; only a loopback address may do without https", raw)
	default:
		return u
	}
	return nil
}

// isLoopback reports whether host can only be this machine (RFC 6761 section
// 6.3 for the names, RFC 8252 section 7.3 for the addresses).
func isLoopback(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	return net.ParseIP(host).IsLoopback() // nil, of what is no address, is none
}

// redirectURL parses a registered URL. It returns nil after adding what is
// wrong.
func (p *problems) redirectURL(option, raw string, e Environment) *url.URL {
	if raw == "" {
		p.add(option, "missing", "give the URL exactly as it is registered with AgentConnect")
		return nil
	}
	u := p.absoluteURL(option, raw)
	if u == nil {
		return nil
	}
	if e.isProduction() && isLoopback(u.Hostname()) {
		p.add(option, "insecure", "%q is on this machine; AgentConnect's production accepts neither http nor localhost", raw)
	}
	if !isPagePath(urlPath(u)) {
		p.add(option, "invalid", "%q has a path with an escape, or with an empty, \".\" or \"..\" segment", raw)
		return nil
	}
	return u
}

// isPagePath reports whether p is the path of a page, spelled in the one way
// that routers and browsers leave as it is.
func isPagePath(p string) bool {
	clean := path.Clean(p)
	return strings.HasPrefix(p, "/") && (clean == p || clean+"/" == p && clean != "/") &&
		!strings.ContainsAny(p, "?#\\%") && isPrintableASCII(p)
}

// urlPath returns the path that a browser asks for when it is sent to u.
func urlPath(u *url.URL) string { return cmp.Or(u.EscapedPath(), "/") }

func isPrintableASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
