package agentconnecttest

import (
	"context"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/alexedwards/scs/v2/memstore"

	"github.com/agentconnect-go/agentconnect"
)

// StartApplication starts the application that build returns for the address it is
// given. It registers /callback and /logout/callback under that address with the
// provider. It returns the address, such as "http://localhost:41234", and stops the
// application at the end of the test. Its host is not the provider's, because cookies
// ignore ports. Any failure ends the test.
//
//	site := provider.StartApplication(func(site string) http.Handler {
//		auth, err := agentconnect.New(provider.Options(site)...)
//		...
//		return mux
//	})
func (s *Server) StartApplication(build func(site string) http.Handler) string {
	s.tb.Helper()
	if s.memory != nil {
		site := "http://" + memoryApplication
		s.register(site)
		s.memory.listen(memoryApplication, build(site))
		return site
	}
	server := httptest.NewUnstartedServer(nil)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		s.tb.Fatalf("agentconnecttest: %v", err)
	}
	site := "http://localhost:" + port
	s.register(site)
	server.Config.Handler = build(site)
	server.Start()
	s.tb.Cleanup(server.Close)
	return site
}

func (s *Server) register(site string) {
	s.tb.Helper()
	s.SetRedirectURIs(site + "/callback")
	s.SetPostLogoutRedirectURIs(site + "/logout/callback")
}

// Options returns the options that an application at that address needs to log in with
// this provider: the issuer, the credentials and the algorithms of [Server.Client], the
// two addresses, a store in memory without a goroutine, and, with [WithoutNetwork], the
// transport to the provider. Later options override them.
func (s *Server) Options(site string) []agentconnect.Option {
	userinfo := agentconnect.Alg(s.Client.UserinfoAlg)
	if s.Client.UserinfoAlg == "none" {
		userinfo = agentconnect.Unsigned
	}
	opts := []agentconnect.Option{
		agentconnect.WithIssuer(s.Issuer),
		agentconnect.WithClient(s.Client.ID, s.Client.Secret),
		agentconnect.WithRedirectURL(site + "/callback"),
		agentconnect.WithPostLogoutRedirectURL(site + "/logout/callback"),
		agentconnect.WithIDTokenAlg(agentconnect.Alg(s.Client.IDTokenAlg)),
		agentconnect.WithUserinfoAlg(userinfo),
		agentconnect.WithSessionStore(memstore.NewWithCleanupInterval(0)),
	}
	if s.memory != nil {
		opts = append(opts, agentconnect.WithHTTPClient(&http.Client{Transport: s.memory}))
	}
	return opts
}

// Browser returns a client with its own cookies: call it twice for two browsers. With
// [WithoutNetwork] it reaches the provider and the application of this server.
func (s *Server) Browser() *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.tb.Fatalf("agentconnecttest: %v", err) // it fails for no options
	}
	browser := &http.Client{Jar: jar}
	if s.memory != nil {
		browser.Transport = s.memory
	}
	return browser
}

// LoggedIn gives the browser a session of the agent at the application, without a
// login: see [agentconnect.Authenticator.SessionWithoutLogin]. A failure ends the test,
// as does an address to which a browser would not send the application's cookies.
//
//	browser := provider.Browser()
//	agentconnecttest.LoggedIn(t, browser, site, auth, agentconnect.Agent{Sub: "sub-of-marie", GivenName: "Marie"})
func LoggedIn(tb testing.TB, browser *http.Client, site string, auth *agentconnect.Authenticator, agent agentconnect.Agent) {
	tb.Helper()
	u, err := url.Parse(site)
	if err != nil {
		tb.Fatalf("agentconnecttest: LoggedIn: %v", err)
	}
	if browser.Jar == nil {
		tb.Fatalf("agentconnecttest: LoggedIn needs a client with a cookie jar")
	}
	cookies := Cookies(tb, auth, agent)
	browser.Jar.SetCookies(u, cookies)
	for _, cookie := range cookies {
		kept := browser.Jar.Cookies(u)
		for len(kept) > 0 && kept[0].Name != cookie.Name {
			kept = kept[1:]
		}
		if len(kept) == 0 {
			tb.Fatalf("agentconnecttest: no browser sends the cookie %s to %s: the redirect URL is at another address", cookie.Name, site)
		}
	}
}

// Cookies returns the cookies of a session of the agent, without a login: for tests that
// call a handler with their own request. A failure ends the test.
func Cookies(tb testing.TB, auth *agentconnect.Authenticator, agent agentconnect.Agent) []*http.Cookie {
	tb.Helper()
	cookies, err := auth.SessionWithoutLogin(context.Background(), agent)
	if err != nil {
		tb.Fatalf("agentconnecttest: %v", err)
	}
	return cookies
}

// Logout acts like a person who presses the logout button on a page of the application:
// it posts to logoutURL and follows the redirects to the provider and back. It returns
// the final answer, with any status. The caller closes its body.
func (s *Server) Logout(browser *http.Client, logoutURL string) (*http.Response, error) {
	r, err := navigation(http.MethodPost, logoutURL, "")
	if err != nil {
		return nil, err
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Origin", r.URL.Scheme+"://"+r.URL.Host)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := browser.Do(r)
	return resp, withoutQuery(err)
}

// withoutQuery removes the query from the address in an error of a client: it contains
// states, nonces and codes.
func withoutQuery(err error) error {
	failed, ok := err.(*url.Error)
	if !ok {
		return err
	}
	address, _, _ := strings.Cut(failed.URL, "?")
	return &url.Error{Op: failed.Op, URL: address, Err: failed.Err}
}
