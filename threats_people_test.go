package agentconnect_test

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

const (
	descInvalidIdentity = "authentication aborted due to invalid identity"
	descLimitation      = "authentication aborted due to a configuration limitation"
	descAborted         = "user authentication aborted"
	descTechnical       = "authentication aborted due to a technical error on the authorization server"
	descACR             = "requested ACRs could not be satisfied"
)

// Each outcome that ProConnect sends back has its own explanation, in both
// languages, and an offer that can help. A description that is forged, or nearly
// one of ProConnect's, or that belongs to another error, chooses nothing.
func TestThreatProviderOutcomes(t *testing.T) {
	t.Parallel()
	const again, another = "Se connecter de nouveau", "Se connecter avec un autre compte"
	a := newApp(t)
	for _, tt := range []struct {
		err, description string
		level            bool
		code             agentconnect.Code
		french, english  string // in the explanation
		offers           []string
	}{
		{"access_denied", descInvalidIdentity, false, "identity_refused", "réservé aux agents publics", "public agents only", []string{another}},
		{"access_denied", descInvalidIdentity, true, "identity_refused", "votre compte est bloqué", "your account is blocked", []string{another}},
		{"access_denied", descLimitation, false, "domain_refused", "n’accepte pas le domaine de votre adresse", "does not accept the domain of your e-mail", []string{another}},
		{"access_denied", descAborted, false, "provider_session_lost", "cookies", "cookies", []string{again}},
		{"access_denied", descACR, true, agentconnect.CodeInsufficientLevel, "plusieurs facteurs", "several authentication factors", []string{again, another}},
		{"access_denied", descACR, false, "access_denied", "abandonné", "gave the login up", []string{again}},
		{"server_error", descTechnical, false, "provider_error", "erreur technique", "technical error", []string{again}},
		{"invalid_request", descTechnical, false, "provider_error", "erreur technique", "technical error", []string{again}},
		{"server_error", "", false, "provider_error", "erreur technique", "technical error", []string{again}},
		{"access_denied", "", false, "access_denied", "abandonné", "gave the login up", []string{again}},
		{"access_denied", "", true, "access_denied", "plus sûr", "stronger means", []string{again}},

		{"invalid_request", "missing required parameter", false, "request_rejected", "tant que ce service n’est pas corrigé", "until this service is corrected", nil},
		{"invalid_scope", "requested scope is not allowed", false, "request_rejected", "tant que ce service n’est pas corrigé", "until this service is corrected", nil},
		{"unauthorized_client", "", false, "request_rejected", "mal configuré", "misconfigured", nil},
		{"unsupported_response_type", "", false, "request_rejected", "mal configuré", "misconfigured", nil},
		{"unsupported_response_mode", "", false, "request_rejected", "mal configuré", "misconfigured", nil},
		{"request_not_supported", "", false, "request_rejected", "mal configuré", "misconfigured", nil},
		{"registration_not_supported", "", false, "request_rejected", "mal configuré", "misconfigured", nil},
		{"invalid_request_uri", "", false, "request_rejected", "mal configuré", "misconfigured", nil},
		{"temporarily_unavailable", descTechnical, false, agentconnect.CodeProviderUnavailable, "injoignable", "cannot be reached", []string{again}},

		{"access_denied", " " + descInvalidIdentity, false, "access_denied", "abandonné", "gave the login up", []string{again}},
		{"access_denied", descInvalidIdentity + ".", false, "access_denied", "abandonné", "gave the login up", []string{again}},
		{"access_denied", strings.ToUpper(descLimitation), false, "access_denied", "abandonné", "gave the login up", []string{again}},
		{"access_denied", "User authentication aborted", false, "access_denied", "abandonné", "gave the login up", []string{again}},
		{"access_denied", descAborted + "\x00", false, "access_denied", "abandonné", "gave the login up", []string{again}},
		{"access_denied", "Y500024", false, "access_denied", "abandonné", "gave the login up", []string{again}},
		{"access_denied", descTechnical, false, "access_denied", "abandonné", "gave the login up", []string{again}},
		{"server_error", descInvalidIdentity, false, "provider_error", "erreur technique", "technical error", []string{again}},
		{"server_error", descACR, true, "provider_error", "erreur technique", "technical error", []string{again}},
		{"invalid_scope", descLimitation, false, "request_rejected", "mal configuré", "misconfigured", nil},
		{"Access_Denied", descInvalidIdentity, false, "provider_error", "erreur technique", "technical error", []string{again}},
		{"votre compte est piraté", "appelez le 01 23", false, "provider_error", "erreur technique", "technical error", []string{again}},
	} {
		t.Run(fmt.Sprintf("%s, %q, level %t", tt.err, tt.description, tt.level), func(t *testing.T) {
			a := a.in(t)
			for lang, want := range map[string]string{"fr": tt.french, "en": tt.english} {
				a.provider.Inject(agentconnecttest.CallbackError(tt.err, tt.description))
				b := a.browser()
				route, target := "/login?return_to=/dossiers/7", "/dossiers/7"
				if tt.level {
					route, target = "/mfa-only", "/mfa-only"
				}
				callback := b.callback(route, "marie")
				wanted := refusal{code: tt.code}
				if slices.Contains(tt.offers, again) {
					wanted.again = "/login?return_to=" + url.QueryEscape(target)
				}
				p := b.refused(wanted, func() page {
					return b.do(http.MethodGet, callback.RequestURI(), http.Header{"Sec-Fetch-Mode": {"navigate"}, "Accept": {"text/html"}, "Accept-Language": {lang}}, "")
				})
				a.provider.Clear()
				p.Response.Body = io.NopCloser(strings.NewReader(p.body))
				doc := checkPage(t, p.Response, lang)
				said := doc.one(t, "h1").text + strings.Join(doc.paragraphs(), " ")
				for _, li := range doc.all("li") {
					said += li.text
				}
				if !strings.Contains(said, want) {
					t.Errorf("%s: got %q, want %q in it", lang, said, want)
				}
				if tt.description != "" && strings.Contains(said, tt.description) || strings.Contains(said, "piraté") {
					t.Errorf("%s: got %q, which has the words of the provider", lang, said)
				}
				if lang == "fr" {
					if got, want := doc.offers(), append(slices.Clone(tt.offers), "Page d’accueil"); !slices.Equal(got, want) {
						t.Errorf("got the offers %q, want %q", got, want)
					}
				}
			}
		})
	}
}

// An agent whose login is refused for who they are gets out of it: the provider's
// session, which would answer for the same person again, ends, and a login of
// another account starts.
func TestThreatLockedOut(t *testing.T) {
	t.Parallel()
	refuseKarim := agentconnect.WithLoginHook(func(_ context.Context, login *agentconnect.Login) error {
		if !login.Agent.HasRole(agentconnect.RoleAgentPublic) {
			return agentconnect.RefuseLogin(agentconnect.Reason{French: "compte clos"})
		}
		return nil
	})
	for _, tt := range []struct {
		name  string
		opt   agentconnect.Option
		start string
		code  agentconnect.Code
	}{
		{"by the hook", refuseKarim, "/login?return_to=/dossiers/7%3Fa%3Db", agentconnect.CodeLoginRefused},
		{"by a rule of every login", agentconnect.WithLevel(agentconnect.Role(agentconnect.RoleAgentPublic)), "/login?return_to=/dossiers/7%3Fa%3Db", agentconnect.CodeForbidden},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, tt.opt)
			b := a.browser()
			callback := b.callback(tt.start, "karim")
			p := b.refused(refusal{code: tt.code, exchanges: 1, userinfos: 1}, func() page { return b.navigate(callback.String()) })
			if strings.Contains(p.body, "Vous êtes connecté") {
				t.Errorf("the page says that somebody is logged in: %s", p.body)
			}
			// The provider would log the same person in again.
			again := b.callbackOf(b.navigate("/login").location(), "")
			b.refused(refusal{code: tt.code, exchanges: 1, userinfos: 1}, func() page { return b.navigate(again.String()) })

			out := b.submit(p, "Se connecter avec un autre compte")
			if got := out.location(); !strings.HasPrefix(got, a.provider.Issuer+"/session/end?") || !strings.Contains(got, "id_token_hint=") {
				t.Fatalf("got status %d to %q, want the end of the provider's session, with the ID token", out.StatusCode, got)
			}
			back := b.navigate(out.location())
			login := b.navigate(back.location())
			if got, want := login.location(), "/login?return_to="+url.QueryEscape("/dossiers/7?a=b"); got != want {
				t.Fatalf("got %q after the provider's logout, want %q", got, want)
			}
			b.expectLogin(b.callback(login.location(), "marie"), "marie", "/dossiers/7?a=b")
		})
	}
}

// A page that is closed to the agent who is logged in offers another account, and
// a logout.
func TestThreatForbiddenOffers(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	b.login("/dossiers", "karim")
	p := b.refused(refusal{code: agentconnect.CodeForbidden}, func() page { return b.navigate("/agents-publics") })
	out := b.submit(p, "Se connecter avec un autre compte")
	if b.sub() != "" {
		t.Error("karim is still logged in")
	}
	back := b.navigate(out.location())
	login := b.navigate(back.location())
	if got, want := login.location(), "/login?return_to=%2Fagents-publics"; got != want {
		t.Fatalf("got %q after the provider's logout, want %q", got, want)
	}
	b.expectLogin(b.callback(login.location(), "marie"), "marie", "/agents-publics")

	b = a.browser()
	b.login("/dossiers", "karim")
	out = b.submit(b.navigate("/agents-publics"), "Se déconnecter")
	back = b.navigate(out.location())
	if end := b.navigate(back.location()); end.location() != "/" || b.sub() != "" {
		t.Errorf("logout: got %q, agent %q, want home and nobody", end.location(), b.sub())
	}
}

// The field login of a logout's form leads to a login of this application, or nowhere.
func TestThreatLoginAfterLogout(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	for field, want := range map[string]string{
		"/login":                                "/login",
		"/login?return_to=%2Fdossiers":          "/login?return_to=%2Fdossiers",
		"/login?x=" + strings.Repeat("x", 4096): "/login",
		"":                                      "/",
		"/":                                     "/",
		"/loginx":                               "/",
		"/login/../x":                           "/",
		"//evil.example/login":                  "/",
		"https://evil.example/login":            "/",
		"/login\r\nSet-Cookie: a=b":             "/",
		"/login?a\nb":                           "/",
		"/login?é":                              "/",
		" /login":                               "/",
	} {
		for _, hint := range []string{"", "forged"} {
			b := a.browser()
			b.login("/dossiers", "marie")
			out := b.post("/logout", url.Values{"login": {field}, "id_token_hint": {hint}})
			back := b.navigate(out.location())
			if got := b.navigate(back.location()).location(); got != want {
				t.Errorf("%.40q: got %q after the logout, want %q", field, got, want)
			}
			if b.sub() != "" {
				t.Errorf("%.40q: somebody is still logged in", field)
			}
		}
	}
	// Another site cannot have it sent.
	b := a.loggedIn("marie")
	b.refused(refusal{code: "cross_origin"}, func() page {
		return b.do(http.MethodPost, "/logout", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"navigate"}, "Accept": {"text/html"}, "Content-Type": {"application/x-www-form-urlencoded"}}, "login=/login")
	})
}

func TestLoggedOutPage(t *testing.T) {
	t.Parallel()
	a := newApp(t, agentconnect.WithLoggedOutPath("/au-revoir"))
	b := a.browser()
	b.login("/dossiers", "marie")
	back := b.navigate(b.post("/logout", nil).location())
	if got := b.navigate(back.location()).location(); got != "/au-revoir" {
		t.Errorf("after the provider's logout: got %q, want the page of those who are logged out", got)
	}
	if got := b.navigate("/logout/callback?state=x").location(); got != "/" {
		t.Errorf("a state of nobody: got %q, want the home page", got)
	}
	// The home page may be for agents: it would log the agent in again.
	if got := b.post("/logout", nil).location(); got != "/au-revoir" {
		t.Errorf("a logout of nobody: got %q, want the page of those who are logged out", got)
	}
}

// Rules that no agent can meet are found where they are wired.
func TestThreatRulesThatNobodyMeets(t *testing.T) {
	t.Parallel()
	a := newApp(t, agentconnect.WithScopes(agentconnecttest.SupportedScopes()...))
	for _, tt := range []struct {
		name string
		rule agentconnect.Requirement
		want string // in the error; "" for a rule that can be met
	}{
		{"a domain", agentconnect.EmailDomain("culture.gouv.fr"), ""},
		{"a domain in capitals", agentconnect.EmailDomain("Culture.Gouv.FR"), ""},
		{"a domain with a hyphen and digits", agentconnect.EmailDomain("ville-75.fr"), ""},
		{"a domain with accents", agentconnect.EmailDomain("préfecture.fr"), ""},
		{"no domain", agentconnect.EmailDomain(), "EmailDomain: the list is empty"},
		{"an empty domain", agentconnect.EmailDomain(""), "EmailDomain"},
		{"an empty domain among others", agentconnect.EmailDomain("culture.gouv.fr", ""), "EmailDomain"},
		{"a domain with @", agentconnect.EmailDomain("@culture.gouv.fr"), `"@culture.gouv.fr"`},
		{"a domain with *", agentconnect.EmailDomain("*.gouv.fr"), `"*.gouv.fr"`},
		{"a domain that begins with a dot", agentconnect.EmailDomain(".gouv.fr"), "EmailDomain"},
		{"a domain that ends with a dot", agentconnect.EmailDomain("gouv.fr."), "EmailDomain"},
		{"a domain with two dots", agentconnect.EmailDomain("gouv..fr"), "EmailDomain"},
		{"a domain with a space", agentconnect.EmailDomain(" gouv.fr"), "EmailDomain"},
		{"a domain of one label", agentconnect.EmailDomain("gouv"), "EmailDomain"},
		{"a URL for a domain", agentconnect.EmailDomain("https://gouv.fr"), "EmailDomain"},
		{"an address for a domain", agentconnect.EmailDomain("a@gouv.fr"), "EmailDomain"},
		{"two domains in one", agentconnect.EmailDomain("a.fr,b.fr"), "EmailDomain"},
		{"a domain with a hyphen at its end", agentconnect.EmailDomain("gouv-.fr"), "EmailDomain"},

		{"an address", agentconnect.Email("marie@culture.gouv.fr"), ""},
		{"no address", agentconnect.Email(), "Email: the list is empty"},
		{"a name for an address", agentconnect.Email("marie"), `Email: "marie"`},
		{"an empty address", agentconnect.Email(""), "Email"},
		{"an address with a name", agentconnect.Email("Marie <a@b.example>"), "Email"},
		{"an address with a space", agentconnect.Email("a@b.example "), "Email"},

		{"a siret", agentconnect.SIRET("13002526500013"), ""},
		{"no siret", agentconnect.SIRET(), "SIRET: the list is empty"},
		{"an empty siret", agentconnect.SIRET(""), "SIRET"},
		{"a siret with spaces", agentconnect.SIRET("130 025 265 00013"), "SIRET"},
		{"a siret too short", agentconnect.SIRET("1300252650001"), "SIRET"},
		{"a siret too long", agentconnect.SIRET("130025265000131"), "SIRET"},
		{"a siret with a letter", agentconnect.SIRET("1300252650001O"), "SIRET"},
		{"a siren for a siret", agentconnect.SIRET("130025265"), "SIRET"},
		{"one bad among others", agentconnect.SIRET("13002526500013", "x"), "SIRET"},

		{"a siren", agentconnect.SIREN("130025265"), ""},
		{"no siren", agentconnect.SIREN(), "SIREN: the list is empty"},
		{"a siret for a siren", agentconnect.SIREN("13002526500013"), "SIREN"},
		{"a siren with spaces", agentconnect.SIREN("130 025 265"), "SIREN"},
		{"an empty siren", agentconnect.SIREN(""), "SIREN"},

		{"roles", agentconnect.Role(agentconnect.RoleAgentPublic, agentconnect.RoleAgentPublicEtat, agentconnect.RoleAgentPublicTerritorial, agentconnect.RoleAgentPublicHospitalier, agentconnect.RoleAgentPublicL1003, agentconnect.RoleDirigeant), ""},
		{"no role", agentconnect.Role(), "Role: the list is empty"},
		{"an empty role", agentconnect.Role(""), "Role"},
		{"an unknown role", agentconnect.Role("agent-public"), `Role: "agent-public"`},
		{"a role in other case", agentconnect.Role("Agent_Public"), "Role"},
		{"an unknown role among others", agentconnect.Role("agent_public", "admin"), `"admin"`},

		{"an idp_id", agentconnect.IdPID("71144ab3-ee1a-4401-b7b3-79b44f7daeeb"), ""},
		{"no idp_id", agentconnect.IdPID(), "IdPID: the list is empty"},
		{"an empty idp_id", agentconnect.IdPID(""), "IdPID"},
		{"an idp_id with a line break", agentconnect.IdPID("a\n"), "IdPID"},

		{"an acr", agentconnect.ACR("eidas1"), ""},
		{"no acr", agentconnect.ACR(), "ACR: the list is empty"},
		{"an empty acr", agentconnect.ACR(""), "ACR"},
		{"an acr in capitals", agentconnect.ACR("EIDAS1"), "ACR"},
		{"one bad acr among others", agentconnect.ACR("eidas1", "eidas4"), `"eidas4"`},
		{"the example of the documents", agentconnect.ACR("https://proconnect.gouv.fr/assurance/consistency-checked-2fa"), "ACR"},
		{"a level below", agentconnect.MinEIDAS(0), "MinEIDAS: 0"},
		{"a level above", agentconnect.MinEIDAS(4), "MinEIDAS: 4"},

		{"a condition", agentconnect.Condition(agentconnect.Reason{}, func(agentconnect.Agent) bool { return true }), ""},
		{"a condition without a function", agentconnect.Condition(agentconnect.Reason{French: "x"}, nil), "a condition without a function"},
		{"the zero value", agentconnect.Requirement{}, "the zero value"},
	} {
		got := panicOf(func() { a.auth.Require(tt.rule) })
		if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%s: Require: got the panic %q, want %q", tt.name, got, tt.want)
		}
		_, err := agentconnect.New(goodOptions(agentconnect.WithScopes(agentconnecttest.SupportedScopes()...), agentconnect.WithLevel(tt.rule))...)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), "agentconnect: WithLevel: ") || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: New: got %v, want WithLevel and %q", tt.name, err, tt.want)
		}
		if _, err := a.auth.LoginURL(agentconnect.LoginOptions{Level: []agentconnect.Requirement{tt.rule}}); (err != nil) != (tt.want != "") {
			t.Errorf("%s: LoginURL: got %v, want an error: %t", tt.name, err, tt.want != "")
		}
	}
}

// A rule on a claim that is not asked for refuses everybody.
func TestThreatRulesWithoutTheirScope(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		rule   agentconnect.Requirement
		scopes []string // any of them is enough
	}{
		{agentconnect.Role(agentconnect.RoleAgentPublic), []string{"roles"}},
		{agentconnect.EmailDomain("culture.gouv.fr"), []string{"email"}},
		{agentconnect.Email("a@culture.gouv.fr"), []string{"email"}},
		{agentconnect.SIRET("13002526500013"), []string{"siret"}},
		{agentconnect.SIREN("130025265"), []string{"siren", "siret"}},
		{agentconnect.IdPID("a"), []string{"idp_id"}},
	} {
		without := pagesAuth(t, agentconnect.WithScopes("openid", "uid"))
		if got := panicOf(func() { without.Require(tt.rule) }); !strings.Contains(got, tt.scopes[0]) {
			t.Errorf("without the scope: got the panic %q, want %q in it", got, tt.scopes[0])
		}
		for _, scope := range tt.scopes {
			if got := panicOf(func() { pagesAuth(t, agentconnect.WithScopes("openid", scope)).Require(tt.rule) }); got != "" {
				t.Errorf("with the scope %s: got the panic %q, want none", scope, got)
			}
		}
	}
}

// On the RIE every agent has the role agent_public and no other.
func TestThreatRolesOnTheRIE(t *testing.T) {
	t.Parallel()
	for environment, rie := range map[agentconnect.Environment]bool{
		agentconnect.Integration: false, agentconnect.Production: false, agentconnect.IntegrationRIE: true, agentconnect.ProductionRIE: true,
	} {
		for _, by := range [][]agentconnect.Option{
			{agentconnect.WithIssuer(""), agentconnect.WithEnvironment(environment)},
			{agentconnect.WithIssuer(environment.Issuer())},
		} {
			auth := pagesAuth(t, by...)
			for _, tt := range []struct {
				roles   []string
				refused bool
			}{
				{[]string{agentconnect.RoleAgentPublic}, false},
				{[]string{agentconnect.RoleAgentPublicEtat, agentconnect.RoleAgentPublic}, false},
				{[]string{agentconnect.RoleAgentPublicEtat}, rie},
				{[]string{agentconnect.RoleDirigeant, agentconnect.RoleAgentPublicTerritorial}, rie},
			} {
				got := panicOf(func() { auth.Require(agentconnect.Role(tt.roles...)) })
				if (got != "") != tt.refused || tt.refused && !strings.Contains(got, "RIE") {
					t.Errorf("%s, %q: got the panic %q, want one: %t", environment, tt.roles, got, tt.refused)
				}
				if _, err := agentconnect.New(goodOptions(append(slices.Clone(by), agentconnect.WithLevel(agentconnect.Role(tt.roles...)))...)...); (err != nil) != tt.refused {
					t.Errorf("%s, %q: New: got %v, want an error: %t", environment, tt.roles, err, tt.refused)
				}
			}
		}
	}
}

// The lists of values with which the provider's code by e-mail has no end are
// warned of, once, where they are wired.
func TestThreatLevelThatLoops(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		levels []agentconnect.Requirement
		warned bool
	}{
		{"several factors", []agentconnect.Requirement{agentconnect.MFA()}, false},
		{"eIDAS 1", []agentconnect.Requirement{agentconnect.MinEIDAS(1)}, false},
		{"eIDAS 2", []agentconnect.Requirement{agentconnect.MinEIDAS(2), agentconnect.MFA()}, false},
		{"none", nil, false},
		{"several factors and eIDAS 1", []agentconnect.Requirement{agentconnect.MFA(), agentconnect.MinEIDAS(1)}, true},
		{"the same, said otherwise", []agentconnect.Requirement{agentconnect.ACR("eidas1-mfa", "eidas2")}, true},
	} {
		var logs strings.Builder
		logger := agentconnect.WithLogger(slog.New(slog.NewJSONHandler(&logs, nil)))
		pagesAuth(t, logger).Require(tt.levels...)
		pagesAuth(t, logger, agentconnect.WithLevel(tt.levels...))
		want := map[bool]int{true: 2}[tt.warned]
		if got := strings.Count(logs.String(), `"level":"WARN"`); got != want {
			t.Errorf("%s: got %d warnings, want %d: %s", tt.name, got, want, logs.String())
		}
	}
}

// panicOf returns what a function panics with, "" when it does not.
func panicOf(f func()) (said string) {
	defer func() {
		if r := recover(); r != nil {
			said = fmt.Sprint(r)
		}
	}()
	f()
	return ""
}

// Whatever the verb, neither an agent nor a refusal shows a person.
func TestFormattingShowsNoPerson(t *testing.T) {
	t.Parallel()
	var agent agentconnect.Agent
	if err := json.Unmarshal([]byte(`{"sub":"sub-secret","given_name":"nom-secret","email":"a@secret.example","roles":["secret"],"custom":{"x":"secret"}}`), &agent); err != nil {
		t.Fatal(err)
	}
	refusal := &agentconnect.Error{Code: agentconnect.CodeForbidden, ProviderDescription: "secret", ReturnTo: "/secret", Reasons: []agentconnect.Reason{{French: "secret"}}}
	type holder struct {
		Agent   agentconnect.Agent
		Pointer *agentconnect.Agent
		Error   *agentconnect.Error
		Any     any
	}
	for _, value := range []any{
		agent, &agent, refusal, error(refusal), []agentconnect.Agent{agent}, map[string]agentconnect.Agent{"a": agent},
		holder{agent, &agent, refusal, agent}, &holder{agent, &agent, refusal, &agent}, []any{agent, &agent, refusal},
	} {
		for _, verb := range "vsqxXdboOcUeEfFgGt" {
			for _, flags := range []string{"", "+", "#", " ", "-20", "+.3"} {
				format := "%" + flags + string(verb)
				if got := fmt.Sprintf(format, value); strings.Contains(got, "secret") || strings.Contains(got, "736563726574") {
					t.Errorf("%s of %T: got %q", format, value, got)
				}
			}
		}
	}
	if got, want := fmt.Sprintf("%v %s %+v", agent, agent, &agent), strings.TrimSpace(strings.Repeat(agent.String()+" ", 3)); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := fmt.Sprintf("%v|%s|%q|%d", refusal, refusal, refusal, refusal), `agentconnect: forbidden|agentconnect: forbidden|"agentconnect: forbidden"|agentconnect: forbidden`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The name of the federation is ProConnect, everywhere, or the one that the
// application chose, in proper French.
func TestBrand(t *testing.T) {
	t.Parallel()
	for brand, other := range map[string]string{"ProConnect": "AgentConnect", "AgentConnect": "ProConnect"} {
		auth := pagesAuth(t)
		if brand == "AgentConnect" {
			auth = pagesAuth(t, agentconnect.WithAgentConnectBrand())
		}
		named := 0
		for code := range documentedCodes(t) {
			for _, lang := range []string{"fr", "en", ""} {
				for _, acr := range [][]string{nil, {agentconnect.ACRCertificationDirigeant}} {
					body, err := io.ReadAll(serveError(auth, lang, agentconnect.Error{Code: code, AcceptedACR: acr}).Body)
					if err != nil {
						t.Fatal(err)
					}
					text := strings.ReplaceAll(string(body), agentconnect.ACRCertificationDirigeant, "")
					if strings.Contains(text, other) {
						t.Errorf("%s, %s: got %s, want no %s", code, lang, text, other)
					}
					for _, wrong := range []string{"de AgentConnect", "que AgentConnect", "d’ProConnect"} {
						if strings.Contains(text, wrong) {
							t.Errorf("%s: got %q in %s", code, wrong, text)
						}
					}
					named += strings.Count(text, brand)
				}
			}
		}
		if named < 20 {
			t.Errorf("got %s %d times, want it on the pages", brand, named)
		}
		for lang, want := range map[string]string{"fr": "S’identifier avec ", "en": "Sign in with "} {
			if got := spoken(parseButton(t, auth.Button(agentconnect.ButtonOptions{Lang: lang})).one(t, "button")); got != want+brand {
				t.Errorf("%s: got the button %q, want %q", lang, got, want+brand)
			}
		}
	}
}

// The pages say whose they are, in the header and in the title.
func TestServiceName(t *testing.T) {
	t.Parallel()
	const name = "Démarches <Culture> & Co"
	auth := pagesAuth(t, agentconnect.WithServiceName(name))
	doc := checkPage(t, serveError(auth, "fr", agentconnect.Error{Code: agentconnect.CodeForbidden}), "fr")
	if got, want := doc.one(t, "title").text, "Accès non autorisé – "+name; got != want {
		t.Errorf("got the title %q, want %q", got, want)
	}
	if link := doc.one(t, "header").one(t, "a"); link.text != name || link.attrs["href"] != "/" {
		t.Errorf("got the header %q to %q, want the service's name to the home page", link.text, link.attrs["href"])
	}
	a := newApp(t, agentconnect.WithServiceName(name))
	if p := a.browser().navigate("/logout"); !strings.Contains(p.body, "<title>Se déconnecter – "+html.EscapeString(name)+"</title>") {
		t.Errorf("the logout page: got %s, want the service's name in its title", p.body)
	}
	if _, err := agentconnect.New(goodOptions(agentconnect.WithServiceName("a\nb"))...); err == nil || !strings.Contains(err.Error(), "WithServiceName") {
		t.Errorf("a name of two lines: got %v, want an error", err)
	}
}

var pageForm = regexp.MustCompile(`(?s)<form method="post" action="([^"]*)">(.*?)</form>`)

// submit presses the button of a page's form.
func (b *browser) submit(p page, label string) page {
	b.t.Helper()
	for _, form := range pageForm.FindAllStringSubmatch(p.body, -1) {
		if !strings.Contains(form[2], ">"+label+"</button>") {
			continue
		}
		fields := url.Values{}
		for _, input := range regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`).FindAllStringSubmatch(form[2], -1) {
			fields.Add(input[1], html.UnescapeString(input[2]))
		}
		return b.post(form[1], fields)
	}
	b.t.Fatalf("the page has no button %q: %s", label, p.body)
	return page{}
}
