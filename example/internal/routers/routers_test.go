// Package routers holds the tests of the library on routers that the library's
// own module does not require.
package routers

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gorilla/mux"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

// gorilla/mux, unchanged: Use, subrouters, prefixes. Each application has a
// public page /public and the protected page dossiers/{id} under a prefix.
func TestGorillaMux(t *testing.T) {
	t.Parallel()
	public := func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "public") }
	dossier := func(w http.ResponseWriter, r *http.Request) {
		agent, _ := agentconnect.AgentFrom(r.Context())
		json.NewEncoder(w).Encode(map[string]string{"dossier": mux.Vars(r)["id"], "sub": agent.Sub})
	}
	for _, tt := range []struct {
		name   string
		beside string // the path of login, callback, logout and logout/callback
		page   string
		routes func(*agentconnect.Authenticator) http.Handler
	}{
		{"a protected subrouter", "/", "/espace/dossiers/7?tri=date", func(auth *agentconnect.Authenticator) http.Handler {
			r := mux.NewRouter()
			r.HandleFunc("/login", auth.Login).Methods(http.MethodGet, http.MethodPost)
			r.HandleFunc("/callback", auth.Callback).Methods(http.MethodGet)
			r.HandleFunc("/logout", auth.Logout).Methods(http.MethodPost)
			r.HandleFunc("/logout/callback", auth.LogoutCallback).Methods(http.MethodGet)
			r.HandleFunc("/public", public)
			espace := r.PathPrefix("/espace").Subrouter()
			espace.Use(auth.RequireAgent)
			espace.HandleFunc("/dossiers/{id:[0-9]+}", dossier)
			return r
		}},
		{"a subrouter without a prefix, in another", "/", "/espace/dossiers/7", func(auth *agentconnect.Authenticator) http.Handler {
			r := mux.NewRouter().StrictSlash(true)
			r.HandleFunc("/public", public)
			r.HandleFunc("/login", auth.Login)
			r.HandleFunc("/callback", auth.Callback)
			r.HandleFunc("/logout", auth.Logout)
			r.HandleFunc("/logout/callback", auth.LogoutCallback)
			outer := r.PathPrefix("/espace").Subrouter()
			outer.Use(auth.RequireAgent)
			inner := outer.PathPrefix("/dossiers").Subrouter()
			inner.Use(auth.Require(agentconnect.Role(agentconnect.RoleAgentPublic)))
			inner.HandleFunc("/{id}", dossier)
			return r
		}},
		{"the handler under a prefix", "/auth/", "/dossiers/7?a=b&c", func(auth *agentconnect.Authenticator) http.Handler {
			r := mux.NewRouter()
			r.PathPrefix("/auth/").Handler(auth.Handler())
			r.HandleFunc("/public", public)
			r.Handle("/dossiers/{id}", auth.RequireAgent(http.HandlerFunc(dossier)))
			return r
		}},
		{"the handler under a prefix that is stripped", "/auth/", "/dossiers/7", func(auth *agentconnect.Authenticator) http.Handler {
			r := mux.NewRouter()
			r.PathPrefix("/auth/").Handler(http.StripPrefix("/auth", auth.Handler()))
			r.HandleFunc("/public", public)
			r.Handle("/dossiers/{id}", auth.RequireAgent(http.HandlerFunc(dossier)))
			return r
		}},
		{"the handler at the root, last", "/", "/dossiers/7", func(auth *agentconnect.Authenticator) http.Handler {
			r := mux.NewRouter()
			r.HandleFunc("/public", public)
			protected := r.NewRoute().Subrouter()
			protected.Use(auth.RequireAgent)
			protected.HandleFunc("/dossiers/{id}", dossier)
			r.PathPrefix("/").Handler(auth.Handler())
			return r
		}},
		{"the whole router under a prefix that is stripped", "/application/", "/application/dossiers/7?x=y", func(auth *agentconnect.Authenticator) http.Handler {
			r := mux.NewRouter()
			r.HandleFunc("/login", auth.Login)
			r.HandleFunc("/callback", auth.Callback)
			r.HandleFunc("/logout", auth.Logout)
			r.HandleFunc("/logout/callback", auth.LogoutCallback)
			protected := r.PathPrefix("/dossiers").Subrouter()
			protected.Use(auth.RequireAgent)
			protected.HandleFunc("/{id}", dossier)
			outer := mux.NewRouter()
			outer.HandleFunc("/public", public)
			outer.PathPrefix("/application/").Handler(http.StripPrefix("/application", r))
			return outer
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b, auth := newBrowser(t, tt.beside)
			b.handler = tt.routes(auth)
			b.checkJourney(tt.beside, tt.page)
		})
	}
}

// A browser with a cookie jar, and the application that it looks at.
type browser struct {
	t        *testing.T
	client   *http.Client
	url      string
	handler  http.Handler // set before the first request
	provider *agentconnecttest.Server
}

func newBrowser(t *testing.T, beside string) (*browser, *agentconnect.Authenticator) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, provider: agentconnecttest.NewServer(t)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { b.handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	// Another host name than the provider's: cookies know no ports.
	b.url = strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	b.client = &http.Client{Jar: jar, Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

	b.provider.SetRedirectURIs(b.url + beside + "callback")
	b.provider.SetPostLogoutRedirectURIs(b.url + beside + "logout/callback")
	auth, err := agentconnect.New(
		agentconnect.WithIssuer(b.provider.Issuer),
		agentconnect.WithClient(b.provider.Client.ID, b.provider.Client.Secret),
		agentconnect.WithRedirectURL(b.url+beside+"callback"),
		agentconnect.WithPostLogoutRedirectURL(b.url+beside+"logout/callback"),
		agentconnect.WithLogger(slog.New(slog.DiscardHandler)),
	)
	if err != nil {
		t.Fatal(err)
	}
	return b, auth
}

// do sends what a browser sends that opens a page, follows no redirect, and
// returns the answer with its body.
func (b *browser) do(method, target string, form url.Values) (*http.Response, string) {
	b.t.Helper()
	if strings.HasPrefix(target, "/") {
		target = b.url + target
	}
	req, err := http.NewRequestWithContext(b.t.Context(), method, target, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp, string(body)
}

// checkJourney is a login on the way to a page, the page, a logout, the page
// again.
func (b *browser) checkJourney(beside, page string) {
	b.t.Helper()
	checkRedirect := func(what string, resp *http.Response, want string) {
		b.t.Helper()
		if got := resp.Header.Get("Location"); resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(got, want) {
			b.t.Fatalf("%s: got status %d to %q, want 303 to %s…", what, resp.StatusCode, got, want)
		}
	}
	if resp, body := b.do(http.MethodGet, "/public", nil); resp.StatusCode != http.StatusOK || body != "public" {
		b.t.Errorf("public page: got status %d, %q, want it", resp.StatusCode, body)
	}
	resp, _ := b.do(http.MethodGet, page, nil)
	checkRedirect("a stranger's page", resp, beside+"login?return_to="+url.QueryEscape(page))
	resp, _ = b.do(http.MethodPost, beside+"login", url.Values{"return_to": {page}})
	checkRedirect("the login's form", resp, b.provider.Issuer+"/authorize?")

	follow := *b.client
	follow.CheckRedirect = nil
	resp, err := b.provider.Login(&follow, b.url+page, "marie", agentconnecttest.WithRequest(func(r *http.Request) { r.Header.Set("Sec-Fetch-Mode", "navigate") }))
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	var got struct{ Dossier, Sub string }
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil || resp.Request.URL.String() != b.url+page {
		b.t.Fatalf("after the login: got status %d at %s (%v), want the page", resp.StatusCode, resp.Request.URL, err)
	}
	marie, _ := b.provider.Agent("marie")
	if got.Dossier != "7" || got.Sub != marie.Sub() {
		b.t.Errorf("after the login: got %+v, want dossier 7 and %s", got, marie.Sub())
	}

	resp, _ = b.do(http.MethodPost, beside+"logout", nil)
	checkRedirect("logout", resp, b.provider.Issuer+"/session/end?")
	resp, _ = b.do(http.MethodGet, resp.Header.Get("Location"), nil)
	checkRedirect("the provider's logout", resp, b.url+beside+"logout/callback?")
	resp, _ = b.do(http.MethodGet, resp.Header.Get("Location"), nil)
	checkRedirect("logout callback", resp, "/")
	resp, _ = b.do(http.MethodGet, page, nil)
	checkRedirect("after the logout", resp, beside+"login")
}
