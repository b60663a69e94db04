package agentconnecttest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"testing"

	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

// t stands for the argument of a test in the examples.
func t() testing.TB { return nil }

// newApplication stands for the application under test.
func newApplication(issuer, clientID, clientSecret string) http.Handler {
	return http.NotFoundHandler()
}

// A test that logs an agent in, through the application and the provider, as a
// browser would.
func ExampleNewServer() {
	t := t()
	srv := agentconnecttest.NewServer(t, agentconnecttest.WithAlgorithms("ES256", "ES256"))

	app := httptest.NewServer(newApplication(srv.Issuer, srv.Client.ID, srv.Client.Secret))
	defer app.Close()
	srv.SetRedirectURIs(app.URL + "/callback")
	srv.SetPostLogoutRedirectURIs(app.URL + "/logout/callback")

	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := srv.Login(&http.Client{Jar: jar}, app.URL+"/dossiers", "marie")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("/dossiers after the login: got %d, want 200", resp.StatusCode)
	}
}

// The application must not let anybody in when the provider, or somebody in its
// place, goes wrong.
func ExampleFaults() {
	t := t()
	srv := agentconnecttest.NewServer(t)
	app := httptest.NewServer(newApplication(srv.Issuer, srv.Client.ID, srv.Client.Secret))
	defer app.Close()
	srv.SetRedirectURIs(app.URL + "/callback")

	for _, info := range agentconnecttest.Faults() {
		if info.Endpoint != agentconnecttest.Token || !info.Refuse || info.Slow || info.Level || !info.Applies(srv.Client.IDTokenAlg) {
			continue
		}
		srv.Inject(info.Fault)
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := srv.Login(&http.Client{Jar: jar}, app.URL+"/dossiers", "marie")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode < 400 {
			t.Errorf("%s: got %d, want a refusal", info.Fault, resp.StatusCode)
		}
		srv.Clear()
	}
}

// A fault that has no name: an agent whose acr changes on the way.
func ExampleTamper() {
	srv := agentconnecttest.NewServer(t())
	srv.Inject(agentconnecttest.Once(agentconnecttest.Tamper{
		IDToken: func(token *agentconnecttest.JWT) { token.Claims.Set("acr", "eidas0") },
	}))
}

// The provider as a handler, beside an application, for a demonstration.
func ExampleNew() {
	mux := http.NewServeMux()
	site := httptest.NewServer(mux)
	defer site.Close()

	provider, err := agentconnecttest.New(agentconnecttest.Config{
		Issuer: site.URL + "/api/v2",
		Clients: []agentconnecttest.Client{{
			ID:           "demonstration",
			Secret:       "a-secret-for-the-demonstration-only",
			RedirectURIs: []string{site.URL + "/callback"},
		}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux.Handle("/api/v2/", provider)

	resp, err := http.Get(provider.Issuer() + "/.well-known/openid-configuration")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		fmt.Println(err)
		return
	}
	var metadata struct {
		PKCE []string `json:"code_challenge_methods_supported"`
	}
	if err := json.Unmarshal(body, &metadata); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(metadata.PKCE)
	// Output: [S256]
}
