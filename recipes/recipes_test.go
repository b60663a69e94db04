package recipes_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v3"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/agentconnecttest"
	"github.com/agentconnect-go/agentconnect/recipes"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}

// An app is a recipe that runs, and the provider that it logs in with.
type app struct {
	t        *testing.T
	url      string
	provider *agentconnecttest.Server
	auth     *agentconnect.Authenticator
	logs     *lockedBuffer
}

// newApp opens a port and makes the Authenticator of an application at it, whose
// registered URLs are under a path.
func newApp(t *testing.T, under string, opts ...agentconnect.Option) (*app, net.Listener) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	// Another host than the provider's: browsers share cookies between ports.
	a := &app{t: t, url: "http://localhost:" + port, provider: agentconnecttest.NewServer(t), logs: &lockedBuffer{}}
	a.provider.SetRedirectURIs(a.url + under + "/callback")
	a.provider.SetPostLogoutRedirectURIs(a.url + under + "/logout/callback")
	a.auth, err = agentconnect.New(append([]agentconnect.Option{
		agentconnect.WithIssuer(a.provider.Issuer),
		agentconnect.WithClient(a.provider.Client.ID, a.provider.Client.Secret),
		agentconnect.WithRedirectURL(a.url + under + "/callback"),
		agentconnect.WithPostLogoutRedirectURL(a.url + under + "/logout/callback"),
		agentconnect.WithLoginPath(under + "/login"),
		agentconnect.WithLogoutPath(under + "/logout"),
		agentconnect.WithHomePath(under + "/"),
		agentconnect.WithLogger(slog.New(slog.NewTextHandler(a.logs, nil))),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return a, listener
}

// start serves a recipe that is an http.Handler.
func start(t *testing.T, recipe func(*agentconnect.Authenticator) http.Handler, opts ...agentconnect.Option) *app {
	t.Helper()
	a, listener := newApp(t, "", opts...)
	a.serve(listener, recipe(a.auth))
	return a
}

func (a *app) serve(listener net.Listener, handler http.Handler) {
	a.t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Listener.Close()
	server.Listener = listener
	server.Start()
	a.t.Cleanup(server.Close)
}

// A browser keeps cookies and follows redirects.
type browser struct {
	*app
	client *http.Client
}

func (a *app) browser() *browser {
	a.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		a.t.Fatal(err)
	}
	transport := &http.Transport{}
	a.t.Cleanup(transport.CloseIdleConnections)
	return &browser{a, &http.Client{Jar: jar, Transport: transport, Timeout: 30 * time.Second}}
}

// navigation and script are the headers of the two kinds of requests.
func navigation() http.Header {
	return http.Header{"Accept": {"text/html,*/*;q=0.8"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}, "Sec-Fetch-Site": {"same-origin"}}
}

func script() http.Header {
	return http.Header{"Accept": {"application/json"}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}, "Sec-Fetch-Site": {"same-origin"}}
}

// do sends a request and follows no redirect.
func (b *browser) do(method, target string, header http.Header, body io.Reader) (*http.Response, string) {
	b.t.Helper()
	req, err := http.NewRequest(method, target, body)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header = header
	once := *b.client
	once.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := once.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.read(resp)
}

func (b *browser) read(resp *http.Response) (*http.Response, string) {
	b.t.Helper()
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp, string(text)
}

// login opens a page, logs marie in, and returns the page where the browser ends.
func (b *browser) login(path string) (*http.Response, string) {
	b.t.Helper()
	resp, err := b.provider.Login(b.client, b.url+path, "marie")
	if err != nil {
		b.t.Fatal(err)
	}
	return b.read(resp)
}

func (b *browser) want(resp *http.Response, body string, status int, text string) {
	b.t.Helper()
	if resp.StatusCode != status || !strings.Contains(body, text) {
		b.t.Errorf("%s %s: got status %d and %q, want %d and %q", resp.Request.Method, resp.Request.URL, resp.StatusCode, body, status, text)
	}
}

// marie returns the sub of the agent who logs in.
func (a *app) marie() string {
	agent, _ := a.provider.Agent("marie")
	return agent.Sub()
}

// wantUnauthenticated checks the answer to a stranger's request that is no
// navigation: it is the whole of a problem, with nothing of a handler behind it.
func (b *browser) wantUnauthenticated(resp *http.Response, body string) (loginURL string) {
	b.t.Helper()
	var problem struct {
		Code     string `json:"code"`
		LoginURL string `json:"login_url"`
	}
	if err := json.Unmarshal([]byte(body), &problem); err != nil {
		b.t.Errorf("got the body %q, want one problem: %v", body, err)
	}
	if resp.StatusCode != http.StatusUnauthorized || problem.Code != "unauthenticated" {
		b.t.Errorf("got status %d and code %q, want 401 and unauthenticated", resp.StatusCode, problem.Code)
	}
	return problem.LoginURL
}

// TestRouters has a stranger, an agent and a stranger again on each router.
func TestRouters(t *testing.T) {
	t.Parallel()
	for name, recipe := range map[string]func(*agentconnect.Authenticator) http.Handler{
		"net/http": recipes.ServeMux,
		"chi":      recipes.Chi,
		"gorilla":  recipes.Gorilla,
		"gin":      recipes.Gin,
		"echo":     recipes.Echo,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkRouter(t, start(t, recipe))
		})
	}
	t.Run("fiber", func(t *testing.T) {
		t.Parallel()
		a, listener := newApp(t, "")
		app := recipes.Fiber(a.auth)
		done := make(chan error, 1)
		go func() { done <- app.Listener(listener, fiber.ListenConfig{DisableStartupMessage: true}) }()
		t.Cleanup(func() {
			app.ShutdownWithTimeout(time.Second)
			if err := <-done; err != nil {
				t.Errorf("serving: %v", err)
			}
		})
		checkRouter(t, a)
	})
}

func checkRouter(t *testing.T, a *app) {
	const page = "/dossiers/7?tri=date&sens=d%C3%A9croissant"
	b := a.browser()
	want := "dossier 7 of " + a.marie()

	resp, body := b.do(http.MethodGet, a.url+"/", navigation(), nil)
	b.want(resp, body, http.StatusOK, "home")

	resp, body = b.do(http.MethodGet, a.url+page, navigation(), nil)
	if location := resp.Header.Get("Location"); resp.StatusCode != http.StatusSeeOther || location != "/login?return_to="+url.QueryEscape(page) {
		t.Errorf("got status %d and Location %q, want 303 to the login", resp.StatusCode, location)
	}
	if body != "" {
		t.Errorf("got %q beside the redirect: the handler ran for a stranger", body)
	}
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
		resp, body = b.do(method, a.url+page, script(), nil)
		if resp.StatusCode == http.StatusMethodNotAllowed || resp.StatusCode == http.StatusNotFound {
			continue // the router's own
		}
		b.wantUnauthenticated(resp, body)
	}

	resp, body = b.login(page)
	b.want(resp, body, http.StatusOK, want)
	if got := resp.Request.URL.String(); got != a.url+page {
		t.Errorf("got the browser at %s, want %s", got, a.url+page)
	}
	if got := resp.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("got Cache-Control %q, want no-store", got)
	}
	resp, body = b.do(http.MethodGet, a.url+page, script(), nil)
	b.want(resp, body, http.StatusOK, want)

	resp, body = b.do(http.MethodPost, a.url+"/logout", navigation(), nil)
	b.want(resp, body, http.StatusSeeOther, "")
	resp, body = b.do(http.MethodGet, a.url+page, script(), nil)
	b.wantUnauthenticated(resp, body)
	for _, text := range []string{"panic", "eyJ", "superfluous"} {
		if strings.Contains(a.logs.String(), text) {
			t.Errorf("got %q in the log", text)
		}
	}
}

// lockedBuffer is a log, safe to read while it is written.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
