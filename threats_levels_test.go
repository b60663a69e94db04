package agentconnect_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

// A required acr is verified in the ID token, as an exact member of what is
// accepted: missing, of another case, a list, or in the userinfo only, it is a
// 403 with instructions, and the session stays as it was.
func TestThreatACRFaults(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	session := a.sessionOf("marie")
	for _, info := range agentconnecttest.Faults() {
		if !info.Level {
			continue
		}
		for _, cookie := range []string{"", session} {
			t.Run(fmt.Sprintf("%s, logged in: %t", info.Fault, cookie != ""), func(t *testing.T) {
				a := a.in(t)
				b := a.browser()
				if cookie != "" {
					b.setCookie("agentconnect", cookie)
				}
				a.provider.Inject(info.Fault)
				defer a.provider.Clear()
				callback := b.callback("/mfa-only?a=b", "marie", agentconnecttest.WithACR("eidas1-mfa"))
				want := refusal{code: agentconnect.CodeInsufficientLevel, exchanges: 1, userinfos: 1, again: "/login?return_to=%2Fmfa-only%3Fa%3Db"}
				if info.Fault == agentconnecttest.Fault("id-token-case-acr") { // not even an ID token
					want.code, want.userinfos = "invalid_id_token", 0
				}
				p := b.refused(want, func() page { return b.navigate(callback.String()) })
				if want.code == agentconnect.CodeInsufficientLevel && !strings.Contains(p.body, "Connectez-vous de nouveau avec un moyen d’authentification plus sûr") {
					t.Errorf("the page does not say what to do: %s", p.body)
				}
			})
		}
	}
}

// A default level is verified at each login, whatever was asked for.
func TestThreatLevelOfEveryLogin(t *testing.T) {
	t.Parallel()
	a := newApp(t, agentconnect.WithLevel(agentconnect.MFA()))
	b := a.browser()
	a.provider.Inject(agentconnecttest.Fault("id-token-missing-acr"))
	callback := b.callback("/login?return_to=/dossiers/7", "marie", agentconnecttest.WithACR("eidas1-mfa"))
	b.refused(refusal{code: agentconnect.CodeInsufficientLevel, exchanges: 1, userinfos: 1, again: refusedPage}, func() page { return b.navigate(callback.String()) })
	a.provider.Clear()
	b.expectLogin(b.callback("/login?return_to=/dossiers/7", "marie", agentconnecttest.WithACR("eidas1-mfa")), "marie", "/dossiers/7")
}

// An access rule of every login is verified before there is a session.
func TestThreatRuleOfEveryLogin(t *testing.T) {
	t.Parallel()
	a := newApp(t, agentconnect.WithLevel(agentconnect.Role(agentconnect.RoleAgentPublic)))
	b := a.loggedIn("marie")
	callback := b.callback("/login?return_to=/dossiers/7", "karim")
	p := b.refused(refusal{code: agentconnect.CodeForbidden, exchanges: 1, userinfos: 1}, func() page { return b.navigate(callback.String()) })
	if !strings.Contains(p.body, "un compte que ProConnect reconnaît comme celui d’un agent public") {
		t.Errorf("the page does not say which condition is not met: %s", p.body)
	}
}

// A link to a login of a higher level leaves the level of every other login
// alone, also while both are opened at once.
func TestThreatLevelOfOneLogin(t *testing.T) {
	t.Parallel()
	a := newApp(t, agentconnect.WithLevel(agentconnect.MinEIDAS(1)))
	higher, err := a.auth.LoginURL(agentconnect.LoginOptions{Level: []agentconnect.Requirement{agentconnect.MinEIDAS(3)}})
	if err != nil {
		t.Fatal(err)
	}
	var ended sync.WaitGroup
	for range 4 {
		for _, login := range []string{higher, "/login"} {
			b := a.browser()
			ended.Go(func() {
				u, err := url.Parse(b.navigate(login).location())
				want := `{"id_token":{"acr":{"essential":true,"values":["eidas1","eidas1-mfa","eidas2","eidas3"]}}}`
				if login == higher {
					want = `{"id_token":{"acr":{"essential":true,"values":["eidas3"]}}}`
				}
				if got := u.Query().Get("claims"); err != nil || got != want {
					t.Errorf("%.20s: got claims %s, %v, want %s", login, got, err, want)
				}
			})
		}
	}
	ended.Wait()
}

// The provider refuses a step-up, or the agent gives it up: the session stays as
// it was, also its level.
func TestThreatFailedStepUp(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	for _, tt := range []struct {
		name   string
		option agentconnecttest.LoginOption
		code   agentconnect.Code
	}{
		{"given up", agentconnecttest.Refusing(), "provider_session_lost"},
		{"at a level too low", agentconnecttest.WithACR("eidas1"), agentconnect.CodeInsufficientLevel},
		{"at a level of no name", agentconnecttest.WithACR("eidas9"), agentconnect.CodeInsufficientLevel},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := a.in(t)
			b := a.loggedIn("marie")
			callback := b.callback("/eidas2", "marie", tt.option)
			b.refused(refusal{code: tt.code, again: "/login?return_to=%2Feidas2"}, func() page { return b.navigate(callback.String()) })
			if p := b.fetch("/eidas2"); p.StatusCode != http.StatusForbidden || p.problem() != "insufficient_level" {
				t.Errorf("after the failed step-up: got status %d, %s, want 403", p.StatusCode, p.body)
			}
		})
	}
}

// A step-up that comes back as another person replaces the session: no claim and
// no level of the first is left, and the first one's session is dead.
func TestThreatStepUpOfAnother(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.loggedIn("marie")
	old := b.cookies()["agentconnect"]
	// The step-up names marie's e-mail, and somebody else has it at another identity provider.
	err := a.provider.SetAgent(agentconnecttest.Agent{Login: "twin", ACR: "eidas1-mfa", Claims: map[string]any{
		"sub": "sub-of-the-twin", "email": "marie.exemple@ministere.example.gouv.fr", "uid": "twin", "siret": "00000002600013", "idp_id": "another-idp",
	}})
	if err != nil {
		t.Fatal(err)
	}
	b.login("/mfa", "twin")
	p := b.fetch("/mfa")
	if p.StatusCode != http.StatusOK {
		t.Fatalf("after the step-up: got status %d, want 200; %s", p.StatusCode, p.body)
	}
	marie, _ := a.provider.Agent("marie")
	other, _ := a.provider.Agent("twin")
	for name, value := range marie.Claims {
		text, ok := value.(string)
		if ok && text != other.Claims[name] && strings.Contains(p.body, `"`+text+`"`) {
			t.Errorf("the claims still have marie's %s: %s", name, p.body)
		}
	}
	if !strings.Contains(p.body, other.Sub()) || !strings.Contains(p.body, `"acr":"eidas1-mfa"`) {
		t.Errorf("got the claims %s, want the other person's with eidas1-mfa", p.body)
	}
	first := a.browser()
	first.setCookie("agentconnect", old)
	if got := first.sub(); got != "" {
		t.Errorf("the session before the step-up: got agent %q, want none", got)
	}
	if n := a.store.sessions(t); n != 1 {
		t.Errorf("sessions: got %d, want 1", n)
	}
}

// Levels that no acr can satisfy are refused at construction.
func TestThreatImpossibleLevels(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	for _, tt := range []struct {
		name     string
		levels   []agentconnect.Requirement
		possible bool
	}{
		{"MFA", []agentconnect.Requirement{agentconnect.MFA()}, true},
		{"eIDAS 1 with MFA", []agentconnect.Requirement{agentconnect.MinEIDAS(1), agentconnect.MFA()}, true},
		{"MFA and certification", []agentconnect.Requirement{agentconnect.MFA(), agentconnect.CertificationDirigeant()}, false},
		{"eidas1 and eIDAS 2", []agentconnect.Requirement{agentconnect.ACR("eidas1"), agentconnect.MinEIDAS(2)}, false},
		{"an acr that the provider does not list", []agentconnect.Requirement{agentconnect.ACR("eidas9")}, false},
		{"one that it lists and one that it does not", []agentconnect.Requirement{agentconnect.ACR("eidas2", "EIDAS3")}, false},
		{"no acr", []agentconnect.Requirement{agentconnect.ACR()}, false},
		{"eIDAS 0", []agentconnect.Requirement{agentconnect.MinEIDAS(0)}, false},
		{"eIDAS 4", []agentconnect.Requirement{agentconnect.MinEIDAS(4)}, false},
		{"the zero requirement", []agentconnect.Requirement{{}}, false},
		{"a condition without a function", []agentconnect.Requirement{agentconnect.Condition(agentconnect.Reason{}, nil)}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := agentconnect.New(
				agentconnect.WithIssuer(a.provider.Issuer), agentconnect.WithClient("id", "secret"),
				agentconnect.WithRedirectURL(a.url+"/callback"), agentconnect.WithPostLogoutRedirectURL(a.url+"/logout/callback"),
				agentconnect.WithLevel(tt.levels...))
			if (err == nil) != tt.possible {
				t.Errorf("New: got error %v, want one: %t", err, !tt.possible)
			}
			panicked := func() (p any) {
				defer func() { p = recover() }()
				a.auth.Require(tt.levels...)
				return nil
			}()
			if (panicked == nil) != tt.possible {
				t.Errorf("Require: got panic %v, want one: %t", panicked, !tt.possible)
			}
		})
	}
	strict := a.newAuth(agentconnect.WithLevel(agentconnect.ACR(agentconnect.ACREIDAS1)))
	defer func() {
		if recover() == nil {
			t.Error("Require with a level that the one of every login excludes: got no panic")
		}
	}()
	strict.Require(agentconnect.MFA())
}

// Access rules fail closed and say why.
func TestThreatAccessRules(t *testing.T) {
	t.Parallel()
	marie, _ := demoAgent("marie")
	custom := agentconnect.Condition(agentconnect.Reason{French: "le bureau D-101"}, func(agent agentconnect.Agent) bool { return agent.Custom()["bureau"] == "D-101" })
	for _, tt := range []struct {
		name    string
		claims  map[string]any // nil for a claim that is left out
		rule    agentconnect.Requirement
		allowed bool
	}{
		{"role", nil, agentconnect.Role("agent_public"), true},
		{"one of two roles", nil, agentconnect.Role("dirigeant", "agent_public"), true},
		{"no role, when the look-up failed", map[string]any{"roles": nil}, agentconnect.Role("agent_public"), false},
		{"a role with a longer name", map[string]any{"roles": []string{"agent_public_etat"}}, agentconnect.Role("agent_public"), false},
		{"roles, empty", map[string]any{"roles": []string{}}, agentconnect.Role("agent_public"), false},
		{"a role in other case", map[string]any{"roles": []string{"Agent_Public"}}, agentconnect.Role("agent_public"), false},

		{"domain", map[string]any{"email": "a@culture.gouv.fr"}, agentconnect.EmailDomain("culture.gouv.fr"), true},
		{"domain in other case", map[string]any{"email": "a@Culture.GOUV.fr"}, agentconnect.EmailDomain("culture.gouv.FR"), true},
		{"a domain that ends alike", map[string]any{"email": "a@notculture.gouv.fr"}, agentconnect.EmailDomain("culture.gouv.fr"), false},
		{"a subdomain", map[string]any{"email": "a@sub.culture.gouv.fr"}, agentconnect.EmailDomain("culture.gouv.fr"), false},
		{"a domain above", map[string]any{"email": "a@gouv.fr"}, agentconnect.EmailDomain("culture.gouv.fr"), false},
		{"the domain in the local part", map[string]any{"email": "a@culture.gouv.fr@attacker.example"}, agentconnect.EmailDomain("culture.gouv.fr"), false},
		{"the domain and more", map[string]any{"email": "a@culture.gouv.fr.attacker.example"}, agentconnect.EmailDomain("culture.gouv.fr"), false},
		{"a domain of look-alikes", map[string]any{"email": "a@culturе.gouv.fr"}, agentconnect.EmailDomain("culture.gouv.fr"), false},
		{"no local part", map[string]any{"email": "@culture.gouv.fr"}, agentconnect.EmailDomain("culture.gouv.fr"), false},
		{"no e-mail", map[string]any{"email": nil}, agentconnect.EmailDomain("culture.gouv.fr"), false},

		{"e-mail in other case", map[string]any{"email": "A.B@culture.gouv.fr"}, agentconnect.Email("a.b@Culture.gouv.fr"), true},
		{"another e-mail", map[string]any{"email": "a.b@culture.gouv.fr"}, agentconnect.Email("a.c@culture.gouv.fr"), false},

		{"siret", map[string]any{"siret": "00000001800010"}, agentconnect.SIRET("00000001800010"), true},
		{"another siret", map[string]any{"siret": "00000001800028"}, agentconnect.SIRET("00000001800010"), false},
		{"no siret", map[string]any{"siret": nil}, agentconnect.SIRET("00000001800010"), false},
		{"siret with spaces", map[string]any{"siret": "000 000 018 00010"}, agentconnect.SIRET("00000001800010"), true},
		{"siret with other spaces", map[string]any{"siret": " 000\u00a0000\u202f018 00010"}, agentconnect.SIRET("00000001800010"), true},
		{"siren with spaces", map[string]any{"siren": "000 000 018"}, agentconnect.SIREN("000000018"), true},
		{"siren of a siret with spaces", map[string]any{"siren": nil, "siret": "000 000 018 00010"}, agentconnect.SIREN("000000018"), true},
		{"another siret with spaces", map[string]any{"siret": "000 000 018 00028"}, agentconnect.SIRET("00000001800010"), false},
		{"siren", map[string]any{"siren": "000000018"}, agentconnect.SIREN("000000018"), true},
		{"siren that contradicts the siret", map[string]any{"siren": "000000026", "siret": "00000001800010"}, agentconnect.SIREN("000000018"), false},
		{"siren of the siret", map[string]any{"siren": nil, "siret": "00000001800010"}, agentconnect.SIREN("000000018"), true},
		{"siren of a siret too short", map[string]any{"siren": nil, "siret": "000000018"}, agentconnect.SIREN("000000018"), false},
		{"no siren", map[string]any{"siren": nil, "siret": nil}, agentconnect.SIREN("000000018"), false},

		{"idp_id", map[string]any{"idp_id": "b"}, agentconnect.IdPID("a", "b"), true},
		{"another idp_id", map[string]any{"idp_id": "c"}, agentconnect.IdPID("a", "b"), false},
		{"no idp_id", map[string]any{"idp_id": nil}, agentconnect.IdPID("a", "b"), false},

		{"custom", nil, custom, true},
		{"another custom", map[string]any{"custom": map[string]any{"bureau": "E-2"}}, custom, false},
		{"no custom", map[string]any{"custom": nil}, custom, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			agent := marie
			agent.Claims = maps.Clone(marie.Claims)
			for name, value := range tt.claims {
				agent.Claims[name] = value
				if value == nil {
					delete(agent.Claims, name)
				}
			}
			a := newAppWith(t, []agentconnecttest.ServerOption{agentconnecttest.WithAgents(agent)}, agentconnect.WithScopes(agentconnecttest.SupportedScopes()...))
			ran := false
			site := a.serve(a.auth.Require(tt.rule)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { ran = true })))
			b := a.loggedIn("marie")
			if tt.allowed {
				if p := b.navigate(site + "/"); p.StatusCode != http.StatusOK || !ran {
					t.Errorf("got status %d, want 200; %s", p.StatusCode, p.body)
				}
				return
			}
			p := b.refused(refusal{code: agentconnect.CodeForbidden}, func() page { return b.navigate(site + "/") })
			if ran {
				t.Error("the handler ran for an agent who is refused")
			}
			if !strings.Contains(p.body, "<li>") {
				t.Errorf("the page does not say which condition is not met: %s", p.body)
			}
			if tt.name == "another e-mail" && strings.Contains(p.body, "a.c@") {
				t.Error("the page shows the addresses that are allowed")
			}
		})
	}
}

func demoAgent(login string) (agentconnecttest.Agent, bool) {
	agents := agentconnecttest.DemoAgents()
	i := slices.IndexFunc(agents, func(agent agentconnecttest.Agent) bool { return agent.Login == login })
	return agents[i], i >= 0
}

// Access never rests on siret_hint, which the visitor chooses.
func TestThreatSIRETHint(t *testing.T) {
	t.Parallel()
	a := newApp(t, agentconnect.WithLoginParameters("siret_hint"))
	site := a.serve(a.auth.Require(agentconnect.SIRET("99999999900011"))(http.HandlerFunc(serveAgent)))
	b := a.browser()
	b.login("/login?siret_hint=99999999900011", "marie")
	if got := a.provider.Received(agentconnecttest.Authorize)[0].Form.Get("siret_hint"); got != "99999999900011" {
		t.Fatalf("got siret_hint %q at the provider, want it as it was given", got)
	}
	b.refused(refusal{code: agentconnect.CodeForbidden}, func() page { return b.navigate(site + "/?siret_hint=99999999900011") })
}

// The login hook refuses or fails: no session, and what it says is shown
// only where it was meant to be.
func TestThreatLoginHook(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		err  error
		want refusal
		show string
	}{
		{"refuses", agentconnect.RefuseLogin(agentconnect.Reason{French: "compte <clos>"}), refusal{code: agentconnect.CodeLoginRefused, exchanges: 1, userinfos: 1}, "compte &lt;clos&gt;"},
		{"fails", fmt.Errorf("table agents missing"), refusal{code: agentconnect.CodeInternal, exchanges: 1, userinfos: 1, again: refusedPage}, "Erreur du service"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, agentconnect.WithLoginHook(func(context.Context, *agentconnect.Login) error { return tt.err }))
			b := a.browser()
			callback := b.callback("/login?return_to=/dossiers/7", "karim")
			p := b.refused(tt.want, func() page { return b.navigate(callback.String()) })
			if !strings.Contains(p.body, tt.show) || strings.Contains(p.body, "table agents") {
				t.Errorf("got the page %s, want %q and not the error's own words", p.body, tt.show)
			}
		})
	}
}

// Of the visitor's parameters only those that the application opened reach the
// provider, and well formed.
func TestThreatVisitorsParameters(t *testing.T) {
	t.Parallel()
	closed := newApp(t)
	all := url.Values{
		"login_hint": {"a@b.example"}, "idp_hint": {"x"}, "siret_hint": {"12345678901234"}, "prompt": {"none"}, "acr_values": {"eidas1"}, "claims": {"{}"},
		"redirect_uri": {"https://attacker.example"}, "scope": {"openid"}, "client_id": {"x"}, "state": {"s"}, "nonce": {"n"}, "response_mode": {"fragment"}, "response_type": {"token"},
	}
	p := closed.browser().navigate("/login?" + all.Encode())
	u, err := url.Parse(p.location())
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range all {
		if got := u.Query()[name]; slices.Equal(got, values) || len(got) > 1 {
			t.Errorf("%s: got %q at the provider, from the visitor", name, got)
		}
	}
	open := newApp(t, agentconnect.WithLoginParameters("login_hint", "idp_hint", "siret_hint", "prompt"))
	for _, query := range []string{
		"login_hint=nobody", "login_hint=Name+<a@b.example>", "login_hint=a@b.example,c@d.example", "siret_hint=123", "siret_hint=1234567890123x", "prompt=consent", "prompt=login+none", "idp_hint=a+b", "idp_hint=" + strings.Repeat("x", 129), "request=forged",
	} {
		b := open.browser()
		b.refused(refusal{code: "invalid_request", again: "/login"}, func() page { return b.navigate("/login?" + query) })
	}
}

// A list that is changed after it was given changes no rule.
func TestThreatRulesKeepTheirLists(t *testing.T) {
	t.Parallel()
	agent := agentconnect.Agent{Roles: []string{agentconnect.RoleDirigeant}, Email: "given@given.example", SIRET: "00000001800010", SIREN: "000000018", IdPID: "given", ACR: agentconnect.ACREIDAS1}
	for _, rule := range []struct {
		name           string
		make           func(...string) agentconnect.Requirement
		given, changed string
	}{
		{"Role", agentconnect.Role, agentconnect.RoleDirigeant, agentconnect.RoleAgentPublic},
		{"SIRET", agentconnect.SIRET, agent.SIRET, "00000001800028"},
		{"SIREN", agentconnect.SIREN, agent.SIREN, "000000026"},
		{"IdPID", agentconnect.IdPID, agent.IdPID, "changed"},
		{"Email", agentconnect.Email, agent.Email, "changed@given.example"},
		{"EmailDomain", agentconnect.EmailDomain, "given.example", "changed.example"},
		{"ACR", agentconnect.ACR, agent.ACR, agentconnect.ACREIDAS2},
	} {
		list := []string{rule.given}
		requirement := rule.make(list...)
		list[0] = rule.changed
		if !requirement.Met(agent) {
			t.Errorf("%s: got refused, want the list of when the rule was made", rule.name)
		}
	}
}
