package agentconnect_test

import (
	"errors"
	"fmt"

	"github.com/agentconnect-go/agentconnect"
)

// The incorrect wiring: New refuses it, with every problem at once.
func ExampleNew_incorrect() {
	_, err := agentconnect.New(
		agentconnect.WithEnvironment(agentconnect.Production),
		agentconnect.WithClient("client-id", ""),                                 // the variable was not set
		agentconnect.WithRedirectURL("http://localhost:8080/callback"),           // left over from development
		agentconnect.WithPostLogoutRedirectURL("demarches.example.gouv.fr/home"), // no scheme
		agentconnect.WithScopes("given_name", "usual_name"),                      // no openid
		agentconnect.WithLevel(agentconnect.MFA(), agentconnect.ACR("eidas1")),   // no acr is both
	)
	fmt.Println(err)

	var problem *agentconnect.ConfigError
	if errors.As(err, &problem) {
		fmt.Println("\nThe first one:", problem.Option, "is", problem.Reason)
	}
	// Output:
	// agentconnect: WithRedirectURL (PROCONNECT_REDIRECT_URL or AGENTCONNECT_REDIRECT_URL): insecure: "http://localhost:8080/callback" is on this machine; ProConnect's production accepts neither http nor localhost
	// agentconnect: WithPostLogoutRedirectURL (PROCONNECT_POST_LOGOUT_REDIRECT_URL or AGENTCONNECT_POST_LOGOUT_REDIRECT_URL): invalid: the value of 30 bytes is not an absolute https URL
	// agentconnect: WithScopes (PROCONNECT_SCOPES or AGENTCONNECT_SCOPES): missing: openid must be among the scopes (OpenID Connect Core 1.0, section 3.1.2.1)
	// agentconnect: WithClient (PROCONNECT_CLIENT_SECRET or AGENTCONNECT_CLIENT_SECRET): missing: give the client_secret that ProConnect handed out to this service
	// agentconnect: WithLevel: conflict: no single acr value satisfies all the levels together
	//
	// The first one: WithRedirectURL (PROCONNECT_REDIRECT_URL or AGENTCONNECT_REDIRECT_URL) is insecure
}
