package recipes

import "github.com/agentconnect-go/agentconnect"

// FromOAuth2ProxyOptions keep the callback and the logout of oauth2-proxy. Register the
// post-logout redirect URL: the proxy had none.
func FromOAuth2ProxyOptions(origin string) []agentconnect.Option {
	return []agentconnect.Option{
		agentconnect.FromEnv(),
		agentconnect.WithRedirectURL(origin + "/oauth2/callback"),
		agentconnect.WithPostLogoutRedirectURL(origin + "/oauth2/signed_out"),
		agentconnect.WithLogoutPath("/oauth2/sign_out"),
		agentconnect.WithLevel(EmailUnder("gouv.fr")), // --email-domain=.gouv.fr
	}
}
