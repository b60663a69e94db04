package agentconnect_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	pathpkg "path"
	"slices"
	"strings"
	"testing"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

// badReturnTos are pages to come back to that are not pages of the application,
// by the families in which the public lists of open-redirect payloads come.
func badReturnTos() []string {
	return []string{
		// Another site, in so many words, and by every scheme.
		"https://attacker.example", "http://attacker.example/dossiers", "HTTPS://attacker.example", "ftp://attacker.example", "//attacker.example", "///attacker.example", "////attacker.example", "//attacker.example/%2f..",
		"javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\nscript:alert(1)", "\x01javascript:alert(1)", "data:text/html,x", "vbscript:x", "mailto:a@b.example", "blob:https://attacker.example/x", "file:///etc/passwd", "about:blank",
		"https:attacker.example", "https:/attacker.example", "http:/\\attacker.example", "http:\\\\attacker.example", "//localhost:80@attacker.example", "https://localhost@attacker.example", "https://localhost.attacker.example",
		// Backslashes.
		`/\attacker.example`, `\/attacker.example`, `\\attacker.example`, `/\/attacker.example`, `/\\attacker.example`, `\attacker.example`, `/dossiers\..\..\\attacker.example`, `/dossiers\7`,
		// Tabs, newlines and others, which browsers remove.
		"/\t/attacker.example", "/\n/attacker.example", "/\r/attacker.example", "/\r\n/attacker.example", "\t//attacker.example", " //attacker.example", "\x00//attacker.example", "/\x00/attacker.example", "/\x0b/attacker.example", "/\x7f/attacker.example", "//\tattacker.example", "/dossiers#\t//x", "/dossiers#\x7f",
		// Dot segments that leave two slashes at the start behind.
		"/.//attacker.example", "/..//attacker.example", "/./\\attacker.example", "/dossiers/..//attacker.example", "/dossiers/../../attacker.example", "/%2e%2e//attacker.example", "/%2e//attacker.example", "/.%2e//attacker.example", "/dossiers/%2E%2e//attacker.example", "/;/../..//attacker.example", "/dossiers/.", "/dossiers/..",
		// Escapes that an application behind could undo.
		"/%2f/attacker.example", "/%2fattacker.example", "/%2F%2Fattacker.example", "/%5cattacker.example", "/%5C%5Cattacker.example", "/%09/attacker.example", "/%0a/attacker.example", "/%0d%0aSet-Cookie:x=y", "/%00/attacker.example", "/dossiers%7f", "%2f%2fattacker.example", "%68ttps://attacker.example", "/%", "/%zz", "/%2",
		// Relative ones, and what is no URL.
		"attacker.example", "dossiers", "./dossiers", "../dossiers", "?x=y", "#x", "", " ", "/ /../x/..//", "@attacker.example", ":80", ":", "*",
		"／／attacker.example", "。attacker.example", "/\u2028/attacker.example\\",
		// Our own routes, however they are spelled.
		"/login", "/login/", "/LOGIN", "/login?return_to=/login", "/login#x", "/%6cogin", "/callback", "/callback?code=x&state=y", "/callback/", "/logout", "/logout/", "/Logout?x", "/logout/callback", "/logout%2fcallback", "/logout/callback/?state=x", "/%6Cogout",
		"/login;x", "/login%20", "/login%3b",
		"/logout//callback", "/login//", "/logout/%2fcallback", "/%256cogin", "/logout%252fcallback", "/logout%25252fcallback",
		"/" + strings.Repeat("x", 2048),
	}
}

// goodReturnTos come back as they are.
func goodReturnTos() []string {
	return []string{
		"/", "/dossiers", "/dossiers/", "/dossiers/7", "/dossiers/7?tri=date&n=2#piece-3", "/?q", "/#f", "/a:b", "/a@b", "/dossiers?next=https://site.example//x", "/dossiers?x=//y&z=\\/", "/dossiers?x=../..", `/dossiers?x=\y`, `/dossiers#\y`, "/dossiers#//x", "/d%C3%A9marches/%20x", "/a%2Fb", "/a;b=c,d", "/a//b", "/a/...", "/a/..b", "/.well-known/x", "/loginx", "/login-aide", "/callbacks", "/x/login", "/logout-page", "/a?b?c", "/a#b#c", "/" + strings.Repeat("x", 2047),
	}
}

// isBackslashed: a backslash is refused wherever it is, also where it does no
// harm to a browser.
func isBackslashed(s string) bool { return strings.Contains(s, `\`) }

// return_to leads to a local page or to /, judged on the final Location, the way
// a browser resolves it.
func TestThreatReturnTo(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	for _, target := range badReturnTos() {
		t.Run(fmt.Sprintf("bad %.60q", target), func(t *testing.T) {
			b := a.in(t).browser()
			location := b.locationAfterLogin(target)
			checkLocation(t, a, location)
			// A few are local pages in the end; all others are the home page.
			if u := resolveWHATWG(a.base(t), location); location != "/" && (!strings.HasPrefix(u.pathname(), "/login") && u.pathname() != location) {
				t.Errorf("got Location %q", location)
			}
		})
	}
	for _, target := range goodReturnTos() {
		want := target
		if isBackslashed(target) {
			want = "/"
		}
		t.Run(fmt.Sprintf("good %.60q", target), func(t *testing.T) {
			b := a.in(t).browser()
			if got := b.locationAfterLogin(target); got != want {
				t.Errorf("got Location %q, want %q", got, want)
			}
		})
	}
	for target, want := range map[string]string{
		"/démarches/é?q=à#î":   "/d%C3%A9marches/%C3%A9?q=%C3%A0#%C3%AE",
		"/a b?c d":             "/a%20b?c%20d",
		`/a"b<c>`:              "/a%22b%3Cc%3E",
		"/／／attacker.example":  "/%EF%BC%8F%EF%BC%8Fattacker.example",
		"/\u202eattacker":      "/%E2%80%AEattacker",
		"/a?x={y}|`z`^":        "/a?x=%7By%7D%7C%60z%60%5E",
		"/dossiers?x=%0d%0a#y": "/dossiers?x=%0d%0a#y",
	} {
		t.Run(fmt.Sprintf("escaped %q", target), func(t *testing.T) {
			b := a.in(t).browser()
			if got := b.locationAfterLogin(target); got != want {
				t.Errorf("got Location %q, want %q", got, want)
			}
		})
	}
}

// locationAfterLogin logs in with a return_to and returns the callback's
// Location.
func (b *browser) locationAfterLogin(target string) string {
	b.t.Helper()
	p := b.navigate("/login?return_to=" + url.QueryEscape(target))
	if p.StatusCode != http.StatusSeeOther {
		b.t.Fatalf("login with return_to %q: got status %d, want 303", target, p.StatusCode)
	}
	p = b.navigate(b.callbackOf(p.location(), "marie").String())
	if p.StatusCode != http.StatusSeeOther || len(p.Header.Values("Location")) != 1 {
		b.t.Fatalf("callback: got status %d and Location %q, want 303 and one; %.500s", p.StatusCode, p.Header.Values("Location"), p.body)
	}
	for name := range p.Header {
		if !slices.Contains([]string{"Cache-Control", "Content-Length", "Date", "Location", "Referrer-Policy", "Set-Cookie", "Vary"}, name) {
			b.t.Errorf("callback: got a header %s: %q", name, p.Header[name])
		}
	}
	return p.location()
}

// base returns the URL of the callback, against which a browser resolves.
func (a *app) base(t *testing.T) whatwgURL {
	t.Helper()
	u, err := url.Parse(a.url)
	if err != nil {
		t.Fatal(err)
	}
	return whatwgURL{scheme: u.Scheme, host: u.Host, path: []string{"callback"}}
}

// checkLocation checks a Location as a browser takes it: a page of our origin,
// none of our own routes, in printable ASCII.
func checkLocation(t *testing.T, a *app, location string) {
	t.Helper()
	base := a.base(t)
	if problem := judgeLocation(base, location); problem != "" {
		t.Errorf("Location %q: %s", location, problem)
	}
}

// judgeLocation says what is wrong with a Location, "" when nothing is.
func judgeLocation(base whatwgURL, location string) string {
	if strings.ContainsFunc(location, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return "it is not printable ASCII"
	}
	u := resolveWHATWG(base, location)
	if u.origin() != base.origin() {
		return "it leads to " + u.origin()
	}
	if len(u.path) > 1 && u.path[0] == "" {
		return "its path begins with two slashes"
	}
	for _, path := range []string{u.pathname(), location} {
		path, _, _ = strings.Cut(path, "?")
		path, _, _ = strings.Cut(path, "#")
		unescaped, err := url.PathUnescape(path)
		if err != nil {
			return "its path has malformed escapes"
		}
		if strings.Contains(unescaped, `\`) || strings.HasPrefix(unescaped, "//") || strings.ContainsFunc(unescaped, func(r rune) bool { return r < ' ' }) {
			return "its path hides " + unescaped
		}
		for segment := range strings.SplitSeq(unescaped, "/") {
			if segment == "." || segment == ".." {
				return "its path has a dot segment"
			}
		}
		if slices.Contains([]string{"/login", "/callback", "/logout", "/logout/callback"}, strings.ToLower(pathpkg.Clean(unescaped))) {
			return "it leads to one of our own routes"
		}
	}
	return ""
}

// RequireAgent and the step-up come back to what was asked for, which a stranger
// chooses: also on a request line that no browser writes.
func TestThreatRequestLines(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	mux := http.NewServeMux() // behind a mux that does not clean paths
	mux.Handle("/", http.HandlerFunc(http.NotFound))
	agent, mfa := a.auth.RequireAgent(http.HandlerFunc(serveAgent)), a.auth.Require(agentconnect.MFA())(http.HandlerFunc(serveAgent))
	site := a.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("X-Level"), "mfa") {
			mfa.ServeHTTP(w, r)
			return
		}
		agent.ServeHTTP(w, r)
	}))
	address := strings.TrimPrefix(site, "http://")
	for _, target := range []string{
		"//attacker.example/x", "///attacker.example", "/\\attacker.example", "http://attacker.example/dossiers", "//attacker.example@localhost/", "/%2f/attacker.example", "/..//attacker.example",
		"/dossiers/../..//attacker.example", "/%09/attacker.example", "/dossiers?x=\\\\attacker.example", "*", "/login", "/callback?code=x", "/logout", "//", "/%5c%5cattacker.example",
	} {
		for _, level := range []string{"", "mfa"} {
			t.Run(target+" "+level, func(t *testing.T) {
				conn, err := net.Dial("tcp", address)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: attacker.example\r\nX-Forwarded-Host: attacker.example\r\nX-Forwarded-Proto: gopher\r\nX-Original-URL: //attacker.example\r\nX-Level: %s\r\nSec-Fetch-Mode: navigate\r\nConnection: close\r\n\r\n", target, level)
				resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				location := resp.Header.Get("Location")
				if resp.StatusCode == http.StatusBadRequest && location == "" {
					return // net/http itself does not take it
				}
				if page, _, _ := strings.Cut(target, "?"); page == "/login" || page == "/callback" { // would redirect for ever
					if resp.StatusCode != http.StatusInternalServerError || location != "" {
						t.Fatalf("got status %d to %q, want 500 and no redirect", resp.StatusCode, location)
					}
					return
				}
				if resp.StatusCode != http.StatusSeeOther {
					t.Fatalf("got status %d, want 303", resp.StatusCode)
				}
				b := a.in(t).browser()
				if level == "mfa" {
					if !strings.HasPrefix(location, a.provider.Issuer+"/authorize?") {
						t.Fatalf("got Location %q, want the provider", location)
					}
					for _, c := range resp.Cookies() {
						b.setCookie(c.Name, c.Value)
					}
				} else {
					if u := resolveWHATWG(a.base(t), location); u.origin() != a.url || u.pathname() != "/login" {
						t.Fatalf("got Location %q, want the login", location)
					}
					location = b.navigate(location).location()
				}
				p := b.navigate(b.callbackOf(location, "marie").String())
				if p.StatusCode != http.StatusSeeOther {
					t.Fatalf("callback: got status %d, want 303; %.500s", p.StatusCode, p.body)
				}
				checkLocation(t, a, p.location())
			})
		}
	}
}

// A page that is too long to come back to is not in the address of the login: escaped, it
// would exceed what a proxy accepts, and the agent would see the proxy's 414 or 502.
func TestThreatLongPage(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	agent := a.loggedIn("karim")
	for _, tt := range []struct {
		length int
		kept   bool
	}{{2048, true}, {2049, false}, {7000, false}} {
		for _, request := range []struct{ method, path string }{{"GET", "/dossiers?"}, {"HEAD", "/dossiers?"}, {"HEAD", "/mfa-only?"}} {
			target := request.path + strings.Repeat("&", tt.length-len(request.path))
			want := "/login"
			if tt.kept {
				want += "?return_to=" + url.QueryEscape(target)
			}
			for _, b := range []*browser{a.browser(), agent} {
				p := b.do(request.method, target, topLevel(), "")
				if p.StatusCode == http.StatusOK {
					continue // the agent may open it
				}
				if got := p.location(); p.StatusCode != http.StatusSeeOther || got != want {
					t.Errorf("%s of %d bytes: got status %d to %d bytes, want 303 to %d", request.method, tt.length, p.StatusCode, len(got), len(want))
				}
			}
		}
	}
}

// After a POST that needed a login, the agent comes back to a page that can be
// opened with GET: the one that the form was on, if it is ours.
func TestThreatFormReturnsToPage(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	for _, tt := range []struct{ referer, login string }{
		{a.url + "/dossiers/7?edition", "/login?return_to=%2Fdossiers%2F7%3Fedition"},
		{a.url + "/", "/login"},
		{"", "/login"},
		{"https://attacker.example/x", "/login"},
		{"http://attacker.example//" + strings.TrimPrefix(a.url, "http://") + "/x", "/login"},
		{a.url + "//attacker.example/x", "/login"},
		{a.url + `/\attacker.example/x`, "/login"},
		{a.url + "/logout", "/login"},
		{"javascript:alert(1)", "/login"},
		{"%zz", "/login"},
	} {
		b := a.browser()
		p := b.do("POST", "/dossiers", http.Header{"Sec-Fetch-Mode": {"navigate"}, "Accept": {"text/html"}, "Referer": {tt.referer}}, "texte=x")
		if p.StatusCode != http.StatusUnauthorized {
			t.Errorf("from %q: got status %d, want a 401 page", tt.referer, p.StatusCode)
		}
		if got := pageLogin.FindStringSubmatch(p.body); got == nil || got[1] != tt.login {
			t.Errorf("from %q: got the login %q, want %q", tt.referer, got, tt.login)
		}
	}
}

// Client-supplied Host and X-Forwarded-* never change a URL that is sent to the
// provider, nor where the login is.
func TestThreatForwardedHeaders(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	forged := func(r *http.Request) {
		r.Host = "attacker.example"
		for name, value := range map[string]string{
			"Forwarded": "host=attacker.example;proto=http", "X-Forwarded-Host": "attacker.example", "X-Forwarded-Proto": "http", "X-Forwarded-Port": "666", "X-Forwarded-Prefix": "//attacker.example",
			"X-Forwarded-Server": "attacker.example", "X-Host": "attacker.example", "X-Original-Url": "/x", "X-Rewrite-Url": "/x", "Sec-Fetch-Mode": "navigate",
		} {
			r.Header.Set(name, value)
		}
	}
	b := a.loggedIn("marie")
	for _, tt := range []struct{ method, path, prefix string }{
		{"GET", "/login", a.provider.Issuer + "/authorize?"},
		{"GET", "/mfa-only", a.provider.Issuer + "/authorize?"},
		{"POST", "/logout", a.provider.Issuer + "/session/end?"},
		{"GET", "/dossiers", "/login?return_to=%2Fdossiers"},
	} {
		req, err := http.NewRequest(tt.method, a.url+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		forged(req)
		if tt.path == "/logout" { // the client's jar goes by the forged Host
			req.Header.Set("Cookie", "agentconnect="+b.cookies()["agentconnect"])
		}
		resp, err := b.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		location := resp.Header.Get("Location")
		if !strings.HasPrefix(location, tt.prefix) || strings.Contains(location, "attacker") {
			t.Errorf("%s: got status %d to %q, want %s…", tt.path, resp.StatusCode, location, tt.prefix)
		}
		u, err := url.Parse(location)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{"redirect_uri": a.url + "/callback", "post_logout_redirect_uri": a.url + "/logout/callback"} {
			if got, ok := u.Query()[name]; ok && got[0] != want {
				t.Errorf("%s: got %s %q, want the registered %q", tt.path, name, got, want)
			}
		}
	}
	// The whole way, as behind a proxy that passes on what the client says.
	other := a.browser()
	p := other.login("/dossiers/7", "karim", agentconnecttest.WithRequest(forged))
	if p.StatusCode == http.StatusOK && !strings.HasPrefix(p.Request.URL.String(), a.url) {
		t.Errorf("after a login with forged headers: at %s, want our own page", p.Request.URL)
	}
	if r := a.provider.Received(agentconnecttest.Token); len(r) > 0 && r[len(r)-1].Form.Get("redirect_uri") != a.url+"/callback" {
		t.Errorf("token endpoint: got redirect_uri %q, want the registered one", r[len(r)-1].Form.Get("redirect_uri"))
	}
}

// A request that no server received, as tests make them, has no request line:
// its URL stands for it.
func TestThreatRequestWithoutRequestLine(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	r, err := http.NewRequest(http.MethodGet, a.url+"/dossiers/7?n=2", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	w := httptest.NewRecorder()
	a.routes().ServeHTTP(w, r)
	if got, want := w.Header().Get("Location"), "/login?return_to=%2Fdossiers%2F7%3Fn%3D2"; w.Code != http.StatusSeeOther || got != want {
		t.Errorf("got status %d to %q, want 303 to %q", w.Code, got, want)
	}
}
