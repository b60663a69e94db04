package agentconnect_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

// documentedCodes returns every Code of the package with the status that its
// comment announces.
func documentedCodes(t *testing.T) map[agentconnect.Code]int {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "errors.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	status := regexp.MustCompile(`\((\d{3})[;)]`)
	codes := map[agentconnect.Code]int{}
	for _, decl := range file.Decls {
		constants, ok := decl.(*ast.GenDecl)
		if !ok || constants.Tok != token.CONST {
			continue
		}
		for _, spec := range constants.Specs {
			v := spec.(*ast.ValueSpec)
			if !strings.HasPrefix(strings.ToLower(v.Names[0].Name), "code") {
				continue
			}
			name, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			found := status.FindStringSubmatch(v.Doc.Text())
			if found == nil {
				t.Errorf("%s: the comment announces no status", v.Names[0].Name)
				continue
			}
			if _, twice := codes[agentconnect.Code(name)]; twice {
				t.Errorf("two codes are %q", name)
			}
			codes[agentconnect.Code(name)], _ = strconv.Atoi(found[1])
		}
	}
	if len(codes) < 20 {
		t.Fatalf("got codes %v, want all of them", codes)
	}
	return codes
}

// serveError returns the answer to a refusal, of what a browser (or, without a
// language, a program) sends.
func serveError(auth *agentconnect.Authenticator, language string, e agentconnect.Error) *http.Response {
	method := http.MethodGet
	if e.Code == agentconnect.CodeUnauthenticated {
		method = http.MethodPost // of which a navigation is a form
	}
	r := httptest.NewRequest(method, "/dossiers", nil)
	r.Header.Set("Accept", "application/json")
	if language != "" {
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		r.Header.Set("Accept", "text/html")
		r.Header.Set("Accept-Language", language)
	}
	w := httptest.NewRecorder()
	auth.ServeError(w, r, &e)
	return w.Result()
}

func pagesAuth(t *testing.T, opts ...agentconnect.Option) *agentconnect.Authenticator {
	t.Helper()
	auth, err := agentconnect.New(goodOptions(opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return auth
}

// A node is an element of a page.
type node struct {
	name     string
	attrs    map[string]string
	children []*node
	text     string // of the element and all that is in it
}

// parseHTML reads a page, whose elements are all closed or void.
func parseHTML(t *testing.T, page string) *node {
	t.Helper()
	body, ok := strings.CutPrefix(page, "<!DOCTYPE html>\n")
	if !ok {
		t.Fatalf("got %.40q, want a page that begins with its doctype", page)
	}
	d := xml.NewDecoder(strings.NewReader(body))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	root := &node{}
	open := []*node{root}
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in %s", err, page)
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			n := &node{name: tok.Name.Local, attrs: map[string]string{}}
			for _, a := range tok.Attr {
				n.attrs[a.Name.Local] = a.Value
			}
			parent := open[len(open)-1]
			parent.children = append(parent.children, n)
			open = append(open, n)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			for _, n := range open {
				n.text += string(tok)
			}
		}
	}
	return root
}

// all returns the elements of a name, in order; every element for "".
func (n *node) all(name string) []*node {
	var found []*node
	for _, c := range n.children {
		if name == "" || c.name == name {
			found = append(found, c)
		}
		found = append(found, c.all(name)...)
	}
	return found
}

// one returns the only element of a name.
func (n *node) one(t *testing.T, name string) *node {
	t.Helper()
	found := n.all(name)
	if len(found) != 1 {
		t.Fatalf("got %d elements %s, want 1", len(found), name)
	}
	return found[0]
}

// checkPage checks what every page of ours has and has not: RGAA 8.3, 8.5, 9.1,
// 9.2 and the policy that keeps anything else out.
func checkPage(t *testing.T, resp *http.Response, lang string) *node {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "X-Content-Type-Options": "nosniff", "Vary": "Accept-Language",
	} {
		if got := resp.Header.Values(name); !slices.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	doc := parseHTML(t, string(body))
	if got := doc.one(t, "html").attrs["lang"]; got != lang {
		t.Errorf("lang: got %q, want %q", got, lang)
	}
	title, h1 := doc.one(t, "title").text, doc.one(t, "h1").text
	if service := doc.all("header"); h1 == "" || len(service) == 0 && title != h1 || len(service) == 1 && title != h1+" – "+strings.TrimSpace(service[0].text) {
		t.Errorf("got title %q and h1 %q, want the same text, followed by the service's name if there is one", title, h1)
	}
	main := doc.one(t, "body").one(t, "main")
	if main.one(t, "h1").text != h1 {
		t.Error("the h1 is not in the main landmark")
	}
	if got := doc.all("meta"); len(got) != 2 || got[0].attrs["charset"] != "utf-8" || got[1].attrs["content"] != "width=device-width, initial-scale=1" {
		t.Errorf("got meta %v, want charset and viewport", got)
	}
	ids := map[string]bool{}
	for _, n := range doc.all("") {
		switch n.name {
		case "script", "img", "link", "iframe", "object", "embed", "base", "svg":
			t.Errorf("got an element %s", n.name)
		case "h3", "h4", "h5", "h6":
			t.Errorf("got a heading %s under h2 at most", n.name)
		case "a", "button", "li", "p", "dt", "dd", "h2", "summary", "label", "textarea":
			if strings.TrimSpace(n.text) == "" {
				t.Errorf("got an element %s without text", n.name)
			}
		}
		for name, value := range n.attrs {
			if strings.HasPrefix(name, "on") || name == "style" || name == "src" || name == "tabindex" {
				t.Errorf("got an attribute %s=%q of %s", name, value, n.name)
			}
			if u, err := url.Parse(value); (name == "href" || name == "action") &&
				(err != nil || u.Scheme != "" && u.Scheme != "https" && u.Scheme != "mailto" || u.Scheme == "" && !strings.HasPrefix(value, "/")) {
				t.Errorf("got %s=%q, want a local path, https or mailto", name, value)
			}
		}
		if id := n.attrs["id"]; id != "" {
			if ids[id] {
				t.Errorf("got the id %q twice", id)
			}
			ids[id] = true
		}
	}
	for _, n := range doc.all("") {
		if label := n.attrs["aria-labelledby"]; label != "" && !ids[label] {
			t.Errorf("got aria-labelledby=%q, want the id of an element", label)
		}
	}

	policy := map[string]string{}
	for directive := range strings.SplitSeq(resp.Header.Get("Content-Security-Policy"), ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), " ")
		policy[name] = value
	}
	hash := sha256.Sum256([]byte(doc.one(t, "style").text))
	want := map[string]string{
		"default-src": "'none'", "base-uri": "'none'", "frame-ancestors": "'none'", "form-action": "'none'",
		"style-src": "'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'",
	}
	if len(doc.all("form")) != 0 {
		delete(want, "form-action") // browsers would hold it against the provider's redirects
	}
	if !maps.Equal(policy, want) {
		t.Errorf("Content-Security-Policy: got %v, want %v", policy, want)
	}
	return doc
}

// Each code has its status, as documented, and a page of its own in French and
// in English.
func TestPagesOfEveryCode(t *testing.T) {
	t.Parallel()
	auth := pagesAuth(t)
	texts := map[string]agentconnect.Code{}
	for code, status := range documentedCodes(t) {
		pages := map[string]string{}
		for _, lang := range []string{"fr", "en"} {
			resp := serveError(auth, lang, agentconnect.Error{Code: code, ID: "0123456789abcdef"})
			if resp.StatusCode != status {
				t.Errorf("%s: got status %d, want %d", code, resp.StatusCode, status)
			}
			doc := checkPage(t, resp, lang)
			var paragraphs []string
			for _, p := range doc.all("p") {
				paragraphs = append(paragraphs, p.text)
			}
			if len(paragraphs) != 3 {
				t.Fatalf("%s: got paragraphs %q, want what happened, what it means and what to do", code, paragraphs)
			}
			text := doc.one(t, "h1").text + " / " + paragraphs[0]
			if other, ok := texts[text]; ok {
				t.Errorf("%s: got %q, which is the text of %s", code, text, other)
			}
			texts[text] = code
			pages[lang] = doc.one(t, "main").text
			for _, fact := range []string{string(code), "0123456789abcdef", "client-id", "https://provider.example/api/v2"} {
				if !strings.Contains(doc.one(t, "section").text, fact) {
					t.Errorf("%s: the information for support has no %q", code, fact)
				}
			}
		}
		if pages["fr"] == pages["en"] {
			t.Errorf("%s: got the same page in both languages", code)
		}
	}
}

// Each code as a program reads it: the members of RFC 9457, ours, and no others.
func TestProblemsOfEveryCode(t *testing.T) {
	t.Parallel()
	auth := pagesAuth(t)
	for code, status := range documentedCodes(t) {
		for _, full := range []bool{false, true} {
			e := agentconnect.Error{Code: code, ID: "0123456789abcdef"}
			want := map[string]any{"type": "about:blank", "status": float64(status), "code": string(code), "error_id": e.ID}
			if full {
				e.ProviderError, e.ProviderDescription = "provider-text", "provider-text"
				e.AcceptedACR = []string{"eidas2", "eidas3"}
				e.Reasons = []agentconnect.Reason{{French: "une raison", English: "a reason"}, {French: "une autre"}}
				e.ReturnTo = "/dossiers?a=b"
				want["accepted_acr"], want["reasons"] = []any{"eidas2", "eidas3"}, []any{"a reason", "une autre"}
			}
			resp := serveError(auth, "", e)
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != status || resp.Header.Get("Content-Type") != "application/problem+json" || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: got status %d, headers %v, want %d and a problem", code, resp.StatusCode, resp.Header, status)
			}
			var got map[string]any
			if err := json.Unmarshal(body, &got); err != nil {
				t.Fatalf("%s: %v in %s", code, err, body)
			}
			for _, text := range []string{"title", "detail"} {
				if s, _ := got[text].(string); s == "" {
					t.Errorf("%s: got %s %v, want a text", code, text, got[text])
				}
				delete(got, text)
			}
			login, ok := got["login_url"]
			if want := !slices.Contains([]agentconnect.Code{
				agentconnect.CodeForbidden, agentconnect.CodeLoginRefused, "identity_refused", "domain_refused", "method_not_allowed", "cross_origin",
				"request_rejected", "invalid_client", agentconnect.CodeSessionStore,
			}, code); ok != want {
				t.Errorf("%s: got login_url %v, want one where a new login can help: %t", code, login, want)
			}
			if ok {
				u, err := url.Parse(login.(string))
				if err != nil || u.Path != "/login" {
					t.Errorf("%s: got login_url %v, want the login's (%v)", code, login, err)
					continue
				}
				// The level that is demanded goes with it, sealed.
				query := u.Query()
				if query.Get("return_to") != e.ReturnTo || query.Has("request") != full {
					t.Errorf("%s: got login_url %v, want one that comes back to %q, with a level: %t", code, login, e.ReturnTo, full)
				}
				delete(got, "login_url")
			}
			gotJSON, _ := json.Marshal(got)
			wantJSON, _ := json.Marshal(want)
			if string(gotJSON) != string(wantJSON) {
				t.Errorf("%s: got members %s, want %s", code, gotJSON, wantJSON)
			}
		}
	}
}

// An application's own refusal has the status that it says, or that of the code.
func TestServeErrorOfAnApplication(t *testing.T) {
	t.Parallel()
	auth := pagesAuth(t)
	for _, language := range []string{"fr", ""} {
		for status, want := range map[int]int{0: http.StatusForbidden, http.StatusUnavailableForLegalReasons: http.StatusUnavailableForLegalReasons} {
			if got := serveError(auth, language, agentconnect.Error{Code: agentconnect.CodeForbidden, Status: status}).StatusCode; got != want {
				t.Errorf("Status %d: got %d, want %d", status, got, want)
			}
		}
	}
	if got, want := (&agentconnect.Error{Code: agentconnect.CodeForbidden}).Error(), "agentconnect: forbidden"; got != want {
		t.Errorf("Error: got %q, want %q", got, want)
	}
}

// supportText returns the lines that a page has for support, by their names.
func supportText(t *testing.T, doc *node) map[string]string {
	t.Helper()
	facts := map[string]string{}
	for line := range strings.Lines(doc.one(t, "textarea").text) {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), map[string]string{"fr": " : ", "en": ": "}[doc.one(t, "html").attrs["lang"]])
		if _, twice := facts[name]; !ok || twice || value == "" {
			t.Errorf("got the line %q, want a name and its value, once", line)
		}
		facts[name] = value
	}
	for i, term := range doc.all("dt") { // what is shown is also what is copied
		if got, want := doc.all("dd")[i].text, facts[term.text]; got != want {
			t.Errorf("%s: got %q beside the text to copy, want %q as in it", term.text, got, want)
		}
	}
	return facts
}

// providerText returns the provider's words on a page.
func providerText(t *testing.T, doc *node) string {
	t.Helper()
	return supportText(t, doc)[map[string]string{"fr": "Réponse du fournisseur (texte non vérifié)", "en": "The provider’s answer (unverified text)"}[doc.one(t, "html").attrs["lang"]]]
}

// paragraphs returns the text of a page's paragraphs.
func (n *node) paragraphs() []string {
	var texts []string
	for _, p := range n.all("p") {
		texts = append(texts, p.text)
	}
	return texts
}

// offers returns what a page offers: its buttons, in order.
func (n *node) offers() []string {
	var labels []string
	for _, c := range n.all("") {
		if strings.HasPrefix(c.attrs["class"], "button") {
			labels = append(labels, c.text)
		}
	}
	return labels
}

// What the page adds when more is known about the refusal.
func TestPagesSayWhy(t *testing.T) {
	t.Parallel()
	auth := pagesAuth(t)
	acr := []string{agentconnect.ACREIDAS2}
	hook := []agentconnect.Reason{{French: "Votre compte est clos.", English: "Your account is closed."}}
	for _, tt := range []struct {
		name     string
		e        agentconnect.Error
		fr, en   string // the paragraph beside the three of the code
		provider string // what the provider says, for support
	}{
		{"nothing", agentconnect.Error{Code: "provider_error"}, "", "", ""},
		{"an error", agentconnect.Error{Code: "provider_error", ProviderError: "server_error"}, "", "", "server_error"},
		{"a description", agentconnect.Error{Code: "provider_error", ProviderDescription: "later"}, "", "", "later"},
		{"both", agentconnect.Error{Code: "access_denied", ProviderError: "access_denied", ProviderDescription: "later"}, "", "", "access_denied – later"},
		{"denied where a level was demanded", agentconnect.Error{Code: "access_denied", AcceptedACR: acr},
			"Connectez-vous de nouveau avec un moyen d’authentification plus sûr. Si votre administration n’en propose pas, adressez-vous à son service informatique.",
			"Log in again with a stronger means of authentication. If your administration offers none, ask its IT department.", ""},
		{"denied where none was", agentconnect.Error{Code: "access_denied"}, "", "", ""},
		{"another error where a level was demanded", agentconnect.Error{Code: "provider_error", AcceptedACR: acr}, "", "", ""},
		{"the hook's reason", agentconnect.Error{Code: agentconnect.CodeLoginRefused, Reasons: hook}, "Votre compte est clos.", "Your account is closed.", ""},
	} {
		for lang, want := range map[string]string{"fr": tt.fr, "en": tt.en} {
			doc := checkPage(t, serveError(auth, lang, tt.e), lang)
			plain := checkPage(t, serveError(auth, lang, agentconnect.Error{Code: tt.e.Code}), lang).paragraphs()
			added := slices.DeleteFunc(doc.paragraphs(), func(p string) bool { return slices.Contains(plain, p) })
			if got := strings.Join(added, " / "); got != want {
				t.Errorf("%s, %s: got %q beside the paragraphs of the code, want %q", tt.name, lang, got, want)
			}
			if got := providerText(t, doc); got != tt.provider {
				t.Errorf("%s, %s: got the provider's text %q, want %q", tt.name, lang, got, tt.provider)
			}
		}
	}
}

// A certification that failed, or was given up, says who can have it, and does not send
// the head of a company to an IT department.
func TestPagesOfTheCertification(t *testing.T) {
	t.Parallel()
	auth := pagesAuth(t)
	who := map[string][]string{
		"fr": {"compte FranceConnect", "organismes publics", "associations", "une autre façon"},
		"en": {"FranceConnect account", "public bodies", "associations", "another way"},
	}
	for _, tt := range []struct {
		code   agentconnect.Code
		fr, en string
	}{
		{agentconnect.CodeInsufficientLevel, "Votre statut de dirigeant n’a pas pu être confirmé.", "Your status as the head of a company could not be confirmed."},
		{"access_denied", "vous avez abandonné la connexion", "you gave the login up"},
		{"provider_session_lost", "vous l’avez abandonnée", "you gave it up"},
	} {
		for lang, happened := range map[string]string{"fr": tt.fr, "en": tt.en} {
			doc := checkPage(t, serveError(auth, lang, agentconnect.Error{Code: tt.code, AcceptedACR: []string{agentconnect.ACRCertificationDirigeant}}), lang)
			text := doc.one(t, "main").text
			for _, want := range append(who[lang], happened) {
				if !strings.Contains(text, want) {
					t.Errorf("%s, %s: got %q, want %q in it", tt.code, lang, text, want)
				}
			}
			for _, wrong := range []string{"informatique", "IT department", "plus sûr"} {
				if strings.Contains(text, wrong) {
					t.Errorf("%s, %s: got %q, want no %q", tt.code, lang, text, wrong)
				}
			}
		}
	}
}

// Only what is demanded stands under "What is demanded here".
func TestPagesListDemandsAlone(t *testing.T) {
	t.Parallel()
	auth := pagesAuth(t)
	reasons := []agentconnect.Reason{{French: "une raison", English: "a reason"}}
	for code := range documentedCodes(t) {
		doc := checkPage(t, serveError(auth, "fr", agentconnect.Error{Code: code, Reasons: reasons}), "fr")
		want := code == agentconnect.CodeForbidden || code == agentconnect.CodeInsufficientLevel
		if got := len(doc.all("li")) == 1; got != want {
			t.Errorf("%s: got a list of demands: %t, want %t", code, got, want)
		}
		if got := strings.Contains(doc.one(t, "main").text, "Ce qui est demandé ici"); got != want {
			t.Errorf("%s: got a heading of demands: %t, want %t", code, got, want)
		}
		if got := slices.Contains(doc.paragraphs(), "une raison"); got == want {
			t.Errorf("%s: got the reason as a paragraph: %t, want %t", code, got, !want)
		}
	}
}

// The one line of a refusal: at which level, and with what beside its code. The
// provider's words, which anybody can forge, are there when they are a name.
func TestRefusalsInTheLog(t *testing.T) {
	t.Parallel()
	callback := func(providerError string) func(*app, *browser) {
		return func(a *app, b *browser) {
			a.provider.Inject(agentconnecttest.CallbackError(providerError, "a description"))
			b.navigate(b.callback("/login", "marie").String())
		}
	}
	for _, tt := range []struct {
		name   string
		refuse func(*app, *browser)
		level  string
		code   agentconnect.Code
		beside map[string]string
	}{
		{"a stranger", func(_ *app, b *browser) { b.fetch("/dossiers") }, "DEBUG", agentconnect.CodeUnauthenticated, nil},
		{"a role that lacks", func(_ *app, b *browser) { b.login("/agents-publics", "karim") }, "WARN", agentconnect.CodeForbidden, nil},
		{"a callback of nobody", func(_ *app, b *browser) { b.navigate("/callback?code=x") }, "WARN", "invalid_request", map[string]string{"cause": "the parameter state is missing"}},
		{"a store that is down", func(a *app, b *browser) {
			a.store.setFailure(errors.New("down"))
			b.setCookie("agentconnect", strings.Repeat("s", 43))
			b.navigate("/dossiers")
		}, "ERROR", agentconnect.CodeSessionStore, map[string]string{"cause": "session store: down"}},
		{"an error of the provider", callback("server_error"), "ERROR", "provider_error", map[string]string{"provider_error": "server_error"}},
		{"of 64 letters", callback(strings.Repeat("x", 64)), "ERROR", "provider_error", map[string]string{"provider_error": strings.Repeat("x", 64)}},
		{"of 65 letters", callback(strings.Repeat("x", 65)), "ERROR", "provider_error", nil},
		{"that is no name", callback("Marie a@b.example"), "ERROR", "provider_error", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t)
			tt.refuse(a, a.browser())
			var got map[string]any
			for line := range strings.Lines(a.logs.String()) {
				if strings.Contains(line, `"msg":"agentconnect: refused"`) {
					if err := json.Unmarshal([]byte(line), &got); err != nil {
						t.Fatal(err)
					}
				}
			}
			if got["level"] != tt.level || got["code"] != string(tt.code) {
				t.Errorf("got level %v, code %v, want %s, %s", got["level"], got["code"], tt.level, tt.code)
			}
			for _, name := range []string{"time", "level", "msg", "code", "status", "error_id"} {
				if _, ok := got[name]; !ok {
					t.Errorf("got no %s", name)
				}
				delete(got, name)
			}
			for name, value := range got {
				if want, ok := tt.beside[name]; !ok || value != want {
					t.Errorf("got %s %q, want %q", name, value, want)
				}
			}
			if len(got) != len(tt.beside) {
				t.Errorf("got %v beside the code, want %v", got, tt.beside)
			}
		})
	}
}

func TestPageLanguage(t *testing.T) {
	t.Parallel()
	auth := pagesAuth(t)
	for _, tt := range []struct {
		accept []string
		want   string
	}{
		{nil, "fr"},
		{[]string{""}, "fr"},
		{[]string{"*"}, "fr"},
		{[]string{"fr"}, "fr"},
		{[]string{"fr-FR,fr;q=0.9,en-US;q=0.8,en;q=0.7"}, "fr"},
		{[]string{"en"}, "en"},
		{[]string{"EN"}, "en"},
		{[]string{"en-GB,en;q=0.9"}, "en"},
		{[]string{"en-US,en;q=0.9,fr;q=0.8"}, "en"},
		{[]string{"en;q=0.8,fr;q=0.9"}, "fr"},
		{[]string{"en ; q=0.8 , fr ; q=0.7"}, "en"},
		{[]string{"en;Q=0.1"}, "en"},
		{[]string{"fr,en"}, "fr"}, // equal: French first
		{[]string{"en,fr"}, "fr"},
		{[]string{"de"}, "fr"},
		{[]string{"de-DE,de;q=0.9,en;q=0.5"}, "en"},
		{[]string{"de,fr;q=0.3,en;q=0.5"}, "en"},
		{[]string{"en;q=0"}, "fr"},
		{[]string{"en;q=0,fr;q=0"}, "fr"},
		{[]string{"fr;q=0,en;q=0.1"}, "en"},
		{[]string{"fr;q=0,*"}, "fr"}, // neither is named with a weight: the default
		{[]string{"en;q=0.3,*;q=0.5"}, "fr"},
		{[]string{"en;q=0.5,*;q=0.3"}, "en"},
		{[]string{"english"}, "fr"},
		{[]string{"enm"}, "fr"}, // Middle English
		{[]string{"de", "en;q=0.5"}, "en"},
		{[]string{"en;q=x"}, "fr"},
		{[]string{"fr,en;q=1e999"}, "fr"},
		{[]string{",;,;q=,en;;;"}, "en"},
		{[]string{strings.Repeat("en;q=0,", 500) + "fr"}, "fr"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		r.Header["Accept-Language"] = tt.accept
		w := httptest.NewRecorder()
		auth.ServeError(w, r, &agentconnect.Error{Code: agentconnect.CodeInternal})
		if got := parseHTML(t, w.Body.String()).one(t, "html").attrs["lang"]; got != tt.want {
			t.Errorf("%.60q: got %q, want %q", tt.accept, got, tt.want)
		}
	}
}

// Text of others is shown as text, and said to be theirs.
func TestPagesEscapeWhatOthersSay(t *testing.T) {
	t.Parallel()
	const markup = `</dd></style><script>alert('x')</script><img src=x onerror="alert(1)">&amp; "'` + "`{{.}}"
	auth := pagesAuth(t, agentconnect.WithSupportContact("https://assistance.example.gouv.fr/?a=1&b=<i>"))
	for _, lang := range []string{"fr", "en"} {
		doc := checkPage(t, serveError(auth, lang, agentconnect.Error{
			Code: "provider_error", ID: markup,
			ProviderError: markup, ProviderDescription: "description " + markup,
			Reasons:  []agentconnect.Reason{{French: "fr " + markup, English: "en " + markup}},
			ReturnTo: `/x?"><script>alert(1)</script>`,
		}), lang)
		if got, want := doc.paragraphs()[1], lang+" "+markup; got != want {
			t.Errorf("reason: got %q, want %q", got, want)
		}
		if got, want := providerText(t, doc), markup+" – description "+markup; got != want {
			t.Errorf("the provider's text: got %q, want %q", got, want)
		}
		if got, want := doc.all("a")[0].attrs["href"], "/login?return_to="+url.QueryEscape("/x?%22%3E%3Cscript%3Ealert(1)%3C/script%3E"); got != want {
			t.Errorf("login: got %q, want %q", got, want)
		}
	}

	// The same from a provider that goes wrong, on the whole way.
	a := newApp(t)
	for _, fault := range []agentconnecttest.Fault{agentconnecttest.Fault("callback-markup-error"), agentconnecttest.Fault("callback-control-error")} {
		a.provider.Clear()
		a.provider.Inject(fault)
		b := a.browser()
		p := b.navigate(b.callback("/login", "marie").String())
		p.Response.Body = io.NopCloser(strings.NewReader(p.body))
		if p.StatusCode < 400 {
			t.Errorf("%s: got status %d, want a refusal", fault, p.StatusCode)
		}
		if text := checkPage(t, p.Response, "fr").one(t, "textarea").text; strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
			t.Errorf("%s: got %q, want printable text alone", fault, text)
		}
	}
}

func TestPagesSayWhomToAsk(t *testing.T) {
	t.Parallel()
	for contact, want := range map[string]string{
		"":                                     "",
		"assistance@demarches.example.gouv.fr": "mailto:assistance@demarches.example.gouv.fr",
		"https://assistance.example.gouv.fr/?a=b": "https://assistance.example.gouv.fr/?a=b",
	} {
		auth := pagesAuth(t, agentconnect.WithSupportContact(contact))
		section := checkPage(t, serveError(auth, "fr", agentconnect.Error{Code: agentconnect.CodeForbidden}), "fr").one(t, "section")
		links := section.all("a")
		switch {
		case want == "" && len(links) != 0:
			t.Errorf("without a contact: got a link to %q", links[0].attrs["href"])
		case want != "" && (len(links) != 1 || links[0].attrs["href"] != want || links[0].text != contact):
			t.Errorf("%s: got %d links in %q, want one to %s", contact, len(links), section.text, want)
		}
	}
}

// The pages as a browser gets them, and who may put one of its own in their
// place.
func TestErrorHandler(t *testing.T) {
	t.Parallel()
	type seen struct {
		code   agentconnect.Code
		status int
		id     string
	}
	var handled []seen
	own := func(w http.ResponseWriter, r *http.Request, e *agentconnect.Error) {
		handled = append(handled, seen{e.Code, e.Status, e.ID})
		w.WriteHeader(http.StatusTeapot)
		io.WriteString(w, "own "+string(e.Code))
	}
	var fallback *app
	handlers := map[string]agentconnect.ErrorHandler{
		"none": nil,
		"own":  own,
		"falls back": func(w http.ResponseWriter, r *http.Request, e *agentconnect.Error) {
			w.Header().Set("Own", "yes")
			fallback.auth.ServeError(w, r, e)
		},
	}
	for name, handler := range handlers {
		t.Run(name, func(t *testing.T) {
			var opts []agentconnect.Option
			if handler != nil {
				opts = append(opts, agentconnect.WithErrorHandler(handler))
			}
			a := newApp(t, opts...)
			if name == "falls back" {
				fallback = a
			}
			for _, tt := range []struct {
				what   string
				send   func(*browser) page
				code   agentconnect.Code
				status int
				html   bool
			}{
				{"a callback without parameters", func(b *browser) page { return b.navigate("/callback") }, "invalid_request", 400, true},
				{"a callback of nobody", func(b *browser) page { return b.navigate("/callback?code=abcdefgh&state=" + strings.Repeat("s", 43)) }, "unknown_state", 400, true},
				{"a method", func(b *browser) page { return b.do(http.MethodPut, "/login", nil, "") }, "method_not_allowed", 405, false},
				{"a stranger's fetch", func(b *browser) page { return b.fetch("/dossiers") }, agentconnect.CodeUnauthenticated, 401, false},
				{"a stranger's form", func(b *browser) page { return b.post("/dossiers", nil) }, agentconnect.CodeUnauthenticated, 401, true},
				{"a logout of another site", func(b *browser) page {
					return b.do(http.MethodPost, "/logout", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"navigate"}, "Accept": {"text/html"}}, "")
				}, "cross_origin", 403, true},
				{"a refused login", func(b *browser) page {
					return b.navigate(b.callback("/login", "marie", agentconnecttest.Refusing()).String())
				}, "provider_session_lost", 403, true},
				{"a role that lacks", func(b *browser) page {
					b.login("/dossiers", "karim")
					return b.navigate("/agents-publics")
				}, agentconnect.CodeForbidden, 403, true},
				{"a store that is down", func(b *browser) page {
					b.login("/dossiers", "karim")
					a.store.setFailure(errors.New("down"))
					defer a.store.setFailure(nil)
					return b.navigate("/dossiers")
				}, agentconnect.CodeSessionStore, 503, true},
			} {
				handled = nil
				logged := len(a.logs.String())
				p := tt.send(a.browser())
				if got := p.Header.Get("Cache-Control"); got != "no-store" {
					t.Errorf("%s: got Cache-Control %q, want no-store", tt.what, got)
				}
				line := lastRefusal(t, a.logs.String()[logged:])
				if line.Code != string(tt.code) || line.Status != tt.status || len(line.ErrorID) != 16 {
					t.Errorf("%s: got the log line %+v, want %s, %d and an error_id", tt.what, line, tt.code, tt.status)
				}
				if name == "own" {
					if p.StatusCode != http.StatusTeapot || p.body != "own "+string(tt.code) {
						t.Errorf("%s: got status %d, %q, want the handler's answer", tt.what, p.StatusCode, p.body)
					}
					if want := (seen{tt.code, tt.status, line.ErrorID}); !slices.Equal(handled, []seen{want}) {
						t.Errorf("%s: got the handler called with %+v, want once with %+v", tt.what, handled, want)
					}
					continue
				}
				if p.StatusCode != tt.status || !strings.Contains(p.body, line.ErrorID) || (p.Header.Get("Own") != "") != (name == "falls back") {
					t.Errorf("%s: got status %d, headers %v, want %d, and the error_id %s on the page: %s", tt.what, p.StatusCode, p.Header, tt.status, line.ErrorID, p.body)
				}
				if !tt.html {
					if p.problem() != string(tt.code) {
						t.Errorf("%s: got problem %q, want %q", tt.what, p.problem(), tt.code)
					}
					continue
				}
				p.Response.Body = io.NopCloser(strings.NewReader(p.body))
				checkPage(t, p.Response, "fr")
			}
		})
	}
}

type refusalLine struct {
	Msg     string `json:"msg"`
	Code    string `json:"code"`
	Status  int    `json:"status"`
	ErrorID string `json:"error_id"`
}

// lastRefusal returns the last line that logs a refusal.
func lastRefusal(t *testing.T, logs string) (last refusalLine) {
	t.Helper()
	for line := range strings.Lines(logs) {
		var l refusalLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if l.Code != "" {
			last = l
		}
	}
	return last
}

// GET /logout ends nothing: it has a button, whose form the policy lets through.
func TestLogoutPage(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	b.login("/dossiers", "marie")
	for lang, title := range map[string]string{"fr": "Se déconnecter", "en": "Log out"} {
		header := http.Header{"Sec-Fetch-Mode": {"navigate"}, "Accept": {"text/html"}, "Accept-Language": {lang}}
		p := b.do(http.MethodGet, "/logout", header, "")
		p.Response.Body = io.NopCloser(strings.NewReader(p.body))
		doc := checkPage(t, p.Response, lang)
		form := doc.one(t, "form")
		if p.StatusCode != http.StatusOK || doc.one(t, "h1").text != title || len(doc.paragraphs()) != 1 || len(doc.all("section")) != 0 || form.attrs["method"] != "post" || form.attrs["action"] != "/logout" || form.one(t, "button").attrs["type"] != "submit" {
			t.Errorf("%s: got status %d, %s, want a form that posts to /logout", lang, p.StatusCode, p.body)
		}
		if head := b.do(http.MethodHead, "/logout", header, ""); head.StatusCode != http.StatusOK || head.body != "" {
			t.Errorf("HEAD: got status %d, %q, want 200 and no body", head.StatusCode, head.body)
		}
	}
	if b.sub() == "" {
		t.Error("GET /logout ended the session")
	}
	if p := b.post("/logout", nil); !strings.HasPrefix(p.location(), a.provider.Issuer) || b.sub() != "" {
		t.Errorf("the button: got %q, want the provider, and no session", p.location())
	}
}

// The page tells the time of the refusal as the agents' clocks show it, which
// support asks for.
func TestPagesTellTheTime(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 7, 22, 22, 59, 30, 0, time.UTC)
	auth := pagesAuth(t, agentconnect.WithClock(func() time.Time { return at }))
	for lang, want := range map[string]string{"fr": "23/07/2026 00:59:30 (heure de Paris)", "en": "23/07/2026 00:59:30 (Paris time)"} {
		doc := checkPage(t, serveError(auth, lang, agentconnect.Error{Code: agentconnect.CodeInternal, ID: "0123456789abcdef"}), lang)
		if got := doc.all("dd")[2].text; got != want {
			t.Errorf("%s: got %q, want %q", lang, got, want)
		}
	}
}

// Support asks for the environment.
func TestPagesNameTheEnvironment(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	auth := a.newAuth(agentconnect.WithIssuer(""), agentconnect.WithEnvironment(agentconnect.Integration))
	p := a.browserOf(http.HandlerFunc(auth.Callback)).navigate("/callback")
	if p.StatusCode != http.StatusBadRequest || !strings.Contains(p.body, "Environnement : integration\n") {
		t.Errorf("got status %d, %s, want a page that names the environment", p.StatusCode, p.body)
	}
}
