package agentconnect_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

// about returns the findings of a subject.
func about(findings agentconnect.Findings, subject string) agentconnect.Findings {
	return slices.DeleteFunc(slices.Clone(findings), func(f agentconnect.Finding) bool { return f.Subject != subject })
}

// wantFinding checks that a subject has one finding, of a severity, whose texts
// contain a word, and that there is something to do unless it is fine.
func wantFinding(t *testing.T, findings agentconnect.Findings, subject string, severity agentconnect.Severity, word string) {
	t.Helper()
	got := about(findings, subject)
	if len(got) != 1 || got[0].Severity != severity || !strings.Contains(got[0].Found+"\n"+got[0].Action, word) {
		t.Errorf("%s: got %+v, want %s with %q", subject, got, severity, word)
	}
	for _, f := range findings {
		if (f.Action == "") != (f.Severity == agentconnect.SeverityOK) {
			t.Errorf("%s is %s, got the action %q", f.Subject, f.Severity, f.Action)
		}
	}
}

func TestCheckOfWhatWorks(t *testing.T) {
	t.Parallel()
	for _, algs := range []struct{ idToken, userinfo agentconnect.Alg }{
		{agentconnect.RS256, agentconnect.ES256},
		{agentconnect.HS256, agentconnect.HS256},
		{agentconnect.RS256, agentconnect.Unsigned},
	} {
		t.Run(string(algs.idToken+"-"+algs.userinfo), func(t *testing.T) {
			t.Parallel()
			a := newAppWith(t, []agentconnecttest.ServerOption{agentconnecttest.WithAlgorithms(string(algs.idToken), string(algs.userinfo))},
				agentconnect.WithIDTokenAlg(algs.idToken), agentconnect.WithUserinfoAlg(algs.userinfo), agentconnect.WithLevel(agentconnect.MFA()))
			findings := a.auth.Check(t.Context())
			expected := []string{"environment", "redirect URL", "post-logout redirect URL", "cookies"} // it runs on this machine
			for _, f := range findings {
				want := agentconnect.SeverityOK
				if slices.Contains(expected, f.Subject) {
					want = agentconnect.SeverityWarning
				}
				if f.Severity != want {
					t.Errorf("%s: got %s, %s, want %s", f.Subject, f.Severity, f.Found, want)
				}
			}
			for _, subject := range []string{
				"environment", "discovery", "clock", "response type", "ID token algorithm", "userinfo algorithm", "client authentication", "PKCE", "scopes",
				"acr values", "claims parameter", "logout", "iss on the callback", "client_id and client_secret", "registration", "registration of the logout",
				"redirect URL", "post-logout redirect URL", "registered URLs", "cookies", "sessions", "session store",
			} {
				if got := len(about(findings, subject)); got != 1 {
					t.Errorf("%s: got %d findings, want 1", subject, got)
				}
			}
			if got := findings.Worst(); got != agentconnect.SeverityWarning {
				t.Errorf("Worst: got %s, want warning", got)
			}
			if got := a.store.sessions(t); got != 0 {
				t.Errorf("records left in the store: got %d, want 0", got)
			}
			text := findings.String()
			for _, secret := range a.provider.Secrets() {
				if strings.Contains(text, secret) {
					t.Errorf("the table contains the secret %q:\n%s", secret, text)
				}
			}
			if !strings.Contains(text, "problems: 0") {
				t.Errorf("got the table\n%s", text)
			}
			// And the check has left everything as it was.
			b := a.browser()
			if p := b.login("/dossiers", "marie", agentconnecttest.WithACR("eidas2")); p.StatusCode != http.StatusOK {
				t.Errorf("login after the check: got status %d, want 200", p.StatusCode)
			}
			if got := a.auth.Check(t.Context()).Worst(); got != agentconnect.SeverityWarning {
				t.Errorf("a second check: got %s, want warning", got)
			}
			if got := b.sub(); got != a.agentSub("marie") {
				t.Errorf("agent after the second check: got %q, want marie", got)
			}
		})
	}
}

// metadataWith changes a member of the discovery document; nil removes it.
func metadataWith(t *testing.T, member string, value any) agentconnecttest.Tamper {
	return agentconnecttest.Tamper{Endpoint: agentconnecttest.Discovery, Answer: func(answer *agentconnecttest.Answer) {
		var doc map[string]any
		if err := json.Unmarshal(answer.Body, &doc); err != nil {
			t.Error(err)
		}
		delete(doc, member)
		if value != nil {
			doc[member] = value
		}
		answer.Body, _ = json.Marshal(doc)
	}}
}

func TestCheckOfTheMetadata(t *testing.T) {
	t.Parallel()
	const (
		warning = agentconnect.SeverityWarning
		problem = agentconnect.SeverityProblem
	)
	for _, tt := range []struct {
		name     string
		member   string
		value    any
		opts     []agentconnect.Option
		subject  string
		severity agentconnect.Severity
		word     string
	}{
		{"no ID token algorithms", "id_token_signing_alg_values_supported", nil, nil, "ID token algorithm", warning, "RS256"},
		{"other ID token algorithms", "id_token_signing_alg_values_supported", []string{"ES256"}, nil, "ID token algorithm", problem, "does not support RS256"},
		{"ID token algorithms that are no list", "id_token_signing_alg_values_supported", "RS256", nil, "ID token algorithm", warning, "has no"},
		{"other userinfo algorithms", "userinfo_signing_alg_values_supported", []string{"ES256"}, nil, "userinfo algorithm", problem, "RS256"},
		{"userinfo algorithm not needed", "userinfo_signing_alg_values_supported", []string{"ES256"}, []agentconnect.Option{agentconnect.WithUserinfoAlg(agentconnect.Unsigned)}, "userinfo algorithm", agentconnect.SeverityOK, "plain JSON"},
		{"no PKCE", "code_challenge_methods_supported", nil, nil, "PKCE", warning, "S256"},
		{"plain PKCE alone", "code_challenge_methods_supported", []string{"plain"}, nil, "PKCE", problem, "S256"},
		{"credentials in the header alone", "token_endpoint_auth_methods_supported", []string{"client_secret_basic"}, nil, "client authentication", problem, "client_secret_post"},
		{"no authentication methods", "token_endpoint_auth_methods_supported", nil, nil, "client authentication", warning, "client_secret_post"},
		{"implicit flow alone", "response_types_supported", []string{"id_token"}, nil, "response type", problem, "code"},
		{"unknown scopes", "scopes_supported", []string{"openid", "email", "given_name", "usual_name", "uid", "idp_id", "roles", "organization_label"}, nil, "scopes", warning, "does not support siret;"},
		{"no acr values", "acr_values_supported", nil, nil, "acr values", warning, "on a route that demands a level"},
		{"acr values that are null", "acr_values_supported", json.RawMessage("null"), nil, "acr values", warning, "has no"},
		{"all acr values, no level", "acr_values_supported", []string{"eidas0", "eidas0-mfa", "eidas1", "eidas1-mfa", "eidas2", "eidas3", agentconnect.ACRCertificationDirigeant}, nil, "acr values", agentconnect.SeverityOK, "all that a route can demand"},
		{"no acr values, a level", "acr_values_supported", nil, []agentconnect.Option{agentconnect.WithLevel(agentconnect.MFA())}, "acr values", warning, "WithLevel"},
		{"few acr values", "acr_values_supported", []string{"eidas1"}, nil, "acr values", warning, "eidas0 eidas0-mfa eidas1-mfa eidas2 eidas3"},
		{"none of the demanded acr values", "acr_values_supported", []string{"eidas1"}, []agentconnect.Option{agentconnect.WithLevel(agentconnect.MFA())}, "acr values", problem, "eidas1."},
		{"no claims parameter", "claims_parameter_supported", nil, nil, "claims parameter", warning, "Require"},
		{"no claims parameter, a level", "claims_parameter_supported", false, []agentconnect.Option{agentconnect.WithLevel(agentconnect.MFA())}, "claims parameter", problem, "WithLevel"},
		{"claims parameter, as text", "claims_parameter_supported", "true", nil, "claims parameter", warning, "Require"},
		{"no logout", "end_session_endpoint", nil, nil, "logout", warning, "only the session here"},
		{"no iss on the callback", "authorization_response_iss_parameter_supported", nil, nil, "iss on the callback", warning, "RFC 9207"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, tt.opts...)
			a.provider.Inject(metadataWith(t, tt.member, tt.value))
			findings := a.auth.Check(t.Context())
			wantFinding(t, findings, tt.subject, tt.severity, tt.word)
			want := 1
			if tt.member == "end_session_endpoint" {
				want = 0
			}
			if got := len(about(findings, "registration of the logout")); got != want {
				t.Errorf("registration of the logout: got %d findings, want %d", got, want)
			}
		})
	}
}

// Some of the demanded acr values are enough for a login, but not for every route.
func TestCheckOfSomeLevels(t *testing.T) {
	t.Parallel()
	a := newApp(t, agentconnect.WithLevel(agentconnect.MFA()))
	a.provider.Inject(metadataWith(t, "acr_values_supported", []string{"eidas1", "eidas1-mfa"}))
	got := about(a.auth.Check(t.Context()), "acr values")
	if len(got) != 2 || got[0].Severity != agentconnect.SeverityOK || got[1].Severity != agentconnect.SeverityWarning {
		t.Errorf("got %+v, want that logins work, and a warning for the routes", got)
	}
}

// A level with which ProConnect loops on its code by e-mail is a warning, but not
// where an agent at eidas0 can reach it, or is refused at once.
func TestCheckOfALevelThatLoops(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		level []agentconnect.Requirement
		want  int
	}{
		{[]agentconnect.Requirement{agentconnect.MFA(), agentconnect.MinEIDAS(1)}, 1},
		{[]agentconnect.Requirement{agentconnect.MFA()}, 0},
		{[]agentconnect.Requirement{agentconnect.MFA(), agentconnect.MinEIDAS(2)}, 0},
		{nil, 0},
	} {
		a := newApp(t, agentconnect.WithLevel(tt.level...))
		got := about(a.auth.Check(t.Context()), "code by e-mail")
		if len(got) != tt.want || tt.want == 1 && got[0].Severity != agentconnect.SeverityWarning {
			t.Errorf("%d levels: got %+v, want %d warnings", len(tt.level), got, tt.want)
		}
	}
}

// New and Require say at the wiring that a level can loop, but not on the RIE, which
// sends no code by e-mail.
func TestWarningOfALevelThatLoops(t *testing.T) {
	t.Parallel()
	for environment, want := range map[agentconnect.Environment]int{
		agentconnect.Integration: 2, agentconnect.Production: 2, agentconnect.IntegrationRIE: 0, agentconnect.ProductionRIE: 0,
	} {
		logs := &logs{}
		auth, err := agentconnect.New(
			agentconnect.WithEnvironment(environment),
			agentconnect.WithClient("id", "secret"),
			agentconnect.WithRedirectURL("https://demarches.rie.gouv.fr/callback"),
			agentconnect.WithPostLogoutRedirectURL("https://demarches.rie.gouv.fr/logout/callback"),
			agentconnect.WithLogger(logs.logger()),
			agentconnect.WithLevel(agentconnect.MFA(), agentconnect.MinEIDAS(1)),
		)
		if err != nil {
			t.Fatal(err)
		}
		auth.Require(agentconnect.MinEIDAS(1))
		if got := strings.Count(logs.String(), "code by e-mail"); got != want {
			t.Errorf("%s: got %d warnings, want %d: %s", environment, got, want, logs)
		}
	}
}

// A published key that cannot be used is a warning that names it.
func TestCheckOfAKeyThatIsLeftOut(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.provider.Inject(agentconnecttest.Tamper{Endpoint: agentconnecttest.JWKS, Answer: func(answer *agentconnecttest.Answer) {
		answer.Body = bytes.Replace(answer.Body, []byte(`{"keys":[`), []byte(`{"keys":[{"kty":"RSA","use":"sig","kid":"odd","n":"?","e":"AQAB"},`), 1)
	}})
	got := about(a.auth.Check(t.Context()), "keys")
	if len(got) != 2 || got[0].Severity != agentconnect.SeverityWarning || !strings.Contains(got[0].Found, `"odd"`) || got[1].Severity != agentconnect.SeverityOK {
		t.Errorf("got %+v, want a warning that names the key, and that there is another one", got)
	}
}

// A provider that cannot be used is a problem, with the rest of the check done.
func TestCheckWithoutMetadata(t *testing.T) {
	t.Parallel()
	for _, fault := range agentconnecttest.Faults() {
		if fault.Endpoint != agentconnecttest.Discovery || !fault.Refuse || fault.Slow {
			continue
		}
		t.Run(string(fault.Fault), func(t *testing.T) {
			t.Parallel()
			a := newApp(t)
			if err := a.auth.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
			a.provider.Inject(fault.Fault) // what is known already does not hide it
			findings := a.auth.Check(t.Context())
			advice := "Compare the issuer" // what answers is no provider of ours
			if slices.Contains([]agentconnecttest.Fault{agentconnecttest.DiscoveryError503, agentconnecttest.Fault("discovery-error-429"), agentconnecttest.Fault("discovery-truncated"), agentconnecttest.Fault("discovery-reset")}, fault.Fault) {
				advice = "Allow outgoing HTTPS"
			}
			wantFinding(t, findings, "discovery", agentconnect.SeverityProblem, advice)
			wantFinding(t, findings, "session store", agentconnect.SeverityOK, "")
			if got := about(findings, "registration"); len(got) != 0 {
				t.Errorf("registration: got %+v, want nothing: the provider was not asked", got)
			}
			a.provider.Clear()
			wantFinding(t, a.auth.Check(t.Context()), "discovery", agentconnect.SeverityOK, a.provider.Issuer)
		})
	}
	t.Run("away", func(t *testing.T) {
		t.Parallel()
		a := newApp(t)
		a.provider.Stop()
		findings := a.auth.Check(t.Context())
		wantFinding(t, findings, "discovery", agentconnect.SeverityProblem, "Allow outgoing HTTPS to "+strings.TrimPrefix(a.provider.URL, "http://"))
		wantFinding(t, findings, "clock", agentconnect.SeverityWarning, "NTP")
	})
	t.Run("a certificate of nobody we know", func(t *testing.T) {
		t.Parallel()
		server := httptest.NewUnstartedServer(http.NotFoundHandler())
		server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
		server.StartTLS()
		t.Cleanup(server.Close)
		auth := pagesAuth(t, agentconnect.WithIssuer(server.URL))
		wantFinding(t, auth.Check(t.Context()), "discovery", agentconnect.SeverityProblem, "SSL_CERT_FILE")
	})
	t.Run("given up", func(t *testing.T) {
		t.Parallel()
		a := newApp(t)
		a.provider.Inject(agentconnecttest.Fault("discovery-hang"))
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		wantFinding(t, a.auth.Check(ctx), "discovery", agentconnect.SeverityProblem, "waiting for the provider")
	})
}

func TestCheckOfTheClock(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		off      time.Duration
		severity agentconnect.Severity
		word     string
	}{
		{0, agentconnect.SeverityOK, "less than 10s apart"},
		{30 * time.Second, agentconnect.SeverityWarning, "ahead of the provider's"},
		{-30 * time.Second, agentconnect.SeverityWarning, "behind the provider's"},
		{5 * time.Minute, agentconnect.SeverityProblem, "ahead of the provider's"},
		{-5 * time.Minute, agentconnect.SeverityProblem, "every login is refused"},
	} {
		t.Run(tt.off.String(), func(t *testing.T) {
			t.Parallel()
			a := newApp(t) // its provider's HTTP server tells the real time
			a.clock.advance(tt.off)
			wantFinding(t, a.auth.Check(t.Context()), "clock", tt.severity, tt.word)
		})
	}
	t.Run("no date", func(t *testing.T) {
		t.Parallel()
		a := newApp(t)
		a.provider.Inject(agentconnecttest.Tamper{Endpoint: agentconnecttest.Discovery, Answer: func(answer *agentconnecttest.Answer) {
			answer.Header["Date"] = nil
		}})
		wantFinding(t, a.auth.Check(t.Context()), "clock", agentconnect.SeverityWarning, "clock is not known")
	})
	t.Run("a cached answer", func(t *testing.T) {
		t.Parallel()
		a := newApp(t)
		a.clock.advance(time.Hour)
		a.provider.Inject(agentconnecttest.Tamper{Endpoint: agentconnecttest.Discovery, Answer: func(answer *agentconnecttest.Answer) {
			answer.Header.Set("Age", "3600")
		}})
		wantFinding(t, a.auth.Check(t.Context()), "clock", agentconnect.SeverityWarning, "clock is not known")
	})
}

func TestCheckOfTheKeys(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		arrange  func(a *app)
		alg      agentconnect.Alg
		severity agentconnect.Severity
		word     string
	}{
		{"there", func(*app) {}, agentconnect.ES256, agentconnect.SeverityOK, "ES256: 1"},
		{"none", func(a *app) { a.provider.SetJWKS([]byte(`{"keys":[]}`)) }, agentconnect.RS256, agentconnect.SeverityProblem, "no key for RS256"},
		{"not JSON", func(a *app) { a.provider.SetJWKS([]byte(`keys`)) }, agentconnect.RS256, agentconnect.SeverityProblem, "not JSON"},
		{"away", func(a *app) { a.provider.Inject(agentconnecttest.Fault("keys-error-503")) }, agentconnect.RS256, agentconnect.SeverityProblem, "503"},
		{"not needed", func(a *app) { a.provider.Inject(agentconnecttest.Fault("keys-error-503")) }, agentconnect.HS256, agentconnect.SeverityOK, "client secret"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAppWith(t, []agentconnecttest.ServerOption{agentconnecttest.WithAlgorithms(string(tt.alg), string(tt.alg))}, agentconnect.WithIDTokenAlg(tt.alg))
			tt.arrange(a)
			wantFinding(t, a.auth.Check(t.Context()), "keys", tt.severity, tt.word)
		})
	}
	for _, tt := range []struct {
		idToken, userinfo agentconnect.Alg
		secret            string
		warned            bool
	}{
		{agentconnect.HS256, agentconnect.RS256, "31-bytes-are-not-enough-for-it.", true},
		{agentconnect.RS256, agentconnect.HS256, "31-bytes-are-not-enough-for-it.", true},
		{agentconnect.HS256, agentconnect.HS256, "32-bytes-are-enough-for-the-key.", false},
		{agentconnect.RS256, agentconnect.ES256, "31-bytes-are-not-enough-for-it.", false}, // no key is made of it
	} {
		t.Run(fmt.Sprintf("%s and %s with a secret of %d bytes", tt.idToken, tt.userinfo, len(tt.secret)), func(t *testing.T) {
			t.Parallel()
			client := agentconnecttest.Client{ID: "short", Secret: tt.secret, IDTokenAlg: string(tt.idToken), UserinfoAlg: string(tt.userinfo)}
			a := newAppWith(t, []agentconnecttest.ServerOption{agentconnecttest.WithClient(client)}, agentconnect.WithIDTokenAlg(tt.idToken), agentconnect.WithUserinfoAlg(tt.userinfo))
			findings := a.auth.Check(t.Context())
			if tt.warned {
				wantFinding(t, findings, "client secret", agentconnect.SeverityWarning, "RFC 7518")
			} else if got := about(findings, "client secret"); len(got) != 0 {
				t.Errorf("got %v, want nothing about the secret", got)
			}
		})
	}
}

func TestCheckOfTheRegistration(t *testing.T) {
	t.Parallel()
	const (
		credentials = "client_id and client_secret"
		login       = "registration"
		logout      = "registration of the logout"
	)
	ok, warning, problem := agentconnect.SeverityOK, agentconnect.SeverityWarning, agentconnect.SeverityProblem
	answer := func(endpoint agentconnecttest.Endpoint, change func(*agentconnecttest.Answer)) agentconnecttest.Tamper {
		return agentconnecttest.Tamper{Endpoint: endpoint, Answer: change}
	}
	// to has the provider answer a login by sending the browser elsewhere.
	to := func(edit func(*url.URL)) func(*app) {
		return func(a *app) {
			a.provider.Inject(answer(agentconnecttest.Authorize, func(answer *agentconnecttest.Answer) {
				u, err := url.Parse(answer.Header.Get("Location"))
				if err != nil {
					t.Error(err)
					return
				}
				edit(u)
				answer.Header.Set("Location", u.String())
			}))
		}
	}
	for _, tt := range []struct {
		name     string
		opts     []agentconnect.Option
		arrange  func(a *app)
		subject  string
		severity agentconnect.Severity
		word     string
	}{
		{"all is well: secret", nil, nil, credentials, ok, "accepted"},
		{"all is well: login", nil, nil, login, ok, "knows"},
		{"all is well: logout", nil, nil, logout, ok, "knows"},
		{"wrong secret", []agentconnect.Option{agentconnect.WithClient("client-id", "the-secret-of-another-environment")}, nil, credentials, problem, "for this environment"},
		{"unknown client", []agentconnect.Option{agentconnect.WithClient("nobody", "the-secret-of-nobody")}, nil, login, problem, "client_id"},
		{"redirect URL not registered", nil, func(a *app) { a.provider.SetRedirectURIs(a.url + "/callback/") }, login, problem, "error page"},
		{"post-logout URL not registered", nil, func(a *app) { a.provider.SetPostLogoutRedirectURIs(a.url + "/") }, logout, problem, "refuses the post-logout redirect URL: Internal Server Error"},
		{"unknown client at the logout", []agentconnect.Option{agentconnect.WithClient("nobody", "the-secret-of-nobody")}, nil, logout, warning, "Internal Server Error, whatever it is asked"},
		{"a form at every logout but that of an unknown URL", nil, func(a *app) {
			a.provider.Inject(answer(agentconnecttest.EndSession, func(answer *agentconnecttest.Answer) {
				if answer.Status < 400 {
					answer.Status = 200
					answer.Header.Del("Location")
				}
			}))
		}, logout, ok, "and refuses another"},
		{"a form at every logout", nil, func(a *app) {
			a.provider.Inject(answer(agentconnecttest.EndSession, func(answer *agentconnecttest.Answer) {
				answer.Status = 200
				answer.Header.Del("Location")
			}))
		}, logout, warning, "a made-up one alike"},
		{"scope not granted", nil, func(a *app) {
			client := a.provider.Client
			client.RedirectURIs, client.Scopes = []string{a.url + "/callback"}, []string{"openid", "email"}
			a.provider.AddClient(client)
		}, login, problem, "siret"},
		{"another iss", nil, func(a *app) { a.provider.Inject(agentconnecttest.Fault("callback-wrong-issuer")) }, login, problem, "iss"},
		{"another error", nil, func(a *app) {
			a.provider.Inject(agentconnecttest.CallbackError("unauthorized_client", "<script>"))
		}, login, problem, "unauthorized_client"},
		{"an invented error", nil, func(a *app) { a.provider.Inject(agentconnecttest.CallbackError("<script>", "")) }, login, warning, "not understood"},
		{"a login page in spite of prompt=none", nil, func(a *app) {
			a.provider.Inject(answer(agentconnecttest.Authorize, func(answer *agentconnecttest.Answer) {
				answer.Header.Set("Location", a.provider.Issuer+"/interaction/1")
			}))
		}, login, warning, "Try out"},
		{"a redirect to another scheme", nil, to(func(u *url.URL) { u.Scheme = "https" }), login, warning, "not at the redirect URL"},
		{"a redirect to another host", nil, to(func(u *url.URL) { u.Host = "www." + u.Host }), login, warning, "not at the redirect URL"},
		{"a redirect to another path", nil, to(func(u *url.URL) { u.Path += "/" }), login, warning, "not at the redirect URL"},
		{"a redirect with another state", nil, to(func(u *url.URL) { u.RawQuery = "state=another&error=login_required&iss=" + u.Query().Get("iss") }), login, problem, "not an answer to the login"},
		{"a redirect with two errors", nil, to(func(u *url.URL) { u.RawQuery += "&error=login_required" }), login, problem, "not an answer to the login"},
		{"a page with a Location", nil, func(a *app) {
			a.provider.Inject(answer(agentconnecttest.Authorize, func(answer *agentconnecttest.Answer) { answer.Status = 200 }))
		}, login, warning, "a silent login with OK, and not at the redirect URL"},
		{"a page that is cut off", nil, func(a *app) {
			a.provider.Inject(answer(agentconnecttest.Authorize, func(answer *agentconnecttest.Answer) { answer.Truncate = true }))
		}, login, warning, "does not answer: unavailable"},
		{"a made-up code is redeemed", nil, func(a *app) {
			a.provider.Inject(answer(agentconnecttest.Token, func(answer *agentconnecttest.Answer) {
				answer.Status, answer.Body = 200, []byte(`{"access_token":"x","token_type":"Bearer","id_token":"a.b.c"}`)
			}))
		}, credentials, problem, "redeemed a made-up code"},
		{"authorize fails", nil, func(a *app) {
			a.provider.Inject(answer(agentconnecttest.Authorize, func(answer *agentconnecttest.Answer) { answer.Status = 502 }))
		}, login, warning, "answers Bad Gateway\n"},
		{"authorize is away", nil, func(a *app) {
			a.provider.Inject(answer(agentconnecttest.Authorize, func(answer *agentconnecttest.Answer) { answer.Reset = true }))
		}, login, warning, "does not answer: unavailable"},
		{"logout fails", nil, func(a *app) {
			a.provider.Inject(answer(agentconnecttest.EndSession, func(answer *agentconnecttest.Answer) { answer.Status = 500 }))
		}, logout, warning, "Internal Server Error"},
		{"logout is away", nil, func(a *app) {
			a.provider.Inject(answer(agentconnecttest.EndSession, func(answer *agentconnecttest.Answer) { answer.Reset = true }))
		}, logout, warning, "does not answer: unavailable"},
		{"token endpoint fails", nil, func(a *app) { a.provider.Inject(agentconnecttest.TokenError503) }, credentials, warning, "does not answer: unavailable"},
		{"token endpoint makes no sense", nil, func(a *app) { a.provider.Inject(agentconnecttest.Fault("token-html")) }, credentials, warning, "Try out"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, tt.opts...)
			if tt.arrange != nil {
				tt.arrange(a)
			}
			findings := a.auth.Check(t.Context())
			wantFinding(t, findings, tt.subject, tt.severity, tt.word)
			for _, secret := range slices.Concat(a.provider.Secrets(), []string{"<script>"}) {
				if strings.Contains(findings.String(), secret) {
					t.Errorf("the table contains %q", secret)
				}
			}
		})
	}
}

// away is a transport for environments that a test never calls.
type away struct{}

func (away) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("this test has no network")
}

func TestCheckOfTheURLs(t *testing.T) {
	t.Parallel()
	const demarches = "https://demarches.example.gouv.fr/callback"
	ok, warning, problem := agentconnect.SeverityOK, agentconnect.SeverityWarning, agentconnect.SeverityProblem
	for _, tt := range []struct {
		name          string
		provider      agentconnect.Option
		login, logout string
		subject       string
		severity      agentconnect.Severity
		word          string
	}{
		{"environment", agentconnect.WithEnvironment(agentconnect.Production), demarches, demarches + "/out", "environment", ok, "production, https://auth.agentconnect.gouv.fr/api/v2"},
		{"the issuer of an environment", agentconnect.WithIssuer(agentconnect.IntegrationRIE.Issuer()), demarches, demarches + "/out", "environment", warning, "PROCONNECT_ENVIRONMENT=integration-rie"},
		{"another issuer", agentconnect.WithIssuer("https://provider.example"), demarches, demarches + "/out", "environment", warning, "none of the four"},
		{"good", agentconnect.WithEnvironment(agentconnect.Production), demarches, demarches + "/out", "redirect URL", ok, demarches},
		{"localhost in integration", agentconnect.WithEnvironment(agentconnect.Integration), "http://localhost:8080/callback", "http://localhost:8080/out", "redirect URL", warning, "this machine"},
		{"RIE, what it does not have", agentconnect.WithEnvironment(agentconnect.ProductionRIE), demarches, demarches + "/out", "RIE", ok, "organization_label is never sent"},
		{"RIE by its issuer", agentconnect.WithIssuer(agentconnect.IntegrationRIE.Issuer()), demarches, demarches + "/out", "RIE", ok, "only the role agent_public"},
		{"RIE, a host of the Internet", agentconnect.WithEnvironment(agentconnect.ProductionRIE), demarches, demarches + "/out", "redirect URL", warning, "RIE"},
		{"integration of the RIE, a host of the Internet", agentconnect.WithEnvironment(agentconnect.IntegrationRIE), demarches, demarches + "/out", "redirect URL", warning, "not under .rie.gouv.fr"},
		{"RIE, a host that only ends alike", agentconnect.WithEnvironment(agentconnect.ProductionRIE), "https://demarches-rie.gouv.fr/callback", "https://demarches-rie.gouv.fr/out", "redirect URL", warning, "RIE"},
		{"RIE, a host of the RIE", agentconnect.WithEnvironment(agentconnect.ProductionRIE), "https://demarches.example.rie.gouv.fr/callback", "https://demarches.example.rie.gouv.fr/out", "redirect URL", ok, ""},
		{"Internet, a host of the RIE", agentconnect.WithEnvironment(agentconnect.Production), "https://demarches.example.rie.gouv.fr/callback", "https://demarches.example.rie.gouv.fr/out", "redirect URL", warning, "Take the RIE"},
		{"integration on the Internet, a host of the RIE", agentconnect.WithEnvironment(agentconnect.Integration), "https://demarches.example.rie.gouv.fr/callback", "https://demarches.example.rie.gouv.fr/out", "redirect URL", warning, "Take the RIE"},
		{"capitals", agentconnect.WithEnvironment(agentconnect.Production), "https://Demarches.example.gouv.fr/callback", "https://Demarches.example.gouv.fr/out", "redirect URL", warning, "capitals"},
		{"the default port", agentconnect.WithEnvironment(agentconnect.Production), "https://demarches.example.gouv.fr:443/callback", "https://demarches.example.gouv.fr/out", "redirect URL", warning, "port"},
		{"alike", agentconnect.WithEnvironment(agentconnect.Production), demarches, demarches + "/out", "registered URLs", ok, "same host"},
		{"two hosts", agentconnect.WithEnvironment(agentconnect.Production), demarches, "https://www.example.gouv.fr/out", "registered URLs", warning, "www.example.gouv.fr"},
		{"two schemes", agentconnect.WithEnvironment(agentconnect.Integration), "https://localhost:8080/callback", "http://localhost:8080/out", "registered URLs", warning, "the other on http://localhost:8080"},
		{"one slash", agentconnect.WithEnvironment(agentconnect.Production), demarches, demarches + "/out/", "registered URLs", warning, "slash"},
		{"two slashes", agentconnect.WithEnvironment(agentconnect.Production), demarches + "/", demarches + "/out/", "registered URLs", ok, "spelled in the same way"},
		{"cookies over https", agentconnect.WithEnvironment(agentconnect.Production), demarches, demarches + "/out", "cookies", ok, "__Host-agentconnect"},
		{"cookies over http", agentconnect.WithEnvironment(agentconnect.Integration), "http://localhost:8080/callback", "http://localhost:8080/out", "cookies", warning, "without Secure"},
		{"no network to the Internet", agentconnect.WithEnvironment(agentconnect.Production), demarches, demarches + "/out", "discovery", problem, "auth.agentconnect.gouv.fr:443 (firewall, HTTPS_PROXY, DNS)."},
		{"no network to the RIE's integration", agentconnect.WithEnvironment(agentconnect.IntegrationRIE), demarches, demarches + "/out", "discovery", problem, "only reached from the RIE"},
		{"no network to the RIE", agentconnect.WithEnvironment(agentconnect.ProductionRIE), demarches, demarches + "/out", "discovery", problem, "only reached from the RIE"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			auth, err := agentconnect.New(tt.provider,
				agentconnect.WithClient("service", "the-secret-of-the-service"),
				agentconnect.WithRedirectURL(tt.login), agentconnect.WithPostLogoutRedirectURL(tt.logout),
				agentconnect.WithHTTPClient(&http.Client{Transport: away{}}),
				agentconnect.WithSessionStore(newStore()),
			)
			if err != nil {
				t.Fatal(err)
			}
			wantFinding(t, auth.Check(t.Context()), tt.subject, tt.severity, tt.word)
		})
	}
}

// A faultyStore is a store that fails in one way.
type faultyStore struct {
	*memstore.MemStore
	commit, find, delete error
	garbage              bool
	forgetful            bool
	undead               bool
	findAgain            error // of every read but the first

	mu      sync.Mutex
	expiry  time.Time
	finds   int
	deletes int
}

func (s *faultyStore) CommitCtx(_ context.Context, token string, b []byte, expiry time.Time) error {
	s.mu.Lock()
	s.expiry = expiry
	s.mu.Unlock()
	if s.commit != nil || s.forgetful {
		return s.commit
	}
	if s.garbage {
		b = bytes.ToUpper(b)
	}
	return s.MemStore.Commit(token, b, expiry)
}

func (s *faultyStore) FindCtx(_ context.Context, token string) ([]byte, bool, error) {
	s.mu.Lock()
	s.finds++
	again := s.finds > 1
	s.mu.Unlock()
	if s.find != nil {
		return nil, false, s.find
	}
	if again && s.findAgain != nil {
		return nil, false, s.findAgain
	}
	return s.MemStore.Find(token)
}

func (s *faultyStore) DeleteCtx(_ context.Context, token string) error {
	s.mu.Lock()
	s.deletes++
	s.mu.Unlock()
	if s.delete != nil || s.undead {
		return s.delete
	}
	return s.MemStore.Delete(token)
}

// A durableStore says what a crash can undo.
type durableStore struct {
	*memstore.MemStore
	warnings []string
	err      error
}

func (s durableStore) Durability(context.Context) ([]string, error) { return s.warnings, s.err }

func TestCheckOfTheStore(t *testing.T) {
	t.Parallel()
	broken := errors.New("connection refused")
	problem := agentconnect.SeverityProblem
	for _, tt := range []struct {
		name     string
		store    *faultyStore
		severity agentconnect.Severity
		word     string
	}{
		{"works", &faultyStore{}, agentconnect.SeverityOK, "deleted"},
		{"cannot be written", &faultyStore{commit: broken}, problem, "connection refused"},
		{"cannot be read", &faultyStore{find: broken}, problem, "connection refused"},
		{"cannot delete", &faultyStore{delete: broken}, problem, "a logout would not end"},
		{"loses what it is given", &faultyStore{forgetful: true}, problem, "not found"},
		{"changes what it is given", &faultyStore{garbage: true}, problem, "changed"},
		{"does not delete", &faultyStore{undead: true}, problem, "still found"},
		{"cannot be read the second time", &faultyStore{findAgain: broken}, problem, "now and then: connection refused"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			store := tt.store
			store.MemStore = memstore.NewWithCleanupInterval(0)
			var _ scs.CtxStore = store
			a := newApp(t, agentconnect.WithSessionStore(store))
			findings := a.auth.Check(t.Context())
			wantFinding(t, findings, "session store", tt.severity, tt.word)
			wantFinding(t, findings, "sessions", agentconnect.SeverityOK, "they last 12h0m0s\n") // and nothing else
			if want := a.clock.Now().Add(time.Minute); store.expiry.IsZero() || store.expiry.After(want) {
				t.Errorf("the record of the check expires at %v, want %v at the latest", store.expiry, want)
			}
			if store.commit == nil && store.deletes == 0 {
				t.Error("the record of the check was not deleted")
			}
		})
	}
	for _, tt := range []struct {
		name     string
		store    durableStore
		severity agentconnect.Severity
		word     string
	}{
		{"keeps logouts", durableStore{}, agentconnect.SeverityOK, "through a crash"},
		{"can undo logouts", durableStore{warnings: []string{"snapshots only"}}, agentconnect.SeverityWarning, "snapshots only"},
		{"does not say", durableStore{err: broken}, agentconnect.SeverityWarning, "unknown: connection refused"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.store.MemStore = memstore.NewWithCleanupInterval(0)
			a := newApp(t, agentconnect.WithSessionStore(tt.store))
			wantFinding(t, a.auth.Check(t.Context()), "logouts", tt.severity, tt.word)
		})
	}
	t.Run("without contexts", func(t *testing.T) { // every operation has its deadline all the same
		t.Parallel()
		a := newApp(t)
		if _, ok := any(a.store).(scs.CtxStore); ok {
			t.Fatal("the store takes contexts")
		}
		wantFinding(t, a.auth.Check(t.Context()), "sessions", agentconnect.SeverityOK, "they last 12h0m0s\n")
	})
	t.Run("sealed", func(t *testing.T) {
		t.Parallel()
		a := newApp(t, agentconnect.WithSealedSessions(bytes.Repeat([]byte{7}, 32)))
		wantFinding(t, a.auth.Check(t.Context()), "session store", agentconnect.SeverityOK, "deleted")
	})
	t.Run("in memory", func(t *testing.T) {
		t.Parallel()
		a := newApp(t, agentconnect.WithSessionStore(memstore.NewWithCleanupInterval(0)), agentconnect.WithIdleTimeout(time.Hour), agentconnect.WithSessionEndAtMidnight())
		wantFinding(t, a.auth.Check(t.Context()), "sessions", agentconnect.SeverityWarning, "they last 12h0m0s, and to midnight in Paris at most, and end after 1h0m0s without a request; they are in the memory of this process")
	})
}

func TestFindings(t *testing.T) {
	t.Parallel()
	var none agentconnect.Findings
	if got, want := none.String(), "\nok: 0, warnings: 0, problems: 0\n"; got != want || none.Worst() != agentconnect.SeverityOK {
		t.Errorf("no findings: got %q, %s, want %q, ok", got, none.Worst(), want)
	}
	findings := agentconnect.Findings{
		{Severity: agentconnect.SeverityOK, Subject: "clé", Found: "there"},
		{Severity: agentconnect.SeverityProblem, Subject: "clock", Found: "late", Action: "Set it."},
		{Severity: agentconnect.SeverityWarning, Subject: "x", Found: "odd", Action: "Look."},
	}
	want := `ok       clé    there
problem  clock  late
                → Set it.
warning  x      odd
                → Look.

ok: 1, warnings: 1, problems: 1
`
	if got := findings.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, tt := range []struct {
		findings agentconnect.Findings
		want     agentconnect.Severity
	}{{findings[:1], agentconnect.SeverityOK}, {findings, agentconnect.SeverityProblem}, {findings[2:], agentconnect.SeverityWarning}} {
		if got := tt.findings.Worst(); got != tt.want {
			t.Errorf("Worst of %v: got %s, want %s", tt.findings, got, tt.want)
		}
	}
}
