package recipes_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/agentconnecttest"
	"github.com/agentconnect-go/agentconnect/recipes"
)

func form(origin string) http.Header {
	h := navigation()
	h.Set("Content-Type", "application/x-www-form-urlencoded")
	if origin != "" {
		h.Set("Origin", origin)
		h.Set("Sec-Fetch-Site", "cross-site")
	}
	return h
}

func TestMethodOverride(t *testing.T) {
	t.Parallel()
	a := start(t, recipes.MethodOverride)
	b := a.browser()
	send := func(method, override, origin string) (*http.Response, string) {
		return b.do(method, a.url+"/dossiers/7", form(origin), strings.NewReader("_method="+override))
	}
	resp, body := send(http.MethodPost, "DELETE", "")
	if strings.Contains(body, "is deleted") || resp.StatusCode == http.StatusOK {
		t.Errorf("got status %d and %q for a stranger", resp.StatusCode, body)
	}
	b.login("/login")
	for _, tt := range []struct {
		name, method, override, origin string
		status                         int
	}{
		{"a form", http.MethodPost, "DELETE", "", http.StatusOK},
		{"another site's form", http.MethodPost, "DELETE", "https://evil.example", http.StatusForbidden},
		{"a method that a form has", http.MethodPost, "GET", "", http.StatusMethodNotAllowed},
		{"lower case", http.MethodPost, "delete", "", http.StatusMethodNotAllowed},
		{"a GET stays one", http.MethodGet, "DELETE", "", http.StatusMethodNotAllowed},
	} {
		if resp, body := send(tt.method, tt.override, tt.origin); resp.StatusCode != tt.status {
			t.Errorf("%s: got status %d and %q, want %d", tt.name, resp.StatusCode, body, tt.status)
		}
	}
}

func TestSubPath(t *testing.T) {
	t.Parallel()
	a, listener := newApp(t, "/demarches")
	a.serve(listener, recipes.SubPath(a.withOptions(recipes.SubPathOptions(a.url)...)))
	b := a.browser()
	const page = "/demarches/dossiers/7?tri=date"
	resp, _ := b.do(http.MethodGet, a.url+page, navigation(), nil)
	if got, want := resp.Header.Get("Location"), "/demarches/login?return_to="+url.QueryEscape(page); got != want {
		t.Errorf("got a redirect to %q, want %q", got, want)
	}
	resp, body := b.login(page)
	b.want(resp, body, http.StatusOK, "dossier 7 of "+a.marie())
	if got := resp.Request.URL.String(); got != a.url+page {
		t.Errorf("got the browser at %s, want %s", got, a.url+page)
	}
	resp, body = b.do(http.MethodPost, a.url+"/demarches/logout", navigation(), nil)
	b.want(resp, body, http.StatusSeeOther, "")
}

// withOptions returns another Authenticator of the application, with options that
// replace those of newApp.
func (a *app) withOptions(opts ...agentconnect.Option) *agentconnect.Authenticator {
	a.t.Helper()
	auth, err := agentconnect.New(append([]agentconnect.Option{
		agentconnect.WithIssuer(a.provider.Issuer),
		agentconnect.WithClient(a.provider.Client.ID, a.provider.Client.Secret),
	}, opts...)...)
	if err != nil {
		a.t.Fatal(err)
	}
	return auth
}

func TestLatePort(t *testing.T) {
	t.Parallel()
	provider := agentconnecttest.NewServer(t)
	origin, serve, err := recipes.LatePort(
		agentconnect.WithIssuer(provider.Issuer),
		agentconnect.WithClient(provider.Client.ID, provider.Client.Secret))
	if err != nil {
		t.Fatal(err)
	}
	provider.SetRedirectURIs(origin + "/callback")
	provider.SetPostLogoutRedirectURIs(origin + "/logout/callback")
	go serve() // until the test's process ends
	a := &app{t: t, url: origin, provider: provider}
	b := a.browser()
	resp, body := b.login("/dossiers/7")
	b.want(resp, body, http.StatusOK, "dossier 7 of "+a.marie())

	if _, _, err := recipes.LatePort(); err == nil {
		t.Error("got no error without an issuer")
	}
}

func TestPrometheus(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	a := start(t, recipes.ServeMux, recipes.Prometheus(registry))
	b := a.browser()
	b.login("/dossiers/7")
	b.do(http.MethodPost, a.url+"/logout", navigation(), nil)
	callback, err := a.provider.CallbackURL(b.client, a.url+"/login", "marie")
	if err != nil {
		t.Fatal(err)
	}
	b.do(http.MethodGet, strings.Replace(callback.String(), "iss=", "iss=x", 1), navigation(), nil)

	recorder := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	metrics := recorder.Body.String()
	for _, want := range []string{
		`agentconnect_events_total{code="",kind="login_succeeded"} 1`,
		`agentconnect_events_total{code="",kind="logged_out"} 1`,
		`agentconnect_events_total{code="issuer_mismatch",kind="login_refused"} 1`,
	} {
		if !strings.Contains(metrics, want+"\n") {
			t.Errorf("got the metrics %s, want %s", metrics, want)
		}
	}
	if strings.Contains(metrics, a.marie()) {
		t.Error("got an agent's sub in the metrics")
	}
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	a := start(t, func(auth *agentconnect.Authenticator) http.Handler { return recipes.Readiness(auth) })
	b := a.browser()
	a.provider.Stop()
	resp, body := b.do(http.MethodGet, a.url+"/", nil, nil)
	b.want(resp, body, http.StatusServiceUnavailable, "ProConnect has not been reached yet")
	if strings.Contains(body, "127.0.0.1") || resp.Header.Get("Retry-After") == "" {
		t.Errorf("got %q and Retry-After %q, want no internals and a time", body, resp.Header.Get("Retry-After"))
	}
	a.provider.Restart()
	deadline := time.Now().Add(30 * time.Second)
	for resp.StatusCode != http.StatusOK {
		if time.Now().After(deadline) {
			t.Fatalf("got status %d and %q long after the provider came back, want 200", resp.StatusCode, body)
		}
		time.Sleep(20 * time.Millisecond)
		resp, body = b.do(http.MethodGet, a.url+"/", nil, nil)
	}
}

func TestWebSocket(t *testing.T) {
	t.Parallel()
	a := start(t, recipes.WebSocket)
	b := a.browser()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	dial := func(origin string) (*websocket.Conn, *http.Response, error) {
		return websocket.Dial(ctx, strings.Replace(a.url, "http", "ws", 1)+"/notifications", &websocket.DialOptions{
			HTTPClient: b.client,
			HTTPHeader: http.Header{"Origin": {origin}, "Sec-Fetch-Mode": {"websocket"}},
		})
	}
	if _, resp, err := dial(a.url); err == nil || resp == nil || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("got %v and error %v for a stranger, want 401", resp, err)
	}
	b.login("/login")
	if _, resp, err := dial("https://evil.example"); err == nil || resp == nil || resp.StatusCode != http.StatusForbidden {
		t.Errorf("got %v and error %v from another origin, want 403", resp, err)
	}
	conn, _, err := dial(a.url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	_, message, err := conn.Read(ctx)
	if err != nil || string(message) != "hello "+a.marie() {
		t.Errorf("got %q and error %v, want the agent greeted", message, err)
	}
	var closed websocket.CloseError
	if _, _, err := conn.Read(ctx); !errors.As(err, &closed) || closed.Code != websocket.StatusNormalClosure {
		t.Errorf("got %v, want the connection closed normally", err)
	}
}

func TestReverseProxy(t *testing.T) {
	t.Parallel()
	requests := make(chan *http.Request, 1)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests <- r
	}))
	t.Cleanup(upstream.Close)
	target, err := url.Parse(upstream.URL)
	if err != nil {
		t.Fatal(err)
	}
	a := start(t, func(auth *agentconnect.Authenticator) http.Handler { return recipes.ReverseProxy(auth, target) },
		agentconnect.WithIdleTimeout(time.Hour), agentconnect.WithCookieName("rapports"))
	b := a.browser()
	resp, body := b.do(http.MethodGet, a.url+"/rapport", script(), nil)
	b.wantUnauthenticated(resp, body)
	if len(requests) > 0 {
		t.Error("got a stranger's request at the program behind")
	}

	received := func() *http.Request {
		t.Helper()
		select {
		case r := <-requests:
			return r
		default:
			t.Fatal("got no request at the program behind, want one")
			return nil
		}
	}
	b.login("/rapport")
	received()
	header := script()
	header.Set("X-Agent-Sub", "somebody-else")
	header.Set("Cookie", "theme=dark; rapports-login-0=x; rapports-seen=planted")
	b.do(http.MethodGet, a.url+"/rapport?page=2", header, nil)
	got := received()
	if cookies := got.Header.Get("Cookie"); cookies != "theme=dark" {
		t.Errorf("got the cookies %q at the program behind, want the application's alone", cookies)
	}
	if sub := got.Header.Values("X-Agent-Sub"); len(sub) != 1 || sub[0] != a.marie() {
		t.Errorf("got X-Agent-Sub %q, want %q", sub, a.marie())
	}
	if got.URL.String() != "/rapport?page=2" {
		t.Errorf("got %s, want the same path and query", got.URL)
	}
}

func TestSPA(t *testing.T) {
	t.Parallel()
	a := start(t, recipes.SPA)
	b := a.browser()
	resp, body := b.do(http.MethodGet, a.url+"/dossiers/7", navigation(), nil)
	b.want(resp, body, http.StatusOK, `src="/spa.js"`)
	resp, body = b.do(http.MethodGet, a.url+"/spa.js", script(), nil)
	b.want(resp, body, http.StatusOK, "login_url")
	resp, body = b.do(http.MethodGet, a.url+"/api/me", script(), nil)
	login, err := url.Parse(b.wantUnauthenticated(resp, body))
	if err != nil || login.IsAbs() {
		t.Fatalf("got the login URL %v (%v), want a relative one", login, err)
	}
	// What the script does with it.
	login.RawQuery = url.Values{"return_to": {"/dossiers/7?tri=date#pieces"}}.Encode()
	resp, body = b.login(login.String())
	b.want(resp, body, http.StatusOK, `src="/spa.js"`)
	if got := resp.Request.URL.RequestURI(); got != "/dossiers/7?tri=date" {
		t.Errorf("got the browser at %s, want the page it left", got)
	}
	resp, body = b.do(http.MethodGet, a.url+"/api/me", script(), nil)
	b.want(resp, body, http.StatusOK, `{"sub":"`+a.marie()+`"}`)
}

func TestOtherOrigin(t *testing.T) {
	t.Parallel()
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte("front end " + r.URL.RequestURI()))
	}))
	t.Cleanup(front.Close)
	a := start(t, func(auth *agentconnect.Authenticator) http.Handler { return recipes.OtherOrigin(auth, front.URL) })
	b := a.browser()
	from := func(origin string) http.Header {
		h := script()
		h.Set("Origin", origin)
		h.Set("Sec-Fetch-Site", "same-site")
		return h
	}
	wantAllowed := func(resp *http.Response, want string) {
		t.Helper()
		if got := resp.Header.Get("Access-Control-Allow-Origin"); got != want {
			t.Errorf("%s: got Access-Control-Allow-Origin %q, want %q", resp.Request.Method, got, want)
		}
		if vary := strings.Join(resp.Header.Values("Vary"), ", "); !strings.Contains(vary, "Origin") {
			t.Errorf("got Vary %q, want Origin in it", vary)
		}
	}
	resp, _ := b.do(http.MethodOptions, a.url+"/api/me", from(front.URL), nil)
	wantAllowed(resp, front.URL)
	if resp.StatusCode != http.StatusNoContent || resp.Header.Get("Access-Control-Allow-Credentials") != "true" {
		t.Errorf("got status %d, want the preflight answered", resp.StatusCode)
	}
	resp, body := b.do(http.MethodOptions, a.url+"/api/me", from("https://evil.example"), nil)
	wantAllowed(resp, "")
	b.wantUnauthenticated(resp, body)

	resp, body = b.do(http.MethodGet, a.url+"/api/me", from(front.URL), nil)
	wantAllowed(resp, front.URL)
	login, err := url.Parse(b.wantUnauthenticated(resp, body))
	if err != nil {
		t.Fatal(err)
	}
	login.RawQuery = url.Values{"return_to": {"/retour?page=" + url.QueryEscape("/dossiers/7?tri=date#pieces")}}.Encode()
	resp, body = b.login(login.String())
	b.want(resp, body, http.StatusOK, "front end /dossiers/7?tri=date")
	if got := resp.Request.URL.String(); got != front.URL+"/dossiers/7?tri=date#pieces" {
		t.Errorf("got the browser at %s, want the front end's page", got)
	}
	resp, body = b.do(http.MethodGet, a.url+"/api/me", from(front.URL), nil)
	wantAllowed(resp, front.URL)
	b.want(resp, body, http.StatusOK, a.marie())
	resp, _ = b.do(http.MethodGet, a.url+"/api/me", from("https://evil.example"), nil)
	wantAllowed(resp, "")

	logout, err := a.provider.Logout(b.client, a.url+"/logout")
	if err != nil {
		t.Fatal(err)
	}
	resp, body = b.read(logout)
	b.want(resp, body, http.StatusOK, "front end /")

	for _, page := range []string{"https://evil.example/", "//evil.example/", "@evil.example/", ".evil.example", "", "/\\evil.example", "javascript:alert(1)", "%zz"} {
		resp, _ := b.do(http.MethodGet, a.url+"/retour?page="+url.QueryEscape(page), navigation(), nil)
		location := resp.Header.Get("Location")
		u, err := url.Parse(location)
		if err != nil || !strings.HasPrefix(location, front.URL+"/") || "http://"+u.Host != front.URL {
			t.Errorf("page %q: got a redirect to %q, want a page of the front end", page, location)
		}
	}
}
