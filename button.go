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

// ButtonOptions says what the login button looks like and where it leads. The
// zero value is a button in French that comes back to the home page.
type ButtonOptions struct {
	// ReturnTo is the page to come back to: a path of this application with its
	// query and fragment, by the rules of [Authenticator.Login]. "" is the home page.
	ReturnTo string
	// Lang is the language as an HTML lang attribute gives it: "en" or "en-…" is
	// English, anything else French.
	Lang string
	// Link makes the button a link (GET) rather than a form (POST). A page whose
	// Content-Security-Policy restricts form-action needs it: browsers hold that
	// directive against the redirect to the provider as well.
	Link bool
	// Image is the address, in this application, of the official picture of the
	// button, for a page without the State's design system: see
	// [Authenticator.Button]. "" is a button of text.
	Image string
	// Hidden is further fields of the form: a CSRF token of the application's. A
	// link has none.
	Hidden map[string]string
}

// Button returns the login button, for html/template: "S’identifier avec
// ProConnect", and the link "Qu’est-ce que ProConnect ?" under it, which opens a
// new window, both of which ProConnect asks a service to show (documentation for
// service providers, bouton_proconnect).
//
// It is official in two ways. A page that loads the State's design system (DSFR,
// from version 1.15 on) shows its component "connect", with ProConnect's logo. A
// page that does not loads the style sheet of [ButtonStyle] and names in Image the
// file of that documentation, "pc.svg", which the application hosts itself: the
// button is that picture, 214 by 56 pixels. Without either it is the same text,
// without the logo that the charter demands.
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
		a.config.logger.Error("agentconnect: button", "cause", err)
		return ""
	}
	return template.HTML(b.String())
}

// TemplateFuncs returns the functions for [template.Template.Funcs]:
//
//	{{agentconnectButton "/dossiers"}}       the button of [Authenticator.Button], coming back to /dossiers
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
// It is dark where the page is (CSS color-scheme), loads no image, and is the same
// for everybody: caches may keep it for an hour.
func ButtonStyle(w http.ResponseWriter, r *http.Request) {
	hash := sha256.Sum256([]byte(buttonStyle))
	h := w.Header()
	h.Set("Content-Type", "text/css; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "public, max-age=3600")
	h.Set("ETag", `"`+hex.EncodeToString(hash[:8])+`"`)
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(buttonStyle))
}
