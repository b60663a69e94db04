// Package agentconnecttest is a ProConnect in the process, for tests of
// applications and for demonstrations: it answers as the real one does, logs
// demonstration agents in without a password, and goes wrong on demand.
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
// [Server.Login] then does what a person does in a browser, from a page of the
// application that starts a login to the page that the application shows in the end.
// The client is the browser, and its cookie jar makes two clients two browsers:
//
//	jar, _ := cookiejar.New(nil)
//	browser := &http.Client{Jar: jar}
//	resp, err := srv.Login(browser, app.URL+"/dossiers", "marie")
//
// The agents are those of [DemoAgents] unless [WithAgents] brings others;
// [Provider.SetAgent] changes one between two logins. [WithACR] and [Refusing] are the
// choices that the login page offers. [Server.CallbackURL] stops at the last step and
// returns the URL with the code, for a test that wants to change it or send it twice.
// A test without a browser, of a resource server for example, gets its tokens from
// [Provider.IssueTokens].
//
// [Provider.Requests] and [Provider.Received] tell what the application has sent,
// [Provider.Issued] what it was given; [Provider.Secrets] and
// [Provider.PersonalData] list the text that must not be in its logs.
//
// # When the provider goes wrong
//
// [Provider.Inject] makes it go wrong in one of the ways that [Fault] names, or in
// any other that a [Tamper] describes, until [Provider.Clear]:
//
//	srv.Inject(agentconnecttest.IDTokenWrongIssuer)
//	srv.Inject(agentconnecttest.Once(agentconnecttest.TokenError503))
//
// [Faults] lists the named ones with what an application must make of them, so that
// a test can go through them all. Besides, [Server.Stop] and [Server.Restart] are an
// outage, [Provider.EndProviderSession] is a logout elsewhere, and [Provider.RotateKeys]
// and the functions around it are the ways in which keys change, well or badly.
//
// # As a demonstration
//
// [New] returns the same provider as an [http.Handler], to be served under the path
// of its issuer beside an application. Its login page, in French or in English, lists
// the agents; nobody asks for a password. It must not be reachable by strangers, and must not
// stand in for the real provider anywhere that matters.
//
// # What it imitates
//
// Everything a service provider meets, as the server of ProConnect answers in August
// 2026: discovery, authorization code flow with PKCE, userinfo signed or not, RS256, ES256
// and HS256, the claims parameter with essential acr values, single sign-on, silent login
// that is not always silent, hints, the code by e-mail, refresh and its rotation, logout,
// revocation, introspection, and error pages with their codes and their link back.
// [WithRIE] makes it the ProConnect of the State's private network. The page
// docs/protocol-parity.md compares the two, line by line.
//
// Where the documents of ProConnect and its server disagree, the stricter wins: state and
// nonce of at least 32 characters are demanded, client credentials are read from the body
// only, codes last a minute. Where the real one would send the browser in circles for
// ever, because no value of an essential acr is known, an error page says so.
//
// It does not imitate the pages between the service and the agent's own identity
// provider: one page stands for them all.
package agentconnecttest
