package doctor

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"github.com/agentconnect-go/agentconnect/internal/provider"
)

// registration checks whether the provider knows the client, its secret and its URLs.
func (c *checkup) registration(ctx context.Context, p *provider.Provider, m *provider.Metadata) {
	c.credentials(ctx, p, m)
	c.silentLogin(ctx, p, m)
	if m.EndSessionEndpoint != "" {
		c.logoutWithoutSession(ctx, p, m)
	}
}

// credentials redeems an invented code: the provider authenticates the client before it
// checks the code (RFC 6749 section 4.1.3).
func (c *checkup) credentials(ctx context.Context, p *provider.Provider, m *provider.Metadata) {
	const subject = "client_id and client_secret"
	const tryOut = "Try out a login."
	_, err := p.Exchange(ctx, m, random(), provider.Login{Nonce: random(), Verifier: random()})
	switch kindOf(err) {
	case provider.InvalidGrant:
		c.ok(subject, "accepted")
	case provider.InvalidClient:
		c.problem(subject, "the provider does not accept them", "Compare them with the registration for this environment: the four environments share no registration.")
	case provider.InvalidIDToken: // no nonce was sent, so none can be right
		c.problem(subject, "the provider redeemed a made-up code", "This is not ProConnect.")
	case provider.Unavailable, provider.Timeout:
		c.warn(subject, "the token endpoint does not answer: "+string(kindOf(err)), tryOut+" "+c.networkAdvice(m.TokenEndpoint))
	default:
		c.warn(subject, "the token endpoint's answer does not show whether they are right: "+err.Error(), tryOut)
	}
}

// silentLogin asks for a silent login without a session (Core 1.0 section 3.1.2.6). If
// the error comes to the redirect URL, the provider knows that URL. The error itself
// tells whether it grants the scopes.
func (c *checkup) silentLogin(ctx context.Context, p *provider.Provider, m *provider.Metadata) {
	const subject = "registration"
	const compare = "Compare client_id and redirect_uri with the registration for this environment, character by character."
	login := provider.Login{State: random(), Nonce: random(), Verifier: random()}
	visit, err := c.visit(ctx, p, p.AuthURL(m, login, oauth2.SetAuthURLParam("prompt", "none")))
	switch {
	case err != nil:
		c.warn(subject, "the authorization endpoint does not answer: "+string(kindOf(err)), c.networkAdvice(m.AuthorizationEndpoint))
		return
	case visit.Status >= 500:
		c.warn(subject, "the authorization endpoint answers "+visit.what(), "Try out a login.")
		return
	case visit.Status >= 400:
		c.problem(subject, "the provider answers a login with an error page: "+visit.what(), compare)
		return
	case !visit.leadsTo(c.RedirectURL):
		c.warn(subject, "the provider answers a silent login with "+visit.what()+", and not at the redirect URL", "Try out a login.")
		return
	}
	callback, err := provider.ParseCallback(visit.Location.RawQuery)
	switch {
	case err != nil || callback.State != login.State:
		c.problem(subject, "the redirect to the redirect URL is not an answer to the login", "Tell ProConnect's support.")
	case p.CheckIssuer(m, callback) != nil:
		c.problem(subject, "the provider's answer has another iss", "Every login would be refused. Tell ProConnect's support.")
	case slices.Contains([]string{"login_required", "interaction_required", "consent_required"}, callback.Error):
		c.ok(subject, "the provider knows the client and the redirect URL, and grants the scopes")
	case callback.Error == "invalid_scope":
		c.problem(subject, "the registration does not have all of the scopes "+strings.Join(c.Scopes, " "), "Ask ProConnect for the missing scopes, or remove them with WithScopes (PROCONNECT_SCOPES).")
	case provider.IsErrorName(callback.Error):
		c.problem(subject, "the provider refuses logins: "+callback.Error, compare)
	default:
		c.warn(subject, "the provider's answer to a silent login is not understood", "Try out a login.")
	}
}

// logoutWithoutSession asks for a logout without a session (RP-Initiated Logout 1.0
// section 2). ProConnect answers 500, as if it had failed, to a post-logout redirect
// URL that it does not know. Its answers to a request without that URL, and with an
// invented one, tell the cause.
func (c *checkup) logoutWithoutSession(ctx context.Context, p *provider.Provider, m *provider.Metadata) {
	const subject = "registration of the logout"
	const tryOut = "Try out a logout."
	ask := func(postLogoutURL string) (visit, error) {
		u, err := url.Parse(p.EndSessionURL(m, "", random()))
		if err != nil {
			return visit{}, &provider.Failure{Kind: provider.BadAnswer, Asked: "page", Err: errors.New("its address is malformed")}
		}
		query := u.Query()
		query.Set("post_logout_redirect_uri", postLogoutURL)
		if postLogoutURL == "" {
			query.Del("post_logout_redirect_uri")
		}
		u.RawQuery = query.Encode()
		return c.visit(ctx, p, u.String())
	}
	ours, err := ask(c.PostLogoutURL.String())
	if err != nil {
		c.warn(subject, "the end_session_endpoint does not answer: "+string(kindOf(err)), c.networkAdvice(m.EndSessionEndpoint))
		return
	}
	if ours.leadsTo(c.PostLogoutURL) {
		c.ok(subject, "the provider knows the post-logout redirect URL")
		return
	}
	other := "" // no post-logout redirect URL at all
	if !ours.refuses() {
		other = c.PostLogoutURL.JoinPath(random()).String()
	}
	control, err := ask(other)
	switch {
	case err != nil:
		c.warn(subject, "the end_session_endpoint does not answer a second time: "+string(kindOf(err)), tryOut)
	case ours.refuses() && control.refuses():
		c.warn(subject, "the end_session_endpoint answers "+http.StatusText(ours.Status)+", whatever it is asked", tryOut)
	case ours.refuses():
		c.problem(subject, "the provider refuses the post-logout redirect URL: "+http.StatusText(ours.Status), "Every logout would end on its error page. Compare post_logout_redirect_uri with the registration, character by character.")
	case control.refuses():
		c.ok(subject, "the provider knows the post-logout redirect URL, and refuses another")
	default:
		c.warn(subject, "the provider answers the post-logout redirect URL and a made-up one alike", tryOut+" Its last page must be the application's.")
	}
}

// A visit is a page of the provider, as a browser without any cookie gets it.
type visit struct{ *provider.Page }

func (c *checkup) visit(ctx context.Context, p *provider.Provider, address string) (visit, error) {
	page, err := p.Visit(ctx, address)
	return visit{page}, err
}

// refuses reports whether the page is an error.
func (v visit) refuses() bool { return v.Status >= 400 }

// leadsTo reports whether the provider sends the browser to a registered URL.
func (v visit) leadsTo(u *url.URL) bool {
	return v.Location != nil && v.Location.Scheme == u.Scheme && v.Location.Host == u.Host && v.Location.Path == u.Path
}

// what returns a description of the page, with the code on it.
func (v visit) what() string {
	what := http.StatusText(v.Status)
	if explanation := explainPage(string(v.Body)); explanation != "" {
		return what + ", " + explanation
	}
	return what
}
