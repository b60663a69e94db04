package agentconnecttest_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

func TestStopAndRestart(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	a := newApp(t, srv)
	browser := newBrowser(t)
	access := a.logIn(t, browser, "marie").tokens.AccessToken
	srv.Stop()
	srv.Stop() // harmless
	if _, err := srv.Login(browser, a.http.URL+"/login", "marie"); err == nil {
		t.Error("while it is down: got a login, want an error")
	}
	srv.Restart()
	if resp, _ := a.userinfo(t.Context(), access); resp.StatusCode != http.StatusOK {
		t.Errorf("a token of before: got %d, want 200", resp.StatusCode)
	}
	if asks(t, a, browser) {
		t.Error("a session of before: got the login page, want it reused")
	}
	srv.Restart() // without a stop
	a.logIn(t, newBrowser(t), "marie")
}

func TestNothingIsLeftBehind(t *testing.T) {
	transport := &http.Transport{}
	before := runtime.NumGoroutine()
	t.Run("a server with requests that hang", func(t *testing.T) {
		srv := agentconnecttest.NewServer(t)
		srv.Inject(agentconnecttest.Fault("token-hang"), agentconnecttest.Fault("keys-drip"), agentconnecttest.Fault("discovery-slow"))
		for _, path := range []string{"/token", "/jwks", "/.well-known/openid-configuration"} {
			method := http.MethodGet
			if path == "/token" {
				method = http.MethodPost
			}
			go func() {
				req, err := http.NewRequest(method, srv.Issuer+path, nil)
				if err != nil {
					return
				}
				if resp, err := transport.RoundTrip(req); err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
			}()
		}
		for srv.Requests(agentconnecttest.Token)+srv.Requests(agentconnecttest.JWKS)+srv.Requests(agentconnecttest.Discovery) < 3 {
			time.Sleep(time.Millisecond)
		}
	})
	transport.CloseIdleConnections()
	deadline := time.Now().Add(10 * time.Second)
	for runtime.NumGoroutine() > before {
		if time.Now().After(deadline) {
			var stacks bytes.Buffer
			buf := make([]byte, 1<<20)
			stacks.Write(buf[:runtime.Stack(buf, true)])
			t.Fatalf("got %d goroutines, want %d as before:\n%s", runtime.NumGoroutine(), before, stacks.String())
		}
		time.Sleep(time.Millisecond)
	}
}

func TestStopWaitsForTheRequestsItCuts(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	entered, release, stopped := make(chan struct{}), make(chan struct{}), make(chan struct{})
	srv.Inject(agentconnecttest.Tamper{Endpoint: agentconnecttest.Discovery, Answer: func(*agentconnecttest.Answer) {
		close(entered)
		<-release
	}})
	go func() {
		if resp, err := http.Get(srv.Issuer + "/.well-known/openid-configuration"); err == nil {
			resp.Body.Close()
		}
	}()
	<-entered
	go func() {
		srv.Stop()
		close(stopped)
	}()
	select {
	case <-stopped:
		t.Error("got stopped during a request, want it to wait for its end")
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	<-stopped
}

func TestManyLoginsAtOnce(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	a := newApp(t, srv)
	var wait sync.WaitGroup
	for i := range 20 {
		wait.Go(func() {
			agent := agentconnecttest.DemoAgents()[i%7].Login
			resp, err := srv.Login(newBrowser(t), a.http.URL+"/login", agent)
			if err != nil {
				t.Errorf("%s: %v", agent, err)
				return
			}
			resp.Body.Close()
			srv.Inject(agentconnecttest.Once(agentconnecttest.Fault("userinfo-null-text")))
			srv.Clear()
		})
	}
	wait.Wait()
	if got := srv.Requests(agentconnecttest.Token); got != 20 {
		t.Errorf("token requests: got %d, want 20", got)
	}
}

func TestReceived(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	a := newApp(t, srv)
	a.logIn(t, newBrowser(t), "marie")
	received := srv.Received(agentconnecttest.Token)
	if len(received) != 1 || srv.Requests(agentconnecttest.Token) != 1 {
		t.Fatalf("got %d received, %d counted, want 1, 1", len(received), srv.Requests(agentconnecttest.Token))
	}
	got := received[0]
	if got.Method != http.MethodPost || got.URL.Path != "/api/v2/token" || got.PostForm.Get("client_secret") != srv.Client.Secret || got.Header.Get("Content-Type") == "" {
		t.Errorf("got %+v, want the request as it was sent", got)
	}
	srv.ResetRequests()
	if srv.Requests(agentconnecttest.Token) != 0 || srv.Received(agentconnecttest.Token) != nil {
		t.Error("after ResetRequests: got some, want none")
	}
}

func TestSecretsAndPersonalData(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	a := newApp(t, srv)
	browser := newBrowser(t)
	got := a.logIn(t, browser, "marie")
	a.logIn(t, browser, "") // with the provider's cookies
	asked := srv.Received(agentconnecttest.Authorize)[0].Form
	srv.AddClient(agentconnecttest.Client{ID: "silent", Secret: "the secret of a client that has not come"})
	secrets := srv.Secrets()
	address, err := url.Parse(srv.Issuer + "/")
	if err != nil {
		t.Fatal(err)
	}
	cookies := browser.Jar.Cookies(address)
	if len(cookies) != 2 {
		t.Errorf("got the cookies %v, want the provider's two", cookies)
	}
	for _, cookie := range cookies {
		if !slices.Contains(secrets, cookie.Value) {
			t.Errorf("got the cookie %s among no secrets, want it there", cookie.Name)
		}
	}
	for name, want := range map[string]string{
		"secret of a silent client": "the secret of a client that has not come",
		"code":                      got.query.Get("code"), "state": got.query.Get("state"), "nonce": asked.Get("nonce"),
		"verifier": a.verifierOf(got.query.Get("state")), "client secret": srv.Client.Secret,
		"access token": got.tokens.AccessToken, "refresh token": got.tokens.RefreshToken, "ID token": got.tokens.IDToken,
	} {
		if want == "" || !slices.Contains(secrets, want) {
			t.Errorf("%s %q: got it among no secrets, want it there", name, want)
		}
	}
	if slices.Contains(secrets, "") {
		t.Error("got an empty secret, which every log contains")
	}
	personal := srv.PersonalData()
	for _, want := range []string{"Exemple", "Marie Louise", "demo-4f1c2d9e-marie", "marie.exemple@ministere.example.gouv.fr", "+33 1 99 00 00 01"} {
		if !slices.Contains(personal, want) {
			t.Errorf("got no %q among personal data, want it", want)
		}
	}
	if slices.Contains(personal, "Karim") {
		t.Error("got data of an agent who has not logged in, want none")
	}
}

func TestLogHasNoSecret(t *testing.T) {
	var log syncBuffer
	srv := agentconnecttest.NewServer(t, agentconnecttest.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	a := newApp(t, srv)
	a.logIn(t, newBrowser(t), "marie")
	text := log.String()
	if !strings.Contains(text, "endpoint=token") {
		t.Fatalf("got %s, want a line for each request", text)
	}
	for _, secret := range append(srv.Secrets(), srv.PersonalData()...) {
		if strings.Contains(text, secret) {
			t.Errorf("got %q in the log, want no secret there", secret)
		}
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestLoginErrors(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	a := newApp(t, srv)
	loop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusSeeOther) }))
	defer loop.Close()
	page := func(change func(*agentconnecttest.Answer)) agentconnecttest.Injectable {
		return agentconnecttest.Tamper{Endpoint: agentconnecttest.LoginPage, Answer: change}
	}
	cut := page(func(a *agentconnecttest.Answer) {
		a.Status, a.Truncate = http.StatusOK, true
		a.Body = bytes.Repeat([]byte(" "), 1<<16) // more than a server holds back
	})
	down := page(func(a *agentconnecttest.Answer) { a.Status = http.StatusServiceUnavailable })
	for _, test := range []struct {
		name   string
		client *http.Client
		url    string
		agent  string
		with   []string
		fault  agentconnecttest.Injectable
		want   string
	}{
		{name: "no cookie jar", client: &http.Client{}, url: a.http.URL + "/login", agent: "marie", want: "cookie jar"},
		{name: "no URL", client: newBrowser(t), url: "://", agent: "marie", want: "missing protocol scheme"},
		{name: "unknown agent", client: newBrowser(t), url: a.http.URL + "/login", agent: "nobody", want: `does not offer agent "nobody", only marie, `},
		{name: "error page", client: newBrowser(t), url: a.http.URL + "/login", agent: "marie", with: []string{"state", "short"}, want: "Y000400, state is malformed (status 400)"},
		{name: "injected error page", client: newBrowser(t), url: a.http.URL + "/login", agent: "marie", fault: agentconnecttest.Fault("page-blocked-account"), want: "Y500024"},
		{name: "page that is none of ours", client: newBrowser(t), url: a.http.URL + "/login", agent: "marie", fault: agentconnecttest.Fault("page-unavailable"), want: "an unknown page (status 503)"},
		{name: "a login page that is cut", client: newBrowser(t), url: a.http.URL + "/login", agent: "marie", fault: cut, want: "unexpected EOF"},
		{name: "an answer to the form that is no redirect", client: newBrowser(t), url: a.http.URL + "/login", agent: "marie", fault: agentconnecttest.After(1, down), want: "an unknown page (status 503)"},
		{name: "an answer to the form that is cut", client: newBrowser(t), url: a.http.URL + "/login", agent: "marie", fault: agentconnecttest.After(1, cut), want: "unexpected EOF"},
		{name: "redirects without end", client: newBrowser(t), url: loop.URL, agent: "marie", want: "more than 20 redirects"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a.with(test.with...)
			if test.fault != nil {
				srv.Inject(test.fault)
				defer srv.Clear()
			}
			resp, err := srv.Login(test.client, test.url, test.agent)
			if err == nil {
				resp.Body.Close()
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q in it", err, test.want)
			}
		})
	}
}

func TestCallbackURLStopsAtTheDoor(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	a := newApp(t, srv)
	browser := newBrowser(t)
	for _, name := range []string{"at first", "with a session"} {
		callback, err := srv.CallbackURL(browser, a.http.URL+"/login", "marie")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(callback.String(), a.http.URL+"/callback?") || callback.Query().Get("code") == "" {
			t.Errorf("%s: got %s, want the callback with a code", name, callback)
		}
	}
	page := httptest.NewServer(http.RedirectHandler(a.http.URL+"/login", http.StatusSeeOther))
	defer page.Close()
	if callback, err := srv.CallbackURL(newBrowser(t), page.URL, "marie"); err != nil || !strings.HasPrefix(callback.String(), a.http.URL+"/callback?") {
		t.Errorf("from a page that leads to the login: got %v, %v, want the callback", callback, err)
	}
	if got := srv.Requests(agentconnecttest.Token); got != 0 {
		t.Errorf("token requests: got %d, want 0, nobody having gone to the callback", got)
	}
	if _, err := srv.CallbackURL(browser, a.http.URL+"/nowhere", "marie"); err == nil || !strings.Contains(err.Error(), "status 404") {
		t.Errorf("from a page that starts no login: got %v, want an error with the status", err)
	}
}

func TestWithRequestEditsTheFirstRequest(t *testing.T) {
	srv := agentconnecttest.NewServer(t)
	var seen http.Header
	page := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r.Header.Clone() }))
	defer page.Close()
	resp, err := srv.Login(newBrowser(t), page.URL, "marie", agentconnecttest.WithRequest(func(r *http.Request) { r.Header.Set("Accept-Language", "en") }))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := fmt.Sprint(seen.Get("Accept-Language"), " ", seen.Get("Sec-Fetch-Mode"), " ", seen.Get("Sec-Fetch-Dest"), " ", seen.Get("Accept")); got != "en navigate document text/html,application/xhtml+xml,*/*;q=0.8" {
		t.Errorf("got %q, want the edited header beside those of a navigation", got)
	}
}

// TestEmbedding serves the provider beside an application, under a path.
func TestEmbedding(t *testing.T) {
	mux := http.NewServeMux()
	site := httptest.NewServer(mux)
	defer site.Close()
	p, err := agentconnecttest.New(agentconnecttest.Config{Issuer: site.URL + "/agentconnect/api/v2"})
	if err != nil {
		t.Fatal(err)
	}
	mux.Handle("/agentconnect/", p)
	resp, body := open(t, newBrowser(t), p.Issuer()+"/.well-known/openid-configuration")
	if resp.StatusCode != http.StatusOK || !strings.Contains(body, `"issuer":"`+p.Issuer()+`"`) {
		t.Errorf("got %d %s, want its discovery document", resp.StatusCode, body)
	}
	if p.Received(agentconnecttest.Discovery) != nil || p.Requests(agentconnecttest.Discovery) != 1 {
		t.Error("got requests remembered outside of a test server, want them counted only")
	}
}

func TestWithAgents(t *testing.T) {
	srv := agentconnecttest.NewServer(t, agentconnecttest.WithAgents(
		agentconnecttest.Agent{Login: "bare", Claims: map[string]any{"sub": "bare-sub"}},
		agentconnecttest.Agent{Login: "said", Claims: map[string]any{"sub": "said-sub", "idp_acr": "given"}},
		agentconnecttest.Agent{Login: "card", Claims: map[string]any{"sub": "card-sub"}, ACR: "eidas2", AMR: []string{"pop"}},
	))
	a := newApp(t, srv).with(claimsFor(`null`)...)
	for _, test := range []struct {
		login         string
		opts          []agentconnecttest.LoginOption
		acr, amr, idp string
	}{
		{login: "", acr: "eidas1", amr: `["pwd"]`, idp: "eidas1"}, // the first
		{login: "bare", acr: "eidas1", amr: `["pwd"]`, idp: "eidas1"},
		{login: "said", acr: "eidas1", amr: `["pwd"]`, idp: "given"},
		{login: "card", acr: "eidas2", amr: `["pop"]`, idp: "eidas2"},
		{login: "card", opts: []agentconnecttest.LoginOption{agentconnecttest.WithACR("eidas2")}, acr: "eidas2", amr: `["pop"]`, idp: "eidas2"},
	} {
		got := a.logIn(t, newBrowser(t), test.login, test.opts...)
		_, claims := decode(t, got.tokens.IDToken)
		if acr, amr := member(t, claims, "acr"), member(t, claims, "amr"); acr != `"`+test.acr+`"` || amr != test.amr {
			t.Errorf("%s: got acr %s, amr %s, want %s, %s", test.login, acr, amr, test.acr, test.amr)
		}
		if _, claims := decode(t, got.body); member(t, claims, "idp_acr") != `"`+test.idp+`"` {
			t.Errorf("%s: got %s, want idp_acr %s", test.login, claims, test.idp)
		}
	}
	if _, ok := srv.Agent("marie"); ok {
		t.Error("got a demonstration agent, want only those given")
	}
}
