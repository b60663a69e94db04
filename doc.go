// Package agentconnect logs public agents in with ProConnect (called AgentConnect
// until 2024), the OpenID Connect federation of the French State. It has handlers and
// middleware for net/http, on any router.
//
//	auth, err := agentconnect.New(
//		agentconnect.WithEnvironment(agentconnect.Integration),
//		agentconnect.WithClient(clientID, clientSecret),
//		agentconnect.WithRedirectURL("https://demarches.example.gouv.fr/callback"),
//		agentconnect.WithPostLogoutRedirectURL("https://demarches.example.gouv.fr/logout/callback"),
//	)
//
//	r := chi.NewRouter()
//	r.HandleFunc("/login", auth.Login)
//	r.HandleFunc("/callback", auth.Callback)
//	r.HandleFunc("/logout", auth.Logout)
//	r.HandleFunc("/logout/callback", auth.LogoutCallback)
//	r.With(auth.RequireAgent).Get("/dossiers", func(w http.ResponseWriter, r *http.Request) {
//		agent, _ := agentconnect.AgentFrom(r.Context())
//		fmt.Fprintf(w, "Bonjour %s %s", agent.GivenName, agent.UsualName)
//	})
//
// # The flow
//
// [Authenticator.RequireAgent] sends a stranger to [Authenticator.Login], which
// redirects the browser to ProConnect with a fresh state, nonce and PKCE
// challenge, kept in a sealed cookie of that browser. ProConnect sends it back
// to [Authenticator.Callback], which redeems the code from server to server,
// verifies the ID token and the userinfo, and puts a session in the store. From
// then on a request costs one read of the store, and its handler finds the agent
// with [AgentFrom]. [Authenticator.Logout] ends the session here, then sends the
// browser to end the one at ProConnect, which comes back to
// [Authenticator.LogoutCallback].
//
// # Trust
//
// The package trusts the provider, if it is reached over TLS at the configured issuer,
// and if it signs with a key that it publishes and with the registered algorithm. It
// trusts the store to return the data that was written. It trusts nothing that a
// browser sends: cookies are sealed or random tokens, parameters of URLs are compared
// with them, and a page to return to is a page of this application or the home page.
//
// # Duties of the application
//
// The application does TLS, protects its own forms against forgery
// ([http.CrossOriginProtection]), decides what an agent may do ([Authenticator.Require]
// has levels and access rules), and keeps its accounts, with [Agent.Sub] as the key.
//
// The protocol is OpenID Connect Core 1.0 (authorization code flow), Discovery
// 1.0 and RP-Initiated Logout 1.0, with RFC 7636 (PKCE) and RFC 9207 (iss), with the
// restrictions of ProConnect's documentation for service providers.
package agentconnect
