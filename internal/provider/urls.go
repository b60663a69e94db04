package provider

import (
	"net/url"

	"golang.org/x/oauth2"
)

// AuthURL returns the URL of the provider's login page (Core 1.0 section 3.1.2.1,
// RFC 7636).
func (p *Provider) AuthURL(m *Metadata, login Login, params ...oauth2.AuthCodeOption) string {
	params = append(params, oauth2.SetAuthURLParam("nonce", login.Nonce), oauth2.S256ChallengeOption(login.Verifier))
	return p.authRequest(m).AuthCodeURL(login.State, params...)
}

// SupportURL returns the authorization URL of a login, for ProConnect's support. It
// leaves out the secret parameters and those that change each time. It returns "" while
// the metadata is not known.
func (p *Provider) SupportURL(params ...oauth2.AuthCodeOption) string {
	m, ok := p.discovery.known()
	if !ok {
		return ""
	}
	return p.authRequest(m).AuthCodeURL("", params...)
}

func (p *Provider) authRequest(m *Metadata) *oauth2.Config {
	return &oauth2.Config{
		ClientID:    p.config.ClientID,
		RedirectURL: p.config.RedirectURL,
		Scopes:      p.config.Scopes,
		Endpoint:    oauth2.Endpoint{AuthURL: m.AuthorizationEndpoint},
	}
}

// EndSessionURL returns the URL of the provider's end_session_endpoint for a logout
// (RP-Initiated Logout 1.0 section 2). idToken, the hint, may be "": then client_id
// names the service.
func (p *Provider) EndSessionURL(m *Metadata, idToken, state string) string {
	u, _ := url.Parse(m.EndSessionEndpoint) // it was checked with the metadata
	params := u.Query()
	params.Set("state", state)
	params.Set("post_logout_redirect_uri", p.config.PostLogoutRedirectURL)
	if idToken != "" {
		params.Set("id_token_hint", idToken)
	} else {
		params.Set("client_id", p.config.ClientID)
	}
	u.RawQuery = params.Encode()
	return u.String()
}
