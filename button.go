package agentconnect

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/wording"
)

//go:embed button.css
var buttonStyle string

//go:embed button.html
var buttonHTML string

var buttonTemplate = template.Must(template.New("button").Parse(buttonHTML))

// ButtonOptions configures the login button. The zero value is a button in French that
// returns to the home page.
type ButtonOptions struct {
	// ReturnTo is the page to return to after the login: a path of this application
	// with its query and fragment, by the rules of [Authenticator.Login]. "" is the
	// home page.
	ReturnTo string
	// Lang is the language as an HTML lang attribute gives it: "en" or "en-…" is
	// English, anything else French.
	Lang string
	// Link makes the button a link (GET) instead of a form (POST). A page whose
	// Content-Security-Policy restricts form-action needs it, because browsers also
	// apply that directive to the redirect to the provider.
	Link bool
	// Image is the address, in this application, of the official picture of the
	// button, for a page without the State's design system: see
	// [Authenticator.Button]. "" is a text button.
	Image string
	// Hidden are additional fields of the form, such as the application's CSRF token. A
	// link has none.
	Hidden map[string]string
}

// Button returns the login button, for html/template: "S’identifier avec
// ProConnect", with the link "Qu’est-ce que ProConnect ?" under it, which opens a new
// window. ProConnect requires both (documentation for service providers,
// bouton_proconnect).
//
// There are two official forms. On a page with the State's design system (DSFR, version
// 1.15 or later), the button is its component "connect", with ProConnect's logo. On
// another page, load the style sheet of [ButtonStyle], host the file "pc.svg" of that
// documentation and give its address in Image: the button is that picture, 214 by 56
// pixels. Without either, the button has the same text, but not the logo that the
// charter requires.
func (a *Authenticator) Button(o ButtonOptions) template.HTML {
	button := struct {
		wording.ButtonLabels
		Brand                         wording.Brand
		Link                          bool
		Image                         string
		LoginPath, LoginURL, ReturnTo string
		Hidden                        map[string]string
	}{
		ButtonLabels: wording.ButtonIn(o.Lang),
		Brand:        a.config.brand,
		Link:         o.Link,
		Image:        o.Image,
		LoginPath:    a.config.loginPath,
		Hidden:       o.Hidden,
	}
	if target := a.config.returnTo(o.ReturnTo); target != a.config.homePath {
		button.ReturnTo = target
	}
	button.LoginURL = a.loginURL(button.ReturnTo)

	var b strings.Builder
	if err := buttonTemplate.Execute(&b, button); err != nil {
		a.config.logger.Error("agentconnect: the template of the button fails", "cause", err)
		return ""
	}
	return template.HTML(b.String())
}

// TemplateFuncs returns the functions for [template.Template.Funcs]:
//
//	{{agentconnectButton "/dossiers"}}       the button of [Authenticator.Button], returning to /dossiers
//	{{agentconnectButton "/dossiers" "en"}}  the same in English
func (a *Authenticator) TemplateFuncs() template.FuncMap {
	return template.FuncMap{
		"agentconnectButton": func(returnTo string, lang ...string) template.HTML {
			return a.Button(ButtonOptions{ReturnTo: returnTo, Lang: strings.Join(lang, "")})
		},
	}
}

// ButtonStyle serves a style sheet for the button of [Authenticator.Button],
// for pages that do not load the State's design system:
//
//	mux.HandleFunc("GET /agentconnect.css", agentconnect.ButtonStyle)
//
// It is dark if the page is dark (CSS color-scheme), and it loads no image. Caches may
// keep it for an hour.
func ButtonStyle(w http.ResponseWriter, r *http.Request) {
	hash := sha256.Sum256([]byte(buttonStyle))
	h := w.Header()
	h.Set("Content-Type", "text/css; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "public, max-age=3600")
	h.Set("ETag", `"`+hex.EncodeToString(hash[:8])+`"`)
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(buttonStyle))
}
