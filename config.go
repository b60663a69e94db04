package agentconnect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/email"
	"github.com/agentconnect-go/agentconnect/internal/provider"
	"github.com/agentconnect-go/agentconnect/internal/weburl"
	"github.com/agentconnect-go/agentconnect/internal/wording"
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

// config is the settings. [Option]s record into the first part what they are
// given, over the defaults; validate makes the second part. Nothing changes after
// that.
type config struct {
	environment           Environment // "" with WithIssuer
	issuer                string      // validate sets that of the environment
	clientID              string
	clientSecret          string
	otherSecrets          []string
	redirectURI           string // as it was given; see redirectURL
	postLogoutRedirectURI string
	loginPath             string // validate sets the default of these two
	logoutPath            string
	homePath              string
	loggedOutPath         string // validate sets the home path where there is none
	scopes                []string
	idTokenAlg            Alg
	userinfoAlg           Alg // validate sets the ID token's where there is none
	level                 requirements
	cookieName            string // validate adds the __Host- prefix where it applies
	otherCookieNames      []string
	sessionStore          scs.Store
	sessionLifetime       time.Duration
	sessionIdle           time.Duration // 0: none
	endAtMidnight         bool
	sealingKeys           []string // of session records; nil: they are not sealed
	keepTokens            bool
	revokeAtLogout        bool
	httpClient            *http.Client
	logger                *slog.Logger
	errorHandler          ErrorHandler
	loginHook             LoginHook
	logoutHook            LogoutHook
	events                func(context.Context, Event)
	loginParameters       []string
	askAMR                bool
	supportContact        string
	serviceName           string
	brand                 wording.Brand
	pageTemplate          *template.Template
	pageStyle             string
	now                   func() time.Time
	ambiguous             []ambiguous

	redirectURL   *url.URL
	postLogoutURL *url.URL
	secureCookies bool           // the redirect URL is https
	acr           []string       // that every login must have one of; nil: any
	midnight      *time.Location // whose midnight ends sessions; nil: none does
}

// ambiguous is a variable of the environment with another value under each of
// its names.
type ambiguous struct{ option, name, former string }

// unsetStore stands for the memory store while options are read, since a memory
// store starts a goroutine.
type unsetStore struct{ scs.Store }

// newConfig returns the defaults. The error handler's is the caller's method.
func newConfig(serveError ErrorHandler) *config {
	return &config{
		homePath:        "/",
		scopes:          DefaultScopes(),
		idTokenAlg:      RS256,
		cookieName:      defaultCookieName,
		sessionStore:    unsetStore{},
		sessionLifetime: defaultLifetime,
		httpClient:      &http.Client{},
		logger:          slog.Default(),
		errorHandler:    serveError,
		loginHook:       func(context.Context, *Login) error { return nil },
		logoutHook:      func(context.Context, *Logout) {},
		events:          func(context.Context, Event) {},
		brand:           wording.ProConnect,
		pageTemplate:    defaultPageTemplate,
		pageStyle:       defaultPageStyle,
		now:             time.Now,
	}
}

// record applies the options.
func (c *config) record(p *problems, opts []Option) {
	for i, opt := range opts {
		if opt == nil {
			p.add(fmt.Sprintf("option %d", i+1), "missing", "it is nil")
			continue
		}
		opt(c)
	}
	for _, secret := range c.secrets() {
		if secret = strings.TrimSpace(secret); secret != "" {
			p.secrets = append(p.secrets, secret)
		}
	}
	for _, v := range c.ambiguous {
		if v.option == optSecret {
			p.secrets = append(p.secrets, v.former)
		}
		p.add(v.option, "conflict", "PROCONNECT_%s and AGENTCONNECT_%s are both set, to different values; keep one", v.name, v.name)
	}
}

// configure returns the settings of New. It makes no network call.
func configure(serveError ErrorHandler, opts []Option) (*config, error) {
	c, p := newConfig(serveError), &problems{}
	c.record(p, opts)
	p.issuer(c)
	p.urls(c)
	p.scopes(c)
	p.client(c)
	p.paths(c)
	p.algs(c)
	p.session(c)
	p.cookies(c)
	p.backChannel(c)
	p.hooks(c)
	p.levels(c)
	p.loginParameters(c)
	p.pages(c)
	if len(p.errs) > 0 {
		return nil, errors.Join(p.errs...)
	}
	c.warnOfLoop(c.acr)
	if c.sessionStore == (unsetStore{}) {
		c.sessionStore = memstore.New()
	}
	return c, nil
}

func (p *problems) issuer(c *config) {
	switch {
	case c.environment == "" && c.issuer == "":
		p.add(optEnvironment, "missing", "say which AgentConnect to log in with: integration, production, integration-rie or production-rie (or give WithIssuer, PROCONNECT_ISSUER)")
	case c.environment != "" && c.issuer != "":
		p.add(optIssuer, "conflict", "an issuer and an environment are both given; keep one")
	case c.environment != "":
		if c.issuer = c.environment.Issuer(); c.issuer == "" {
			p.add(optEnvironment, "invalid", "%s is not one of integration, production, integration-rie, production-rie", p.shown(string(c.environment)))
		}
	default:
		if u := p.absoluteURL(optIssuer, c.issuer); u != nil && (u.RawQuery != "" || u.ForceQuery) {
			p.add(optIssuer, "invalid", "an issuer has no query")
		}
	}
}

// urls parses the registered URLs. The rules of an environment apply also when
// WithIssuer names its issuer.
func (p *problems) urls(c *config) {
	rules := environmentOf(c.issuer)
	c.redirectURL = p.redirectURL(optRedirect, c.redirectURI, rules)
	c.postLogoutURL = p.redirectURL(optPostLogout, c.postLogoutRedirectURI, rules)
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
	if slices.Contains(c.otherSecrets, "") {
		p.add("WithOtherClientSecrets", "invalid", "one of the secrets is empty")
	}
}

func (p *problems) scopes(c *config) {
	if !slices.Contains(c.scopes, "openid") {
		p.add(optScopes, "missing", "openid must be among the scopes (OpenID Connect Core 1.0, section 3.1.2.1)")
	}
	for i, scope := range c.scopes {
		switch {
		case !provider.IsScope(scope):
			p.add(optScopes, "invalid", "%s is not a scope (RFC 6749, section 3.3)", p.shown(scope))
		case slices.Contains(c.scopes[:i], scope):
			p.add(optScopes, "invalid", "%s is there twice", p.shown(scope))
		}
	}
	c.scopes = slices.Clone(c.scopes)
}

// paths sets the default paths of the login and the logout, and checks that the
// routes are distinct.
func (p *problems) paths(c *config) {
	type route struct{ option, path string }
	var routes []route
	if c.redirectURL != nil {
		beside := path.Dir(strings.TrimSuffix(weburl.Path(c.redirectURL), "/"))
		c.loginPath = cmp.Or(c.loginPath, path.Join("/", beside, "login"))
		c.logoutPath = cmp.Or(c.logoutPath, path.Join("/", beside, "logout"))
		routes = append(routes, route{optRedirect, weburl.Path(c.redirectURL)})
	}
	if c.postLogoutURL != nil {
		routes = append(routes, route{optPostLogout, weburl.Path(c.postLogoutURL)})
	}
	if c.loginPath != "" {
		routes = append(routes, route{"WithLoginPath", c.loginPath})
	}
	if c.logoutPath != "" {
		routes = append(routes, route{"WithLogoutPath", c.logoutPath})
	}
	c.homePath = cmp.Or(c.homePath, "/")
	routes = append(routes, route{"WithHomePath", c.homePath})
	c.loggedOutPath = cmp.Or(c.loggedOutPath, c.homePath)
	if c.loggedOutPath != c.homePath {
		routes = append(routes, route{"WithLoggedOutPath", c.loggedOutPath})
	}
	for i, r := range routes {
		if !weburl.IsPagePath(r.path) {
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

func (p *problems) algs(c *config) {
	signing := []Alg{RS256, ES256, HS256}
	if !slices.Contains(signing, c.idTokenAlg) {
		p.add(optIDTokenAlg, "invalid", "%s is not one of RS256, ES256, HS256", p.shown(string(c.idTokenAlg)))
	}
	if c.userinfoAlg == "" {
		c.userinfoAlg = c.idTokenAlg
	} else if c.userinfoAlg != Unsigned && !slices.Contains(signing, c.userinfoAlg) {
		p.add(optUserinfoAlg, "invalid", "%s is not one of RS256, ES256, HS256, none", p.shown(string(c.userinfoAlg)))
	}
}

func (p *problems) session(c *config) {
	if isNil(c.sessionStore) {
		p.add("WithSessionStore", "missing", "the store is nil")
	}
	if c.sessionLifetime < minLifetime || c.sessionLifetime > maxLifetime {
		p.add("WithSessionLifetime", "invalid", "%v is not between %v and %v", c.sessionLifetime, minLifetime, maxLifetime)
	}
	if c.sessionIdle != 0 && (c.sessionIdle < minIdleTimeout || c.sessionIdle > c.sessionLifetime) {
		p.add("WithIdleTimeout", "invalid", "%v is not between %v and the session's lifetime, %v", c.sessionIdle, minIdleTimeout, c.sessionLifetime)
	}
	if c.sealingKeys != nil && len(c.sealingKeys) == 0 {
		p.add("WithSealedSessions", "missing", "give at least one key")
	}
	for _, key := range c.sealingKeys {
		if len(key) < minSealingKey && key != Unsealed {
			p.add("WithSealedSessions", "insecure", "a key has %d bytes; give %d random ones", len(key), minSealingKey)
		}
	}
	if c.revokeAtLogout && !c.keepTokens {
		p.add("WithRevocationAtLogout", "conflict", "there is nothing to revoke without WithTokens")
	}
	if c.endAtMidnight {
		paris, err := time.LoadLocation("Europe/Paris")
		if err != nil {
			p.add("WithSessionEndAtMidnight", "invalid", "this system knows no time zones; import _ \"time/tzdata\"")
		}
		c.midnight = paris
	}
}

func (p *problems) cookies(c *config) {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	prefix := ""
	if c.redirectURL != nil && c.redirectURL.Scheme == "https" {
		c.secureCookies = true
		prefix = "__Host-"
	}
	check := func(option, name string) string {
		if name == "" || strings.Trim(name, letters) != "" {
			p.add(option, "invalid", "%s is not made of letters, digits, '-' and '_'", p.shown(name))
		}
		return prefix + name
	}
	c.cookieName = check("WithCookieName", c.cookieName)
	c.otherCookieNames = slices.Clone(c.otherCookieNames)
	for i, name := range c.otherCookieNames {
		c.otherCookieNames[i] = check("WithOtherCookieNames", name)
		if c.otherCookieNames[i] == c.cookieName {
			p.add("WithOtherCookieNames", "conflict", "%s is also the name of WithCookieName", p.shown(name))
		}
	}
}

// backChannel checks what calls to the provider and refusals go through.
func (p *problems) backChannel(c *config) {
	if c.httpClient == nil {
		p.add("WithHTTPClient", "missing", "the client is nil")
	}
	if c.logger == nil {
		p.add("WithLogger", "missing", "the logger is nil; slog.New(slog.DiscardHandler) logs nothing")
	}
	if c.errorHandler == nil {
		p.add("WithErrorHandler", "missing", "the function is nil")
	}
}

func (p *problems) hooks(c *config) {
	if c.loginHook == nil {
		p.add("WithLoginHook", "missing", "the function is nil, and would let everybody in")
	}
	if c.logoutHook == nil {
		p.add("WithLogoutHook", "missing", "the function is nil")
	}
	if c.events == nil {
		p.add("WithEvents", "missing", "the function is nil")
	}
}

func (p *problems) levels(c *config) {
	var err error
	if c.acr, err = c.check(c.level); err != nil {
		p.add("WithLevel", "conflict", "%v", err)
	}
}

func (p *problems) loginParameters(c *config) {
	hints := (&loginRequest{}).hints()
	for _, name := range c.loginParameters {
		if hints[name] == nil {
			p.add("WithLoginParameters", "invalid", "%q is not one of login_hint, idp_hint, siret_hint, prompt", name)
		}
	}
	c.loginParameters = slices.Clone(c.loginParameters)
}

// pages checks the template and whom the agents can ask for help.
func (p *problems) pages(c *config) {
	if contact := c.supportContact; contact != "" {
		u, err := url.Parse(contact)
		if !email.Valid(contact) && (err != nil || u.Scheme != "https" || u.Host == "") {
			p.add("WithSupportContact", "invalid", "%s is neither an e-mail address nor an https URL", p.shown(contact))
		}
	}
	if printable(c.serviceName) != c.serviceName {
		p.add("WithServiceName", "invalid", "the name has characters that are not printable")
	}
	if c.pageTemplate == nil {
		p.add("WithPageTemplate", "missing", "the template is nil")
		return
	}
	for _, sample := range []*Page{
		{Login: "/", Demands: []string{""}, Support: &PageSupport{Contact: "a@b.example", Facts: []PageFact{{}}}},
		{Service: "s", Forms: []PageForm{{Action: "/", Fields: map[string]string{"": ""}}}},
	} {
		if err := c.pageTemplate.Execute(io.Discard, sample); err != nil {
			p.add("WithPageTemplate", "invalid", "%v", err)
			return
		}
	}
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
	return append([]string{c.clientSecret}, c.otherSecrets...)
}

// cookieNames returns the names of the session's cookie, the one that is set first.
func (c *config) cookieNames() []string {
	return append([]string{c.cookieName}, c.otherCookieNames...)
}

// purpose names the use of a key derived from the client secret, so that no
// two registrations share one.
func (c *config) purpose(use string) string {
	return use + "\x00" + c.issuer + "\x00" + c.clientID
}
