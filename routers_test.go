package agentconnect_test

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

// A siteConfig says how an application of newSite is reached.
type siteConfig struct {
	https                    bool
	callback, logoutCallback string // the paths of the registered URLs; "": /callback and /logout/callback
	provider                 []agentconnecttest.ServerOption
}

// A site is an application with other routes than those of newApp.
type site struct {
	*app
	transport http.RoundTripper // trusts the site's certificate
}

func (s *site) browser() *browser {
	s.t.Helper()
	b := s.app.browser()
	b.client.Transport = s.transport
	return b
}

// newSite starts an application that is mounted in a way of its own: routes
// returns it, once its URL and its provider are known.
func newSite(t *testing.T, c siteConfig, routes func(*app) http.Handler) *site {
	t.Helper()
	if c.callback == "" {
		c.callback, c.logoutCallback = "/callback", "/logout/callback"
	}
	s := &site{app: &app{t: t, clock: newClock(), logs: &logs{}, store: newStore(), secrets: newSecrets()}, transport: &http.Transport{}}
	s.provider = agentconnecttest.NewServer(t, append(c.provider, agentconnecttest.WithClock(s.clock.Now))...)
	t.Cleanup(func() { s.secrets.checkLogs(t, s.logs.String(), s.provider) })

	server := httptest.NewUnstartedServer(nil)
	server.Config.ErrorLog = slog.NewLogLogger(s.logs.logger().Handler(), slog.LevelError)
	_, port, _ := strings.Cut(server.Listener.Addr().String(), ":")
	s.url = "http://localhost:" + port
	if c.https {
		s.url = "https://127.0.0.1:" + port // a name of httptest's certificate
	}
	s.public = s.url
	s.provider.SetRedirectURIs(s.public + c.callback)
	s.provider.SetPostLogoutRedirectURIs(s.public + c.logoutCallback)
	s.auth = s.newAuth(
		agentconnect.WithRedirectURL(s.public+c.callback),
		agentconnect.WithPostLogoutRedirectURL(s.public+c.logoutCallback))
	server.Config.Handler = s.secrets.watch(routes(s.app))
	if c.https {
		server.StartTLS()
		s.transport = server.Client().Transport
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return s
}

// dossier answers the agent's claims, with the number of the dossier that the
// router found in the path.
func dossier(number func(*http.Request) string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Dossier", number(r))
		serveAgent(w, r)
	}
}

func chiNumber(r *http.Request) string { return chi.URLParam(r, "id") }
func muxNumber(r *http.Request) string { return r.PathValue("id") }

// The package on routers, unchanged: each application has a public page /public
// and a protected one under the prefix, which ends in dossiers/{id}.
func TestRouters(t *testing.T) {
	t.Parallel()
	public := func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "public") }
	for _, tt := range []struct {
		name     string
		callback string // the path of the redirect URL; login, logout and logout/callback are beside it
		prefix   string // of the protected page
		routes   func(*app) http.Handler
	}{
		{"chi, a group", "/callback", "/dossiers/", func(s *app) http.Handler {
			r := chi.NewRouter()
			r.Use(middleware.RequestID, middleware.Recoverer)
			r.Get("/login", s.auth.Login)
			r.Post("/login", s.auth.Login)
			r.Get("/callback", s.auth.Callback)
			r.Post("/logout", s.auth.Logout)
			r.Get("/logout/callback", s.auth.LogoutCallback)
			r.Get("/public", public)
			r.Group(func(r chi.Router) {
				r.Use(s.auth.RequireAgent)
				r.Get("/dossiers/{id}", dossier(chiNumber))
			})
			return r
		}},
		{"chi, a sub-router", "/callback", "/espace/dossiers/", func(s *app) http.Handler {
			r := chi.NewRouter()
			r.HandleFunc("/login", s.auth.Login)
			r.HandleFunc("/callback", s.auth.Callback)
			r.HandleFunc("/logout", s.auth.Logout)
			r.HandleFunc("/logout/callback", s.auth.LogoutCallback)
			r.Get("/public", public)
			r.Route("/espace", func(r chi.Router) {
				r.Use(s.auth.RequireAgent)
				r.Route("/dossiers", func(r chi.Router) { r.Get("/{id}", dossier(chiNumber)) })
			})
			return r
		}},
		{"chi, mounted: the handler and the protected routes", "/auth/callback", "/espace/dossiers/", func(s *app) http.Handler {
			r := chi.NewRouter()
			r.Mount("/auth", s.auth.Handler())
			r.Get("/public", public)
			espace := chi.NewRouter()
			espace.With(s.auth.RequireAgent).Get("/dossiers/{id}", dossier(chiNumber))
			r.Mount("/espace", espace)
			return r
		}},
		{"chi, the handler at the root", "/callback", "/dossiers/", func(s *app) http.Handler {
			r := chi.NewRouter()
			r.Get("/public", public)
			r.With(s.auth.RequireAgent).Get("/dossiers/{id}", dossier(chiNumber))
			r.Mount("/", s.auth.Handler())
			return r
		}},
		{"chi under a prefix that is stripped", "/application/callback", "/application/dossiers/", func(s *app) http.Handler {
			r := chi.NewRouter()
			r.HandleFunc("/login", s.auth.Login)
			r.Get("/callback", s.auth.Callback)
			r.Post("/logout", s.auth.Logout)
			r.Get("/logout/callback", s.auth.LogoutCallback)
			r.With(s.auth.RequireAgent).Get("/dossiers/{id}", dossier(chiNumber))
			mux := http.NewServeMux()
			mux.HandleFunc("/public", public)
			mux.Handle("/application/", http.StripPrefix("/application", r))
			return mux
		}},
		{"ServeMux, patterns", "/callback", "/dossiers/", func(s *app) http.Handler {
			mux := http.NewServeMux()
			mux.HandleFunc("GET /login", s.auth.Login)
			mux.HandleFunc("POST /login", s.auth.Login)
			mux.HandleFunc("GET /callback", s.auth.Callback)
			mux.HandleFunc("POST /logout", s.auth.Logout)
			mux.HandleFunc("GET /logout/callback", s.auth.LogoutCallback)
			mux.HandleFunc("GET /public", public)
			mux.Handle("GET /dossiers/{id}", s.auth.RequireAgent(dossier(muxNumber)))
			return mux
		}},
		{"ServeMux, a protected ServeMux in it", "/callback", "/espace/dossiers/", func(s *app) http.Handler {
			espace := http.NewServeMux()
			espace.Handle("GET /espace/dossiers/{id}", dossier(muxNumber))
			mux := http.NewServeMux()
			mux.Handle("/", s.auth.Handler())
			mux.HandleFunc("GET /public", public)
			mux.Handle("/espace/", s.auth.RequireAgent(espace))
			return mux
		}},
		{"ServeMux, the handler under a prefix", "/auth/callback", "/dossiers/", func(s *app) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("/auth/", s.auth.Handler())
			mux.HandleFunc("GET /public", public)
			mux.Handle("GET /dossiers/{id}", s.auth.RequireAgent(dossier(muxNumber)))
			return mux
		}},
		{"ServeMux, the handler under a prefix that is stripped", "/auth/callback", "/dossiers/", func(s *app) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("/auth/", http.StripPrefix("/auth", s.auth.Handler()))
			mux.HandleFunc("GET /public", public)
			mux.Handle("GET /dossiers/{id}", s.auth.RequireAgent(dossier(muxNumber)))
			return mux
		}},
		{"ServeMux, everything under a prefix that is stripped", "/application/callback", "/application/dossiers/", func(s *app) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("/", s.auth.Handler())
			mux.Handle("GET /dossiers/{id}", s.auth.RequireAgent(dossier(muxNumber)))
			outer := http.NewServeMux()
			outer.HandleFunc("GET /public", public)
			outer.Handle("/application/", http.StripPrefix("/application", mux))
			return outer
		}},
		{"no router: the middleware around everything", "/auth/callback", "/dossiers/", func(s *app) http.Handler {
			protected := s.auth.RequireAgent(dossier(func(r *http.Request) string { return strings.TrimPrefix(r.URL.Path, "/dossiers/") }))
			handler := s.auth.Handler()
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case strings.HasPrefix(r.URL.Path, "/auth/"):
					handler.ServeHTTP(w, r)
				case r.URL.Path == "/public":
					public(w, r)
				default:
					protected.ServeHTTP(w, r)
				}
			})
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			beside := strings.TrimSuffix(tt.callback, "callback")
			s := newSite(t, siteConfig{callback: tt.callback, logoutCallback: beside + "logout/callback"}, tt.routes)
			checkJourney(t, s, beside, tt.prefix)
		})
	}
}

// checkJourney is what a browser sees of an application: a login on the way to a
// page, the page, a logout, the page again.
func checkJourney(t *testing.T, s *site, beside, prefix string) {
	t.Helper()
	b := s.browser()
	page, login := prefix+"7?tri=date&n=2", beside+"login"

	p := b.navigate("/public")
	if p.StatusCode != http.StatusOK || p.body != "public" || p.Header.Get("Cache-Control") != "" {
		t.Errorf("public page: got status %d, %q, Cache-Control %q, want it untouched", p.StatusCode, p.body, p.Header.Get("Cache-Control"))
	}
	p = b.navigate(page)
	if want := login + "?return_to=" + url.QueryEscape(page); p.StatusCode != http.StatusSeeOther || p.location() != want {
		t.Fatalf("a stranger's page: got status %d to %q, want 303 to %q", p.StatusCode, p.location(), want)
	}
	p = b.fetch(page)
	if p.StatusCode != http.StatusUnauthorized || p.problem() != "unauthenticated" || !strings.Contains(p.body, `"login_url":"`+login+`"`) {
		t.Errorf("a stranger's fetch: got status %d, %s, want a 401 problem that names %s", p.StatusCode, p.body, login)
	}
	p = b.post(login, url.Values{"return_to": {page}}) // the official button
	if p.StatusCode != http.StatusSeeOther || !strings.HasPrefix(p.location(), s.provider.Issuer+"/authorize?") {
		t.Errorf("the login's form: got status %d to %q, want 303 to the provider", p.StatusCode, p.location())
	}

	p = b.login(page, "marie")
	if got, want := p.Request.URL.String(), s.url+page; p.StatusCode != http.StatusOK || got != want {
		t.Fatalf("after the login: got status %d at %q, want 200 at %q; %s", p.StatusCode, got, want, p.body)
	}
	if !strings.Contains(p.body, s.agentSub("marie")) || p.Header.Get("Dossier") != "7" {
		t.Errorf("after the login: got dossier %q, %s, want dossier 7 and the agent", p.Header.Get("Dossier"), p.body)
	}

	p = b.post(beside+"logout", nil)
	if p.StatusCode != http.StatusSeeOther || !strings.HasPrefix(p.location(), s.provider.Issuer+"/session/end?") {
		t.Fatalf("logout: got status %d to %q, want 303 to the provider", p.StatusCode, p.location())
	}
	p = b.navigate(p.location())
	if want := s.url + beside + "logout/callback?"; !strings.HasPrefix(p.location(), want) {
		t.Fatalf("the provider's logout: got status %d to %q, want %s…", p.StatusCode, p.location(), want)
	}
	if p = b.navigate(p.location()); p.StatusCode != http.StatusSeeOther || p.location() != "/" {
		t.Errorf("logout callback: got status %d to %q, want 303 to /", p.StatusCode, p.location())
	}
	if p = b.fetch(page); p.StatusCode != http.StatusUnauthorized {
		t.Errorf("after the logout: got status %d, want 401", p.StatusCode)
	}
}

// The handler serves its four routes, by the path that the browser asked for,
// and nothing beside them.
func TestHandlerServesItsRoutesAlone(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteConfig{callback: "/auth/callback", logoutCallback: "/auth/logout/callback"}, func(s *app) http.Handler { return s.auth.Handler() })
	b := s.browser()
	for path, want := range map[string]int{
		"/auth/login":                    http.StatusSeeOther,
		"/auth/login?return_to=%2Fx":     http.StatusSeeOther,
		"/auth/callback":                 http.StatusBadRequest,
		"/auth/logout":                   http.StatusOK, // the page with the button
		"/auth/logout/callback":          http.StatusSeeOther,
		"/":                              http.StatusNotFound,
		"/login":                         http.StatusNotFound,
		"/callback":                      http.StatusNotFound,
		"/auth":                          http.StatusNotFound,
		"/auth/":                         http.StatusNotFound,
		"/auth/login/":                   http.StatusNotFound,
		"/auth/Login":                    http.StatusNotFound,
		"/auth//login":                   http.StatusNotFound,
		"/auth/%6Cogin":                  http.StatusNotFound,
		"/auth/x/../login":               http.StatusNotFound,
		"/autre/auth/login":              http.StatusNotFound,
		"/auth/logout/callback/callback": http.StatusNotFound,
	} {
		if p := b.navigate(path); p.StatusCode != want {
			t.Errorf("%s: got status %d, want %d", path, p.StatusCode, want)
		}
	}
}

// streams are the middleware that a stream has to get through.
func streams(s *app) map[string]func(http.Handler) http.Handler {
	return map[string]func(http.Handler) http.Handler{
		"RequireAgent": s.auth.RequireAgent,
		"Require":      s.auth.Require(agentconnect.Role(agentconnect.RoleAgentPublic)),
		"LoadAgent":    s.auth.LoadAgent,
	}
}

// Each event arrives before the next one is written, whichever way it is flushed.
func TestServerSentEvents(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{})
	events := func(flush func(http.ResponseWriter) error) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			agent, _ := agentconnect.AgentFrom(r.Context())
			for n := range 3 {
				fmt.Fprintf(w, "data: %d %s\n\n", n, agent.UID)
				if err := flush(w); err != nil {
					t.Errorf("flush: %v", err)
					return
				}
				select {
				case <-arrived:
				case <-r.Context().Done():
					return
				}
			}
		}
	}
	byController := events(func(w http.ResponseWriter) error { return http.NewResponseController(w).Flush() })
	byFlusher := events(func(w http.ResponseWriter) error {
		f, ok := w.(http.Flusher)
		if !ok {
			return fmt.Errorf("got a %T, want an http.Flusher", w)
		}
		f.Flush()
		return nil
	})
	s := newSite(t, siteConfig{}, func(s *app) http.Handler {
		mux := http.NewServeMux()
		mux.Handle("/", s.auth.Handler())
		for name, protect := range streams(s) {
			mux.Handle("/controller/"+name, protect(byController))
			mux.Handle("/flusher/"+name, protect(byFlusher))
		}
		return mux
	})
	b := s.browser()
	b.login("/login", "marie")
	for name := range streams(s.app) {
		for _, way := range []string{"controller", "flusher"} {
			resp, err := b.client.Get(s.url + "/" + way + "/" + name)
			if err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(resp.Body)
			for n := range 3 {
				if want := fmt.Sprintf("data: %d mexemple", n); !lines.Scan() || lines.Text() != want {
					t.Fatalf("%s, %s: got %q, %v, want %q", name, way, lines.Text(), lines.Err(), want)
				}
				lines.Scan() // the empty line
				arrived <- struct{}{}
			}
			resp.Body.Close()
		}
	}
}

// A connection can be taken over, and its deadlines set, behind the middleware;
// not by a stranger.
func TestHijackingAndDeadlines(t *testing.T) {
	t.Parallel()
	echo := func(w http.ResponseWriter, r *http.Request) {
		controller := http.NewResponseController(w)
		for _, set := range []func(time.Time) error{controller.SetReadDeadline, controller.SetWriteDeadline} {
			if err := set(time.Now().Add(time.Minute)); err != nil {
				t.Errorf("deadline: %v", err)
			}
		}
		if err := controller.EnableFullDuplex(); err != nil {
			t.Errorf("full duplex: %v", err)
		}
		if _, ok := w.(http.Hijacker); !ok {
			t.Errorf("got a %T, want an http.Hijacker", w)
		}
		conn, buf, err := controller.Hijack()
		if err != nil {
			t.Errorf("hijack: %v", err)
			return
		}
		defer conn.Close()
		agent, _ := agentconnect.AgentFrom(r.Context())
		fmt.Fprintf(buf, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		buf.Flush()
		line, err := buf.ReadString('\n')
		if err != nil {
			t.Errorf("read: %v", err)
		}
		fmt.Fprintf(buf, "%s: %s", agent.UID, line)
		buf.Flush()
	}
	s := newSite(t, siteConfig{}, func(s *app) http.Handler {
		mux := http.NewServeMux()
		mux.Handle("/", s.auth.Handler())
		for name, protect := range streams(s) {
			mux.Handle("/"+name, protect(http.HandlerFunc(echo)))
		}
		return mux
	})
	b := s.browser()
	upgrade := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"echo"}}
	for _, name := range []string{"RequireAgent", "Require"} {
		if p := b.do(http.MethodGet, "/"+name, upgrade, ""); p.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s, a stranger: got status %d, want 401", name, p.StatusCode)
		}
	}
	b.login("/login", "marie")
	for name := range streams(s.app) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/"+name, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = upgrade.Clone()
		resp, err := b.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		conn, ok := resp.Body.(io.ReadWriteCloser)
		if !ok || resp.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("%s: got status %d, want 101", name, resp.StatusCode)
		}
		fmt.Fprintln(conn, "bonjour")
		got, err := io.ReadAll(conn)
		if want := "mexemple: bonjour\n"; string(got) != want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, want)
		}
		conn.Close()
	}
}

// setCookies is a transport that notes the cookies that an origin sets.
type setCookies struct {
	http.RoundTripper
	origin string
	lines  *[]string
}

func (s setCookies) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := s.RoundTripper.RoundTrip(r)
	if err == nil && strings.HasPrefix(r.URL.String(), s.origin) {
		*s.lines = append(*s.lines, resp.Header["Set-Cookie"]...)
	}
	return resp, err
}

// Over https, whatever is set is for this host alone, and out of reach of
// scripts, of other sites' requests and of plain http; on a loopback address
// over http, all of that but the last.
func TestCookieAttributes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		https  bool
		prefix string
	}{
		{"https", true, "__Host-"},
		{"http on localhost", false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, siteConfig{https: tt.https}, func(s *app) http.Handler {
				s.auth = s.newAuth(agentconnect.WithIdleTimeout(time.Hour))
				mux := http.NewServeMux()
				mux.Handle("/", s.auth.Handler())
				mux.Handle("/dossiers/{id}", s.auth.RequireAgent(dossier(muxNumber)))
				mux.HandleFunc("/public", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "public") })
				return mux
			})
			b := s.browser()
			var lines []string
			s.transport = setCookies{s.transport, s.url, &lines}
			b.client.Transport = s.transport
			b.login("/dossiers/7", "marie")
			s.clock.advance(2 * time.Minute) // the idle timeout's cookie is renewed
			b.navigate("/dossiers/7")
			if p := b.navigate(b.post("/logout", nil).location()); p.StatusCode != http.StatusSeeOther {
				t.Fatalf("logout: got status %d at the provider, want 303", p.StatusCode)
			} else {
				b.navigate(p.location())
			}

			seen := map[string]int{}
			for _, line := range lines {
				c, err := http.ParseSetCookie(line)
				if err != nil {
					t.Fatalf("%q: %v", line, err)
				}
				name := c.Name
				if stem, _, ok := strings.Cut(name, "-login-"); ok {
					name = stem + "-login-"
				}
				seen[name]++
				if c.Secure != tt.https || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.Partitioned {
					t.Errorf("got %s, want Secure %t, HttpOnly, SameSite=Lax, Path=/, no Domain", line, tt.https)
				}
			}
			for _, stem := range []string{"agentconnect", "agentconnect-login-", "agentconnect-seen", "agentconnect-fresh", "agentconnect-logout"} {
				if seen[tt.prefix+stem] < 2 { // set, and deleted
					t.Errorf("cookie %s: got it %d times, want it set and deleted", tt.prefix+stem, seen[tt.prefix+stem])
				}
				delete(seen, tt.prefix+stem)
			}
			if len(seen) != 0 {
				t.Errorf("got the cookies %v as well, want none", seen)
			}

			fresh := s.browser()
			checkJourney(t, &site{app: s.app, transport: fresh.client.Transport}, "/", "/dossiers/")
		})
	}
}

// Two registrations in one process, with one host name and one store: two
// sessions, and neither is worth anything to the other.
func TestTwoRegistrations(t *testing.T) {
	t.Parallel()
	var partners *agentconnect.Authenticator
	second := agentconnecttest.NewServer(t)
	s := newSite(t, siteConfig{callback: "/ministere/callback", logoutCallback: "/ministere/logout/callback"}, func(s *app) http.Handler {
		second.SetRedirectURIs(s.public + "/partenaires/callback")
		second.SetPostLogoutRedirectURIs(s.public + "/partenaires/logout/callback")
		s.auth = s.newAuth(
			agentconnect.WithRedirectURL(s.public+"/ministere/callback"),
			agentconnect.WithPostLogoutRedirectURL(s.public+"/ministere/logout/callback"),
			agentconnect.WithCookieName("ministere"))
		partners = s.newAuth(
			agentconnect.WithIssuer(second.Issuer),
			agentconnect.WithRedirectURL(s.public+"/partenaires/callback"),
			agentconnect.WithPostLogoutRedirectURL(s.public+"/partenaires/logout/callback"),
			agentconnect.WithCookieName("partenaires"))
		mux := http.NewServeMux()
		mux.Handle("/ministere/", s.auth.Handler())
		mux.Handle("/partenaires/", partners.Handler())
		mux.Handle("/ministere/espace", s.auth.RequireAgent(http.HandlerFunc(serveAgent)))
		mux.Handle("/partenaires/espace", partners.RequireAgent(http.HandlerFunc(serveAgent)))
		// A session in the context, but of the other registration.
		mux.Handle("/partenaires/dans-ministere", s.auth.RequireAgent(partners.RequireAgent(http.HandlerFunc(serveAgent))))
		mux.Handle("/ministere/dans-partenaires", partners.RequireAgent(s.auth.Require(agentconnect.Role(agentconnect.RoleAgentPublic))(http.HandlerFunc(serveAgent))))
		return mux
	})
	b := s.browser()
	who := func(path string) string {
		p := b.fetch(path)
		if p.StatusCode == http.StatusUnauthorized {
			return "nobody"
		}
		for _, login := range []string{"marie", "olivier"} {
			if strings.Contains(p.body, s.agentSub(login)) {
				return login
			}
		}
		t.Fatalf("%s: got status %d, %s, want an agent or a 401", path, p.StatusCode, p.body)
		return ""
	}
	check := func(when string, want map[string]string) {
		t.Helper()
		for path, agent := range want {
			if got := who(path); got != agent {
				t.Errorf("%s, %s: got %s, want %s", when, path, got, agent)
			}
		}
	}

	b.login("/ministere/espace", "marie")
	check("logged in at the first", map[string]string{
		"/ministere/espace": "marie", "/partenaires/espace": "nobody",
		"/partenaires/dans-ministere": "nobody", "/ministere/dans-partenaires": "nobody",
	})
	follow := *b.client
	follow.CheckRedirect = nil
	resp, err := second.Login(&follow, s.url+"/partenaires/login", "olivier")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	check("logged in at both", map[string]string{
		"/ministere/espace": "marie", "/partenaires/espace": "olivier",
		"/partenaires/dans-ministere": "olivier", "/ministere/dans-partenaires": "marie",
	})
	cookies := b.cookies()
	if cookies["ministere"] == "" || cookies["partenaires"] == "" || cookies["ministere"] == cookies["partenaires"] || cookies["agentconnect"] != "" {
		t.Errorf("got cookies %v, want one of each name", cookies)
	}

	// An agent who renames a cookie has the other registration's session no more
	// than before, though the store is the same.
	thief := s.browser()
	thief.setCookie("partenaires", cookies["ministere"])
	thief.setCookie("ministere", cookies["partenaires"])
	for _, path := range []string{"/ministere/espace", "/partenaires/espace"} {
		if p := thief.fetch(path); p.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s with the other's cookie: got status %d, want 401", path, p.StatusCode)
		}
	}
	// A callback of one at the other: the browser has no such pending login there.
	callback := s.browser().callback("/ministere/login", "marie")
	callback.Path = "/partenaires/callback"
	if p := s.browser().navigate(callback.String()); p.StatusCode != http.StatusBadRequest {
		t.Errorf("a callback at the other registration: got status %d, want 400", p.StatusCode)
	}

	if p := b.post("/ministere/logout", nil); !strings.HasPrefix(p.location(), s.provider.Issuer) {
		t.Errorf("logout: got %q, want the first provider", p.location())
	}
	check("logged out of the first", map[string]string{"/ministere/espace": "nobody", "/partenaires/espace": "olivier"})
}

// What ContextWithAgent puts in a context is for handlers that are tested alone:
// the middleware asks the session.
func TestContextWithAgentIsNotTrusted(t *testing.T) {
	t.Parallel()
	var forged agentconnect.Agent
	if err := forged.UnmarshalJSON([]byte(`{"sub":"forged","roles":["agent_public"],"acr":"eidas3"}`)); err != nil {
		t.Fatal(err)
	}
	forge := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(agentconnect.ContextWithAgent(r.Context(), forged)))
		})
	}
	s := newSite(t, siteConfig{}, func(s *app) http.Handler {
		mux := http.NewServeMux()
		mux.Handle("/", s.auth.Handler())
		agent := http.HandlerFunc(serveAgent)
		mux.Handle("/agent", forge(s.auth.RequireAgent(agent)))
		mux.Handle("/role", forge(s.auth.Require(agentconnect.Role(agentconnect.RoleAgentPublic))(agent)))
		mux.Handle("/niveau", forge(s.auth.Require(agentconnect.MinEIDAS(3))(agent)))
		return mux
	})
	b := s.browser()
	for _, path := range []string{"/agent", "/role", "/niveau"} {
		if p := b.fetch(path); p.StatusCode != http.StatusUnauthorized || strings.Contains(p.body, "forged") {
			t.Errorf("%s, a stranger: got status %d, %s, want 401", path, p.StatusCode, p.body)
		}
	}
	b.login("/login", "karim")
	for path, want := range map[string]int{"/agent": http.StatusOK, "/role": http.StatusForbidden, "/niveau": http.StatusForbidden} {
		if p := b.fetch(path); p.StatusCode != want || strings.Contains(p.body, "forged") {
			t.Errorf("%s, an agent: got status %d, %s, want %d, by the session", path, p.StatusCode, p.body, want)
		}
	}

	// It does what it is for.
	if got, ok := agentconnect.AgentFrom(agentconnect.ContextWithAgent(t.Context(), forged)); !ok || got.Sub != "forged" {
		t.Errorf("AgentFrom: got %v, %t, want the agent", got, ok)
	}
	if got, ok := agentconnect.AgentFrom(t.Context()); ok || got.Sub != "" {
		t.Errorf("AgentFrom of an empty context: got %v, %t, want nobody", got, ok)
	}
}

// A middleware around the login, or around the callback alone, would redirect for ever.
// The first page that would do so says what is wrong, in the log.
func TestMiddlewareAroundTheLogin(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		wraps func(auth *agentconnect.Authenticator) (login, callback http.Handler)
	}{
		{"RequireAgent around all", func(auth *agentconnect.Authenticator) (login, callback http.Handler) {
			return auth.RequireAgent(auth.Handler()), auth.RequireAgent(auth.Handler())
		}},
		{"Require around all", func(auth *agentconnect.Authenticator) (login, callback http.Handler) {
			mfa := auth.Require(agentconnect.MFA())
			return mfa(auth.Handler()), mfa(auth.Handler())
		}},
		{"RequireAgent around the callback", func(auth *agentconnect.Authenticator) (login, callback http.Handler) {
			return auth.Handler(), auth.RequireAgent(auth.Handler())
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, siteConfig{}, func(a *app) http.Handler {
				mux := http.NewServeMux()
				login, callback := tt.wraps(a.auth)
				mux.Handle("/login", login)
				mux.Handle("/callback", callback)
				mux.Handle("/", a.auth.RequireAgent(http.NotFoundHandler()))
				return mux
			})
			resp, err := s.provider.Login(s.browser().client, s.url+"/dossiers", "marie")
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusInternalServerError || !strings.Contains(s.logs.String(), "put it around protected routes only") {
				t.Errorf("got status %d, log %s, want 500 and the reason", resp.StatusCode, s.logs)
			}
			// A path that is only like that of the login is a page of the application.
			header := http.Header{"Sec-Fetch-Mode": {"navigate"}}
			if p := s.browser().do("GET", "/Login/", header, ""); p.StatusCode != http.StatusSeeOther {
				t.Errorf("/Login/: got status %d, want 303", p.StatusCode)
			}
		})
	}
}
