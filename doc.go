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
// # What is trusted
//
// The provider, when it is reached over TLS at the configured issuer and signs
// with a key that it publishes and with the registered algorithm; the store, to
// return what was put in it. Nothing that a browser sends is: what it keeps for us
// is sealed or a random token, what it says in a URL is compared with that, and
// where it asks to go is a page of this application or the home page.
//
// # What is left to the application
//
// TLS; protection of its own forms against forgery ([http.CrossOriginProtection]);
// what an agent may do, for which [Authenticator.Require] offers levels and access
// rules; accounts, keyed by [Agent.Sub].
//
// The protocol is OpenID Connect Core 1.0 (authorization code flow), Discovery
// 1.0 and RP-Initiated Logout 1.0, with RFC 7636 (PKCE) and RFC 9207 (iss), as the
// documentation of ProConnect for service providers narrows them.
package agentconnect
