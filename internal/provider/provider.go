// Package provider makes all the calls to ProConnect from server to server: discovery,
// keys, the exchange of a code, userinfo, refresh, revocation and introspection. It
// verifies the answers.
//
// It knows no session, no page and no HTTP status of ours. Its errors are of type
// *Failure.
package provider

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// ClockTolerance is the largest accepted difference between the provider's clock and
// ours.
const ClockTolerance = time.Minute

// Unsigned is the algorithm of answers that are plain JSON.
const Unsigned jose.SignatureAlgorithm = "none"

// A Config holds the settings of a Provider. The caller has validated it.
type Config struct {
	// Issuer is the provider's: https, or http on a loopback host.
	Issuer string
	// SameOrigin demands that every endpoint is on the issuer's origin.
	SameOrigin bool
	// ClientID and ClientSecret are the registration's.
	ClientID, ClientSecret string
	// RedirectURL and PostLogoutRedirectURL are the registered ones.
	RedirectURL, PostLogoutRedirectURL string
	// Scopes are those of every login.
	Scopes []string
	// IDTokenAlg, UserinfoAlg and IntrospectionAlg are the registered algorithms:
	// RS256, ES256, HS256, or, but for ID tokens, Unsigned. "" is Unsigned.
	IDTokenAlg, UserinfoAlg, IntrospectionAlg jose.SignatureAlgorithm
	// Client makes the calls. nil: a client of our own does.
	Client *http.Client
	// Logger logs the provider's keys that cannot be used.
	Logger *slog.Logger
	// Now returns the current time.
	Now func() time.Time
}

// A Provider is ProConnect, as one registration sees it. Its methods can be called
// by several goroutines.
type Provider struct {
	config    Config
	channel   backChannel
	discovery *cached[*Metadata]
	look      *look
	keys      *keySet

	idTokens       *verifier
	userinfos      *verifier // nil: plain JSON
	introspections *verifier // nil: plain JSON
}

// New returns a Provider. It makes no call.
func New(c Config) *Provider {
	p := &Provider{config: c, channel: newBackChannel(c.Client), look: &look{}}
	p.discovery = newCached(c.Now, lifeOfMetadata(), p.discover)
	p.keys = newKeySet(p)
	p.idTokens = p.verifier(c.IDTokenAlg)
	p.userinfos = p.verifier(c.UserinfoAlg)
	p.introspections = p.verifier(c.IntrospectionAlg)
	return p
}

// Afresh returns a Provider with the same configuration and nothing cached. Its calls
// go through a transport that wraps the one of p.
func (p *Provider) Afresh(around func(http.RoundTripper) http.RoundTripper) *Provider {
	fresh := New(p.config)
	fresh.channel = backChannel{around(p.channel.transport), p.channel.timeout}
	return fresh
}
