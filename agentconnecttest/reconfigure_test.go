package agentconnecttest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

// TestPickAgent: a browser that a program drives is logged in without a page, with the
// code by e-mail taken as typed, and a silent login stays one.
func TestPickAgent(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	a := newApp(t, srv)
	client := srv.Client
	client.RedirectURIs = []string{a.http.URL + "/callback"}
	pick := ""
	err := srv.Reconfigure(agentconnecttest.Config{
		Clients:   []agentconnecttest.Client{client},
		PickAgent: func(*http.Request) string { return pick },
	})
	if err != nil {
		t.Fatal(err)
	}
	browser := newBrowser(t)
	if asks(t, a, browser) != true {
		t.Error("nobody picked: got a login, want the login page")
	}
	pick = "marie"
	if got := a.with("prompt", "none").logIn(t, browser, ""); got.query.Get("error") != "login_required" {
		t.Errorf("silent: got %v, want login_required", got.query)
	}
	for _, test := range []struct{ agent, claims, acr string }{
		{"marie", `{"id_token":{"acr":null}}`, "eidas1"},
		{"marie", multiFactor, "eidas1-mfa"},
		{"olivier", `{"id_token":{"acr":null}}`, "eidas1"}, // another than the session's
	} {
		pick = test.agent
		a.with("claims", test.claims)
		if asks(t, a, browser) {
			t.Fatalf("%s: got the login page, want none", test.agent)
		}
		_, claims := decode(t, a.logIn(t, browser, "").tokens.IDToken)
		if sub, acr := member(t, claims, "sub"), member(t, claims, "acr"); !strings.Contains(sub, test.agent) || acr != `"`+test.acr+`"` {
			t.Errorf("%s: got sub %s, acr %s, want acr %s", test.agent, sub, acr, test.acr)
		}
	}
	pick = "nobody"
	if !asks(t, a, newBrowser(t)) {
		t.Error("somebody unknown picked: got a login, want the login page")
	}
}

// TestReconfigure: sessions and keys stay, clients and agents are those of the new
// configuration, and a wrong one changes nothing.
func TestReconfigure(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	a := newApp(t, srv)
	browser := newBrowser(t)
	token := a.logIn(t, browser, "marie").tokens.AccessToken
	client := srv.Client
	client.RedirectURIs = []string{a.http.URL + "/callback"}
	good := agentconnecttest.Config{Clients: []agentconnecttest.Client{client}, Agents: agentconnecttest.DemoAgents()[1:]}
	bad := agentconnecttest.Config{Clients: []agentconnecttest.Client{{}}, Agents: []agentconnecttest.Agent{{}}, AccessTokenLife: -1}
	err := srv.Reconfigure(bad)
	for _, want := range []string{"Clients[0]", "Agents[0]", "AccessTokenLife"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s in it", err, want)
		}
	}
	if _, ok := srv.Agent("marie"); !ok {
		t.Error("after a wrong configuration: got no marie, want nothing changed")
	}
	if err := srv.Reconfigure(good); err != nil {
		t.Fatal(err)
	}
	if _, ok := srv.Agent("marie"); ok {
		t.Error("got marie, want the agents of the new configuration")
	}
	if asks(t, a, browser) {
		t.Error("got the login page, want the session that was open")
	}
	if resp, _ := a.userinfo(t.Context(), token); resp.StatusCode != http.StatusOK {
		t.Errorf("userinfo: got %d, want 200", resp.StatusCode)
	}
}
