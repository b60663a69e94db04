package agentconnect

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/agentconnect-go/agentconnect/internal/strictjson"
	"github.com/agentconnect-go/agentconnect/internal/weburl"
)

// clockTolerance is how far the provider's clock and ours may be apart.
const clockTolerance = time.Minute

// metadata is what the provider's discovery document says (OpenID Connect
// Discovery 1.0, section 3).
type metadata struct {
	authorizationEndpoint string
	tokenEndpoint         string
	userinfoEndpoint      string
	jwksURI               string
	endSessionEndpoint    string // "" when the provider has none
	issInResponse         bool   // RFC 9207: callbacks always carry iss
	document              strictjson.Object
}

// A provider is everything that is said server to server: discovery, code
// exchange, userinfo, and the verification of what comes back.
type provider struct {
	config *config
	client *http.Client
	tokens *http.Client // client, for the token endpoint
	keys   *keySet

	idTokens  *verifier
	userinfos *verifier // nil: plain JSON

	discovery *cached[*metadata]
}

func newProvider(c *config) *provider {
	p := &provider{config: c, client: backChannel(c.httpClient)}
	tokens := *p.client
	tokens.Transport = tokenTransport{tokens.Transport}
	p.tokens = &tokens
	p.discovery = &cached[*metadata]{
		now: c.now,
		// A provider that is away does not stop who knows it.
		freshness: freshness{renewAfter: time.Hour, waitAfter: 24 * time.Hour, uselessAfter: 365 * 24 * time.Hour},
		read:      p.discover,
	}
	p.keys = newKeySet(c.now, p.fetchKeys)
	p.idTokens = p.verifier(c.idTokenAlg)
	if c.userinfoAlg != Unsigned {
		p.userinfos = p.verifier(c.userinfoAlg)
	}
	return p
}

// metadata returns the provider's metadata, reading it if need be.
func (p *provider) metadata(ctx context.Context) (*metadata, error) {
	m, _, err := p.discovery.get(ctx, 0, always)
	return m, err
}

// discover reads the discovery document. One that lost an endpoint which the
// previous one had does not replace it.
func (p *provider) discover(ctx context.Context, previous *metadata) (*metadata, error) {
	const what = "discovery"
	body, err := p.getJSON(ctx, what, strings.TrimSuffix(p.config.issuer, "/")+"/.well-known/openid-configuration")
	if err != nil {
		return nil, err
	}
	m, err := parseMetadata(body, p.config.issuer)
	if err != nil {
		return nil, errorf(CodeProviderAnswer, "%s: %w", what, err)
	}
	if previous != nil && previous.endSessionEndpoint != "" && m.endSessionEndpoint == "" {
		return nil, errorf(CodeProviderAnswer, "%s: the document lost its end_session_endpoint", what)
	}
	return m, nil
}

// parseMetadata verifies a discovery document (Discovery 1.0, section 4.3: its
// issuer is exactly the one that was asked).
func parseMetadata(body []byte, issuer string) (*metadata, error) {
	doc, err := strictjson.Parse(body)
	if err != nil {
		return nil, err
	}
	if got, _ := doc.Text("issuer"); got != issuer {
		return nil, fmt.Errorf("the document is of the issuer %.200q, not of %q", got, issuer)
	}
	m := &metadata{document: doc}
	var errs []error
	for _, e := range []struct {
		name     string
		endpoint *string
		required bool
	}{
		{"authorization_endpoint", &m.authorizationEndpoint, true},
		{"token_endpoint", &m.tokenEndpoint, true},
		{"userinfo_endpoint", &m.userinfoEndpoint, true},
		{"jwks_uri", &m.jwksURI, true},
		{"end_session_endpoint", &m.endSessionEndpoint, false},
	} {
		raw, err := doc.Text(e.name)
		if err == nil && (raw != "" || e.required) {
			err = checkEndpoint(e.name, raw)
		}
		errs = append(errs, err)
		*e.endpoint = raw
	}
	m.issInResponse, err = doc.Bool("authorization_response_iss_parameter_supported")
	errs = append(errs, err)
	return m, errors.Join(errs...)
}

// endpoint returns an endpoint that a login does without.
func (m *metadata) endpoint(name string) (string, error) {
	endpoint, err := m.document.Text(name)
	if err == nil {
		err = checkEndpoint(name, endpoint)
	}
	if err != nil {
		return "", errorf(CodeProviderAnswer, "discovery: %w", err)
	}
	return endpoint, nil
}

func checkEndpoint(name, raw string) error {
	if raw == "" {
		return fmt.Errorf("%s is missing", name)
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return fmt.Errorf("%s is not an absolute URL", name)
	}
	if u.Scheme != "https" && !(u.Scheme == "http" && weburl.IsLoopback(u.Hostname())) {
		return fmt.Errorf("%s is not https", name)
	}
	return nil
}

// getJSON reads a JSON document of the provider.
func (p *provider) getJSON(ctx context.Context, what, endpoint string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint, nil)
	if err != nil {
		return nil, errorf(CodeProviderAnswer, "%s: %w", what, err)
	}
	req.Header.Set("Accept", "application/json")
	mediaType, body, err := call(p.client, req, what)
	if err != nil {
		return nil, err
	}
	if mediaType != "application/json" && !strings.HasSuffix(mediaType, "+json") {
		return nil, errorf(CodeProviderAnswer, "%s: the answer is %s, not JSON", what, mediaType)
	}
	return body, nil
}

func (p *provider) fetchKeys(ctx context.Context) ([]byte, error) {
	m, err := p.metadata(ctx)
	if err != nil {
		return nil, err
	}
	return p.getJSON(ctx, "keys", m.jwksURI)
}

func (p *provider) oauth2Config(m *metadata) *oauth2.Config {
	return &oauth2.Config{
		ClientID:     p.config.clientID,
		ClientSecret: p.config.clientSecret,
		RedirectURL:  p.config.redirectURL.String(),
		Scopes:       p.config.scopes,
		Endpoint: oauth2.Endpoint{
			AuthURL:  m.authorizationEndpoint,
			TokenURL: m.tokenEndpoint,
			// The documents want the credentials in the body. Named, because x/oauth2
			// would otherwise try out both ways, and send the code twice.
			AuthStyle: oauth2.AuthStyleInParams,
		},
	}
}

// authURL returns the URL of the provider's login page (Core 1.0 section
// 3.1.2.1, RFC 7636).
func (p *provider) authURL(m *metadata, login *pendingLogin, params []oauth2.AuthCodeOption) string {
	params = append(params, oidc.Nonce(login.Nonce), oauth2.S256ChallengeOption(login.Verifier))
	return p.oauth2Config(m).AuthCodeURL(login.State, params...)
}

// endSessionURL returns the URL of the provider's end_session_endpoint for a
// logout (RP-Initiated Logout 1.0 section 2). idToken, the hint, may be "": then the
// provider learns from client_id for whom it is.
func (p *provider) endSessionURL(m *metadata, idToken, state string) string {
	u, _ := url.Parse(m.endSessionEndpoint) // checkEndpoint did
	params := u.Query()
	params.Set("state", state)
	params.Set("post_logout_redirect_uri", p.config.postLogoutURL.String())
	if idToken != "" {
		params.Set("id_token_hint", idToken)
	} else {
		params.Set("client_id", p.config.clientID)
	}
	u.RawQuery = params.Encode()
	return u.String()
}

// supportURL returns the authorization URL of a login as support asks for it:
// without what is secret or changes each time. "" while the provider is unknown.
func (p *provider) supportURL(login *pendingLogin) string {
	m, ok := p.discovery.known()
	if !ok {
		return ""
	}
	request := &loginRequest{ACR: login.ACR}
	u, err := url.Parse(p.oauth2Config(m).AuthCodeURL("", request.params(p.config.askAMR)...))
	if err != nil {
		return ""
	}
	return u.String()
}

// verificationFailed is the refusal of a token that does not verify. A key set
// that could not be read is the provider being away rather than a bad token.
func verificationFailed(code Code, err error) *Error {
	var away *Error
	if errors.As(err, &away) {
		return away
	}
	return newError(code, err)
}

// userinfo reads the claims about the agent, once, and verifies them (Core 1.0
// section 5.3).
func (p *provider) userinfo(ctx context.Context, m *metadata, t *tokens) (strictjson.Object, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.userinfoEndpoint, nil)
	if err != nil {
		return strictjson.Object{}, errorf(CodeProviderAnswer, "userinfo: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+t.access.AccessToken)
	mediaType, body, err := call(p.client, req, "userinfo")
	if err != nil {
		return strictjson.Object{}, err
	}
	info, err := p.verifyUserinfo(ctx, mediaType, body, t.claims)
	if err != nil {
		return strictjson.Object{}, verificationFailed(CodeInvalidUserinfo, err)
	}
	return info, nil
}
