package agentconnecttest_test

import (
	"html"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

// TestErrorPagesLeadBack: the link of an error page brings one of the fixed
// descriptions, and never the code of the page.
func TestErrorPagesLeadBack(t *testing.T) {
	const technical = "authentication aborted due to a technical error on the authorization server"
	link := regexp.MustCompile(`<a href="([^"]*/error\?[^"]*)">`)
	for _, test := range []struct {
		code, error, description string
	}{
		{"oidc-provider-error:session-not-found", "access_denied", "user authentication aborted"},
		{"Y190001", "access_denied", "user authentication aborted"},
		{"Y190005", "server_error", technical},
		{"Y020017", "server_error", technical},
		{"Y020026", "invalid_request", technical},
		{"Y020032", "invalid_request", technical},
		{"Y300001", "server_error", technical},
		{"Y470001", "server_error", technical},
		{"Y500001", "server_error", technical},
		{"Y500015", "access_denied", "authentication aborted due to invalid identity"},
		{"Y500024", "access_denied", "authentication aborted due to invalid identity"},
		{"Y500025", "access_denied", "authentication aborted due to a configuration limitation"},
		{"Y000400", "", ""},
		{"Y999999", "", ""},
	} {
		t.Run(test.code, func(t *testing.T) {
			srv := agentconnecttest.NewServer(t)
			a := newApp(t, srv)
			srv.Inject(agentconnecttest.Tamper{ErrorPage: test.code})
			browser := newBrowser(t)
			resp, page := open(t, browser, a.authorizeURL())
			found := link.FindStringSubmatch(page)
			if test.error == "" {
				if found != nil {
					t.Errorf("got the link %s, want none", found[1])
				}
				return
			}
			if found == nil {
				t.Fatalf("got status %d, %s, want a link back", resp.StatusCode, page)
			}
			resp, _ = open(t, browser, html.UnescapeString(found[1]))
			back, err := resp.Location()
			if err != nil {
				t.Fatalf("got %d, want a redirect to the application", resp.StatusCode)
			}
			if q := back.Query(); q.Get("error") != test.error || q.Get("error_description") != test.description ||
				q.Get("iss") != srv.Issuer || q.Get("state") == "" || strings.Contains(back.String(), test.code) {
				t.Errorf("got %v, want %s, %q, iss and state", q, test.error, test.description)
			}
			if _, page := open(t, browser, html.UnescapeString(found[1])); !strings.Contains(page, "session-not-found") {
				t.Errorf("the link again: got %s, want session-not-found", page)
			}
		})
	}
}

// TestErrorLinkCanBeForged: the real one believes the text in the link, up to 256
// characters.
func TestErrorLinkCanBeForged(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	a := newApp(t, srv)
	for _, test := range []struct{ query, error, description, page string }{
		{"?error=forged&error_description=call+me", "forged", "call me", ""},
		{"", "server_error", "An unexpected error occurred", ""},
		{"?error=" + strings.Repeat("e", 257), "", "", "Y000400"},
	} {
		browser := newBrowser(t)
		page, _ := tab(t, a, browser)
		resp, body := open(t, browser, page+"/error"+test.query)
		if test.page != "" {
			if !strings.Contains(body, test.page) {
				t.Errorf("%s: got %s, want %s", test.query, body, test.page)
			}
			continue
		}
		back, err := resp.Location()
		if err != nil {
			t.Fatalf("%s: got %d, want a redirect", test.query, resp.StatusCode)
		}
		if q := back.Query(); q.Get("error") != test.error || q.Get("error_description") != test.description {
			t.Errorf("%s: got %v, want %s, %q", test.query, q, test.error, test.description)
		}
		if _, body := open(t, newBrowser(t), page+"/error"); !strings.Contains(body, "session-not-found") {
			t.Errorf("in another browser: got %s, want session-not-found", body)
		}
	}
}

// TestWhoIsTurnedAway: after the login with the identity provider, some stay on a page
// of ProConnect; their session there stays too, so that a silent login ends on the same
// page.
func TestWhoIsTurnedAway(t *testing.T) {
	for _, test := range []struct {
		name   string
		agent  string
		change func(*agentconnecttest.Client, *agentconnecttest.Agent)
		want   string // the code of the page; "" for a login
	}{
		{"a public agent at a service for public agents", "marie", func(c *agentconnecttest.Client, _ *agentconnecttest.Agent) { c.PublicOnly = true }, ""},
		{"a contractor at a service for public agents", "karim", func(c *agentconnecttest.Client, _ *agentconnecttest.Agent) { c.PublicOnly = true }, "Y500015"},
		{"a contractor elsewhere", "karim", nil, ""},
		{"a blocked account", "marie", func(_ *agentconnecttest.Client, a *agentconnecttest.Agent) { a.Blocked = true }, "Y500024"},
		{"the right domain", "marie", func(c *agentconnecttest.Client, _ *agentconnecttest.Agent) {
			c.EmailDomains = []string{"MINISTERE.example.gouv.fr"}
		}, ""},
		{"another domain", "marie", func(c *agentconnecttest.Client, _ *agentconnecttest.Agent) {
			c.EmailDomains = []string{"example.gouv.fr"}
		}, "Y500025"},
	} {
		t.Run(test.name, func(t *testing.T) {
			srv := agentconnecttest.NewServer(t)
			a := newApp(t, srv)
			if test.change != nil {
				client, agent := srv.Client, must(srv.Agent(test.agent))
				client.RedirectURIs = []string{a.http.URL + "/callback"}
				test.change(&client, &agent)
				srv.AddClient(client)
				if err := srv.SetAgent(agent); err != nil {
					t.Fatal(err)
				}
			}
			browser := newBrowser(t)
			page, _ := tab(t, a, browser)
			to, body := submit(t, browser, page, url.Values{"agent": {test.agent}})
			if test.want == "" {
				if to.Query().Get("code") == "" {
					t.Errorf("got %s %s, want a login", to, body)
				}
				return
			}
			if !strings.Contains(body, test.want) {
				t.Errorf("got %s %s, want %s", to, body, test.want)
			}
			if _, body := open(t, browser, a.with("prompt", "none").authorizeURL()); !strings.Contains(body, test.want) {
				t.Errorf("a silent login: got %s, want %s, which is not silent", body, test.want)
			}
		})
	}
}

func must(agent agentconnecttest.Agent, ok bool) agentconnecttest.Agent {
	if !ok {
		panic("no such agent")
	}
	return agent
}

// TestSilentLoginThatIsLoud: with a session that does not fit, prompt=none shows the
// login page, and the session is lost.
func TestSilentLoginThatIsLoud(t *testing.T) {
	for _, test := range []struct {
		name   string
		params []string
		loud   bool
	}{
		{name: "nothing asked"},
		{name: "the acr asked for, not demanded", params: []string{"claims", `{"id_token":{"acr":null}}`}},
		{name: "the acr that the session has", params: []string{"claims", `{"id_token":{"acr":{"essential":true,"value":"eidas1"}}}`}},
		{name: "their own login_hint", params: []string{"login_hint", "marie.exemple@ministere.example.gouv.fr"}},
		{name: "another acr", params: []string{"claims", multiFactor}, loud: true},
		{name: "an acr that demands a fresh login", params: []string{"claims", `{"id_token":{"acr":{"essential":true,"value":"eidas2"}}}`}, loud: true},
		{name: "a login_hint of somebody else", params: []string{"login_hint", "karim.fictif@entreprise.example"}, loud: true},
		{name: "another idp_hint", params: []string{"idp_hint", "00000000-0000-4000-8000-000000000002"}, loud: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			srv := agentconnecttest.NewServer(t)
			a := newApp(t, srv)
			browser := newBrowser(t)
			a.logIn(t, browser, "marie")
			a.with(append([]string{"prompt", "none"}, test.params...)...)
			if loud := asks(t, a, browser); loud != test.loud {
				t.Errorf("shows a page: got %v, want %v", loud, test.loud)
			}
			resp, _ := open(t, browser, a.with("prompt", "none").authorizeURL())
			back, err := resp.Location()
			if err != nil {
				t.Fatal(err)
			}
			if lost := back.Query().Get("error") == "login_required"; lost != test.loud {
				t.Errorf("the session is lost: got %v, want %v", lost, test.loud)
			}
		})
	}
}

// TestAfterALogoutElsewhere: the tokens of another application stay, introspection
// calls them active, and whatever needs the agent's session answers 500.
func TestAfterALogoutElsewhere(t *testing.T) {
	clock := newClock()
	srv := agentconnecttest.NewServer(t, agentconnecttest.WithClock(clock.now))
	a := newApp(t, srv)
	other := srv.Client
	other.ID, other.RedirectURIs = "other", []string{a.http.URL + "/callback"}
	srv.AddClient(other)
	for _, test := range []struct {
		name string
		end  func(browser *http.Client)
	}{
		{"in another application", func(browser *http.Client) {
			open(t, browser, a.with("client_id", "other").authorizeURL()) // single sign-on
			a.with()
			open(t, browser, srv.Issuer+"/session/end?client_id=other")
		}},
		{"EndProviderSession", func(*http.Client) { srv.EndProviderSession("demo-4f1c2d9e-marie") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			browser := newBrowser(t)
			got := a.logIn(t, browser, "marie").tokens
			test.end(browser)
			for range 2 {
				if status, again := a.tokenRequest(t.Context(), "grant_type", "refresh_token", "refresh_token", got.RefreshToken); status != 500 || again.Error != "server_error" {
					t.Errorf("refresh: got %d %q, want 500 server_error", status, again.Error)
				}
			}
			if resp, _ := a.userinfo(t.Context(), got.AccessToken); resp.StatusCode != 500 {
				t.Errorf("userinfo: got %d, want 500", resp.StatusCode)
			}
			for _, token := range []string{got.AccessToken, got.RefreshToken} {
				if _, body, err := a.post(t.Context(), "/token/introspection", "token", token); err != nil || member(t, body, "active") != "true" {
					t.Errorf("introspection: got %s, %v, want active", body, err)
				}
			}
			a.logIn(t, newBrowser(t), "marie")
			if status, _ := a.tokenRequest(t.Context(), "grant_type", "refresh_token", "refresh_token", got.RefreshToken); status != 200 {
				t.Errorf("refresh after another login of the agent: got %d, want 200", status)
			}
			if resp, _ := a.userinfo(t.Context(), got.AccessToken); resp.StatusCode != 200 {
				t.Errorf("userinfo after another login of the agent: got %d, want 200", resp.StatusCode)
			}
		})
	}
	t.Run("in this application", func(t *testing.T) {
		browser := newBrowser(t)
		got := a.logIn(t, browser, "marie").tokens
		open(t, browser, srv.Issuer+"/session/end?id_token_hint="+got.IDToken)
		if status, again := a.tokenRequest(t.Context(), "grant_type", "refresh_token", "refresh_token", got.RefreshToken); status != 400 || again.Error != "invalid_grant" {
			t.Errorf("refresh: got %d %q, want 400 invalid_grant", status, again.Error)
		}
	})
	t.Run("revoked", func(t *testing.T) {
		got := a.logIn(t, newBrowser(t), "marie").tokens
		srv.RevokeTokens("demo-4f1c2d9e-marie")
		if status, again := a.tokenRequest(t.Context(), "grant_type", "refresh_token", "refresh_token", got.RefreshToken); status != 400 || again.Error != "invalid_grant" {
			t.Errorf("refresh: got %d %q, want 400 invalid_grant", status, again.Error)
		}
		if _, body, err := a.post(t.Context(), "/token/introspection", "token", got.AccessToken); err != nil || member(t, body, "active") != "false" {
			t.Errorf("introspection: got %s, %v, want inactive", body, err)
		}
	})
}

// TestRefreshTokenRotatesLate: it comes back until 70 % of its life is over.
func TestRefreshTokenRotatesLate(t *testing.T) {
	clock := newClock()
	srv := agentconnecttest.NewServer(t, agentconnecttest.WithClock(clock.now))
	a := newApp(t, srv)
	first := a.logIn(t, newBrowser(t), "marie").tokens.RefreshToken
	refresh := func(token string) (int, string) {
		status, got := a.tokenRequest(t.Context(), "grant_type", "refresh_token", "refresh_token", token)
		return status, got.RefreshToken
	}
	clock.advance(12*time.Hour*7/10 - time.Second)
	if _, got := refresh(first); got != first {
		t.Error("before 70 % of its life: got another refresh token, want the same")
	}
	clock.advance(time.Second)
	_, second := refresh(first)
	if second == first || second == "" {
		t.Fatalf("after 70 %% of its life: got %q, want another refresh token", second)
	}
	if status, got := refresh(second); status != 200 || got != second {
		t.Errorf("the new one: got %d %q, want it back", status, got)
	}
	if status, _ := refresh(first); status != 400 {
		t.Errorf("the former one again: got %d, want 400", status)
	}
	if status, _ := refresh(second); status != 400 {
		t.Errorf("the new one after that: got %d, want 400, the grant being revoked", status)
	}
}

// TestRIE: roles are agent_public alone, for everybody, and there is no
// organization_label.
func TestRIE(t *testing.T) {
	for _, test := range []struct {
		opts  []agentconnecttest.ServerOption
		agent string
		roles string
		label bool
	}{
		{nil, "marie", `["agent_public","agent_public_etat"]`, true},
		{nil, "karim", `[]`, false},
		{nil, "nobody-in-particular", `[]`, false},
		{[]agentconnecttest.ServerOption{agentconnecttest.WithRIE()}, "marie", `["agent_public"]`, false},
		{[]agentconnecttest.ServerOption{agentconnecttest.WithRIE()}, "karim", `["agent_public"]`, false},
	} {
		srv := agentconnecttest.NewServer(t, append(test.opts, agentconnecttest.WithAlgorithms("RS256", "none"))...)
		if err := srv.SetAgent(agentconnecttest.Agent{Login: "nobody-in-particular", Claims: map[string]any{"sub": "nobody"}}); err != nil {
			t.Fatal(err)
		}
		got := newApp(t, srv).logIn(t, newBrowser(t), test.agent)
		if roles := member(t, got.body, "roles"); roles != test.roles {
			t.Errorf("%s: got roles %s, want %s", test.agent, roles, test.roles)
		}
		if label := strings.Contains(got.body, "organization_label"); label != test.label {
			t.Errorf("%s: organization_label: got %v, want %v", test.agent, label, test.label)
		}
	}
}

func TestAccessTokenLife(t *testing.T) {
	clock := newClock()
	srv := agentconnecttest.NewServer(t, agentconnecttest.WithClock(clock.now), agentconnecttest.WithAccessTokenLife(time.Minute))
	a := newApp(t, srv)
	got := a.logIn(t, newBrowser(t), "marie").tokens
	if got.ExpiresIn != 60 {
		t.Errorf("expires_in: got %d, want 60", got.ExpiresIn)
	}
	clock.advance(61 * time.Second)
	if resp, _ := a.userinfo(t.Context(), got.AccessToken); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("after a minute: got %d, want 401", resp.StatusCode)
	}
	if _, err := agentconnecttest.New(agentconnecttest.Config{Issuer: "http://127.0.0.1:1", AccessTokenLife: -1}); err == nil {
		t.Error("a negative life: got no error")
	}
}

// TestLoginHintIsJudgedAsTheRealOneDoes: validator's isEmail, at its defaults.
func TestLoginHintIsJudgedAsTheRealOneDoes(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	a := newApp(t, srv)
	long := strings.Repeat("a", 64)
	for email, want := range map[string]bool{
		"marie@ministere.gouv.fr":      true,
		"marie+test@a-b.fr":            true,
		"marie.dupont@x.museum":        true,
		"zoé@préfecture.fr":            true,
		"o'exemple@a.fr":               true,
		"a@xn--prfecture-b7a.xn--p1ai": true,
		`"marie dupont"@a.fr`:          true,
		long + "@a.fr":                 true,
		"marie@ministere":              false,
		"a@b":                          false,
		"marie@x.f":                    false,
		"marie@127.0.0.1":              false,
		"marie@[127.0.0.1]":            false,
		"marie@a_b.fr":                 false,
		"marie@-a.fr":                  false,
		"marie@a-.fr":                  false,
		"marie@a..fr":                  false,
		"marie@a.fr.":                  false,
		"marie@a.123":                  false,
		"marie@a.f2":                   false,
		".marie@a.fr":                  false,
		"marie.@a.fr":                  false,
		"ma..rie@a.fr":                 false,
		"marie dupont@a.fr":            false,
		"marie@@a.fr":                  false,
		"@a.fr":                        false,
		"marie":                        false,
		"Marie <marie@a.fr>":           false,
		long + "a@a.fr":                false,
		"marie@" + long + ".fr":        false,
		"marie@" + strings.Repeat("a.", 130) + "fr": false,
		`"marie"dupont"@a.fr`:                       false,
		"marie@\uff41.fr":                           false,
		"marie(comment)@a.fr":                       false,
	} {
		_, body := open(t, newBrowser(t), a.with("login_hint", email).authorizeURL())
		if got := !strings.Contains(body, "Y000400"); got != want {
			t.Errorf("%s: accepted: got %v, want %v", email, got, want)
		}
	}
}

// TestScopesThatEveryoneForgets are in discovery, and may be asked for.
func TestScopesThatEveryoneForgets(t *testing.T) {
	got := agentconnecttest.SupportedScopes()
	for _, want := range []string{"groups", "amr", "lasuite_visio", "lasuite_visio:rooms:create"} {
		if !slices.Contains(got, want) {
			t.Errorf("got %v, want %s in it", got, want)
		}
	}
	agent := must(agentconnecttest.NewServer(t).Agent("marie"))
	agent.Claims = maps.Clone(agent.Claims)
	agent.Claims["groups"] = []string{"bureau"}
	srv := agentconnecttest.NewServer(t, agentconnecttest.WithAgents(agent), agentconnecttest.WithAlgorithms("RS256", "none"))
	body := newApp(t, srv).with("scope", "openid groups").logIn(t, newBrowser(t), "marie").body
	if groups := member(t, body, "groups"); groups != `["bureau"]` {
		t.Errorf("got groups %s, want those of the agent", groups)
	}
}
