package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/strictjson"
	"github.com/agentconnect-go/agentconnect/internal/weburl"
)

// Metadata is the content of the provider's discovery document (OpenID Connect
// Discovery 1.0, section 3).
type Metadata struct {
	AuthorizationEndpoint string
	TokenEndpoint         string
	UserinfoEndpoint      string
	JWKSURI               string
	EndSessionEndpoint    string // "" if the provider has none
	IssInResponse         bool   // RFC 9207: callbacks always carry iss
	Document              strictjson.Object

	rules endpointRules
}

// lifeOfMetadata is long: known metadata serves on while the provider is away.
func lifeOfMetadata() freshness {
	return freshness{renewAfter: time.Hour, waitAfter: 24 * time.Hour, uselessAfter: 365 * 24 * time.Hour}
}

// Metadata returns the provider's metadata. It reads it if necessary.
func (p *Provider) Metadata(ctx context.Context) (*Metadata, error) {
	m, _, err := p.discovery.get(ctx, 0, always)
	return m, err
}

// discover reads the discovery document. It refuses a document that has lost a usable
// endpoint since the previous one.
func (p *Provider) discover(ctx context.Context, previous *Metadata) (*Metadata, error) {
	const asked = "discovery"
	body, err := p.getJSON(ctx, asked, strings.TrimSuffix(p.config.Issuer, "/")+"/.well-known/openid-configuration")
	if err != nil {
		return nil, err
	}
	m, err := parseMetadata(body, p.config.Issuer, p.config.SameOrigin)
	if err != nil {
		return nil, failed(BadAnswer, asked, err)
	}
	for _, name := range []string{"end_session_endpoint", "introspection_endpoint", "revocation_endpoint"} {
		if previous != nil && previous.has(name) && !m.has(name) {
			return nil, fail(BadAnswer, asked, "the document lost its %s", name)
		}
	}
	return m, nil
}

// parseMetadata verifies a discovery document (Discovery 1.0, section 4.3: its
// issuer is exactly the one that was asked).
func parseMetadata(body []byte, issuer string, sameOrigin bool) (*Metadata, error) {
	doc, err := strictjson.Parse(body)
	if err != nil {
		return nil, err
	}
	if got, err := doc.Text("issuer"); err != nil || got != issuer {
		return nil, fmt.Errorf("the document is that of the issuer %.200q, not of %q", got, issuer)
	}
	rules, err := rulesOf(issuer, sameOrigin)
	if err != nil {
		return nil, err
	}
	m := &Metadata{Document: doc, rules: rules}
	var errs []error
	for _, e := range []struct {
		name     string
		endpoint *string
		required bool
	}{
		{"authorization_endpoint", &m.AuthorizationEndpoint, true},
		{"token_endpoint", &m.TokenEndpoint, true},
		{"userinfo_endpoint", &m.UserinfoEndpoint, true},
		{"jwks_uri", &m.JWKSURI, true},
		{"end_session_endpoint", &m.EndSessionEndpoint, false},
	} {
		raw, err := doc.Text(e.name)
		if err == nil && (raw != "" || e.required) {
			err = rules.check(e.name, raw)
		}
		errs = append(errs, err)
		*e.endpoint = raw
	}
	m.IssInResponse, err = doc.Bool("authorization_response_iss_parameter_supported")
	return m, errors.Join(append(errs, err)...)
}

// Endpoint returns an endpoint that a login does not need, by its name in the
// document.
func (m *Metadata) Endpoint(name string) (string, error) {
	endpoint, err := m.Document.Text(name)
	if err == nil {
		err = m.rules.check(name, endpoint)
	}
	if err != nil {
		return "", failed(BadAnswer, "discovery", err)
	}
	return endpoint, nil
}

// has reports whether the document has a usable endpoint with that name.
func (m *Metadata) has(name string) bool {
	_, err := m.Endpoint(name)
	return err == nil
}

// endpointRules say where endpoints may be. Secrets are sent to them, and the document
// alone gives their addresses.
type endpointRules struct {
	loopback bool   // http is allowed on a loopback host
	origin   string // the origin of all endpoints; "": any
}

func rulesOf(issuer string, sameOrigin bool) (endpointRules, error) {
	u, err := url.Parse(issuer)
	if err != nil {
		return endpointRules{}, errors.New("the issuer is not a URL")
	}
	// With an https issuer, an http endpoint on a loopback host would give the client
	// secret to any program that listens on this machine.
	rules := endpointRules{loopback: u.Scheme == "http"}
	if sameOrigin {
		rules.origin = origin(u)
	}
	return rules, nil
}

func (r endpointRules) check(name, raw string) error {
	if raw == "" {
		return fmt.Errorf("%s is missing", name)
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "":
		return fmt.Errorf("%s is not an absolute URL", name)
	case u.Scheme != "https" && !(u.Scheme == "http" && r.loopback && weburl.IsLoopback(u.Hostname())):
		return fmt.Errorf("%s is not https", name)
	case r.origin != "" && origin(u) != r.origin:
		return fmt.Errorf("%s is not on the issuer's host, %s", name, r.origin)
	}
	return nil
}

// origin returns the origin of an http or https URL (RFC 6454 section 4).
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}

// getJSON reads a public JSON document of the provider.
func (p *Provider) getJSON(ctx context.Context, asked, endpoint string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint, nil)
	if err != nil {
		return nil, failed(BadAnswer, asked, err)
	}
	req.Header.Set("Accept", "application/json")
	answer, err := p.call(req, asked, isPublic)
	if err != nil {
		return nil, err
	}
	if answer.mediaType != "application/json" && !strings.HasSuffix(answer.mediaType, "+json") {
		return nil, fail(BadAnswer, asked, "the answer is %s, not JSON", answer.mediaType)
	}
	return answer.body, nil
}
