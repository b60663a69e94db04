package settings_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/settings"
)

// text returns what the problems say.
func text(p *settings.Problems) string {
	return fmt.Sprint(p.Err(func(problem settings.Problem) error {
		return errors.New(problem.Option + ": " + problem.Reason + ": " + problem.Detail)
	}))
}

// No rule shows a secret, however it is written; a typing error is shown.
func TestProblemsShowNoSecret(t *testing.T) {
	t.Parallel()
	rules := map[string]func(*settings.Problems, string){
		"Issuer":        func(p *settings.Problems, s string) { p.Issuer("", "http://a.example/"+s) },
		"environment":   func(p *settings.Problems, s string) { p.Issuer(s, "") },
		"RegisteredURL": func(p *settings.Problems, s string) { p.RegisteredURL(settings.RedirectURL, "http://a.example/"+s, "") },
		"a wrong URL":   func(p *settings.Problems, s string) { p.RegisteredURL(settings.RedirectURL, s, "") },
		"Routes":        func(p *settings.Problems, s string) { p.Routes(settings.Route{Option: "x", Path: s}) },
		"two routes": func(p *settings.Problems, s string) {
			p.Routes(settings.Route{Option: "x", Path: "/" + s}, settings.Route{Option: "y", Path: "/" + s})
		},
		"Scopes":         func(p *settings.Problems, s string) { p.Scopes([]string{"openid", s, s}) },
		"Alg":            func(p *settings.Problems, s string) { p.Alg("x", s) },
		"AlgOrNone":      func(p *settings.Problems, s string) { p.AlgOrNone("x", s) },
		"CookieName":     func(p *settings.Problems, s string) { p.CookieName("x", s+"=") },
		"SupportContact": func(p *settings.Problems, s string) { p.SupportContact(s) },
		"an error":       func(p *settings.Problems, s string) { p.Add("x", "invalid", "%v", errors.New(s)) },
	}
	for name, judge := range rules {
		for _, secret := range []string{"s3cret-typo", "s3cret\n\"typo", "s3cret with spaces and more than sixteen bytes"} {
			p := &settings.Problems{}
			p.Hide(secret+"\n", "", "  ") // as it was copied; and nothing that would hide all
			judge(p, secret)
			got := text(p)
			if strings.Contains(got, "s3cret") || got == "<nil>" {
				t.Errorf("%s of %q: got %s, want a problem without the secret", name, secret, got)
			}
		}
	}
	p := &settings.Problems{}
	p.Alg("x", "RS265")
	if got, want := text(p), `x: invalid: "RS265" is not one of RS256, ES256, HS256`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestBetween(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		time.Second: "<nil>", time.Minute: "<nil>",
		time.Second - 1: "x: invalid: 999.999999ms is not between 1s and 1m0s", time.Minute + 1: "x: invalid: 1m0.000000001s is not between 1s and 1m0s",
	} {
		p := &settings.Problems{}
		p.Between("x", d, time.Second, time.Minute)
		if got := text(p); got != want {
			t.Errorf("%v: got %s, want %s", d, got, want)
		}
	}
}

// A variable has two names. Two values are one problem that shows neither.
func TestGet(t *testing.T) {
	for _, tt := range []struct{ name, former, want, problem string }{
		{"", "", "default", "<nil>"},
		{"a", "", "a", "<nil>"},
		{"", "b", "b", "<nil>"},
		{"a", "a", "a", "<nil>"},
		{"left", "right", "left", "WithClient (PROCONNECT_CLIENT_SECRET or AGENTCONNECT_CLIENT_SECRET): conflict: PROCONNECT_CLIENT_SECRET and AGENTCONNECT_CLIENT_SECRET are both set, to different values; keep one\n" +
			`x: invalid: "[redacted]" and "[redacted]"`},
	} {
		t.Setenv("PROCONNECT_CLIENT_SECRET", tt.name)
		t.Setenv("AGENTCONNECT_CLIENT_SECRET", tt.former)
		p, got := &settings.Problems{}, "default"
		settings.Read(p, settings.ClientSecret, &got)
		if tt.name == "left" {
			p.Add("x", "invalid", "%q and %q", "left", "right")
		}
		if got != tt.want || text(p) != tt.problem {
			t.Errorf("%q and %q: got %q, %s, want %q, %s", tt.name, tt.former, got, text(p), tt.want, tt.problem)
		}
	}
}

// Every variable names the option that records the same setting.
func TestVariablesHaveOptions(t *testing.T) {
	t.Parallel()
	for _, v := range []settings.Variable{
		settings.Environment, settings.Issuer, settings.ClientID, settings.ClientSecret, settings.RedirectURL,
		settings.PostLogoutRedirectURL, settings.IDTokenAlg, settings.UserinfoAlg, settings.Scopes,
	} {
		if got := v.Option(); !strings.HasPrefix(got, "With") {
			t.Errorf("%s: got option %q, want its function", v, got)
		}
	}
}

// An environment and its issuer are found by each other.
func TestEnvironments(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name            string
		production, rie bool
	}{{"integration", false, false}, {"production", true, false}, {"integration-rie", false, true}, {"production-rie", true, true}} {
		issuer := settings.IssuerOf(tt.name)
		if got := settings.EnvironmentOf(issuer); issuer == "" || got != tt.name {
			t.Errorf("%s: got issuer %q, and its environment %q", tt.name, issuer, got)
		}
		if settings.IsProduction(tt.name) != tt.production || settings.IsRIE(tt.name) != tt.rie {
			t.Errorf("%s: got production %v, RIE %v, want %v, %v", tt.name, !tt.production, !tt.rie, tt.production, tt.rie)
		}
	}
	for _, name := range []string{"", "prod", "Production", "https://auth.agentconnect.gouv.fr/api/v2/"} {
		if settings.IssuerOf(name) != "" || settings.EnvironmentOf(name) != "" || settings.IsProduction(name) || settings.IsRIE(name) {
			t.Errorf("%q: got an environment, want none", name)
		}
	}
}
