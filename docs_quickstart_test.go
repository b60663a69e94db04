package agentconnect_test

import (
	"bytes"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestFiveMinutes does what the README tells a newcomer to do: in an empty
// directory, with its commands and its two programs and nothing else, until an agent
// is logged in. Only the ports are others, and the module proxy has this repository
// as its release.
func TestFiveMinutes(t *testing.T) {
	t.Parallel()
	readme := readDocument(t, "README.md")
	var program string
	var commands []string
	for _, f := range readme.fences {
		switch {
		case f.lang == "go" && strings.HasPrefix(f.code, "package main"):
			program += f.code
		case f.lang == "sh":
			commands = append(commands, strings.Split(strings.TrimSpace(f.code), "\n")...)
		}
	}
	ports := strings.NewReplacer("8080", freePort(t), "8081", freePort(t))
	n := newNewcomer(t, ".")
	n.write("main.go", ports.Replace(program))
	environment := append(os.Environ(), ports.Replace("FAKEPROCONNECT_LISTEN=127.0.0.1:8081"), ports.Replace("FAKEPROCONNECT_REDIRECT_URI=http://localhost:8080/callback"), ports.Replace("FAKEPROCONNECT_POST_LOGOUT_REDIRECT_URI=http://localhost:8080/logout/callback"))
	const fake = "go run github.com/agentconnect-go/agentconnect/cmd/fakeproconnect@latest &"
	var started []string
	for _, command := range commands {
		words := strings.Fields(command)
		switch {
		case strings.HasPrefix(command, "go mod init "), strings.HasPrefix(command, "go get "):
			n.run(words[0], words[1:]...)
		case strings.HasPrefix(command, "export "):
			environment = append(environment, ports.Replace(words[1]))
		case command == fake || command == "go run .":
			started = append(started, command)
		}
	}
	if want := []string{fake, "go run ."}; !slices.Equal(started, want) {
		t.Fatalf("got the programs %v started, want %v", started, want)
	}
	n.run("go", "install", strings.TrimSuffix(strings.TrimPrefix(fake, "go run "), " &"))
	n.run("go", "build", "-o", "application", ".")
	for _, name := range []string{"fakeproconnect", "application"} {
		binary := filepath.Join(n.dir, name)
		program := exec.Command(binary)
		program.Dir = n.dir
		program.Env = environment
		var output bytes.Buffer
		program.Stdout, program.Stderr = &output, &output
		if err := program.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = program.Process.Kill() // an error means that it has ended
			_ = program.Wait()
			if t.Failed() {
				t.Logf("%s wrote:\n%s", name, output.String())
			}
		})
	}

	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Timeout: time.Minute}
	site := ports.Replace("http://localhost:8080/")
	if _, home := waitForPage(t, browser, site); !strings.Contains(home, "S’identifier avec") {
		t.Errorf("the home page of a stranger: got %q, want the button", home)
	}
	login, page := waitForPage(t, browser, site+"dossiers")
	form := regexp.MustCompile(`<form method="post" action="([^"]+)"`).FindStringSubmatch(page)
	if form == nil {
		t.Fatalf("got no login page at %s: %s", login, page)
	}
	action, err := login.Parse(html.UnescapeString(form[1]))
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		target string
		form   url.Values // nil: GET
		want   string
	}{
		{action.String(), url.Values{"agent": {"marie"}}, "Les dossiers de Marie Louise"},
		{site, nil, "Bonjour Marie Louise Exemple"},
		{site + "logout", url.Values{}, "Vous êtes déconnecté"},
		{site, nil, "S’identifier avec"},
	} {
		method, content := http.MethodGet, io.Reader(nil)
		if step.form != nil {
			method, content = http.MethodPost, strings.NewReader(step.form.Encode())
		}
		req, err := http.NewRequest(method, step.target, content)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", "text/html")
		if step.form != nil {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		resp, err := browser.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(body), step.want) {
			t.Errorf("%s: got %q at %s, want %q", step.target, body, resp.Request.URL, step.want)
		}
	}

	t.Run("curl", func(t *testing.T) { // as docs/testing.md says
		if _, err := exec.LookPath("curl"); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal("curl is not installed: apt-get install curl")
			}
			t.Skip("curl is not installed: apt-get install curl")
		}
		var answers strings.Builder
		for _, f := range readDocument(t, "docs/testing.md").fences {
			if f.lang != "sh" || !strings.HasPrefix(f.code, "curl ") {
				continue
			}
			command := exec.Command("sh", "-c", ports.Replace(f.code))
			command.Dir = n.dir
			output, err := command.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, output)
			}
			answers.Write(output)
		}
		for _, want := range []string{"Les dossiers de Marie Louise", "Vous êtes déconnecté"} {
			if !strings.Contains(answers.String(), want) {
				t.Errorf("got %s, want %q", answers.String(), want)
			}
		}
	})
}

// waitForPage opens a page as a person does, again and again while a program that
// has just started does not listen yet.
func waitForPage(t *testing.T, browser *http.Client, target string) (*url.URL, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		resp, err := browser.Do(req)
		if err == nil {
			body, readErr := io.ReadAll(resp.Body)
			resp.Body.Close()
			if readErr == nil && resp.StatusCode == http.StatusOK {
				return resp.Request.URL, string(body)
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not answer: %v", target, err)
		}
	}
}

// freePort returns a loopback port that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
