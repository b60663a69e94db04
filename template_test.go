package agentconnect_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"net/http"
	"strings"
	"testing"

	"github.com/agentconnect-go/agentconnect"
)

func TestWithPageTemplate(t *testing.T) {
	t.Parallel()
	const style = "body{color:#000091}"
	own := template.Must(template.New("own").Parse(`<!DOCTYPE html><html lang="{{.Lang}}"><style>{{.Style}}</style><h1>Ma démarche : {{.Title}}</h1>{{with .Support}}contact=[{{.ContactURL}}]{{range .Facts}}{{.Name}}={{.Value}};{{end}}{{end}}`))
	a := newApp(t, agentconnect.WithPageTemplate(own, style))
	p := a.browser().navigate("/callback?state=unknown-state&code=c&error=%3Cscript%3E")
	p2 := a.browser().navigate("/callback?state=unknown-state&code=c")
	for _, got := range []page{p, p2} {
		if got.StatusCode != 400 || !strings.Contains(got.body, "<h1>Ma démarche : ") || !strings.Contains(got.body, style) || !strings.Contains(got.body, "contact=[]") || strings.Contains(got.body, "<script>") {
			t.Errorf("got status %d, %s, want the application's page", got.StatusCode, got.body)
		}
		hash := sha256.Sum256([]byte(style))
		if policy, want := got.Header.Get("Content-Security-Policy"), "style-src 'sha256-"+base64.StdEncoding.EncodeToString(hash[:])+"'"; !strings.Contains(policy, want) {
			t.Errorf("got policy %q, want %q in it", policy, want)
		}
	}
}

// A template that New could not see fail: the answer has the status, and no half
// of a page.
func TestPageTemplateThatFailsLater(t *testing.T) {
	t.Parallel()
	own := template.Must(template.New("own").Parse(`<h1>{{.Title}}</h1>{{if eq .Lang "en"}}{{.Nothing}}{{end}}`))
	a := newApp(t, agentconnect.WithPageTemplate(own, ""))
	for lang, want := range map[string]string{"fr": "<h1>Requête incorrecte</h1>", "en": "Bad Request\n"} {
		p := a.browser().do(http.MethodGet, "/callback", http.Header{"Sec-Fetch-Mode": {"navigate"}, "Accept-Language": {lang}}, "")
		if p.StatusCode != http.StatusBadRequest || p.body != want {
			t.Errorf("%s: got status %d, %q, want 400, %q", lang, p.StatusCode, p.body, want)
		}
	}
	if got := strings.Count(a.logs.String(), `"level":"ERROR","msg":"agentconnect: the template of the pages fails"`); got != 1 {
		t.Errorf("lines about the template in the log: got %d, want 1", got)
	}
}

func TestRequirementMet(t *testing.T) {
	t.Parallel()
	var agent agentconnect.Agent
	if err := json.Unmarshal([]byte(`{"sub":"s","email":"a@Culture.gouv.example","acr":"eidas1-mfa","custom":{"service":"archives","rank":null}}`), &agent); err != nil {
		t.Fatal(err)
	}
	service := agentconnect.Condition(agentconnect.Reason{}, func(a agentconnect.Agent) bool { return a.Custom()["service"] == "archives" })
	for _, tt := range []struct {
		name string
		r    agentconnect.Requirement
		want bool
	}{
		{"level reached", agentconnect.MFA(), true},
		{"level not reached", agentconnect.MinEIDAS(2), false},
		{"rule met", agentconnect.EmailDomain("culture.gouv.example"), true},
		{"rule not met", agentconnect.Role(agentconnect.RoleAgentPublic), false},
		{"a condition on the claim custom", service, true},
		{"zero value", agentconnect.Requirement{}, false},
	} {
		if got := tt.r.Met(agent); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}
