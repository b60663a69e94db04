package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/agentconnect-go/agentconnect/example/internal/ci"
)

// TestBehindNginx runs the program behind nginx with TLS, with the configuration and
// the command for a certificate that docs/proxy.md shows.
func TestBehindNginx(t *testing.T) {
	for _, name := range []string{"nginx", "openssl"} {
		if _, err := exec.LookPath(name); err != nil {
			ci.Missing(t, name+" is not installed: apt-get install nginx-light openssl")
		}
	}
	public, behind := freePort(t), freePort(t)
	site := "https://localhost:" + public
	p := start(t, environment{
		"ADDR":                                  "127.0.0.1:" + behind,
		"AGENTCONNECT_REDIRECT_URL":             site + "/callback",
		"AGENTCONNECT_POST_LOGOUT_REDIRECT_URL": site + "/logout/callback",
	})
	if p.url != site {
		t.Errorf("got the URL to open %s, want %s", p.url, site)
	}
	b := newBrowser(t)
	var fromNginx []*http.Response
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: startNginx(t, public, behind)}}
	t.Cleanup(transport.CloseIdleConnections)
	b.Transport = recording{navigating{transport}, &fromNginx}
	// nginx is running once it answers.
	eventually(t, "nginx answers", func() bool {
		resp, err := b.Get(site + "/healthz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})

	// A login from a deep link comes back to it, query included.
	deep := site + "/agent?dossier=42&tri=date%20d%C3%A9croissante"
	submit(t, b, b.get(deep), "marie").wantStatus(t, 200).wantAt(t, deep)

	// The cookies are those of an https site, though the program listens on http.
	names := map[string]bool{}
	for _, resp := range fromNginx {
		for _, c := range resp.Cookies() {
			names[c.Name] = true
			if resp.Request.URL.Host == "localhost:"+public && (!strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "") {
				t.Errorf("got the cookie %v, want __Host-, Secure and HttpOnly", c)
			}
		}
	}
	if !names["__Host-agentconnect"] {
		t.Errorf("got cookies %v, want the session's", names)
	}

	// The form of the application is its own, whatever the proxy does to Host.
	b.do(http.MethodPost, site+"/agent", "", "Origin", site, "Sec-Fetch-Site", "same-origin").wantStatus(t, 204)
	b.do(http.MethodPost, site+"/agent", "", "Origin", "https://elsewhere.example", "Sec-Fetch-Site", "cross-site").wantStatus(t, 403)

	if got := b.get(site+"/events", api()...).wantStatus(t, 200).body; strings.Count(got, "data: ") != 3 {
		t.Errorf("got the events %q, want three", got)
	}

	// A large answer fits: a login with a level and a long page to come back to.
	stranger := newBrowser(t)
	stranger.Transport = b.Transport
	started := stranger.once(http.MethodGet, site+"/mfa?"+strings.Repeat("a", 2000)).wantStatus(t, 303)
	if got := started.Header.Get("Location"); !strings.Contains(got, "/authorize?") {
		t.Errorf("got a redirect to %q, want the provider", got)
	}

	p.url = site
	p.logout(b).wantStatus(t, 200).wantAt(t, site+"/")
	b.get(site+"/agent", api()...).wantProblem(t, 401, "unauthenticated")
}

// startNginx runs nginx as docs/proxy.md says, with two free ports in place of those
// that it names, and returns who signed its certificate.
func startNginx(t *testing.T, public, behind string) *x509.CertPool {
	t.Helper()
	doc, err := os.ReadFile("../docs/proxy.md")
	if err != nil {
		t.Fatal(err)
	}
	config := regexp.MustCompile("(?s)```nginx\n(.*?)```").FindSubmatch(doc)
	certificate := regexp.MustCompile(`(?m)^openssl req .*$`).Find(doc)
	if config == nil || certificate == nil {
		t.Fatal("docs/proxy.md has no configuration, or no command for a certificate")
	}
	dir := t.TempDir()
	ports := strings.NewReplacer("127.0.0.1:8443", "127.0.0.1:"+public, "127.0.0.1:8080", "127.0.0.1:"+behind)
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(ports.Replace(string(config[1]))), 0o600); err != nil {
		t.Fatal(err)
	}
	openssl := exec.Command("sh", "-c", string(certificate))
	openssl.Dir = dir
	if out, err := openssl.CombinedOutput(); err != nil {
		t.Fatalf("openssl: %v\n%s", err, out)
	}
	pem, err := os.ReadFile(filepath.Join(dir, "cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	signers := x509.NewCertPool()
	if !signers.AppendCertsFromPEM(pem) {
		t.Fatal("openssl made no certificate")
	}
	nginx := exec.Command("nginx", "-p", dir, "-c", "nginx.conf")
	var output bytes.Buffer
	nginx.Stdout, nginx.Stderr = &output, &output
	if err := nginx.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = nginx.Process.Signal(os.Interrupt) // it ends its workers; an error means that it has ended
		_ = nginx.Wait()
		if t.Failed() {
			t.Logf("nginx wrote:\n%s", output.String())
		}
	})
	return signers
}

// freePort returns a port that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return fmt.Sprint(listener.Addr().(*net.TCPAddr).Port)
}

// recording keeps the answers that passed.
type recording struct {
	next   http.RoundTripper
	passed *[]*http.Response
}

func (r recording) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := r.next.RoundTrip(req)
	if err == nil {
		*r.passed = append(*r.passed, resp)
	}
	return resp, err
}
