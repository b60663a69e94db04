package doctor

import "strings"

// explainPage finds the code in the text of one of ProConnect's own error pages, and
// returns its meaning for an operator; "" if there is no code. Most of these errors
// leave the agent on that page. The others come back as an error and a description,
// without the code.
func explainPage(text string) string {
	for _, row := range providerPages() {
		for code := range strings.FieldsSeq(row[0]) {
			if strings.Contains(text, code) {
				return code + ": " + row[1]
			}
		}
	}
	return ""
}

// providerPages returns the codes of ProConnect's error pages, with their meanings.
func providerPages() [][2]string {
	return [][2]string{
		{"oidc-provider-rendered-error:invalid_redirect_uri", "the redirect URI is not registered: slash, scheme, environment, network"},
		{"oidc-provider-rendered-error:invalid_client", "the client_id is not known in this environment and network"},
		{"Y000500 oidc-provider-rendered-error:server_error", "ProConnect failed"},
		{"Y000400", "a parameter of the request is missing, repeated or malformed"},
		{"Y000404", "the address does not exist at ProConnect: is the issuer right?"},
		{"oidc-provider-error:session-not-found Y190001", "ProConnect's own session cookie is missing, or that login is over: back button, form sent twice, blocked cookies"},
		{"Y190012 Y190013 Y190014 Y190002 Y190003 Y190005 Y190008", "ProConnect's own session is damaged"},
		{"Y470001 Y470002", "ProConnect's form was sent without its cookies, or is incomplete"},
		{"Y020017 Y020019 Y020026 Y020027 Y020030 Y020031", "the agent's identity provider is disabled, unknown or failing"},
		{"Y020032", "the agent's identity provider answered with an error"},
		{"Y170001", "too many tries of the code that was sent by e-mail"},
		{"Y170002", "the code could not be sent by e-mail"},
		{"Y170003", "the code that was sent by e-mail is wrong or expired"},
		{"Y300001 Y300002 Y300003", "the bridge between the Internet and the RIE failed"},
		{"Y030002 Y030005 Y030006 Y160004 Y160005 Y450001", "ProConnect failed"},
		{"Y500001", "no identity provider is known for the agent's e-mail address"},
		{"Y500006", "the agent's identity provider sent an incomplete or incorrect identity"},
		{"Y500027", "the agent's identity provider does not give addresses of that e-mail domain"},
		{"Y500015", "the service accepts public agents only, and this person is not one"},
		{"Y500024", "the agent's account is blocked"},
		{"Y500025", "the service's registration does not accept the domain of the agent's e-mail address"},
	}
}
