package settings

import (
	"log/slog"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/email"
	"github.com/agentconnect-go/agentconnect/internal/weburl"
)

// The values that an algorithm can have.
const (
	signatures = "RS256, ES256, HS256"
	unsigned   = "none"
)

// metadataPath follows the issuer in the address of its metadata (OpenID Connect
// Discovery 1.0 section 4).
const metadataPath = "/.well-known/openid-configuration"

// Issuer checks the environment and the issuer, of which exactly one must be given, and
// returns the issuer.
func (p *Problems) Issuer(environment, issuer string) string {
	switch {
	case environment == "" && issuer == "":
		p.Add(Environment.Option(), "missing", "choose one: integration, production, integration-rie or production-rie (or give WithIssuer, PROCONNECT_ISSUER)")
	case environment != "" && issuer != "":
		p.Add(Issuer.Option(), "conflict", "an issuer and an environment are both given; keep one")
	case environment != "":
		if issuer = IssuerOf(environment); issuer == "" {
			p.Add(Environment.Option(), "invalid", "%s is not one of integration, production, integration-rie, production-rie", p.shown(environment))
		}
	default:
		switch u := p.absoluteURL(Issuer.Option(), issuer); {
		case u == nil:
		case u.RawQuery != "" || u.ForceQuery:
			p.Add(Issuer.Option(), "invalid", "an issuer has no query")
		case strings.HasSuffix(u.Path, metadataPath):
			p.Add(Issuer.Option(), "invalid", "%q is the address of the metadata; give the part before %s", issuer, metadataPath)
		}
	}
	return issuer
}

// Client checks the credentials of a registration. user is its owner: "this API".
func (p *Problems) Client(id, secret, user string) {
	for _, f := range []struct {
		option, value, name string
	}{{ClientID.Option(), id, "client_id"}, {ClientSecret.Option(), secret, "client_secret"}} {
		switch {
		case f.value == "":
			p.Add(f.option, "missing", "give the %s that ProConnect handed out to %s", f.name, user)
		case strings.TrimSpace(f.value) != f.value:
			p.Add(f.option, "invalid", "the value begins or ends with white space")
		case isQuoted(f.value):
			p.Add(f.option, "invalid", "the value is between quotes; remove them")
		}
	}
}

// isQuoted reports whether a value is between quotes. A shell removes them, but a file of
// variables for a container or for systemd may keep them.
func isQuoted(value string) bool {
	return len(value) > 1 && value[0] == value[len(value)-1] && strings.Contains(`"'`, value[:1])
}

// Calls checks the HTTP client, the logger and the error handler.
func (p *Problems) Calls(client *http.Client, logger *slog.Logger, hasErrorHandler bool) {
	p.Want(client != nil, "WithHTTPClient", "the client is nil")
	p.Want(logger != nil, "WithLogger", "the logger is nil; slog.New(slog.DiscardHandler) logs nothing")
	p.Want(hasErrorHandler, "WithErrorHandler", "the function is nil")
}

// Want adds a problem if a setting is not given.
func (p *Problems) Want(given bool, option, detail string) {
	if !given {
		p.Add(option, "missing", "%s", detail)
	}
}

// IsNil reports whether the value of an interface is nil, or a nil pointer.
func IsNil(value any) bool {
	v := reflect.ValueOf(value)
	return value == nil || v.Kind() == reflect.Pointer && v.IsNil()
}

// Between judges a duration.
func (p *Problems) Between(option string, d, shortest, longest time.Duration) {
	if d < shortest || d > longest {
		p.Add(option, "invalid", "%v is not between %v and %v", d, shortest, longest)
	}
}

// absoluteURL parses a URL that is https, or http on a loopback host, and has neither
// fragment nor credentials. For any other it adds a problem and returns nil.
func (p *Problems) absoluteURL(option, raw string) *url.URL {
	u, err := url.Parse(raw)
	switch {
	case isQuoted(raw):
		p.Add(option, "invalid", "the value is between quotes; remove them")
	case err != nil:
		// url.Parse's error quotes its input, which may contain credentials.
		p.Add(option, "invalid", "it is not a URL")
	case u.User != nil:
		p.Add(option, "invalid", "a URL here has no user name and no password")
	case u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		p.Add(option, "invalid", "%s is not an absolute https URL", p.shown(raw))
	case strings.Contains(raw, "#"):
		p.Add(option, "invalid", "%q has a fragment", raw)
	case !weburl.IsPrintableASCII(raw) || strings.Contains(raw, "\\"):
		p.Add(option, "invalid", "%q has a space, a backslash or a letter beyond ASCII", raw)
	case u.String() != raw:
		p.Add(option, "invalid", "%q is written in an unusual way; %q says the same", raw, u.String())
	case u.Scheme == "http" && !weburl.IsLoopback(u.Hostname()):
		p.Add(option, "insecure", "%q is http; only a loopback address may do without https", raw)
	default:
		return u
	}
	return nil
}

// RegisteredURL parses a URL of the application that is registered with an environment;
// "" is another provider. If the URL is wrong, it adds a problem and returns nil.
func (p *Problems) RegisteredURL(v Variable, raw, environment string) *url.URL {
	option := v.Option()
	if raw == "" {
		p.Add(option, "missing", "give the URL exactly as it is registered with ProConnect")
		return nil
	}
	u := p.absoluteURL(option, raw)
	if u == nil {
		return nil
	}
	if IsProduction(environment) && weburl.IsLoopback(u.Hostname()) {
		p.Add(option, "insecure", "%q is on this machine; ProConnect's production accepts neither http nor localhost", raw)
	}
	if !weburl.IsPagePath(weburl.Path(u)) {
		p.Add(option, "invalid", "%q has a path with an escape, or with an empty, \".\" or \"..\" segment", raw)
		return nil
	}
	return u
}

// A Route is the path of one of our pages, with the option that sets it.
type Route struct{ Option, Path string }

// Routes checks paths, which must all differ.
func (p *Problems) Routes(routes ...Route) {
	for i, r := range routes {
		if !weburl.IsPagePath(r.Path) {
			p.Add(r.Option, "invalid", "%s is not the path of a page: it begins with /, has no empty or dot segment, no query, no escape", p.shown(r.Path))
			continue
		}
		for _, other := range routes[:i] {
			if r.Path == other.Path {
				p.Add(r.Option, "conflict", "the path %s is also that of %s", r.Path, other.Option)
			}
		}
	}
}

// Scopes checks the scopes of logins.
func (p *Problems) Scopes(scopes []string) {
	option := Scopes.Option()
	if !slices.Contains(scopes, "openid") {
		p.Add(option, "missing", "openid must be among the scopes (OpenID Connect Core 1.0, section 3.1.2.1)")
	}
	for i, scope := range scopes {
		switch {
		case !IsScope(scope):
			p.Add(option, "invalid", "%s is not a scope (RFC 6749, section 3.3)", p.shown(scope))
		case slices.Contains(scopes[:i], scope):
			p.Add(option, "invalid", "%s is there twice", p.shown(scope))
		}
	}
}

// IsScope reports whether s is a scope-token (RFC 6749 section 3.3).
func IsScope(s string) bool {
	return s != "" && weburl.IsPrintableASCII(s) && !strings.ContainsAny(s, `"\`)
}

// Alg checks the algorithm of a signature.
func (p *Problems) Alg(option, alg string) { p.oneOf(option, alg, signatures) }

// AlgOrNone checks the algorithm of an answer that need not be signed.
func (p *Problems) AlgOrNone(option, alg string) { p.oneOf(option, alg, signatures+", "+unsigned) }

func (p *Problems) oneOf(option, value, accepted string) {
	if !slices.Contains(strings.Split(accepted, ", "), value) {
		p.Add(option, "invalid", "%s is not one of %s", p.shown(value), accepted)
	}
}

// maxCookieName bounds the stem of the cookies' names, so that all of them together
// stay under 8,000 bytes.
const maxCookieName = 32

// CookieName checks the stem of the cookies' names.
func (p *Problems) CookieName(option, name string) {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	if name == "" || strings.Trim(name, letters) != "" {
		p.Add(option, "invalid", "%s is not made of letters, digits, '-' and '_'", p.shown(name))
	}
	if len(name) > maxCookieName {
		p.Add(option, "invalid", "the name has %d letters, of %d at most: the names of all cookies begin with it", len(name), maxCookieName)
	}
}

// SupportContact checks the contact for agents; "" is none.
func (p *Problems) SupportContact(contact string) {
	u, err := url.Parse(contact)
	if contact != "" && !email.Valid(contact) && (err != nil || u.Scheme != "https" || u.Host == "") {
		p.Add("WithSupportContact", "invalid", "%s is neither an e-mail address nor an https URL", p.shown(contact))
	}
}
