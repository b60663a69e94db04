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

// An Option records one setting for [New]. Options do not validate: New checks all of
// them together and reports all problems at once. If two options record the same
// setting, the later one wins.
type Option func(*config)

// An Environment is one of the four environments of ProConnect. They share neither
// clients, nor keys, nor redirect URIs.
type Environment string

// The environments of ProConnect: integration is for tests, production for real agents.
// The RIE environments can only be reached from the State's private network (réseau
// interministériel de l'État).
const (
	Integration    Environment = "integration"
	Production     Environment = "production"
	IntegrationRIE Environment = "integration-rie"
	ProductionRIE  Environment = "production-rie"
)

// Issuer returns the issuer URL of the environment's OpenID provider, and "" for an
// unknown environment.
func (e Environment) Issuer() string { return settings.IssuerOf(string(e)) }

// An Alg is a signature algorithm, with its name in ProConnect's registration form
// (JSON Web Algorithms, RFC 7518 section 3.1).
type Alg string

// The algorithms that a service provider can register.
const (
	RS256 Alg = "RS256"
	ES256 Alg = "ES256"
	HS256 Alg = "HS256" // keyed with the raw bytes of the client secret
	// Unsigned is for userinfo only: plain JSON, trusted because it was read from the
	// provider over TLS.
	Unsigned Alg = "none"
)

// DefaultScopes returns the scopes of logins without [WithScopes]: those that
// ProConnect grants to every service provider. An old registration may not have the
// scopes roles and organization_label. Every login then fails with invalid_scope;
// remove them with WithScopes.
func DefaultScopes() []string {
	return []string{"openid", "given_name", "usual_name", "email", "uid", "siret", "idp_id", "roles", "organization_label"}
}

// WithEnvironment chooses the environment of ProConnect. Required, unless [WithIssuer]
// names an issuer; giving both is an error. With a production environment, New refuses
// redirect URLs that are http or on localhost, as ProConnect does.
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

// WithClient gives the client_id and client_secret of the registration. Required. The
// secret authenticates the application to the provider. The keys that seal its cookies
// derive from it, so every instance of an application needs the same secret. It is
// never logged or shown.
func WithClient(id, secret string) Option {
	return func(c *config) { c.clientID, c.clientSecret = id, secret }
}

// WithOtherClientSecrets gives further client secrets whose cookies are accepted: the
// previous secret, or the next. Logins and logouts under way during a change of the
// secret then end normally, on old and new instances. The provider only gets the
// current secret. docs/sessions.md has the order of steps.
func WithOtherClientSecrets(secrets ...string) Option {
	return func(c *config) { c.otherSecrets = secrets }
}

// WithRedirectURL gives the redirect_uri, exactly as it is registered with ProConnect:
// the absolute URL at which browsers reach [Authenticator.Callback]. Required. It must
// be https. On a loopback host, for development, http is accepted; the cookies then
// have neither the Secure attribute nor the __Host- prefix.
func WithRedirectURL(url string) Option {
	return func(c *config) { c.redirectURI = url }
}

// WithPostLogoutRedirectURL gives the post_logout_redirect_uri, exactly as it is
// registered with ProConnect: the absolute URL at which browsers reach
// [Authenticator.LogoutCallback]. Required. The rules of [WithRedirectURL] apply.
func WithPostLogoutRedirectURL(url string) Option {
	return func(c *config) { c.postLogoutRedirectURI = url }
}

// WithLoginPath gives the path at which browsers reach [Authenticator.Login].
// [Authenticator.RequireAgent] sends strangers there. The default is "login" beside the
// path of the redirect URL: /login for https://demarches.example.gouv.fr/callback,
// /auth/login for …/auth/callback.
func WithLoginPath(path string) Option {
	return func(c *config) { c.loginPath = path }
}

// WithLogoutPath gives the path at which browsers reach [Authenticator.Logout].
// The default is "logout" beside the path of the redirect URL.
func WithLogoutPath(path string) Option {
	return func(c *config) { c.logoutPath = path }
}

// WithHomePath gives the path of the home page: agents arrive there after a login
// without another page to return to, and after a logout. The default is "/".
func WithHomePath(path string) Option {
	return func(c *config) { c.homePath = path }
}

// WithLoggedOutPath gives the path of a public page that confirms the logout. Agents
// arrive there after the provider has ended its session too. The default is the home
// page.
func WithLoggedOutPath(path string) Option {
	return func(c *config) { c.loggedOutPath = path }
}

// WithScopes replaces the scopes of logins, which are [DefaultScopes] by default.
// openid must be among them. Only ask for the data that the application needs. If the
// registration does not have a scope, every login fails with invalid_scope.
func WithScopes(scopes ...string) Option {
	return func(c *config) { c.scopes = scopes }
}

// WithIDTokenAlg gives the registered id_token_signed_response_alg: RS256 (the
// default), ES256 or HS256. An ID token signed in any other way is refused.
func WithIDTokenAlg(alg Alg) Option {
	return func(c *config) { c.idTokenAlg = alg }
}

// WithUserinfoAlg gives the registered userinfo_signed_response_alg: RS256,
// ES256, HS256, or Unsigned if none was registered. The default is the ID token's. A
// userinfo in any other form is refused.
func WithUserinfoAlg(alg Alg) Option {
	return func(c *config) { c.userinfoAlg = alg }
}

// WithLevel sets the requirements of every login, as [Authenticator.Require] does for
// single routes: with WithLevel(MFA()), every login needs several factors. The acr is
// requested as essential and verified in the ID token. A login without it gets a
// refusal page with the next step. Access rules (Role, EmailDomain…) are checked too.
// Every protected request checks the requirements again for the agent of its session: a
// level that was raised also applies to existing sessions.
func WithLevel(requirements ...Requirement) Option {
	return func(c *config) { c.level = requirements }
}

// WithCookieName sets the stem of the names of the cookies: letters, digits,
// '-' and '_', 32 at most. The default is "agentconnect". Two registrations in one process,
// or two applications on one host, need two stems. On localhost, all ports share
// cookies.
func WithCookieName(name string) Option {
	return func(c *config) { c.cookieName = name }
}

// WithOtherCookieNames gives further stems whose cookies are read: the previous stem,
// or the next, while it changes. Existing sessions then go on, on old and new
// instances. docs/sessions.md has the order of steps. Never give the stem of another
// application or Authenticator: its sessions would be accepted here.
func WithOtherCookieNames(names ...string) Option {
	return func(c *config) { c.otherCookieNames = names }
}

// WithSessionStore sets the store of sessions: any store of scs (goredisstore,
// pgxstore…). By default, sessions are in the process's memory: they are lost when it
// stops, and other instances do not see them.
//
// The keys in the store are hashes of the session cookies, so a reader of the store
// cannot take over a session. Each operation has three seconds, even if the store
// ignores contexts or does not accept them. A store may reuse the memory that it
// returned at its next operation. Several Authenticators, and instances, can share a
// store. Keep other data under another prefix or in another table.
//
// If the store has a method Durability(context.Context) (warnings []string, err error),
// as pgxstore has, [Authenticator.Check] reports its warnings: sentences about settings
// with which a crash can undo a logout.
func WithSessionStore(store scs.Store) Option {
	return func(c *config) { c.sessionStore = store }
}

// WithSessionLifetime sets the longest time that a session lasts after the login: from
// one minute to 31 days. The default is 12 hours, as at the provider. After a shorter
// session, the next login usually shows no page, because the provider still knows the
// agent.
func WithSessionLifetime(d time.Duration) Option {
	return func(c *config) { c.sessionLifetime = d }
}

// WithSessionEndAtMidnight ends every session at the latest at the next
// midnight in Paris, as ProConnect's documentation of 2024 advises. It needs time zone
// data: on a system without any, import time/tzdata.
func WithSessionEndAtMidnight() Option {
	return func(c *config) { c.endAtMidnight = true }
}

// WithIdleTimeout also ends a session after d without a request to a route behind
// [Authenticator.RequireAgent] or Require, to the minute. d is from five minutes to the
// session's lifetime. Other routes do not count, nor do LoadAgent and
// [Authenticator.RequireAgentWithoutRenewal]. The default is no idle timeout. It
// applies to sessions that begin after it was set. A shorter value later applies to
// them at once.
//
// On a shared computer it protects little: while the provider's session lives, up to
// twelve hours, the next person can log in to any other service as the same agent, with
// one click and no password. In this application, after an idle timeout, the next login
// of the browser first ends the provider's session, so the person must authenticate. A
// person who deletes the browser's cookies for this site avoids that.
//
// The time of the last request is in a signed cookie, renewed at most once a minute,
// and never in the store. Requests only read the store, so a request under way cannot
// bring back a session that a logout just ended.
func WithIdleTimeout(d time.Duration) Option {
	return func(c *config) { c.sessionIdle = d }
}

// Unsealed, among the keys of [WithSealedSessions], stands for records without a seal.
const Unsealed = records.Unsealed

// WithSealedSessions seals the session records (AES-256-GCM). A stolen database then
// contains neither names nor tokens, and a person who can write to it cannot make a
// session. The first key seals, every key opens. Keys are random, of 32 bytes or more,
// and the same on every instance. A record that no key opens is not a session.
//
// To change the key, first put the new key behind the old one, on every instance, then
// in front. To begin sealing, use [Unsealed] as the old key; to stop, use it as the new
// key. While it is among the keys, unsealed records are accepted. docs/sessions.md has
// the order of steps.
func WithSealedSessions(keys ...[]byte) Option {
	return func(c *config) {
		c.sealingKeys = make([]string, len(keys)) // not nil, even without a key
		for i, key := range keys {
			c.sealingKeys[i] = string(key)
		}
	}
}

// WithTokens keeps the access token and the refresh token of each session in the store,
// for [Authenticator.TokenSource]. Without it they are dropped after the userinfo is
// read. Seal tokens in a store: see [WithSealedSessions].
func WithTokens() Option {
	return func(c *config) { c.keepTokens = true }
}

// WithRevocationAtLogout revokes the tokens of a session (RFC 7009) when the session
// ends by a logout, a new login, the idle timeout or [Authenticator.EndSessionsOf]. It
// needs [WithTokens]. The request waits for it for three seconds at most, and then goes
// on.
func WithRevocationAtLogout() Option {
	return func(c *config) { c.revokeAtLogout = true }
}

// WithHTTPClient sets the client for the requests to the provider: for a proxy, a
// private certificate authority, or tracing. Its Transport is used, and its Timeout (10
// seconds if it has none), which bounds each request, body included. Its redirect
// policy and cookie jar are ignored: no redirect is followed, and no cookie is kept.
// Answers over one mebibyte are refused.
func WithHTTPClient(client *http.Client) Option {
	return func(c *config) { c.httpClient = client }
}

// WithLogger sets the logger of refusals and failures, one line each. A line never
// contains a token, a code, a secret, a name or an e-mail. The default is slog.Default
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

// WithLoginHook sets a function that is called after an agent is identified and before
// there is a session. See [LoginHook].
func WithLoginHook(hook LoginHook) Option {
	return func(c *config) { c.loginHook = hook }
}

// WithLogoutHook sets a function that is called when an agent logs out, after
// the session has ended and before the browser goes to the provider. See [LogoutHook].
func WithLogoutHook(hook LogoutHook) Option {
	return func(c *config) { c.logoutHook = hook }
}

// WithEvents sets a function that gets the events: logins, refusals, logouts and
// others, for an audit trail or for metrics. It is called from several goroutines,
// usually during a request (a token can be renewed outside of one), and should return
// quickly. See [Event].
func WithEvents(f func(context.Context, Event)) Option {
	return func(c *config) { c.events = f }
}

// WithLoginParameters lets visitors set parameters of their login by the query
// or the form of [Authenticator.Login]: "login_hint", "idp_hint",
// "siret_hint", "prompt", each only if it is named here. A malformed value is refused
// (400). None of them is an access control.
func WithLoginParameters(names ...string) Option {
	return func(c *config) { c.loginParameters = names }
}

// WithAMR asks for the claim amr in every login: how the agent was
// authenticated, in [Agent.AMR].
func WithAMR() Option {
	return func(c *config) { c.askAMR = true }
}

// WithSupportContact sets the support contact on the pages of this package: an e-mail
// address, or an https URL. The default is none.
func WithSupportContact(contact string) Option {
	return func(c *config) { c.supportContact = contact }
}

// WithServiceName sets the name of the service for its agents. The pages of this
// package show it above the text and in their titles. The default is none.
func WithServiceName(name string) Option {
	return func(c *config) { c.serviceName = name }
}

// WithAgentConnectBrand makes pages and button say AgentConnect, the name of ProConnect
// until 2024. The default is ProConnect.
func WithAgentConnectBrand() Option {
	return func(c *config) { c.brand = wording.AgentConnect }
}

// WithPageTemplate replaces the template and the style sheet of the pages of
// this package, so that they look like the application's. The template is executed
// with a [*Page]; its {{.Style}}, in a style element, is style, and the pages'
// Content-Security-Policy allows no other style, no script and no image. New tests the
// template and reports one that fails.
func WithPageTemplate(t *template.Template, style string) Option {
	return func(c *config) { c.pageTemplate, c.pageStyle = t, style }
}

// FromEnv reads settings from environment variables. It ignores a variable that is
// unset or empty. Options before FromEnv are defaults, and options after it override
// it.
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
// Each variable can also have its former name, AGENTCONNECT_…. If both names are set to
// different values, New reports a conflict.
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
