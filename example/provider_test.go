package main

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/agentconnect-go/agentconnect/example/internal/oidcprovider"
)

// real is the program with a provider that this project did not write.
type real struct {
	*program
	provider *oidcprovider.Provider
}

// startReal starts the program and registers it, with the algorithms, at a provider.
func startReal(t *testing.T, provider *oidcprovider.Provider, idTokenAlg, userinfoAlg string, pairs ...string) *real {
	t.Helper()
	r := &real{start(t, settings(provider.Issuer).with("AGENTCONNECT_ID_TOKEN_ALG", idTokenAlg, "AGENTCONNECT_USERINFO_ALG", userinfoAlg).with(pairs...)), provider}
	if userinfoAlg == "none" {
		userinfoAlg = ""
	}
	client := oidcprovider.Client{
		ID:                     "fs",
		Secret:                 secret,
		RedirectURIs:           []string{r.url + "/callback"},
		PostLogoutRedirectURIs: []string{r.url + "/logout/callback"},
		IDTokenAlg:             idTokenAlg,
		UserinfoAlg:            userinfoAlg,
	}
	if err := provider.Register(client); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *real) login(b *browser, path, agent string, opts ...oidcprovider.Option) answer {
	r.t.Helper()
	return b.read(r.provider.Login(b.Client, r.url+path, agent, opts...))
}

// tab opens a page and stops at the provider's login form.
func (r *real) tab(b *browser, path string) *http.Response {
	r.t.Helper()
	resp, err := b.Get(r.url + path)
	if err != nil {
		r.t.Fatal(err)
	}
	if !r.provider.Waiting(resp) {
		r.t.Fatalf("got the browser at %s, want the provider's form", resp.Request.URL)
	}
	return resp
}

func TestRealProviderAlgorithms(t *testing.T) {
	provider := oidcprovider.Start(t, oidcprovider.Config{})
	for _, test := range []struct{ idToken, userinfo string }{
		{"RS256", "RS256"},
		{"ES256", "ES256"},
		{"HS256", "HS256"},
		{"RS256", "none"},
		{"ES256", "HS256"},
	} {
		t.Run(test.idToken+" "+test.userinfo, func(t *testing.T) {
			r := startReal(t, provider, test.idToken, test.userinfo)
			b := newBrowser(t)
			r.login(b, "/agent?a=1", "camille").wantStatus(t, 200).wantAt(t, r.url+"/agent?a=1").wantPage(t, "Camille Noëlle")
			b.get(r.url+"/").wantPage(t, "Bonjour Camille Noëlle Démonstration")
		})
		t.Run(test.idToken+" "+test.userinfo+", registered otherwise", func(t *testing.T) {
			r := startReal(t, provider, test.idToken, test.userinfo)
			other := oidcprovider.Client{ID: "fs", Secret: secret, RedirectURIs: []string{r.url + "/callback"}, IDTokenAlg: "RS256", UserinfoAlg: "ES256"}
			if err := provider.Register(other); err != nil {
				t.Fatal(err)
			}
			b := newBrowser(t)
			r.login(b, "/agent", "camille").wantStatus(t, http.StatusBadGateway).wantPage(t, "<h1>")
			b.get(r.url+"/agent", api()...).wantProblem(t, http.StatusUnauthorized, "unauthenticated")
		})
	}
}

// TestRealProviderTabs has one browser log in from two tabs whose steps alternate.
func TestRealProviderTabs(t *testing.T) {
	t.Run("kept apart", func(t *testing.T) {
		r := startReal(t, oidcprovider.Start(t, oidcprovider.Config{SeparateTabs: true}), "RS256", "RS256")
		b := newBrowser(t)
		first, second := r.tab(b, "/agent?tab=1"), r.tab(b, "/agent?tab=2")
		b.read(r.provider.Answer(b.Client, first, "camille")).wantStatus(t, 200).wantAt(t, r.url+"/agent?tab=1").wantPage(t, "Camille")
		b.read(r.provider.Answer(b.Client, second, "camille")).wantStatus(t, 200).wantAt(t, r.url+"/agent?tab=2").wantPage(t, "Camille")
	})
	t.Run("mixed up as by the real server", func(t *testing.T) {
		r := startReal(t, oidcprovider.Start(t, oidcprovider.Config{}), "RS256", "RS256")
		b := newBrowser(t)
		first, second := r.tab(b, "/agent?tab=1"), r.tab(b, "/agent?tab=2")
		// The answer given in the first tab comes back with the state of the second.
		b.read(r.provider.Answer(b.Client, first, "camille")).wantStatus(t, 200).wantAt(t, r.url+"/agent?tab=2").wantPage(t, "Camille")
		stuck := b.read(r.provider.Answer(b.Client, second, "camille"))
		if !strings.HasPrefix(stuck.Request.URL.String(), r.provider.Issuer) {
			t.Errorf("got the second tab at %s, want the provider's error page", stuck.Request.URL)
		}
		b.get(r.url+"/agent").wantStatus(t, 200).wantPage(t, "Camille")
	})
}

func TestRealProviderWrongSecret(t *testing.T) {
	r := startReal(t, oidcprovider.Start(t, oidcprovider.Config{}), "RS256", "RS256", "AGENTCONNECT_CLIENT_SECRET", "another-"+secret)
	b := newBrowser(t)
	r.login(b, "/agent", "camille").wantStatus(t, http.StatusInternalServerError).wantPage(t, "invalid_client")
	b.get(r.url+"/agent", api()...).wantProblem(t, http.StatusUnauthorized, "unauthenticated")
	if strings.Contains(r.stderr.String(), secret) {
		t.Error("got the secret in the log")
	}
}

func TestRealProviderRefusedLogin(t *testing.T) {
	r := startReal(t, oidcprovider.Start(t, oidcprovider.Config{}), "RS256", "RS256")
	b := newBrowser(t)
	r.login(b, "/agent", "camille", oidcprovider.Refuse()).wantStatus(t, http.StatusForbidden).wantPage(t, "access_denied")
	b.get(r.url+"/agent", api()...).wantProblem(t, http.StatusUnauthorized, "unauthenticated")
	r.login(b, "/agent", "camille").wantStatus(t, 200).wantAt(t, r.url+"/agent")
}

func TestRealProviderLogout(t *testing.T) {
	r := startReal(t, oidcprovider.Start(t, oidcprovider.Config{}), "RS256", "RS256")
	b := newBrowser(t)
	r.login(b, "/agent", "camille").wantStatus(t, 200)
	b.visited = nil
	resp, err := b.PostForm(r.url+"/logout", url.Values{})
	if err != nil {
		t.Fatal(err)
	}
	b.read(r.provider.Follow(b.Client, resp)).wantStatus(t, 200).wantAt(t, r.url+"/").wantPage(t, `action="/login"`)
	end := slices.IndexFunc(b.visited, func(u *url.URL) bool { return strings.HasPrefix(u.String(), r.provider.Issuer+"/session/end?") })
	back := slices.IndexFunc(b.visited, func(u *url.URL) bool { return strings.HasPrefix(u.String(), r.url+"/logout/callback?") })
	if end < 0 || back < end {
		t.Fatalf("got the redirects %v, want the provider's logout and the way back", b.visited)
	}
	if got, want := b.visited[back].Query().Get("state"), b.visited[end].Query().Get("state"); got != want || len(want) < 32 {
		t.Errorf("got the state %q back, want %q", got, want)
	}
	b.get(r.url+"/agent", api()...).wantProblem(t, http.StatusUnauthorized, "unauthenticated")
	r.tab(b, "/agent").Body.Close() // the provider asks again: it was logged out too
}

// An agent whom a page refuses, and whom the provider would log in again without a
// question, comes in with another account: the provider's session ends in between.
func TestRealProviderOtherAccount(t *testing.T) {
	r := startReal(t, oidcprovider.Start(t, oidcprovider.Config{}), "RS256", "RS256")
	b := newBrowser(t)
	page := r.login(b, "/agents-publics", "sacha").wantStatus(t, http.StatusForbidden)
	field := regexp.MustCompile(`<input type="hidden" name="login" value="([^"]*)">`).FindStringSubmatch(page.body)
	if field == nil {
		t.Fatalf("got a page without the offer of another account: %s", page.body)
	}
	resp, err := b.PostForm(r.url+"/logout", url.Values{"login": {html.UnescapeString(field[1])}})
	if err != nil {
		t.Fatal(err)
	}
	if resp, err = r.provider.Follow(b.Client, resp); err != nil {
		t.Fatal(err)
	}
	if !r.provider.Waiting(resp) {
		t.Fatalf("got %s, want the provider to ask who it is", resp.Request.URL)
	}
	b.read(r.provider.Answer(b.Client, resp, "camille")).wantStatus(t, 200).wantAt(t, r.url+"/agents-publics")
	b.get(r.url+"/agent").wantStatus(t, 200).wantPage(t, "Camille")
}

func TestRealProviderStepUp(t *testing.T) {
	r := startReal(t, oidcprovider.Start(t, oidcprovider.Config{}), "RS256", "RS256")
	for _, acr := range []string{"eidas0-mfa", "eidas1-mfa", "eidas2", "eidas3"} {
		t.Run(acr, func(t *testing.T) {
			b := newBrowser(t)
			r.login(b, "/agent", "camille").wantStatus(t, 200)
			r.login(b, "/mfa?a=1", "camille", oidcprovider.WithACR(acr), oidcprovider.WithAMR("pwd", "otp", "mfa")).wantStatus(t, 200).wantAt(t, r.url+"/mfa?a=1").wantPage(t, acr)
			b.get(r.url+"/mfa").wantStatus(t, 200).wantAt(t, r.url+"/mfa")
		})
	}
	for _, acr := range []string{"eidas0", "eidas1"} {
		t.Run(acr+" is not enough", func(t *testing.T) {
			b := newBrowser(t)
			r.login(b, "/agent", "camille").wantStatus(t, 200)
			r.login(b, "/mfa", "camille", oidcprovider.WithACR(acr)).wantStatus(t, http.StatusForbidden).wantPage(t, "access_denied")
			b.get(r.url+"/agent").wantStatus(t, 200).wantPage(t, "Camille")
			b.get(r.url+"/mfa", api()...).wantProblem(t, http.StatusForbidden, "insufficient_level")
		})
	}
}

func TestRealProviderRoles(t *testing.T) {
	r := startReal(t, oidcprovider.Start(t, oidcprovider.Config{}), "RS256", "RS256")
	r.login(newBrowser(t), "/agents-publics", "camille").wantStatus(t, 200).wantAt(t, r.url+"/agents-publics")
	r.login(newBrowser(t), "/agents-publics", "sacha").wantStatus(t, http.StatusForbidden).wantAt(t, r.url+"/agents-publics").wantPage(t, "celui d’un agent public")
}

// The check tells a post-logout redirect URL that is registered from one that is
// not, though the provider answers neither with a redirect.
func TestRealProviderChecksTheLogout(t *testing.T) {
	provider := oidcprovider.Start(t, oidcprovider.Config{})
	const origin = "http://localhost:8080"
	for registered, want := range map[string]string{
		origin + "/logout/callback":  "ok       registration of the logout   the provider knows the post-logout redirect URL, and refuses another",
		origin + "/logout/callback/": "problem  registration of the logout   the provider refuses the post-logout redirect URL",
	} {
		err := provider.Register(oidcprovider.Client{
			ID: "fs", Secret: secret, RedirectURIs: []string{origin + "/callback"}, PostLogoutRedirectURIs: []string{registered},
			UserinfoAlg: "RS256",
		})
		if err != nil {
			t.Fatal(err)
		}
		_, output := checked(t, settings(provider.Issuer))
		if !strings.Contains(output, want) {
			t.Errorf("with %s registered: got\n%s\nwant %q", registered, output, want)
		}
	}
}

func TestRealProviderDownAtStart(t *testing.T) {
	provider := oidcprovider.Start(t, oidcprovider.Config{})
	address := freeAddress(t)
	origin := "http://localhost" + strings.TrimPrefix(address, "127.0.0.1")
	err := provider.Register(oidcprovider.Client{
		ID: "fs", Secret: secret, RedirectURIs: []string{origin + "/callback"}, PostLogoutRedirectURIs: []string{origin + "/logout/callback"},
		UserinfoAlg: "RS256",
	})
	if err != nil {
		t.Fatal(err)
	}
	provider.Stop()
	r := &real{start(t, settings(provider.Issuer).with("ADDR", address)), provider}
	b := newBrowser(t)
	b.get(r.url+"/").wantStatus(t, 200)
	b.get(r.url+"/readyz").wantStatus(t, http.StatusServiceUnavailable)
	b.get(r.url+"/agent").wantStatus(t, http.StatusServiceUnavailable).wantPage(t, "<h1>")
	if err := provider.Restart(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "/readyz answers 200", func() bool { return b.get(r.url+"/readyz").StatusCode == 200 })
	r.login(b, "/agent", "camille").wantStatus(t, 200).wantAt(t, r.url+"/agent")
}

func TestRealProviderRestarted(t *testing.T) {
	r := startReal(t, oidcprovider.Start(t, oidcprovider.Config{}), "RS256", "RS256")
	known, underWay := newBrowser(t), newBrowser(t)
	r.login(known, "/agent", "camille").wantStatus(t, 200)
	form := r.tab(underWay, "/agent")

	r.provider.Stop()
	known.get(r.url+"/agent").wantStatus(t, 200).wantPage(t, "Camille")
	known.get(r.url+"/readyz").wantStatus(t, 200)
	if err := r.provider.Restart(); err != nil {
		t.Fatal(err)
	}
	known.get(r.url+"/agent").wantStatus(t, 200).wantPage(t, "Camille")
	lost := underWay.read(r.provider.Answer(underWay.Client, form, "camille"))
	if !strings.HasPrefix(lost.Request.URL.String(), r.provider.Issuer) {
		t.Errorf("got the login that the restart interrupted at %s, want the provider's error page", lost.Request.URL)
	}
	r.login(underWay, "/agent", "camille").wantStatus(t, 200).wantAt(t, r.url+"/agent")
	// The provider no longer knows the session that this logout is about.
	resp, err := known.PostForm(r.url+"/logout", url.Values{})
	if err != nil {
		t.Fatal(err)
	}
	known.read(r.provider.Follow(known.Client, resp))
	known.get(r.url+"/agent", api()...).wantProblem(t, http.StatusUnauthorized, "unauthenticated")
}
