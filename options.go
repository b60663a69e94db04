package agentconnect

import (
	"context"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/agentconnect-go/agentconnect/internal/records"
	"github.com/agentconnect-go/agentconnect/internal/settings"
	"github.com/agentconnect-go/agentconnect/internal/wording"
)

// An Option records one setting for [New]. Options validate nothing by
// themselves: New looks at all of them together and reports every problem at
// once. Of two options that record the same setting the later one wins.
type Option func(*config)

// An Environment is one of the four places where AgentConnect runs. They
// share nothing: neither clients, nor keys, nor redirect URIs.
type Environment string

// The environments of AgentConnect: integration is for tests, production for
// real agents; the Internet ones are reached from anywhere, the RIE ones only
// from the State's private network (réseau interministériel de l'État).
const (
	Integration    Environment = "integration"
	Production     Environment = "production"
	IntegrationRIE Environment = "integration-rie"
	ProductionRIE  Environment = "production-rie"
)

// Issuer returns the issuer URL of the environment's OpenID provider, and ""
// for anything but the four environments of this package.
func (e Environment) Issuer() string { return settings.IssuerOf(string(e)) }

// An Alg is a signature algorithm as AgentConnect's registration form names
// it (JSON Web Algorithms, RFC 7518 section 3.1).
type Alg string

// The algorithms that a service provider can register.
const (
	RS256 Alg = "RS256"
	ES256 Alg = "ES256"
	HS256 Alg = "HS256" // keyed with the raw bytes of the client secret
	// Unsigned is for userinfo alone: plain JSON, trusted because it was read
	// from the provider over TLS.
	Unsigned Alg = "none"
)

// DefaultScopes returns the scopes asked for unless [WithScopes] names others:
// those that AgentConnect grants to every service provider. A registration
// older than the scopes roles and organization_label may not have been granted
// them: every login then fails with invalid_scope until WithScopes leaves them
// out.
func DefaultScopes() []string {
	return []string{"openid", "given_name", "usual_name", "email", "uid", "siret", "idp_id", "roles", "organization_label"}
}

// WithEnvironment chooses the AgentConnect to log in with. Required, unless
// [WithIssuer] names an issuer; giving both is an error. With a production
// environment, New refuses redirect URLs that are http or on localhost, as
// AgentConnect does (error Y04A586).
func WithEnvironment(e Environment) Option {
	return func(c *config) { c.environment = e }
}

// WithIssuer names the OpenID provider by its issuer URL, in place of an
// environment: for a test provider, or another deployment of the same server.
// It must be an absolute https URL (http on a loopback address only), without
// query or fragment, exactly as the provider spells it in its discovery
// document (OpenID Connect Discovery 1.0, section 4.3).
func WithIssuer(issuer string) Option {
	return func(c *config) { c.issuer = issuer }
}

// WithClient gives the client_id and client_secret that AgentConnect handed
// out. Required. The secret authenticates the application to the provider and
// is the source of the keys that seal its cookies: every instance of an
// application needs the same one. It is never logged nor shown.
func WithClient(id, secret string) Option {
	return func(c *config) { c.clientID, c.clientSecret = id, secret }
}

// WithOtherClientSecrets gives client secrets whose cookies are accepted beside
// those of the current one: of the previous secret, or of the next. Logins and
// logouts that were under way when the secret changed then end normally, on
// instances of before and after the change. The provider is only ever shown the
// current secret. docs/sessions.md has the order of steps.
func WithOtherClientSecrets(secrets ...string) Option {
	return func(c *config) { c.otherSecrets = secrets }
}

// WithRedirectURL gives the redirect_uri, exactly as it was registered with
// AgentConnect: the absolute URL at which browsers reach
// [Authenticator.Callback]. Required. It must be https; http is accepted on a
// loopback host, for development, and then the cookies do without the Secure
// attribute and the __Host- prefix.
func WithRedirectURL(url string) Option {
	return func(c *config) { c.redirectURI = url }
}

// WithPostLogoutRedirectURL gives the post_logout_redirect_uri, exactly as it
// was registered with AgentConnect: the absolute URL at which browsers reach
// [Authenticator.LogoutCallback]. Required; the rules of [WithRedirectURL]
// apply.
func WithPostLogoutRedirectURL(url string) Option {
	return func(c *config) { c.postLogoutRedirectURI = url }
}

// WithLoginPath gives the path at which browsers reach [Authenticator.Login]:
// where [Authenticator.RequireAgent] sends who is not logged in. The default is
// "login" beside the path of the redirect URL: /login for
// https://demarches.example.gouv.fr/callback, /auth/login for …/auth/callback.
func WithLoginPath(path string) Option {
	return func(c *config) { c.loginPath = path }
}

// WithLogoutPath gives the path at which browsers reach [Authenticator.Logout].
// The default is "logout" beside the path of the redirect URL.
func WithLogoutPath(path string) Option {
	return func(c *config) { c.logoutPath = path }
}

// WithHomePath gives the path where an agent arrives after a login that was
// not on the way to another page, and after a logout. The default is "/".
func WithHomePath(path string) Option {
	return func(c *config) { c.homePath = path }
}

// WithLoggedOutPath gives the path of a public page that says that the logout
// worked: where an agent arrives once the provider has ended its session as well.
// The default is the home page.
func WithLoggedOutPath(path string) Option {
	return func(c *config) { c.loggedOutPath = path }
}

// WithScopes names the scopes to ask for, in place of [DefaultScopes]. openid
// must be among them. Ask for what the application needs and no more; a scope
// that the registration was not granted makes every login fail with
// invalid_scope.
func WithScopes(scopes ...string) Option {
	return func(c *config) { c.scopes = scopes }
}

// WithIDTokenAlg gives the registered id_token_signed_response_alg: RS256 (the
// default), ES256 or HS256. An ID token signed in any other way is refused.
func WithIDTokenAlg(alg Alg) Option {
	return func(c *config) { c.idTokenAlg = alg }
}

// WithUserinfoAlg gives the registered userinfo_signed_response_alg: RS256,
// ES256, HS256, or Unsigned where none was registered. The default is the ID
// token's. A userinfo signed in any other way, or not signed though it should
// be, or signed though it should not be, is refused.
func WithUserinfoAlg(alg Alg) Option {
	return func(c *config) { c.userinfoAlg = alg }
}

// WithLevel sets what every login must satisfy, as [Authenticator.Require]
// does for single routes: WithLevel(MFA()) makes multi-factor authentication a
// condition of logging in. The acr is asked for as essential and verified in
// the ID token; a login without it is refused with a page that says what to do.
// Access rules (Role, EmailDomain…) are verified as well. Every protected request
// verifies all of it again, against the agent of its session: a level that was
// raised since holds for the sessions of before.
func WithLevel(requirements ...Requirement) Option {
	return func(c *config) { c.level = requirements }
}

// WithCookieName sets the stem of the names of the cookies: letters, digits,
// '-' and '_', 32 at most. The default is "agentconnect". Two registrations in one process,
// or two applications on one host, need two stems; on localhost cookies are
// shared by all ports.
func WithCookieName(name string) Option {
	return func(c *config) { c.cookieName = name }
}

// WithOtherCookieNames gives stems whose cookies are read beside those of
// [WithCookieName]: of the previous stem, or of the next, while it changes. The
// sessions of before then go on, on instances of before and after the change.
// docs/sessions.md has the order of steps. Never give the stem of another
// application or Authenticator: its sessions would be taken for this one's.
func WithOtherCookieNames(names ...string) Option {
	return func(c *config) { c.otherCookieNames = names }
}

// WithSessionStore sets where sessions are kept: any store of scs
// (goredisstore, pgxstore…). The default keeps them in the process's memory: they
// are lost when it stops, and no other instance sees them.
//
// The keys that the store sees are hashes of the session cookies, so that
// reading it is not enough to take a session over. Each operation is given three
// seconds, also by a store that knows no contexts or does not heed them. A store
// may use the memory of what it returns again at its next operation. Several
// Authenticators, and instances, can share one; other data belongs under another
// prefix or in another table.
func WithSessionStore(store scs.Store) Option {
	return func(c *config) { c.sessionStore = store }
}

// WithSessionLifetime sets how long a session lasts after the login, whatever
// the agent does: from one minute to 31 days. The default is 12 hours, the
// provider's own. When a shorter session ends, the next login is usually silent:
// the provider still knows the agent.
func WithSessionLifetime(d time.Duration) Option {
	return func(c *config) { c.sessionLifetime = d }
}

// WithSessionEndAtMidnight ends every session at the latest at the next
// midnight in Paris, as AgentConnect's 2024 documents advise. It needs time zone
// data: on a system without any, import time/tzdata.
func WithSessionEndAtMidnight() Option {
	return func(c *config) { c.endAtMidnight = true }
}

// WithIdleTimeout also ends a session when d passed without a request to a
// route behind [Authenticator.RequireAgent] or Require, to the minute: from five
// minutes to the session's lifetime. Other routes, LoadAgent's among them, and
// [Authenticator.RequireAgentWithoutRenewal] do not count. The default is none. It
// holds for the sessions that begin after it was set; one that is shortened later
// holds for them at once.
//
// On a computer that several people use, it protects little: while the provider's
// session lives, up to twelve hours, the next person at the computer can log in as
// the same agent with one click and no password, in any other service at once. Here,
// the next login of a browser whose session ended by the idle timeout first ends the
// provider's session, so that the person is asked; a person who deletes the
// browser's cookies for this site gets around that.
//
// The time of the last request is kept in an authenticated cookie of its own,
// renewed at most once a minute, and never in the store: requests only read the
// store, so a request that is under way cannot bring back a session that a
// logout just ended.
func WithIdleTimeout(d time.Duration) Option {
	return func(c *config) { c.sessionIdle = d }
}

// Unsealed stands among the keys of [WithSealedSessions] for none: records as they
// are, without a seal.
const Unsealed = records.Unsealed

// WithSealedSessions seals the session records (AES-256-GCM), so that a stolen
// database holds neither names nor tokens, and nobody who writes to it can make a
// session. The first key seals, every key opens. Keys are random, of 32 bytes or
// more, and the same on every instance. A record that no key opens is no session.
//
// A new key is first put behind the old one, on every instance, then in front. To
// begin sealing, [Unsealed] takes the part of the old key, and to stop, that of the
// new one; while it is there, unsealed records are accepted. docs/sessions.md has the
// order of steps.
func WithSealedSessions(keys ...[]byte) Option {
	return func(c *config) {
		c.sealingKeys = make([]string, len(keys)) // not nil, also of no key
		for i, key := range keys {
			c.sealingKeys[i] = string(key)
		}
	}
}

// WithTokens keeps the access token and the refresh token of each session, in
// the store, beside it: for [Authenticator.TokenSource]. Without it they are
// dropped once the userinfo is read. Tokens in a store are worth sealing:
// [WithSealedSessions].
func WithTokens() Option {
	return func(c *config) { c.keepTokens = true }
}

// WithRevocationAtLogout revokes the tokens of a session when it ends by a
// logout, a new login or [Authenticator.EndSessionsOf] (RFC 7009), for which a
// logout may wait three seconds. It needs [WithTokens]. When the provider does not
// answer, the logout goes on.
func WithRevocationAtLogout() Option {
	return func(c *config) { c.revokeAtLogout = true }
}

// WithHTTPClient sets the client for the requests to the provider: to go
// through a proxy, to trust a private authority, to trace. Its Transport is
// kept, and its Timeout (10 seconds when it has none), which bounds each
// request whole, body included. It follows no redirect and keeps no cookie,
// whatever was set, and answers over one mebibyte are refused.
func WithHTTPClient(client *http.Client) Option {
	return func(c *config) { c.httpClient = client }
}

// WithLogger sets where refusals and failures are logged, a line each: never
// a token, a code, a secret, a name or an e-mail. The default is slog.Default
// at the time New is called.
func WithLogger(logger *slog.Logger) Option {
	return func(c *config) { c.logger = logger }
}

// WithErrorHandler replaces the answer to every refusal: by default a page
// for people, in French or English, and a problem (RFC 9457) for programs. The
// handler can fall back on the default with [Authenticator.ServeError].
func WithErrorHandler(h ErrorHandler) Option {
	return func(c *config) { c.errorHandler = h }
}

// WithLoginHook sets a function that is called when an agent was identified
// and before the session exists. See [LoginHook].
func WithLoginHook(hook LoginHook) Option {
	return func(c *config) { c.loginHook = hook }
}

// WithLogoutHook sets a function that is called when an agent logs out, after
// the session ended and before the browser goes to the provider. See
// [LogoutHook].
func WithLogoutHook(hook LogoutHook) Option {
	return func(c *config) { c.logoutHook = hook }
}

// WithEvents sets a function that is told what happens: logins, refusals,
// logouts, for an audit trail or for metrics. It is called from several goroutines,
// mostly during a request (a token can be renewed outside of one), and should return
// at once. See [Event].
func WithEvents(f func(context.Context, Event)) Option {
	return func(c *config) { c.events = f }
}

// WithLoginParameters lets visitors set parameters of their login by the query
// or the form of [Authenticator.Login]: "login_hint", "idp_hint",
// "siret_hint", "prompt", each only when it is named here. A malformed
// value is refused (400). None of them is an access control.
func WithLoginParameters(names ...string) Option {
	return func(c *config) { c.loginParameters = names }
}

// WithAMR asks for the claim amr in every login: how the agent was
// authenticated, in [Agent.AMR].
func WithAMR() Option {
	return func(c *config) { c.askAMR = true }
}

// WithSupportContact says whom the agents can ask for help, on the pages of
// this package: an e-mail address, or an https URL.
func WithSupportContact(contact string) Option {
	return func(c *config) { c.supportContact = contact }
}

// WithServiceName gives the name of the service, as its agents know it: the pages
// of this package show it above the text and in their titles. The default is none.
func WithServiceName(name string) Option {
	return func(c *config) { c.serviceName = name }
}

// WithAgentConnectBrand has pages and button say AgentConnect, for agents who still
// know the federation by the name it had until 2024. The default is ProConnect.
func WithAgentConnectBrand() Option {
	return func(c *config) { c.brand = wording.AgentConnect }
}

// WithPageTemplate replaces the template and the style sheet of the pages of
// this package, so that they look like the application's. The template is executed
// with a [*Page]; its {{.Style}}, in a style element, is style, and the pages'
// Content-Security-Policy allows no other style, no script and no image. New tries
// it out and reports a template that fails.
func WithPageTemplate(t *template.Template, style string) Option {
	return func(c *config) { c.pageTemplate, c.pageStyle = t, style }
}

// FromEnv records what the environment variables of the process say; a
// variable that is unset or empty records nothing. Options after FromEnv win
// over it, options before it are its defaults.
//
//	PROCONNECT_ENVIRONMENT               WithEnvironment: integration, production, integration-rie, production-rie
//	PROCONNECT_ISSUER                    WithIssuer
//	PROCONNECT_CLIENT_ID                 WithClient
//	PROCONNECT_CLIENT_SECRET             WithClient
//	PROCONNECT_REDIRECT_URL              WithRedirectURL
//	PROCONNECT_POST_LOGOUT_REDIRECT_URL  WithPostLogoutRedirectURL
//	PROCONNECT_ID_TOKEN_ALG              WithIDTokenAlg: RS256, ES256, HS256
//	PROCONNECT_USERINFO_ALG              WithUserinfoAlg: the same, or none
//	PROCONNECT_SCOPES                    WithScopes, separated by spaces
//
// Each can also be called AGENTCONNECT_…. When both names of one variable are set,
// to different values, New reports a conflict.
func FromEnv() Option {
	return func(c *config) {
		p := c.problems
		settings.ReadProvider(p, &c.environment, &c.issuer)
		settings.Read(p, settings.ClientID, &c.clientID)
		settings.Read(p, settings.ClientSecret, &c.clientSecret)
		settings.Read(p, settings.RedirectURL, &c.redirectURI)
		settings.Read(p, settings.PostLogoutRedirectURL, &c.postLogoutRedirectURI)
		settings.Read(p, settings.IDTokenAlg, &c.idTokenAlg)
		settings.Read(p, settings.UserinfoAlg, &c.userinfoAlg)
		if scopes := p.Get(settings.Scopes); scopes != "" {
			c.scopes = strings.Fields(scopes)
		}
	}
}
