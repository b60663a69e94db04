package agentconnecttest_test

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

// TestFaultsListsEachOnce: names are what tests, flags and files write, so they are
// short words with hyphens, and each has one meaning.
func TestFaultsListsEachOnce(t *testing.T) {
	infos := agentconnecttest.Faults()
	if len(infos) < 400 {
		t.Errorf("got %d faults, want all of them, more than 400", len(infos))
	}
	form := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)+$`)
	seen := make(map[agentconnecttest.Fault]bool)
	for _, info := range infos {
		switch {
		case seen[info.Fault]:
			t.Errorf("%s: listed twice", info.Fault)
		case !form.MatchString(string(info.Fault)):
			t.Errorf("%s: got another form than %s", info.Fault, form)
		case info.Effect == "":
			t.Errorf("%s: got no effect, want what changes on the wire", info.Fault)
		case info.Endpoint == "":
			t.Errorf("%s: got no endpoint", info.Fault)
		}
		seen[info.Fault] = true
	}
}

// TestFaultConstants: a constant that is in no row would panic in tests of applications.
func TestFaultConstants(t *testing.T) {
	listed := make(map[agentconnecttest.Fault]bool)
	for _, info := range agentconnecttest.Faults() {
		listed[info.Fault] = true
	}
	for _, fault := range []agentconnecttest.Fault{
		agentconnecttest.DiscoveryError503, agentconnecttest.TokenError503, agentconnecttest.TokenInvalidGrant,
		agentconnecttest.UserinfoError503, agentconnecttest.UserinfoUnauthorized,
		agentconnecttest.IDTokenWrongIssuer, agentconnecttest.IDTokenExpired, agentconnecttest.IDTokenWeakACR,
		agentconnecttest.CallbackAccessDenied, agentconnecttest.CallbackServerError, agentconnecttest.PageCrossedTabs,
	} {
		if !listed[fault] {
			t.Errorf("%s: a constant that Faults does not list", fault)
		}
	}
}

func TestInjectingAnUnknownFaultPanics(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	defer func() {
		if recover() == nil {
			t.Error("got no panic, want one: a misspelt fault would test nothing")
		}
	}()
	srv.Inject(agentconnecttest.Fault("no such fault"))
}

// TestFaultsAreRefusedOrNot sends each fault to a relying party that checks
// everything, with each registered algorithm for which the fault means something.
func TestFaultsAreRefusedOrNot(t *testing.T) {
	for _, alg := range []struct{ idToken, userinfo string }{
		{"RS256", "RS256"}, {"ES256", "ES256"}, {"HS256", "HS256"}, {"RS256", "none"},
	} {
		t.Run(alg.idToken+" "+alg.userinfo, func(t *testing.T) {
			t.Parallel()
			srv := agentconnecttest.NewServer(t, agentconnecttest.WithAlgorithms(alg.idToken, alg.userinfo))
			a := newApp(t, srv)
			p := party{app: a, timeout: 10 * time.Second}
			if err := p.login(newBrowser(t)); err != nil {
				t.Fatalf("without any fault: got %v, want a login", err)
			}
			for _, info := range agentconnecttest.Faults() {
				registered := alg.idToken
				if info.Endpoint == agentconnecttest.Userinfo {
					registered = alg.userinfo
				}
				switch info.Endpoint {
				case agentconnecttest.Introspection, agentconnecttest.Revocation, agentconnecttest.EndSession:
					continue // a login never goes there
				}
				if !info.Applies(registered) {
					continue
				}
				t.Run(string(info.Fault), func(t *testing.T) {
					p := p
					a.with()
					if info.Level {
						p.acr = "eidas1"
						a.with("claims", `{"id_token":{"acr":{"essential":true,"value":"eidas1"}}}`)
					}
					if info.Slow {
						p.timeout = 100 * time.Millisecond
					}
					srv.Inject(info.Fault)
					defer srv.Clear()
					err := p.login(newBrowser(t))
					if refused := err != nil; refused != info.Refuse {
						t.Errorf("got %v, want refused: %v", err, info.Refuse)
					}
				})
			}
			if got := srv.Requests(agentconnecttest.Attacker); got != 0 {
				t.Errorf("keys named by tokens were fetched %d times, want 0", got)
			}
			a.with()
			if err := p.login(newBrowser(t)); err != nil {
				t.Errorf("after every fault: got %v, want a login", err)
			}
		})
	}
}

// TestFaultsDoWhatTheySay looks at what is really sent, for the faults whose
// refusal could have another cause.
func TestFaultsDoWhatTheySay(t *testing.T) {
	const (
		inIDToken = iota
		inUserinfo
		inBoth
	)
	long := strings.Repeat("s", 255)
	for _, test := range []struct {
		fault    agentconnecttest.Fault
		where    int
		header   string // a member
		claim    string
		want     string // as JSON; "" means absent
		wantPart string // in the JSON of the whole
	}{
		{fault: agentconnecttest.IDTokenWrongIssuer, claim: "iss", want: `"https://attacker.example"`},
		{fault: agentconnecttest.Fault("id-token-missing-issuer"), claim: "iss"},
		{fault: agentconnecttest.Fault("id-token-stranger-audience"), claim: "aud", want: `"another-client"`},
		{fault: agentconnecttest.Fault("id-token-several-audiences"), claim: "aud", want: `["client-id","another-client"]`},
		{fault: agentconnecttest.Fault("id-token-several-audiences"), claim: "azp"},
		{fault: agentconnecttest.Fault("id-token-wrong-authorized-party"), claim: "azp", want: `"another-client"`},
		{fault: agentconnecttest.Fault("id-token-right-authorized-party"), claim: "azp", want: `"client-id"`},
		{fault: agentconnecttest.Fault("id-token-alg-none"), header: "alg", want: `"none"`},
		{fault: agentconnecttest.Fault("id-token-alg-none-title"), header: "alg", want: `"None"`},
		{fault: agentconnecttest.Fault("id-token-alg-none-upper"), header: "alg", want: `"NONE"`},
		{fault: agentconnecttest.Fault("id-token-alg-none-mixed"), header: "alg", want: `"nOnE"`},
		{fault: agentconnecttest.Fault("id-token-alg-missing"), header: "alg"},
		{fault: agentconnecttest.Fault("id-token-hs256-public-pem"), header: "alg", want: `"HS256"`},
		{fault: agentconnecttest.Fault("id-token-hs256-public-der"), header: "alg", want: `"HS256"`},
		{fault: agentconnecttest.Fault("id-token-other-algorithm"), header: "alg", want: `"ES256"`},
		{fault: agentconnecttest.Fault("id-token-missing-exp"), claim: "exp"},
		{fault: agentconnecttest.Fault("id-token-missing-iat"), claim: "iat"},
		{fault: agentconnecttest.Fault("id-token-sub-number"), where: inBoth, claim: "sub", want: `42`},
		{fault: agentconnecttest.Fault("id-token-sub-255"), where: inBoth, claim: "sub", want: `"` + long + `"`},
		{fault: agentconnecttest.Fault("id-token-long-sub"), where: inBoth, claim: "sub", want: `"` + long + `s"`},
		{fault: agentconnecttest.Fault("id-token-empty-sub"), where: inBoth, claim: "sub", want: `""`},
		{fault: agentconnecttest.Fault("id-token-missing-sub"), where: inBoth, claim: "sub"},
		{fault: agentconnecttest.Fault("id-token-repeated-sub"), wantPart: `"sub":"somebody-else"}`},
		{fault: agentconnecttest.Fault("id-token-repeated-sub-first"), wantPart: `{"sub":"somebody-else","sub":"demo-`},
		{fault: agentconnecttest.Fault("id-token-case-sub"), claim: "Sub", want: `"somebody-else"`},
		{fault: agentconnecttest.Fault("id-token-no-kid"), header: "kid"},
		{fault: agentconnecttest.Fault("id-token-header-jku"), header: "jku", wantPart: `/attacker/jwks"`},
		{fault: agentconnecttest.Fault("id-token-header-x5u"), header: "x5u", wantPart: `/attacker/certificate"`},
		{fault: agentconnecttest.Fault("id-token-header-jwk"), header: "jwk", wantPart: `"kty":"RSA"`},
		{fault: agentconnecttest.Fault("id-token-header-x5c"), header: "x5c", wantPart: `["MII`},
		{fault: agentconnecttest.Fault("id-token-header-critical"), header: "crit", want: `["https://attacker.example/extension"]`},
		{fault: agentconnecttest.Fault("id-token-missing-acr"), claim: "acr"},
		{fault: agentconnecttest.Fault("id-token-acr-array"), claim: "acr", want: `["eidas1"]`},
		{fault: agentconnecttest.Fault("id-token-uppercase-acr"), claim: "acr", want: `"EIDAS1"`},
		{fault: agentconnecttest.Fault("id-token-acr-only-in-userinfo"), claim: "acr"},
		{fault: agentconnecttest.Fault("id-token-acr-only-in-userinfo"), where: inUserinfo, claim: "acr", want: `"eidas3"`},
		{fault: agentconnecttest.Fault("userinfo-other-sub"), where: inUserinfo, claim: "sub", want: `"somebody-else"`},
		{fault: agentconnecttest.Fault("userinfo-missing-exp"), where: inUserinfo, claim: "exp"},
		{fault: agentconnecttest.Fault("userinfo-missing-audience"), where: inUserinfo, claim: "aud"},
		{fault: agentconnecttest.Fault("userinfo-is-id-token"), where: inUserinfo, wantPart: `"nonce":`},
		{fault: agentconnecttest.Fault("userinfo-null-text"), where: inUserinfo, claim: "phone_number", want: `null`},
	} {
		t.Run(string(test.fault)+" "+test.header+test.claim, func(t *testing.T) {
			srv := agentconnecttest.NewServer(t)
			a := newApp(t, srv).with("claims", `{"id_token":{"acr":{"essential":true,"value":"eidas1"}}}`)
			srv.Inject(test.fault)
			got := a.logIn(t, newBrowser(t), "marie")
			check := func(compact string) {
				t.Helper()
				header, claims := decode(t, compact)
				if test.header != "" {
					claims = header
				}
				if name := test.header + test.claim; name != "" && test.wantPart == "" && member(t, claims, name) != test.want {
					t.Errorf("%s: got %s, want %s", name, member(t, claims, name), test.want)
				}
				if !strings.Contains(claims, test.wantPart) {
					t.Errorf("got %s, want %s in it", claims, test.wantPart)
				}
			}
			if test.where != inUserinfo {
				check(got.tokens.IDToken)
			}
			if test.where != inIDToken {
				check(got.body)
			}
		})
	}
}

func TestFaultInfo(t *testing.T) {
	infos := make(map[agentconnecttest.Fault]agentconnecttest.FaultInfo)
	for _, info := range agentconnecttest.Faults() {
		infos[info.Fault] = info
	}
	for _, test := range []struct {
		fault    agentconnecttest.Fault
		endpoint agentconnecttest.Endpoint
		algs     string // that it applies to
	}{
		{agentconnecttest.IDTokenExpired, agentconnecttest.Token, "RS256 ES256 HS256"},
		{agentconnecttest.Fault("keys-drip"), agentconnecttest.JWKS, "RS256 ES256"},
		{agentconnecttest.TokenError503, agentconnecttest.Token, "RS256 ES256 HS256 none"},
		{agentconnecttest.Fault("userinfo-null-text"), agentconnecttest.Userinfo, "RS256 ES256 HS256 none"},
		{agentconnecttest.Fault("introspection-inactive"), agentconnecttest.Introspection, "RS256 ES256 HS256 none"},
		{agentconnecttest.Fault("introspection-flat"), agentconnecttest.Introspection, "RS256 ES256 HS256"},
		{agentconnecttest.Fault("logout-wrong-state"), agentconnecttest.EndSession, "RS256 ES256 HS256 none"},
		{agentconnecttest.PageCrossedTabs, agentconnecttest.LoginPage, "RS256 ES256 HS256 none"},
		{agentconnecttest.Fault("page-blocked-account"), agentconnecttest.Authorize, "RS256 ES256 HS256 none"},
		{agentconnecttest.Fault("callback-wrong-state"), agentconnecttest.Authorize, "RS256 ES256 HS256 none"},
	} {
		info, ok := infos[test.fault]
		var applies []string
		for _, alg := range []string{"RS256", "ES256", "HS256", "none"} {
			if info.Applies(alg) {
				applies = append(applies, alg)
			}
		}
		if got := strings.Join(applies, " "); !ok || info.Endpoint != test.endpoint || got != test.algs {
			t.Errorf("%s: got endpoint %s, algorithms %s, want %s, %s", test.fault, info.Endpoint, got, test.endpoint, test.algs)
		}
	}
}

func TestLimitedFaults(t *testing.T) {
	for _, test := range []struct {
		name  string
		fault func(agentconnecttest.Injectable) agentconnecttest.Injectable
		want  []bool // whether each login in a row gets a token
	}{
		{"always", func(f agentconnecttest.Injectable) agentconnecttest.Injectable { return f }, []bool{false, false, false}},
		{"once", agentconnecttest.Once, []bool{false, true, true}},
		{"twice", func(f agentconnecttest.Injectable) agentconnecttest.Injectable { return agentconnecttest.Times(2, f) }, []bool{false, false, true}},
		{"never", func(f agentconnecttest.Injectable) agentconnecttest.Injectable { return agentconnecttest.Times(0, f) }, []bool{true, true, true}},
		{"after one", func(f agentconnecttest.Injectable) agentconnecttest.Injectable { return agentconnecttest.After(1, f) }, []bool{true, false, false}},
		{"once, after one", func(f agentconnecttest.Injectable) agentconnecttest.Injectable {
			return agentconnecttest.After(1, agentconnecttest.Once(f))
		}, []bool{true, false, true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			srv := agentconnecttest.NewServer(t)
			a := newApp(t, srv)
			srv.Inject(test.fault(agentconnecttest.TokenInvalidGrant))
			for i, want := range test.want {
				if got := a.logIn(t, newBrowser(t), "marie").tokens.IDToken != ""; got != want {
					t.Errorf("login %d: got a token: %v, want %v", i+1, got, want)
				}
			}
		})
	}
}

func TestTamper(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	a := newApp(t, srv)
	srv.Inject(
		agentconnecttest.Tamper{IDToken: func(j *agentconnecttest.JWT) { j.Claims.Set("colour", "blue") }},
		agentconnecttest.Tamper{IDToken: func(j *agentconnecttest.JWT) {
			j.Claims.Add("mixed", j.Claims.Get("colour").(string)+" and red")
			srv.EndProviderSession("nobody") // the provider can be called from a fault
		}},
		agentconnecttest.Tamper{Endpoint: agentconnecttest.Userinfo, Answer: func(answer *agentconnecttest.Answer) {
			answer.Header.Set("X-Tampered", "yes")
		}},
	)
	got := a.logIn(t, newBrowser(t), "marie")
	_, claims := decode(t, got.tokens.IDToken)
	if mixed := member(t, claims, "mixed"); mixed != `"blue and red"` {
		t.Errorf("mixed: got %s, want the two faults in their order", mixed)
	}
	if header := got.userinfo.Header.Get("X-Tampered"); header != "yes" {
		t.Errorf("X-Tampered: got %q, want yes", header)
	}
	srv.Clear()
	got = a.logIn(t, newBrowser(t), "marie")
	if _, claims := decode(t, got.tokens.IDToken); member(t, claims, "mixed") != "" {
		t.Error("after Clear: got a tampered token")
	}
}

func TestSlowFaultsEndWithTheClientAndWithTheServer(t *testing.T) {
	for _, fault := range []agentconnecttest.Fault{
		agentconnecttest.Fault("discovery-hang"), agentconnecttest.Fault("discovery-drip"), agentconnecttest.Fault("discovery-slow"),
	} {
		t.Run(string(fault), func(t *testing.T) {
			srv := agentconnecttest.NewServer(t)
			srv.Inject(fault)
			for _, end := range []string{"client", "server"} {
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.Issuer+"/.well-known/openid-configuration", nil)
				if err != nil {
					t.Fatal(err)
				}
				done := make(chan error, 1)
				before := srv.Requests(agentconnecttest.Discovery)
				go func() {
					resp, err := (&http.Client{Transport: &http.Transport{}}).Do(req)
					if err == nil {
						_, err = io.Copy(io.Discard, resp.Body)
						resp.Body.Close()
					}
					done <- err
				}()
				for srv.Requests(agentconnecttest.Discovery) == before {
					time.Sleep(time.Millisecond)
				}
				if end == "client" {
					leave()
				} else {
					srv.Stop()
				}
				if err := <-done; err == nil {
					t.Errorf("%s: got an answer, want none", end)
				}
			}
		})
	}
}

// TestRedirectsLeadToTheAnswer: a client that wrongly follows is not saved by a
// dead end.
func TestRedirectsLeadToTheAnswer(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	_, want := open(t, newBrowser(t), srv.Issuer+"/.well-known/openid-configuration")
	srv.Inject(agentconnecttest.Fault("discovery-permanent-redirect"))
	resp, err := http.Get(srv.Issuer + "/.well-known/openid-configuration")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want || resp.Request.URL.Path == "/api/v2/.well-known/openid-configuration" {
		t.Errorf("got %s at %s, want the document at another address", got, resp.Request.URL)
	}
	if n := srv.Requests(agentconnecttest.Elsewhere); n != 1 {
		t.Errorf("requests elsewhere: got %d, want 1", n)
	}
	first, _ := open(t, newBrowser(t), srv.Issuer+"/.well-known/openid-configuration")
	open(t, newBrowser(t), srv.Issuer+"/.well-known/openid-configuration")
	if resp, body := open(t, newBrowser(t), first.Header.Get("Location")); resp.StatusCode != http.StatusOK || body != want {
		t.Errorf("after another redirect: got %d %s, want the document", resp.StatusCode, body)
	}
}

func TestOtherSubOnRefreshLeavesLoginsAlone(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	a := newApp(t, srv)
	srv.Inject(agentconnecttest.Fault("id-token-other-sub-on-refresh"))
	got := a.logIn(t, newBrowser(t), "marie")
	if _, claims := decode(t, got.tokens.IDToken); member(t, claims, "sub") != `"demo-4f1c2d9e-marie"` {
		t.Errorf("login: got %s, want the agent's sub", claims)
	}
	_, refreshed := a.tokenRequest(t.Context(), "grant_type", "refresh_token", "refresh_token", got.tokens.RefreshToken)
	if _, claims := decode(t, refreshed.IDToken); member(t, claims, "sub") != `"somebody-else"` {
		t.Errorf("refresh: got %s, want another sub", claims)
	}
}

func TestRevocationFaults(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	a := newApp(t, srv)
	for _, test := range []struct {
		fault agentconnecttest.Fault
		want  int
	}{
		{agentconnecttest.Fault("revocation-error-500"), 500},
		{agentconnecttest.Fault("revocation-error-503"), 503},
		{agentconnecttest.Fault("revocation-error-429"), 429},
		{agentconnecttest.Fault("revocation-redirect"), 302},
	} {
		srv.Inject(test.fault)
		resp, _, err := a.post(t.Context(), "/token/revocation", "token", "unknown")
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != test.want {
			t.Errorf("%s: got %d, want %d", test.fault, resp.StatusCode, test.want)
		}
		srv.Clear()
	}
}
