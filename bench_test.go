package agentconnect_test

import (
	"context"
	"encoding/gob"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

// The cost of a request, beside what it is compared with, in one run:
//
//	go test -run '^$' -bench . -benchmem -count 6 -cpu 1 . | benchstat -col /style -
//
// The benchmarks call handlers, without a network and a server around them, which
// would cost the same with each.

// A login is an application with one agent logged in, in the memory of the
// process.
type login struct {
	auth    *agentconnect.Authenticator
	store   *memstore.MemStore
	cookies []*http.Cookie
	target  string
}

// logInOnce logs a demonstration agent in, with thirteen claims, through a
// provider and over HTTP. opts come after those of the application.
func logInOnce(tb testing.TB, agent string, opts ...agentconnect.Option) *login {
	tb.Helper()
	provider := agentconnecttest.NewServer(tb)
	server := httptest.NewUnstartedServer(nil)
	host := "http://" + server.Listener.Addr().String()
	provider.SetRedirectURIs(host + "/callback")
	provider.SetPostLogoutRedirectURIs(host + "/logout/callback")
	l := &login{store: memstore.NewWithCleanupInterval(0), target: host + "/dossiers"}
	auth, err := agentconnect.New(append([]agentconnect.Option{
		agentconnect.WithIssuer(provider.Issuer),
		agentconnect.WithClient(provider.Client.ID, provider.Client.Secret),
		agentconnect.WithRedirectURL(host + "/callback"),
		agentconnect.WithPostLogoutRedirectURL(host + "/logout/callback"),
		agentconnect.WithScopes(append(agentconnect.DefaultScopes(), "siren", "phone", "organizational_unit", "belonging_population")...),
		agentconnect.WithSessionStore(l.store),
		agentconnect.WithLogger(slog.New(slog.DiscardHandler)),
	}, opts...)...)
	if err != nil {
		tb.Fatal(err)
	}
	l.auth = auth
	server.Config.Handler = auth.Handler()
	server.Start()
	tb.Cleanup(server.Close)

	jar, err := cookiejar.New(nil)
	if err != nil {
		tb.Fatal(err)
	}
	// The application has no home page: the login ends with its 404.
	res, err := provider.Login(&http.Client{Jar: jar}, host+"/login", agent)
	if err != nil {
		tb.Fatal(err)
	}
	res.Body.Close()
	home, err := url.Parse(host)
	if err != nil {
		tb.Fatal(err)
	}
	for _, cookie := range jar.Cookies(home) {
		if cookie.Name == "agentconnect" || cookie.Name == "agentconnect-seen" {
			l.cookies = append(l.cookies, cookie)
		}
	}
	if len(l.cookies) == 0 {
		tb.Fatalf("got no session after a login that ended with status %d at %s", res.StatusCode, res.Request.URL.Path)
	}
	return l
}

// protected is a handler behind RequireAgent.
func (l *login) protected(handler http.HandlerFunc) http.Handler { return l.auth.RequireAgent(handler) }

// request is a browser's request with the session's cookies.
func (l *login) request() *http.Request { return navigate(l.target, l.cookies...) }

// key returns the one key that the store has, and record what is under it.
func (l *login) key(tb testing.TB) string {
	tb.Helper()
	all, err := l.store.All()
	if err != nil || len(all) != 1 {
		tb.Fatalf("got %d sessions in the store and error %v, want 1 and none", len(all), err)
	}
	for key := range all {
		return key
	}
	return ""
}

func (l *login) record(tb testing.TB) []byte {
	tb.Helper()
	record, _, err := l.store.Find(l.key(tb))
	if err != nil {
		tb.Fatal(err)
	}
	return record
}

func (l *login) setRecord(tb testing.TB, record []byte) {
	tb.Helper()
	if err := l.store.Commit(l.key(tb), record, time.Now().Add(time.Hour)); err != nil {
		tb.Fatal(err)
	}
}

// navigate returns the request of a browser that opens a page.
func navigate(target string, cookies ...*http.Cookie) *http.Request {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	r.Header.Set("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
	r.Header.Set("Accept-Language", "fr,fr-FR;q=0.8,en;q=0.5")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	for _, cookie := range cookies {
		r.AddCookie(&http.Cookie{Name: cookie.Name, Value: cookie.Value})
	}
	return r
}

// A discardWriter is a ResponseWriter that can be used again.
type discardWriter struct {
	header http.Header
	status int
}

func newDiscardWriter() *discardWriter { return &discardWriter{header: http.Header{}} }

func (w *discardWriter) Header() http.Header         { return w.header }
func (w *discardWriter) Write(b []byte) (int, error) { return len(b), nil }
func (w *discardWriter) WriteHeader(status int)      { w.status = status }
func (w *discardWriter) reset()                      { clear(w.header); w.status = 0 }

// A style is one way to know at each request who is logged in.
type style struct {
	name string
	make func(testing.TB) (handler http.Handler, r *http.Request, calls *int)
}

// styles are the ways that are compared, the floor first.
func styles() []style {
	return []style{
		{"floor", floor},
		{"readme", readme},
		{"agentconnect", func(tb testing.TB) (http.Handler, *http.Request, *int) { return protected(tb) }},
		{"idle-timeout", func(tb testing.TB) (http.Handler, *http.Request, *int) {
			return protected(tb, agentconnect.WithIdleTimeout(time.Hour))
		}},
		{"sealed", func(tb testing.TB) (http.Handler, *http.Request, *int) {
			return protected(tb, agentconnect.WithSealedSessions([]byte("a sealing key of thirty-two bytes")))
		}},
	}
}

// protected is a route behind RequireAgent that asks who is there.
func protected(tb testing.TB, opts ...agentconnect.Option) (http.Handler, *http.Request, *int) {
	login := logInOnce(tb, "marie", opts...)
	calls := new(int)
	return login.protected(func(w http.ResponseWriter, r *http.Request) {
		if agent, ok := agentconnect.AgentFrom(r.Context()); ok && agent.Sub != "" {
			*calls++
		}
	}), login.request(), calls
}

// rawCodec is an scs codec that does nothing: the bytes of the session are the
// session.
type rawCodec struct{ deadline time.Time }

func (rawCodec) Encode(_ time.Time, values map[string]any) ([]byte, error) {
	return values["raw"].([]byte), nil
}

func (c rawCodec) Decode(raw []byte) (time.Time, map[string]any, error) {
	return c.deadline, map[string]any{"raw": raw}, nil
}

// floor is scs around a handler that does nothing, with a codec that does
// nothing, and a session of the same size in the store.
func floor(tb testing.TB) (http.Handler, *http.Request, *int) {
	return withSCS(tb, rawCodec{time.Now().Add(time.Hour)}, func(ctx context.Context, m *scs.SessionManager, login *login) {
		m.Put(ctx, "raw", login.record(tb))
	}, func(context.Context, *scs.SessionManager) bool { return true })
}

// A readmeAgent is what an application keeps that follows the README of scs: a
// struct of its own, registered with gob.
type readmeAgent struct {
	Sub, GivenName, UsualName, Email, UID, SIRET, SIREN, PhoneNumber  string
	OrganizationalUnit, BelongingPopulation, IdPID, OrganizationLabel string
	Roles                                                             []string
	IDToken                                                           string
}

// readme is scs as its README shows it.
func readme(tb testing.TB) (http.Handler, *http.Request, *int) {
	gob.Register(readmeAgent{})
	return withSCS(tb, scs.GobCodec{}, func(ctx context.Context, m *scs.SessionManager, login *login) {
		decoded, err := agentconnect.DecodeSessionRecord(login.record(tb))
		if err != nil {
			tb.Fatal(err)
		}
		a := decoded.Agent
		m.Put(ctx, "agent", readmeAgent{
			a.Sub, a.GivenName, a.UsualName, a.Email, a.UID, a.SIRET, a.SIREN, a.PhoneNumber,
			a.OrganizationalUnit, a.BelongingPopulation, a.IdPID, a.OrganizationLabel, a.Roles, decoded.IDToken,
		})
	}, func(ctx context.Context, m *scs.SessionManager) bool {
		agent, ok := m.Get(ctx, "agent").(readmeAgent)
		return ok && agent.Sub != ""
	})
}

// withSCS is a route behind scs's own middleware: put fills the session at the
// login, known says who is there at a request.
func withSCS(tb testing.TB, codec scs.Codec, put func(context.Context, *scs.SessionManager, *login), known func(context.Context, *scs.SessionManager) bool) (http.Handler, *http.Request, *int) {
	tb.Helper()
	m := scs.New()
	m.Store, m.Codec = memstore.NewWithCleanupInterval(0), codec
	ctx, err := m.Load(tb.Context(), "")
	if err != nil {
		tb.Fatal(err)
	}
	login := logInOnce(tb, "marie")
	put(ctx, m, login)
	token, _, err := m.Commit(ctx)
	if err != nil {
		tb.Fatal(err)
	}
	calls := new(int)
	handler := m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if known(r.Context(), m) {
			*calls++
		}
	}))
	return handler, navigate(login.target, &http.Cookie{Name: m.Cookie.Name, Value: token}), calls
}

// A request of an agent who is logged in.
func BenchmarkRequest(b *testing.B) {
	for _, style := range styles() {
		b.Run("style="+style.name, func(b *testing.B) {
			handler, r, calls := style.make(b)
			w := newDiscardWriter()
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				w.reset()
				handler.ServeHTTP(w, r)
				n++
			}
			if *calls != n {
				b.Fatalf("got the agent in %d requests of %d, want all", *calls, n)
			}
		})
	}
}

// A request of somebody who is not logged in, beside the floor.
func BenchmarkStranger(b *testing.B) {
	login := logInOnce(b, "marie")
	navigation := navigate(login.target)
	call := navigate(login.target)
	call.Header.Set("Sec-Fetch-Mode", "cors")
	call.Header.Set("Accept", "application/json")
	foreign := navigate(login.target, &http.Cookie{Name: "agentconnect", Value: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"})
	loggedIn, loggedInRequest, _ := floor(b)
	flooded := navigate(login.target)
	flooded.Header.Set("Cookie", ownCookies(64<<10))
	protected := login.protected(func(http.ResponseWriter, *http.Request) { b.Error("a stranger got in") })
	for _, style := range []struct {
		name    string
		handler http.Handler
		request *http.Request
		status  int
	}{
		{"floor", loggedIn, loggedInRequest, 0},
		{"page", protected, navigation, http.StatusSeeOther},
		{"unknown-cookie", protected, foreign, http.StatusSeeOther},
		{"call", protected, call, http.StatusUnauthorized},
		{"64-KB-of-our-cookies", protected, flooded, http.StatusSeeOther},
	} {
		b.Run("style="+style.name, func(b *testing.B) {
			w := newDiscardWriter()
			b.ReportAllocs()
			for b.Loop() {
				w.reset()
				style.handler.ServeHTTP(w, style.request)
			}
			if w.status != style.status {
				b.Fatalf("got status %d, want %d", w.status, style.status)
			}
		})
	}
}

// ownCookies is a Cookie header of a size, of nothing but cookies with our names.
func ownCookies(size int) string {
	var header strings.Builder
	for i := 0; header.Len() < size; i++ {
		name := []string{"agentconnect", "agentconnect-seen", "agentconnect-login-" + strconv.Itoa(i%10), "agentconnect-logout"}[i%4]
		header.WriteString(name + "=" + strings.Repeat("A", 43) + "; ")
	}
	return header.String()
}

func BenchmarkAgentFrom(b *testing.B) {
	ctx := agentconnect.ContextWithAgent(b.Context(), agentconnect.Agent{Sub: "s", Roles: []string{"agent_public"}})
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := agentconnect.AgentFrom(ctx); !ok {
			b.Fatal("got no agent")
		}
	}
}

// Requires inside RequireAgent, which do not read the session again.
func BenchmarkNestedRequire(b *testing.B) {
	login := logInOnce(b, "marie")
	handler := login.auth.RequireAgent(login.auth.Require(agentconnect.Role(agentconnect.RoleAgentPublic))(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	})))
	r, w := login.request(), newDiscardWriter()
	b.ReportAllocs()
	for b.Loop() {
		w.reset()
		handler.ServeHTTP(w, r)
	}
	if w.status != http.StatusNoContent {
		b.Fatalf("got status %d, want %d", w.status, http.StatusNoContent)
	}
}

func TestProtectedRequestAllocations(t *testing.T) {
	const most = 8
	for _, style := range styles()[2:] {
		t.Run(style.name, func(t *testing.T) {
			handler, r, calls := style.make(t)
			w := newDiscardWriter()
			got := testing.AllocsPerRun(100, func() {
				w.reset()
				handler.ServeHTTP(w, r)
			})
			if got > most {
				t.Errorf("got %v allocations a request, want at most %d", got, most)
			}
			if *calls == 0 {
				t.Error("got no agent in the requests, want one in each")
			}
		})
	}
}

func TestAgentFromAllocatesNothing(t *testing.T) {
	for name, ctx := range map[string]context.Context{
		"agent":    agentconnect.ContextWithAgent(t.Context(), agentconnect.Agent{Sub: "s", Roles: []string{"agent_public"}}),
		"stranger": t.Context(),
	} {
		t.Run(name, func(t *testing.T) {
			var sub string
			got := testing.AllocsPerRun(100, func() {
				agent, _ := agentconnect.AgentFrom(ctx)
				sub = agent.Sub
			})
			if got != 0 {
				t.Errorf("got %v allocations, want 0 (sub %q)", got, sub)
			}
		})
	}
}

// A countingStore counts what is asked of a store.
type countingStore struct {
	scs.Store
	finds, writes int
}

func (s *countingStore) Find(token string) ([]byte, bool, error) {
	s.finds++
	return s.Store.Find(token)
}

func (s *countingStore) Commit(token string, b []byte, expiry time.Time) error {
	s.writes++
	return s.Store.Commit(token, b, expiry)
}

func (s *countingStore) Delete(token string) error {
	s.writes++
	return s.Store.Delete(token)
}

func TestProtectedRequestReadsTheStoreOnce(t *testing.T) {
	for name, opts := range map[string][]agentconnect.Option{
		"no idle timeout": nil,
		"idle timeout":    {agentconnect.WithIdleTimeout(time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Now()
			store := &countingStore{Store: memstore.NewWithCleanupInterval(0)}
			login := logInOnce(t, "marie", append(opts, agentconnect.WithSessionStore(store), agentconnect.WithClock(func() time.Time { return now }))...)
			*store = countingStore{Store: store.Store}
			inner := login.auth.Require(agentconnect.Role(agentconnect.RoleAgentPublic))(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusNoContent)
			}))
			handler := login.protected(inner.ServeHTTP)
			const requests = 180
			for range requests {
				now = now.Add(time.Second)
				w := newDiscardWriter()
				handler.ServeHTTP(w, login.request())
				if w.status != http.StatusNoContent {
					t.Fatalf("got status %d, want %d", w.status, http.StatusNoContent)
				}
			}
			if store.finds != requests || store.writes != 0 {
				t.Errorf("got %d reads and %d writes in %d requests, want %d and 0", store.finds, store.writes, requests, requests)
			}
		})
	}
}
