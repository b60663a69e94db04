package main

import (
	"bufio"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

// asProgram makes the test binary the program itself.
const asProgram = "EXAMPLE_TEST_IS_THE_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main() // exits
	}
	os.Exit(m.Run())
}

// child is the program, in a process of its own.
type child struct {
	t      testing.TB
	cmd    *exec.Cmd
	url    string
	stderr *syncBuffer
	ended  chan struct{}
}

// startProcess starts the program and waits until it listens.
func startProcess(t testing.TB, env environment) *child {
	t.Helper()
	return startExecutable(t, os.Args[0], env)
}

// startExecutable does the same with another build of the program.
func startExecutable(t testing.TB, executable string, env environment) *child {
	t.Helper()
	if env["ADDR"] == "" {
		env = env.with("ADDR", "127.0.0.1:0")
	}
	c := &child{t: t, cmd: exec.Command(executable), stderr: &syncBuffer{}, ended: make(chan struct{})}
	c.cmd.Env = []string{asProgram + "=1"}
	for name, value := range env {
		c.cmd.Env = append(c.cmd.Env, name+"="+value)
	}
	c.cmd.Stderr = c.stderr
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if address, ok := strings.CutPrefix(lines.Text(), "Open "); ok {
			c.url = strings.TrimSuffix(address, "/")
			break
		}
	}
	go func() {
		_, _ = io.Copy(io.Discard, stdout)
		_ = c.cmd.Wait() // status looks at it
		close(c.ended)
	}()
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill() // ended already, mostly
		<-c.ended
		if t.Failed() {
			t.Logf("the program wrote:\n%s", c.stderr)
		}
	})
	if c.url == "" {
		<-c.ended
		t.Fatalf("the program did not start:\n%s", c.stderr)
	}
	return c
}

func (c *child) signal(signal os.Signal) {
	c.t.Helper()
	if err := c.cmd.Process.Signal(signal); err != nil {
		c.t.Fatal(err)
	}
}

// status waits for the end and returns the exit status.
func (c *child) status() int {
	c.t.Helper()
	select {
	case <-c.ended:
		return c.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		c.t.Fatal("the program does not end")
		return -1
	}
}

func TestSignalsStopTheProgram(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			c := startProcess(t, nil)
			b := newBrowser(t)
			submit(t, b, b.get(c.url+"/agent"), "marie").wantStatus(t, 200).wantAt(t, c.url+"/agent")
			c.signal(signal)
			if got := c.status(); got != 0 {
				t.Errorf("got exit status %d, want 0", got)
			}
		})
	}
}

func TestRequestsInFlightFinish(t *testing.T) {
	t.Parallel()
	c := startProcess(t, nil)
	b := newBrowser(t)
	submit(t, b, b.get(c.url+"/agent"), "marie").wantStatus(t, 200)
	resp, err := b.Get(c.url + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	events := 0
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "data: ") {
			events++
			if events == 1 {
				c.signal(syscall.SIGTERM)
			}
		}
	}
	if err := lines.Err(); err != nil || events != 3 {
		t.Errorf("got %d events and the error %v, want 3 and none", events, err)
	}
	if got := c.status(); got != 0 {
		t.Errorf("got exit status %d, want 0", got)
	}
}

func TestRequestsThatDoNotFinishAreCut(t *testing.T) {
	t.Parallel()
	c := startProcess(t, nil)
	u, err := url.Parse(c.url)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// A form of which the second half never comes. The server asks for it when the
	// handler reads.
	if _, err := io.WriteString(conn, "POST /login HTTP/1.1\r\nHost: "+u.Host+"\r\nContent-Type: application/x-www-form-urlencoded\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if got, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(got, "100 Continue") {
		t.Fatalf("got %q and %v, want the handler at work", got, err)
	}
	stopped := time.Now()
	c.signal(syscall.SIGTERM)
	if got := c.status(); got != 0 {
		t.Errorf("got exit status %d, want 0", got)
	}
	if got := time.Since(stopped); got < stopTimeout-time.Second || got > stopTimeout+5*time.Second {
		t.Errorf("got the end after %v, want about %v", got, stopTimeout)
	}
}

func TestWrongEnvironmentExitsWithStatus2(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{asProgram + "=1", "ADDR=nowhere", "SESSION_STORE=none", "AGENTCONNECT_ENVIRONMENT=production", "AGENTCONNECT_CLIENT_SECRET=" + secret}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 {
		t.Errorf("got %v, want exit status 2", err)
	}
	for _, want := range []string{"ADDR", "SESSION_STORE", "AGENTCONNECT_CLIENT_ID", "AGENTCONNECT_REDIRECT_URL"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("got %s, want %s named", out, want)
		}
	}
	if strings.Contains(string(out), secret) {
		t.Error("got the secret in the output")
	}
}

// TestPrivateAuthorities checks that SSL_CERT_FILE decides whom the program trusts.
func TestPrivateAuthorities(t *testing.T) {
	t.Parallel()
	handler := make(chan http.Handler, 1)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := <-handler
		handler <- h
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	provider, err := agentconnecttest.New(agentconnecttest.Config{Issuer: server.URL + "/api/v2"})
	if err != nil {
		t.Fatal(err)
	}
	handler <- provider

	trusted := filepath.Join(t.TempDir(), "authority.pem")
	if err := os.WriteFile(trusted, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	nobody := filepath.Join(t.TempDir(), "nobody.pem")
	if err := os.WriteFile(nobody, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		file   string
		status int
	}{{trusted, 200}, {nobody, http.StatusServiceUnavailable}} {
		c := startProcess(t, settings(provider.Issuer()).with("SSL_CERT_FILE", test.file, "SSL_CERT_DIR", filepath.Dir(nobody)))
		newBrowser(t).get(c.url+"/readyz").wantStatus(t, test.status)
		unknown := func() bool { return strings.Contains(c.stderr.String(), (x509.UnknownAuthorityError{}).Error()) }
		if test.status != http.StatusOK {
			eventually(t, "the log says that the authority is unknown", unknown)
		} else if unknown() {
			t.Errorf("got the log %q, want the authority trusted", c.stderr)
		}
	}
}

// TestEnvironmentsNameTheirProvider checks where the program looks for each
// environment, by what it asks of a proxy, which reaches nobody.
func TestEnvironmentsNameTheirProvider(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ environment, host string }{
		{"integration", "fca.integ01.dev-agentconnect.fr:443"},
		{"production", "auth.agentconnect.gouv.fr:443"},
		{"integration-rie", "fca.integ02.agentconnect.rie.gouv.fr:443"},
		{"production-rie", "auth.agentconnect.rie.gouv.fr:443"},
	} {
		t.Run(test.environment, func(t *testing.T) {
			t.Parallel()
			asked := make(chan string, 10)
			proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked <- r.Method + " " + r.Host
				w.WriteHeader(http.StatusBadGateway)
			}))
			t.Cleanup(proxy.Close)
			address := freeAddress(t)
			startProcess(t, environment{
				"ADDR":                                  address,
				"HTTPS_PROXY":                           proxy.URL,
				"AGENTCONNECT_ENVIRONMENT":              test.environment,
				"AGENTCONNECT_CLIENT_ID":                "fs",
				"AGENTCONNECT_CLIENT_SECRET":            secret,
				"AGENTCONNECT_REDIRECT_URL":             "https://fs.example.gouv.fr/callback",
				"AGENTCONNECT_POST_LOGOUT_REDIRECT_URL": "https://fs.example.gouv.fr/logout/callback",
			})
			newBrowser(t).get("http://"+address+"/readyz").wantStatus(t, http.StatusServiceUnavailable)
			if got, want := <-asked, "CONNECT "+test.host; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

// freeAddress returns a loopback address that nobody listens on.
func freeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// TestBuildsFromTheRoot checks that go run ./example finds this module from the root of
// the repository.
func TestBuildsFromTheRoot(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("go", "build", "-o", filepath.Join(t.TempDir(), "example"), "./example")
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("go build ./example: %v\n%s", err, out)
	}
}
