package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/example/internal/chromium"
	"github.com/agentconnect-go/agentconnect/example/internal/ci"
)

// screenshots names a directory for pictures of every page, for who wants to look
// at them.
const screenshots = "BROWSER_SCREENSHOTS"

// TestBrowserAccessibility has axe-core look at every page that a person can see,
// of the program, of the library and of the demonstration provider.
func TestBrowserAccessibility(t *testing.T) {
	axe := readAxe(t)
	browser := chromium.Start(t)
	program := start(t, nil)
	for _, test := range []struct {
		name   string
		open   func(*visit) chromium.Page
		status int
		text   string
	}{
		{"home", func(v *visit) chromium.Page { return v.open("/") }, 200, "Bienvenue"},
		{"home-logged-in", opened("zoe", "/"), 200, "Bonjour Zoé"},
		{"agent", opened("marie", "/agent"), 200, "Mes données"},
		{"mfa", opened("olivier", "/mfa"), 200, "assez sûre"},
		{"agents-publics", opened("marie", "/agents-publics"), 200, "vous est ouverte"},
		{"dirigeants", opened("nadia", "/dirigeants"), 200, "certifié"},
		{"public", func(v *visit) chromium.Page { return v.open("/public") }, 200, "Bienvenue"},
		{"not-found", func(v *visit) chromium.Page { return v.open("/inconnue") }, 404, "Page introuvable"},
		{"logout", opened("marie", "/logout"), 200, "Voulez-vous"},
		{"forbidden", opened("karim", "/agents-publics"), 403, "Accès non autorisé"},
		{"not-certified", opened("karim", "/dirigeants"), 403, "certifier une personne"},
		{"logged-out", func(v *visit) chromium.Page {
			v.login("/agent", "marie")
			return v.Click("form[action='/logout'] button")
		}, 200, "Vous êtes déconnecté"},
		{"insufficient-level", opened("karim", "/mfa"), 403, "Connexion plus sûre nécessaire"},
		{"malformed-callback", func(v *visit) chromium.Page { return v.open("/callback") }, 400, "Requête incorrecte"},
		{"unknown-state", func(v *visit) chromium.Page {
			return v.open("/callback?code=c&state=" + strings.Repeat("s", 43))
		}, 400, "Connexion expirée"},
		{"given-up", func(v *visit) chromium.Page {
			v.open("/login?return_to=/agent?dossier=42")
			return v.Click("button[name=refuse]")
		}, 403, "Connexion perdue en chemin"},
		{"error-in-english", func(v *visit) chromium.Page {
			v.SetLanguage("en")
			v.open("/login")
			return v.Click("button[name=refuse]")
		}, 403, "Login lost on the way"},
		{"session-store-down", storeDown, 503, "momentanément indisponible"},
		{"provider-down", providerDown, 503, "ne répond pas"},
		{"other-site", otherSite, 403, "autre site"},
		{"form-of-a-stranger", strangersForm, 401, "Connexion nécessaire"},
		{"button", buttons, 200, "Sign in with"},
		{"provider-login", func(v *visit) chromium.Page { return v.open("/login") }, 200, "Choisissez un agent"},
		{"provider-login-level", func(v *visit) chromium.Page { return v.open("/mfa") }, 200, "exige"},
		{"provider-error", providersPage("/authorize"), 400, "Y000400"},
		{"provider-logged-out", providersPage("/session/end"), 200, "Vous êtes déconnecté"},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := newVisit(t, browser, program.url)
			got := test.open(v)
			if got.Status != test.status {
				t.Fatalf("got the page %+v, want status %d", got, test.status)
			}
			v.wantTexts(v.Tab, test.text)
			chromium.Eval[string](v.Tab, axe+"; axe.version")
			for _, width := range []int64{1280, 390} {
				v.SetWidth(width)
				for _, scheme := range []string{"light", "dark"} {
					v.SetColorScheme(scheme)
					rules := `["color-contrast", "link-in-text-block"]` // what colours change
					if scheme == "light" {
						rules = `["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]`
					}
					v.wantAccessible(fmt.Sprintf("%s at %d pixels", scheme, width), rules)
					v.photograph(fmt.Sprintf("%s-%d-%s.png", test.name, width, scheme))
				}
			}
		})
	}
}

// readAxe returns the script of the npm package axe-core.
func readAxe(t *testing.T) string {
	t.Helper()
	script, err := os.ReadFile(filepath.Join("internal", "axe", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		ci.Missing(t, "the npm package axe-core is not installed: run `npm ci --prefix example/internal/axe`")
	}
	return string(script)
}

// wantAccessible checks the page against rules of axe-core, and that it is not
// wider than the window.
func (v *visit) wantAccessible(how, rules string) {
	v.t.Helper()
	type finding struct {
		ID    string
		Help  string
		Nodes []struct{ HTML, FailureSummary string }
	}
	result := chromium.Eval[struct {
		Violations, Incomplete []finding
		Passes                 int
	}](v.Tab, `axe.run({runOnly: `+rules+`, resultTypes: ["violations", "incomplete"]})
		.then(r => ({violations: r.violations, incomplete: r.incomplete, passes: r.passes.length}))`)
	for _, f := range append(result.Violations, result.Incomplete...) {
		for _, node := range f.Nodes {
			v.t.Errorf("%s: %s: %s: %s\n%s", how, f.ID, f.Help, node.HTML, node.FailureSummary)
		}
	}
	if result.Passes == 0 {
		v.t.Errorf("%s: got no rule that the page passes, want it to be looked at", how)
	}
	if chromium.Eval[bool](v.Tab, "document.documentElement.scrollWidth > innerWidth") {
		v.t.Errorf("%s: got a page wider than the window", how)
	}
}

// photograph keeps a picture of the page if somebody wants it.
func (v *visit) photograph(name string) {
	v.t.Helper()
	dir := os.Getenv(screenshots)
	if dir == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(dir, name), v.Screenshot(), 0o600); err != nil {
		v.t.Fatal(err)
	}
}

// opened opens a page that needs a login, and logs the agent in as often as the
// provider asks.
func opened(agent, path string) func(*visit) chromium.Page {
	return func(v *visit) chromium.Page {
		v.open("/login")
		pick(v.Tab, agent, "")
		page := v.open(path)
		if v.Contains("#acr") {
			page = pick(v.Tab, agent, "")
		}
		return page
	}
}

// storeDown shows the page of who has a session when the session store is down.
func storeDown(v *visit) chromium.Page {
	p := start(v.t, environment{"SESSION_STORE": "redis://" + freeAddress(v.t) + "/0"})
	v.open("/login")
	pick(v.Tab, "marie", "")
	// Browsers do not tell ports apart: the cookie goes to that program too.
	return v.Open(p.url + "/agent")
}

// providerDown shows the page of who wants to log in when the provider is down.
func providerDown(v *visit) chromium.Page {
	p := start(v.t, settings("http://"+freeAddress(v.t)+"/api/v2"))
	return v.Open(p.url + "/agent")
}

// otherSite shows the page of who follows a form of another site.
func otherSite(v *visit) chromium.Page {
	return v.submitFrom("http://127.0.0.1", "/logout")
}

// strangersForm shows the page of who sends a form after the session ended.
func strangersForm(v *visit) chromium.Page {
	return v.submitFrom("http://localhost", "/agent")
}

// submitFrom sends a form of a page at a host to the program.
func (v *visit) submitFrom(host, action string) chromium.Page {
	v.t.Helper()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, `<!DOCTYPE html><html lang="fr"><title>Une page</title><link rel="icon" href="data:,"><form method="post" action="%s%s"><button>Envoyer</button></form>`, v.url, action)
	}))
	defer site.Close()
	v.Open(host + site.URL[strings.LastIndex(site.URL, ":"):])
	return v.Click("button")
}

// buttons shows the library's login button with its own style sheet, in each of its
// forms.
func buttons(v *visit) chromium.Page {
	auth, err := agentconnect.New(
		agentconnect.WithIssuer("http://127.0.0.1/api/v2"),
		agentconnect.WithClient("fs", secret),
		agentconnect.WithRedirectURL("http://localhost/callback"),
		agentconnect.WithPostLogoutRedirectURL("http://localhost/logout/callback"),
	)
	if err != nil {
		v.t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /agentconnect.css", agentconnect.ButtonStyle)
	mux.HandleFunc("GET /page.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		io.WriteString(w, `:root { background: light-dark(#fff, #161616); color: light-dark(#161616, #fff); } .fr-connect-group { margin: 2rem 0; }`)
	})
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src data:")
		io.WriteString(w, `<!DOCTYPE html><html lang="fr"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">`+
			`<title>Des boutons</title><link rel="icon" href="data:,"><link rel="stylesheet" href="/page.css"><link rel="stylesheet" href="/agentconnect.css"><main><h1>Des boutons</h1>`)
		for _, o := range []agentconnect.ButtonOptions{
			{ReturnTo: "/dossiers"},
			{Link: true},
			{Lang: "en"},
		} {
			io.WriteString(w, string(auth.Button(o)))
		}
		io.WriteString(w, "</main>")
	})
	site := httptest.NewServer(mux)
	v.t.Cleanup(site.Close)
	return v.Open(site.URL)
}

// providersPage shows a page of the provider's that the program does not lead to.
func providersPage(path string) func(*visit) chromium.Page {
	return func(v *visit) chromium.Page {
		v.open("/login")
		login := v.URL()
		return v.Open(login[:strings.Index(login, "/api/v2")] + "/api/v2" + path)
	}
}
