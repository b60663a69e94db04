package agentconnect

import (
	"net/url"
	"strings"

	"github.com/agentconnect-go/agentconnect/internal/weburl"
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
	case !weburl.IsPrintableASCII(raw) || strings.Contains(raw, "\\"):
		p.add(option, "invalid", "%q has a space, a backslash or a letter beyond ASCII", raw)
	case u.String() != raw:
		p.add(option, "invalid", "%q is written in an unusual way; %q says the same", raw, u.String())
	case u.Scheme == "http" && !weburl.IsLoopback(u.Hostname()):
		p.add(option, "insecure", "%q is http; only a loopback address may do without https", raw)
	default:
		return u
	}
	return nil
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
	if e.isProduction() && weburl.IsLoopback(u.Hostname()) {
		p.add(option, "insecure", "%q is on this machine; AgentConnect's production accepts neither http nor localhost", raw)
	}
	if !weburl.IsPagePath(weburl.Path(u)) {
		p.add(option, "invalid", "%q has a path with an escape, or with an empty, \".\" or \"..\" segment", raw)
		return nil
	}
	return u
}
