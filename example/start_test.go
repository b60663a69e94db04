package main

import (
	"html"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// submit picks an agent on the login page of a demonstration provider.
func submit(t *testing.T, b *browser, page answer, agent string) answer {
	t.Helper()
	action := regexp.MustCompile(`<form method="post" action="([^"]+)"`).FindStringSubmatch(page.body)
	if action == nil || !strings.Contains(page.body, `value="`+agent+`"`) {
		t.Fatalf("got no login page with %s at %s: %s", agent, page.Request.URL, page.body)
	}
	target, err := page.Request.URL.Parse(html.UnescapeString(action[1]))
	if err != nil {
		t.Fatal(err)
	}
	return b.post(target.String(), url.Values{"agent": {agent}})
}

// TestDemonstration is what a newcomer does: start the program with nothing, log
// in, see one's data, step up, log out.
func TestDemonstration(t *testing.T) {
	p := start(t, nil)
	if got := p.stdout.String(); !strings.Contains(got, "demonstration") {
		t.Errorf("got the output %q, want it to say that this is a demonstration", got)
	}
	b := newBrowser(t)
	b.get(p.url+"/readyz").wantStatus(t, 200)
	b.get(p.url+"/").wantStatus(t, 200).wantPage(t, `method="post" action="/login"`)
	submit(t, b, b.post(p.url+"/login", nil), "olivier").wantStatus(t, 200).wantAt(t, p.url+"/").wantPage(t, "Bonjour Olivier Témoin")
	b.get(p.url+"/agent").wantStatus(t, 200).wantPage(t, "olivier.temoin@ministere.example.gouv.fr")
	submit(t, b, b.get(p.url+"/mfa"), "olivier").wantStatus(t, 200).wantAt(t, p.url+"/mfa").wantPage(t, "eidas1-mfa")
	b.get(p.url+"/agents-publics").wantStatus(t, 200).wantPage(t, "agent_public")
	p.logout(b).wantStatus(t, 200).wantAt(t, p.url+"/").wantPage(t, `action="/login"`)
	b.get(p.url+"/agent", api()...).wantProblem(t, 401, "unauthenticated")
	if got := p.stop(); got != 0 {
		t.Errorf("got exit status %d, want 0", got)
	}
}

// TestDemonstrationFollowsTheEnvironment checks that the embedded provider has
// registered what the environment says of the registration.
func TestDemonstrationFollowsTheEnvironment(t *testing.T) {
	for _, env := range []environment{
		{"AGENTCONNECT_ID_TOKEN_ALG": "RS256"},
		{"AGENTCONNECT_ID_TOKEN_ALG": "ES256"},
		{"AGENTCONNECT_ID_TOKEN_ALG": "HS256"},
		{"AGENTCONNECT_ID_TOKEN_ALG": "ES256", "AGENTCONNECT_USERINFO_ALG": "none"},
		{"AGENTCONNECT_USERINFO_ALG": "HS256", "AGENTCONNECT_CLIENT_ID": "mine", "AGENTCONNECT_CLIENT_SECRET": secret},
		{"AGENTCONNECT_SCOPES": "openid email roles"},
		{"PROCONNECT_ID_TOKEN_ALG": "ES256", "PROCONNECT_USERINFO_ALG": "none", "PROCONNECT_CLIENT_ID": "mine", "PROCONNECT_CLIENT_SECRET": secret},
	} {
		p := start(t, env)
		b := newBrowser(t)
		submit(t, b, b.get(p.url+"/agent"), "marie").wantStatus(t, 200).wantAt(t, p.url+"/agent")
		if _, asked := env["AGENTCONNECT_SCOPES"]; asked {
			if got := b.get(p.url + "/agent").body; strings.Contains(got, "given_name") || !strings.Contains(got, "marie.exemple@") {
				t.Errorf("%v: got the page %s, want the claims that were asked for", env, got)
			}
		}
		p.stop()
	}
}

// TestDemonstrationKeepsItsCookiesApart checks that the provider's host is not the
// application's: a browser would send each the other's cookies.
func TestDemonstrationKeepsItsCookiesApart(t *testing.T) {
	p := start(t, nil)
	b := newBrowser(t)
	page := b.get(p.url + "/login")
	application, err := url.Parse(p.url)
	if err != nil {
		t.Fatal(err)
	}
	if got := page.Request.URL.Hostname(); got == application.Hostname() {
		t.Errorf("got the provider at %s and the application at %s, want different hosts", got, application.Hostname())
	}
}
