package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/example/internal/chromium"
	"github.com/agentconnect-go/agentconnect/example/internal/ci"
)

// scriptSite is an application whose pages load libraries that replace navigations by
// requests of a script, or that ask the browser to fetch pages ahead.
type scriptSite struct {
	*cluster
	mu    sync.Mutex
	ahead int  // requests that a browser sent ahead of a person
	lose  bool // whether the answer of the next callback gets lost
}

func startScriptSite(t *testing.T) *scriptSite {
	t.Helper()
	s := &scriptSite{}
	s.cluster = startCluster(t, []scs.Store{memstore.NewWithCleanupInterval(0)})
	auth := s.auths[0]
	mux := http.NewServeMux()
	mux.Handle("/", s.handlers[0])
	mux.Handle("GET /part", auth.RequireAgent(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		agent, _ := agentconnect.AgentFrom(r.Context())
		fmt.Fprintf(w, "<p>%s</p>", agent.Sub)
	})))
	mux.Handle("GET /api/me", auth.RequireAgent(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		agent, _ := agentconnect.AgentFrom(r.Context())
		fmt.Fprintf(w, `{"sub":%q}`, agent.Sub)
	})))
	mux.HandleFunc("GET /favicon.ico", func(http.ResponseWriter, *http.Request) {})
	for path, file := range map[string]string{
		"/spa.js":   "../recipes/web/spa.js",
		"/htmx2.js": npmScript(t, "htmx2/dist/htmx.min.js"),
		"/htmx4.js": npmScript(t, "htmx.org/dist/htmx.min.js"),
		"/turbo.js": npmScript(t, "@hotwired/turbo/dist/turbo.es2017-umd.js"),
	} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) })
	}
	spa, err := os.ReadFile("../recipes/web/spa.html")
	if err != nil {
		t.Fatal(err)
	}
	const page = `<!DOCTYPE html><html lang="fr"><meta charset="utf-8"><title>%s</title>%s`
	for path, body := range map[string]string{
		"/spa":   string(spa),
		"/htmx2": fmt.Sprintf(page, "htmx 2", `<script src="/htmx2.js"></script>`+htmxPage),
		"/htmx4": fmt.Sprintf(page, "htmx 4", `<script src="/htmx4.js"></script>`+htmxPage),
		"/turbo": fmt.Sprintf(page, "Turbo", `<script src="/turbo.js"></script>
			<a id="link" href="/agent">agent</a><form id="logout" method="post" action="/logout" data-turbo="false"><button>logout</button></form>`),
		"/ahead": fmt.Sprintf(page, "ahead", `<script type="speculationrules">{
			"prefetch": [{"source": "list", "urls": ["/agent?1", "/agent?2", "/login"], "eagerness": "immediate"}],
			"prerender": [{"source": "list", "urls": ["/agent?3", "/login?return_to=/agent"], "eagerness": "immediate"}]
		}</script><img src="/login?image" alt=""><iframe src="/agent?frame" title="frame"></iframe>`),
		"/worker": fmt.Sprintf(page, "worker", `<script>
			navigator.serviceWorker.register("/worker.js");
			navigator.serviceWorker.addEventListener("controllerchange", () => { document.title = "ready" });
			</script><a id="download" href="/agent?download" download>agent</a>
			<form id="login" method="post" action="/login"><button>login</button></form>
			<form id="logout" method="post" action="/logout"><button>logout</button></form>`),
	} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			io.WriteString(w, body)
		})
	}
	mux.HandleFunc("GET /worker.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		io.WriteString(w, `
			addEventListener("install", () => skipWaiting());
			addEventListener("activate", event => event.waitUntil(clients.claim()));
			addEventListener("fetch", event => { if (event.request.mode == "navigate") event.respondWith(fetch(event.request)) });`)
	})
	s.cluster.mu.Lock()
	s.handlers[0] = s.observe(mux)
	s.cluster.mu.Unlock()
	return s
}

const htmxPage = `<a id="boosted" href="/agent" hx-boost="true">agent</a>
	<button id="get" hx-get="/part" hx-target="#part">part</button><div id="part"></div>
	<form id="logout" method="post" action="/logout" hx-boost="true"><button>logout</button></form>`

// npmScript returns the path of a file of an npm package.
func npmScript(t *testing.T, path string) string {
	t.Helper()
	path = filepath.Join("internal", "scripts", "node_modules", filepath.FromSlash(path))
	if _, err := os.Stat(path); err != nil {
		ci.Missing(t, "the npm packages are not installed: run `npm ci --prefix example/internal/scripts`")
	}
	return path
}

func (s *scriptSite) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		if r.Header.Get("Sec-Purpose") != "" {
			s.ahead++
		}
		lose := s.lose && r.URL.Path == "/callback"
		if lose {
			s.lose = false
		}
		s.mu.Unlock()
		if lose {
			next.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler) // the connection is cut
		}
		next.ServeHTTP(w, r)
	})
}

// wantAgent waits until the page of marie is shown.
func (v *visit) wantAgent(path string) {
	v.t.Helper()
	v.Until(fmt.Sprintf("location.pathname + location.search == %q && document.body.innerText.includes('demo-4f1c2d9e-marie')", path))
}

// atProvider waits until the login page of the provider is shown.
func (v *visit) atProvider() {
	v.t.Helper()
	v.Until("location.hostname == '127.0.0.1' && document.querySelector('#acr') !== null")
}

// wantStranger checks that this browser has no session.
func (v *visit) wantStranger() {
	v.t.Helper()
	v.open("/")
	if got := chromium.Eval[int](v.Tab, `fetch("/api/me", {headers: {Accept: "application/json"}}).then(r => r.status)`); got != http.StatusUnauthorized {
		v.t.Errorf("got status %d, want 401: the session ended", got)
	}
}

func TestBrowserScripts(t *testing.T) {
	browser := chromium.Start(t)
	s := startScriptSite(t)
	for _, version := range []string{"2", "4"} {
		t.Run("htmx "+version, func(t *testing.T) {
			page := "/htmx" + version
			v := s.tolerant(t, browser)
			v.open(page)
			v.Tick("#boosted")
			v.atProvider()
			pick(v.Tab, "marie", "")
			v.wantAgent("/agent")

			v.open(page)
			v.Tick("#get")
			v.Until("document.querySelector('#part').innerText == 'demo-4f1c2d9e-marie'")
			v.Tick("#logout button")
			v.Until("location.pathname == '/' && document.body.innerText == 'home'")
			v.wantStranger()

			// A part of a page, asked for without a session: the login comes back to the page.
			v = s.tolerant(t, browser)
			v.open(page)
			v.Tick("#get")
			v.atProvider()
			pick(v.Tab, "marie", "")
			v.Until(fmt.Sprintf("location.pathname == %q", page))
		})
	}
	t.Run("Turbo", func(t *testing.T) {
		v := s.tolerant(t, browser)
		v.open("/turbo")
		v.Tick("#link")
		v.atProvider()
		pick(v.Tab, "marie", "")
		v.wantAgent("/agent")
		v.open("/turbo")
		v.Click("#logout button")
		v.wantStranger()
	})
	t.Run("a service worker that passes navigations on", func(t *testing.T) {
		v := s.tolerant(t, browser)
		v.open("/worker")
		v.Until("document.title == 'ready'")
		started := s.logins()
		v.Tick("#download")
		v.wantProvider(v.open("/agent?tri=date"))
		if got := s.logins() - started; got != 1 {
			t.Errorf("got %d logins started, want that of the page, and none of the download", got)
		}
		pick(v.Tab, "marie", "")
		v.wantAgent("/agent?tri=date")
		v.open("/worker")
		v.Click("#logout button")
		v.Until("location.pathname == '/' && document.body.innerText == 'home'")
		v.wantStranger()
		v.open("/worker")
		v.wantProvider(v.Click("#login button"))
	})
	t.Run("a single-page application", func(t *testing.T) {
		v := s.tolerant(t, browser)
		v.Open(s.url + "/spa?tri=date#/dossiers/7")
		v.atProvider()
		pick(v.Tab, "marie", "")
		v.wantAgent("/spa?tri=date")
		v.Until("location.hash == '#/dossiers/7'")
		v.Click("form[action='/logout'] button")
		v.wantStranger()
	})
	t.Run("a logout by fetch", func(t *testing.T) {
		v := s.tolerant(t, browser)
		v.open("/agent")
		pick(v.Tab, "marie", "")
		v.wantAgent("/agent")
		v.open("/turbo")
		chromium.Eval[bool](v.Tab, `fetch("/logout", {method: "POST", headers: {Accept: "application/json"}})
			.then(r => r.json()).then(answer => { setTimeout(() => location.assign(answer.location)); return true })`)
		v.Until("location.pathname == '/' && document.body.innerText == 'home'")
		v.wantStranger()
	})
	t.Run("pages fetched ahead, an image and a frame", func(t *testing.T) {
		v := s.tolerant(t, browser)
		v.wantProvider(v.open("/agent?asked"))
		other := &visit{v.Another(), t, v.url, browser}
		started := s.logins()
		other.open("/ahead")
		eventually(t, "Chromium fetches ahead", func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.ahead >= 4
		})
		if got := s.logins() - started; got != 0 {
			t.Errorf("got %d logins started ahead of a person, want none", got)
		}
		pick(v.Tab, "marie", "")
		v.wantAgent("/agent?asked")
	})
	t.Run("ten tabs restored at once", func(t *testing.T) {
		v := s.tolerant(t, browser)
		tabs := []*visit{v}
		for range 9 {
			tabs = append(tabs, &visit{v.Another(), t, v.url, browser})
		}
		for _, tab := range tabs {
			tab.open("/turbo")
		}
		// The browser has been at ProConnect before. A browser that has no cookie of a
		// provider gets one from each of ten answers at once, and keeps the last.
		v.wantProvider(v.open("/agent"))
		v.open("/turbo")
		for i, tab := range tabs {
			chromium.Eval[bool](tab.Tab, fmt.Sprintf(`setTimeout(() => location.assign("/agent?tab=%d")), true`, i))
		}
		for _, tab := range tabs {
			tab.atProvider()
		}
		came := 0
		// The agent logs in on the newest, and goes on to the others.
		for i, tab := range slices.Backward(tabs) {
			got := pick(tab.Tab, "marie", "")
			if got.Status != http.StatusOK {
				t.Errorf("tab %d: got %+v, want no page of an error: the agent is logged in", i, got)
			}
			if got.URL == fmt.Sprintf("%s/agent?tab=%d", v.url, i) {
				came++
			}
		}
		if came < 8 {
			t.Errorf("got %d tabs on their page, want the newest eight", came)
		}
	})
	t.Run("an answer that was lost", func(t *testing.T) {
		v := s.tolerant(t, browser)
		v.wantProvider(v.open("/agent"))
		s.mu.Lock()
		s.lose = true
		s.mu.Unlock()
		v.Tick("#agent-marie")
		v.Tick("button[type=submit]")
		v.wantAgent("/agent") // Chromium asks again by itself
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.lose {
			t.Error("got no answer that was lost")
		}
	})
}

// logins counts the logins that were started.
func (s *scriptSite) logins() int { return strings.Count(s.logs.String(), "login_started") }

// tolerant is a visit whose browser may complain of what these pages do: requests that
// are refused, frames that are.
func (s *scriptSite) tolerant(t *testing.T, browser *chromium.Browser) *visit {
	t.Helper()
	return &visit{browser.NewUncheckedTab(t), t, s.url, browser}
}
