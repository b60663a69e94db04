package agentconnect

import (
	"cmp"
	"context"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/settings"
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

// A ConfigError is one problem of the options given to [New], which returns
// all of them joined (errors.Join): errors.As finds the first, and the Unwrap
// method of New's error returns the list. It never contains a secret.
type ConfigError struct {
	// Option is the name of the option function, "WithRedirectURL". If an environment
	// variable sets the same setting, its names follow in parentheses.
	Option string
	// Reason is "missing", "invalid", "insecure" or "conflict".
	Reason string
	// Detail explains the problem and the expected value, in a sentence.
	Detail string
}

// Error returns "agentconnect: OPTION: REASON: DETAIL".
func (e *ConfigError) Error() string {
	return "agentconnect: " + e.Option + ": " + e.Reason + ": " + e.Detail
}

// config holds the settings. The first part has the defaults and then the values of the
// [Option]s. validate sets the second part. Nothing changes after that.
type config struct {
	environment           Environment // "" with WithIssuer
	issuer                string      // validate sets the issuer of the environment
	clientID              string
	clientSecret          string
	otherSecrets          []string
	redirectURI           string // as given; see redirectURL
	postLogoutRedirectURI string
	loginPath             string // validate sets the default of both paths
	logoutPath            string
	homePath              string
	loggedOutPath         string // validate sets the default, the home path
	scopes                []string
	idTokenAlg            Alg
	userinfoAlg           Alg // validate sets the default, the ID token's
	level                 requirements
	cookieName            string // validate adds the __Host- prefix, with https
	otherCookieNames      []string
	sessionStore          scs.Store
	sessionLifetime       time.Duration
	sessionIdle           time.Duration // 0: no idle timeout
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
	problems              *settings.Problems // found so far, by options too

	redirectURL   *url.URL
	postLogoutURL *url.URL
	secureCookies bool           // the redirect URL is https
	acr           []string       // every login must have one of these; nil: any
	midnight      *time.Location // sessions end at its midnight; nil: they do not
}

// unsetStore stands for the memory store while options are read, because a memory store
// starts a goroutine.
type unsetStore struct{ scs.Store }

// newConfig returns the defaults. serveError is the default error handler.
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
		problems:        &settings.Problems{},
	}
}

// configure returns the settings of New. It makes no network call.
func configure(serveError ErrorHandler, opts []Option) (*config, error) {
	c := newConfig(serveError)
	settings.Record(c.problems, c, opts)
	if err := c.validate(); err != nil {
		return nil, err
	}
	c.warnOfLoop(c.acr)
	if c.sessionStore == (unsetStore{}) {
		c.sessionStore = memstore.New()
	}
	return c, nil
}

// validate sets the second part of the settings, and returns all the problems.
func (c *config) validate() error {
	p := c.problems
	p.Hide(c.secrets()...)
	c.issuer = p.Issuer(string(c.environment), c.issuer)
	// The rules of an environment also apply if WithIssuer names its issuer.
	environment := settings.EnvironmentOf(c.issuer)
	c.redirectURL = p.RegisteredURL(settings.RedirectURL, c.redirectURI, environment)
	c.postLogoutURL = p.RegisteredURL(settings.PostLogoutRedirectURL, c.postLogoutRedirectURI, environment)
	c.scopes = slices.Clone(c.scopes)
	p.Scopes(c.scopes)
	p.Client(c.clientID, c.clientSecret, "this service")
	if slices.Contains(c.otherSecrets, "") {
		p.Add("WithOtherClientSecrets", "invalid", "one of the secrets is empty")
	}
	c.validatePaths(p)
	p.Alg(settings.IDTokenAlg.Option(), string(c.idTokenAlg))
	if c.userinfoAlg == "" {
		c.userinfoAlg = c.idTokenAlg
	} else {
		p.AlgOrNone(settings.UserinfoAlg.Option(), string(c.userinfoAlg))
	}
	c.validateSession(p)
	c.validateCookies(p)
	p.Calls(c.httpClient, c.logger, c.errorHandler != nil)
	p.Want(c.loginHook != nil, "WithLoginHook", "the function is nil, and would accept every agent")
	p.Want(c.logoutHook != nil, "WithLogoutHook", "the function is nil")
	p.Want(c.events != nil, "WithEvents", "the function is nil")
	var err error
	if c.acr, err = c.check(c.level); err != nil {
		p.Add("WithLevel", "conflict", "%v", err)
	}
	c.loginParameters = slices.Clone(c.loginParameters)
	hints := (&loginRequest{}).hints()
	for _, name := range c.loginParameters {
		if hints[name] == nil {
			p.Add("WithLoginParameters", "invalid", "%q is not one of login_hint, idp_hint, siret_hint, prompt", name)
		}
	}
	c.validatePages(p)
	return p.Err(func(problem settings.Problem) error { return (*ConfigError)(&problem) })
}

// validatePaths sets the default paths of the login and the logout, and checks that
// the routes are distinct.
func (c *config) validatePaths(p *settings.Problems) {
	var routes []settings.Route
	add := func(option, path string) {
		if path != "" {
			routes = append(routes, settings.Route{Option: option, Path: path})
		}
	}
	if c.redirectURL != nil {
		beside := path.Dir(strings.TrimSuffix(weburl.Path(c.redirectURL), "/"))
		c.loginPath = cmp.Or(c.loginPath, path.Join("/", beside, "login"))
		c.logoutPath = cmp.Or(c.logoutPath, path.Join("/", beside, "logout"))
		add(settings.RedirectURL.Option(), weburl.Path(c.redirectURL))
	}
	if c.postLogoutURL != nil {
		add(settings.PostLogoutRedirectURL.Option(), weburl.Path(c.postLogoutURL))
	}
	c.homePath = cmp.Or(c.homePath, "/")
	c.loggedOutPath = cmp.Or(c.loggedOutPath, c.homePath)
	add("WithLoginPath", c.loginPath)
	add("WithLogoutPath", c.logoutPath)
	add("WithHomePath", c.homePath)
	if c.loggedOutPath != c.homePath {
		add("WithLoggedOutPath", c.loggedOutPath)
	}
	p.Routes(routes...)
}

func (c *config) validateSession(p *settings.Problems) {
	p.Want(!settings.IsNil(c.sessionStore), "WithSessionStore", "the store is nil")
	p.Between("WithSessionLifetime", c.sessionLifetime, minLifetime, maxLifetime)
	if c.sessionIdle != 0 && (c.sessionIdle < minIdleTimeout || c.sessionIdle > c.sessionLifetime) {
		p.Add("WithIdleTimeout", "invalid", "%v is not between %v and the session's lifetime, %v", c.sessionIdle, minIdleTimeout, c.sessionLifetime)
	}
	p.Want(c.sealingKeys == nil || len(c.sealingKeys) > 0, "WithSealedSessions", "give at least one key")
	for _, key := range c.sealingKeys {
		if len(key) < minSealingKey && key != Unsealed {
			p.Add("WithSealedSessions", "insecure", "a key has %d bytes; give %d random ones", len(key), minSealingKey)
		}
	}
	if c.revokeAtLogout && !c.keepTokens {
		p.Add("WithRevocationAtLogout", "conflict", "there is nothing to revoke without WithTokens")
	}
	if c.endAtMidnight {
		paris, err := time.LoadLocation("Europe/Paris")
		if err != nil {
			p.Add("WithSessionEndAtMidnight", "invalid", "this system knows no time zones; import _ \"time/tzdata\"")
		}
		c.midnight = paris
	}
}

// validateCookies adds the prefix to the names of the cookies.
func (c *config) validateCookies(p *settings.Problems) {
	prefix := ""
	if c.redirectURL != nil && c.redirectURL.Scheme == "https" {
		c.secureCookies = true
		prefix = "__Host-"
	}
	p.CookieName("WithCookieName", c.cookieName)
	others := slices.Clone(c.otherCookieNames)
	for i, name := range others {
		p.CookieName("WithOtherCookieNames", name)
		if name == c.cookieName {
			p.Add("WithOtherCookieNames", "conflict", "%q is also the name of WithCookieName", name)
		}
		others[i] = prefix + name
	}
	c.cookieName, c.otherCookieNames = prefix+c.cookieName, others
}

// validatePages checks the template and the support contact.
func (c *config) validatePages(p *settings.Problems) {
	p.SupportContact(c.supportContact)
	if wording.Printable(c.serviceName) != c.serviceName {
		p.Add("WithServiceName", "invalid", "the name has characters that are not printable")
	}
	if c.pageTemplate == nil {
		p.Add("WithPageTemplate", "missing", "the template is nil")
		return
	}
	for _, sample := range []*Page{
		{Login: "/", Demands: []string{""}, Support: &PageSupport{Contact: "a@b.example", Facts: []PageFact{{}}}},
		{Service: "s", Forms: []PageForm{{Action: "/", Fields: map[string]string{"": ""}}}},
	} {
		if err := c.pageTemplate.Execute(io.Discard, sample); err != nil {
			p.Add("WithPageTemplate", "invalid", "%v", err)
			return
		}
	}
}

// secrets returns the client secrets, the current one first.
func (c *config) secrets() []string {
	return append([]string{c.clientSecret}, c.otherSecrets...)
}

// cookieNames returns the names of the session's cookie; the first one is set.
func (c *config) cookieNames() []string {
	return append([]string{c.cookieName}, c.otherCookieNames...)
}

// purpose names the use of a key derived from the client secret, so that two
// registrations never share a key.
func (c *config) purpose(use string) string {
	return use + "\x00" + c.issuer + "\x00" + c.clientID
}

// check checks the requirements of a route or of every login. It returns the acr values
// that satisfy all the levels, nil if there is no level.
func (c *config) check(rs requirements) ([]string, error) {
	return rs.check(c.scopes, settings.IsRIE(settings.EnvironmentOf(c.issuer)))
}

// warnOfLoop logs a warning, when a route is built, about a level with which ProConnect
// can loop.
func (c *config) warnOfLoop(acr []string) {
	if loopsByEmail(acr) && !settings.IsRIE(settings.EnvironmentOf(c.issuer)) { // the RIE sends no code
		c.logger.Warn("agentconnect: with this level, agents whose identity provider only gives eidas0 never get past ProConnect's code by e-mail; demand MFA() or MinEIDAS(2) instead", "accepted_acr", acr)
	}
}
