package recipes_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/sessions"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/recipes"
)

// logout ends the session, and checks that the browser comes back from the provider
// by the registered page, and from there goes home.
func (b *browser) logout(path, callback string) {
	b.t.Helper()
	resp, _ := b.do(http.MethodPost, b.url+path, navigation(), nil)
	for _, want := range []string{b.provider.Issuer + "/session/end?", b.url + callback + "?", "/"} {
		location := resp.Header.Get("Location")
		if resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(location, want) {
			b.t.Fatalf("%s: got status %d and Location %q, want 303 to %s", resp.Request.URL, resp.StatusCode, location, want)
		}
		next, err := resp.Location()
		if err != nil {
			b.t.Fatal(err)
		}
		resp, _ = b.do(http.MethodGet, next.String(), navigation(), nil)
	}
}

// greet is the application of a migration.
func greet(w http.ResponseWriter, r *http.Request) {
	agent, _ := agentconnect.AgentFrom(r.Context())
	fmt.Fprintf(w, "%s: %s, %s", r.URL.Path, agent.Email, agentconnect.AccountFrom(r.Context()))
}

func TestFromGoOIDC(t *testing.T) {
	t.Parallel()
	a, listener := newApp(t, "/auth/oidc")
	a.provider.SetPostLogoutRedirectURIs(a.url + "/auth/oidc/logged_out")
	a.serve(listener, recipes.FromGoOIDC(a.withOptions(recipes.FromGoOIDCOptions(a.url)...), http.HandlerFunc(greet)))
	b := a.browser()
	resp, body := b.login("/dossiers/7")
	b.want(resp, body, http.StatusOK, "/dossiers/7: marie")
	b.logout("/logout", "/auth/oidc/logged_out")
	resp, body = b.do(http.MethodGet, a.url+"/dossiers/7", script(), nil)
	b.wantUnauthenticated(resp, body)
}

func TestFromOAuth2Proxy(t *testing.T) {
	t.Parallel()
	a, listener := newApp(t, "/oauth2")
	a.provider.SetPostLogoutRedirectURIs(a.url + "/oauth2/signed_out")
	auth := a.withOptions(recipes.FromOAuth2ProxyOptions(a.url)...)
	a.serve(listener, recipes.FromOAuth2Proxy(auth, a.url, http.HandlerFunc(greet)))
	b := a.browser()

	for _, path := range []string{"/oauth2/auth", "/oauth2/userinfo"} {
		resp, _ := b.do(http.MethodGet, a.url+path, script(), nil)
		if resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s of a stranger: got status %d, want 401", path, resp.StatusCode)
		}
	}
	// nginx's subrequest carries the headers of the browser's navigation.
	if resp, _ := b.do(http.MethodGet, a.url+"/oauth2/auth", navigation(), nil); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("/oauth2/auth of a stranger's navigation: got status %d, want 401", resp.StatusCode)
	}
	for _, path := range []string{"/ping", "/ready"} {
		if resp, _ := b.do(http.MethodGet, a.url+path, http.Header{}, nil); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: got status %d, want 200", path, resp.StatusCode)
		}
	}

	for rd, want := range map[string]string{
		"/dossiers/7?tri=date":            "/dossiers/7?tri=date",
		a.url + "/dossiers/7":             "/dossiers/7",
		"https://attacker.example/":       "/",
		a.url + ".attacker.example/":      "/",
		"//attacker.example/":             "/",
		a.url + "@attacker.example/":      "/",
		a.url + "//attacker.example/":     "/",
		a.url + "/\\attacker.example/x":   "/",
		"javascript:alert(1)":             "/",
		a.url + "/oauth2/sign_out":        "/",
		a.url + "/oauth2/userinfo?mine=1": "/oauth2/userinfo?mine=1",
	} {
		b := a.browser()
		resp, _ := b.login("/oauth2/start?" + url.Values{"rd": {rd}}.Encode())
		if got := resp.Request.URL.String(); got != a.url+want {
			t.Errorf("rd=%s: got the browser at %s, want %s", rd, got, a.url+want)
		}
	}

	resp, body := b.login("/dossiers/7")
	b.want(resp, body, http.StatusOK, "/dossiers/7: marie")
	marie, _ := a.provider.Agent("marie")
	resp, body = b.do(http.MethodGet, a.url+"/oauth2/userinfo", script(), nil)
	var info map[string]string
	if err := json.Unmarshal([]byte(body), &info); err != nil || info["user"] != marie.Sub() || !strings.Contains(info["email"], "@") {
		t.Errorf("/oauth2/userinfo: got %d, %s, want marie", resp.StatusCode, body)
	}
	resp, _ = b.do(http.MethodGet, a.url+"/oauth2/auth", navigation(), nil)
	if resp.StatusCode != http.StatusAccepted || resp.Header.Get("X-Auth-Request-Email") != info["email"] {
		t.Errorf("/oauth2/auth: got %d, %v, want 202 with the e-mail", resp.StatusCode, resp.Header)
	}

	// The application reads no header of the proxy.
	forged := navigation()
	forged.Set("X-Forwarded-Email", "forged@attacker.example")
	if _, body = b.do(http.MethodGet, a.url+"/dossiers/7", forged, nil); strings.Contains(body, "forged") {
		t.Errorf("got %s with a forged header", body)
	}

	resp, body = b.do(http.MethodGet, a.url+"/oauth2/sign_out", navigation(), nil)
	b.want(resp, body, http.StatusOK, `method="post" action="/oauth2/sign_out"`)
	b.logout("/oauth2/sign_out", "/oauth2/signed_out")
	resp, _ = b.do(http.MethodGet, a.url+"/oauth2/auth", script(), nil)
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("after the logout: got status %d, want 401", resp.StatusCode)
	}
}

func TestEmailUnder(t *testing.T) {
	t.Parallel()
	rule := recipes.EmailUnder("gouv.fr")
	for email, want := range map[string]bool{
		"marie@culture.gouv.fr": true, "marie@sg.culture.gouv.fr": true, "MARIE@CULTURE.GOUV.FR": true,
		"marie@gouv.fr": false, "marie@notgouv.fr": false, "marie@gouv.fr.attacker.example": false, "marie@attacker.example@x.gouv.fr": true, "": false, "gouv.fr": false, "@x.gouv.fr": false,
	} {
		if got := rule.Met(agentconnect.Agent{Email: email}); got != want {
			t.Errorf("%q: got %t, want %t", email, got, want)
		}
	}
}

// Nobody finds what another agent left in the application's session; its own agent
// does, until a logout.
func TestGorillaSessions(t *testing.T) {
	t.Parallel()
	store := sessions.NewCookieStore([]byte("a key of thirty-two bytes, or so"))
	a := start(t, func(auth *agentconnect.Authenticator) http.Handler {
		mux := http.NewServeMux()
		mux.Handle("/", auth.Handler())
		mux.HandleFunc("/{$}", func(http.ResponseWriter, *http.Request) {})
		mux.Handle("/basket", auth.RequireAgent(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			session, _ := store.Get(r, "demarches")
			if r.Method == http.MethodPost {
				session.Values["basket"] = "three apples"
				if err := session.Save(r, w); err != nil {
					t.Error(err)
				}
			}
			fmt.Fprintf(w, "basket: %v", session.Values["basket"])
		})))
		return mux
	}, recipes.GorillaSessions(store, "demarches")...)
	b := a.browser()
	as := func(agent string) {
		t.Helper()
		resp, err := b.provider.Login(b.client, b.url+"/login?return_to=/basket", agent)
		if err != nil {
			t.Fatal(err)
		}
		b.read(resp)
	}
	basket := func() string {
		_, body := b.do(http.MethodGet, a.url+"/basket", script(), nil)
		return body
	}
	as("marie")
	b.do(http.MethodPost, a.url+"/basket", script(), nil)
	as("marie")
	if got := basket(); got != "basket: three apples" {
		t.Errorf("the same agent again: got %q, want what they left", got)
	}
	// Another agent, who is given the cookie that the first one left.
	site, err := url.Parse(a.url)
	if err != nil {
		t.Fatal(err)
	}
	left := b.client.Jar.Cookies(site)
	b = a.browser()
	for _, cookie := range left {
		if cookie.Name == "demarches" {
			b.client.Jar.SetCookies(site, []*http.Cookie{cookie})
		}
	}
	if len(b.client.Jar.Cookies(site)) != 1 {
		t.Fatalf("got the cookies %v, want that of the application", left)
	}
	as("karim")
	if got := basket(); got != "basket: <nil>" {
		t.Errorf("another agent: got %q, want nothing", got)
	}
	b.do(http.MethodPost, a.url+"/basket", script(), nil)
	b.logout("/logout", "/logout/callback")
	as("karim")
	if got := basket(); got != "basket: <nil>" {
		t.Errorf("after a logout: got %q, want nothing", got)
	}
}

// An account that carries another provider's sub is found by its e-mail address, once
// and in time; after that by ProConnect's sub alone.
func TestAccountsOfAnotherProvider(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	rows := &recipes.Rows{All: []*recipes.Row{
		{ID: "1", Email: "Marie@ministere.example", FormerSub: "keycloak-1"},
		{ID: "2", Email: "karim@ministere.example", FormerSub: "sub-of-marie"}, // collides, and means nothing
		{ID: "3", Email: "late@ministere.example", FormerSub: "keycloak-3"},
		{ID: "4", Email: "", FormerSub: "keycloak-4"},
	}}
	hook := rows.Accounts(now.Add(time.Hour), func() time.Time { return now }).Hook()
	login := func(sub, email string) string {
		l := &agentconnect.Login{Agent: agentconnect.Agent{Sub: sub, Email: email}}
		if err := hook(context.Background(), l); err != nil {
			return "refused"
		}
		return l.Account
	}
	for _, tt := range []struct{ sub, email, want string }{
		{"sub-of-marie", "marie@ministere.example", "1"},
		{"sub-of-marie", "marie.married@ministere.example", "1"},
		{"sub-of-heir", "marie.married@ministere.example", "refused"}, // somebody else with her address
		{"keycloak-3", "nobody@ministere.example", "refused"},
		{"sub-without-email", "", "refused"},
		{"sub-of-karim", "karim@ministere.example", "2"},
	} {
		if got := login(tt.sub, tt.email); got != tt.want {
			t.Errorf("%s, %s: got account %s, want %s", tt.sub, tt.email, got, tt.want)
		}
	}
	now = now.Add(time.Hour)
	if got := login("sub-late", "late@ministere.example"); got != "refused" {
		t.Errorf("after the end of attaching: got account %s, want a refusal", got)
	}
	if got := login("sub-of-karim", "karim@ministere.example"); got != "2" {
		t.Errorf("attached in time: got account %s, want 2", got)
	}
}

func TestFromKeycloak(t *testing.T) {
	t.Parallel()
	rolesOf := func(account string) []string {
		return map[string][]string{"1": {"instructeur"}, "2": {"lecteur"}}[account]
	}
	var rows recipes.Rows
	a := start(t, func(auth *agentconnect.Authenticator) http.Handler { return recipes.FromKeycloak(auth, rolesOf) },
		agentconnect.WithLoginHook(rows.Accounts(time.Now().Add(time.Hour), time.Now).Hook()))
	for id, name := range map[string]string{"1": "marie", "2": "karim"} {
		agent, _ := a.provider.Agent(name)
		email, _ := agent.Claims["email"].(string)
		rows.All = append(rows.All, &recipes.Row{ID: id, Email: email, FormerSub: "keycloak-" + id})
	}
	for name, want := range map[string]int{"marie": http.StatusOK, "karim": http.StatusForbidden, "hugo": http.StatusForbidden} {
		b := a.browser()
		resp, err := b.provider.Login(b.client, b.url+"/dossiers/7", name)
		if err != nil {
			t.Fatal(err)
		}
		_, body := b.read(resp)
		if resp.StatusCode != want || want == http.StatusOK && body != "dossier 7, for 1" {
			t.Errorf("%s: got status %d and %q, want %d", name, resp.StatusCode, body, want)
		}
	}
	b := a.browser()
	resp, body := b.do(http.MethodGet, a.url+"/dossiers/7", script(), nil)
	b.wantUnauthenticated(resp, body)
}

func TestAttributesOfSAML(t *testing.T) {
	t.Parallel()
	ctx := agentconnect.ContextWithAgent(context.Background(), agentconnect.Agent{Email: "marie@ministere.example", UID: "mexemple", GivenName: "Marie", UsualName: "Exemple"})
	for name, want := range map[string]string{"mail": "marie@ministere.example", "uid": "mexemple", "givenName": "Marie", "sn": "Exemple", "memberOf": ""} {
		if got := recipes.Attribute(ctx, name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}
