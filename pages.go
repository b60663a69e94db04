package agentconnect

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"strings"
	"time"
	"unicode"
)

//go:embed pages.css
var defaultPageStyle string

//go:embed pages.html
var pageHTML string

var defaultPageTemplate = template.Must(template.New("page").Parse(pageHTML))

// A Page is what a person sees when something went wrong, or is to be confirmed:
// what a template of [WithPageTemplate] is executed with. Texts are in the
// person's language.
type Page struct {
	Lang       string       // "fr" or "en"
	Title      string       // of the page and its heading
	Paragraphs []string     // what happened, and what to do
	Reasons    []string     // the conditions that are not met; mostly none
	Words      PageWords    // labels
	Style      template.CSS // the style sheet, for a <style> element: the only one allowed
	Home       string       // the path of the home page
	Login      string       // the login that could help; "" when none would
	PostTo     string       // the action of the logout form; "" on every other page
	Support    *PageSupport // nil on the logout page
}

// PageSupport is what the support of AgentConnect asks for.
type PageSupport struct {
	Contact    string // see [WithSupportContact]; "" when there is none
	ContactURL string // the link to it
	Facts      []PageFact
}

// A PageFact is one line for support. Its value can be a text of the provider's,
// which anybody can forge: html/template escapes it.
type PageFact struct{ Name, Value string }

// refuse logs a refusal and has it answered.
func (a *Authenticator) refuse(w http.ResponseWriter, r *http.Request, e *Error) {
	noStore(w)
	e.report(r.Context(), a.config.logger)
	a.config.errorHandler(w, r, e)
}

// ServeError is the default [ErrorHandler]. To a person it shows a page, in
// French, or in English where Accept-Language prefers that: what happened, what to
// do, whom to ask. It has no script, and a Content-Security-Policy that allows
// nothing but its own style. A program gets a problem (RFC 9457) with the members
// code, error_id and, where they apply, login_url, accepted_acr and reasons.
//
// An application can have a refusal of its own shown in the same way: an [Error]
// with a Code and Reasons. A Status of 0 is that of the code.
func (a *Authenticator) ServeError(w http.ResponseWriter, r *http.Request, e *Error) {
	if e.Status == 0 {
		own := *e
		own.Status = e.Code.status()
		e = &own
	}
	if isForPerson(r) && (e.Code != CodeUnauthenticated || isFormPost(r)) {
		a.servePage(w, r, e.Status, a.errorPage(language(r), e))
		return
	}
	a.serveProblem(w, e)
}

// errorPage makes the page of a refusal.
func (a *Authenticator) errorPage(lang string, e *Error) *Page {
	m := messageOf(lang, e.Code)
	w := wordsOf(lang)
	p := &Page{
		Lang:       lang,
		Title:      m.title,
		Paragraphs: []string{m.happened, m.todo},
		Words:      w,
		Home:       a.config.homePath,
	}
	for _, reason := range e.Reasons {
		p.Reasons = append(p.Reasons, reason.in(lang))
	}
	if code, explanation, ok := explainProviderCode(e.ProviderDescription); ok {
		p.Paragraphs = append(p.Paragraphs, code+w.Colon+explanation.in(lang))
	}
	if e.Code == CodeAccessDenied && len(e.AcceptedACR) > 0 { // the level may be why
		p.Paragraphs = append(p.Paragraphs, messageOf(lang, CodeInsufficientLevel).todo)
	}
	if m.again {
		p.Login = a.loginAgain(e)
	}
	p.Support = &PageSupport{Contact: a.config.supportContact, ContactURL: contactURL(a.config.supportContact)}
	add := func(name, value string) {
		if value != "" {
			p.Support.Facts = append(p.Support.Facts, PageFact{name, value})
		}
	}
	add(w.ErrorCode, string(e.Code))
	add(w.ErrorID, e.ID)
	add(w.Time, a.config.now().UTC().Format(time.RFC3339))
	add(w.ClientID, a.config.clientID)
	add(w.Provider, a.config.issuer)
	add(w.Environment, string(a.config.environment))
	add(w.AuthorizeURL, e.AuthorizeURL)
	add(w.ProviderSays, printable(strings.Join(nonEmpty(e.ProviderError, e.ProviderDescription), " – ")))
	return p
}

// serveLogoutPage shows the button that logs out.
func (a *Authenticator) serveLogoutPage(w http.ResponseWriter, r *http.Request) {
	lang := language(r)
	words := wordsOf(lang)
	a.servePage(w, r, http.StatusOK, &Page{
		Lang:       lang,
		Title:      words.LogOutTitle,
		Paragraphs: []string{words.LogOutQuestion},
		Words:      words,
		Home:       a.config.homePath,
		PostTo:     a.config.logoutPath,
	})
}

func (a *Authenticator) servePage(w http.ResponseWriter, r *http.Request, status int, p *Page) {
	p.Style = template.CSS(a.config.pageStyle)
	var body bytes.Buffer
	if err := a.config.pageTemplate.Execute(&body, p); err != nil {
		a.config.logger.ErrorContext(r.Context(), "agentconnect: page", "cause", err)
		http.Error(w, http.StatusText(status), status)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", pagePolicy(a.config.pageStyle, p.PostTo != ""))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Add("Vary", "Accept-Language")
	w.WriteHeader(status)
	w.Write(body.Bytes())
}

// pagePolicy allows a page its own style and nothing else. form-action is left
// open on the page with the logout form alone: browsers hold it against every
// redirect that follows the form, to the provider and to the agent's identity
// provider, which nobody can list.
func pagePolicy(style string, form bool) string {
	hash := sha256.Sum256([]byte(style))
	policy := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'; base-uri 'none'; frame-ancestors 'none'"
	if !form {
		policy += "; form-action 'none'"
	}
	return policy
}

// serveProblem answers a program (RFC 9457).
func (a *Authenticator) serveProblem(w http.ResponseWriter, e *Error) {
	m := messageOf("en", e.Code)
	p := newProblem(e, m.title, m.happened)
	if m.again {
		p.LoginURL = a.loginAgain(e)
	}
	p.serve(w)
}

// loginAgain returns the login that could mend a refusal: at the level that is
// demanded, back to the same page.
func (a *Authenticator) loginAgain(e *Error) string {
	if len(e.AcceptedACR) == 0 {
		return a.loginURL(e.ReturnTo)
	}
	return a.linkTo(&loginRequest{ReturnTo: e.ReturnTo, ACR: e.AcceptedACR})
}

// contactURL returns the link to a support contact.
func contactURL(contact string) string {
	if contact == "" || strings.HasPrefix(contact, "https://") {
		return contact
	}
	return "mailto:" + contact
}

// printable replaces what a text of others could disturb the page with:
// control characters, and those that change the direction of writing.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

func nonEmpty(texts ...string) []string {
	var kept []string
	for _, t := range texts {
		if t != "" {
			kept = append(kept, t)
		}
	}
	return kept
}
