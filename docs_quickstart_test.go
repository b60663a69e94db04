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
	var programs, commands []string
	for _, f := range readme.fences {
		switch {
		case f.lang == "go" && strings.HasPrefix(f.code, "package main"):
			programs = append(programs, f.code)
		case f.lang == "sh":
			commands = append(commands, strings.Split(strings.TrimSpace(f.code), "\n")...)
		}
	}
	if len(programs) != 2 {
		t.Fatalf("got %d programs in the README, want two", len(programs))
	}
	ports := strings.NewReplacer("8080", freePort(t), "8081", freePort(t))
	n := newNewcomer(t, ".")
	for i, name := range []string{"main.go", "demo/main.go"} {
		n.write(name, ports.Replace(programs[i]))
	}
	environment := os.Environ()
	var started []string
	for _, command := range commands {
		words := strings.Fields(command)
		switch {
		case strings.HasPrefix(command, "go mod init "), strings.HasPrefix(command, "go get "):
			n.run(words[0], words[1:]...)
		case strings.HasPrefix(command, "export "):
			environment = append(environment, ports.Replace(words[1]))
		case command == "go run ./demo &", command == "go run .":
			started = append(started, words[2])
		}
	}
	if !slices.Equal(started, []string{"./demo", "."}) {
		t.Fatalf("got the programs %v started, want both", started)
	}
	for i, folder := range started {
		binary := filepath.Join(n.dir, []string{"demonstration", "application"}[i])
		n.run("go", "build", "-o", binary, folder)
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
				t.Logf("%s wrote:\n%s", folder, output.String())
			}
		})
	}

	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Timeout: time.Minute}
	site := ports.Replace("http://localhost:8080/")
	login, page := waitForPage(t, browser, site)
	form := regexp.MustCompile(`<form method="post" action="([^"]+)"`).FindStringSubmatch(page)
	if form == nil {
		t.Fatalf("got no login page at %s: %s", login, page)
	}
	action, err := login.Parse(html.UnescapeString(form[1]))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := browser.PostForm(action.String(), url.Values{"agent": {"marie"}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(body), "Bonjour Marie Louise Exemple"; got != want || resp.Request.URL.String() != site {
		t.Errorf("got %q at %s, want %q at %s", got, resp.Request.URL, want, site)
	}
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
