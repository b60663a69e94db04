package agentconnect

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	"github.com/go-jose/go-jose/v4"

	"github.com/agentconnect-go/agentconnect/internal/fresh"
	"github.com/agentconnect-go/agentconnect/internal/pending"
	"github.com/agentconnect-go/agentconnect/internal/provider"
	"github.com/agentconnect-go/agentconnect/internal/records"
	"github.com/agentconnect-go/agentconnect/internal/seal"
	"github.com/agentconnect-go/agentconnect/internal/settings"
	"github.com/agentconnect-go/agentconnect/internal/tokens"
)

// An Authenticator logs agents in and out, and protects routes. Its methods are
// handlers and middleware for any router on net/http. They can be called by several
// goroutines. Make one with [New] for each registration with ProConnect.
type Authenticator struct {
	config   *config
	provider *provider.Provider
	events   announcer
	sessions *sessions
	fresh    *fresh.Keeper
	pending  *pending.Keeper
	logouts  *seal.Sealer
	links    *seal.Sealer
	ended    *pending.Ended[*admission]
	tokens   *tokens.Keeper // nil: access tokens are not kept
	origin   *http.CrossOriginProtection

	otherHost sync.Once // see warnOfOtherHost
}

// New returns an Authenticator with the settings of the options. It makes no network
// call: the provider's metadata is read when it is first needed. So a provider that is
// down never stops an application from starting, or its logged-in agents from working.
//
// If the settings are incomplete, contradictory or unsafe, New returns an error that
// joins a [*ConfigError] for each problem.
func New(opts ...Option) (*Authenticator, error) {
	a := &Authenticator{}
	c, err := configure(a.ServeError, opts)
	if err != nil {
		return nil, err
	}
	pendings, err := seal.New(c.purpose("pending login"), c.secrets()...)
	if err != nil {
		return nil, err
	}
	logouts, err := seal.New(c.purpose("logout"), c.secrets()...)
	if err != nil {
		return nil, err
	}
	links, err := seal.New(c.purpose("login link"), c.secrets()...)
	if err != nil {
		return nil, err
	}
	sessions, err := newSessions(c)
	if err != nil {
		return nil, err
	}
	freshSealer, err := seal.New(c.purpose("new session"), c.secrets()...)
	if err != nil {
		return nil, err
	}
	*a = Authenticator{
		config:   c,
		provider: provider.New(c.provider()),
		events:   announcer{c.events, c.logger, c.now},
		sessions: sessions,
		fresh:    fresh.New(c.cookieName, c.secureCookies, freshSealer, c.now, c.otherCookieNames...),
		pending:  pending.New(c.cookieName, c.secureCookies, pendings, c.now, c.otherCookieNames...),
		logouts:  logouts,
		links:    links,
		ended:    pending.NewEnded[*admission](c.now),
		origin:   http.NewCrossOriginProtection(),
	}
	if c.keepTokens {
		a.tokens = newTokenKeeper(c, sessions.store, a.provider)
	}
	// Behind a proxy that rewrites Host, our own forms must not look like those of
	// another site.
	if err := a.origin.AddTrustedOrigin(c.redirectURL.Scheme + "://" + c.redirectURL.Host); err != nil {
		return nil, fmt.Errorf("agentconnect: redirect URL: %w", err)
	}
	return a, nil
}

// Format writes only the client_id, for every verb: for some verbs, fmt would write the
// secrets of the settings.
func (a *Authenticator) Format(s fmt.State, _ rune) {
	fmt.Fprintf(s, "agentconnect.Authenticator(%s)", a.config.clientID)
}

// Ready returns nil if the provider's metadata is known, so that agents can log in, and
// otherwise an error. It is for the readiness probe of an orchestrator. It reads the
// metadata, within ctx, if it was not read yet. Agents who are logged in do not need
// it.
func (a *Authenticator) Ready(ctx context.Context) error {
	if _, err := a.provider.Metadata(ctx); err != nil {
		return asError(err)
	}
	return nil
}

// provider returns the settings of the provider package.
func (c *config) provider() provider.Config {
	return provider.Config{
		Issuer:                c.issuer,
		SameOrigin:            settings.EnvironmentOf(c.issuer) != "",
		ClientID:              c.clientID,
		ClientSecret:          c.clientSecret,
		RedirectURL:           c.redirectURL.String(),
		PostLogoutRedirectURL: c.postLogoutURL.String(),
		Scopes:                c.scopes,
		IDTokenAlg:            jose.SignatureAlgorithm(c.idTokenAlg),
		UserinfoAlg:           jose.SignatureAlgorithm(c.userinfoAlg),
		Client:                c.httpClient,
		Logger:                c.logger,
		Now:                   c.now,
	}
}

// newTokenKeeper returns the keeper of the tokens of sessions.
func newTokenKeeper(c *config, store records.Store, p *provider.Provider) *tokens.Keeper {
	return tokens.New(tokens.Config{
		Store:    store,
		Create:   store.Create,
		Provider: p,
		Now:      c.now,
		Logger:   c.logger,
		Revoke:   c.revokeAtLogout,
	})
}
