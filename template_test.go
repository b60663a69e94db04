package agentconnect_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"html/template"
	"strings"
	"testing"

	"github.com/agentconnect-go/agentconnect"
)

func TestWithPageTemplate(t *testing.T) {
	t.Parallel()
	const style = "body{color:#000091}"
	own := template.Must(template.New("own").Parse(`<!DOCTYPE html><html lang="{{.Lang}}"><style>{{.Style}}</style><h1>Ma démarche : {{.Title}}</h1>{{with .Support}}{{range .Facts}}{{.Name}}={{.Value}};{{end}}{{end}}`))
	a := newApp(t, agentconnect.WithPageTemplate(own, style))
	p := a.browser().navigate("/callback?state=unknown-state&code=c&error=%3Cscript%3E")
	p2 := a.browser().navigate("/callback?state=unknown-state&code=c")
	for _, got := range []page{p, p2} {
		if got.StatusCode != 400 || !strings.Contains(got.body, "<h1>Ma démarche : ") || !strings.Contains(got.body, style) || strings.Contains(got.body, "<script>") {
			t.Errorf("got status %d, %s, want the application's page", got.StatusCode, got.body)
		}
		hash := sha256.Sum256([]byte(style))
		if policy, want := got.Header.Get("Content-Security-Policy"), "style-src 'sha256-"+base64.StdEncoding.EncodeToString(hash[:])+"'"; !strings.Contains(policy, want) {
			t.Errorf("got policy %q, want %q in it", policy, want)
		}
	}
}

func TestWithPageTemplateThatFails(t *testing.T) {
	t.Parallel()
	for name, tmpl := range map[string]*template.Template{
		"nil":           nil,
		"unknown field": template.Must(template.New("t").Parse(`{{.Nothing}}`)),
		"logout page":   template.Must(template.New("t").Parse(`{{.Support.Contact}}`)),
	} {
		_, err := agentconnect.New(goodOptions(agentconnect.WithPageTemplate(tmpl, ""))...)
		var problem *agentconnect.ConfigError
		if !errors.As(err, &problem) || problem.Option != "WithPageTemplate" {
			t.Errorf("%s: got %v, want a ConfigError of WithPageTemplate", name, err)
		}
	}
}

func TestRequirementMet(t *testing.T) {
	t.Parallel()
	var agent agentconnect.Agent
	if err := json.Unmarshal([]byte(`{"sub":"s","email":"a@Culture.gouv.example","acr":"eidas1-mfa","custom":{"service":"archives","rank":null}}`), &agent); err != nil {
		t.Fatal(err)
	}
	is := func(want any) func(any) bool { return func(got any) bool { return got == want } }
	for _, tt := range []struct {
		name string
		r    agentconnect.Requirement
		want bool
	}{
		{"level reached", agentconnect.MFA(), true},
		{"level not reached", agentconnect.MinEIDAS(2), false},
		{"rule met", agentconnect.EmailDomain("culture.gouv.example"), true},
		{"rule not met", agentconnect.Role(agentconnect.RoleAgentPublic), false},
		{"custom, the value", agentconnect.CustomClaim("service", agentconnect.Reason{}, is("archives")), true},
		{"custom, another value", agentconnect.CustomClaim("service", agentconnect.Reason{}, is("musées")), false},
		{"custom, null", agentconnect.CustomClaim("rank", agentconnect.Reason{}, is(nil)), true},
		{"custom, absent", agentconnect.CustomClaim("none", agentconnect.Reason{}, func(any) bool { return true }), false},
		{"zero value", agentconnect.Requirement{}, false},
	} {
		if got := tt.r.Met(agent); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}
