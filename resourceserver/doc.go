// Package resourceserver lets an API accept the calls that services make on behalf
// of an agent, with the access token that ProConnect (formerly AgentConnect) gave them.
//
// The API is a resource server: it has a registration of its own, asks ProConnect
// about each token (introspection, RFC 7662) and answers refusals as RFC 6750 says.
// It knows neither sessions nor cookies, and never redirects.
//
//	api, err := resourceserver.New(
//		resourceserver.WithEnvironment(agentconnect.Integration),
//		resourceserver.WithClient(clientID, clientSecret),
//		resourceserver.WithAllowedClients("client-id-of-the-portal"),
//	)
//	if err != nil {
//		log.Fatal(err)
//	}
//	http.Handle("GET /events", api.RequireToken(events))
//
// A service sends its token with [agentconnect.Authenticator.Client].
package resourceserver
