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
		case !isScope(scope):
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
		u, err := url.Parse(contact)
		if !isEmail(contact) && (err != nil || u.Scheme != "https" || u.Host == "") {
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
