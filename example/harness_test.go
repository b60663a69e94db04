package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience bounds every wait for another process or goroutine.
const patience = 30 * time.Second

// variables are all that the program reads.
func variables() []string {
	names := []string{"ADDR", "SESSION_STORE", "BUTTON_IMAGE", "DESIGN_SYSTEM"}
	for _, name := range []string{
		"ENVIRONMENT", "ISSUER", "CLIENT_ID", "CLIENT_SECRET", "REDIRECT_URL", "POST_LOGOUT_REDIRECT_URL",
		"ID_TOKEN_ALG", "USERINFO_ALG", "SCOPES",
	} {
		names = append(names, "PROCONNECT_"+name, "AGENTCONNECT_"+name)
	}
	return names
}

// environment are the values of variables; the others are unset.
type environment map[string]string

func (e environment) set(t *testing.T) {
	t.Helper()
	for _, name := range variables() {
		t.Setenv(name, e[name])
	}
}

// with returns a copy with some values more, or others.
func (e environment) with(pairs ...string) environment {
	all := environment{}
	for name, value := range e {
		all[name] = value
	}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = pairs[i+1]
	}
	return all
}

// syncBuffer is what a program wrote, safe to read while it writes.
type syncBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// program is the program, running in this process.
type program struct {
	t      *testing.T
	url    string // without the final slash
	stdout *syncBuffer
	stderr *syncBuffer
	cancel context.CancelFunc
	status chan int
}

// start runs the program until it listens; ADDR is a free loopback port unless env
// says otherwise. It stops at the end of the test.
func start(t *testing.T, env environment) *program {
	t.Helper()
	if env["ADDR"] == "" {
		env = env.with("ADDR", "127.0.0.1:0")
	}
	env.set(t)
	ctx, cancel := context.WithCancel(context.Background())
	p := &program{t: t, stdout: &syncBuffer{}, stderr: &syncBuffer{}, cancel: cancel, status: make(chan int, 1)}
	out, in := io.Pipe()
	go func() {
		p.status <- run(ctx, io.MultiWriter(p.stdout, in), p.stderr)
		in.Close()
	}()
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("the program wrote:\n%s%s", p.stdout, p.stderr)
		}
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if address, ok := strings.CutPrefix(lines.Text(), "Open "); ok {
			p.url = strings.TrimSuffix(address, "/")
			break
		}
	}
	go io.Copy(io.Discard, out)
	if p.url == "" {
		t.Fatalf("the program did not start:\n%s", p.stderr)
	}
	return p
}

// stop ends the program and returns its exit status; once is enough.
func (p *program) stop() int {
	p.cancel()
	select {
	case status := <-p.status:
		p.status <- status
		return status
	case <-time.After(patience):
		p.t.Error("the program does not stop")
		return -1
	}
}

// browser is a browser: it keeps cookies, follows redirects and says that it
// navigates, unless a request says otherwise.
type browser struct {
	*http.Client
	t *testing.T
	// visited are the URLs of the redirects that it followed.
	visited []*url.URL
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	b := &browser{t: t}
	b.Client = &http.Client{
		Jar:       jar,
		Timeout:   patience,
		Transport: navigating{transport},
		CheckRedirect: func(next *http.Request, via []*http.Request) error {
			b.visited = append(b.visited, next.URL)
			if len(via) > 20 {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}
	return b
}

// navigating adds the headers of a navigation.
type navigating struct{ next http.RoundTripper }

func (n navigating) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	for name, value := range map[string]string{
		"Accept":         "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
		"Sec-Fetch-Mode": "navigate",
	} {
		if _, given := r.Header[name]; !given {
			r.Header.Set(name, value)
		}
	}
	return n.next.RoundTrip(r)
}

// api returns the headers of a script's request.
func api() []string { return []string{"Accept", "application/json", "Sec-Fetch-Mode", "cors"} }

// oldBrowser returns the headers of a navigation of a browser that does not send
// Fetch Metadata.
func oldBrowser() []string { return []string{"Sec-Fetch-Mode", ""} }

// bare returns the headers of a program that sends none of those of browsers.
func bare() []string { return []string{"Accept", "*/*", "Sec-Fetch-Mode", ""} }

// answer is a response, read.
type answer struct {
	*http.Response
	body string
}

// do sends a request with headers, given as names and values in turn; an empty
// value leaves the header out.
func (b *browser) do(method, target, body string, headers ...string) answer {
	b.t.Helper()
	req, err := http.NewRequest(method, target, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header[headers[i]] = nil
		if headers[i+1] != "" {
			req.Header.Set(headers[i], headers[i+1])
		}
	}
	resp, err := b.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.read(resp, nil)
}

func (b *browser) get(target string, headers ...string) answer {
	b.t.Helper()
	return b.do(http.MethodGet, target, "", headers...)
}

// post submits a form.
func (b *browser) post(target string, form url.Values) answer {
	b.t.Helper()
	return b.do(http.MethodPost, target, form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
}

// once does what do does and follows no redirect.
func (b *browser) once(method, target string, headers ...string) answer {
	b.t.Helper()
	follow := b.CheckRedirect
	defer func() { b.CheckRedirect = follow }()
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return b.do(method, target, "", headers...)
}

// read reads and closes a response, as functions that log in return it.
func (b *browser) read(resp *http.Response, err error) answer {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{resp, string(body)}
}

// wantStatus ends the test unless the answer has the status.
func (a answer) wantStatus(t *testing.T, want int) answer {
	t.Helper()
	if a.StatusCode != want {
		t.Fatalf("%s %s: got status %d, want %d; body: %s", a.Request.Method, a.Request.URL, a.StatusCode, want, a.body)
	}
	return a
}

// wantAt checks where the browser ended.
func (a answer) wantAt(t *testing.T, want string) answer {
	t.Helper()
	if got := a.Request.URL.String(); got != want {
		t.Errorf("got the browser at %s, want %s", got, want)
	}
	return a
}

// wantPage checks that the answer is a page for a person, with a text in it.
func (a answer) wantPage(t *testing.T, text string) answer {
	t.Helper()
	if got := a.Header.Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Errorf("%s: got a %q, want a page", a.Request.URL, got)
	}
	if !strings.Contains(a.body, text) {
		t.Errorf("%s: got a page without %q: %s", a.Request.URL, text, a.body)
	}
	return a
}

// problem is a problem of the library.
type problem struct {
	Status      int      `json:"status"`
	Title       string   `json:"title"`
	Code        string   `json:"code"`
	AcceptedACR []string `json:"accepted_acr"`
	Reasons     []string `json:"reasons"`
	LoginURL    string   `json:"login_url"`
}

// wantProblem checks that the answer is a problem (RFC 9457) and returns it.
func (a answer) wantProblem(t *testing.T, status int, code string) problem {
	t.Helper()
	a.wantStatus(t, status)
	if got := a.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("%s: got a %q, want a problem", a.Request.URL, got)
	}
	var p problem
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		t.Fatalf("%s: got %s, want a problem: %v", a.Request.URL, a.body, err)
	}
	if p.Status != status || p.Code != code {
		t.Errorf("%s: got problem %d %q, want %d %q", a.Request.URL, p.Status, p.Code, status, code)
	}
	return p
}

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v in vain for this: %s", patience, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
