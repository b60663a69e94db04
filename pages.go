package agentconnect

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/navigation"
	"github.com/agentconnect-go/agentconnect/internal/negotiation"
	"github.com/agentconnect-go/agentconnect/internal/policy"
	"github.com/agentconnect-go/agentconnect/internal/refused"
	"github.com/agentconnect-go/agentconnect/internal/wording"
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
	Service    string       // see [WithServiceName]; "" when it has none
	Title      string       // of the page and its heading
	Paragraphs []string     // what happened, what it means, what to do
	Demands    []string     // the conditions that are not met; mostly none
	Style      template.CSS // the style sheet, for a <style> element: the only one allowed
	Home       string       // the path of the home page
	Login      string       // the login that could help; "" when none would
	Forms      []PageForm   // what else could help, a button each
	Support    *PageSupport // nil on the logout page
	// Words are labels: LogIn, Home, Demands, Support, Contact, Copy, CopyHow.
	Words map[string]string
}

// A PageForm is a form that has a button alone: it sends Fields to Action by
// POST.
type PageForm struct {
	Label  string
	Action string
	Fields map[string]string // hidden
}

// PageSupport is what the support of the service, and of ProConnect, asks for.
type PageSupport struct {
	Contact    string // see [WithSupportContact]; "" when there is none
	ContactURL string // the link to it
	Facts      []PageFact
	// All is everything, a line for each fact, to be copied. It can have a text of
	// the provider's, which anybody can forge: html/template escapes it.
	All string
}

// A PageFact is a name and its value.
type PageFact struct{ Name, Value string }

// refuse logs a refusal and has it answered.
func (a *Authenticator) refuse(w http.ResponseWriter, r *http.Request, e *Error) {
	noStore(w)
	e.report(r.Context(), a.config.logger)
	refused.SayWhenToRetry(w.Header(), e.Status)
	a.config.errorHandler(w, r, e)
}

// ServeError is the default [ErrorHandler]. To a person it shows a page, in
// French, or in English where Accept-Language prefers that: what happened, what to
// do, whom to ask. It has no script, and a Content-Security-Policy that allows
// nothing but its own style. A program gets a problem (RFC 9457) with the members
// code, error_id and, where they apply, login_url, accepted_acr and reasons; htmx is
// told in HX-Redirect where to log in. A 503 says when to try again (Retry-After).
//
// An application can have a refusal of its own shown in the same way: an [Error]
// with a Code and Reasons. A Status of 0 is that of the code.
func (a *Authenticator) ServeError(w http.ResponseWriter, r *http.Request, e *Error) {
	if e.Status == 0 {
		own := *e
		own.Status = e.Code.status()
		e = &own
	}
	refused.SayWhenToRetry(w.Header(), e.Status)
	if navigation.IsForPerson(r) && (e.Code != CodeUnauthenticated || navigation.IsFormPost(r)) {
		a.servePage(w, r, e.Status, a.errorPage(negotiation.Language(r.Header, "fr", "en"), e))
		return
	}
	a.serveProblem(w, r, e)
}

// errorPage makes the page of a refusal.
func (a *Authenticator) errorPage(lang string, e *Error) *Page {
	m := meaningOf(e)
	text := m.In(lang)
	p := &Page{
		Lang:       lang,
		Service:    a.config.serviceName,
		Title:      a.config.brand.In(text.Title),
		Paragraphs: []string{a.config.brand.In(text.Happened)},
		Words:      wording.PageWords(lang),
		Home:       a.config.homePath,
		Forms:      a.offeredForms(lang, m.Offers, e),
		Support:    a.support(lang, e),
	}
	for _, reason := range e.Reasons {
		if e.Code == CodeForbidden || e.Code == CodeInsufficientLevel {
			p.Demands = append(p.Demands, a.config.brand.In(reason.in(lang)))
			continue
		}
		p.Paragraphs = append(p.Paragraphs, reason.in(lang)) // a sentence of the application's
	}
	p.Paragraphs = append(p.Paragraphs, a.config.brand.In(text.Means), a.config.brand.In(text.Todo))
	if e.Code == codeAccessDenied && len(e.AcceptedACR) > 0 { // the level may be why
		p.Paragraphs = append(p.Paragraphs, wording.Of(string(CodeInsufficientLevel)).In(lang).Todo)
	}
	if m.Offers&wording.Login != 0 {
		p.Login = a.loginAgain(e)
	}
	return p
}

// offeredForms returns the forms of a refusal's page. Both end the provider's
// session too, which would otherwise answer for the same account again.
func (a *Authenticator) offeredForms(lang string, offers wording.Offer, e *Error) []PageForm {
	labels := wording.LabelsIn(lang)
	var forms []PageForm
	if offers&wording.OtherAccount != 0 {
		fields := map[string]string{fieldLogin: a.loginAgain(e)}
		if e.idTokenHint != "" {
			fields[fieldIDTokenHint] = e.idTokenHint
		}
		forms = append(forms, PageForm{labels.OtherAccount, a.config.logoutPath, fields})
	}
	if offers&wording.Logout != 0 {
		forms = append(forms, PageForm{Label: labels.LogOut, Action: a.config.logoutPath})
	}
	return forms
}

// support makes what support asks for.
func (a *Authenticator) support(lang string, e *Error) *PageSupport {
	labels := wording.LabelsIn(lang)
	answer := slices.DeleteFunc([]string{e.ProviderError, e.ProviderDescription}, func(s string) bool { return s == "" })
	shown := []PageFact{
		{labels.Error, string(e.Code)},
		{labels.Number, e.ID},
		{labels.Time, wording.LocalTime(lang, a.config.now())},
	}
	folded := []PageFact{
		{labels.Service, a.config.clientID},
		{labels.Provider, a.config.issuer},
		{labels.Environment, string(a.config.environment)},
		{labels.AuthorizeURL, e.AuthorizeURL},
		{labels.ProviderAnswer, wording.Printable(strings.Join(answer, " – "))},
	}
	s := &PageSupport{Contact: a.config.supportContact, ContactURL: contactURL(a.config.supportContact)}
	var all strings.Builder
	for i, fact := range slices.Concat(shown, folded) {
		if fact.Value == "" {
			continue
		}
		if i < len(shown) {
			s.Facts = append(s.Facts, fact)
		}
		all.WriteString(fact.Name + labels.Colon + fact.Value + "\n")
	}
	s.All = all.String()
	return s
}

// serveLogoutPage shows the button that logs out.
func (a *Authenticator) serveLogoutPage(w http.ResponseWriter, r *http.Request) {
	lang := negotiation.Language(r.Header, "fr", "en")
	labels := wording.LabelsIn(lang)
	p := &Page{
		Lang:       lang,
		Service:    a.config.serviceName,
		Title:      labels.LogOut,
		Paragraphs: []string{a.config.brand.In(labels.WantLogOut)},
		Words:      wording.PageWords(lang),
		Home:       a.config.homePath,
		Forms:      []PageForm{{Label: labels.LogOut, Action: a.config.logoutPath}},
	}
	a.servePage(w, r, http.StatusOK, p)
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
	policy.SetHeaders(h, a.config.pageStyle, len(p.Forms) > 0)
	h.Add("Vary", "Accept-Language")
	w.WriteHeader(status)
	w.Write(body.Bytes())
}

// serveProblem answers a program (RFC 9457).
func (a *Authenticator) serveProblem(w http.ResponseWriter, r *http.Request, e *Error) {
	m := meaningOf(e)
	p := refused.Problem{
		Title:       a.config.brand.In(m.English.Title),
		Detail:      a.config.brand.In(m.English.Happened),
		Status:      e.Status,
		Code:        string(e.Code),
		ErrorID:     e.ID,
		AcceptedACR: e.AcceptedACR,
	}
	for _, reason := range e.Reasons {
		p.Reasons = append(p.Reasons, reason.in("en"))
	}
	if m.Offers&wording.Login != 0 {
		p.LoginURL = a.loginAgain(e)
	}
	if navigation.IsHTMX(r.Header) && (e.Code == CodeUnauthenticated || e.Code == codeNotNavigation || e.Code == CodeInsufficientLevel) {
		w.Header().Set("HX-Redirect", p.LoginURL)
	}
	p.Serve(w)
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

// maxForm bounds the body of a form of ours.
const maxForm = 64 << 10

// redirect sends a browser to a URL that is known to be good, with GET.
// http.Redirect would rewrite it.
func redirect(w http.ResponseWriter, location string) {
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusSeeOther)
}

// noStore keeps every cache from keeping the answer (RFC 9111 section 5.2.2.5).
func noStore(w http.ResponseWriter) { w.Header().Set("Cache-Control", "no-store") }

// refuseMethod answers a method that a handler does not take.
func (a *Authenticator) refuseMethod(w http.ResponseWriter, r *http.Request, allow string) {
	w.Header().Set("Allow", allow)
	a.refuse(w, r, errorf(codeMethodNotAllowed, "the handler takes %s", allow))
}

// sendTo is redirect, and tells a script, which could not follow a redirect to
// another site, where to send its browser: in a JSON object with the member location,
// and to htmx in a header of its own.
func sendTo(w http.ResponseWriter, r *http.Request, location string) {
	if navigation.IsForPerson(r) || navigation.IsPlainProgram(r) {
		redirect(w, location)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	if navigation.IsHTMX(r.Header) {
		h.Set("HX-Redirect", location)
	}
	json.NewEncoder(w).Encode(map[string]string{"location": location})
}

// meaningOf returns what a refusal means.
func meaningOf(e *Error) wording.Meaning {
	switch {
	case e.Code == CodeForbidden && e.loginRefused:
		return wording.ForbiddenAtLogin()
	case e.Code == CodeInsufficientLevel && slices.Equal(e.AcceptedACR, []string{ACRCertificationDirigeant}):
		return wording.NotCertified()
	case e.Code == CodeSessionStore && e.logoutFailed:
		return wording.LogoutIncomplete()
	}
	return wording.Of(string(e.Code))
}

const (
	// fieldLogin is the field of a logout's form that names a login to go on with:
	// a login with another account.
	fieldLogin = "login"
	// fieldIDTokenHint is the field that has the sealed ID token of a login that
	// was refused, and so left a session at the provider and none here.
	fieldIDTokenHint = "id_token_hint"
	// maxLoginAfterLogout bounds what the cookie of a logout keeps.
	maxLoginAfterLogout = 512
	// logoutLifetime is how long the provider may take to send the browser back, and
	// how long no public page tries to log it in again while it has not come back.
	logoutLifetime = time.Hour
)
