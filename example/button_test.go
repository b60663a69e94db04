package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agentconnect-go/agentconnect/example/internal/chromium"
)

// standIn is in the place of the official picture, which only the operator may host.
const standIn = `<svg xmlns="http://www.w3.org/2000/svg" width="214" height="56"><rect width="214" height="56" fill="#000091"/></svg>`

// write writes a file into a new directory, which it returns.
func write(t *testing.T, name, content string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// withPicture returns the environment of a program with the picture of the button.
func withPicture(t *testing.T) environment {
	t.Helper()
	return environment{"BUTTON_IMAGE": filepath.Join(write(t, "pc.svg", standIn), "pc.svg")}
}

// withDesignSystem returns the environment of a program with a design system. It has
// what the State's takes to show its button: the names of the classes, and a logo that is
// in the style sheet.
func withDesignSystem(t *testing.T) environment {
	t.Helper()
	return environment{"DESIGN_SYSTEM": write(t, "dsfr.min.css",
		`.fr-connect--pro { width: 214px; height: 56px } .fr-connect--pro::before { content: url("data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' width='36' height='36'/%3E") }`)}
}

// TestOfficialButton looks at the button of the home page in each of its variants.
func TestOfficialButton(t *testing.T) {
	const picture = `<img src="/button.svg" alt="S’identifier avec ProConnect" width="214" height="56">`
	const connect = `<button class="fr-connect fr-connect--pro" type="submit">`
	for _, test := range []struct {
		name                string
		env                 environment
		want, sheet, policy string
		served, missing     []string
	}{
		{"a text", nil, connect, "/agentconnect.css", "img-src 'self';",
			[]string{"/agentconnect.css"}, []string{"/button.svg", "/dsfr/dsfr.min.css"}},
		{"the picture", withPicture(t), picture, "/agentconnect.css", "img-src 'self';",
			[]string{"/agentconnect.css", "/button.svg"}, []string{"/dsfr/dsfr.min.css"}},
		{"the design system", withDesignSystem(t), connect, "/dsfr/dsfr.min.css", "img-src 'self' data:; font-src 'self';",
			[]string{"/dsfr/dsfr.min.css"}, []string{"/button.svg", "/dsfr/", "/dsfr/nothing.css", "/dsfr/../main.go", "/dsfr/..%2fmain.go"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := start(t, test.env)
			b := newBrowser(t)
			home := b.get(p.url+"/").wantStatus(t, 200).wantPage(t, test.want)
			if got := strings.Count(home.body, `rel="stylesheet"`); got != 2 || !strings.Contains(home.body, `<link rel="stylesheet" href="`+test.sheet+`">`) {
				t.Errorf("got %d style sheets, want ours and %s: %s", got, test.sheet, home.body)
			}
			if got := home.Header.Get("Content-Security-Policy"); !strings.Contains(got, test.policy) {
				t.Errorf("got the policy %q, want %q in it", got, test.policy)
			}
			for _, path := range test.served {
				if got := b.get(p.url+path).wantStatus(t, 200).Header.Get("X-Content-Type-Options"); got != "nosniff" {
					t.Errorf("%s: got X-Content-Type-Options %q, want nosniff", path, got)
				}
			}
			for _, path := range test.missing {
				b.get(p.url+path).wantStatus(t, 404)
			}
		})
	}
	p := start(t, withPicture(t))
	got := newBrowser(t).get(p.url + "/button.svg")
	if got.body != standIn || got.Header.Get("Content-Type") != "image/svg+xml" {
		t.Errorf("got %q of %q, want the operator's file as it is", got.body, got.Header.Get("Content-Type"))
	}
}

// TestBrowserOfficialButton sees each variant at its size, and presses it.
func TestBrowserOfficialButton(t *testing.T) {
	browser := chromium.Start(t)
	for _, test := range []struct {
		name, button, loaded string
		env                  environment
	}{
		{"the picture", ".proconnect-button", `document.images[0].naturalWidth === 214`, withPicture(t)},
		{"the design system", ".fr-connect--pro", `true`, withDesignSystem(t)},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := newVisit(t, browser, start(t, test.env).url)
			for _, width := range []int64{1280, 390} {
				v.SetWidth(width)
				v.open("/")
				got := chromium.Eval[[]float64](v.Tab, `(b => [b.width, b.height])(document.querySelector("`+test.button+`").getBoundingClientRect())`)
				if got[0] != 214 || got[1] != 56 {
					t.Errorf("%d pixels wide: got a button of %v, want 214 × 56", width, got)
				}
				if !chromium.Eval[bool](v.Tab, test.loaded) {
					t.Errorf("%d pixels wide: got no picture", width)
				}
				v.photograph("official-" + strings.ReplaceAll(test.name, " ", "-") + ".png")
			}
			v.wantProvider(v.Click(test.button))
			v.wantPage(pick(v.Tab, "marie", ""), 200, "/", "Bonjour Marie Louise")
		})
	}
}
