package agentconnecttest_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

// dossiers is an application with one protected page, which says who asks.
func dossiers(t *testing.T, provider *agentconnecttest.Server, opts ...agentconnect.Option) (site string, auth *agentconnect.Authenticator) {
	t.Helper()
	site = provider.StartApplication(func(site string) http.Handler {
		var err error
		opts := append(provider.Options(site), append(opts, agentconnect.WithLogger(slog.New(slog.DiscardHandler)))...)
		auth, err = agentconnect.New(opts...)
		if err != nil {
			t.Fatal(err)
		}
		mux := http.NewServeMux()
		mux.Handle("/", auth.Handler())
		mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "home") })
		mux.Handle("GET /dossiers", auth.RequireAgent(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			agent, _ := agentconnect.AgentFrom(r.Context())
			fmt.Fprintf(w, "Bonjour %s", agent.GivenName)
		})))
		return mux
	})
	return site, auth
}

// body is the text of an answer.
func body(t *testing.T, resp *http.Response, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", resp.StatusCode, text)
}

func TestApplication(t *testing.T) {
	for _, network := range []struct {
		name string
		opts []agentconnecttest.ServerOption
	}{{"network", nil}, {"memory", []agentconnecttest.ServerOption{agentconnecttest.WithoutNetwork()}}} {
		for _, algs := range [][2]string{{"RS256", "RS256"}, {"ES256", "none"}, {"HS256", "HS256"}} {
			t.Run(network.name+" "+algs[0]+" "+algs[1], func(t *testing.T) {
				provider := agentconnecttest.NewServer(t, append(network.opts, agentconnecttest.WithAlgorithms(algs[0], algs[1]))...)
				site, _ := dossiers(t, provider)
				browser := provider.Browser()
				resp, err := provider.Login(browser, site+"/dossiers", "marie")
				if got, want := body(t, resp, err), "200 Bonjour Marie Louise"; got != want {
					t.Errorf("login: got %q, want %q", got, want)
				}
				resp, err = provider.Logout(browser, site+"/logout")
				if got, want := body(t, resp, err), "200 home"; got != want {
					t.Errorf("logout: got %q, want %q", got, want)
				}
				if got := provider.Requests(agentconnecttest.EndSession); got != 1 {
					t.Errorf("logouts at the provider: got %d, want 1", got)
				}
				provider.Stop()
				if _, err := provider.Login(browser, site+"/dossiers", "marie"); err == nil {
					t.Error("with the provider stopped: got a login, want an error")
				}
				provider.Restart()
				resp, err = provider.Login(provider.Browser(), site+"/dossiers", "marie")
				if got, want := body(t, resp, err), "200 Bonjour Marie Louise"; got != want {
					t.Errorf("after a restart: got %q, want %q", got, want)
				}
			})
		}
	}
}

func TestLoggedInWithoutALogin(t *testing.T) {
	provider := agentconnecttest.NewServer(t)
	site, auth := dossiers(t, provider)
	agent := agentconnect.Agent{Sub: "sub-of-anne", GivenName: "Anne"}
	browser := provider.Browser()
	agentconnecttest.LoggedIn(t, browser, site, auth, agent)
	resp, err := browser.Get(site + "/dossiers")
	if got, want := body(t, resp, err), "200 Bonjour Anne"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	r := httptest.NewRequest(http.MethodGet, site+"/dossiers", nil)
	for _, cookie := range agentconnecttest.Cookies(t, auth, agent) {
		r.AddCookie(cookie)
	}
	w := httptest.NewRecorder()
	auth.RequireAgent(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		agent, _ := agentconnect.AgentFrom(r.Context())
		fmt.Fprint(w, agent.Sub)
	})).ServeHTTP(w, r)
	if got := w.Body.String(); got != "sub-of-anne" {
		t.Errorf("with the cookies: got %d %q, want sub-of-anne", w.Code, got)
	}
	if got := provider.Requests(agentconnecttest.Authorize); got != 0 {
		t.Errorf("requests to the provider: got %d, want 0", got)
	}
}

// TestLoggedInAtAnotherAddress: a test must not go on as a stranger.
func TestLoggedInAtAnotherAddress(t *testing.T) {
	provider := agentconnecttest.NewServer(t)
	_, auth := dossiers(t, provider)
	secure, err := agentconnect.New(append(provider.Options("https://demarches.example.gouv.fr"), agentconnect.WithLoginPath("/connexion"))...)
	if err != nil {
		t.Fatal(err)
	}
	for name, failing := range map[string]func(tb testing.TB){
		"https cookies on http": func(tb testing.TB) {
			agentconnecttest.LoggedIn(tb, provider.Browser(), "http://intranet.example", secure, agentconnect.Agent{Sub: "a"})
		},
		"no jar": func(tb testing.TB) {
			agentconnecttest.LoggedIn(tb, &http.Client{}, "http://localhost:1", auth, agentconnect.Agent{Sub: "a"})
		},
		"no sub": func(tb testing.TB) {
			agentconnecttest.LoggedIn(tb, provider.Browser(), "http://localhost:1", auth, agentconnect.Agent{})
		},
	} {
		if said := fatal(failing); said == "" || strings.Contains(said, "nil") {
			t.Errorf("%s: got the failure %q of the test, want one that says why", name, said)
		}
	}
}

// failingTest is a test whose failure is looked at.
type failingTest struct {
	testing.TB
	said string
}

func (f *failingTest) Helper() {}

func (f *failingTest) Fatalf(format string, args ...any) {
	f.said = fmt.Sprintf(format, args...)
	panic(f)
}

// fatal returns what a test says when it fails, "" when it does not.
func fatal(test func(tb testing.TB)) (said string) {
	tb := &failingTest{}
	defer func() {
		if thrown := recover(); thrown != nil && thrown != any(tb) {
			panic(thrown)
		}
		said = tb.said
	}()
	test(tb)
	return ""
}

// TestTimeCanBeMoved: in a bubble, the provider and the application have one clock, and
// sleeping moves it.
func TestTimeCanBeMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		provider := agentconnecttest.NewServer(t, agentconnecttest.WithoutNetwork())
		site, _ := dossiers(t, provider, agentconnect.WithSessionLifetime(time.Hour))
		browser := provider.Browser()
		resp, err := provider.Login(browser, site+"/dossiers", "marie")
		if got, want := body(t, resp, err), "200 Bonjour Marie Louise"; got != want {
			t.Fatalf("login: got %q, want %q", got, want)
		}
		get := func() int {
			t.Helper()
			resp, err := browser.Get(site + "/dossiers")
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			return resp.StatusCode
		}
		time.Sleep(59 * time.Minute)
		if got := get(); got != http.StatusOK {
			t.Errorf("after 59 minutes: got %d, want 200", got)
		}
		time.Sleep(2 * time.Minute)
		if got := get(); got != http.StatusUnauthorized {
			t.Errorf("after 61 minutes: got %d, want 401", got)
		}
		// The provider's own session lives on, and the next login is silent.
		resp, err = provider.Login(browser, site+"/dossiers", "")
		if got, want := body(t, resp, err), "200 Bonjour Marie Louise"; got != want {
			t.Errorf("after an hour: got %q, want %q", got, want)
		}
		time.Sleep(12 * time.Hour)
		if _, err := provider.Login(browser, site+"/dossiers", "nobody"); err == nil || !strings.Contains(err.Error(), "does not offer") {
			t.Errorf("after twelve hours: got %v, want the login page, which does not know nobody", err)
		}
	})
}

// TestErrorsOfLoginHaveNoSecrets: what a client says about an address has no state, no
// nonce and no code in it.
func TestErrorsOfLoginHaveNoSecrets(t *testing.T) {
	provider := agentconnecttest.NewServer(t)
	site, _ := dossiers(t, provider)
	gone := httptest.NewServer(nil)
	gone.Close()
	_, stopped := provider.Login(provider.Browser(), gone.URL+"/dossiers?state=secret", "marie")
	resp, err := provider.Login(provider.Browser(), site+"/dossiers", "marie")
	if got, want := body(t, resp, err), "200 Bonjour Marie Louise"; got != want {
		t.Fatalf("before: got %q, want %q", got, want) // the provider is known from now on
	}
	provider.Stop()
	_, err = provider.Login(provider.Browser(), site+"/dossiers?code=secret", "marie")
	_, callbackErr := provider.CallbackURL(provider.Browser(), site+"/login?return_to=/secret", "marie")
	for name, err := range map[string]error{"application stopped": stopped, "provider stopped": err, "callback": callbackErr} {
		if err == nil {
			t.Errorf("%s: got no error, want one", name)
			continue
		}
		for _, bad := range append(provider.Secrets(), "secret", "state=", "nonce=") {
			if strings.Contains(err.Error(), bad) {
				t.Errorf("%s: got %v, want no %q in it", name, err, bad)
			}
		}
	}
}

// TestLoginAndThenALevel: a route behind RequireAgent that demands more logs the agent
// in, and then again with a code by e-mail.
func TestLoginAndThenALevel(t *testing.T) {
	t.Parallel()
	provider := agentconnecttest.NewServer(t)
	site := provider.StartApplication(func(site string) http.Handler {
		auth, err := agentconnect.New(provider.Options(site)...)
		if err != nil {
			t.Fatal(err)
		}
		mux := http.NewServeMux()
		mux.Handle("/", auth.Handler())
		mux.Handle("/signature", auth.RequireAgent(auth.Require(agentconnect.MFA())(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			agent, _ := agentconnect.AgentFrom(r.Context())
			fmt.Fprint(w, agent.ACR)
		}))))
		return mux
	})
	for agent, want := range map[string]string{"marie": "eidas1-mfa", "lucie": "eidas0-mfa"} {
		resp, err := provider.Login(provider.Browser(), site+"/signature", agent)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if body, err := io.ReadAll(resp.Body); err != nil || string(body) != want {
			t.Errorf("%s: got %q, %v, want %s", agent, body, err, want)
		}
	}
}
