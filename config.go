package agentconnect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/mail"
	"net/url"
	"path"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
)

const (
	defaultLifetime   = 12 * time.Hour
	maxLifetime       = 31 * 24 * time.Hour
	minLifetime       = time.Minute
	minIdleTimeout    = 5 * time.Minute
	defaultCookieName = "agentconnect"
	minSealingKey     = 32
)

// A ConfigError is one problem of the options given to [New], which returns
// all of them joined (errors.Join): errors.As finds the first, and the Unwrap
// method of what New returns yields the list. It never contains a secret.
type ConfigError struct {
	// Option is the name of the option function, "WithRedirectURL"; where an
	// environment variable records the same setting, it follows in parentheses.
	Option string
	// Reason is "missing", "invalid", "insecure" or "conflict".
	Reason string
	// Detail says what is wrong and what is expected, in a sentence.
	Detail string
}

// Error returns "agentconnect: OPTION: REASON: DETAIL".
func (e *ConfigError) Error() string {
	return "agentconnect: " + e.Option + ": " + e.Reason + ": " + e.Detail
}

// config is what New made of the settings. Every field is valid and none
// changes after New.
type config struct {
	environment     Environment // "" with WithIssuer
	issuer          string
	clientID        string
	clientSecret    string
	previousSecrets []string
	redirectURL     *url.URL
	postLogoutURL   *url.URL
	loginPath       string
	logoutPath      string
	homePath        string
	scopes          []string
	idTokenAlg      Alg
	userinfoAlg     Alg
	level           requirements
	cookieName      string // with the __Host- prefix where it applies
	secureCookies   bool
	sessionStore    scs.Store
	sessionLifetime time.Duration
	sessionIdle     time.Duration  // 0: none
	midnight        *time.Location // nil: sessions do not end at midnight
	httpClient      *http.Client
	logger          *slog.Logger
	errorHandler    ErrorHandler // nil: ServeError
	loginHook       LoginHook    // nil: everybody is accepted
	logoutHook      LogoutHook
	events          func(context.Context, Event)
	loginParameters []string
	askAMR          bool
	keepTokens      bool
	revokeAtLogout  bool
	sealingKeys     []string // of session records; none: they are not sealed
	supportContact  string
	pageTemplate    *template.Template
	pageStyle       string
	now             func() time.Time
}

// problems collects what is wrong with the settings.
type problems struct {
	errs    []error
	secrets []string
}

func (p *problems) add(option, reason, format string, args ...any) {
	for i, arg := range args {
		args[i] = p.redact(arg)
	}
	p.errs = append(p.errs, &ConfigError{Option: option, Reason: reason, Detail: fmt.Sprintf(format, args...)})
}

// redact takes the secrets out of what a detail quotes: before it is quoted,
// which could escape them.
func (p *problems) redact(arg any) any {
	switch a := arg.(type) {
	case string:
		for _, secret := range p.secrets {
			a = strings.ReplaceAll(a, secret, "[redacted]")
		}
		return a
	case error:
		return p.redact(a.Error())
	}
	return arg
}

// shown quotes a value that is not what belongs there.
func (p *problems) shown(value string) string {
	return quoteShort(fmt.Sprint(p.redact(value)))
}

// quoteShort quotes a value that may be a typing error, or the client secret in
// the wrong place: it shows no more than 16 bytes, and AgentConnect's secrets have
// 64 characters.
func quoteShort(value string) string {
	if len(value) > 16 {
		return fmt.Sprintf("the value of %d bytes", len(value))
	}
	return fmt.Sprintf("%q", value)
}

// Where the operator finds a setting that the environment can give.
const (
	optEnvironment = "WithEnvironment (AGENTCONNECT_ENVIRONMENT)"
	optIssuer      = "WithIssuer (AGENTCONNECT_ISSUER)"
	optClientID    = "WithClient (AGENTCONNECT_CLIENT_ID)"
	optSecret      = "WithClient (AGENTCONNECT_CLIENT_SECRET)"
	optRedirect    = "WithRedirectURL (AGENTCONNECT_REDIRECT_URL)"
	optPostLogout  = "WithPostLogoutRedirectURL (AGENTCONNECT_POST_LOGOUT_REDIRECT_URL)"
	optScopes      = "WithScopes (AGENTCONNECT_SCOPES)"
	optIDTokenAlg  = "WithIDTokenAlg (AGENTCONNECT_ID_TOKEN_ALG)"
	optUserinfoAlg = "WithUserinfoAlg (AGENTCONNECT_USERINFO_ALG)"
)

// configure validates what the options recorded and fills in the defaults. It
// talks to nobody.
func configure(opts []Option) (*config, error) {
	s := settings{
		scopes:          DefaultScopes(),
		idTokenAlg:      RS256,
		cookieName:      defaultCookieName,
		sessionLifetime: defaultLifetime,
		httpClient:      newHTTPClient(),
		logger:          slog.Default(),
		now:             time.Now,
	}
	var p problems
	for i, opt := range opts {
		if opt == nil {
			p.add(fmt.Sprintf("option %d", i+1), "missing", "it is nil")
			continue
		}
		opt(&s)
	}
	for _, secret := range append([]string{s.clientSecret}, s.previousSecrets...) {
		if secret = strings.TrimSpace(secret); secret != "" {
			p.secrets = append(p.secrets, secret)
		}
	}

	issuer := p.issuer(&s)
	rules := environmentOf(issuer) // also when WithIssuer names one of theirs

	c := &config{
		environment:     s.environment,
		issuer:          issuer,
		clientID:        s.clientID,
		clientSecret:    s.clientSecret,
		previousSecrets: s.previousSecrets,
		redirectURL:     p.redirectURL(optRedirect, s.redirectURL, rules),
		postLogoutURL:   p.redirectURL(optPostLogout, s.postLogoutRedirectURL, rules),
		homePath:        cmp.Or(s.homePath, "/"),
		scopes:          p.scopes(s.scopes),
		idTokenAlg:      s.idTokenAlg,
		userinfoAlg:     cmp.Or(s.userinfoAlg, s.idTokenAlg),
		level:           s.level,
		sessionStore:    s.sessionStore,
		sessionLifetime: s.sessionLifetime,
		sessionIdle:     s.sessionIdle,
		httpClient:      s.httpClient,
		logger:          s.logger,
		errorHandler:    s.errorHandler,
		loginHook:       s.loginHook,
		logoutHook:      s.logoutHook,
		events:          s.events,
		loginParameters: slices.Clone(s.loginParameters),
		askAMR:          s.askAMR,
		keepTokens:      s.keepTokens,
		revokeAtLogout:  s.revokeAtLogout,
		supportContact:  s.supportContact,
		pageTemplate:    defaultPageTemplate,
		pageStyle:       defaultPageStyle,
		now:             s.now,
	}
	p.client(c)
	p.paths(c, &s)
	p.algs(c, &s)
	p.session(c, &s)
	p.hooks(c, &s)
	p.pages(c, &s)
	p.notForNew(&s)

	if len(p.errs) > 0 {
		return nil, errors.Join(p.errs...)
	}
	if !s.sessionStoreGiven {
		c.sessionStore = memstore.New() // only now: it starts a goroutine
	}
	c.secureCookies = c.redirectURL.Scheme == "https"
	c.cookieName = s.cookieName
	if c.secureCookies {
		c.cookieName = "__Host-" + s.cookieName
	}
	return c, nil
}

func (p *problems) issuer(s *settings) string {
	switch {
	case s.environment == "" && s.issuer == "":
		p.add(optEnvironment, "missing", "say which AgentConnect to log in with: integration, production, integration-rie or production-rie (or give WithIssuer, AGENTCONNECT_ISSUER)")
		return ""
	case s.environment != "" && s.issuer != "":
		p.add(optIssuer, "conflict", "an issuer and an environment are both given; keep one")
		return ""
	case s.environment != "":
		issuer := s.environment.Issuer()
		if issuer == "" {
			p.add(optEnvironment, "invalid", "%s is not one of integration, production, integration-rie, production-rie", p.shown(string(s.environment)))
		}
		return issuer
	}
	if u := p.absoluteURL(optIssuer, s.issuer); u != nil && (u.RawQuery != "" || u.ForceQuery) {
		p.add(optIssuer, "invalid", "an issuer has no query")
	}
	return s.issuer
}

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
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
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

func (p *problems) client(c *config) {
	if c.clientID == "" {
		p.add(optClientID, "missing", "give the client_id that AgentConnect handed out")
	}
	if c.clientSecret == "" {
		p.add(optSecret, "missing", "give the client_secret that AgentConnect handed out")
	}
	for _, f := range []struct{ option, value string }{{optClientID, c.clientID}, {optSecret, c.clientSecret}} {
		if strings.TrimSpace(f.value) != f.value {
			p.add(f.option, "invalid", "the value begins or ends with white space")
		}
	}
	if slices.Contains(c.previousSecrets, "") {
		p.add("WithPreviousClientSecrets", "invalid", "one of the secrets is empty")
	}
}

func (p *problems) scopes(scopes []string) []string {
	if !slices.Contains(scopes, "openid") {
		p.add(optScopes, "missing", "openid must be among the scopes (OpenID Connect Core 1.0, section 3.1.2.1)")
	}
	for i, scope := range scopes {
		switch {
		case scope == "" || strings.ContainsFunc(scope, func(r rune) bool { return r <= ' ' || r == '"' || r == '\\' || r > '~' }):
			p.add(optScopes, "invalid", "%s is not a scope (RFC 6749, section 3.3)", p.shown(scope))
		case slices.Contains(scopes[:i], scope):
			p.add(optScopes, "invalid", "%s is there twice", p.shown(scope))
		}
	}
	return slices.Clone(scopes)
}

// paths fills in the paths of the login and the logout, and checks that the
// routes are distinct.
func (p *problems) paths(c *config, s *settings) {
	c.loginPath, c.logoutPath = s.loginPath, s.logoutPath
	type route struct{ option, path string }
	var routes []route
	if c.redirectURL != nil {
		beside := path.Dir(strings.TrimSuffix(urlPath(c.redirectURL), "/"))
		c.loginPath = cmp.Or(s.loginPath, path.Join("/", beside, "login"))
		c.logoutPath = cmp.Or(s.logoutPath, path.Join("/", beside, "logout"))
		routes = append(routes, route{optRedirect, urlPath(c.redirectURL)})
	}
	if c.postLogoutURL != nil {
		routes = append(routes, route{optPostLogout, urlPath(c.postLogoutURL)})
	}
	if c.loginPath != "" {
		routes = append(routes, route{"WithLoginPath", c.loginPath})
	}
	if c.logoutPath != "" {
		routes = append(routes, route{"WithLogoutPath", c.logoutPath})
	}
	routes = append(routes, route{"WithHomePath", c.homePath})
	for i, r := range routes {
		if !isPagePath(r.path) {
			p.add(r.option, "invalid", "%s is not the path of a page: it begins with /, has no empty or dot segment, no query, no escape", p.shown(r.path))
			continue
		}
		for _, other := range routes[:i] {
			if r.path == other.path {
				p.add(r.option, "conflict", "the path %s is also that of %s", r.path, other.option)
			}
		}
	}
}

// urlPath returns the path that a browser asks for when it is sent to u.
func urlPath(u *url.URL) string { return cmp.Or(u.EscapedPath(), "/") }

func isPrintableASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

func (p *problems) algs(c *config, s *settings) {
	signing := []Alg{RS256, ES256, HS256}
	if !slices.Contains(signing, c.idTokenAlg) {
		p.add(optIDTokenAlg, "invalid", "%s is not one of RS256, ES256, HS256", p.shown(string(c.idTokenAlg)))
	}
	// One that was not given follows the ID token's.
	if alg := s.userinfoAlg; alg != "" && alg != Unsigned && !slices.Contains(signing, alg) {
		p.add(optUserinfoAlg, "invalid", "%s is not one of RS256, ES256, HS256, none", p.shown(string(alg)))
	}
}

func (p *problems) session(c *config, s *settings) {
	if s.sessionStoreGiven && isNil(s.sessionStore) {
		p.add("WithSessionStore", "missing", "the store is nil")
	}
	if s.sessionLifetime < minLifetime || s.sessionLifetime > maxLifetime {
		p.add("WithSessionLifetime", "invalid", "%v is not between %v and %v", s.sessionLifetime, minLifetime, maxLifetime)
	}
	if s.sessionIdle != 0 && (s.sessionIdle < minIdleTimeout || s.sessionIdle > s.sessionLifetime) {
		p.add("WithIdleTimeout", "invalid", "%v is not between %v and the session's lifetime, %v", s.sessionIdle, minIdleTimeout, s.sessionLifetime)
	}
	if s.sealedGiven && len(s.sealingKeys) == 0 {
		p.add("WithSealedSessions", "missing", "give at least one key")
	}
	for _, key := range s.sealingKeys {
		if len(key) < minSealingKey {
			p.add("WithSealedSessions", "insecure", "a key has %d bytes; give %d random ones", len(key), minSealingKey)
		}
		c.sealingKeys = append(c.sealingKeys, string(key))
	}
	if s.revokeAtLogout && !s.keepTokens {
		p.add("WithRevocationAtLogout", "conflict", "there is nothing to revoke without WithTokens")
	}
	if s.endAtMidnight {
		paris, err := time.LoadLocation("Europe/Paris")
		if err != nil {
			p.add("WithSessionEndAtMidnight", "invalid", "this system knows no time zones; import _ \"time/tzdata\"")
		}
		c.midnight = paris
	}
	if s.cookieName == "" || strings.Trim(s.cookieName, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
		p.add("WithCookieName", "invalid", "%s is not made of letters, digits, '-' and '_'", p.shown(s.cookieName))
	}
}

func (p *problems) hooks(c *config, s *settings) {
	if s.httpClient == nil {
		p.add("WithHTTPClient", "missing", "the client is nil")
	}
	if s.logger == nil {
		p.add("WithLogger", "missing", "the logger is nil; slog.New(slog.DiscardHandler) logs nothing")
	}
	if s.errorHandlerGiven && s.errorHandler == nil {
		p.add("WithErrorHandler", "missing", "the function is nil")
	}
	if s.loginHookGiven && s.loginHook == nil {
		p.add("WithLoginHook", "missing", "the function is nil, and would let everybody in")
	}
	if _, err := c.level.acceptedACR(); err != nil {
		p.add("WithLevel", "conflict", "%v", err)
	}
	hints := (&loginRequest{}).hints()
	for _, name := range s.loginParameters {
		if hints[name] == nil {
			p.add("WithLoginParameters", "invalid", "%q is not one of login_hint, idp_hint, siret_hint, prompt", name)
		}
	}
	if contact := s.supportContact; contact != "" {
		address, mailErr := mail.ParseAddress(contact)
		u, urlErr := url.Parse(contact)
		isMail := mailErr == nil && address.Address == contact // and no name with it
		if !isMail && (urlErr != nil || u.Scheme != "https" || u.Host == "") {
			p.add("WithSupportContact", "invalid", "%s is neither an e-mail address nor an https URL", p.shown(contact))
		}
	}
}

// pages takes the application's template, if it has one that works.
func (p *problems) pages(c *config, s *settings) {
	if !s.pageTemplateGiven {
		return
	}
	if s.pageTemplate == nil {
		p.add("WithPageTemplate", "missing", "the template is nil")
		return
	}
	for _, sample := range []*Page{{Login: "/", Reasons: []string{""}, Support: &PageSupport{Contact: "a@b.example"}}, {PostTo: "/"}} {
		if err := s.pageTemplate.Execute(io.Discard, sample); err != nil {
			p.add("WithPageTemplate", "invalid", "%v", err)
			return
		}
	}
	c.pageTemplate, c.pageStyle = s.pageTemplate, s.pageStyle
}

// isNil reports whether a store is nil or a nil pointer in an interface.
func isNil(store scs.Store) bool {
	if store == nil {
		return true
	}
	v := reflect.ValueOf(store)
	return v.Kind() == reflect.Pointer && v.IsNil()
}

// secrets returns the client secrets, the current one first.
func (c *config) secrets() []string {
	return append([]string{c.clientSecret}, c.previousSecrets...)
}

// purpose names the use of a key derived from the client secret, so that no
// two registrations share one.
func (c *config) purpose(use string) string {
	return use + "\x00" + c.issuer + "\x00" + c.clientID
}
