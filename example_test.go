package agentconnect_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"sync"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

// A whole program: its settings are in the environment variables of
// [agentconnect.FromEnv].
func Example() {
	auth, err := agentconnect.New(agentconnect.FromEnv())
	if err != nil {
		log.Println(err) // every problem, a line each
		os.Exit(2)
	}

	r := chi.NewRouter()
	r.HandleFunc("/login", auth.Login)
	r.HandleFunc("/callback", auth.Callback)
	r.HandleFunc("/logout", auth.Logout)
	r.HandleFunc("/logout/callback", auth.LogoutCallback)
	r.With(auth.RequireAgent).Get("/dossiers", func(w http.ResponseWriter, r *http.Request) {
		agent, _ := agentconnect.AgentFrom(r.Context())
		fmt.Fprintf(w, "Bonjour %s %s", agent.GivenName, agent.UsualName)
	})

	log.Fatal(http.ListenAndServe("127.0.0.1:8080", r))
}

// newAuth returns an Authenticator for examples that need no provider.
func newAuth(opts ...agentconnect.Option) *agentconnect.Authenticator {
	auth, err := agentconnect.New(append([]agentconnect.Option{
		agentconnect.WithEnvironment(agentconnect.Integration),
		agentconnect.WithClient("client-id", "client-secret-of-the-examples"),
		agentconnect.WithRedirectURL("https://demarches.example.gouv.fr/callback"),
		agentconnect.WithPostLogoutRedirectURL("https://demarches.example.gouv.fr/logout/callback"),
	}, opts...)...)
	if err != nil {
		log.Fatal(err)
	}
	return auth
}

// open opens a page as a browser does, and prints the answer.
func open(h http.Handler, path string) {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Header().Get("Location"))
}

// On chi, a group of protected routes. A stranger is sent to the login and comes
// back to the page, query included.
func ExampleAuthenticator_RequireAgent_chi() {
	auth := newAuth()
	r := chi.NewRouter()
	r.Mount("/", auth.Handler())
	r.Route("/dossiers", func(r chi.Router) {
		r.Use(auth.RequireAgent)
		r.Get("/{id}", func(w http.ResponseWriter, r *http.Request) {
			agent, _ := agentconnect.AgentFrom(r.Context())
			fmt.Fprintf(w, "%s reads %s", agent.Sub, chi.URLParam(r, "id"))
		})
	})

	open(r, "/dossiers/42?onglet=pieces")
	// Output: 303 /login?return_to=%2Fdossiers%2F42%3Fonglet%3Dpieces
}

// On http.ServeMux, one route after the other.
func ExampleAuthenticator_RequireAgent_serveMux() {
	auth := newAuth()
	mux := http.NewServeMux()
	mux.HandleFunc("/login", auth.Login)
	mux.HandleFunc("/callback", auth.Callback)
	mux.HandleFunc("/logout", auth.Logout)
	mux.HandleFunc("/logout/callback", auth.LogoutCallback)
	mux.Handle("GET /dossiers/{id}", auth.RequireAgent(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		agent, _ := agentconnect.AgentFrom(r.Context())
		fmt.Fprintf(w, "%s reads %s", agent.Sub, r.PathValue("id"))
	})))

	open(mux, "/dossiers/42")
	// Output: 303 /login?return_to=%2Fdossiers%2F42
}

// Multi-factor for one page, a role for another. Who lacks the level is sent to step
// up; who lacks the role is told so.
func ExampleAuthenticator_Require() {
	auth := newAuth()
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "signed") })

	r := chi.NewRouter()
	r.Mount("/", auth.Handler())
	r.With(auth.Require(agentconnect.MFA())).Post("/signature", page)
	r.With(auth.Require(
		agentconnect.MinEIDAS(2),
		agentconnect.Role(agentconnect.RoleAgentPublicEtat),
		agentconnect.EmailDomain("culture.gouv.fr"),
	)).Get("/archives", page)
}

// A level that no login can reach is a mistake in the program: Require panics when
// the route is made.
func ExampleAuthenticator_Require_incorrect() {
	auth := newAuth()
	defer func() { fmt.Println(recover()) }()
	auth.Require(agentconnect.MinEIDAS(2), agentconnect.CertificationDirigeant())
	// Output: agentconnect: Require: no single acr value satisfies all the levels together
}

// The agent in a handler: here one that is tested without the middleware.
func ExampleAgentFrom() {
	dossiers := func(w http.ResponseWriter, r *http.Request) {
		agent, ok := agentconnect.AgentFrom(r.Context())
		if !ok {
			http.Error(w, "this handler is behind RequireAgent", http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(w, "Bonjour %s %s (%s)", agent.GivenName, agent.UsualName, agent.OrganizationLabel)
	}

	var agent agentconnect.Agent
	err := json.Unmarshal([]byte(`{
		"sub": "sub-of-marie",
		"given_name": "Marie Louise",
		"usual_name": "Exemple",
		"organization_label": "Ministère de démonstration",
		"custom": {"bureau": "D-101"}
	}`), &agent)
	if err != nil {
		log.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/dossiers", nil)
	w := httptest.NewRecorder()
	dossiers(w, r.WithContext(agentconnect.ContextWithAgent(r.Context(), agent)))

	fmt.Println(w.Body)
	fmt.Println(agent.Custom()["bureau"])
	fmt.Println(agent) // in a log, nobody's name
	// Output:
	// Bonjour Marie Louise Exemple (Ministère de démonstration)
	// D-101
	// agent 750925bd19551d41
}

// A hook that lets the agents of one organisation in, and tells the others why not.
func ExampleLoginHook() {
	hook := func(_ context.Context, login *agentconnect.Login) error {
		if login.Agent.SIRET == "00000001800010" {
			return nil
		}
		return agentconnect.RefuseLogin(agentconnect.Reason{
			French:  "Ce service est réservé au ministère de démonstration.",
			English: "This service is for the demonstration ministry.",
		})
	}
	auth := newAuth(agentconnect.WithLoginHook(hook))
	mux := http.NewServeMux()
	mux.Handle("/", auth.Handler())

	fmt.Println(hook(context.Background(), &agentconnect.Login{Agent: agentconnect.Agent{Sub: "sub-of-marie", SIRET: "00000001800010"}}))
	fmt.Println(hook(context.Background(), &agentconnect.Login{Agent: agentconnect.Agent{Sub: "sub-of-karim", SIRET: "00000003400017"}}))
	// Output:
	// <nil>
	// agentconnect: the login hook refused the agent
}

// Accounts in a table with the columns sub and email, whose key is the sub.
func ExampleAccounts() {
	var mu sync.Mutex
	emails := map[string]string{"sub-of-marie": "marie.exemple@ministere.example.gouv.fr"} // by sub

	accounts := agentconnect.Accounts{
		Login: func(_ context.Context, agent agentconnect.Agent) (account string, err error) {
			mu.Lock()
			defer mu.Unlock()
			if _, known := emails[agent.Sub]; !known {
				return "", nil
			}
			emails[agent.Sub] = agent.Email
			return agent.Sub, nil
		},
		SubOfEmail: func(_ context.Context, email string) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			for sub, known := range emails {
				if known == email {
					return sub, nil
				}
			}
			return "", nil
		},
		EmailTaken: func(_ context.Context, agent agentconnect.Agent, otherSub string) error {
			fmt.Println("the address of", otherSub, "came with", agent.Sub)
			return agentconnect.RefuseLogin(agentconnect.Reason{French: "Cette adresse a déjà un compte ; demandez à le rattacher."})
		},
		Create: func(_ context.Context, agent agentconnect.Agent) (account string, err error) {
			mu.Lock()
			defer mu.Unlock()
			emails[agent.Sub] = agent.Email
			fmt.Println("a new account for", agent.Sub)
			return agent.Sub, nil
		},
	}

	hook := accounts.Hook() // for WithLoginHook
	for _, agent := range []agentconnect.Agent{
		{Sub: "sub-of-marie", Email: "marie.exemple@ministere.example.gouv.fr"},
		{Sub: "sub-of-karim", Email: "karim.fictif@entreprise.example"},
		{Sub: "sub-of-marie-elsewhere", Email: "marie.exemple@ministere.example.gouv.fr"},
	} {
		login := &agentconnect.Login{Agent: agent}
		err := hook(context.Background(), login)
		fmt.Printf("account %q, %v\n", login.Account, err)
	}
	// Output:
	// account "sub-of-marie", <nil>
	// a new account for sub-of-karim
	// account "sub-of-karim", <nil>
	// the address of sub-of-marie came with sub-of-marie-elsewhere
	// account "", agentconnect: the login hook refused the agent
}

// One page that demands more of a login than the others, and comes back to itself.
func ExampleAuthenticator_StartLogin() {
	auth := newAuth()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /mandats/{id}/certification", func(w http.ResponseWriter, r *http.Request) {
		auth.StartLogin(w, r, agentconnect.LoginOptions{
			Level:    []agentconnect.Requirement{agentconnect.CertificationDirigeant()},
			ReturnTo: "/mandats/" + r.PathValue("id"),
		})
	})
}

// The test of an application, with an AgentConnect in the process. In a test file it
// is called TestDossiers.
func Example_test() {
	testDossiers := func(t *testing.T) {
		provider := agentconnecttest.NewServer(t)
		server := httptest.NewUnstartedServer(nil)
		_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
		site := "http://localhost:" + port // another host than the provider's: cookies know no ports
		provider.SetRedirectURIs(site + "/callback")
		provider.SetPostLogoutRedirectURIs(site + "/logout/callback")

		auth, err := agentconnect.New(
			agentconnect.WithIssuer(provider.Issuer),
			agentconnect.WithClient(provider.Client.ID, provider.Client.Secret),
			agentconnect.WithRedirectURL(site+"/callback"),
			agentconnect.WithPostLogoutRedirectURL(site+"/logout/callback"),
		)
		if err != nil {
			t.Fatal(err)
		}
		mux := http.NewServeMux()
		mux.Handle("/", auth.Handler())
		mux.Handle("GET /dossiers", auth.RequireAgent(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {})))
		server.Config.Handler = mux
		server.Start()
		defer server.Close()

		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := provider.Login(&http.Client{Jar: jar}, site+"/dossiers", "marie")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("/dossiers after a login: got %d, want 200", resp.StatusCode)
		}
	}
	_ = testDossiers
}

// Two registrations in one process, on the Internet and on the RIE: the router's
// host patterns choose.
func ExampleNew_twoNetworks() {
	internet := newAuth()
	rie := newAuth(
		agentconnect.WithEnvironment(agentconnect.IntegrationRIE),
		agentconnect.WithRedirectURL("https://demarches.example.rie.gouv.fr/callback"),
		agentconnect.WithPostLogoutRedirectURL("https://demarches.example.rie.gouv.fr/logout/callback"),
	)
	application := func(auth *agentconnect.Authenticator) http.Handler {
		mux := http.NewServeMux()
		mux.HandleFunc("/login", auth.Login)
		mux.HandleFunc("/callback", auth.Callback)
		mux.HandleFunc("/logout", auth.Logout)
		mux.HandleFunc("/logout/callback", auth.LogoutCallback)
		mux.Handle("GET /dossiers", auth.RequireAgent(http.NotFoundHandler()))
		return mux
	}
	mux := http.NewServeMux()
	mux.Handle("demarches.example.gouv.fr/", application(internet))
	mux.Handle("demarches.example.rie.gouv.fr/", application(rie))

	open(mux, "https://demarches.example.gouv.fr/dossiers")
	open(mux, "https://demarches.example.rie.gouv.fr/dossiers")
	open(mux, "https://elsewhere.example/dossiers")
	// Output:
	// 303 /login?return_to=%2Fdossiers
	// 303 /login?return_to=%2Fdossiers
	// 404
}
