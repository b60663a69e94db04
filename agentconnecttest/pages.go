package agentconnecttest

import (
	"bytes"
	"crypto/rand"
	"embed"
	"html/template"
	"net/http"
	"net/url"
)

//go:embed pages
var pageFiles embed.FS

// pages are the templates and the style sheet.
type pages struct {
	templates *template.Template
	style     []byte
}

func parsePages() (pages, error) {
	templates, err := template.ParseFS(pageFiles, "pages/*.html")
	if err != nil {
		return pages{}, err
	}
	style, err := pageFiles.ReadFile("pages/demonstration.css")
	return pages{templates, style}, err
}

func (p *Provider) serveStyle(a *Answer, _ *http.Request) {
	a.Header.Set("Cache-Control", "public, max-age=600")
	a.write(http.StatusOK, "text/css; charset=utf-8", p.pages.style)
}

// frame is the common part of all pages.
type frame struct {
	T     texts
	Title string
	Style string
}

func (p *Provider) frame(t texts, title string) frame {
	return frame{T: t, Title: title, Style: p.issuer + pathStyle}
}

// page renders a template with a policy that only allows our style sheet. A browser
// also applies form-action to the redirects after a form, so the policy names the
// application's origin.
func (p *Provider) page(a *Answer, status int, name string, data any, formTarget string) {
	var body bytes.Buffer
	if err := p.pages.templates.ExecuteTemplate(&body, name, data); err != nil {
		a.write(http.StatusInternalServerError, "text/plain; charset=utf-8", []byte(err.Error()))
		return
	}
	a.Header.Set("Cache-Control", "no-store")
	a.Header.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action "+formTarget+"; base-uri 'none'; frame-ancestors 'none'")
	a.Header.Set("Referrer-Policy", "no-referrer")
	a.Header.Set("X-Content-Type-Options", "nosniff")
	a.Header.Set("Vary", "Accept-Language")
	a.write(status, "text/html; charset=utf-8", body.Bytes())
}

// choice is an agent on the login page.
type choice struct {
	Login, Name, Email, Organization string
	Roles                            []string
	Checked                          bool
}

func (p *Provider) loginPage(a *Answer, r *http.Request, i *interaction) {
	t := textsFor(r)
	data := struct {
		frame
		Client   string
		Demanded []string
		Action   string
		Agents   []choice
		Levels   []string
	}{
		frame:    p.frame(t, t.LogInTitle),
		Client:   i.request.clientID,
		Demanded: i.request.claims.essentialACR,
		Action:   p.issuer + pathInteraction + i.id,
		Levels:   supportedACRs(),
	}
	for n, agent := range p.choices(i.request) {
		organization, _ := agent.Claims["organization_label"].(string)
		data.Agents = append(data.Agents, choice{agent.Login, agent.name(), agent.Email(), organization, agent.roles(), n == 0})
	}
	p.page(a, http.StatusOK, "login", data, formTarget(i.request))
}

// errorPage shows a failure. The code is the one that the real provider shows; the
// detail is for developers. If the interaction is known and the code has a link, the
// page links back to the application.
func (p *Provider) errorPage(a *Answer, r *http.Request, code, detail string, i *interaction) {
	t := textsFor(r)
	row := pageErrorOf(code)
	meaning := row.french
	if t.Lang == "en" {
		meaning = row.english
	}
	var back string
	if i != nil && row.back.code != "" {
		back = withQuery(p.issuer+pathInteraction+i.id+pathInteractionError,
			"error", row.back.code, "error_description", row.back.description).String()
	}
	p.page(a, row.status, "error", struct {
		frame
		Code, Meaning, Detail, ID, Link string
	}{p.frame(t, t.ErrorTitle), code, meaning, detail, rand.Text(), back}, "'none'")
}

// mailCodePage asks for the code that was sent by e-mail, and also shows it, because no
// e-mail is sent. problem is the error code of the last try.
func (p *Provider) mailCodePage(a *Answer, r *http.Request, i *interaction, problem string) {
	t := textsFor(r)
	p.page(a, http.StatusOK, "mailcode", struct {
		frame
		Action, Email, MailCode, Problem, Meaning string
	}{p.frame(t, t.MailTitle), p.issuer + pathInteraction + i.id, i.email, p.sentCode(i.email), problem, t.mailProblem(problem)}, formTarget(i.request))
}

// formTarget is the origin of the application, for the Content-Security-Policy.
func formTarget(request authorization) string {
	u, err := url.Parse(request.redirectURI)
	if err != nil {
		return "'self'"
	}
	return "'self' " + u.Scheme + "://" + u.Host
}

func (p *Provider) loggedOutPage(a *Answer, r *http.Request) {
	t := textsFor(r)
	p.page(a, http.StatusOK, "loggedout", p.frame(t, t.LoggedOutTitle), "'none'")
}
