package agentconnect_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2/memstore"
	"github.com/go-chi/chi/v5"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

// An app is an application of the kind that the README shows, on a real server,
// with a provider of its own.
type app struct {
	t        *testing.T
	provider *agentconnecttest.Server
	auth     *agentconnect.Authenticator
	url      string // where it listens
	public   string // where its registered URLs lead: url, but for a second instance
	store    *store
	clock    *clock
	logs     *logs
	secrets  *secrets
}

// newApp starts an application; opts come after the harness's own options.
func newApp(t *testing.T, opts ...agentconnect.Option) *app {
	t.Helper()
	return newAppWith(t, nil, opts...)
}

// newAppWith starts an application whose provider has options.
func newAppWith(t *testing.T, providerOpts []agentconnecttest.ServerOption, opts ...agentconnect.Option) *app {
	t.Helper()
	a := &app{t: t, clock: newClock(), logs: &logs{}, store: newStore(), secrets: newSecrets()}
	a.provider = agentconnecttest.NewServer(t, append(providerOpts, agentconnecttest.WithClock(a.clock.Now))...)
	// Registered before the application's server is closed, so run after it.
	t.Cleanup(func() { a.secrets.checkLogs(t, a.logs.String(), a.provider) })
	a.start(opts...)
	return a
}

// another starts a second instance of the application, as another process would
// be one: with the same registration, store and provider, at another port. A
// browser has its cookies for both.
func (a *app) another(opts ...agentconnect.Option) *app {
	a.t.Helper()
	b := &app{t: a.t, clock: a.clock, logs: a.logs, store: a.store, provider: a.provider, public: a.public, secrets: a.secrets}
	b.start(opts...)
	return b
}

func (a *app) start(opts ...agentconnect.Option) {
	a.t.Helper()
	server := httptest.NewUnstartedServer(nil)
	// Another host name than the provider's: cookies know no ports.
	_, port, _ := strings.Cut(server.Listener.Addr().String(), ":")
	a.url = "http://localhost:" + port
	if a.public == "" {
		a.public = a.url
		a.provider.SetRedirectURIs(a.public + "/callback")
		a.provider.SetPostLogoutRedirectURIs(a.public + "/logout/callback")
	}
	a.auth = a.newAuth(opts...)
	server.Config.Handler = a.secrets.watch(a.routes())
	server.Config.ErrorLog = slog.NewLogLogger(a.logs.logger().Handler(), slog.LevelError)
	server.Start()
	a.t.Cleanup(server.Close)
}

func (a *app) newAuth(opts ...agentconnect.Option) *agentconnect.Authenticator {
	a.t.Helper()
	auth, err := agentconnect.New(append([]agentconnect.Option{
		agentconnect.WithIssuer(a.provider.Issuer),
		agentconnect.WithClient(a.provider.Client.ID, a.provider.Client.Secret),
		agentconnect.WithRedirectURL(a.public + "/callback"),
		agentconnect.WithPostLogoutRedirectURL(a.public + "/logout/callback"),
		agentconnect.WithSessionStore(a.store),
		agentconnect.WithLogger(a.logs.logger()),
		agentconnect.WithClock(a.clock.Now),
	}, opts...)...)
	if err != nil {
		a.t.Fatalf("New: %v", err)
	}
	return auth
}

// routes is the application: a public page, and protected ones that answer the
// agent's claims as JSON.
func (a *app) routes() http.Handler {
	r := chi.NewRouter()
	r.HandleFunc("/login", a.auth.Login)
	r.HandleFunc("/callback", a.auth.Callback)
	r.HandleFunc("/logout", a.auth.Logout)
	r.HandleFunc("/logout/callback", a.auth.LogoutCallback)
	r.With(a.auth.LoadAgent).Get("/", serveAgent)
	r.Group(func(r chi.Router) {
		r.Use(a.auth.RequireAgent)
		r.HandleFunc("/dossiers", serveAgent)
		r.HandleFunc("/dossiers/*", serveAgent)
		r.With(a.auth.Require(agentconnect.MFA())).HandleFunc("/mfa", serveAgent)
	})
	r.With(a.auth.Require(agentconnect.MFA())).HandleFunc("/mfa-only", serveAgent)
	r.With(a.auth.Require(agentconnect.MinEIDAS(2))).HandleFunc("/eidas2", serveAgent)
	r.With(a.auth.Require(agentconnect.Role(agentconnect.RoleAgentPublic))).HandleFunc("/agents-publics", serveAgent)
	return r
}

// serveAgent answers "public", or the claims of the agent.
func serveAgent(w http.ResponseWriter, r *http.Request) {
	agent, ok := agentconnect.AgentFrom(r.Context())
	if !ok {
		io.WriteString(w, "public")
		return
	}
	json.NewEncoder(w).Encode(agent)
}

// A browser is an http.Client with a cookie jar and the headers of a browser.
type browser struct {
	t      *testing.T
	app    *app
	client *http.Client
}

func (a *app) browser() *browser {
	a.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		a.t.Fatal(err)
	}
	client := &http.Client{
		Jar:           jar,
		Transport:     &http.Transport{},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	a.t.Cleanup(client.CloseIdleConnections)
	return &browser{t: a.t, app: a, client: client}
}

// browserOf returns a browser of a handler in place of the application's routes,
// at another port: it has no cookies yet.
func (a *app) browserOf(h http.Handler) *browser {
	a.t.Helper()
	server := httptest.NewServer(h)
	a.t.Cleanup(server.Close)
	_, port, _ := strings.Cut(server.Listener.Addr().String(), ":")
	b := a.browser()
	other := *a
	other.url = "http://localhost:" + port
	b.app = &other
	return b
}

// A page is an answer, read whole.
type page struct {
	*http.Response
	body string
}

// location returns the Location, with the state and others as they are.
func (p page) location() string { return p.Header.Get("Location") }

// problem returns the code of a problem, "" when the page is none.
func (p page) problem() string {
	var problem struct {
		Code string `json:"code"`
	}
	if p.Header.Get("Content-Type") != "application/problem+json" || json.Unmarshal([]byte(p.body), &problem) != nil {
		return ""
	}
	return problem.Code
}

// do sends a request and follows no redirect. A path is the application's.
func (b *browser) do(method, target string, header http.Header, body string) page {
	b.t.Helper()
	if strings.HasPrefix(target, "/") {
		target = b.app.url + target
	}
	req, err := http.NewRequest(method, target, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	if method == http.MethodPost && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, target, err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, target, err)
	}
	return page{resp, string(got)}
}

// navigate opens a page as somebody who clicks on a link does.
func (b *browser) navigate(target string) page {
	b.t.Helper()
	return b.do(http.MethodGet, target, http.Header{
		"Sec-Fetch-Mode": {"navigate"},
		"Sec-Fetch-Dest": {"document"},
		"Sec-Fetch-Site": {"same-origin"},
		"Accept":         {"text/html,application/xhtml+xml,*/*;q=0.8"},
	}, "")
}

// fetch reads a URL as a script does.
func (b *browser) fetch(target string) page {
	b.t.Helper()
	return b.do(http.MethodGet, target, http.Header{
		"Sec-Fetch-Mode": {"cors"},
		"Sec-Fetch-Site": {"same-origin"},
		"Accept":         {"application/json"},
	}, "")
}

// post sends a form of the application.
func (b *browser) post(target string, form url.Values) page {
	b.t.Helper()
	return b.do(http.MethodPost, target, http.Header{
		"Sec-Fetch-Mode": {"navigate"},
		"Sec-Fetch-Site": {"same-origin"},
		"Accept":         {"text/html"},
		"Origin":         {b.app.url},
	}, form.Encode())
}

// login logs an agent in from a page of the application and returns where the
// browser ends up.
func (b *browser) login(path, agent string, opts ...agentconnecttest.LoginOption) page {
	b.t.Helper()
	follow := *b.client
	follow.CheckRedirect = nil
	opts = append(opts, agentconnecttest.WithRequest(func(r *http.Request) { r.Header.Set("Sec-Fetch-Mode", "navigate") }))
	resp, err := b.app.provider.Login(&follow, b.app.url+path, agent, opts...)
	if err != nil {
		b.t.Fatalf("login: %v", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return page{resp, string(body)}
}

// callback goes through a login up to the URL that comes back from the provider.
func (b *browser) callback(path, agent string, opts ...agentconnecttest.LoginOption) *url.URL {
	b.t.Helper()
	follow := *b.client
	follow.CheckRedirect = nil
	u, err := b.app.provider.CallbackURL(&follow, b.app.url+path, agent, opts...)
	if err != nil {
		b.t.Fatalf("login: %v", err)
	}
	return u
}

// sub returns the sub of who the application thinks the browser is, "" for a
// stranger.
func (b *browser) sub() string {
	b.t.Helper()
	p := b.fetch("/dossiers")
	if p.StatusCode == http.StatusUnauthorized {
		return ""
	}
	var claims struct {
		Sub string `json:"sub"`
	}
	if err := json.Unmarshal([]byte(p.body), &claims); err != nil || p.StatusCode != http.StatusOK {
		b.t.Fatalf("/dossiers: got status %d, body %q, want an agent", p.StatusCode, p.body)
	}
	return claims.Sub
}

// cookies returns the browser's cookies for the application, by name.
func (b *browser) cookies() map[string]string {
	u, err := url.Parse(b.app.url)
	if err != nil {
		b.t.Fatal(err)
	}
	cookies := map[string]string{}
	for _, c := range b.client.Jar.Cookies(u) {
		cookies[c.Name] = c.Value
	}
	return cookies
}

// setCookie plants a cookie in the browser.
func (b *browser) setCookie(name, value string) {
	u, err := url.Parse(b.app.url)
	if err != nil {
		b.t.Fatal(err)
	}
	b.client.Jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: "/"}})
}

// agentSub returns the sub of a demonstration agent.
func (a *app) agentSub(login string) string {
	a.t.Helper()
	agent, ok := a.provider.Agent(login)
	if !ok {
		a.t.Fatalf("no demonstration agent %q", login)
	}
	return fmt.Sprint(agent.Claims["sub"])
}

// A clock is the time of the tests: it begins now, since scs's memory store and
// the cookie jar have clocks of their own, and goes on only when told to.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now()} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// logs collects what is logged, at every level.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logs) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// A store is scs's memory store with counters and failures.
type store struct {
	*memstore.MemStore
	mu                      sync.Mutex
	finds, commits, deletes int
	fail                    error
	failFind, failDelete    error
}

func newStore() *store { return &store{MemStore: memstore.NewWithCleanupInterval(0)} }

func (s *store) Find(token string) ([]byte, bool, error) {
	s.mu.Lock()
	s.finds++
	err := cmp.Or(s.fail, s.failFind)
	s.mu.Unlock()
	if err != nil {
		return nil, false, err
	}
	return s.MemStore.Find(token)
}

func (s *store) Commit(token string, b []byte, expiry time.Time) error {
	s.mu.Lock()
	s.commits++
	err := s.fail
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.MemStore.Commit(token, b, expiry)
}

func (s *store) Delete(token string) error {
	s.mu.Lock()
	s.deletes++
	err := cmp.Or(s.fail, s.failDelete)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.MemStore.Delete(token)
}

// setFailure makes every operation fail, or work again; setFindFailure and
// setDeleteFailure one of them.
func (s *store) setFailure(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

func (s *store) setFindFailure(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failFind = err
}

func (s *store) setDeleteFailure(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failDelete = err
}

// counts returns how often each operation was called.
func (s *store) counts() (finds, commits, deletes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.finds, s.commits, s.deletes
}

// sessions returns how many records the store has.
func (s *store) sessions(t *testing.T) int {
	t.Helper()
	all, err := s.All()
	if err != nil {
		t.Fatal(err)
	}
	// For a minute, the store remembers that a new session was replaced.
	maps.DeleteFunc(all, func(_ string, record []byte) bool { return string(record) == "replaced" })
	return len(all)
}
