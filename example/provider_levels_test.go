package main

import (
	"encoding/json"
	"html"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/example/internal/oidcprovider"
)

// service is a small application of the library's, registered at a provider that
// this project did not write.
type service struct {
	t        *testing.T
	url      string
	auth     *agentconnect.Authenticator
	mux      *http.ServeMux
	provider *oidcprovider.Provider
}

// startService starts an application with the library's handlers and /agent, to
// which a test adds routes.
func startService(t *testing.T, provider *oidcprovider.Provider, id string, opts ...agentconnect.Option) *service {
	t.Helper()
	s := &service{t: t, mux: http.NewServeMux(), provider: provider}
	server := httptest.NewServer(s.mux)
	t.Cleanup(server.Close)
	// The provider is at 127.0.0.1, and browsers share cookies between ports.
	s.url = "http://localhost" + server.URL[strings.LastIndexByte(server.URL, ':'):]
	var err error
	s.auth, err = agentconnect.New(append([]agentconnect.Option{
		agentconnect.WithIssuer(provider.Issuer),
		agentconnect.WithClient(id, secret),
		agentconnect.WithRedirectURL(s.url + "/callback"),
		agentconnect.WithPostLogoutRedirectURL(s.url + "/logout/callback"),
		agentconnect.WithCookieName(id),
		agentconnect.WithLogger(testLogger(t)),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	if err := provider.Register(oidcprovider.Client{
		ID: id, Secret: secret, UserinfoAlg: "RS256",
		RedirectURIs: []string{s.url + "/callback"}, PostLogoutRedirectURIs: []string{s.url + "/logout/callback"},
	}); err != nil {
		t.Fatal(err)
	}
	s.mux.Handle("/", s.auth.Handler())
	s.handle("GET /agent", s.auth.RequireAgent)
	return s
}

// testLogger returns a logger whose lines are shown if the test fails.
func testLogger(t *testing.T) *slog.Logger {
	t.Helper()
	var lines syncBuffer
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the library logged:\n%s", lines.String())
		}
	})
	return slog.New(slog.NewTextHandler(&lines, nil))
}

// handle adds a route that answers with the agent's data, null for a stranger.
func (s *service) handle(pattern string, middleware func(http.Handler) http.Handler) {
	s.mux.Handle(pattern, middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		agent, known := agentconnect.AgentFrom(r.Context())
		w.Header().Set("Content-Type", "application/json")
		if !known {
			w.Write([]byte("null"))
			return
		}
		json.NewEncoder(w).Encode(agent)
	})))
}

// login opens a page and logs the agent in where the provider asks for it.
func (s *service) login(b *browser, path, agent string, opts ...oidcprovider.Option) answer {
	s.t.Helper()
	return b.read(s.provider.Login(b.Client, s.url+path, agent, opts...))
}

// wantClaim checks a claim of the agent that an answer shows, "" for none.
func (a answer) wantClaim(t *testing.T, name, want string) answer {
	t.Helper()
	var claims map[string]any
	if err := json.Unmarshal([]byte(a.body), &claims); err != nil {
		t.Fatalf("%s: got %s, want an agent's data: %v", a.Request.URL, a.body, err)
	}
	got := ""
	if claim, ok := claims[name]; ok {
		text, err := json.Marshal(claim)
		if err != nil {
			t.Fatal(err)
		}
		got = strings.Trim(string(text), `"`)
	}
	if got != want {
		t.Errorf("%s: got %s %q, want %q", a.Request.URL, name, got, want)
	}
	return a
}

// TestRealProviderLevels has routes demand levels that the agent's identity
// provider gives, or does not.
func TestRealProviderLevels(t *testing.T) {
	s := startService(t, oidcprovider.Start(t, oidcprovider.Config{}), "fs")
	const dirigeant = agentconnect.ACRCertificationDirigeant
	for path, level := range map[string]agentconnect.Requirement{
		"/mfa":        agentconnect.MFA(),
		"/eidas1":     agentconnect.MinEIDAS(1),
		"/eidas2":     agentconnect.MinEIDAS(2),
		"/eidas3":     agentconnect.MinEIDAS(3),
		"/exact":      agentconnect.ACR("eidas1", "eidas1-mfa"),
		"/dirigeants": agentconnect.CertificationDirigeant(),
	} {
		s.handle("GET "+path, s.auth.Require(level))
	}
	for _, test := range []struct {
		path, acr string
		satisfied bool
	}{
		{"/mfa", "eidas0-mfa", true},
		{"/mfa", "eidas1", false},
		{"/eidas1", "eidas1", true},
		{"/eidas1", "eidas3", true},
		{"/eidas1", "eidas0-mfa", false},
		{"/eidas2", "eidas2", true},
		{"/eidas2", "eidas3", true},
		{"/eidas2", "eidas1-mfa", false},
		{"/eidas3", "eidas3", true},
		{"/eidas3", "eidas2", false},
		{"/exact", "eidas1-mfa", true},
		{"/exact", "eidas2", false}, // higher is not listed
		{"/dirigeants", dirigeant, true},
		{"/dirigeants", "eidas3", false},
		{"/dirigeants", "unheard-of", false},
	} {
		for _, before := range []string{"a stranger", "an agent"} {
			t.Run(test.path+" with "+test.acr+", "+before, func(t *testing.T) {
				b := newBrowser(t)
				if before == "an agent" {
					s.login(b, "/agent", "camille", oidcprovider.WithACR("eidas0")).wantStatus(t, 200).wantClaim(t, "acr", "")
				}
				got := s.login(b, test.path+"?dossier=42", "camille", oidcprovider.WithACR(test.acr))
				if test.satisfied {
					got.wantStatus(t, 200).wantAt(t, s.url+test.path+"?dossier=42").wantClaim(t, "acr", test.acr)
					return
				}
				got.wantStatus(t, http.StatusForbidden).wantPage(t, "access_denied")
				if before == "an agent" { // and still is one, at the level of before
					b.get(s.url+"/agent").wantStatus(t, 200).wantClaim(t, "sub", "camille")
					p := b.get(s.url+test.path, api()...).wantProblem(t, http.StatusForbidden, "insufficient_level")
					if p.LoginURL == "" || len(p.AcceptedACR) == 0 {
						t.Errorf("got the problem %+v, want the levels and where to get them", p)
					}
				} else {
					b.get(s.url+"/agent", api()...).wantProblem(t, http.StatusUnauthorized, "unauthenticated")
				}
			})
		}
	}
}

// TestRealProviderLevelOfEveryLogin demands a level of all logins.
func TestRealProviderLevelOfEveryLogin(t *testing.T) {
	s := startService(t, oidcprovider.Start(t, oidcprovider.Config{}), "fs", agentconnect.WithLevel(agentconnect.MFA()))
	b := newBrowser(t)
	s.login(b, "/login?return_to=/agent", "camille").wantStatus(t, http.StatusForbidden).wantPage(t, "access_denied")
	b.get(s.url+"/agent", api()...).wantProblem(t, http.StatusUnauthorized, "unauthenticated")
	s.login(b, "/login?return_to=/agent", "camille", oidcprovider.WithACR("eidas1-mfa")).wantStatus(t, 200).wantAt(t, s.url+"/agent").wantClaim(t, "acr", "eidas1-mfa")
}

// TestRealProviderAMR asks for amr, or does not.
func TestRealProviderAMR(t *testing.T) {
	provider := oidcprovider.Start(t, oidcprovider.Config{})
	for _, test := range []struct {
		name string
		opts []agentconnect.Option
		want string
	}{
		{"asked for", []agentconnect.Option{agentconnect.WithAMR()}, `["pwd","otp"]`},
		{"not asked for", nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := startService(t, provider, "fs", test.opts...)
			s.login(newBrowser(t), "/agent", "camille", oidcprovider.WithAMR("pwd", "otp")).wantStatus(t, 200).wantClaim(t, "amr", test.want)
		})
	}
}

// TestRealProviderSilentLogin visits a public page that would rather know who comes.
func TestRealProviderSilentLogin(t *testing.T) {
	provider := oidcprovider.Start(t, oidcprovider.Config{})
	silent, other := startService(t, provider, "fs"), startService(t, provider, "other")
	silent.handle("GET /public", silent.auth.SilentLogin)
	toDocument := []string{"Sec-Fetch-Dest", "document"}
	const page = "/public?rubrique=2"

	t.Run("with a session at the provider", func(t *testing.T) {
		b := newBrowser(t)
		other.login(b, "/agent", "camille").wantStatus(t, 200)
		b.get(silent.url+page, toDocument...).wantStatus(t, 200) // shows that the browser keeps cookies
		b.get(silent.url+page, toDocument...).wantStatus(t, 200).wantAt(t, silent.url+page).wantClaim(t, "sub", "camille")
		b.get(silent.url+"/agent", api()...).wantStatus(t, 200).wantClaim(t, "sub", "camille")
	})
	t.Run("without", func(t *testing.T) {
		b := newBrowser(t)
		b.get(silent.url+page, toDocument...).wantStatus(t, 200)
		got := b.get(silent.url+page, toDocument...).wantStatus(t, 200).wantAt(t, silent.url+page)
		if got.body != "null" {
			t.Errorf("got %s, want a stranger", got.body)
		}
		asked := false
		for _, u := range b.visited {
			asked = asked || strings.HasPrefix(u.String(), provider.Issuer+"/authorize?") && u.Query().Get("prompt") == "none"
		}
		if !asked {
			t.Errorf("got the redirects %v, want a silent login among them", b.visited)
		}
		b.visited = nil
		b.get(silent.url+page, toDocument...).wantStatus(t, 200).wantAt(t, silent.url+page)
		if len(b.visited) != 0 {
			t.Errorf("got the redirects %v at the second visit, want none", b.visited)
		}
		silent.login(b, "/agent", "camille").wantStatus(t, 200).wantClaim(t, "sub", "camille")
	})
	t.Run("after the provider's session ended", func(t *testing.T) {
		b := newBrowser(t)
		other.login(b, "/agent", "camille").wantStatus(t, 200)
		resp, err := b.PostForm(other.url+"/logout", nil)
		if err != nil {
			t.Fatal(err)
		}
		b.read(provider.Follow(b.Client, resp))
		b.get(silent.url+page, toDocument...).wantStatus(t, 200)
		if got := b.get(silent.url+page, toDocument...).wantStatus(t, 200).wantAt(t, silent.url+page); got.body != "null" {
			t.Errorf("got %s, want a stranger", got.body)
		}
	})
}

// TestRealProviderHints gives the provider hints, from code and from visitors.
func TestRealProviderHints(t *testing.T) {
	provider := oidcprovider.Start(t, oidcprovider.Config{})
	agents := oidcprovider.Agents()
	camille, sacha := agents[0], agents[1]
	email := func(a oidcprovider.Agent) string { return a.Claims["email"].(string) }
	idp := func(a oidcprovider.Agent) string { return a.Claims["idp_id"].(string) }
	s := startService(t, provider, "fs", agentconnect.WithLoginParameters("login_hint", "idp_hint"))
	link := func(t *testing.T, o agentconnect.LoginOptions) string {
		t.Helper()
		o.ReturnTo = "/agent"
		path, err := s.auth.LoginURL(o)
		if err != nil {
			t.Fatal(err)
		}
		return path
	}

	for _, test := range []struct {
		name string
		path string
		want []string // on the provider's page
		not  string   // and not
	}{
		{"login_hint", link(t, agentconnect.LoginOptions{LoginHint: email(sacha)}), []string{"login_hint : " + email(sacha), `value="sacha" checked`}, "idp_hint"},
		{"idp_hint", link(t, agentconnect.LoginOptions{IdPHint: idp(sacha)}), []string{"idp_hint : " + idp(sacha), `value="sacha"`}, `value="camille"`},
		{"siret_hint", link(t, agentconnect.LoginOptions{SIRETHint: "99999999800019"}), []string{"siret_hint : 99999999800019"}, "login_hint"},
		{"a visitor's login_hint", "/login?login_hint=" + email(sacha), []string{"login_hint : " + email(sacha)}, "idp_hint"},
		{"a visitor's siret_hint, which is not open to them", "/login?siret_hint=99999999800019", []string{`value="camille"`}, "siret_hint"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBrowser(t)
			got := b.get(s.url+test.path).wantStatus(t, 200)
			if !provider.Waiting(got.Response) {
				t.Fatalf("got the browser at %s, want the provider's form", got.Request.URL)
			}
			form := html.UnescapeString(got.body)
			for _, want := range test.want {
				if !strings.Contains(form, want) {
					t.Errorf("got the form %s, want %q in it", form, want)
				}
			}
			if strings.Contains(form, test.not) {
				t.Errorf("got the form %s, want no %q in it", form, test.not)
			}
		})
	}
	t.Run("login_hint of who is logged in at the provider", func(t *testing.T) {
		b := newBrowser(t)
		s.login(b, "/agent", "sacha").wantStatus(t, 200)
		b.get(s.url+link(t, agentconnect.LoginOptions{LoginHint: email(sacha)})).wantStatus(t, 200).wantAt(t, s.url+"/agent").wantClaim(t, "sub", "sacha")
	})
	t.Run("login_hint of somebody else", func(t *testing.T) {
		b := newBrowser(t)
		s.login(b, "/agent", "sacha").wantStatus(t, 200)
		if got := b.get(s.url + link(t, agentconnect.LoginOptions{LoginHint: email(camille)})); !provider.Waiting(got.Response) {
			t.Errorf("got the browser at %s, want the provider to ask who it is", got.Request.URL)
		}
		s.login(b, link(t, agentconnect.LoginOptions{LoginHint: email(camille)}), "camille").wantStatus(t, 200).wantClaim(t, "sub", "camille")
	})
	for name, path := range map[string]string{
		"idp_hint unknown":             link(t, agentconnect.LoginOptions{IdPHint: "99999999-9999-4999-8999-999999999999"}),
		"a visitor's idp_hint unknown": "/login?idp_hint=99999999-9999-4999-8999-999999999999",
	} {
		t.Run(name, func(t *testing.T) {
			b := newBrowser(t)
			got := b.get(s.url+path).wantPage(t, "idp_hint_not_found")
			if got.StatusCode < 400 || got.Request.URL.Path != "/callback" {
				t.Errorf("got status %d at %s, want the callback to refuse", got.StatusCode, got.Request.URL)
			}
			b.get(s.url+"/agent", api()...).wantProblem(t, http.StatusUnauthorized, "unauthenticated")
		})
	}
	t.Run("login_hint malformed", func(t *testing.T) {
		b := newBrowser(t)
		b.get(s.url+"/login?login_hint=nobody").wantStatus(t, http.StatusBadRequest).wantPage(t, "<h1>")
		if len(b.visited) != 0 {
			t.Errorf("got the redirects %v, want none", b.visited)
		}
	})
}
