package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// binary builds the program once.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "fakeproconnect")
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "fakeproconnect")
	build := exec.Command("go", "build", "-o", name, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return name, nil
})

func TestMain(m *testing.M) {
	status := m.Run()
	if name, err := binary(); err == nil {
		_ = os.RemoveAll(filepath.Dir(name)) // a file left in the temporary directory fails no test
	}
	os.Exit(status)
}

// command prepares the program without an environment of the machine's.
func command(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	name, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append([]string{"HOME=" + t.TempDir()}, env...)
	return cmd
}

// process is the program while it runs.
type process struct {
	cmd    *exec.Cmd
	origin string
	vars   map[string]string // of the first client
	stderr *lines
}

// lines collects output while the program writes it.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// start runs the program on a free port and reads what it prints.
func start(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	p := &process{vars: make(map[string]string), stderr: new(lines)}
	p.cmd = command(t, env, append([]string{"-listen", "127.0.0.1:0"}, args...)...)
	p.cmd.Stderr = p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill(); _ = p.cmd.Wait() })
	scanner := bufio.NewScanner(out)
	for scanner.Scan() {
		line := scanner.Text()
		if _, origin, ok := strings.Cut(line, ": http"); ok && p.origin == "" {
			p.origin = "http" + strings.TrimSuffix(origin, "/")
		}
		if name, value, ok := strings.Cut(line, "="); ok && p.vars[name] == "" {
			p.vars[name] = value
		}
		if strings.HasPrefix(line, "PROCONNECT_USERINFO_ALG=") {
			break
		}
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	if p.origin == "" {
		t.Fatalf("got no address; %s", p.stderr)
	}
	return p
}

// browser follows redirects but those to the application, where nobody listens.
func browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, Timeout: 10 * time.Second, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasSuffix(r.URL.Path, "/callback") {
			return http.ErrUseLastResponse
		}
		return nil
	}}
}

// authorize starts a login and returns where it ended: the application's address, and
// the page if there is one.
func (p *process) authorize(t *testing.T, browser *http.Client) (url.Values, string) {
	t.Helper()
	query := url.Values{
		"response_type": {"code"}, "client_id": {p.vars["PROCONNECT_CLIENT_ID"]}, "redirect_uri": {p.vars["PROCONNECT_REDIRECT_URL"]},
		"scope": {"openid given_name roles"}, "state": {strings.Repeat("s", 32)}, "nonce": {strings.Repeat("n", 32)},
	}
	resp, err := browser.Get(p.vars["PROCONNECT_ISSUER"] + "/authorize?" + query.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	location, err := resp.Location()
	if err != nil {
		return nil, string(page)
	}
	return location.Query(), string(page)
}

// get returns the status and the body of an address of the program.
func (p *process) get(t *testing.T, browser *http.Client, path string) (int, string) {
	t.Helper()
	resp, err := browser.Get(p.origin + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// claims exchanges a code and returns what userinfo says, unsigned.
func (p *process) claims(t *testing.T, code string) map[string]any {
	t.Helper()
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {p.vars["PROCONNECT_REDIRECT_URL"]},
		"client_id": {p.vars["PROCONNECT_CLIENT_ID"]}, "client_secret": {p.vars["PROCONNECT_CLIENT_SECRET"]},
	}
	resp, err := http.PostForm(p.vars["PROCONNECT_ISSUER"]+"/token", form)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var tokens struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&tokens); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodGet, p.vars["PROCONNECT_ISSUER"]+"/userinfo", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+tokens.AccessToken)
	info, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer info.Body.Close()
	claims := map[string]any{"expires_in": tokens.ExpiresIn}
	if err := json.NewDecoder(info.Body).Decode(&claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// eventually waits for something that another process does.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within ten seconds", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// TestStartAndStop: it says what to configure, shows its page, logs in by the login page,
// and stops with status 0.
func TestStartAndStop(t *testing.T) {
	p := start(t, nil)
	if got, want := p.vars["PROCONNECT_ISSUER"], p.origin+"/api/v2"; got != want {
		t.Errorf("issuer: got %q, want %q", got, want)
	}
	b := browser(t)
	query, page := p.authorize(t, b)
	if query != nil || !strings.Contains(page, `value="marie"`) {
		t.Errorf("got %v %s, want the login page", query, page)
	}
	status, page := p.get(t, b, "/")
	for _, want := range []string{"demonstration", "PROCONNECT_CLIENT_ID=demonstration", "/as/marie", "GET /api/v2/interaction/…", "token-error-503"} {
		if status != 200 || !strings.Contains(page, want) {
			t.Errorf("its page: got %d %s, want %q on it", status, page, want)
		}
	}
	if strings.Contains(page, strings.Repeat("s", 32)) {
		t.Error("its page shows the state of a login")
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: got %v, want status 0; %s", err, p.stderr)
	}
}

// TestLoginWithoutAClick: for every browser by flag, for one by its address.
func TestLoginWithoutAClick(t *testing.T) {
	p := start(t, nil, "-login", "karim", "-userinfo-alg", "none", "-access-token-life", "90s")
	b := browser(t)
	query, page := p.authorize(t, b)
	if query.Get("code") == "" {
		t.Fatalf("got %v %s, want a code", query, page)
	}
	if got := p.claims(t, query.Get("code")); got["given_name"] != "Karim" || got["expires_in"] != 90 {
		t.Errorf("got %v, want karim with 90 seconds", got)
	}
	for _, test := range []struct{ agent, want string }{{"marie", "Marie Louise"}, {"", "Karim"}} {
		if status, page := p.get(t, b, "/as/"+test.agent); status != 200 || !strings.Contains(page, "logs in as") {
			t.Fatalf("/as/%s: got %d %s, want the page", test.agent, status, page)
		}
		query, page := p.authorize(t, b)
		if query.Get("code") == "" {
			t.Fatalf("as %q: got %v %s, want a code", test.agent, query, page)
		}
		if got := p.claims(t, query.Get("code"))["given_name"]; got != test.want {
			t.Errorf("as %q: got %v, want %s", test.agent, got, test.want)
		}
	}
	if status, _ := p.get(t, b, "/as/nobody"); status != http.StatusNotFound {
		t.Errorf("/as/nobody: got %d, want 404", status)
	}
}

// TestFaults: from the start, and while it runs, but not for a page of another site.
func TestFaults(t *testing.T) {
	p := start(t, []string{"FAKEPROCONNECT_FAULT=callback-server-error", "FAKEPROCONNECT_LOGIN=marie"})
	b := browser(t)
	if query, _ := p.authorize(t, b); query.Get("error") != "server_error" {
		t.Errorf("from the start: got %v, want server_error", query)
	}
	faults := func(method, query, site string) int {
		t.Helper()
		req, err := http.NewRequest(method, p.origin+"/faults"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Sec-Fetch-Site", site)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	discovery := func() int {
		status, _ := p.get(t, b, "/api/v2/.well-known/openid-configuration")
		return status
	}
	for _, step := range []struct {
		method, query, site string
		status, discovery   int
	}{
		{http.MethodPost, "?name=discovery-error-503", "cross-site", 403, 200},
		{http.MethodPost, "?name=discovery-error-504", "none", 404, 200},
		{http.MethodPost, "?fault=discovery-error-503", "none", 400, 200},
		{http.MethodPost, "?name=discovery-error-503", "none", 204, 503},
		{http.MethodDelete, "", "cross-site", 403, 503},
		{http.MethodDelete, "", "none", 204, 200},
	} {
		if got := faults(step.method, step.query, step.site); got != step.status {
			t.Errorf("%s %s from %s: got %d, want %d", step.method, step.query, step.site, got, step.status)
		}
		if got := discovery(); got != step.discovery {
			t.Errorf("discovery after %s %s: got %d, want %d", step.method, step.query, got, step.discovery)
		}
	}
	if query, _ := p.authorize(t, b); query.Get("error") != "server_error" {
		t.Errorf("after DELETE: got %v, want the faults of the settings", query)
	}
}

// TestFile: clients and agents of one's own, read again when the file changes and on
// SIGHUP, while the sessions stay.
func TestFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "settings.json")
	write := func(name, role string) {
		t.Helper()
		text := fmt.Sprintf(`{
			"clients": [{"id": "mine", "secret": "my-own-secret", "redirect_uris": ["http://localhost:1234/callback"], "userinfo_alg": "none", "public_only": true}],
			"agents": [{"login": "anne", "claims": {"sub": "sub-of-anne", "given_name": %q, "roles": [%q]}}],
			"login": "anne"
		}`, name, role)
		next := file + ".next"
		if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, file); err != nil {
			t.Fatal(err)
		}
	}
	write("Anne", "agent_public")
	p := start(t, nil, "-config", file)
	if got := p.vars["PROCONNECT_CLIENT_ID"]; got != "mine" {
		t.Fatalf("client: got %q, want mine", got)
	}
	name := func() any {
		query, page := p.authorize(t, browser(t))
		if query.Get("code") == "" {
			return page
		}
		return p.claims(t, query.Get("code"))["given_name"]
	}
	if got := name(); got != "Anne" {
		t.Fatalf("got %v, want Anne", got)
	}
	write("Annie", "agent_public")
	eventually(t, "the file is read again", func() bool { return name() == "Annie" })
	if err := os.WriteFile(file, []byte(`{"clients": [{"id": ""}], "unknown": 1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a wrong file is refused", func() bool { return strings.Contains(p.stderr.String(), "the settings have not changed") })
	if got := name(); got != "Annie" {
		t.Errorf("after a wrong file: got %v, want Annie", got)
	}
	write("Anna", "nothing")
	eventually(t, "the file is read again", func() bool {
		page, ok := name().(string)
		return ok && strings.Contains(page, "Y500015") // a service for public agents
	})
	before := strings.Count(p.stderr.String(), "read again")
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "SIGHUP", func() bool { return strings.Count(p.stderr.String(), "read again") > before })
}

// TestWrongSettings: all that is wrong is said at once, with status 2, and
// no settings for an application are printed.
func TestWrongSettings(t *testing.T) {
	file, bare := filepath.Join(t.TempDir(), "settings.json"), filepath.Join(t.TempDir(), "bare.json")
	for name, text := range map[string]string{file: `{"colour": "blue"}`, bare: `{"clients": [{"id": "mine"}]}`} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name   string
		env    []string
		args   []string
		status int
		want   []string
	}{
		{"several", []string{"FAKEPROCONNECT_RIE=perhaps"}, []string{"-fault", "no-such-fault", "-login", "nobody", "-tls-cert", "x"}, 2, []string{`FAKEPROCONNECT_RIE: invalid value "perhaps"`, "no-such-fault", "nobody", "-tls-key"}},
		{"an unknown flag", nil, []string{"-colour"}, 2, []string{"colour"}},
		{"an argument", nil, []string{"start"}, 2, []string{"start"}},
		{"an unknown member of the file", nil, []string{"-config", file}, 2, []string{"colour"}},
		{"no such file", nil, []string{"-config", file + "x"}, 2, []string{"settings.jsonx"}},
		{"a wrong algorithm and issuer", nil, []string{"-id-token-alg", "PS256", "-issuer", "here", "-listen", "127.0.0.1:0"}, 2, []string{"PS256", "Issuer"}},
		{"an address of another machine", nil, []string{"-listen", "192.0.2.1:80"}, 1, []string{"192.0.2.1"}},
		{"no address", nil, []string{"-listen", ""}, 2, []string{"-listen is empty"}},
		{"no certificate", nil, []string{"-listen", "127.0.0.1:0", "-tls-cert", "no-such-cert", "-tls-key", "no-such-key"}, 2, []string{"no-such-cert"}},
		{"a client of the file without a secret", nil, []string{"-config", bare, "-listen", "127.0.0.1:0"}, 2, []string{"Secret is missing"}},
		{"two URIs in one", nil, []string{"-redirect-uri", "http://localhost:1/a http://localhost:1/b", "-listen", "127.0.0.1:0"}, 2, []string{"redirect URI"}},
		{"help", nil, []string{"-help"}, 0, []string{"-redirect-uri", "-post-logout-redirect-uri", "(default 1h)\n", "FAKEPROCONNECT_REDIRECT_URI"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			cmd := command(t, test.env, test.args...)
			output := new(lines)
			cmd.Stdout, cmd.Stderr = output, output
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			limit := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() }) // if it serves instead
			err := cmd.Wait()
			limit.Stop()
			out := output.String()
			if got := cmd.ProcessState.ExitCode(); got != test.status {
				t.Errorf("got status %d, %v, want %d; %s", got, err, test.status, out)
			}
			for _, want := range test.want {
				if !strings.Contains(out, want) {
					t.Errorf("got %s, want %q in it", out, want)
				}
			}
			if strings.Contains(out, "PROCONNECT_ISSUER=") {
				t.Errorf("got %s, want no settings for an application", out)
			}
		})
	}
}

// TestListensEverywhere: the issuer is one that an application and a browser of this
// machine can use. A variable without a value counts as unset.
func TestListensEverywhere(t *testing.T) {
	p := start(t, []string{"FAKEPROCONNECT_ISSUER=", "FAKEPROCONNECT_CLIENT_ID="}, "-listen", ":0")
	if status, _ := p.get(t, browser(t), "/api/v2/.well-known/openid-configuration"); status != 200 || !strings.HasPrefix(p.origin, "http://127.0.0.1:") {
		t.Errorf("got %d at %s, want 200 on 127.0.0.1", status, p.origin)
	}
	if got := p.vars["PROCONNECT_CLIENT_ID"]; got != "demonstration" {
		t.Errorf("got the client %q, want the default", got)
	}
}

// TestDocumentedFile: the documentation of the command names every member of the file.
func TestDocumentedFile(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	doc, _, _ := strings.Cut(read("main.go"), "\npackage main")
	members := regexp.MustCompile("`json:\"(\\w+)\"`").FindAllStringSubmatch(read("settings.go"), -1)
	if len(members) < 20 {
		t.Fatalf("got %d members, want those of the settings", len(members))
	}
	for _, m := range members {
		if !regexp.MustCompile(`\b` + m[1] + `\b`).MatchString(doc) {
			t.Errorf("the documentation does not name %s", m[1])
		}
	}
}
