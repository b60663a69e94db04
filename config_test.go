package agentconnect_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2/memstore"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

const testSecret = "5f2b7c1de09a4836bb1c4e7d90aa35f8c6d21e0b9f7748a3d5e6c1b20f9a8473"

// goodOptions are all that New needs; what comes after them wins.
func goodOptions(more ...agentconnect.Option) []agentconnect.Option {
	return append([]agentconnect.Option{
		agentconnect.WithIssuer("https://provider.example/api/v2"),
		agentconnect.WithClient("client-id", testSecret),
		agentconnect.WithRedirectURL("https://demarches.example.gouv.fr/callback"),
		agentconnect.WithPostLogoutRedirectURL("https://demarches.example.gouv.fr/logout/callback"),
		agentconnect.WithSessionStore(memstore.NewWithCleanupInterval(0)),
	}, more...)
}

// configErrors returns the problems that New's error joins, as "OPTION: REASON"
// without the environment variable.
func configErrors(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("New: got an error of type %T, want one that unwraps to a list", err)
	}
	var found []string
	for _, e := range joined.Unwrap() {
		var c *agentconnect.ConfigError
		if !errors.As(e, &c) {
			t.Fatalf("New: got an error of type %T, want *ConfigError", e)
		}
		if c.Option == "" || c.Reason == "" || c.Detail == "" {
			t.Errorf("New: got %#v, want option, reason and detail", c)
		}
		if want := "agentconnect: " + c.Option + ": " + c.Reason + ": " + c.Detail; c.Error() != want {
			t.Errorf("Error: got %q, want %q", c.Error(), want)
		}
		option, _, _ := strings.Cut(c.Option, " (")
		found = append(found, option+": "+c.Reason)
	}
	return found
}

func checkConfig(t *testing.T, want []string, opts ...agentconnect.Option) error {
	t.Helper()
	auth, err := agentconnect.New(opts...)
	got := configErrors(t, err)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got problems %q, want %q (%v)", got, want, err)
	}
	if (auth == nil) != (err != nil) {
		t.Errorf("got authenticator %v with error %v, want one of them", auth, err)
	}
	return err
}

// Each option with what it takes and what it does not; everything else is good.
func TestNewValidatesEachOption(t *testing.T) {
	t.Parallel()
	type value struct {
		name   string
		option agentconnect.Option
		want   string // the reason; "" for a good value
	}
	urls := func(with func(string) agentconnect.Option) []value {
		return []value{
			{"absent", with(""), "missing"},
			{"https", with("https://demarches.example.gouv.fr/retour"), ""},
			{"with a port", with("https://demarches.example.gouv.fr:8443/retour"), ""},
			{"with a final slash", with("https://demarches.example.gouv.fr/retour/"), ""},
			{"with a query", with("https://demarches.example.gouv.fr/retour?de=agentconnect"), ""},
			{"http on localhost", with("http://localhost:8080/retour"), ""},
			{"http on a name of localhost", with("http://demarches.localhost:8080/retour"), ""},
			{"http on LOCALHOST", with("http://LOCALHOST:8080/retour"), ""},
			{"http on 127.0.0.1", with("http://127.0.0.1:8080/retour"), ""},
			{"http on another loopback address", with("http://127.8.9.10/retour"), ""},
			{"http on ::1", with("http://[::1]:8080/retour"), ""},
			{"http", with("http://demarches.example.gouv.fr/retour"), "insecure"},
			{"http on every address", with("http://0.0.0.0:8080/retour"), "insecure"},
			{"http on a private address", with("http://10.0.0.1/retour"), "insecure"},
			{"http on a name that begins with localhost", with("http://localhost.example/retour"), "insecure"},
			{"http on a name that ends with localhost", with("http://notlocalhost/retour"), "insecure"},
			{"http on a name that begins with 127.0.0.1", with("http://127.0.0.1.example/retour"), "insecure"},
			{"relative", with("/retour"), "invalid"},
			{"without a scheme", with("demarches.example.gouv.fr/retour"), "invalid"},
			{"relative to a scheme", with("//demarches.example.gouv.fr/retour"), "invalid"},
			{"another scheme", with("ftp://demarches.example.gouv.fr/retour"), "invalid"},
			{"javascript", with("javascript:alert(1)"), "invalid"},
			{"opaque", with("https:demarches.example.gouv.fr/retour"), "invalid"},
			{"one slash", with("https:/demarches.example.gouv.fr/retour"), "invalid"},
			{"without a host", with("https:///retour"), "invalid"},
			{"a port without a host", with("https://:8443/retour"), "invalid"},
			{"a port that is no number", with("https://demarches.example.gouv.fr:web/retour"), "invalid"},
			{"fragment", with("https://demarches.example.gouv.fr/retour#ici"), "invalid"},
			{"empty fragment", with("https://demarches.example.gouv.fr/retour#"), "invalid"},
			{"user name", with("https://marie@demarches.example.gouv.fr/retour"), "invalid"},
			{"user name and password", with("https://marie:secret@demarches.example.gouv.fr/retour"), "invalid"},
			{"empty user name", with("https://@demarches.example.gouv.fr/retour"), "invalid"},
			{"backslash", with(`https://demarches.example.gouv.fr\retour`), "invalid"},
			{"backslash in the path", with(`https://demarches.example.gouv.fr/re\tour`), "invalid"},
			{"space", with("https://demarches.example.gouv.fr/mon retour"), "invalid"},
			{"space before", with(" https://demarches.example.gouv.fr/retour"), "invalid"},
			{"space after", with("https://demarches.example.gouv.fr/retour "), "invalid"},
			{"newline after", with("https://demarches.example.gouv.fr/retour\n"), "invalid"},
			{"letter beyond ASCII in the path", with("https://demarches.example.gouv.fr/arrivée"), "invalid"},
			{"letter beyond ASCII in the host", with("https://démarches.example.gouv.fr/retour"), "invalid"},
			{"malformed escape", with("https://demarches.example.gouv.fr/%zz"), "invalid"},
			{"escape in the path", with("https://demarches.example.gouv.fr/re%74our"), "invalid"},
			{"escape in the directory, which is that of the login", with("https://demarches.example.gouv.fr/%61gents/retour"), "invalid"},
			{"empty segment", with("https://demarches.example.gouv.fr//retour"), "invalid"},
			{"nothing but empty segments", with("https://demarches.example.gouv.fr//"), "invalid"},
			{"dot segment", with("https://demarches.example.gouv.fr/./retour"), "invalid"},
			{"dot dot segment", with("https://demarches.example.gouv.fr/a/../retour"), "invalid"},
			{"scheme in upper case", with("HTTPS://demarches.example.gouv.fr/retour"), "invalid"},
		}
	}
	issuers := []value{
		{"https", agentconnect.WithIssuer("https://provider.example"), ""},
		{"https with a path", agentconnect.WithIssuer("https://provider.example/api/v2"), ""},
		{"http on localhost", agentconnect.WithIssuer("http://localhost:8081/api/v2"), ""},
		{"http", agentconnect.WithIssuer("http://provider.example/api/v2"), "insecure"},
		{"relative", agentconnect.WithIssuer("/api/v2"), "invalid"},
		{"without a scheme", agentconnect.WithIssuer("provider.example"), "invalid"},
		{"query", agentconnect.WithIssuer("https://provider.example/api/v2?x=1"), "invalid"},
		{"empty query", agentconnect.WithIssuer("https://provider.example/api/v2?"), "invalid"},
		{"fragment", agentconnect.WithIssuer("https://provider.example/api/v2#x"), "invalid"},
		{"password", agentconnect.WithIssuer("https://user:password@provider.example/"), "invalid"},
	}
	paths := func(with func(string) agentconnect.Option) []value {
		return []value{
			{"absent: the default", with(""), ""},
			{"a path", with("/agents/entree"), ""},
			{"a path with a final slash", with("/agents/"), ""},
			{"relative", with("entree"), "invalid"},
			{"a URL", with("https://demarches.example.gouv.fr/entree"), "invalid"},
			{"two slashes", with("//evil.example"), "invalid"},
			{"two slashes alone", with("//"), "invalid"},
			{"backslash", with(`/\evil.example`), "invalid"},
			{"dot dot segment", with("/a/../b"), "invalid"},
			{"query", with("/entree?x=1"), "invalid"},
			{"fragment", with("/entree#x"), "invalid"},
			{"escape", with("/entr%C3%A9e"), "invalid"},
			{"letter beyond ASCII", with("/entrée"), "invalid"},
			{"space", with("/mon entree"), "invalid"},
			{"newline", with("/entree\r\nSet-Cookie: a=b"), "invalid"},
			{"conflict with the callback", with("/callback"), "conflict"},
			{"conflict with the logout callback", with("/logout/callback"), "conflict"},
		}
	}
	algs := func(with func(agentconnect.Alg) agentconnect.Option, unsigned string) []value {
		return []value{
			{"RS256", with(agentconnect.RS256), ""},
			{"ES256", with(agentconnect.ES256), ""},
			{"HS256", with(agentconnect.HS256), ""},
			{"none", with(agentconnect.Unsigned), unsigned},
			{"None", with("None"), "invalid"},
			{"lower case", with("rs256"), "invalid"},
			{"RS512", with("RS512"), "invalid"},
			{"PS256", with("PS256"), "invalid"},
			{"space", with("RS256 "), "invalid"},
		}
	}
	cookieNames := []value{
		{"letters, digits, - and _", agentconnect.WithCookieName("Agent_connect-2"), ""},
		{"empty", agentconnect.WithCookieName(""), "invalid"},
		{"32 letters", agentconnect.WithCookieName(strings.Repeat("a", 32)), ""},
		{"33 letters", agentconnect.WithCookieName(strings.Repeat("a", 33)), "invalid"},
		{"semicolon", agentconnect.WithCookieName("a;b"), "invalid"},
		{"equals sign", agentconnect.WithCookieName("a=b"), "invalid"},
		{"space", agentconnect.WithCookieName("a b"), "invalid"},
		{"newline", agentconnect.WithCookieName("a\r\nb"), "invalid"},
		{"letter beyond ASCII", agentconnect.WithCookieName("é"), "invalid"},
	}
	scopes := []value{
		{"openid alone", agentconnect.WithScopes("openid"), ""},
		{"several", agentconnect.WithScopes("email", "openid", "custom"), ""},
		{"one with a colon", agentconnect.WithScopes("openid", "chorusdt:matricule"), ""},
		{"none", agentconnect.WithScopes(), "missing"},
		{"without openid", agentconnect.WithScopes("email", "uid"), "missing"},
		{"openid in upper case", agentconnect.WithScopes("OpenID", "email"), "missing"},
		{"twice", agentconnect.WithScopes("openid", "email", "email"), "invalid"},
		{"openid twice", agentconnect.WithScopes("openid", "openid"), "invalid"},
		{"empty", agentconnect.WithScopes("openid", ""), "invalid"},
		{"two in one", agentconnect.WithScopes("openid", "email uid"), "invalid"},
		{"quotation mark", agentconnect.WithScopes("openid", `em"ail`), "invalid"},
		{"backslash", agentconnect.WithScopes("openid", `em\ail`), "invalid"},
		{"letter beyond ASCII", agentconnect.WithScopes("openid", "émail"), "invalid"},
		{"control character", agentconnect.WithScopes("openid", "email\t"), "invalid"},
	}
	lifetimes := []value{
		{"a minute", agentconnect.WithSessionLifetime(time.Minute), ""},
		{"31 days", agentconnect.WithSessionLifetime(31 * 24 * time.Hour), ""},
		{"zero", agentconnect.WithSessionLifetime(0), "invalid"},
		{"negative", agentconnect.WithSessionLifetime(-time.Hour), "invalid"},
		{"less than a minute", agentconnect.WithSessionLifetime(time.Minute - 1), "invalid"},
		{"twelve without a unit", agentconnect.WithSessionLifetime(12), "invalid"},
		{"more than 31 days", agentconnect.WithSessionLifetime(31*24*time.Hour + 1), "invalid"},
	}
	idles := []value{
		{"none", agentconnect.WithIdleTimeout(0), ""},
		{"five minutes", agentconnect.WithIdleTimeout(5 * time.Minute), ""},
		{"the session's lifetime", agentconnect.WithIdleTimeout(12 * time.Hour), ""},
		{"negative", agentconnect.WithIdleTimeout(-time.Minute), "invalid"},
		{"less than five minutes", agentconnect.WithIdleTimeout(5*time.Minute - 1), "invalid"},
		{"more than the session's lifetime", agentconnect.WithIdleTimeout(12*time.Hour + 1), "invalid"},
	}
	contacts := []value{
		{"none", agentconnect.WithSupportContact(""), ""},
		{"e-mail", agentconnect.WithSupportContact("assistance@demarches.example.gouv.fr"), ""},
		{"URL", agentconnect.WithSupportContact("https://assistance.example.gouv.fr/demarches?sujet=connexion"), ""},
		{"http", agentconnect.WithSupportContact("http://assistance.example.gouv.fr"), "invalid"},
		{"script", agentconnect.WithSupportContact("javascript:alert(1)"), "invalid"},
		{"URL without a host", agentconnect.WithSupportContact("https:///aide"), "invalid"},
		{"telephone number", agentconnect.WithSupportContact("01 99 00 00 00"), "invalid"},
		{"e-mail with a name", agentconnect.WithSupportContact("Assistance <assistance@demarches.example.gouv.fr>"), "invalid"},
		{"two e-mails", agentconnect.WithSupportContact("a@demarches.example, b@demarches.example"), "invalid"},
	}
	levels := []value{
		{"none", agentconnect.WithLevel(), ""},
		{"MFA", agentconnect.WithLevel(agentconnect.MFA()), ""},
		{"MFA and eIDAS 2", agentconnect.WithLevel(agentconnect.MFA(), agentconnect.MinEIDAS(2)), ""},
		{"an access rule", agentconnect.WithLevel(agentconnect.Role(agentconnect.RoleAgentPublic)), ""},
		{"a level and an access rule", agentconnect.WithLevel(agentconnect.MinEIDAS(1), agentconnect.SIREN("000000018")), ""},
		{"eIDAS 0", agentconnect.WithLevel(agentconnect.MinEIDAS(0)), "conflict"},
		{"eIDAS 4", agentconnect.WithLevel(agentconnect.MinEIDAS(4)), "conflict"},
		{"eIDAS -1", agentconnect.WithLevel(agentconnect.MinEIDAS(-1)), "conflict"},
		{"no acr", agentconnect.WithLevel(agentconnect.ACR()), "conflict"},
		{"an acr that AgentConnect does not give", agentconnect.WithLevel(agentconnect.ACR("eidas1", "eidas4")), "conflict"},
		{"an acr in upper case", agentconnect.WithLevel(agentconnect.ACR("EIDAS1")), "conflict"},
		{"two exact values", agentconnect.WithLevel(agentconnect.ACR("eidas1"), agentconnect.ACR("eidas2")), "conflict"},
		{"MFA, and a value without", agentconnect.WithLevel(agentconnect.MFA(), agentconnect.ACR("eidas1")), "conflict"},
		{"MFA and certification dirigeant", agentconnect.WithLevel(agentconnect.MFA(), agentconnect.CertificationDirigeant()), "conflict"},
		{"the zero requirement", agentconnect.WithLevel(agentconnect.Requirement{}), "conflict"},
		{"a condition without a function", agentconnect.WithLevel(agentconnect.Condition(agentconnect.Reason{French: "x"}, nil)), "conflict"},
	}
	var noStore *memstore.MemStore
	groups := []struct {
		option string // whose problem it is
		values []value
	}{
		{"WithRedirectURL", urls(agentconnect.WithRedirectURL)},
		{"WithPostLogoutRedirectURL", urls(agentconnect.WithPostLogoutRedirectURL)},
		{"WithIssuer", issuers},
		{"WithLoginPath", paths(agentconnect.WithLoginPath)},
		{"WithLogoutPath", paths(agentconnect.WithLogoutPath)},
		{"WithHomePath", paths(agentconnect.WithHomePath)},
		{"WithLoggedOutPath", append(paths(agentconnect.WithLoggedOutPath), value{"the home page", agentconnect.WithLoggedOutPath("/"), ""})},
		{"WithServiceName", []value{
			{"a name", agentconnect.WithServiceName("Démarches & Co"), ""},
			{"none", agentconnect.WithServiceName(""), ""},
			{"of two lines", agentconnect.WithServiceName("a\nb"), "invalid"},
		}},
		{"WithIDTokenAlg", algs(agentconnect.WithIDTokenAlg, "invalid")},
		{"WithUserinfoAlg", algs(agentconnect.WithUserinfoAlg, "")},
		{"WithScopes", scopes},
		{"WithCookieName", cookieNames},
		{"WithSessionLifetime", lifetimes},
		{"WithIdleTimeout", idles},
		{"WithSupportContact", contacts},
		{"WithLevel", levels},
		{"WithClient", []value{
			{"no client_id", agentconnect.WithClient("", testSecret), "missing"},
			{"no client_secret", agentconnect.WithClient("client-id", ""), "missing"},
			{"space before the client_id", agentconnect.WithClient(" client-id", testSecret), "invalid"},
			{"newline after the client_secret", agentconnect.WithClient("client-id", testSecret+"\n"), "invalid"},
			{"no-break space after the client_secret", agentconnect.WithClient("client-id", testSecret+"\u00a0"), "invalid"},
			{"space inside the client_secret", agentconnect.WithClient("client-id", "a b"), ""},
		}},
		{"WithSealedSessions", []value{
			{"no key", agentconnect.WithSealedSessions(), "missing"},
			{"31 bytes", agentconnect.WithSealedSessions(bytes.Repeat([]byte{1}, 31)), "insecure"},
			{"32 bytes, then an old one that is short", agentconnect.WithSealedSessions(bytes.Repeat([]byte{1}, 32), []byte("old")), "insecure"},
			{"32 bytes", agentconnect.WithSealedSessions(bytes.Repeat([]byte{1}, 32)), ""},
			{"unsealed, then a key", agentconnect.WithSealedSessions([]byte(agentconnect.Unsealed), bytes.Repeat([]byte{1}, 32)), ""},
			{"a key, then unsealed", agentconnect.WithSealedSessions(bytes.Repeat([]byte{1}, 32), []byte(agentconnect.Unsealed)), ""},
			{"an empty one beside a key", agentconnect.WithSealedSessions(bytes.Repeat([]byte{1}, 32), nil), "insecure"},
		}},
		{"WithRevocationAtLogout", []value{
			{"without WithTokens", agentconnect.WithRevocationAtLogout(), "conflict"},
		}},
		{"WithLoginParameters", []value{
			{"all of them", agentconnect.WithLoginParameters("login_hint", "idp_hint", "siret_hint", "prompt"), ""},
			{"acr_values", agentconnect.WithLoginParameters("login_hint", "acr_values"), "invalid"},
			{"in another case", agentconnect.WithLoginParameters("Prompt"), "invalid"},
			{"empty", agentconnect.WithLoginParameters(""), "invalid"},
		}},
		{"WithPageTemplate", []value{
			{"nil", agentconnect.WithPageTemplate(nil, ""), "missing"},
			{"one with an unknown field", agentconnect.WithPageTemplate(template.Must(template.New("t").Parse(`{{.Nothing}}`)), ""), "invalid"},
			{"one that fails for the logout page", agentconnect.WithPageTemplate(template.Must(template.New("t").Parse(`{{.Support.Contact}}`)), ""), "invalid"},
			{"one that works", agentconnect.WithPageTemplate(template.Must(template.New("t").Parse(`{{.Title}}`)), ""), ""},
		}},
		{"WithOtherCookieNames", []value{
			{"none", agentconnect.WithOtherCookieNames(), ""},
			{"two", agentconnect.WithOtherCookieNames("old", "older"), ""},
			{"an empty one", agentconnect.WithOtherCookieNames("old", ""), "invalid"},
			{"a semicolon", agentconnect.WithOtherCookieNames("a;b"), "invalid"},
			{"the current one", agentconnect.WithOtherCookieNames("old", "agentconnect"), "conflict"},
		}},
		{"WithOtherClientSecrets", []value{
			{"none", agentconnect.WithOtherClientSecrets(), ""},
			{"two", agentconnect.WithOtherClientSecrets("one", "two"), ""},
			{"an empty one", agentconnect.WithOtherClientSecrets("one", ""), "invalid"},
		}},
		{"WithSessionStore", []value{
			{"nil", agentconnect.WithSessionStore(nil), "missing"},
			{"nil pointer", agentconnect.WithSessionStore(noStore), "missing"},
		}},
		{"WithHTTPClient", []value{
			{"nil", agentconnect.WithHTTPClient(nil), "missing"},
			{"the zero client", agentconnect.WithHTTPClient(&http.Client{}), ""},
		}},
		{"WithLogger", []value{
			{"nil", agentconnect.WithLogger(nil), "missing"},
			{"one that discards", agentconnect.WithLogger(slog.New(slog.DiscardHandler)), ""},
		}},
		{"WithErrorHandler", []value{
			{"nil", agentconnect.WithErrorHandler(nil), "missing"},
			{"a function", agentconnect.WithErrorHandler(func(http.ResponseWriter, *http.Request, *agentconnect.Error) {}), ""},
		}},
		{"WithLoginHook", []value{
			{"nil", agentconnect.WithLoginHook(nil), "missing"},
			{"a function", agentconnect.WithLoginHook(func(context.Context, *agentconnect.Login) error { return nil }), ""},
		}},
		{"WithLogoutHook", []value{
			{"nil", agentconnect.WithLogoutHook(nil), "missing"},
			{"a function", agentconnect.WithLogoutHook(func(context.Context, *agentconnect.Logout) {}), ""},
		}},
		{"WithEvents", []value{
			{"nil", agentconnect.WithEvents(nil), "missing"},
			{"a function", agentconnect.WithEvents(func(context.Context, agentconnect.Event) {}), ""},
		}},
	}
	tried := map[string]bool{
		"WithEnvironment": true, // TestNewWithEnvironments
		// They take nothing that could be wrong.
		"WithAMR": true, "WithAgentConnectBrand": true, "WithSessionEndAtMidnight": true, "WithTokens": true,
	}
	for _, group := range groups {
		tried[group.option] = true
		for _, v := range group.values {
			t.Run(group.option+"/"+v.name, func(t *testing.T) {
				var want []string
				if v.want != "" {
					want = []string{group.option + ": " + v.want}
				}
				checkConfig(t, want, goodOptions(v.option)...)
			})
		}
	}
	for _, option := range optionNames(t) {
		if !tried[option] {
			t.Errorf("%s: got no row, want one for each value that New refuses", option)
		}
	}
}

// optionNames returns the names of the options of the package.
func optionNames(t *testing.T) []string {
	t.Helper()
	surface, err := os.ReadFile("testdata/api.txt")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^func (With\w+)\(.*\) Option$`).FindAllStringSubmatch(string(surface), -1) {
		names = append(names, m[1])
	}
	if len(names) < 20 {
		t.Fatalf("got options %q, want all of them", names)
	}
	return names
}

// What an environment changes: the issuer is known, and production takes no
// redirect URL on this machine.
func TestNewWithEnvironments(t *testing.T) {
	t.Parallel()
	const public, local = "https://demarches.example.gouv.fr", "http://localhost:8080"
	for _, tt := range []struct {
		name        string
		environment agentconnect.Environment
		issuer      string
		origin      string
		want        []string
	}{
		{"integration", agentconnect.Integration, "", public, nil},
		{"production", agentconnect.Production, "", public, nil},
		{"integration on the RIE", agentconnect.IntegrationRIE, "", public, nil},
		{"production on the RIE", agentconnect.ProductionRIE, "", public, nil},
		{"integration, http on localhost", agentconnect.Integration, "", local, nil},
		{"integration on the RIE, http on localhost", agentconnect.IntegrationRIE, "", local, nil},
		{"production, http on localhost", agentconnect.Production, "", local, []string{"WithRedirectURL: insecure", "WithPostLogoutRedirectURL: insecure"}},
		{"production on the RIE, http on 127.0.0.1", agentconnect.ProductionRIE, "", "http://127.0.0.1:8080", []string{"WithRedirectURL: insecure", "WithPostLogoutRedirectURL: insecure"}},
		{"production, https on localhost", agentconnect.Production, "", "https://localhost:8443", []string{"WithRedirectURL: insecure", "WithPostLogoutRedirectURL: insecure"}},
		{"production, https on [::1]", agentconnect.Production, "", "https://[::1]:8443", []string{"WithRedirectURL: insecure", "WithPostLogoutRedirectURL: insecure"}},
		{"production, http", agentconnect.Production, "", "http://demarches.example.gouv.fr", []string{"WithRedirectURL: insecure", "WithPostLogoutRedirectURL: insecure"}},
		{"production by its issuer, http on localhost", "", agentconnect.Production.Issuer(), local, []string{"WithRedirectURL: insecure", "WithPostLogoutRedirectURL: insecure"}},
		{"an issuer, http on localhost", "", "https://provider.example", local, nil},
		{"unknown", "staging", "", public, []string{"WithEnvironment: invalid"}},
		{"upper case", "Integration", "", public, []string{"WithEnvironment: invalid"}},
		{"neither environment nor issuer", "", "", public, []string{"WithEnvironment: missing"}},
		{"both", agentconnect.Integration, "https://provider.example", public, []string{"WithIssuer: conflict"}},
		{"both, the same", agentconnect.Integration, agentconnect.Integration.Issuer(), public, []string{"WithIssuer: conflict"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			checkConfig(t, tt.want, goodOptions(
				agentconnect.WithIssuer(tt.issuer),
				agentconnect.WithEnvironment(tt.environment),
				agentconnect.WithRedirectURL(tt.origin+"/callback"),
				agentconnect.WithPostLogoutRedirectURL(tt.origin+"/logout/callback"),
			)...)
		})
	}
}

func TestEnvironmentIssuer(t *testing.T) {
	t.Parallel()
	for e, want := range map[agentconnect.Environment]string{
		agentconnect.Integration:    "https://fca.integ01.dev-agentconnect.fr/api/v2",
		agentconnect.Production:     "https://auth.agentconnect.gouv.fr/api/v2",
		agentconnect.IntegrationRIE: "https://fca.integ02.agentconnect.rie.gouv.fr/api/v2",
		agentconnect.ProductionRIE:  "https://auth.agentconnect.rie.gouv.fr/api/v2",
		"":                          "",
		"staging":                   "",
	} {
		if got := e.Issuer(); got != want {
			t.Errorf("Issuer of %q: got %q, want %q", e, got, want)
		}
	}
}

// Problems that two options make together.
func TestNewValidatesCombinations(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		opts []agentconnect.Option
		want []string
	}{
		{"login and logout at one path", []agentconnect.Option{agentconnect.WithLoginPath("/agent"), agentconnect.WithLogoutPath("/agent")}, []string{"WithLogoutPath: conflict"}},
		{"home is the login", []agentconnect.Option{agentconnect.WithHomePath("/login")}, []string{"WithHomePath: conflict"}},
		{"one callback for both", []agentconnect.Option{agentconnect.WithPostLogoutRedirectURL("https://demarches.example.gouv.fr/callback")}, []string{"WithPostLogoutRedirectURL: conflict"}},
		{"the callback at the root, and home there", []agentconnect.Option{agentconnect.WithRedirectURL("https://demarches.example.gouv.fr/")}, []string{"WithHomePath: conflict"}},
		{"the callback without a path, and home at the root", []agentconnect.Option{agentconnect.WithRedirectURL("https://demarches.example.gouv.fr")}, []string{"WithHomePath: conflict"}},
		{"the callback at the root, home elsewhere", []agentconnect.Option{agentconnect.WithRedirectURL("https://demarches.example.gouv.fr"), agentconnect.WithHomePath("/accueil")}, nil},
		{"the logout callback is where logout is by default", []agentconnect.Option{agentconnect.WithPostLogoutRedirectURL("https://demarches.example.gouv.fr/logout")}, []string{"WithLogoutPath: conflict"}},
		{"revocation, with tokens", []agentconnect.Option{agentconnect.WithRevocationAtLogout(), agentconnect.WithTokens()}, nil},
		{"idle timeout longer than a short session", []agentconnect.Option{agentconnect.WithSessionLifetime(time.Hour), agentconnect.WithIdleTimeout(2 * time.Hour)}, []string{"WithIdleTimeout: invalid"}},
		{"ID token unsigned, which userinfo follows", []agentconnect.Option{agentconnect.WithIDTokenAlg(agentconnect.Unsigned)}, []string{"WithIDTokenAlg: invalid"}},
		{"both algorithms unknown", []agentconnect.Option{agentconnect.WithIDTokenAlg("RS384"), agentconnect.WithUserinfoAlg("RS384")}, []string{"WithIDTokenAlg: invalid", "WithUserinfoAlg: invalid"}},
		{"a bad option, then a good one", []agentconnect.Option{agentconnect.WithScopes("email"), agentconnect.WithScopes("openid", "email")}, nil},
		{"a nil option among good ones", []agentconnect.Option{nil, agentconnect.WithHomePath("/accueil"), nil}, []string{"option 6: missing", "option 8: missing"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			checkConfig(t, tt.want, goodOptions(tt.opts...)...)
		})
	}
}

// Nobody corrects one problem at a time: all of them are in one error.
func TestNewReportsEverythingAtOnce(t *testing.T) {
	t.Parallel()
	err := checkConfig(t, []string{
		"option 1: missing",
		"WithIssuer: conflict",
		"WithRedirectURL: insecure",
		"WithPostLogoutRedirectURL: invalid",
		"WithScopes: missing",
		"WithScopes: invalid",
		"WithClient: missing",
		"WithClient: invalid",
		"WithOtherClientSecrets: invalid",
		"WithLoginPath: invalid",
		"WithHomePath: invalid",
		"WithIDTokenAlg: invalid",
		"WithUserinfoAlg: invalid",
		"WithSessionStore: missing",
		"WithSessionLifetime: invalid",
		"WithIdleTimeout: invalid",
		"WithSealedSessions: missing",
		"WithRevocationAtLogout: conflict",
		"WithCookieName: invalid",
		"WithHTTPClient: missing",
		"WithLogger: missing",
		"WithErrorHandler: missing",
		"WithLoginHook: missing",
		"WithLogoutHook: missing",
		"WithEvents: missing",
		"WithLevel: conflict",
		"WithLoginParameters: invalid",
		"WithSupportContact: invalid",
		"WithPageTemplate: missing",
	},
		nil,
		agentconnect.WithEnvironment(agentconnect.Production),
		agentconnect.WithIssuer("https://provider.example"),
		agentconnect.WithClient("", testSecret+" "),
		agentconnect.WithOtherClientSecrets(""),
		agentconnect.WithRedirectURL("http://demarches.example.gouv.fr/callback"),
		agentconnect.WithPostLogoutRedirectURL("/logout/callback"),
		agentconnect.WithLoginPath("login"),
		agentconnect.WithHomePath("//"),
		agentconnect.WithScopes("email", "email"),
		agentconnect.WithIDTokenAlg("RS512"),
		agentconnect.WithUserinfoAlg("HS512"),
		agentconnect.WithSessionStore(nil),
		agentconnect.WithSessionLifetime(0),
		agentconnect.WithIdleTimeout(time.Second),
		agentconnect.WithSealedSessions(),
		agentconnect.WithRevocationAtLogout(),
		agentconnect.WithCookieName("a b"),
		agentconnect.WithHTTPClient(nil),
		agentconnect.WithLogger(nil),
		agentconnect.WithErrorHandler(nil),
		agentconnect.WithLoginHook(nil),
		agentconnect.WithLogoutHook(nil),
		agentconnect.WithEvents(nil),
		agentconnect.WithLevel(agentconnect.MinEIDAS(9)),
		agentconnect.WithLoginParameters("scope"),
		agentconnect.WithSupportContact("?"),
		agentconnect.WithPageTemplate(nil, ""),
	)
	var first *agentconnect.ConfigError
	if !errors.As(err, &first) || first.Option != "option 1" {
		t.Errorf("errors.As: got %v, want the first problem", first)
	}

	// With nothing at all: what is required, each with its variable.
	_, err = agentconnect.New()
	for _, variable := range []string{
		"PROCONNECT_ENVIRONMENT", "PROCONNECT_ISSUER", "PROCONNECT_CLIENT_ID", "PROCONNECT_CLIENT_SECRET",
		"PROCONNECT_REDIRECT_URL", "PROCONNECT_POST_LOGOUT_REDIRECT_URL",
		"AGENTCONNECT_ENVIRONMENT", "AGENTCONNECT_CLIENT_ID", "AGENTCONNECT_CLIENT_SECRET",
		"AGENTCONNECT_REDIRECT_URL", "AGENTCONNECT_POST_LOGOUT_REDIRECT_URL",
	} {
		if !strings.Contains(fmt.Sprint(err), variable) {
			t.Errorf("New(): got %v, want it to name %s", err, variable)
		}
	}
	if got := configErrors(t, err); len(got) != 5 {
		t.Errorf("New(): got problems %q, want the five that are missing", got)
	}
}

// The secret is shown by no error, wherever it was put.
func TestNewNeverShowsTheSecret(t *testing.T) {
	t.Parallel()
	texts := map[string]func(string) agentconnect.Option{
		"WithEnvironment":        func(s string) agentconnect.Option { return agentconnect.WithEnvironment(agentconnect.Environment(s)) },
		"WithIssuer":             agentconnect.WithIssuer,
		"WithClient, as both":    func(s string) agentconnect.Option { return agentconnect.WithClient(s, s) },
		"WithClient, exchanged":  func(s string) agentconnect.Option { return agentconnect.WithClient(s, " client-id") },
		"WithOtherClientSecrets": func(s string) agentconnect.Option { return agentconnect.WithOtherClientSecrets(s, "") },
		"WithRedirectURL":        agentconnect.WithRedirectURL,
		"WithRedirectURL, password": func(s string) agentconnect.Option {
			return agentconnect.WithRedirectURL("https://u:" + s + "@a.example/")
		},
		"WithPostLogoutRedirectURL":   agentconnect.WithPostLogoutRedirectURL,
		"WithLoginPath":               agentconnect.WithLoginPath,
		"WithLogoutPath":              agentconnect.WithLogoutPath,
		"WithHomePath":                agentconnect.WithHomePath,
		"WithScopes":                  func(s string) agentconnect.Option { return agentconnect.WithScopes(s) },
		"WithScopes, twice":           func(s string) agentconnect.Option { return agentconnect.WithScopes(s, s) },
		"WithScopes, with a space":    func(s string) agentconnect.Option { return agentconnect.WithScopes(s + " ") },
		"WithIDTokenAlg":              func(s string) agentconnect.Option { return agentconnect.WithIDTokenAlg(agentconnect.Alg(s)) },
		"WithUserinfoAlg":             func(s string) agentconnect.Option { return agentconnect.WithUserinfoAlg(agentconnect.Alg(s)) },
		"WithLevel":                   func(s string) agentconnect.Option { return agentconnect.WithLevel(agentconnect.ACR(s)) },
		"WithCookieName":              agentconnect.WithCookieName,
		"WithCookieName, with equals": func(s string) agentconnect.Option { return agentconnect.WithCookieName(s + "=") },
		"WithSupportContact":          agentconnect.WithSupportContact,
	}
	for name, secret := range map[string]string{
		"of AgentConnect's shape":   testSecret,
		"with quotes and backslash": `p"a\s's%sw/o?r#d&and-more`,
		"beyond ASCII":              "mot-de-passe-très-secret-€",
		"with a line break":         "one-half-of-it\nthe-other-half",
	} {
		for wrong, with := range texts {
			t.Run(wrong+"/"+name, func(t *testing.T) {
				for _, where := range []struct {
					name string
					opts []agentconnect.Option
				}{
					{"there as well", []agentconnect.Option{agentconnect.WithClient("client-id", secret), with(secret)}},
					{"there alone", []agentconnect.Option{with(secret)}},
					{"there, and the old one", []agentconnect.Option{agentconnect.WithClient("client-id", "another"), agentconnect.WithOtherClientSecrets(secret), with(secret)}},
					{"there, copied with a space", []agentconnect.Option{agentconnect.WithClient("client-id", secret+" "), with(secret)}},
				} {
					_, err := agentconnect.New(where.opts...)
					if err == nil {
						t.Fatalf("%s: got no error, want one: the URLs are missing", where.name)
					}
					for _, verb := range []string{"%v", "%+v", "%q", "%#v"} {
						for _, e := range append([]error{err}, err.(interface{ Unwrap() []error }).Unwrap()...) {
							shown := fmt.Sprintf(verb, e)
							for _, s := range []string{secret, strings.Trim(fmt.Sprintf("%q", secret), `"`), url.QueryEscape(secret)} {
								if strings.Contains(shown, s) {
									t.Fatalf("%s: the secret is in %s", where.name, shown)
								}
							}
						}
					}
				}
			})
		}
	}
}

// A URL is shown whole, but for the secrets in it.
func TestNewRedactsSecretsInURLs(t *testing.T) {
	t.Parallel()
	const former = `former"secret\`
	for _, secret := range []string{testSecret, former} {
		_, err := agentconnect.New(goodOptions(
			agentconnect.WithOtherClientSecrets("another", former),
			agentconnect.WithRedirectURL("http://demarches.example.gouv.fr/callback?key="+secret),
		)...)
		if err == nil || !strings.Contains(err.Error(), `"http://demarches.example.gouv.fr/callback?key=[redacted]"`) {
			t.Errorf("got %v, want the URL without the secret", err)
		}
	}
}

// Every problem that New can report: the detail says what is wrong, what belongs
// there, and shows a typing error.
func TestNewSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		opt    agentconnect.Option
		option string
		reason string
		detail string // a part of it
	}{
		{nil, "option 6", "missing", "it is nil"},
		{agentconnect.WithIssuer(""), "WithEnvironment (PROCONNECT_ENVIRONMENT or AGENTCONNECT_ENVIRONMENT)", "missing", "integration, production, integration-rie or production-rie"},
		{agentconnect.WithEnvironment(agentconnect.Production), "WithIssuer (PROCONNECT_ISSUER or AGENTCONNECT_ISSUER)", "conflict", "keep one"},
		{agentconnect.WithIssuer("https://provider.example?"), "WithIssuer (PROCONNECT_ISSUER or AGENTCONNECT_ISSUER)", "invalid", "no query"},
		{agentconnect.WithIssuer("https://provider.example/api/v2/.well-known/openid-configuration"), "WithIssuer (PROCONNECT_ISSUER or AGENTCONNECT_ISSUER)", "invalid", "give the part before /.well-known"},
		{agentconnect.WithClient("", testSecret), "WithClient (PROCONNECT_CLIENT_ID or AGENTCONNECT_CLIENT_ID)", "missing", "give the client_id"},
		{agentconnect.WithClient("client-id", ""), "WithClient (PROCONNECT_CLIENT_SECRET or AGENTCONNECT_CLIENT_SECRET)", "missing", "give the client_secret"},
		{agentconnect.WithClient("client-id ", testSecret), "WithClient (PROCONNECT_CLIENT_ID or AGENTCONNECT_CLIENT_ID)", "invalid", "white space"},
		{agentconnect.WithClient("client-id", testSecret+" "), "WithClient (PROCONNECT_CLIENT_SECRET or AGENTCONNECT_CLIENT_SECRET)", "invalid", "white space"},
		{agentconnect.WithClient(`"client-id"`, testSecret), "WithClient (PROCONNECT_CLIENT_ID or AGENTCONNECT_CLIENT_ID)", "invalid", "between quotes"},
		{agentconnect.WithClient("client-id", "'"+testSecret+"'"), "WithClient (PROCONNECT_CLIENT_SECRET or AGENTCONNECT_CLIENT_SECRET)", "invalid", "between quotes"},
		{agentconnect.WithOtherClientSecrets(""), "WithOtherClientSecrets", "invalid", "one of the secrets is empty"},
		{agentconnect.WithRedirectURL(""), "WithRedirectURL (PROCONNECT_REDIRECT_URL or AGENTCONNECT_REDIRECT_URL)", "missing", "exactly as it is registered"},
		{agentconnect.WithRedirectURL(`"https://demarches.example.gouv.fr/retour"`), "WithRedirectURL (PROCONNECT_REDIRECT_URL or AGENTCONNECT_REDIRECT_URL)", "invalid", "between quotes"},
		{agentconnect.WithRedirectURL("https://%"), "WithRedirectURL (PROCONNECT_REDIRECT_URL or AGENTCONNECT_REDIRECT_URL)", "invalid", "it is not a URL"},
		{agentconnect.WithRedirectURL("https://a:b@demarches.example.gouv.fr/retour"), "WithRedirectURL (PROCONNECT_REDIRECT_URL or AGENTCONNECT_REDIRECT_URL)", "invalid", "has no user name and no password"},
		{agentconnect.WithRedirectURL("localhost"), "WithRedirectURL (PROCONNECT_REDIRECT_URL or AGENTCONNECT_REDIRECT_URL)", "invalid", `"localhost" is not an absolute https URL`},
		{agentconnect.WithRedirectURL("https://demarches.example.gouv.fr/retour#"), "WithRedirectURL (PROCONNECT_REDIRECT_URL or AGENTCONNECT_REDIRECT_URL)", "invalid", "has a fragment"},
		{agentconnect.WithRedirectURL("https://demarches.example.gouv.fr/mon retour"), "WithRedirectURL (PROCONNECT_REDIRECT_URL or AGENTCONNECT_REDIRECT_URL)", "invalid", `/mon retour" has a space, a backslash`},
		{agentconnect.WithRedirectURL(`https://demarches.example.gouv.fr/re\tour`), "WithRedirectURL (PROCONNECT_REDIRECT_URL or AGENTCONNECT_REDIRECT_URL)", "invalid", `/re\\tour" has a space, a backslash`},
		{agentconnect.WithRedirectURL("HTTPS://demarches.example.gouv.fr/retour"), "WithRedirectURL (PROCONNECT_REDIRECT_URL or AGENTCONNECT_REDIRECT_URL)", "invalid", `"https://demarches.example.gouv.fr/retour" says the same`},
		{agentconnect.WithRedirectURL("http://demarches.example.gouv.fr/callback"), "WithRedirectURL (PROCONNECT_REDIRECT_URL or AGENTCONNECT_REDIRECT_URL)", "insecure", `"http://demarches.example.gouv.fr/callback" is http`},
		{agentconnect.WithPostLogoutRedirectURL("https://demarches.example.gouv.fr/a/../b"), "WithPostLogoutRedirectURL (PROCONNECT_POST_LOGOUT_REDIRECT_URL or AGENTCONNECT_POST_LOGOUT_REDIRECT_URL)", "invalid", `"." or ".." segment`},
		{agentconnect.WithScopes("email"), "WithScopes (PROCONNECT_SCOPES or AGENTCONNECT_SCOPES)", "missing", "openid must be among"},
		{agentconnect.WithScopes("openid", "e-mail\n"), "WithScopes (PROCONNECT_SCOPES or AGENTCONNECT_SCOPES)", "invalid", `"e-mail\n" is not a scope`},
		{agentconnect.WithScopes("openid", "email", "email"), "WithScopes (PROCONNECT_SCOPES or AGENTCONNECT_SCOPES)", "invalid", `"email" is there twice`},
		{agentconnect.WithLoginPath("entree"), "WithLoginPath", "invalid", `"entree" is not the path of a page`},
		{agentconnect.WithLoginPath("/callback"), "WithLoginPath", "conflict", "the path /callback is also that of WithRedirectURL"},
		{agentconnect.WithIDTokenAlg("RS265"), "WithIDTokenAlg (PROCONNECT_ID_TOKEN_ALG or AGENTCONNECT_ID_TOKEN_ALG)", "invalid", `"RS265" is not one of RS256, ES256, HS256`},
		{agentconnect.WithUserinfoAlg("NONE"), "WithUserinfoAlg (PROCONNECT_USERINFO_ALG or AGENTCONNECT_USERINFO_ALG)", "invalid", `"NONE" is not one of RS256, ES256, HS256, none`},
		{agentconnect.WithSessionStore(nil), "WithSessionStore", "missing", "the store is nil"},
		{agentconnect.WithSessionLifetime(time.Second), "WithSessionLifetime", "invalid", "1s is not between 1m0s and 744h0m0s"},
		{agentconnect.WithIdleTimeout(time.Second), "WithIdleTimeout", "invalid", "1s is not between 5m0s and the session's lifetime, 12h0m0s"},
		{agentconnect.WithSealedSessions(), "WithSealedSessions", "missing", "at least one key"},
		{agentconnect.WithSealedSessions([]byte("short")), "WithSealedSessions", "insecure", "a key has 5 bytes; give 32 random ones"},
		{agentconnect.WithRevocationAtLogout(), "WithRevocationAtLogout", "conflict", "nothing to revoke without WithTokens"},
		{agentconnect.WithCookieName("a b"), "WithCookieName", "invalid", `"a b" is not made of letters`},
		{agentconnect.WithHTTPClient(nil), "WithHTTPClient", "missing", "the client is nil"},
		{agentconnect.WithLogger(nil), "WithLogger", "missing", "slog.DiscardHandler"},
		{agentconnect.WithErrorHandler(nil), "WithErrorHandler", "missing", "the function is nil"},
		{agentconnect.WithLoginHook(nil), "WithLoginHook", "missing", "would accept every agent"},
		{agentconnect.WithLevel(agentconnect.ACR("eidas4")), "WithLevel", "conflict", `ACR: "eidas4" is not an acr that ProConnect gives`},
		{agentconnect.WithLevel(agentconnect.MinEIDAS(4)), "WithLevel", "conflict", "MinEIDAS: 4 is not an eIDAS level"},
		{agentconnect.WithLevel(agentconnect.ACR("eidas1"), agentconnect.MFA()), "WithLevel", "conflict", "no single acr value"},
		{agentconnect.WithLevel(agentconnect.Requirement{}), "WithLevel", "conflict", "the zero value"},
		{agentconnect.WithLoginParameters("scope"), "WithLoginParameters", "invalid", `"scope" is not one of login_hint, idp_hint, siret_hint, prompt`},
		{agentconnect.WithSupportContact("?"), "WithSupportContact", "invalid", `"?" is neither an e-mail address nor an https URL`},
		{agentconnect.WithPageTemplate(nil, ""), "WithPageTemplate", "missing", "the template is nil"},
		{agentconnect.WithPageTemplate(template.Must(template.New("t").Parse(`{{.Nothing}}`)), ""), "WithPageTemplate", "invalid", "can't evaluate field Nothing"},
	} {
		_, err := agentconnect.New(goodOptions(tt.opt)...)
		var got *agentconnect.ConfigError
		if !errors.As(err, &got) || got.Option != tt.option || got.Reason != tt.reason || !strings.Contains(got.Detail, tt.detail) {
			t.Errorf("got %v, want %s: %s: …%s…", err, tt.option, tt.reason, tt.detail)
		}
	}
	for _, tt := range []struct {
		environment   agentconnect.Environment
		url           string
		option, shown string
	}{
		{"staging", "https://demarches.example.gouv.fr/callback", "WithEnvironment (PROCONNECT_ENVIRONMENT or AGENTCONNECT_ENVIRONMENT)", `"staging" is not one of`},
		{agentconnect.Production, "https://localhost/callback", "WithRedirectURL (PROCONNECT_REDIRECT_URL or AGENTCONNECT_REDIRECT_URL)", "production accepts neither http nor localhost"},
	} {
		_, err := agentconnect.New(goodOptions(agentconnect.WithIssuer(""), agentconnect.WithEnvironment(tt.environment), agentconnect.WithRedirectURL(tt.url))...)
		var got *agentconnect.ConfigError
		if !errors.As(err, &got) || got.Option != tt.option || !strings.Contains(got.Detail, tt.shown) {
			t.Errorf("got %v, want %s: …%s…", err, tt.option, tt.shown)
		}
	}
}

// clearEnv unsets the variables of FromEnv for a test.
func clearEnv(t *testing.T) {
	for _, name := range []string{
		"ENVIRONMENT", "ISSUER", "CLIENT_ID", "CLIENT_SECRET", "REDIRECT_URL", "POST_LOGOUT_REDIRECT_URL",
		"ID_TOKEN_ALG", "USERINFO_ALG", "SCOPES",
	} {
		t.Setenv("AGENTCONNECT_"+name, "")
		t.Setenv("PROCONNECT_"+name, "")
	}
}

// Which problems New reports with variables of the environment. Of two settings
// of one thing the later one wins.
func TestFromEnv(t *testing.T) {
	good := map[string]string{
		"ISSUER": "https://provider.example/api/v2", "CLIENT_ID": "client-id", "CLIENT_SECRET": testSecret,
		"REDIRECT_URL":             "https://demarches.example.gouv.fr/callback",
		"POST_LOGOUT_REDIRECT_URL": "https://demarches.example.gouv.fr/logout/callback",
	}
	env := agentconnect.FromEnv()
	store := agentconnect.WithSessionStore(memstore.NewWithCleanupInterval(0))
	options := func(opts ...agentconnect.Option) []agentconnect.Option { return append(opts, store) }
	for _, tt := range []struct {
		name string
		env  map[string]string // beside good; "" takes one away
		opts []agentconnect.Option
		want []string
	}{
		{"what is needed", nil, options(env), nil},
		{"everything", map[string]string{"ID_TOKEN_ALG": "ES256", "USERINFO_ALG": "none", "SCOPES": "openid email"}, options(env), nil},
		{"an environment", map[string]string{"ISSUER": "", "ENVIRONMENT": "production-rie"}, options(env), nil},
		{"nothing", map[string]string{"ISSUER": "", "CLIENT_ID": "", "CLIENT_SECRET": "", "REDIRECT_URL": "", "POST_LOGOUT_REDIRECT_URL": ""}, options(env), []string{
			"WithEnvironment: missing", "WithRedirectURL: missing", "WithPostLogoutRedirectURL: missing", "WithClient: missing", "WithClient: missing",
		}},
		{"not asked", nil, options(), []string{
			"WithEnvironment: missing", "WithRedirectURL: missing", "WithPostLogoutRedirectURL: missing", "WithClient: missing", "WithClient: missing",
		}},
		{"issuer and environment", map[string]string{"ENVIRONMENT": "integration"}, options(env), []string{"WithIssuer: conflict"}},
		{"unknown environment", map[string]string{"ISSUER": "", "ENVIRONMENT": "prod"}, options(env), []string{"WithEnvironment: invalid"}},
		{"http", map[string]string{"ISSUER": "http://provider.example", "REDIRECT_URL": "http://demarches.example.gouv.fr/callback"}, options(env), []string{"WithIssuer: insecure", "WithRedirectURL: insecure"}},
		{"unknown algorithms", map[string]string{"ID_TOKEN_ALG": "none", "USERINFO_ALG": "NONE"}, options(env), []string{"WithIDTokenAlg: invalid", "WithUserinfoAlg: invalid"}},
		{"scopes without openid", map[string]string{"SCOPES": "email uid"}, options(env), []string{"WithScopes: missing"}},
		{"scopes separated by commas", map[string]string{"SCOPES": "openid,email"}, options(env), []string{"WithScopes: missing"}},
		{"scopes of white space", map[string]string{"SCOPES": " "}, options(env), []string{"WithScopes: missing"}},
		{"scopes with white space around", map[string]string{"SCOPES": "  openid\temail \n"}, options(env), nil},
		{"secret with a newline", map[string]string{"CLIENT_SECRET": testSecret + "\n"}, options(env), []string{"WithClient: invalid"}},

		{"an option before is a default", map[string]string{"ID_TOKEN_ALG": ""}, options(agentconnect.WithIDTokenAlg("RS512"), env), []string{"WithIDTokenAlg: invalid"}},
		{"a variable wins over an option before", map[string]string{"ID_TOKEN_ALG": "ES256"}, options(agentconnect.WithIDTokenAlg("RS512"), env), nil},
		{"an option after wins", map[string]string{"ID_TOKEN_ALG": "RS512"}, options(env, agentconnect.WithIDTokenAlg(agentconnect.ES256)), nil},
		{"an issuer of a variable wins over an environment before", nil, options(agentconnect.WithEnvironment(agentconnect.Production), env), nil},
		{"an environment of a variable wins over an issuer before", map[string]string{"ISSUER": "", "ENVIRONMENT": "integration"}, options(agentconnect.WithIssuer("http://provider.example"), env), nil},
		{"an environment before is a default", map[string]string{"ISSUER": ""}, options(agentconnect.WithEnvironment(agentconnect.Integration), env), nil},
		{"an environment after an issuer of a variable", nil, options(env, agentconnect.WithEnvironment(agentconnect.Integration)), []string{"WithIssuer: conflict"}},
		{"half of the credentials", map[string]string{"CLIENT_ID": ""}, options(agentconnect.WithClient("client-id", ""), env), nil},
	} {
		for _, prefix := range []string{"PROCONNECT_", "AGENTCONNECT_"} {
			t.Run(prefix+"/"+tt.name, func(t *testing.T) {
				clearEnv(t)
				for _, set := range []map[string]string{good, tt.env} {
					for name, value := range set {
						t.Setenv(prefix+name, value)
					}
				}
				checkConfig(t, tt.want, tt.opts...)
			})
		}
	}
}

// Each variable has two names. Both, with two values, are a conflict that names
// both and shows no value, also when an option after FromEnv decides.
func TestFromEnvWithBothNames(t *testing.T) {
	type variable struct{ name, value, other, option string }
	variables := []variable{
		{"ISSUER", "https://provider.example/api/v2", "https://other.example/api/v2", "WithIssuer"},
		{"CLIENT_ID", "client-id", "another-client", "WithClient"},
		{"CLIENT_SECRET", testSecret, "another-secret-of-the-former-name", "WithClient"},
		{"REDIRECT_URL", "https://demarches.example.gouv.fr/callback", "https://demarches.example.gouv.fr/other", "WithRedirectURL"},
		{"POST_LOGOUT_REDIRECT_URL", "https://demarches.example.gouv.fr/logout/callback", "https://demarches.example.gouv.fr/other", "WithPostLogoutRedirectURL"},
		{"ID_TOKEN_ALG", "RS256", "ES256", "WithIDTokenAlg"},
		{"USERINFO_ALG", "RS256", "none", "WithUserinfoAlg"},
		{"SCOPES", "openid", "openid email", "WithScopes"},
	}
	store := agentconnect.WithSessionStore(memstore.NewWithCleanupInterval(0))
	set := func(t *testing.T) {
		clearEnv(t)
		for _, v := range variables {
			t.Setenv("PROCONNECT_"+v.name, v.value)
		}
	}
	for _, v := range variables {
		t.Run(v.name, func(t *testing.T) {
			set(t)
			t.Setenv("AGENTCONNECT_"+v.name, v.value)
			checkConfig(t, nil, agentconnect.FromEnv(), store)

			t.Setenv("AGENTCONNECT_"+v.name, v.other)
			err := checkConfig(t, []string{v.option + ": conflict"}, agentconnect.FromEnv(), store)
			want := "PROCONNECT_" + v.name + " and AGENTCONNECT_" + v.name + " are both set, to different values"
			if !strings.Contains(fmt.Sprint(err), want) {
				t.Errorf("got %v, want it to say %q", err, want)
			}
			if strings.Contains(fmt.Sprint(err), v.value) || strings.Contains(fmt.Sprint(err), v.other) {
				t.Errorf("got %v, want no value in it", err)
			}
		})
	}
	t.Run("an option after", func(t *testing.T) {
		set(t)
		t.Setenv("AGENTCONNECT_SCOPES", "openid email")
		checkConfig(t, []string{"WithScopes: conflict"}, agentconnect.FromEnv(), store, agentconnect.WithScopes("openid"))
	})
	t.Run("ENVIRONMENT", func(t *testing.T) {
		set(t)
		t.Setenv("PROCONNECT_ISSUER", "")
		t.Setenv("PROCONNECT_ENVIRONMENT", "integration")
		t.Setenv("AGENTCONNECT_ENVIRONMENT", "production")
		checkConfig(t, []string{"WithEnvironment: conflict"}, agentconnect.FromEnv(), store)
		t.Setenv("AGENTCONNECT_ENVIRONMENT", "")
		t.Setenv("AGENTCONNECT_ISSUER", "https://provider.example/api/v2")
		checkConfig(t, []string{"WithIssuer: conflict"}, agentconnect.FromEnv(), store)
	})
	t.Run("the former secret elsewhere", func(t *testing.T) {
		set(t)
		const former = "another-secret-of-the-former-name"
		t.Setenv("AGENTCONNECT_CLIENT_SECRET", former)
		t.Setenv("PROCONNECT_REDIRECT_URL", "http://demarches.example.gouv.fr/"+former)
		if _, err := agentconnect.New(agentconnect.FromEnv(), store); err == nil || strings.Contains(err.Error(), former) {
			t.Errorf("got %v, want an error without the secret", err)
		}
	})
}

// Every variable arrives where its option would have put it: an agent logs in
// with settings that all differ from the defaults.
func TestFromEnvLogsIn(t *testing.T) {
	clearEnv(t)
	s := newSite(t, siteConfig{
		callback: "/agents/callback", logoutCallback: "/agents/logout/callback",
		provider: []agentconnecttest.ServerOption{agentconnecttest.WithAlgorithms("ES256", "HS256")},
	}, func(s *app) http.Handler {
		for name, value := range map[string]string{
			"ISSUER": s.provider.Issuer, "CLIENT_ID": s.provider.Client.ID, "CLIENT_SECRET": s.provider.Client.Secret,
			"REDIRECT_URL": s.public + "/agents/callback", "POST_LOGOUT_REDIRECT_URL": s.public + "/agents/logout/callback",
			"ID_TOKEN_ALG": "ES256", "USERINFO_ALG": "HS256", "SCOPES": "openid uid",
		} {
			t.Setenv("AGENTCONNECT_"+name, value)
		}
		auth, err := agentconnect.New(agentconnect.FromEnv(), agentconnect.WithSessionStore(s.store), agentconnect.WithClock(s.clock.Now), agentconnect.WithLogger(s.logs.logger()))
		if err != nil {
			t.Fatal(err)
		}
		mux := http.NewServeMux()
		mux.Handle("/agents/", auth.Handler())
		mux.Handle("/dossiers", auth.RequireAgent(http.HandlerFunc(serveAgent)))
		return mux
	})

	b := s.browser()
	p := b.login("/dossiers", "marie")
	var claims map[string]any
	if err := json.Unmarshal([]byte(p.body), &claims); err != nil {
		t.Fatalf("got status %d, %s, want the claims", p.StatusCode, p.body)
	}
	if claims["uid"] != "mexemple" || claims["email"] != nil {
		t.Errorf("got claims %v, want those of the scopes openid and uid", claims)
	}
	if got := s.provider.Received(agentconnecttest.Authorize)[0].Form.Get("scope"); got != "openid uid" {
		t.Errorf("got scope %q, want that of the variable", got)
	}
	if out := b.post("/agents/logout", nil).location(); !strings.HasPrefix(out, s.provider.Issuer+"/session/end?") || !strings.Contains(out, url.QueryEscape(s.public+"/agents/logout/callback")) {
		t.Errorf("logout: got %q, want the provider's end of session, and back", out)
	}
}

// The defaults of an application with only the required options.
func TestDefaults(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	p := b.navigate("/dossiers")
	if got, want := p.location(), "/login?return_to=%2Fdossiers"; got != want {
		t.Errorf("login path: got %q, want %q", got, want)
	}
	p = b.navigate("/login")
	to, err := url.Parse(p.location())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := to.Query().Get("scope"), "openid given_name usual_name email uid siret idp_id roles organization_label"; got != want {
		t.Errorf("scope: got %q, want %q", got, want)
	}
	for _, name := range []string{"claims", "acr_values", "prompt"} {
		if got := to.Query().Get(name); got != "" {
			t.Errorf("%s: got %q, want none", name, got)
		}
	}
	callback := b.callback("/login", "marie")
	p = b.navigate(callback.String())
	if got := p.location(); got != "/" {
		t.Errorf("home: got %q, want /", got)
	}
	var session *http.Cookie
	for _, c := range p.Cookies() {
		if c.Name == "agentconnect" {
			session = c
		}
		if c.Name == "agentconnect-seen" {
			t.Error("got the cookie of an idle timeout, want none by default")
		}
	}
	if session == nil {
		t.Fatalf("got cookies %v, want agentconnect", p.Cookies())
	}
	if got := (time.Duration(session.MaxAge) * time.Second).Round(time.Minute); got != 12*time.Hour {
		t.Errorf("session cookie: got a life of %v, want 12h", got)
	}
	a.clock.advance(12*time.Hour - time.Minute)
	if b.sub() == "" {
		t.Error("a minute before its end: got no session, want one")
	}
	a.clock.advance(2 * time.Minute)
	if b.sub() != "" {
		t.Error("a minute after its end: got a session, want none")
	}
}

// New talks to nobody: not even to a provider that answers nothing.
func TestNewMakesNoNetworkCall(t *testing.T) {
	t.Parallel()
	calls := 0
	client := &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
		calls++
		return nil, io.ErrUnexpectedEOF
	})}
	checkConfig(t, nil, goodOptions(agentconnect.WithHTTPClient(client))...)
	if calls != 0 {
		t.Errorf("got %d calls, want none", calls)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// No verb of fmt shows a secret of an Authenticator, wherever an application
// keeps it.
func TestFormattingShowsNoSecret(t *testing.T) {
	t.Parallel()
	key := []byte("a sealing key of thirty-two bytes")
	auth, err := agentconnect.New(goodOptions(agentconnect.WithSealedSessions(key), agentconnect.WithOtherClientSecrets("a-previous-secret"))...)
	if err != nil {
		t.Fatal(err)
	}
	type application struct {
		auth *agentconnect.Authenticator
		Auth *agentconnect.Authenticator
	}
	a := application{auth, auth}
	for _, value := range []any{auth, a, &a, []any{auth}, map[string]*agentconnect.Authenticator{"": auth}, struct{ a *application }{&a}} {
		for _, verb := range "vsdqxXtTpbcoOUeEfFgGz" {
			for _, flags := range []string{"", "+", "#"} {
				format := "%" + flags + string(verb)
				shown := fmt.Sprintf(format, value)
				for _, secret := range []string{testSecret, string(key), "a-previous-secret"} {
					for _, spelling := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), strings.Trim(fmt.Sprint([]byte(secret)), "[]")} {
						if strings.Contains(shown, spelling) {
							t.Errorf("%s of %T: got a secret in %.200q", format, value, shown)
						}
					}
				}
			}
		}
	}
	if got, want := fmt.Sprint(auth), "agentconnect.Authenticator(client-id)"; got != want {
		t.Errorf("Sprint: got %q, want %q", got, want)
	}
}
