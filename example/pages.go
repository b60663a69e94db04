package main

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/agentconnect-go/agentconnect"
)

//go:embed web
var web embed.FS

// pages are the templates, by name.
type pages map[string]*template.Template

// parsePages parses the templates, which show the login button of auth.
func parsePages(auth *agentconnect.Authenticator, look official) (pages, error) {
	p := pages{}
	functions := template.FuncMap{
		"loginButton":      func(lang string) template.HTML { return look.button(auth, lang) },
		"buttonStyleSheet": look.styleSheet,
	}
	for _, name := range []string{"home", "loggedout", "agent", "mfa", "agents-publics", "dirigeants", "refused"} {
		t, err := template.New("").Funcs(functions).ParseFS(web, "web/layout.html", "web/"+name+".html")
		if err != nil {
			return nil, err
		}
		p[name] = t
	}
	return p, nil
}

// servicePage returns the template and the style sheet for the library's pages, so that
// they look like ours.
func servicePage() (*template.Template, string) {
	t := template.Must(template.ParseFS(web, "web/service.html"))
	style, err := web.ReadFile("web/style.css")
	if err != nil {
		panic("example: " + err.Error()) // the name is a constant
	}
	return t, string(style)
}

// A page is the data of a template.
type page struct {
	Lang     string
	Name     string // of the template
	Status   int
	LoggedIn bool
	Agent    agentconnect.Agent
	Since    time.Time // of the account, zero if there is none
	Zone     *time.Location
}

// Support returns the e-mail address of the support.
func (p page) Support() string { return supportContact }

// T returns the text in the language of the page.
func (p page) T(french, english string) string {
	if p.Lang == "en" {
		return english
	}
	return french
}

// Moment returns a time as the agents' clocks show it.
func (p page) Moment(t time.Time) string {
	return t.In(p.Zone).Format(p.T("02/01/2006 à 15:04 MST", "2 January 2006 at 15:04 MST"))
}

// FullName returns the agent's full name, as far as it is known.
func (p page) FullName() string {
	return strings.TrimSpace(p.Agent.GivenName + " " + p.Agent.UsualName)
}

// A claim is a line of the agent's data.
type claim struct{ Label, Name, Value string }

// Claims lists the agent's claims: first those with a label, then the others by name.
func (p page) Claims() []claim {
	values := p.Agent.Claims()
	var list []claim
	add := func(label, name string) {
		if value, ok := values[name]; ok {
			list = append(list, claim{label, name, p.claimText(name, value)})
			delete(values, name)
		}
	}
	add(p.T("Prénoms", "First names"), "given_name")
	add(p.T("Nom d’usage", "Last name"), "usual_name")
	add(p.T("Adresse électronique", "E-mail address"), "email")
	add(p.T("Téléphone", "Telephone"), "phone_number")
	add(p.T("Organisation", "Organisation"), "organization_label")
	add(p.T("Service", "Unit"), "organizational_unit")
	add(p.T("Population", "Population"), "belonging_population")
	add(p.T("Rôles", "Roles"), "roles")
	add("SIRET", "siret")
	add("SIREN", "siren")
	add(p.T("Matricule Chorus DT", "Chorus DT number"), "chorusdt:matricule")
	add(p.T("Société Chorus DT", "Chorus DT company"), "chorusdt:societe")
	add(p.T("Identifiant dans l’administration", "Identifier in the administration"), "uid")
	add(p.T("Identifiant ProConnect", "ProConnect identifier"), "sub")
	add(p.T("Fournisseur d’identité", "Identity provider"), "idp_id")
	add(p.T("Niveau donné par le fournisseur", "Level given by the provider"), "idp_acr")
	add(p.T("Niveau de la connexion", "Level of the login"), "acr")
	add(p.T("Moyens d’authentification", "Authentication methods"), "amr")
	add(p.T("Heure de la connexion", "Time of the login"), "auth_time")
	add(p.T("Données propres à l’administration", "Data of the administration’s own"), "custom")
	for _, name := range slices.Sorted(maps.Keys(values)) {
		list = append(list, claim{p.T("Autre donnée", "Other data"), name, p.claimText(name, values[name])})
	}
	return list
}

// claimText returns a claim as text for the page.
func (p page) claimText(name string, value any) string {
	switch v := value.(type) {
	case string:
		return v
	case []string:
		return strings.Join(v, ", ")
	case int64:
		if name == "auth_time" {
			return p.Moment(time.Unix(v, 0))
		}
	}
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return ""
	}
	return string(text)
}

// show answers with a page.
func (s *site) show(w http.ResponseWriter, r *http.Request, status int, name string) {
	agent, loggedIn := agentconnect.AgentFrom(r.Context())
	var body bytes.Buffer
	err := s.pages[name].ExecuteTemplate(&body, "layout.html", page{
		Lang: lang(r), Name: name, Status: status,
		LoggedIn: loggedIn, Agent: agent, Since: s.accounts.sinceOf(agent), Zone: s.paris,
	})
	if err != nil {
		s.logger.ErrorContext(r.Context(), "making a page", "page", name, "cause", err)
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", s.look.policy())
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Add("Vary", "Accept-Language")
	w.WriteHeader(status)
	w.Write(body.Bytes())
}

// asset serves a file of web/.
func asset(name, contentType string) http.HandlerFunc {
	data, err := web.ReadFile("web/" + name)
	if err != nil {
		panic("example: " + err.Error()) // the name is a constant
	}
	return serve(data, name, contentType)
}

// serve serves a file. Browsers revalidate it at each visit, but do not fetch it again.
func serve(data []byte, name, contentType string) http.HandlerFunc {
	sum := sha256.Sum256(data)
	tag := `"` + hex.EncodeToString(sum[:8]) + `"`
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", contentType)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-cache")
		h.Set("ETag", tag)
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(data))
	}
}
