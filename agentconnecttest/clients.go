package agentconnecttest

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Client is the registration of one service provider.
type Client struct {
	// ID and Secret are the credentials; both are required. With HS256, the
	// raw bytes of Secret are the key.
	ID, Secret string

	// RedirectURIs and PostLogoutRedirectURIs are compared with those of a request,
	// character by character.
	RedirectURIs           []string
	PostLogoutRedirectURIs []string

	// IDTokenAlg signs the ID token: "RS256" (the default), "ES256" or "HS256".
	IDTokenAlg string

	// UserinfoAlg signs userinfo: the same three, or "none" for plain JSON; the
	// default is IDTokenAlg.
	UserinfoAlg string

	// IntrospectionAlg signs introspection answers: the same three. The default, and
	// "none", is RS256: as on the real one, the Accept header of each request alone decides
	// whether an answer is signed.
	IntrospectionAlg string

	// PublicOnly says that the service accepts public agents only: an agent without the
	// role agent_public stays on the error page Y500015.
	PublicOnly bool

	// EmailDomains are the e-mail domains that the service accepts; nil means all. An
	// agent with another domain stays on the error page Y500025.
	EmailDomains []string

	// Scopes are those of the registration; nil means every scope of [SupportedScopes].
	// A request for another supported scope comes back as invalid_scope.
	Scopes []string
}

func (c Client) withDefaults() Client {
	if c.IDTokenAlg == "" {
		c.IDTokenAlg = "RS256"
	}
	if c.UserinfoAlg == "" {
		c.UserinfoAlg = c.IDTokenAlg
	}
	if c.IntrospectionAlg == "" || c.IntrospectionAlg == "none" {
		c.IntrospectionAlg = "RS256"
	}
	if c.Scopes == nil {
		c.Scopes = SupportedScopes()
	}
	c.RedirectURIs = slices.Clone(c.RedirectURIs)
	c.PostLogoutRedirectURIs = slices.Clone(c.PostLogoutRedirectURIs)
	c.Scopes = slices.Clone(c.Scopes)
	c.EmailDomains = slices.Clone(c.EmailDomains)
	return c
}

// acceptsEmail compares whole domains, and ignores case.
func (c Client) acceptsEmail(email string) bool {
	domain := email[strings.LastIndex(email, "@")+1:]
	return c.EmailDomains == nil || slices.ContainsFunc(c.EmailDomains, func(d string) bool { return strings.EqualFold(d, domain) })
}

func (c Client) validate() error {
	var problems []error
	if c.ID == "" {
		problems = append(problems, errors.New("field ID is missing"))
	}
	if c.Secret == "" {
		problems = append(problems, errors.New("field Secret is missing"))
	}
	c = c.withDefaults()
	signed := []string{"RS256", "ES256", "HS256"}
	for _, alg := range []struct {
		field, value string
		allowed      []string
	}{
		{"IDTokenAlg", c.IDTokenAlg, signed},
		{"UserinfoAlg", c.UserinfoAlg, append(signed, "none")},
		{"IntrospectionAlg", c.IntrospectionAlg, append(signed, "none")},
	} {
		if !slices.Contains(alg.allowed, alg.value) {
			problems = append(problems, fmt.Errorf("field %s: %q is not one of %s", alg.field, alg.value, strings.Join(alg.allowed, ", ")))
		}
	}
	for _, uri := range slices.Concat(c.RedirectURIs, c.PostLogoutRedirectURIs) {
		u, err := url.Parse(uri)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.ContainsAny(uri, "# ") {
			problems = append(problems, fmt.Errorf("redirect URI %q is not an absolute http or https URL without fragment or space", uri))
		}
	}
	for _, scope := range c.Scopes {
		if !slices.Contains(SupportedScopes(), scope) {
			problems = append(problems, fmt.Errorf("field Scopes: %q is not a scope of ProConnect", scope))
		}
	}
	return errors.Join(problems...)
}

// SetClient registers c, or replaces the client with the same ID. It can be called at
// any time, for example once the application under test listens and its address is
// known. The error joins all the problems of c; then nothing has changed.
func (p *Provider) SetClient(c Client) error {
	if err := c.validate(); err != nil {
		return fmt.Errorf("agentconnecttest: client: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clients[c.ID] = c.withDefaults()
	return nil
}

func (p *Provider) client(id string) (Client, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, ok := p.clients[id]
	return c, ok
}

// authenticate finds the client of a back-channel request. It reads the credentials
// from the body only and refuses an Authorization header, as ProConnect's documentation
// says. On failure it has answered and returns false.
func (p *Provider) authenticate(a *Answer, r *http.Request) (Client, bool) {
	a.Header.Set("Cache-Control", "no-store")
	for name, values := range r.PostForm {
		if len(values) > 1 {
			a.oauthError(http.StatusBadRequest, "invalid_request", "'"+name+"' parameter must not be provided twice")
			return Client{}, false
		}
	}
	c, ok := p.client(r.PostForm.Get("client_id"))
	secret := r.PostForm.Get("client_secret")
	if !ok || r.Header.Get("Authorization") != "" || subtle.ConstantTimeCompare([]byte(secret), []byte(c.Secret)) != 1 {
		a.oauthError(http.StatusUnauthorized, "invalid_client", "client authentication failed")
		return Client{}, false
	}
	return c, true
}
