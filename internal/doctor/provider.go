package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/agentconnect-go/agentconnect/internal/provider"
)

// HS256 uses the client secret as its key, which must not be shorter (RFC 7518 section
// 3.2).
const (
	hs256          = "HS256"
	minHS256Secret = 32
)

// provider checks the provider's metadata and, if it can be read, the registration.
func (c *checkup) provider(ctx context.Context) {
	const subject = "discovery"
	watch := &clockWatch{now: c.Now}
	fresh := c.Provider.Afresh(func(base http.RoundTripper) http.RoundTripper {
		watch.base = base
		return watch
	})
	m, err := fresh.Metadata(ctx)
	if err != nil {
		c.problem(subject, err.Error(), c.discoveryAdvice(err))
		c.clock(watch)
		return
	}
	c.ok(subject, "the metadata of "+c.Issuer+" is complete")
	c.clock(watch)
	c.lists(m)
	c.levels(m)
	c.switches(m)
	c.keys(ctx, fresh, m)
	c.registration(ctx, fresh, m)
}

// kindOf returns the kind of a failure.
func kindOf(err error) provider.Kind {
	var failure *provider.Failure
	if errors.As(err, &failure) {
		return failure.Kind
	}
	return ""
}

// discoveryAdvice is the advice for metadata that cannot be used.
func (c *checkup) discoveryAdvice(err error) string {
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &certificate):
		return "The certificate is not trusted. Add your proxy's certificate authority with SSL_CERT_FILE, or find out which server answers in the provider's place."
	case kindOf(err) == provider.BadAnswer:
		return "Compare the issuer with ProConnect's documentation: the domain of the environment, and /api/v2. Another server may answer in its place (proxy, maintenance)."
	}
	return c.networkAdvice(c.Issuer)
}

// A clockWatch is a transport that compares the provider's clock with ours.
type clockWatch struct {
	base http.RoundTripper
	now  func() time.Time

	mu    sync.Mutex
	known bool
	ahead time.Duration // how far the provider's clock is ahead of ours
}

// RoundTrip implements http.RoundTripper.
func (t *clockWatch) RoundTrip(r *http.Request) (*http.Response, error) {
	sent := t.now()
	res, err := t.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	// A cache between us would give the time of an older answer.
	if date, err := http.ParseTime(res.Header.Get("Date")); err == nil && res.Header.Get("Age") == "" {
		between := sent.Add(t.now().Sub(sent) / 2)
		t.mu.Lock()
		t.known, t.ahead = true, date.Sub(between)
		t.mu.Unlock()
	}
	return res, nil
}

func (c *checkup) clock(watch *clockWatch) {
	const subject = "clock"
	watch.mu.Lock()
	defer watch.mu.Unlock()
	if !watch.known {
		c.warn(subject, "the provider's clock is not known", "Make sure that this machine's clock is set by NTP.")
		return
	}
	const near = 10 * time.Second
	off := watch.ahead.Round(time.Second)
	relation := "ahead of the provider's"
	if off > 0 {
		relation = "behind the provider's"
	}
	found := fmt.Sprintf("ours is %v %s", off.Abs(), relation)
	switch {
	case off.Abs() > provider.ClockTolerance:
		c.problem(subject, found, fmt.Sprintf("Set this machine's clock (NTP): more than %v apart, every login is refused.", provider.ClockTolerance))
	case off.Abs() > near:
		c.warn(subject, found, fmt.Sprintf("Set this machine's clock (NTP): at %v apart, every login is refused.", provider.ClockTolerance))
	default:
		c.ok(subject, fmt.Sprintf("ours and the provider's are less than %v apart", near))
	}
}

// listed returns a list of the metadata, and whether the metadata has it.
func listed(m *provider.Metadata, name string) ([]string, bool) {
	list, _ := m.Document.Texts(name)
	return list, list != nil
}

// lists checks that the metadata lists every value that the settings need (Discovery
// 1.0 section 3).
func (c *checkup) lists(m *provider.Metadata) {
	const otherAlg = "Give the algorithm that was registered. If this is the one, check that the registration is that of this environment."
	rows := []struct {
		subject, member string
		wanted          []string
		missing         Severity
		action          string
	}{
		{"response type", "response_types_supported", []string{"code"}, Problem, "Only the authorization code flow is used here."},
		{"ID token algorithm", "id_token_signing_alg_values_supported", []string{c.IDTokenAlg}, Problem, otherAlg},
		{"userinfo algorithm", "userinfo_signing_alg_values_supported", []string{c.UserinfoAlg}, Problem, otherAlg},
		{"client authentication", "token_endpoint_auth_methods_supported", []string{"client_secret_post"}, Problem, "The client_secret is sent in the body, as ProConnect's documentation says."},
		{"PKCE", "code_challenge_methods_supported", []string{"S256"}, Problem, "Every login sends an S256 challenge."},
		{"scopes", "scopes_supported", c.Scopes, Warning, "Correct WithScopes (PROCONNECT_SCOPES): the provider ignores a scope that it does not know, and never sends its claims."},
	}
	for _, row := range rows {
		list, ok := listed(m, row.member)
		lacking := slices.DeleteFunc(slices.Clone(row.wanted), func(v string) bool { return slices.Contains(list, v) })
		wanted := strings.Join(row.wanted, " ")
		switch {
		case row.wanted[0] == string(provider.Unsigned):
			c.ok(row.subject, "none: the userinfo is plain JSON")
		case !ok:
			c.warn(row.subject, "the metadata has no "+row.member, "Try out a login: the provider may support "+wanted+" although its metadata does not say so.")
		case len(lacking) > 0:
			found := fmt.Sprintf("the provider does not support %s; %s: %s", strings.Join(lacking, " "), row.member, strings.Join(list, " "))
			c.findings = append(c.findings, Finding{row.missing, row.subject, found, row.action})
		default:
			c.ok(row.subject, wanted)
		}
	}
}

// levels compares the acr values that the provider gives with those that logins
// demand, and with those that routes can demand.
func (c *checkup) levels(m *provider.Metadata) {
	const subject = "acr values"
	list, ok := listed(m, "acr_values_supported")
	unsupported := func(acrs []string) []string {
		return slices.DeleteFunc(slices.Clone(acrs), func(v string) bool { return slices.Contains(list, v) })
	}
	demanded := c.ACR
	switch lacking := unsupported(demanded); {
	case !ok && demanded != nil:
		c.warn(subject, "the metadata has no acr_values_supported", "Try out a login with the level of WithLevel.")
		return
	case !ok:
		c.warn(subject, "the metadata has no acr_values_supported", "Try out a login on a route that demands a level, if there is one.")
		return
	case demanded != nil && len(lacking) == len(demanded):
		c.problem(subject, "the provider gives none of those that every login demands: "+strings.Join(demanded, " "), "Change WithLevel: ProConnect loops for ever if it gives none of the values that it is asked for. It gives "+strings.Join(list, " ")+".")
		return
	case demanded != nil:
		c.ok(subject, "every login demands one of "+strings.Join(demanded, " "))
	}
	if c.LoopsByEmail && !c.RIE {
		c.warn("code by e-mail", "if their identity provider only gives eidas0, agents are asked for ProConnect's code again and again, and cannot log in", "Demand MFA() or MinEIDAS(2) with WithLevel, not both MFA() and MinEIDAS(1).")
	}
	if lacking := unsupported(c.EveryACR); len(lacking) > 0 {
		c.warn(subject, "the provider does not give "+strings.Join(lacking, " "), "Do not demand them on a route (Require), unless the route accepts other values too.")
		return
	}
	if demanded == nil {
		c.ok(subject, "the provider gives all that a route can demand")
	}
}

// switches checks the optional features of the provider.
func (c *checkup) switches(m *provider.Metadata) {
	const claimsParameter = "claims parameter"
	claimsParameterSupported, _ := m.Document.Bool("claims_parameter_supported")
	switch {
	case claimsParameterSupported:
		c.ok(claimsParameter, "supported: levels can be demanded")
	case c.ACR != nil:
		c.problem(claimsParameter, "the metadata does not say claims_parameter_supported, and WithLevel needs it", "Every login would be refused, because the provider cannot be asked for a level. Remove WithLevel, or ask the provider.")
	default:
		c.warn(claimsParameter, "the metadata does not say claims_parameter_supported", "A route that demands a level (Require) would refuse every agent.")
	}
	const logout = "logout"
	if m.EndSessionEndpoint == "" {
		c.warn(logout, "the metadata has no end_session_endpoint", "A logout ends only the session here. The next login may not ask the agent to authenticate.")
	} else {
		c.ok(logout, "it ends the provider's session too")
	}
	const iss = "iss on the callback"
	if m.IssInResponse {
		c.ok(iss, "the provider always names itself in its answers (RFC 9207)")
	} else {
		c.warn(iss, "the metadata does not promise it (RFC 9207)", "Nothing, if this is the only provider that agents use here.")
	}
}

// keys checks that there is a key for each algorithm.
func (c *checkup) keys(ctx context.Context, p *provider.Provider, m *provider.Metadata) {
	const subject = "keys"
	if (c.IDTokenAlg == hs256 || c.UserinfoAlg == hs256) && c.SecretLength < minHS256Secret {
		c.warn("client secret", fmt.Sprintf("it is the key of HS256, and shorter than %d bytes (RFC 7518, section 3.2)", minHS256Secret), "Ask for another one, or for RS256.")
	}
	algs := slices.DeleteFunc(slices.Compact([]string{c.IDTokenAlg, c.UserinfoAlg}), func(alg string) bool { return alg == hs256 || alg == string(provider.Unsigned) })
	if len(algs) == 0 {
		c.ok(subject, "none needed: the client secret signs")
		return
	}
	keys, err := p.ReadKeys(ctx)
	if err != nil {
		action := "Without the keys no login succeeds. " + c.networkAdvice(m.JWKSURI)
		if kindOf(err) == provider.BadAnswer {
			action = "Tell ProConnect's support: no login succeeds without keys."
		}
		c.problem(subject, err.Error(), action)
		return
	}
	for _, key := range keys.LeftOut {
		c.warn(subject, key.String(), "Tell ProConnect's support: a token signed with this key would be refused.")
	}
	for _, alg := range algs {
		fitting := keys.Fitting(jose.SignatureAlgorithm(alg))
		if fitting == 0 {
			c.problem(subject, "the provider publishes no key for "+alg, "Give the algorithm that was registered; if it is this one, tell ProConnect's support.")
			continue
		}
		c.ok(subject, fmt.Sprintf("for %s: %d", alg, fitting))
	}
}
