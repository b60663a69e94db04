package agentconnect_test

import (
	"fmt"
	"html/template"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/agentconnect-go/agentconnect"
)

// parseButton reads the markup of a button.
func parseButton(t *testing.T, markup template.HTML) *node {
	t.Helper()
	return parseHTML(t, "<!DOCTYPE html>\n"+string(markup))
}

// spoken returns a text as a screen reader has it.
func spoken(n *node) string { return strings.Join(strings.Fields(n.text), " ") }

// The markup is the design system's: class names, wording, and the link that
// says in its title that it opens a new window (RGAA 6.1, 13.2).
func TestButton(t *testing.T) {
	t.Parallel()
	auth := pagesAuth(t)
	const evil = `"><script>alert(1)</script>`
	for _, tt := range []struct {
		name        string
		opts        agentconnect.ButtonOptions
		lang, label string
		returnTo    string
	}{
		{"nothing said", agentconnect.ButtonOptions{}, "fr", "S’identifier avec ProConnect", ""},
		{"French", agentconnect.ButtonOptions{Lang: "fr-FR"}, "fr", "S’identifier avec ProConnect", ""},
		{"English", agentconnect.ButtonOptions{Lang: "en"}, "en", "Sign in with ProConnect", ""},
		{"English of Britain", agentconnect.ButtonOptions{Lang: "EN-gb"}, "en", "Sign in with ProConnect", ""},
		{"another language", agentconnect.ButtonOptions{Lang: "de"}, "fr", "S’identifier avec ProConnect", ""},
		{"a language with markup", agentconnect.ButtonOptions{Lang: evil}, "fr", "S’identifier avec ProConnect", ""},
		{"return_to", agentconnect.ButtonOptions{ReturnTo: "/dossiers/7?tri=date&n=2#haut"}, "fr", "S’identifier avec ProConnect", "/dossiers/7?tri=date&n=2#haut"},
		{"return_to with markup", agentconnect.ButtonOptions{ReturnTo: "/x?" + evil}, "fr", "S’identifier avec ProConnect", "/x?%22%3E%3Cscript%3Ealert(1)%3C/script%3E"},
		{"return_to the home page", agentconnect.ButtonOptions{ReturnTo: "/"}, "fr", "S’identifier avec ProConnect", ""},
		{"return_to another site", agentconnect.ButtonOptions{ReturnTo: "https://evil.example/"}, "fr", "S’identifier avec ProConnect", ""},
		{"return_to another site, without a scheme", agentconnect.ButtonOptions{ReturnTo: `/\evil.example`}, "fr", "S’identifier avec ProConnect", ""},
		{"return_to a script", agentconnect.ButtonOptions{ReturnTo: "javascript:alert(1)"}, "fr", "S’identifier avec ProConnect", ""},
		{"return_to the logout", agentconnect.ButtonOptions{ReturnTo: "/logout"}, "fr", "S’identifier avec ProConnect", ""},
	} {
		for _, link := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, link %t", tt.name, link), func(t *testing.T) {
				tt.opts.Link = link
				doc := parseButton(t, auth.Button(tt.opts))
				group := doc.one(t, "div")
				if len(group.children) != 2 || group.attrs["class"] != "fr-connect-group" || group.attrs["lang"] != tt.lang {
					t.Errorf("got %v with %d elements, want a fr-connect-group in %s with the button and the paragraph", group.attrs, len(group.children), tt.lang)
				}
				links := group.all("a")
				about := links[len(links)-1]

				var control *node
				if link {
					control = links[0]
					wantHref := "/login"
					if tt.returnTo != "" {
						wantHref += "?return_to=" + url.QueryEscape(tt.returnTo)
					}
					if len(links) != 2 || len(doc.all("form")) != 0 || control.attrs["href"] != wantHref {
						t.Errorf("got href %q, want %q, and no form", control.attrs["href"], wantHref)
					}
				} else {
					form := doc.one(t, "form")
					control = form.one(t, "button")
					if len(links) != 1 || form.attrs["method"] != "post" || form.attrs["action"] != "/login" || control.attrs["type"] != "submit" {
						t.Errorf("got form %v, button %v, want one that posts to /login", form.attrs, control.attrs)
					}
					returnTo := ""
					for _, input := range form.all("input") {
						if input.attrs["type"] != "hidden" || input.attrs["name"] != "return_to" || returnTo != "" {
							t.Errorf("got input %v, want return_to alone", input.attrs)
						}
						returnTo = input.attrs["value"]
					}
					if returnTo != tt.returnTo {
						t.Errorf("got return_to %q, want %q", returnTo, tt.returnTo)
					}
				}
				spans := control.all("span")
				if control.attrs["class"] != "fr-connect fr-connect--pro" || len(spans) != 2 || spans[0].attrs["class"] != "fr-connect__login" || spans[1].attrs["class"] != "fr-connect__brand" {
					t.Errorf("got classes %q of %d spans, want the design system's", control.attrs["class"], len(spans))
				}
				if got := spoken(control); got != tt.label {
					t.Errorf("got the button %q, want %q", got, tt.label)
				}

				wantAbout, wantTitle := "Qu’est-ce que ProConnect ?", "Qu’est-ce que ProConnect ? - nouvelle fenêtre"
				if tt.lang == "en" {
					wantAbout, wantTitle = "What is ProConnect?", "What is ProConnect? - new window"
				}
				if a := about.attrs; spoken(about) != wantAbout || a["title"] != wantTitle || a["href"] != "https://www.proconnect.gouv.fr/" || a["target"] != "_blank" || a["rel"] != "noopener" {
					t.Errorf("got the link %q with %v, want %q", spoken(about), a, wantAbout)
				}
				// The design system styles the paragraph that follows the button.
				if group.children[0] != control || group.children[1].name != "p" || group.children[1].one(t, "a") != about {
					t.Error("the group is not the button, then the paragraph with the link")
				}
			})
		}
	}
}

// The official picture: with its size and its text, in a form or a link.
func TestButtonOfficialPicture(t *testing.T) {
	t.Parallel()
	auth := pagesAuth(t)
	for _, tt := range []struct{ image, want string }{
		{"/static/proconnect.svg", "/static/proconnect.svg"},
		{"https://static.example.gouv.fr/pc.svg?v=1&w=2", "https://static.example.gouv.fr/pc.svg?v=1&w=2"},
		{`/x"><script>alert(1)</script>`, "/x%22%3e%3cscript%3ealert%281%29%3c/script%3e"},
		{"javascript:alert(1)", "#ZgotmplZ"},
	} {
		for _, link := range []bool{false, true} {
			for lang, label := range map[string]string{"fr": "S’identifier avec ProConnect", "en": "Sign in with ProConnect"} {
				doc := parseButton(t, auth.Button(agentconnect.ButtonOptions{Image: tt.image, Link: link, Lang: lang, ReturnTo: "/dossiers"}))
				control := doc.all(map[bool]string{false: "button", true: "a"}[link])[0]
				img := control.one(t, "img")
				if a := img.attrs; a["src"] != tt.want || a["alt"] != label || a["width"] != "214" || a["height"] != "56" {
					t.Errorf("%s, link %t: got the image %v, want %s, 214 by 56, %q", tt.image, link, img.attrs, tt.want, label)
				}
				if control.attrs["class"] != "proconnect-button" || spoken(control) != "" || len(doc.all("span")) != 0 {
					t.Errorf("link %t: got the button %v with %q, want the picture alone", link, control.attrs, control.text)
				}
				if got := spoken(doc.one(t, "p")); !strings.Contains(got, "ProConnect") {
					t.Errorf("got the paragraph %q, want the link to what ProConnect is", got)
				}
			}
		}
	}
}

// The button carries the fields of the application.
func TestButtonHiddenFields(t *testing.T) {
	t.Parallel()
	auth := pagesAuth(t)
	hidden := map[string]string{"csrf_token": `"><b>&`, "a": "1"}
	form := parseButton(t, auth.Button(agentconnect.ButtonOptions{ReturnTo: "/dossiers", Hidden: hidden})).one(t, "form")
	got := map[string]string{}
	for _, input := range form.all("input") {
		if input.attrs["type"] != "hidden" {
			t.Errorf("got the input %v, want it hidden", input.attrs)
		}
		got[input.attrs["name"]] = input.attrs["value"]
	}
	if want := map[string]string{"return_to": "/dossiers", "csrf_token": `"><b>&`, "a": "1"}; !maps.Equal(got, want) {
		t.Errorf("got the fields %v, want %v", got, want)
	}
	if link := parseButton(t, auth.Button(agentconnect.ButtonOptions{Link: true, Hidden: hidden})); len(link.all("input")) != 0 || strings.Contains(link.all("a")[0].attrs["href"], "csrf") {
		t.Errorf("a link: got %v, want none of the fields", link.all("a")[0].attrs)
	}
}

func TestTemplateFuncs(t *testing.T) {
	t.Parallel()
	auth := pagesAuth(t)
	for source, want := range map[string]agentconnect.ButtonOptions{
		`{{agentconnectButton ""}}`:                   {},
		`{{agentconnectButton .Path}}`:                {ReturnTo: "/dossiers?a=b&c=<i>"},
		`{{agentconnectButton "/dossiers" .Lang}}`:    {ReturnTo: "/dossiers", Lang: "en"},
		`{{agentconnectButton .Path "fr"}}`:           {ReturnTo: "/dossiers?a=b&c=<i>", Lang: "fr"},
		`{{"/dossiers" | agentconnectButton}}`:        {ReturnTo: "/dossiers"},
		`{{with .Nothing}}{{else}}{{.Button}}{{end}}`: {Link: true},
	} {
		page := template.Must(template.New("page").Funcs(auth.TemplateFuncs()).Parse("<main>" + source + "</main>"))
		var b strings.Builder
		if err := page.Execute(&b, map[string]any{"Path": "/dossiers?a=b&c=<i>", "Lang": "en", "Button": auth.Button(agentconnect.ButtonOptions{Link: true})}); err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if want := "<main>" + string(auth.Button(want)) + "</main>"; b.String() != want {
			t.Errorf("%s: got %s, want %s", source, b.String(), want)
		}
	}
}

// A person who presses the button comes back to the page it is on.
func TestButtonLogsIn(t *testing.T) {
	t.Parallel()
	for _, link := range []bool{false, true} {
		s := newSite(t, siteConfig{callback: "/auth/callback", logoutCallback: "/auth/logout/callback"}, func(s *app) http.Handler {
			page := template.Must(template.New("page").Parse("<!DOCTYPE html>\n<html><body>{{.}}</body></html>"))
			mux := http.NewServeMux()
			mux.Handle("/auth/", s.auth.Handler())
			mux.Handle("/", s.auth.LoadAgent(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if agent, ok := agentconnect.AgentFrom(r.Context()); ok {
					fmt.Fprintf(w, "%s %s", r.URL, agent.UID)
					return
				}
				page.Execute(w, s.auth.Button(agentconnect.ButtonOptions{ReturnTo: r.URL.RequestURI(), Link: link}))
			})))
			return mux
		})
		b := s.browser()
		const public = "/annonces/7?page=2&tri=date"
		doc := parseHTML(t, b.navigate(public).body)
		var p page
		if link {
			p = b.navigate(doc.all("a")[0].attrs["href"])
		} else {
			form := url.Values{}
			for _, input := range doc.all("input") {
				form.Add(input.attrs["name"], input.attrs["value"])
			}
			p = b.post(doc.one(t, "form").attrs["action"], form)
		}
		if p.StatusCode != http.StatusSeeOther || !strings.HasPrefix(p.location(), s.provider.Issuer+"/authorize?") {
			t.Fatalf("link %t: got status %d to %q, want 303 to the provider", link, p.StatusCode, p.location())
		}
		follow := *b.client
		follow.CheckRedirect = nil
		resp, err := s.provider.Login(&follow, p.location(), "marie")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got, want := resp.Request.URL.String(), s.url+public; got != want {
			t.Errorf("link %t: got back to %s, want %s", link, got, want)
		}
		if p := b.navigate(public); p.body != public+" mexemple" {
			t.Errorf("link %t: got %q, want the agent", link, p.body)
		}
	}
}

func TestButtonStyle(t *testing.T) {
	t.Parallel()
	get := func(method, etag string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/agentconnect.css", nil)
		if etag != "" {
			r.Header.Set("If-None-Match", etag)
		}
		w := httptest.NewRecorder()
		agentconnect.ButtonStyle(w, r)
		return w
	}
	w := get(http.MethodGet, "")
	style := w.Body.String()
	for name, want := range map[string]string{
		"Content-Type": "text/css; charset=utf-8", "X-Content-Type-Options": "nosniff", "Cache-Control": "public, max-age=3600",
		"Content-Length": strconv.Itoa(len(style)),
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if w.Code != http.StatusOK || len(style) == 0 {
		t.Fatalf("got status %d and %d bytes, want the style sheet", w.Code, len(style))
	}
	etag := w.Header().Get("ETag")
	if w := get(http.MethodGet, etag); w.Code != http.StatusNotModified || w.Body.Len() != 0 {
		t.Errorf("with the ETag %s: got status %d, %d bytes, want 304", etag, w.Code, w.Body.Len())
	}
	if w := get(http.MethodGet, `"another"`); w.Code != http.StatusOK || w.Body.String() != style {
		t.Errorf("with another ETag: got status %d, want 200", w.Code)
	}
	if w := get(http.MethodHead, ""); w.Code != http.StatusOK || w.Body.Len() != 0 {
		t.Errorf("HEAD: got status %d, %d bytes, want 200 and none", w.Code, w.Body.Len())
	}

	// It loads nothing from anywhere, and styles what the button has.
	for _, loads := range []string{"url(", "@import", "@font-face", "http"} {
		if strings.Contains(style, loads) {
			t.Errorf("the style sheet has %s", loads)
		}
	}
	markup := string(pagesAuth(t).Button(agentconnect.ButtonOptions{})) + string(pagesAuth(t).Button(agentconnect.ButtonOptions{Image: "/pc.svg"}))
	for _, class := range regexp.MustCompile(`\.((?:fr|proconnect)-[a-z_-]+)`).FindAllStringSubmatch(style, -1) {
		if !regexp.MustCompile(`class="[^"]*\b` + class[1] + `[" ]`).MatchString(markup) {
			t.Errorf("the style sheet has a class %s, which the button has not", class[1])
		}
	}
}

// RGAA 3.2: the text of the button has a contrast of 4.5 to its background, in
// every state, light and dark.
func TestButtonContrast(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	agentconnect.ButtonStyle(w, httptest.NewRequest(http.MethodGet, "/", nil))
	pairs := func(property string) [][]string {
		return regexp.MustCompile(`[\s{]`+property+`: light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)`).FindAllStringSubmatch(w.Body.String(), -1)
	}
	texts, backgrounds := pairs("color"), pairs("background")
	if len(texts) != 1 || len(backgrounds) != 3 {
		t.Fatalf("got %d colours and %d backgrounds, want 1 and 3 (at rest, under the pointer, pressed)", len(texts), len(backgrounds))
	}
	for _, background := range backgrounds {
		for i, scheme := range []string{"light", "dark"} {
			if got := contrast(t, texts[0][i+1], background[i+1]); got < 4.5 {
				t.Errorf("%s: got a contrast of %.2f for %s on %s, want 4.5", scheme, got, texts[0][i+1], background[i+1])
			}
		}
	}
}

// contrast returns the contrast of two colours (WCAG 2.1, contrast ratio).
func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	luminance := func(colour string) float64 {
		rgb, err := strconv.ParseUint(strings.TrimPrefix(colour, "#"), 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		linear := func(c uint64) float64 {
			s := float64(c&0xff) / 255
			if s <= 0.04045 {
				return s / 12.92
			}
			return math.Pow((s+0.055)/1.055, 2.4)
		}
		return 0.2126*linear(rgb>>16) + 0.7152*linear(rgb>>8) + 0.0722*linear(rgb)
	}
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}
