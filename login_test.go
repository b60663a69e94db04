package agentconnect_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

// authorizeParams returns the parameters of the authorization request that a
// redirect leads to.
func authorizeParams(t *testing.T, a *app, p page) url.Values {
	t.Helper()
	u, err := url.Parse(p.location())
	if err != nil || p.StatusCode != http.StatusSeeOther || !strings.HasPrefix(p.location(), a.provider.Issuer+"/authorize?") {
		t.Fatalf("got status %d to %q, want 303 to the provider", p.StatusCode, p.location())
	}
	return u.Query()
}

func TestLoginParametersOfVisitors(t *testing.T) {
	t.Parallel()
	all := []string{"login_hint", "idp_hint", "siret_hint", "prompt"}
	for _, tt := range []struct {
		name    string
		allowed []string
		query   string
		want    map[string]string // of the authorization request; nil: refused
	}{
		{"nothing is open", nil, "login_hint=a@b.example&idp_hint=x&siret_hint=12345678901234&prompt=none&acr_values=eidas3&claims={}&scope=openid", map[string]string{}},
		{"only what is named", all[:1], "login_hint=a@b.example&idp_hint=x", map[string]string{"login_hint": "a@b.example"}},
		{"all", all, "login_hint=a@b.example&idp_hint=x&siret_hint=12345678901234&prompt=login", map[string]string{"login_hint": "a@b.example", "idp_hint": "x", "siret_hint": "12345678901234", "prompt": "login"}},
		{"empty is absent", all, "login_hint=&prompt=", map[string]string{}},
		{"login_hint is not an address", all, "login_hint=nobody", nil},
		{"login_hint with a name", all, "login_hint=" + url.QueryEscape("A <a@b.example>"), nil},
		{"login_hint in angle brackets", all, "login_hint=<a@b.example>", nil},
		{"login_hint has 255 characters", all, "login_hint=" + strings.Repeat("a", 245) + "@b.example", nil},
		{"login_hint is not ASCII", all, "login_hint=%C3%A9@b.example", nil},
		{"login_hint is two", all, "login_hint=" + url.QueryEscape("a@b.example,c@d.example"), nil},
		{"siret_hint has 13 digits", all, "siret_hint=1234567890123", nil},
		{"siret_hint has a letter", all, "siret_hint=1234567890123a", nil},
		{"idp_hint has a space", all, "idp_hint=a+b", nil},
		{"prompt is unknown", all, "prompt=consent", nil},
		{"a sealed request that is not ours", all, "request=AAAA", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, agentconnect.WithLoginParameters(tt.allowed...))
			b := a.browser()
			p := b.do("GET", "/login?"+tt.query, nil, "") // as a program, which is answered problems
			if tt.want == nil {
				if p.StatusCode != http.StatusBadRequest || p.problem() != "invalid_request" {
					t.Errorf("got status %d, %q, want a 400 problem", p.StatusCode, p.body)
				}
				if n := a.provider.Requests(agentconnecttest.Authorize); n != 0 {
					t.Errorf("the provider got %d requests, want none", n)
				}
				return
			}
			params := authorizeParams(t, a, p)
			for _, name := range append(all, "acr_values", "claims") {
				if got, want := params.Get(name), tt.want[name]; got != want {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
			if got, want := params.Get("scope"), strings.Join(agentconnect.DefaultScopes(), " "); got != want {
				t.Errorf("scope: got %q, want %q", got, want)
			}
		})
	}
}

func TestLoginURL(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	for _, tt := range []struct {
		name string
		opts agentconnect.LoginOptions
		want map[string]string // of the authorization request
		path string            // of the link; "": sealed
	}{
		{"nothing", agentconnect.LoginOptions{}, map[string]string{}, "/login"},
		{"a page", agentconnect.LoginOptions{ReturnTo: "/dossiers?a=b"}, map[string]string{}, "/login?return_to=%2Fdossiers%3Fa%3Db"},
		{"a page elsewhere", agentconnect.LoginOptions{ReturnTo: "//evil.example"}, map[string]string{}, "/login?return_to=%2F"},
		{"hints", agentconnect.LoginOptions{LoginHint: "a@b.example", IdPHint: "idp", SIRETHint: "12345678901234", Prompt: "login"},
			map[string]string{"login_hint": "a@b.example", "idp_hint": "idp", "siret_hint": "12345678901234", "prompt": "login"}, ""},
		{"a level", agentconnect.LoginOptions{Level: []agentconnect.Requirement{agentconnect.MFA(), agentconnect.MinEIDAS(2)}},
			map[string]string{"claims": `{"id_token":{"acr":{"essential":true,"values":["eidas2","eidas3"]}}}`}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			link, err := a.auth.LoginURL(tt.opts)
			if err != nil {
				t.Fatal(err)
			}
			if tt.path != "" && link != tt.path {
				t.Errorf("got %q, want %q", link, tt.path)
			}
			if strings.Contains(link, "b.example") || strings.Contains(link, "eidas") {
				t.Errorf("got %q, want the options sealed", link)
			}
			params := authorizeParams(t, a, a.browser().navigate(link))
			for _, name := range []string{"login_hint", "idp_hint", "siret_hint", "prompt", "claims"} {
				if got := params.Get(name); got != tt.want[name] {
					t.Errorf("%s: got %q, want %q", name, got, tt.want[name])
				}
			}
		})
	}
}

// Beside sealed options, an empty parameter of the visitor is absent.
func TestLoginURLAndVisitorsParameters(t *testing.T) {
	t.Parallel()
	a := newApp(t, agentconnect.WithLoginParameters("login_hint"))
	link, err := a.auth.LoginURL(agentconnect.LoginOptions{LoginHint: "a@b.example"})
	if err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{"": "a@b.example", "&login_hint=": "a@b.example", "&login_hint=c@d.example": "c@d.example"} {
		if got := authorizeParams(t, a, a.browser().navigate(link+query)).Get("login_hint"); got != want {
			t.Errorf("%q: got the login_hint %q, want %q", query, got, want)
		}
	}
}

func TestLoginURLMalformed(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	for name, opt := range map[string]agentconnect.LoginOptions{
		"login_hint":       {LoginHint: "nobody"},
		"siret_hint":       {SIRETHint: "1"},
		"idp_hint":         {IdPHint: "a b"},
		"prompt":           {Prompt: "select_account"},
		"impossible acr":   {Level: []agentconnect.Requirement{agentconnect.MFA(), agentconnect.CertificationDirigeant()}},
		"unknown acr":      {Level: []agentconnect.Requirement{agentconnect.ACR("eidas9")}},
		"level of eIDAS":   {Level: []agentconnect.Requirement{agentconnect.MinEIDAS(4)}},
		"zero Requirement": {Level: []agentconnect.Requirement{agentconnect.Requirement{}}},
	} {
		if link, err := a.auth.LoginURL(opt); err == nil {
			t.Errorf("%s: got %q, want an error", name, link)
		}
	}
}

// A handler of the application starts a login with options, and a malformed one
// is a refusal rather than a dead end at the provider.
func TestStartLogin(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	start := func(o agentconnect.LoginOptions) page {
		mux := http.NewServeMux()
		mux.HandleFunc("/start", func(w http.ResponseWriter, r *http.Request) { a.auth.StartLogin(w, r, o) })
		b := a.browserOf(mux)
		return b.do("GET", "/start?login_hint=visitor@b.example", nil, "")
	}
	params := authorizeParams(t, a, start(agentconnect.LoginOptions{LoginHint: "marie@b.example", ReturnTo: "/dossiers"}))
	if got := params.Get("login_hint"); got != "marie@b.example" {
		t.Errorf("login_hint: got %q, want the option's", got)
	}
	if p := start(agentconnect.LoginOptions{LoginHint: "nobody"}); p.StatusCode != http.StatusBadRequest || p.problem() != "invalid_request" {
		t.Errorf("malformed hint: got status %d, %q, want a 400 problem", p.StatusCode, p.body)
	}
}

func TestLoginHints(t *testing.T) {
	t.Parallel()
	a := newApp(t, agentconnect.WithLoginParameters("idp_hint"))
	b := a.browser()
	// The provider knows no such identity provider, and says so by redirect.
	p := b.navigate("/login?idp_hint=unknown&return_to=/dossiers")
	p = b.navigate(p.location())
	p = b.navigate(p.location())
	if p.StatusCode != http.StatusBadRequest || !strings.Contains(p.body, "idp_hint_not_found") || !strings.Contains(p.body, `href="/login?return_to=%2Fdossiers"`) {
		t.Errorf("got status %d, %s, want a page with a way to start again", p.StatusCode, p.body)
	}
}

func TestAMR(t *testing.T) {
	t.Parallel()
	a := newApp(t, agentconnect.WithAMR())
	b := a.browser()
	if got, want := authorizeParams(t, a, b.navigate("/login")).Get("claims"), `{"id_token":{"amr":{"essential":true}}}`; got != want {
		t.Errorf("claims: got %s, want %s", got, want)
	}
	p := b.login("/dossiers", "marie")
	if !strings.Contains(p.body, `"amr":["`) {
		t.Errorf("got claims %s, want an amr", p.body)
	}
}

// A level for every login: asked for, verified, and part of every step-up.
func TestDefaultLevel(t *testing.T) {
	t.Parallel()
	a := newApp(t, agentconnect.WithLevel(agentconnect.MFA()))
	b := a.browser()
	params := authorizeParams(t, a, b.navigate("/login"))
	if got, want := params.Get("claims"), `{"id_token":{"acr":{"essential":true,"values":["eidas0-mfa","eidas1-mfa","eidas2","eidas3"]}}}`; got != want {
		t.Errorf("claims: got %s, want %s", got, want)
	}
	params = authorizeParams(t, a, b.navigate("/eidas2"))
	if got, want := params.Get("claims"), `{"id_token":{"acr":{"essential":true,"values":["eidas2","eidas3"]}}}`; got != want {
		t.Errorf("claims: got %s, want %s", got, want)
	}
	if p := b.login("/dossiers", "marie", agentconnecttest.WithACR("eidas1-mfa")); p.StatusCode != http.StatusOK || !strings.Contains(p.body, `"acr":"eidas1-mfa"`) {
		t.Errorf("got status %d, %s, want the agent with an acr", p.StatusCode, p.body)
	}
	high := newApp(t, agentconnect.WithLevel(agentconnect.MinEIDAS(3)))
	if p := high.browser().login("/dossiers", "marie", agentconnecttest.WithACR("eidas1")); p.StatusCode != http.StatusForbidden {
		t.Errorf("login below the level: got status %d, want 403", p.StatusCode)
	}
}

func TestRequirePanics(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	strict := newApp(t, agentconnect.WithLevel(agentconnect.MFA()))
	for name, require := range map[string]func(){
		"no acr in common":            func() { a.auth.Require(agentconnect.MFA(), agentconnect.CertificationDirigeant()) },
		"none in common with a login": func() { strict.auth.Require(agentconnect.ACR("eidas1")) },
		"unknown acr":                 func() { a.auth.Require(agentconnect.ACR("eidas1", "EIDAS2")) },
		"empty list":                  func() { a.auth.Require(agentconnect.ACR()) },
		"level 0":                     func() { a.auth.Require(agentconnect.MinEIDAS(0)) },
		"zero value":                  func() { a.auth.Require(agentconnect.Requirement{}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: got no panic, want one", name)
				}
			}()
			require()
		}()
	}
}

func TestSilentLogin(t *testing.T) {
	t.Parallel()
	navigation := func(edit ...string) http.Header {
		h := http.Header{"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}, "Accept": {"text/html"}, "User-Agent": {"Mozilla/5.0"}}
		for i := 0; i < len(edit); i += 2 {
			h.Del(edit[i])
			if edit[i+1] != "" {
				h.Set(edit[i], edit[i+1])
			}
		}
		return h
	}
	start := func(t *testing.T, opts ...agentconnect.Option) (*app, *browser) {
		a := newApp(t, opts...)
		mux := http.NewServeMux()
		mux.Handle("/accueil", a.auth.SilentLogin(http.HandlerFunc(serveAgent)))
		mux.Handle("/", a.routes())
		b := a.browserOf(mux)
		// The first visit shows whether the browser keeps cookies.
		if p := b.do("GET", "/accueil", navigation(), ""); p.StatusCode != http.StatusOK || p.body != "public" {
			t.Fatalf("the first visit: got status %d, %q, want the public page", p.StatusCode, p.body)
		}
		return a, b
	}
	t.Run("a client that keeps no cookies", func(t *testing.T) {
		t.Parallel()
		_, b := start(t)
		b.client.Jar = nil
		for range 3 {
			if p := b.do("GET", "/accueil", navigation(), ""); p.StatusCode != http.StatusOK || p.body != "public" {
				t.Errorf("got status %d to %q, want the public page", p.StatusCode, p.location())
			}
		}
	})
	t.Run("a level is asked for and not demanded", func(t *testing.T) {
		t.Parallel()
		a, b := start(t, agentconnect.WithLevel(agentconnect.MinEIDAS(2)), agentconnect.WithAMR())
		params := authorizeParams(t, a, b.do("GET", "/accueil", navigation(), ""))
		if got, want := params.Get("claims"), `{"id_token":{"acr":null,"amr":null}}`; got != want || params.Get("login_hint") != "" {
			t.Errorf("got parameters %v, want claims %s and no hint", params, want)
		}
	})
	t.Run("a login that misses the level is none, without noise", func(t *testing.T) {
		t.Parallel()
		a, b := start(t, agentconnect.WithLevel(agentconnect.MinEIDAS(2)))
		before := len(b.cookies())
		callback := b.callback("/accueil?x=1", "marie", agentconnecttest.WithACR("eidas1"))
		p := b.navigate(strings.Replace(callback.String(), a.url, b.app.url, 1))
		if p.StatusCode != http.StatusSeeOther || p.location() != "/accueil?x=1" || a.store.sessions(t) != 0 || len(b.cookies()) != before {
			t.Errorf("got status %d to %q, %d sessions, cookies %v, want the page and nobody logged in", p.StatusCode, p.location(), a.store.sessions(t), b.cookies())
		}
		if strings.Contains(a.logs.String(), `"msg":"agentconnect: refused"`) || strings.Contains(a.logs.String(), `"level":"ERROR"`) {
			t.Errorf("got the log %s, want no noise", a.logs)
		}
	})
	t.Run("the provider went away after it was known", func(t *testing.T) {
		t.Parallel()
		a, b := start(t)
		if err := a.auth.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		a.provider.Stop()
		for range 3 {
			if p := b.do("GET", "/accueil", navigation(), ""); p.StatusCode != http.StatusOK || p.body != "public" {
				t.Errorf("got status %d to %q, want the public page", p.StatusCode, p.location())
			}
		}
	})
	t.Run("one look a minute", func(t *testing.T) {
		t.Parallel()
		a, b := start(t)
		a.provider.Inject(agentconnecttest.Fault("discovery-error-500"))
		looks := func() int { return a.provider.Requests(agentconnecttest.Discovery) }
		for _, step := range []struct {
			after time.Duration
			looks int
		}{{0, 1}, {0, 1}, {59 * time.Second, 1}, {time.Second, 2}} {
			a.clock.advance(step.after)
			if p := b.do("GET", "/accueil", navigation(), ""); p.body != "public" || looks() != step.looks {
				t.Errorf("after %v: got %q and %d looks, want the public page and %d", step.after, p.body, looks(), step.looks)
			}
		}
		a.provider.Clear()
		a.clock.advance(time.Minute)
		authorizeParams(t, a, b.do("GET", "/accueil", navigation(), ""))
	})
	t.Run("who is left in peace", func(t *testing.T) {
		t.Parallel()
		_, b := start(t)
		b.setCookie("agentconnect-silent", "")
		for _, tt := range []struct {
			name, method string
			header       http.Header
		}{
			{"script", "GET", navigation("Sec-Fetch-Mode", "cors")},
			{"frame", "GET", navigation("Sec-Fetch-Dest", "iframe")},
			{"prefetch", "GET", navigation("Sec-Purpose", "prefetch")},
			{"crawler", "GET", navigation("User-Agent", "Mozilla/5.0 (compatible; Googlebot/2.1)")},
			{"crawler in capitals", "GET", navigation("User-Agent", "SLURP/3.0")},
			{"program", "GET", http.Header{"Accept": {"text/html"}}},
			{"HEAD", "HEAD", navigation()},
			{"POST", "POST", navigation()},
		} {
			if p := b.do(tt.method, "/accueil", tt.header, ""); p.StatusCode != http.StatusOK || len(p.Cookies()) != 0 {
				t.Errorf("%s: got status %d, cookies %v, want the public page and none", tt.name, p.StatusCode, p.Cookies())
			}
		}
	})
	t.Run("nobody at the provider", func(t *testing.T) {
		t.Parallel()
		a, b := start(t)
		p := b.do("GET", "/accueil?x=1", navigation(), "")
		if got := authorizeParams(t, a, p).Get("prompt"); got != "none" {
			t.Fatalf("prompt: got %q, want none", got)
		}
		p = b.navigate(p.location())
		if !strings.Contains(p.location(), "error=login_required") {
			t.Fatalf("provider: got %q, want login_required", p.location())
		}
		p = b.navigate(strings.Replace(p.location(), a.url, b.app.url, 1))
		if p.StatusCode != http.StatusSeeOther || p.location() != "/accueil?x=1" {
			t.Fatalf("callback: got status %d to %q, want the page asked for", p.StatusCode, p.location())
		}
		if p = b.do("GET", "/accueil?x=1", navigation(), ""); p.StatusCode != http.StatusOK || p.body != "public" {
			t.Errorf("again: got status %d, %q, want the public page: no loop", p.StatusCode, p.body)
		}
	})
	t.Run("an agent at the provider", func(t *testing.T) {
		t.Parallel()
		a, b := start(t)
		other := &browser{t: t, app: a, client: b.client}
		other.login("/dossiers", "marie") // opens the provider's session
		for name := range b.cookies() {
			b.setCookie(name, "")
		}
		b.do("GET", "/accueil", navigation(), "")
		p := b.do("GET", "/accueil", navigation(), "")
		p = b.navigate(p.location())
		p = b.navigate(p.location())
		if p.location() != "/accueil" {
			t.Fatalf("callback: got status %d to %q, want the page asked for", p.StatusCode, p.location())
		}
		if p = b.do("GET", "/accueil", navigation(), ""); !strings.Contains(p.body, a.agentSub("marie")) {
			t.Errorf("got %q, want the agent", p.body)
		}
		out := b.post("/logout", nil)
		if p = b.do("GET", "/accueil", navigation(), ""); p.body != "public" {
			t.Errorf("after a logout: got status %d, %q, want the public page", p.StatusCode, p.body)
		}
		p = other.navigate(other.navigate(out.location()).location())
		if cookies := other.cookies(); p.location() != "/" || len(cookies) != 1 || cookies["agentconnect-silent"] != "1" {
			t.Errorf("after the provider's logout: got status %d to %q, cookies %v, want the home page, and the one of the silent try", p.StatusCode, p.location(), cookies)
		}
	})
	t.Run("the provider is away", func(t *testing.T) {
		t.Parallel()
		a, b := start(t)
		a.provider.Stop()
		if p := b.do("GET", "/accueil", navigation(), ""); p.StatusCode != http.StatusOK || p.body != "public" {
			t.Errorf("got status %d, %q, want the public page", p.StatusCode, p.body)
		}
	})
}

// A sealed link that no longer opens, after the client secret changed, leads to a
// page whose login starts on the page that was asked for.
func TestLoginURLThatNoLongerOpens(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	link, err := a.another(agentconnect.WithClient(a.provider.Client.ID, "a former secret of this client")).auth.LoginURL(agentconnect.LoginOptions{
		LoginHint: "marie@b.example", ReturnTo: "/dossiers/7?tri=date#piece",
	})
	if err != nil {
		t.Fatal(err)
	}
	b := a.browser()
	b.refused(refusal{code: "invalid_request", again: "/login?return_to=%2Fdossiers%2F7%3Ftri%3Ddate%23piece"}, func() page { return b.navigate(link) })
}
