// Package agentconnecttest is a ProConnect that runs in the process, for tests of
// applications and for demonstrations. It answers like the real one, logs demonstration
// agents in without a password, and fails on demand.
//
// # In a test
//
// [NewServer] starts it on a loopback port and stops it at the end of the test.
// The application gets [Server.Issuer] for issuer and the credentials of
// [Server.Client]; once the address of the application is known,
// [Server.SetRedirectURIs] registers it:
//
//	srv := agentconnecttest.NewServer(t)
//	app := httptest.NewServer(newApplication(srv.Issuer, srv.Client.ID, srv.Client.Secret))
//	defer app.Close()
//	srv.SetRedirectURIs(app.URL + "/callback")
//	srv.SetPostLogoutRedirectURIs(app.URL + "/logout/callback")
//
// [Server.Login] then acts like a person with a browser, from a page of the application
// that starts a login to the final page of the application. The client is the browser.
// Its cookie jar makes two clients two browsers:
//
//	jar, _ := cookiejar.New(nil)
//	browser := &http.Client{Jar: jar}
//	resp, err := srv.Login(browser, app.URL+"/dossiers", "marie")
//
// The agents are those of [DemoAgents] unless [WithAgents] gives others;
// [Provider.SetAgent] changes one between two logins. [WithACR] and [Refusing] are the
// choices of the login page. [Server.CallbackURL] stops at the last step and returns
// the URL with the code, for a test that changes it or sends it twice. A test without a
// browser, of a resource server for example, gets its tokens from
// [Provider.IssueTokens].
//
// [Provider.Requests] and [Provider.Received] report the application's requests, and
// [Provider.Issued] its codes and tokens. [Provider.Secrets] and
// [Provider.PersonalData] list the text that must not be in its logs.
//
// # When the provider fails
//
// [Provider.Inject] makes it fail in a way that a [Fault] names or a [Tamper]
// describes, until [Provider.Clear]:
//
//	srv.Inject(agentconnecttest.IDTokenWrongIssuer)
//	srv.Inject(agentconnecttest.Once(agentconnecttest.TokenError503))
//
// [Faults] lists the named faults and how an application must answer them, so that a
// test can try them all. [Server.Stop] and [Server.Restart] make an outage,
// [Provider.EndProviderSession] is a logout in another application, and
// [Provider.RotateKeys] and the functions around it change keys, well or badly.
//
// # As a demonstration
//
// [New] returns the same provider as an [http.Handler], which an application serves
// under the path of its issuer. Its login page, in French or in English, lists the
// agents and asks for no password. Do not let strangers reach it, and never use it in
// place of the real provider in production.
//
// # Scope
//
// It imitates everything that a service provider uses, as ProConnect's server answers
// in August 2026: discovery, authorization code flow with PKCE, userinfo signed or not,
// RS256, ES256 and HS256, the claims parameter with essential acr values, single
// sign-on, silent login that is not always silent, hints, the code by e-mail, refresh
// and its rotation, logout, revocation, introspection, and error pages with their codes
// and their link back. [WithRIE] makes it the ProConnect of the State's private
// network. The page docs/protocol-parity.md compares the two, line by line.
//
// Where ProConnect's documentation and its server disagree, it follows the stricter
// one: state and nonce must have at least 32 characters, client credentials are read
// from the body only, codes last a minute. If no value of an essential acr is known,
// the real one sends the browser in circles for ever; this one shows an error page.
//
// It does not imitate the pages between the service and the agent's own identity
// provider: one page replaces them all.
package agentconnecttest
