package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/example/internal/chromium"
)

// TestBrowserReflow looks at the pages of the library, and at its buttons, on the
// smallest screen, with the largest text, in the colours of the person and without
// images (RGAA 10.4, 10.11, 1.1): nothing is cut off, nothing needs scrolling in two
// directions, everything can be read.
func TestBrowserReflow(t *testing.T) {
	browser := chromium.Start(t)
	site := httptest.NewServer(everyPage(t))
	t.Cleanup(site.Close)
	for _, code := range everyCode() {
		t.Run(string(code), func(t *testing.T) {
			v := newVisit(t, browser, site.URL)
			for _, lang := range []string{"fr", "en"} {
				v.SetLanguage(lang)
				for _, size := range []struct {
					width int64
					text  string
				}{{320, "100%"}, {320, "200%"}, {640, "200%"}, {1280, "200%"}} {
					v.SetWidth(size.width)
					v.Open(site.URL + "/" + string(code))
					how := fmt.Sprintf("%s, %d pixels, text at %s", lang, size.width, size.text)
					chromium.Eval[bool](v.Tab, `(document.documentElement.style.fontSize = "`+size.text+`",
						document.querySelectorAll("details").forEach(d => d.open = true), true)`)
					v.wantReflow(how)
				}
			}
			v.SetWidth(320)
			for _, scheme := range []string{"light", "dark"} {
				v.SetForcedColors(scheme)
				v.Open(site.URL + "/" + string(code))
				v.wantOutlines("forced colours, " + scheme)
			}
		})
	}
}

// everyCode is the codes whose pages are looked at, one of each form and the longest, "logout" and "buttons".
func everyCode() []agentconnect.Code {
	return []agentconnect.Code{
		agentconnect.CodeUnauthenticated, agentconnect.CodeInsufficientLevel, "certification", agentconnect.CodeForbidden,
		"identity_refused", "provider_session_lost", agentconnect.CodeSessionStore, "logout", "buttons",
	}
}

// everyPage serves the pages of the codes, with all that can stand on them, at its
// longest.
func everyPage(t *testing.T) http.Handler {
	t.Helper()
	auth, err := agentconnect.New(
		agentconnect.WithIssuer("http://127.0.0.1/api/v2"),
		agentconnect.WithClient("0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9", secret),
		agentconnect.WithRedirectURL("http://localhost/callback"),
		agentconnect.WithPostLogoutRedirectURL("http://localhost/logout/callback"),
		agentconnect.WithServiceName("Démarches interministérielles-simplifiées"),
		agentconnect.WithSupportContact("assistance-utilisateurs.demarches@direction-numerique.ministere.gouv.fr"),
	)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /logout", auth.Logout)
	mux.HandleFunc("GET /agentconnect.css", agentconnect.ButtonStyle)
	mux.HandleFunc("GET /buttons", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, `<!DOCTYPE html><html lang="fr"><meta name="viewport" content="width=device-width"><title>Des boutons</title><link rel="icon" href="data:,"><link rel="stylesheet" href="/agentconnect.css"><main><h1>Des boutons</h1>%s%s%s</main>`,
			auth.Button(agentconnect.ButtonOptions{}), auth.Button(agentconnect.ButtonOptions{Image: "/missing.svg"}), auth.Button(agentconnect.ButtonOptions{Image: "/missing.svg", Link: true, Lang: "en"}))
	})
	mux.HandleFunc("GET /missing.svg", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/svg+xml") // and nothing that can be shown
	})
	mux.HandleFunc("GET /{code}", func(w http.ResponseWriter, r *http.Request) {
		e := &agentconnect.Error{
			Code: agentconnect.Code(r.PathValue("code")), ID: "0123456789abcdef",
			ProviderError: "access_denied", ProviderDescription: strings.Repeat("description", 30),
			AuthorizeURL: "https://auth.agentconnect.gouv.fr/api/v2/authorize?" + strings.Repeat("scope=openid+given_name&", 30),
			Reasons:      []agentconnect.Reason{{French: "une connexion de niveau eIDAS 1 avec plusieurs facteurs ou " + strings.Repeat("anticonstitutionnellement", 3), English: "a login"}},
		}
		if e.Code == "certification" {
			e.Code, e.AcceptedACR = agentconnect.CodeInsufficientLevel, []string{agentconnect.ACRCertificationDirigeant}
		}
		if e.Code == agentconnect.CodeUnauthenticated { // its page is for forms
			r = r.Clone(r.Context())
			r.Method = http.MethodPost
		}
		auth.ServeError(w, r, e)
	})
	return mux
}

// wantReflow checks that nothing is wider than the window or cut off in its box.
func (v *visit) wantReflow(how string) {
	v.t.Helper()
	if chromium.Eval[bool](v.Tab, "document.documentElement.scrollWidth > innerWidth") {
		v.t.Errorf("%s: got a page wider than the window", how)
	}
	cut := chromium.Eval[[]string](v.Tab, `[...document.body.querySelectorAll("*")].filter(e => {
		const box = e.getBoundingClientRect();
		return box.width > 0 && (box.left < -1 || box.right > innerWidth + 1 || e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== "inline");
	}).map(e => e.outerHTML.slice(0, 80))`)
	for _, element := range cut {
		v.t.Errorf("%s: got an element that is cut off or sticks out: %s", how, element)
	}
}

// wantOutlines checks that what can be pressed is seen without its background, and
// that each image that is missing has its text.
func (v *visit) wantOutlines(how string) {
	v.t.Helper()
	bare := chromium.Eval[[]string](v.Tab, `[...document.querySelectorAll("main button, main .button, main .fr-connect")].filter(e => {
		const style = getComputedStyle(e);
		return !e.querySelector("img") && (style.borderTopStyle === "none" || parseFloat(style.borderTopWidth) < 1);
	}).map(e => e.outerHTML.slice(0, 80))`)
	for _, element := range bare {
		v.t.Errorf("%s: got a button without an outline: %s", how, element)
	}
	for _, alt := range chromium.Eval[[]string](v.Tab, `[...document.images].map(i => i.alt)`) {
		if !strings.HasSuffix(alt, " ProConnect") {
			v.t.Errorf("%s: got an image with the text %q, want that of the button", how, alt)
		}
	}
}

// TestBrowserOtherAccount presses what a page offers to an agent whom the provider
// would log in again without a question.
func TestBrowserOtherAccount(t *testing.T) {
	browser := chromium.Start(t)
	program := start(t, nil)
	v := newVisit(t, browser, program.url)
	v.wantProvider(v.open("/agents-publics"))
	v.wantPage(pick(v.Tab, "karim", ""), 403, "/agents-publics", "Accès non autorisé")
	v.wantProvider(v.Click("main form:has(input[name=login]) button"))
	v.wantPage(pick(v.Tab, "marie", ""), 200, "/agents-publics", "vous est ouverte")
	v.wantPage(v.open("/agent"), 200, "/agent", "Marie Louise")
}
