package main

import (
	"bufio"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

// protectedPaths are the routes behind a login.
func protectedPaths() []string {
	return []string{"/agent", "/mfa", "/agents-publics", "/dirigeants", "/events"}
}

func TestHomePage(t *testing.T) {
	p := startProvided(t)
	b := newBrowser(t)
	home := b.get(p.url+"/").wantStatus(t, 200)
	for _, want := range []string{
		`<form method="post" action="/login">`,
		`S’identifier avec</span> <span class="fr-connect__brand">ProConnect</span>`,
		`Qu’est-ce que ProConnect ?</a>`,
	} {
		home.wantPage(t, want)
	}
	if strings.Contains(home.body, `action="/logout"`) {
		t.Error("got a logout button for a stranger, want none")
	}

	b = p.loggedIn("marie")
	home = b.get(p.url+"/").wantStatus(t, 200)
	for _, want := range []string{"Bonjour Marie Louise Exemple", `href="/agent"`, `href="/mfa"`, `href="/agents-publics"`, `method="post" action="/logout"`} {
		home.wantPage(t, want)
	}
	if got := home.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("got Cache-Control %q, want no-store", got)
	}
}

// TestFarewell checks that the agent is told once that the logout worked.
func TestFarewell(t *testing.T) {
	p := startProvided(t)
	b := p.loggedIn("marie")
	p.logout(b).wantStatus(t, 200).wantAt(t, p.url+"/").wantPage(t, "<h1>Vous êtes déconnecté</h1>").wantPage(t, `action="/login"`)
	b.get(p.url+"/").wantStatus(t, 200).wantPage(t, "<h1>Bienvenue</h1>")
	p.logout(b) // there is no session any more: nothing to say
	b.get(p.url+"/").wantPage(t, "<h1>Bienvenue</h1>")

	p.login(b, "/agent", "marie").wantStatus(t, 200)
	b.once(http.MethodPost, p.url+"/logout").wantStatus(t, http.StatusSeeOther)
	p.login(b, "/", "marie") // comes back otherwise than by the logout's callback
	p.login(b, "/agent", "marie").wantStatus(t, 200)
	b.get(p.url+"/").wantPage(t, "<h1>Bonjour")
}

func TestPagesAreInTheReadersLanguage(t *testing.T) {
	p := startProvided(t)
	for _, test := range []struct{ accept, lang, text string }{
		{"", "fr", "Bienvenue"},
		{"fr-FR,fr;q=0.9,en;q=0.8", "fr", "Bienvenue"},
		{"en-GB,en;q=0.9,fr;q=0.8", "en", "Welcome"},
		{"de,en;q=0.5", "en", "Welcome"},
		{"de", "fr", "Bienvenue"},
	} {
		t.Run(test.accept, func(t *testing.T) {
			home := newBrowser(t).get(p.url+"/", "Accept-Language", test.accept)
			home.wantPage(t, `<html lang="`+test.lang+`">`).wantPage(t, "<h1>"+test.text)
		})
	}
}

// TestPagesNameTheService checks that pages of the library's name the service as ours do.
func TestPagesNameTheService(t *testing.T) {
	p := startProvided(t)
	for _, test := range []struct{ lang, want string }{{"fr", "Démarches des agents"}, {"en", "Agents’ services"}} {
		for _, path := range []string{"/", "/nowhere", "/logout", "/callback"} {
			newBrowser(t).get(p.url+path, "Accept-Language", test.lang).
				wantPage(t, " – "+test.want+"</title>").wantPage(t, `<a href="/">`+test.want+"</a>")
		}
	}
}

func TestPagesHaveAStrictPolicy(t *testing.T) {
	p := startProvided(t)
	b := newBrowser(t)
	p.login(b, "/mfa", "olivier").wantStatus(t, 200)
	for _, path := range []string{"/", "/agent", "/mfa", "/agents-publics", "/nowhere"} {
		page := b.get(p.url+path).wantPage(t, `<main id="main"`)
		policy := page.Header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "style-src 'self'", "base-uri 'none'", "frame-ancestors 'none'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: got the policy %q, want %s in it", path, policy, want)
			}
		}
		if strings.Contains(policy, "form-action") {
			t.Errorf("%s: got the policy %q, want no form-action: the forms end at the provider", path, policy)
		}
		if strings.Contains(page.body, "<script") || strings.Contains(page.body, "style=") {
			t.Errorf("%s: got a script or an inline style", path)
		}
		if got := page.Header.Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("%s: got X-Content-Type-Options %q, want nosniff", path, got)
		}
	}
}

func TestAssets(t *testing.T) {
	p := start(t, nil)
	b := newBrowser(t)
	for _, test := range []struct{ path, contentType string }{
		{"/style.css", "text/css; charset=utf-8"},
		{"/agentconnect.css", "text/css; charset=utf-8"},
		{"/favicon.ico", "image/svg+xml"},
	} {
		asset := b.get(p.url+test.path).wantStatus(t, 200)
		if got := asset.Header.Get("Content-Type"); got != test.contentType || asset.body == "" {
			t.Errorf("%s: got %d bytes of %q, want %q", test.path, len(asset.body), got, test.contentType)
		}
		b.get(p.url+test.path, "If-None-Match", asset.Header.Get("Etag")).wantStatus(t, http.StatusNotModified)
	}
}

func TestLoginRoute(t *testing.T) {
	p := startProvided(t)
	t.Run("HEAD starts nothing", func(t *testing.T) {
		got := newBrowser(t).once(http.MethodHead, p.url+"/login?return_to=/agent").wantStatus(t, 200)
		if cookies := got.Cookies(); len(cookies) > 0 {
			t.Errorf("got cookies %v, want none", cookies)
		}
	})
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		t.Run(method+" starts a login", func(t *testing.T) {
			got := newBrowser(t).once(method, p.url+"/login").wantStatus(t, http.StatusSeeOther)
			if location := got.Header.Get("Location"); !strings.HasPrefix(location, p.provider.Issuer+"/authorize?") {
				t.Errorf("got a redirect to %s, want the provider's authorize", location)
			}
		})
	}
	t.Run("for who is logged in already", func(t *testing.T) {
		got := p.loggedIn("marie").once(http.MethodGet, p.url+"/login").wantStatus(t, http.StatusSeeOther)
		if location := got.Header.Get("Location"); !strings.HasPrefix(location, p.provider.Issuer+"/authorize?") {
			t.Errorf("got a redirect to %s, want the provider's authorize", location)
		}
	})
	t.Run("return_to in the query", func(t *testing.T) {
		p.login(newBrowser(t), "/login?return_to="+url.QueryEscape("/agent?a=1&b=2"), "marie").wantStatus(t, 200).wantAt(t, p.url+"/agent?a=1&b=2")
	})
	t.Run("return_to in the form", func(t *testing.T) {
		b := newBrowser(t)
		page := b.post(p.url+"/login", url.Values{"return_to": {"/agent?from=form"}}).wantStatus(t, 200)
		submit(t, b, page, "marie").wantStatus(t, 200).wantAt(t, p.url+"/agent?from=form")
	})
	t.Run("return_to elsewhere is ignored", func(t *testing.T) {
		p.login(newBrowser(t), "/login?return_to="+url.QueryEscape("https://example.org/"), "marie").wantStatus(t, 200).wantAt(t, p.url+"/")
	})
	t.Run("other methods", func(t *testing.T) {
		newBrowser(t).do(http.MethodPut, p.url+"/login", "", api()...).wantProblem(t, http.StatusMethodNotAllowed, "method_not_allowed")
	})
}

func TestLogoutRoute(t *testing.T) {
	p := startProvided(t)
	b := p.loggedIn("marie")

	b.get(p.url+"/logout").wantStatus(t, 200).wantPage(t, `<form method="post" action="/logout">`)
	b.get(p.url+"/agent").wantStatus(t, 200).wantAt(t, p.url+"/agent")

	b.visited = nil
	p.logout(b).wantStatus(t, 200).wantAt(t, p.url+"/").wantPage(t, `action="/login"`)
	if len(b.visited) < 2 {
		t.Fatalf("got the redirects %v, want the provider and the way back", b.visited)
	}
	end, back := b.visited[0], b.visited[len(b.visited)-2]
	if got := end.Scheme + "://" + end.Host + end.Path; got != p.provider.Issuer+"/session/end" {
		t.Errorf("got the logout at %s, want the provider's end_session_endpoint", got)
	}
	if end.Query().Get("id_token_hint") == "" || end.Query().Get("post_logout_redirect_uri") != p.url+"/logout/callback" {
		t.Errorf("got the parameters %v, want id_token_hint and the registered post_logout_redirect_uri", slices.Sorted(maps.Keys(end.Query())))
	}
	if state := end.Query().Get("state"); len(state) < 32 || back.Query().Get("state") != state {
		t.Errorf("got state %q back at %s, want %q, of 32 characters at least", back.Query().Get("state"), back.Path, state)
	}
	b.get(p.url+"/agent", api()...).wantProblem(t, http.StatusUnauthorized, "unauthenticated")
}

func TestAgentRoute(t *testing.T) {
	p := startProvided(t, "AGENTCONNECT_SCOPES", strings.Join(agentconnecttest.SupportedScopes(), " "))
	b := newBrowser(t)
	page := p.login(b, "/agent", "marie").wantStatus(t, 200)
	for _, want := range []string{"<h1>Mes données</h1>", "Marie Louise", "marie.exemple@ministere.example.gouv.fr", "agent_public, agent_public_etat", "chorusdt:matricule", "D-101"} {
		page.wantPage(t, want)
	}

	t.Run("JSON", func(t *testing.T) {
		got := b.get(p.url+"/agent", "Accept", "application/json").wantStatus(t, 200)
		if contentType := got.Header.Get("Content-Type"); contentType != "application/json" {
			t.Errorf("got a %q, want application/json", contentType)
		}
		if vary := strings.Join(got.Header.Values("Vary"), ", "); !strings.Contains(vary, "Accept") || !strings.Contains(vary, "Cookie") {
			t.Errorf("got Vary %q, want Accept and Cookie", vary)
		}
		var claims map[string]any
		if err := json.Unmarshal([]byte(got.body), &claims); err != nil {
			t.Fatal(err)
		}
		names := slices.Sorted(maps.Keys(claims))
		want := []string{
			"auth_time", "belonging_population", "chorusdt:matricule", "chorusdt:societe", "custom", "email", "given_name", "idp_acr", "idp_id",
			"organization_label", "organizational_unit", "phone_number", "roles", "siren", "siret", "sub", "uid", "usual_name",
		}
		if !slices.Equal(names, want) {
			t.Errorf("got the claims %q, want %q", names, want)
		}
		for name, want := range map[string]string{"sub": "demo-4f1c2d9e-marie", "siret": "00000001800010", "chorusdt:matricule": "DEMO0001"} {
			if claims[name] != want {
				t.Errorf("got %s %v, want %s", name, claims[name], want)
			}
		}
	})
	t.Run("acr and amr once they were asked for", func(t *testing.T) {
		b := newBrowser(t)
		p.login(b, "/mfa", "olivier").wantStatus(t, 200)
		var claims struct{ ACR string }
		if err := json.Unmarshal([]byte(b.get(p.url+"/agent", "Accept", "application/json").body), &claims); err != nil || claims.ACR == "" {
			t.Errorf("got acr %q (%v), want one", claims.ACR, err)
		}
	})
	t.Run("POST", func(t *testing.T) {
		for name, headers := range map[string][]string{"form": {"Sec-Fetch-Site", "same-origin"}, "script": api(), "program": bare()} {
			if got := b.do(http.MethodPost, p.url+"/agent", "", headers...).wantStatus(t, http.StatusNoContent); got.body != "" {
				t.Errorf("%s: got the body %q, want none", name, got.body)
			}
		}
	})
	t.Run("POST of another site", func(t *testing.T) {
		b.do(http.MethodPost, p.url+"/agent", "", append(api(), "Sec-Fetch-Site", "cross-site")...).wantProblem(t, http.StatusForbidden, "cross_origin")
		b.do(http.MethodPost, p.url+"/agent", "", "Sec-Fetch-Site", "cross-site").wantStatus(t, http.StatusForbidden).wantPage(t, "<h1>")
		b.do(http.MethodPost, p.url+"/agent", "", append(bare(), "Origin", "https://example.org")...).wantProblem(t, http.StatusForbidden, "cross_origin")
	})
}

func TestAgentIsJSONWhenPreferred(t *testing.T) {
	p := startProvided(t)
	b := p.loggedIn("marie")
	for _, test := range []struct {
		accept string
		json   bool
	}{
		{"application/json", true},
		{"application/json, text/plain, */*", true},
		{"application/json;q=0.9, text/html;q=0.8", true},
		{"application/*", true},
		{"text/html;q=0, */*", true},
		{"APPLICATION/JSON", true},
		{"application/json;q=0.5, text/html", false},
		{"application/json;q=0, */*", false},
		{"application/json;q=x", false},
		{"text/html, application/json", false},
		{"text/html,application/xhtml+xml,*/*;q=0.8", false},
		{"*/*", false},
		{"", false},
	} {
		t.Run(test.accept, func(t *testing.T) {
			want := "text/html; charset=utf-8"
			if test.json {
				want = "application/json"
			}
			if got := b.get(p.url+"/agent", "Accept", test.accept).wantStatus(t, 200).Header.Get("Content-Type"); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestAnswersHoldNoToken(t *testing.T) {
	p := startProvided(t)
	b := p.loggedIn("marie")
	for _, path := range []string{"/", "/agent", "/agents-publics", "/events"} {
		for _, accept := range []string{"text/html", "application/json"} {
			// Every JSON Web Token begins with an encoded {".
			if body := b.get(p.url+path, "Accept", accept).wantStatus(t, 200).body; strings.Contains(body, "eyJ") {
				t.Errorf("%s as %s: got a token in the answer", path, accept)
			}
		}
	}
}

func TestMFARoute(t *testing.T) {
	p := startProvided(t)
	t.Run("a stranger logs in with it at once", func(t *testing.T) {
		p.login(newBrowser(t), "/mfa?a=1", "olivier").wantStatus(t, 200).wantAt(t, p.url+"/mfa?a=1").wantPage(t, "eidas1-mfa")
	})
	t.Run("an agent steps up and comes back", func(t *testing.T) {
		b := p.loggedIn("olivier")
		asked := b.once(http.MethodGet, p.url+"/mfa?a=1").wantStatus(t, http.StatusSeeOther)
		location, err := url.Parse(asked.Header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := location.Query().Get("claims"), `{"id_token":{"acr":{"essential":true,"values":["eidas0-mfa","eidas1-mfa","eidas2","eidas3"]}}}`; got != want {
			t.Errorf("got claims %s, want %s", got, want)
		}
		p.login(b, "/mfa?a=1", "olivier").wantStatus(t, 200).wantAt(t, p.url+"/mfa?a=1")
		b.get(p.url+"/mfa").wantStatus(t, 200).wantAt(t, p.url+"/mfa")
	})
	t.Run("an agent who cannot keeps the session", func(t *testing.T) {
		b := p.loggedIn("karim")
		p.login(b, "/mfa", "karim").wantStatus(t, http.StatusForbidden).wantPage(t, "access_denied")
		b.get(p.url+"/agent").wantStatus(t, 200).wantPage(t, "Karim")
	})
	t.Run("a script gets a problem that names what is missing", func(t *testing.T) {
		got := p.loggedIn("olivier").get(p.url+"/mfa", api()...).wantProblem(t, http.StatusForbidden, "insufficient_level")
		if want := []string{"eidas0-mfa", "eidas1-mfa", "eidas2", "eidas3"}; !slices.Equal(got.AcceptedACR, want) {
			t.Errorf("got accepted_acr %q, want %q", got.AcceptedACR, want)
		}
	})
}

func TestAgentsPublicsRoute(t *testing.T) {
	p := startProvided(t)
	p.login(newBrowser(t), "/agents-publics", "marie").wantStatus(t, 200).wantAt(t, p.url+"/agents-publics").wantPage(t, "agent_public, agent_public_etat")

	b := newBrowser(t)
	p.login(b, "/agents-publics", "karim").wantStatus(t, http.StatusForbidden).wantAt(t, p.url+"/agents-publics").wantPage(t, "celui d’un agent public")
	got := b.get(p.url+"/agents-publics", api()...).wantProblem(t, http.StatusForbidden, "forbidden")
	if reasons := strings.Join(got.Reasons, " "); !strings.Contains(reasons, "a public agent") {
		t.Errorf("got reasons %q, want the role that is missing", reasons)
	}
	b.get(p.url+"/agent").wantStatus(t, 200).wantPage(t, "Karim")
}

func TestEventsAreFlushedOneByOne(t *testing.T) {
	p := startProvided(t)
	b := p.loggedIn("marie")
	// Events that come together at the end are never apart; ones that do not can be read together
	// by a machine that is busy, once.
	var apart time.Duration
	for range 5 {
		apart = max(apart, receiveEvents(t, b, p.url+"/events"))
	}
	if apart < 150*time.Millisecond {
		t.Errorf("got the last event %v after the first, want about 200ms", apart)
	}
}

// receiveEvents returns the time from the first event to the last.
func receiveEvents(t *testing.T, b *browser, target string) time.Duration {
	t.Helper()
	resp, err := b.Get(target)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("got a %q, want text/event-stream", got)
	}
	var at []time.Time
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "data: ") {
			at = append(at, time.Now())
		}
	}
	if err := lines.Err(); err != nil || len(at) != 3 {
		t.Fatalf("got %d events and the error %v, want 3 and none", len(at), err)
	}
	return at[2].Sub(at[0])
}

func TestProbes(t *testing.T) {
	p := startProvided(t)
	b := newBrowser(t)
	for _, path := range []string{"/healthz", "/readyz"} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			b.do(method, p.url+path, "", bare()...).wantStatus(t, 200)
		}
	}
}

func TestProviderDownAtStart(t *testing.T) {
	p := startProvided(t)
	p.stop()
	p.provider.Stop()
	p.program = start(t, settings(p.provider.Issuer).with("ADDR", "127.0.0.1"+strings.TrimPrefix(p.url, "http://localhost")))
	b := newBrowser(t)
	b.get(p.url+"/healthz").wantStatus(t, 200)
	b.get(p.url+"/").wantStatus(t, 200).wantPage(t, "ProConnect")
	notReady := b.get(p.url+"/readyz").wantStatus(t, http.StatusServiceUnavailable)
	if notReady.body != "provider_unavailable\n" || notReady.Header.Get("Retry-After") == "" {
		t.Errorf("got %q and Retry-After %q, want the code alone and a time", notReady.body, notReady.Header.Get("Retry-After"))
	}
	if !strings.Contains(p.stderr.String(), "connection refused") {
		t.Error("got no reason in the log")
	}
	b.get(p.url+"/login").wantStatus(t, http.StatusServiceUnavailable).wantPage(t, "<h1>")
	b.get(p.url+"/agent", api()...).wantProblem(t, http.StatusUnauthorized, "unauthenticated")

	p.provider.Restart()
	eventually(t, "/readyz answers 200", func() bool { return b.get(p.url+"/readyz").StatusCode == 200 })
	p.login(b, "/agent", "marie").wantStatus(t, 200).wantAt(t, p.url+"/agent")
}

func TestStrangersAtProtectedRoutes(t *testing.T) {
	p := startProvided(t)
	for _, path := range protectedPaths() {
		t.Run(path, func(t *testing.T) {
			for _, navigation := range []struct {
				name, method string
				headers      []string
			}{
				{"GET", http.MethodGet, nil},
				{"GET, old browser", http.MethodGet, oldBrowser()},
				{"HEAD", http.MethodHead, nil},
				{"HEAD, old browser", http.MethodHead, oldBrowser()},
			} {
				got := newBrowser(t).once(navigation.method, p.url+path+"?q=1", navigation.headers...)
				if got.StatusCode != http.StatusFound && got.StatusCode != http.StatusSeeOther {
					t.Errorf("%s: got status %d, want a redirect", navigation.name, got.StatusCode)
				}
				if got.body != "" {
					t.Errorf("%s: got the body %q, want none", navigation.name, got.body)
				}
			}
			for _, other := range []struct {
				name, method string
				headers      []string
			}{
				{"script", http.MethodGet, api()},
				{"program", http.MethodGet, bare()},
				{"image", http.MethodGet, []string{"Sec-Fetch-Mode", "no-cors"}},
				{"script that accepts HTML", http.MethodGet, []string{"Sec-Fetch-Mode", "cors"}},
				{"POST of a script", http.MethodPost, api()},
				{"POST of a program", http.MethodPost, bare()},
				{"DELETE", http.MethodDelete, bare()},
			} {
				got := newBrowser(t).once(other.method, p.url+path, other.headers...)
				got.wantProblem(t, http.StatusUnauthorized, "unauthenticated")
				if cookies := got.Cookies(); len(cookies) > 0 {
					t.Errorf("%s: got cookies, want no login started", other.name)
				}
			}
		})
	}
	t.Run("the login comes back to the same URL", func(t *testing.T) {
		for _, path := range []string{"/agent?q=%C3%A9t%C3%A9&r=a%26b", "/agents-publics?x=1", "/mfa?y"} {
			p.login(newBrowser(t), path, "marie", agentconnecttest.WithACR("eidas2")).wantStatus(t, 200).wantAt(t, p.url+path)
		}
	})
}

func TestUnknownRoutes(t *testing.T) {
	p := startProvided(t)
	b := p.loggedIn("marie")
	b.get(p.url+"/nowhere").wantStatus(t, http.StatusNotFound).wantPage(t, "Page introuvable").wantPage(t, `href="mailto:assistance@demarches.example.gouv.fr"`)
	b.get(p.url+"/nowhere", api()...).wantStatus(t, http.StatusNotFound)
	b.do(http.MethodDelete, p.url+"/agent", "", api()...).wantStatus(t, http.StatusMethodNotAllowed)
	if got := b.do(http.MethodPost, p.url+"/healthz", "").wantStatus(t, http.StatusMethodNotAllowed).Header.Get("Allow"); got != "GET, HEAD" {
		t.Errorf("got Allow %q, want GET and HEAD", got)
	}
}

// TestHead checks that HEAD is answered like GET, without the body.
func TestHead(t *testing.T) {
	p := startProvided(t)
	b := newBrowser(t)
	p.login(b, "/mfa", "olivier").wantStatus(t, 200)
	for _, path := range append(protectedPaths(), "/", "/public", "/healthz", "/readyz", "/style.css", "/favicon.ico", "/nowhere") {
		for name, headers := range map[string][]string{"navigation": nil, "script": api()} {
			get, head := b.once(http.MethodGet, p.url+path, headers...), b.once(http.MethodHead, p.url+path, headers...)
			redirected := get.StatusCode == http.StatusSeeOther && head.StatusCode == http.StatusSeeOther // a step-up, which HEAD does not start
			if head.StatusCode != get.StatusCode || !redirected && head.Header.Get("Content-Type") != get.Header.Get("Content-Type") {
				t.Errorf("%s, %s: got status %d and %q, want those of GET, %d and %q", path, name,
					head.StatusCode, head.Header.Get("Content-Type"), get.StatusCode, get.Header.Get("Content-Type"))
			}
			if head.body != "" {
				t.Errorf("%s, %s: got the body %q, want none", path, name, head.body)
			}
		}
	}
}
