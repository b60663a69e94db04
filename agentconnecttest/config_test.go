package agentconnecttest_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

func TestNewReportsEverythingThatIsWrong(t *testing.T) {
	good := agentconnecttest.Client{ID: "a", Secret: "the-secret"}
	for _, test := range []struct {
		name string
		cfg  agentconnecttest.Config
		want []string // parts of the error; none: no error
	}{
		{name: "the least", cfg: agentconnecttest.Config{Issuer: "http://127.0.0.1:1/api/v2"}},
		{name: "https, no path", cfg: agentconnecttest.Config{Issuer: "https://provider.example"}},
		{name: "nothing", want: []string{"Issuer: missing"}},
		{name: "relative issuer", cfg: agentconnecttest.Config{Issuer: "/api/v2"}, want: []string{"not an absolute http or https URL"}},
		{name: "other scheme", cfg: agentconnecttest.Config{Issuer: "ftp://provider.example"}, want: []string{"not an absolute"}},
		{name: "slash", cfg: agentconnecttest.Config{Issuer: "http://127.0.0.1:1/"}, want: []string{"end with a slash"}},
		{name: "query", cfg: agentconnecttest.Config{Issuer: "http://127.0.0.1:1/?a"}, want: []string{"neither user information, query nor fragment"}},
		{name: "fragment", cfg: agentconnecttest.Config{Issuer: "http://127.0.0.1:1/#"}, want: []string{"neither user information"}},
		{name: "user", cfg: agentconnecttest.Config{Issuer: "http://me@127.0.0.1:1"}, want: []string{"neither user information"}},
		{name: "control character", cfg: agentconnecttest.Config{Issuer: "http://127.0.0.1\x00"}, want: []string{"Config.Issuer"}},
		{
			name: "all at once",
			cfg: agentconnecttest.Config{
				Clients: []agentconnecttest.Client{
					good, good,
					{RedirectURIs: []string{"/callback", "http://[", "http:///callback", "ftp://a.example/callback"}, PostLogoutRedirectURIs: []string{"https://a.example/#top"}, IDTokenAlg: "RS512", UserinfoAlg: "None", IntrospectionAlg: "PS256", Scopes: []string{"profile"}},
				},
				Agents: []agentconnecttest.Agent{
					{Login: "a", Claims: map[string]any{"sub": "1"}},
					{Login: "a", Claims: map[string]any{"sub": "2"}},
					{Claims: map[string]any{"sub": 3}, OtherACRs: []string{"eidas4"}},
				},
			},
			want: []string{
				"Config.Issuer: missing",
				`Config.Clients[1]: ID "a" is already that of another client`,
				"Config.Clients[2]: field ID is missing", "field Secret is missing",
				`"/callback" is not an absolute`, `"http://[" is not an absolute`, `"http:///callback" is not an absolute`, `"ftp://a.example/callback" is not an absolute`, `"https://a.example/#top" is not an absolute`,
				`field IDTokenAlg: "RS512"`, `field UserinfoAlg: "None"`, `field IntrospectionAlg: "PS256"`, `field Scopes: "profile"`,
				`Config.Agents[1]: Login "a" is already that of another agent`,
				"Config.Agents[2]: field Login is missing", `"sub" must be a non-empty string`, `field OtherACRs: "eidas4"`,
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := agentconnecttest.New(test.cfg)
			if len(test.want) == 0 && err != nil {
				t.Fatalf("got %v, want no error", err)
			}
			for _, want := range test.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q in it", err, want)
				}
			}
			if err != nil && strings.Contains(err.Error(), good.Secret) {
				t.Errorf("got the secret in %v, want none", err)
			}
		})
	}
}

func TestSetClientAndSetAgentChangeNothingWhenTheyFail(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	a := newApp(t, srv)
	wrong := srv.Client
	wrong.RedirectURIs = []string{"nowhere"}
	if err := srv.SetClient(wrong); err == nil {
		t.Error("SetClient: got no error, want one")
	}
	if err := srv.SetAgent(agentconnecttest.Agent{Login: "marie"}); err == nil {
		t.Error("SetAgent: got no error, want one")
	}
	a.logIn(t, newBrowser(t), "marie")
}

// TestWhatIsGivenIsCopied: what a test does afterwards with the slices that it gave
// changes nothing.
func TestWhatIsGivenIsCopied(t *testing.T) {
	agent := agentconnecttest.Agent{Login: "a", Claims: map[string]any{"sub": "a"}, AMR: []string{"pwd"}, OtherACRs: []string{"eidas2"}}
	client := agentconnecttest.Client{Scopes: []string{"openid"}}
	srv := agentconnecttest.NewServer(t, agentconnecttest.WithAgents(agent), agentconnecttest.WithClient(client))
	a := newApp(t, srv).with(append(claimsFor(`null`), "scope", "openid")...)
	uris := []string{a.http.URL + "/callback"}
	srv.SetRedirectURIs(uris...)
	back := []string{a.http.URL + "/logout/callback"}
	srv.SetPostLogoutRedirectURIs(back...)
	agent.Claims["sub"], agent.AMR[0], agent.OtherACRs[0] = "b", "changed", "eidas3"
	client.Scopes[0], uris[0], back[0] = "email", "http://127.0.0.1:1/", "http://127.0.0.1:1/"

	_, claims := decode(t, a.logIn(t, newBrowser(t), "a").tokens.IDToken)
	if sub, amr := member(t, claims, "sub"), member(t, claims, "amr"); sub != `"a"` || amr != `["pwd"]` {
		t.Errorf("got sub %s, amr %s, want a, pwd", sub, amr)
	}
	if got, _ := srv.Agent("a"); got.OtherACRs[0] != "eidas2" {
		t.Errorf("got other levels %q, want eidas2", got.OtherACRs)
	}
	to := srv.Issuer + "/session/end?client_id=client-id&post_logout_redirect_uri=" + a.http.URL + "/logout/callback"
	if resp, _ := open(t, newBrowser(t), to); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("logout: got %d, want 303", resp.StatusCode)
	}
}

func TestSetAgentAdds(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	if err := srv.SetAgent(agentconnecttest.Agent{Login: "new", Claims: map[string]any{"sub": "new-sub", "given_name": "", "usual_name": "Nouvelle"}}); err != nil {
		t.Fatal(err)
	}
	a := newApp(t, srv)
	if err := srv.SetAgent(agentconnecttest.Agent{Login: "nameless", Claims: map[string]any{"sub": "nameless-sub"}}); err != nil {
		t.Fatal(err)
	}
	browser := newBrowser(t)
	address, _ := tab(t, a, browser)
	_, page := open(t, browser, address)
	for _, name := range []string{"Nouvelle", "nameless"} {
		if want := `<span class="name">` + name + `</span>`; !strings.Contains(page, want) {
			t.Errorf("got the page %s, want %s in it", page, want)
		}
	}
	got := a.logIn(t, newBrowser(t), "new")
	if _, claims := decode(t, got.tokens.IDToken); member(t, claims, "sub") != `"new-sub"` {
		t.Errorf("got %s, want the new agent", claims)
	}
	if got, want := srv.PersonalData(), []string{"Nouvelle", "new-sub"}; !slices.Equal(got, want) {
		t.Errorf("personal data: got %q, want %q", got, want)
	}
}

func TestWithClient(t *testing.T) {
	usual := agentconnecttest.NewServer(t).Client
	if usual.ID != "client-id" || usual.Secret == "" ||
		!slices.Equal(usual.RedirectURIs, []string{"http://localhost:8080/callback", "http://127.0.0.1:8080/callback"}) ||
		!slices.Equal(usual.PostLogoutRedirectURIs, []string{"http://localhost:8080/logout/callback", "http://127.0.0.1:8080/logout/callback"}) {
		t.Errorf("without options: got %+v, want the client that NewServer documents", usual)
	}
	registered := agentconnecttest.Client{ID: "mine", Secret: "my-secret", RedirectURIs: []string{"http://127.0.0.1:1/back"}, PostLogoutRedirectURIs: []string{"http://127.0.0.1:1/out"}}
	srv := agentconnecttest.NewServer(t, agentconnecttest.WithClient(registered))
	for what, pair := range map[string][2]string{
		"ID":              {srv.Client.ID, registered.ID},
		"secret":          {srv.Client.Secret, registered.Secret},
		"redirect URIs":   {strings.Join(srv.Client.RedirectURIs, " "), registered.RedirectURIs[0]},
		"post-logout URI": {strings.Join(srv.Client.PostLogoutRedirectURIs, " "), registered.PostLogoutRedirectURIs[0]},
	} {
		if got, want := pair[0], pair[1]; got != want {
			t.Errorf("%s: got %q, want %q", what, got, want)
		}
	}
}

func TestDemoAgents(t *testing.T) {
	subs := make(map[string]string)
	for _, agent := range agentconnecttest.DemoAgents() {
		if other, ok := subs[agent.Sub()]; ok {
			t.Errorf("%s and %s: got one sub, want two", agent.Login, other)
		}
		subs[agent.Sub()] = agent.Login
		if !strings.HasSuffix(strings.ToLower(agent.Email()), ".example") && !strings.HasSuffix(strings.ToLower(agent.Email()), ".example.gouv.fr") {
			t.Errorf("%s: got e-mail %q, want one of an example domain", agent.Login, agent.Email())
		}
		if siret, _ := agent.Claims["siret"].(string); len(siret) != 14 || !luhn(siret) {
			t.Errorf("%s: got siret %q, want 14 digits whose checksum is right", agent.Login, siret)
		}
	}
	agentconnecttest.DemoAgents()[0].Claims["sub"] = "changed"
	if agentconnecttest.DemoAgents()[0].Sub() == "changed" {
		t.Error("got an agent shared between calls, want a copy for each")
	}
}

func luhn(digits string) bool {
	sum := 0
	for i := range digits {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}
