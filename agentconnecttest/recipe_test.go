package agentconnecttest_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

// start is the application under test, given the address that it will have.
func start(t *testing.T, provider *agentconnecttest.Server) (site string, auth *agentconnect.Authenticator) {
	site = provider.StartApplication(func(site string) http.Handler {
		var err error
		if auth, err = agentconnect.New(provider.Options(site)...); err != nil {
			t.Fatal(err)
		}
		mux := http.NewServeMux()
		mux.Handle("/", auth.Handler())
		mux.Handle("GET /dossiers", auth.RequireAgent(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			agent, _ := agentconnect.AgentFrom(r.Context())
			fmt.Fprintf(w, "Bonjour %s", agent.GivenName)
		})))
		return mux
	})
	return site, auth
}

func TestDossiersAfterALogin(t *testing.T) {
	provider := agentconnecttest.NewServer(t)
	site, _ := start(t, provider)
	resp, err := provider.Login(provider.Browser(), site+"/dossiers", "marie")
	if got, want := body(t, resp, err), "200 Bonjour Marie Louise"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDossiersWithoutALogin(t *testing.T) {
	provider := agentconnecttest.NewServer(t)
	site, auth := start(t, provider)
	browser := provider.Browser()
	agentconnecttest.LoggedIn(t, browser, site, auth, agentconnect.Agent{Sub: "sub-of-anne", GivenName: "Anne"})
	resp, err := browser.Get(site + "/dossiers")
	if got, want := body(t, resp, err), "200 Bonjour Anne"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
