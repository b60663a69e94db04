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

// A Page is a page of this package: a refusal, or the confirmation of a logout. It is
// the data of the template of [WithPageTemplate]. Texts are in the person's language.
type Page struct {
	Lang       string       // "fr" or "en"
	Service    string       // see [WithServiceName]; "" if there is none
	Title      string       // the title of the page and its heading
	Paragraphs []string     // the problem, its consequence, the next step
	Demands    []string     // the conditions that are not met; usually none
	Style      template.CSS // the style sheet, for a <style> element: the only one allowed
	Home       string       // the path of the home page
	Login      string       // a login that could help; "" if none would
	Forms      []PageForm   // other actions that could help, a button each
	Support    *PageSupport // nil on the logout page
	// Words are labels: LogIn, Home, Demands, Support, Contact, Copy, CopyHow.
	Words map[string]string
}

// A PageForm is a form with only a button. It sends Fields to Action by POST.
type PageForm struct {
	Label  string
	Action string
	Fields map[string]string // hidden
}

// PageSupport has the details for the support of the service and of ProConnect.
type PageSupport struct {
	Contact    string // see [WithSupportContact]; "" if there is none
	ContactURL string // the link to it
	Facts      []PageFact
	// All has all the facts, one line each, to copy. It can contain a text of the
	// provider, which anyone can forge: html/template escapes it.
	All string
}

// A PageFact is a name and its value.
type PageFact struct{ Name, Value string }

// refuse logs a refusal and sends its answer.
func (a *Authenticator) refuse(w http.ResponseWriter, r *http.Request, e *Error) {
	noStore(w)
	e.report(r.Context(), a.config.logger)
	refused.SayWhenToRetry(w.Header(), e.Status)
	a.config.errorHandler(w, r, e)
}

// ServeError is the default [ErrorHandler]. A person gets a page, in French, or in
// English if Accept-Language prefers that, with the problem, the next step and the
// support contact. The page has no script, and its Content-Security-Policy only allows
// its own style. A program gets a problem (RFC 9457) with the members code, error_id
// and, where they apply, login_url, accepted_acr and reasons. htmx gets the login's URL
// in HX-Redirect. A 503 has Retry-After.
//
// An application can show its own refusal in the same way, with an [Error] that has a
// Code and Reasons. If Status is 0, the status of the code is used.
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
	if help := Reason(wording.LevelHelp(string(e.Code), e.AcceptedACR)); help.French != "" {
		p.Paragraphs = append(p.Paragraphs, a.config.brand.In(help.in(lang)))
	}
	if m.Offers&wording.Login != 0 {
		p.Login = a.loginAgain(e)
	}
	return p
}

// offeredForms returns the forms of a refusal's page. Both also end the provider's
// session: otherwise the provider would log the same account in again.
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

// support returns the details for support.
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
		a.config.logger.ErrorContext(r.Context(), "agentconnect: the template of the pages fails", "cause", err)
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

// loginAgain returns the login that could help after a refusal: at the required level,
// returning to the same page.
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

// maxForm bounds the body of our forms.
const maxForm = 64 << 10

// redirect sends a browser to a URL that is known to be good, with GET.
// http.Redirect would rewrite it.
func redirect(w http.ResponseWriter, location string) {
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusSeeOther)
}

// noStore forbids every cache to keep the answer (RFC 9111 section 5.2.2.5).
func noStore(w http.ResponseWriter) { w.Header().Set("Cache-Control", "no-store") }

// refuseMethod answers a method that a handler does not accept.
func (a *Authenticator) refuseMethod(w http.ResponseWriter, r *http.Request, allow string) {
	w.Header().Set("Allow", allow)
	a.refuse(w, r, errorf(codeMethodNotAllowed, "the handler accepts %s", allow))
}

// sendTo is redirect, but a script, which cannot follow a redirect to another site,
// gets the URL in a JSON object with the member location, and htmx gets it in its own
// header.
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

// meaningOf returns the row of texts of a refusal.
func meaningOf(e *Error) wording.Meaning {
	switch {
	case e.Code == CodeForbidden && e.loginRefused:
		return wording.ForbiddenAtLogin()
	case e.Code == CodeInsufficientLevel && wording.IsCertification(e.AcceptedACR):
		return wording.NotCertified()
	case e.Code == CodeSessionStore && e.logoutFailed:
		return wording.LogoutIncomplete()
	}
	return wording.Of(string(e.Code))
}

const (
	// fieldLogin is the field of a logout's form with the login that follows: a login
	// with another account.
	fieldLogin = "login"
	// fieldIDTokenHint is the field with the sealed ID token of a refused login, which
	// left a session at the provider and none here.
	fieldIDTokenHint = "id_token_hint"
	// maxLoginAfterLogout bounds the login in the cookie of a logout.
	maxLoginAfterLogout = 512
	// logoutLifetime is how long the provider may take to send the browser back. Until
	// then, public pages try no silent login.
	logoutLifetime = time.Hour
)
