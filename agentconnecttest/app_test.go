package agentconnecttest_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

// app is the barest application that logs in: it checks nothing, so that tests
// see what the provider really sends.
type app struct {
	srv    *agentconnecttest.Server
	http   *httptest.Server
	client agentconnecttest.Client

	mu       sync.Mutex
	verifier map[string]string // by state
	params   url.Values        // added to the next request to authorize
	last     result
}

// result is what a login gave.
type result struct {
	query    url.Values // of the callback
	status   int        // of the token endpoint
	tokens   tokens
	userinfo *http.Response
	body     string // of userinfo
}

type tokens struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	IDToken      string `json:"id_token"`
	RefreshToken string `json:"refresh_token"`
	ExpiresIn    int    `json:"expires_in"`
	Scope        string `json:"scope"`
	Error        string `json:"error"`
}

const allScopes = "openid given_name usual_name email uid siret siren phone organizational_unit belonging_population chorusdt idp_id idp_acr roles organization_label groups amr custom lasuite_visio lasuite_visio:rooms:create lasuite_visio:rooms:list lasuite_visio:rooms:retrieve lasuite_visio:rooms:update lasuite_visio:rooms:delete"

func newApp(t *testing.T, srv *agentconnecttest.Server) *app {
	t.Helper()
	a := &app{srv: srv, client: srv.Client, verifier: make(map[string]string)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", a.login)
	mux.HandleFunc("GET /callback", a.callback)
	mux.HandleFunc("GET /logout/callback", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "bye "+r.URL.Query().Get("state"))
	})
	a.http = httptest.NewServer(mux)
	t.Cleanup(a.http.Close)
	srv.SetRedirectURIs(a.http.URL + "/callback")
	srv.SetPostLogoutRedirectURIs(a.http.URL + "/logout/callback")
	return a
}

// with sets parameters of the requests to authorize that follow; an empty value
// removes one.
func (a *app) with(pairs ...string) *app {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.params = url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		a.params[pairs[i]] = append(a.params[pairs[i]], pairs[i+1])
	}
	return a
}

func (a *app) authorizeURL() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	state, verifier := rand.Text()+rand.Text(), rand.Text()+rand.Text()
	a.verifier[state] = verifier
	digest := sha256.Sum256([]byte(verifier))
	params := url.Values{
		"response_type":         {"code"},
		"client_id":             {a.client.ID},
		"redirect_uri":          {a.http.URL + "/callback"},
		"scope":                 {allScopes},
		"state":                 {state},
		"nonce":                 {rand.Text() + rand.Text()},
		"code_challenge":        {base64.RawURLEncoding.EncodeToString(digest[:])},
		"code_challenge_method": {"S256"},
	}
	for name, values := range a.params {
		params[name] = values
		if len(values) == 1 && values[0] == "" {
			params.Del(name)
		}
	}
	return a.srv.Issuer + "/authorize?" + params.Encode()
}

func (a *app) login(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, a.authorizeURL(), http.StatusSeeOther)
}

func (a *app) callback(w http.ResponseWriter, r *http.Request) {
	got := result{query: r.URL.Query()}
	if code := got.query.Get("code"); code != "" {
		got.status, got.tokens = a.exchange(r.Context(), code, a.verifierOf(got.query.Get("state")))
	}
	if got.tokens.AccessToken != "" {
		got.userinfo, got.body = a.userinfo(r.Context(), got.tokens.AccessToken)
	}
	a.mu.Lock()
	a.last = got
	a.mu.Unlock()
	_, _ = io.WriteString(w, "welcome "+got.query.Get("error"))
}

func (a *app) verifierOf(state string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.verifier[state]
}

func (a *app) result() result {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last
}

// post sends a form with the client's credentials to an endpoint.
func (a *app) post(ctx context.Context, path string, pairs ...string) (*http.Response, string, error) {
	form := url.Values{"client_id": {a.client.ID}, "client_secret": {a.client.Secret}}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.srv.Issuer+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultTransport.RoundTrip(req) // follows no redirect
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, string(body), err
}

func (a *app) exchange(ctx context.Context, code, verifier string) (int, tokens) {
	return a.tokenRequest(ctx, "grant_type", "authorization_code", "code", code,
		"redirect_uri", a.http.URL+"/callback", "code_verifier", verifier)
}

func (a *app) tokenRequest(ctx context.Context, pairs ...string) (int, tokens) {
	resp, body, err := a.post(ctx, "/token", pairs...)
	if err != nil {
		return 0, tokens{Error: err.Error()}
	}
	var got tokens
	_ = json.Unmarshal([]byte(body), &got) // not JSON: no tokens
	return resp.StatusCode, got
}

func (a *app) userinfo(ctx context.Context, accessToken string) (*http.Response, string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.srv.Issuer+"/userinfo", nil)
	if err != nil {
		return &http.Response{}, err.Error()
	}
	req.Header.Set("Authorization", "Bearer "+accessToken)
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return &http.Response{}, err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return resp, err.Error()
	}
	return resp, string(body)
}

// newBrowser returns a client with a cookie jar.
func newBrowser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar}
}

// logIn logs an agent in and returns what the application received.
func (a *app) logIn(t *testing.T, browser *http.Client, agent string, opts ...agentconnecttest.LoginOption) result {
	t.Helper()
	resp, err := a.srv.Login(browser, a.http.URL+"/login", agent, opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if !strings.HasPrefix(resp.Request.URL.String(), a.http.URL+"/callback") {
		t.Fatalf("the login ended at %s, want the application's callback", resp.Request.URL)
	}
	return a.result()
}
