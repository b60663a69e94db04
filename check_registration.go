package agentconnect

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"github.com/agentconnect-go/agentconnect/internal/provider"
)

// registration finds out what the provider makes of the client, its secret and
// its URLs.
func (c *checkup) registration(ctx context.Context, p *provider.Provider, m *provider.Metadata) {
	c.credentials(ctx, p, m)
	c.silentLogin(ctx, p, m)
	if m.EndSessionEndpoint != "" {
		c.logoutWithoutSession(ctx, p, m)
	}
}

// credentials redeems a code that nobody was given: the provider authenticates
// the client before it looks at the code (RFC 6749 section 4.1.3).
func (c *checkup) credentials(ctx context.Context, p *provider.Provider, m *provider.Metadata) {
	const subject = "client_id and client_secret"
	const tryOut = "Try out a login."
	_, err := p.Exchange(ctx, m, randomText(), provider.Login{Nonce: randomText(), Verifier: randomText()})
	switch refusal := asError(err); refusal.Code {
	case CodeInvalidGrant:
		c.ok(subject, "accepted")
	case CodeInvalidClient:
		c.problem(subject, "the provider does not accept them", "Compare them with what AgentConnect handed out for this very environment: the four share no registration.")
	case CodeInvalidIDToken: // it cannot have the nonce, which was not sent
		c.problem(subject, "the provider redeemed a made-up code", "This is no AgentConnect.")
	case CodeProviderUnavailable, CodeProviderTimeout:
		c.warn(subject, "the token endpoint does not answer: "+string(refusal.Code), tryOut+" "+networkAdvice(m.TokenEndpoint))
	default:
		c.warn(subject, "the token endpoint's answer says nothing about them: "+refusal.Error(), tryOut)
	}
}

// silentLogin asks for a login without any session (Core 1.0 section 3.1.2.6):
// where the provider sends the error tells whether it knows the redirect URL, and
// which error, whether it grants the scopes.
func (c *checkup) silentLogin(ctx context.Context, p *provider.Provider, m *provider.Metadata) {
	const subject = "registration"
	const compare = "Compare client_id and redirect_uri with the registration of this very environment, character by character."
	config := c.auth.config
	login := provider.Login{State: randomText(), Nonce: randomText(), Verifier: randomText()}
	visit, err := c.visit(ctx, p, p.AuthURL(m, login, oauth2.SetAuthURLParam("prompt", "none")))
	switch {
	case err != nil:
		c.warn(subject, "the authorization endpoint does not answer: "+string(asError(err).Code), networkAdvice(m.AuthorizationEndpoint))
		return
	case visit.status >= 500:
		c.warn(subject, "the authorization endpoint answers "+visit.what(), "Try out a login.")
		return
	case visit.status >= 400:
		c.problem(subject, "the provider answers a login with an error page: "+visit.what(), compare)
		return
	case !visit.leadsTo(config.redirectURL):
		c.warn(subject, "the provider answers a silent login with "+visit.what()+", and not at the redirect URL", "Try out a login.")
		return
	}
	answer, err := parseAnswer(visit.location.RawQuery)
	switch {
	case err != nil || answer.state != login.State:
		c.problem(subject, "what the provider sends to the redirect URL is not an answer to the login", "Tell AgentConnect's support.")
	case answer.checkIssuer(config.issuer, m.IssInResponse) != nil:
		c.problem(subject, "the provider's answer has another iss", "Every login would be refused. Tell AgentConnect's support.")
	case slices.Contains([]string{"login_required", "interaction_required", "consent_required"}, answer.err):
		c.ok(subject, "the provider knows the client and the redirect URL, and grants the scopes")
	case answer.err == "invalid_scope":
		c.problem(subject, "the registration was not granted all of the scopes "+strings.Join(config.scopes, " "), "Ask AgentConnect for what is missing, or leave it out with WithScopes (PROCONNECT_SCOPES).")
	case isErrorName(answer.err):
		c.problem(subject, "the provider refuses logins: "+answer.err, compare)
	default:
		c.warn(subject, "the provider's answer to a silent login is not understood", "Try out a login.")
	}
}

// logoutWithoutSession asks for a logout of nobody (RP-Initiated Logout 1.0
// section 2). AgentConnect answers a post-logout redirect URL that it does not know
// with a 500 that says nothing: what it answers without any, and to a made-up one,
// tells the cause.
func (c *checkup) logoutWithoutSession(ctx context.Context, p *provider.Provider, m *provider.Metadata) {
	const subject = "registration of the logout"
	const tryOut = "Try out a logout."
	config := c.auth.config
	ask := func(postLogoutURL string) (*visit, error) {
		u, err := url.Parse(p.EndSessionURL(m, "", randomText()))
		if err != nil {
			return nil, errorf(CodeProviderAnswer, "the address of the page is malformed")
		}
		query := u.Query()
		query.Set("post_logout_redirect_uri", postLogoutURL)
		if postLogoutURL == "" {
			query.Del("post_logout_redirect_uri")
		}
		u.RawQuery = query.Encode()
		return c.visit(ctx, p, u.String())
	}
	ours, err := ask(config.postLogoutURL.String())
	if err != nil {
		c.warn(subject, "the end_session_endpoint does not answer: "+string(asError(err).Code), networkAdvice(m.EndSessionEndpoint))
		return
	}
	if ours.leadsTo(config.postLogoutURL) {
		c.ok(subject, "the provider knows the post-logout redirect URL")
		return
	}
	other := "" // no post-logout redirect URL at all
	if !ours.refuses() {
		other = config.postLogoutURL.JoinPath(randomText()).String()
	}
	control, err := ask(other)
	switch {
	case err != nil:
		c.warn(subject, "the end_session_endpoint does not answer twice: "+string(asError(err).Code), tryOut)
	case ours.refuses() && control.refuses():
		c.warn(subject, "the end_session_endpoint answers "+ours.what()+", whatever it is asked", tryOut)
	case ours.refuses():
		c.problem(subject, "the provider refuses the post-logout redirect URL: "+ours.what(), "Every logout would end on its error page. Compare post_logout_redirect_uri with the registration, character by character.")
	case control.refuses():
		c.ok(subject, "the provider knows the post-logout redirect URL, and refuses another")
	default:
		c.warn(subject, "the provider answers the post-logout redirect URL and a made-up one alike", tryOut+" Its last page must be the application's.")
	}
}

// A visit is what a browser without any cookie would get.
type visit struct {
	status   int
	location *url.URL // nil unless it is a redirect
	body     string
}

// visit opens a page of the provider and follows no redirect. The address has
// made-up values that look like secrets: the errors do not quote it.
func (c *checkup) visit(ctx context.Context, p *provider.Provider, address string) (*visit, error) {
	page, err := p.Visit(ctx, address)
	if err != nil {
		return nil, err
	}
	return &visit{status: page.Status, location: page.Location, body: string(page.Body)}, nil
}

// refuses reports whether the page is an error.
func (v *visit) refuses() bool { return v.status >= 400 }

// leadsTo reports whether the provider sends the browser to a registered URL.
func (v *visit) leadsTo(u *url.URL) bool {
	return v.location != nil && v.location.Scheme == u.Scheme && v.location.Host == u.Host && v.location.Path == u.Path
}

// what says what the page is, with the code of AgentConnect's error pages.
func (v *visit) what() string {
	what := http.StatusText(v.status)
	if code, explanation, ok := explainProviderPage(v.body); ok {
		return what + ", " + code + ": " + explanation
	}
	return what
}
