package main

import (
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// refused runs the program, which must refuse its environment, and returns what
// it wrote.
func refused(t *testing.T, env environment) string {
	t.Helper()
	env.set(t)
	var stdout, stderr syncBuffer
	if got := run(t.Context(), &stdout, &stderr); got != 2 {
		t.Errorf("got exit status %d, want 2", got)
	}
	if got := stdout.String(); got != "" {
		t.Errorf("got the standard output %q, want none", got)
	}
	return stderr.String()
}

func TestEveryProblemIsListedAtOnce(t *testing.T) {
	const password = "a-password-that-must-not-be-printed"
	good := settings("https://provider.example").with("ADDR", "127.0.0.1:0")
	for _, test := range []struct {
		name string
		env  environment
		want []string
	}{
		{"ADDR without port", good.with("ADDR", "localhost"), []string{"ADDR: invalid"}},
		{"ADDR with a port that does not exist", good.with("ADDR", "127.0.0.1:99999"), []string{"ADDR: invalid"}},
		{"ADDR of another machine", good.with("ADDR", "192.0.2.1:8080"), []string{"ADDR: invalid"}},
		{"SESSION_STORE unknown", good.with("SESSION_STORE", "mysql://root:"+password+"@127.0.0.1/db"), []string{"SESSION_STORE: invalid"}},
		{"SESSION_STORE redis malformed", good.with("SESSION_STORE", "redis://u:"+password+"@127.0.0.1:x/0"), []string{"SESSION_STORE: invalid"}},
		{"SESSION_STORE redis database", good.with("SESSION_STORE", "redis://u:"+password+"@127.0.0.1/zero"), []string{"SESSION_STORE: invalid"}},
		{"SESSION_STORE postgres malformed", good.with("SESSION_STORE", "postgres://u:"+password+"@127.0.0.1:x/db"), []string{"SESSION_STORE: invalid"}},
		{"SESSION_STORE postgres option", good.with("SESSION_STORE", "postgres://u:"+password+"@127.0.0.1/db?pool_max_conns=many"), []string{"SESSION_STORE: invalid"}},
		{"BUTTON_IMAGE that does not exist", good.with("BUTTON_IMAGE", "missing.svg"), []string{"BUTTON_IMAGE: invalid"}},
		{"BUTTON_IMAGE that is no picture", good.with("BUTTON_IMAGE", "go.mod", "SESSION_STORE", "x"), []string{"BUTTON_IMAGE: invalid", "SESSION_STORE"}},
		{"DESIGN_SYSTEM without a style sheet", good.with("DESIGN_SYSTEM", "web"), []string{"DESIGN_SYSTEM: invalid"}},
		{"BUTTON_IMAGE and DESIGN_SYSTEM", good.with("BUTTON_IMAGE", "web/favicon.svg", "DESIGN_SYSTEM", "web"), []string{"BUTTON_IMAGE and DESIGN_SYSTEM: conflict"}},
		{"redirect URL at the picture", good.with("AGENTCONNECT_REDIRECT_URL", "https://fs.example.gouv.fr/button.svg"), []string{"AGENTCONNECT_REDIRECT_URL"}},
		{"issuer and environment", good.with("AGENTCONNECT_ENVIRONMENT", "integration"), []string{"AGENTCONNECT_ISSUER"}},
		{"both names, with two values", good.with("PROCONNECT_CLIENT_ID", "another"), []string{"PROCONNECT_CLIENT_ID and AGENTCONNECT_CLIENT_ID"}},
		{"a redirect URL under its other name, that the router does not take", good.with("PROCONNECT_REDIRECT_URL", "https://fs.example.gouv.fr/*"), []string{"PROCONNECT_REDIRECT_URL"}},
		{"environment unknown", good.with("AGENTCONNECT_ISSUER", "", "AGENTCONNECT_ENVIRONMENT", "staging"), []string{"AGENTCONNECT_ENVIRONMENT"}},
		{"no credentials with an issuer", environment{"ADDR": "127.0.0.1:0", "AGENTCONNECT_ISSUER": "https://provider.example"}, []string{"AGENTCONNECT_CLIENT_ID", "AGENTCONNECT_CLIENT_SECRET"}},
		{"no credentials with an environment", environment{"ADDR": "127.0.0.1:0", "AGENTCONNECT_ENVIRONMENT": "integration"}, []string{"AGENTCONNECT_CLIENT_ID", "AGENTCONNECT_CLIENT_SECRET"}},
		{"issuer in plain http", good.with("AGENTCONNECT_ISSUER", "http://provider.example"), []string{"AGENTCONNECT_ISSUER"}},
		{"redirect URL in plain http", good.with("AGENTCONNECT_REDIRECT_URL", "http://fs.example.gouv.fr/callback"), []string{"AGENTCONNECT_REDIRECT_URL"}},
		{"post-logout redirect URL in plain http", good.with("AGENTCONNECT_POST_LOGOUT_REDIRECT_URL", "http://fs.example.gouv.fr/logout/callback"), []string{"AGENTCONNECT_POST_LOGOUT_REDIRECT_URL"}},
		{"redirect URL that is none", good.with("AGENTCONNECT_REDIRECT_URL", "/callback"), []string{"AGENTCONNECT_REDIRECT_URL"}},
		{"redirect URL that the router does not take", good.with("AGENTCONNECT_REDIRECT_URL", "https://fs.example.gouv.fr/*"), []string{"AGENTCONNECT_REDIRECT_URL"}},
		{"redirect URL at another route of the program", good.with("AGENTCONNECT_REDIRECT_URL", "https://fs.example.gouv.fr/agent"), []string{"AGENTCONNECT_REDIRECT_URL"}},
		{"localhost in production", environment{"ADDR": "127.0.0.1:0", "AGENTCONNECT_ENVIRONMENT": "production", "AGENTCONNECT_CLIENT_ID": "fs", "AGENTCONNECT_CLIENT_SECRET": secret}, []string{"AGENTCONNECT_REDIRECT_URL", "AGENTCONNECT_POST_LOGOUT_REDIRECT_URL"}},
		{"ID token alg", good.with("AGENTCONNECT_ID_TOKEN_ALG", "none"), []string{"AGENTCONNECT_ID_TOKEN_ALG"}},
		{"userinfo alg", good.with("AGENTCONNECT_USERINFO_ALG", "PS256"), []string{"AGENTCONNECT_USERINFO_ALG"}},
		{"scopes without openid", good.with("AGENTCONNECT_SCOPES", "email"), []string{"AGENTCONNECT_SCOPES"}},
		{"the secret in the wrong place", good.with("AGENTCONNECT_ID_TOKEN_ALG", secret, "AGENTCONNECT_USERINFO_ALG", secret), []string{"AGENTCONNECT_ID_TOKEN_ALG"}},
		{"everything", environment{
			"ADDR":                                  "nowhere",
			"SESSION_STORE":                         "redis://u:" + password + "@127.0.0.1:x/0",
			"AGENTCONNECT_ISSUER":                   "http://provider.example",
			"AGENTCONNECT_CLIENT_SECRET":            " " + secret,
			"AGENTCONNECT_REDIRECT_URL":             "ftp://fs.example.gouv.fr/",
			"AGENTCONNECT_POST_LOGOUT_REDIRECT_URL": "https://fs.example.gouv.fr/#bye",
			"AGENTCONNECT_ID_TOKEN_ALG":             "RS512",
			"AGENTCONNECT_SCOPES":                   "email",
		}, []string{
			"ADDR", "SESSION_STORE", "AGENTCONNECT_ISSUER", "AGENTCONNECT_CLIENT_ID", "AGENTCONNECT_CLIENT_SECRET",
			"AGENTCONNECT_REDIRECT_URL", "AGENTCONNECT_POST_LOGOUT_REDIRECT_URL", "AGENTCONNECT_ID_TOKEN_ALG", "AGENTCONNECT_SCOPES",
		}},
		{"with the demonstration provider too", environment{"ADDR": "127.0.0.1:0", "AGENTCONNECT_SCOPES": "email", "AGENTCONNECT_ID_TOKEN_ALG": "x"}, []string{"AGENTCONNECT_SCOPES", "AGENTCONNECT_ID_TOKEN_ALG"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := refused(t, test.env)
			for _, want := range test.want {
				if !strings.Contains(got, want) {
					t.Errorf("got %s, want %s named", got, want)
				}
			}
			if strings.Contains(got, secret) || strings.Contains(got, password) {
				t.Errorf("got a secret in the output: %s", got)
			}
		})
	}
}

func TestDefaultAddress(t *testing.T) {
	environment{}.set(t)
	listener, err := listen()
	if err != nil { // somebody uses it, which says as much
		if !strings.Contains(err.Error(), "127.0.0.1:8080") {
			t.Errorf("got %v, want it to be about 127.0.0.1:8080", err)
		}
		return
	}
	defer listener.Close()
	if got := listener.Addr().String(); got != "127.0.0.1:8080" {
		t.Errorf("got %s, want 127.0.0.1:8080", got)
	}
}

func TestAddressesInUseAreProblems(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if got := refused(t, environment{"ADDR": listener.Addr().String()}); !strings.Contains(got, "ADDR") {
		t.Errorf("got %s, want ADDR named", got)
	}
}

func TestIPv6(t *testing.T) {
	listener, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		// Without IPv6 the address is a wrong value like another.
		if got := refused(t, environment{"ADDR": "[::1]:0"}); !strings.Contains(got, "ADDR") {
			t.Errorf("got %s, want ADDR named", got)
		}
		return
	}
	listener.Close()
	p := start(t, environment{"ADDR": "[::1]:0"})
	home, err := url.Parse(p.url)
	if err != nil {
		t.Fatal(err)
	}
	if home.Hostname() != "localhost" {
		t.Errorf("got the URL %s, want localhost", p.url)
	}
	newBrowser(t).get("http://[::1]:"+home.Port()+"/healthz").wantStatus(t, 200)
}

// TestVariablesReachTheProvider checks each variable of the registration by what
// the provider is sent.
func TestVariablesReachTheProvider(t *testing.T) {
	p := startProvided(t,
		"AGENTCONNECT_REDIRECT_URL", "http://localhost:1/auth/retour",
		"AGENTCONNECT_POST_LOGOUT_REDIRECT_URL", "http://localhost:1/auth/fin",
		"AGENTCONNECT_SCOPES", "openid email roles")
	if p.url != "http://localhost:1" {
		t.Errorf("got the URL %s, want that of AGENTCONNECT_REDIRECT_URL", p.url)
	}
	// p.url is what a reverse proxy would serve: the program itself is elsewhere.
	p.stop()
	address := freeAddress(t)
	origin := "http://localhost" + strings.TrimPrefix(address, "127.0.0.1")
	p.program = start(t, settings(p.provider.Issuer).with(
		"ADDR", address,
		"AGENTCONNECT_REDIRECT_URL", origin+"/auth/retour",
		"AGENTCONNECT_POST_LOGOUT_REDIRECT_URL", origin+"/auth/fin",
		"AGENTCONNECT_SCOPES", "openid email roles"))
	p.provider.SetRedirectURIs(origin + "/auth/retour")
	p.provider.SetPostLogoutRedirectURIs(origin + "/auth/fin")

	b := newBrowser(t)
	asked := b.once(http.MethodGet, p.url+"/login")
	location, err := url.Parse(asked.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"client_id": "fs", "redirect_uri": origin + "/auth/retour", "scope": "openid email roles"} {
		if got := location.Query().Get(name); got != want {
			t.Errorf("got %s %q, want %q", name, got, want)
		}
	}
	p.login(b, "/agent", "marie").wantStatus(t, 200).wantAt(t, p.url+"/agent")
	b.visited = nil
	p.logout(b).wantAt(t, p.url+"/")
	if got := b.visited[len(b.visited)-2]; got.Path != "/auth/fin" {
		t.Errorf("got the way back from the logout at %s, want /auth/fin", got.Path)
	}
	b.get(p.url+"/callback").wantStatus(t, http.StatusNotFound)
	b.get(p.url+"/logout/callback").wantStatus(t, http.StatusNotFound)
}
