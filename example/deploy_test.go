package main

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/agentconnect-go/agentconnect/example/internal/chromium"
	"github.com/agentconnect-go/agentconnect/example/internal/ci"
	"github.com/agentconnect-go/agentconnect/example/internal/servers"
)

// composed returns the environment that compose.yaml gives a service, with the ports
// of a test in the place of its own.
func composed(t *testing.T, service string, ports *strings.Replacer) environment {
	t.Helper()
	file, err := os.ReadFile("compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(file), "\n  "+service+":\n")
	if !found {
		t.Fatalf("compose.yaml has no service %s", service)
	}
	block, _, _ = strings.Cut(block, "\n\n")
	env := environment{}
	for _, match := range regexp.MustCompile(`(?m)^      ([A-Z_]+): "(.*)"$`).FindAllStringSubmatch(block, -1) {
		env[match[1]] = ports.Replace(match[2])
	}
	if len(env) == 0 {
		t.Fatalf("compose.yaml gives %s no environment", service)
	}
	return env
}

// TestCompose does by hand what compose.yaml says: it builds both programs with the
// commands of their container files, runs them with the environment that they are
// given there, beside a Redis, and logs an agent in and out. Then Playwright's turn.
func TestCompose(t *testing.T) {
	t.Parallel()
	build := regexp.MustCompile(`(?m)^RUN (.*go build .*)-o /(\S+) (\S+)$`)
	// Programs for any machine, but made of what the compiler has made already.
	here := strings.NewReplacer("CGO_ENABLED=0 ", "", "-trimpath ", "")
	bin := t.TempDir()
	for _, name := range []string{"Containerfile", "../cmd/fakeproconnect/Containerfile"} {
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		command := build.FindStringSubmatch(string(file))
		if command == nil {
			t.Fatalf("%s builds nothing", name)
		}
		if !strings.Contains(command[1], "CGO_ENABLED=0 ") {
			t.Errorf("%s builds a program that needs a C library, which the image has not", name)
		}
		if !strings.Contains(string(file), `ENTRYPOINT ["/`+command[2]+`"]`) {
			t.Errorf("%s does not run what it builds", name)
		}
		cmd := exec.Command("sh", "-c", here.Replace(command[1])+"-o "+filepath.Join(bin, command[2])+" "+command[3])
		cmd.Dir = ".."
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
	}

	redis := servers.StartRedis(t)
	application, provider := freeAddress(t), freeAddress(t)
	_, redisPort, _ := strings.Cut(redis.Client.Options().Addr, ":")
	_, applicationPort, _ := strings.Cut(application, ":")
	_, providerPort, _ := strings.Cut(provider, ":")
	ports := strings.NewReplacer(":8080", ":"+applicationPort, ":8081", ":"+providerPort, ":6379", ":"+redisPort)

	fake := exec.Command(filepath.Join(bin, "fakeproconnect"))
	fake.Env = []string{"FAKEPROCONNECT_LISTEN=" + provider}
	for name, value := range composed(t, "fakeproconnect", ports) {
		fake.Env = append(fake.Env, name+"="+value)
	}
	if err := fake.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		fake.Process.Kill()
		fake.Wait()
	})
	c := startExecutable(t, filepath.Join(bin, "demarches"), composed(t, "application", ports).with("ADDR", application))
	b := newBrowser(t)
	eventually(t, "the provider is there", func() bool { return b.get(c.url+"/readyz").StatusCode == http.StatusOK })
	submit(t, b, b.get(c.url+"/agent"), "marie").wantStatus(t, 200).wantAt(t, c.url+"/agent").wantPage(t, "demo-4f1c2d9e-marie")
	if keys := redisKeys(t, redis); len(keys) != 1 {
		t.Errorf("got the keys %q in Redis, want the session", keys)
	}
	b.post(c.url+"/logout", nil).wantStatus(t, 200).wantAt(t, c.url+"/").wantPage(t, "Vous êtes déconnecté")

	t.Run("Playwright", func(t *testing.T) { testPlaywright(t, c.url, "http://"+provider) })
}

// testPlaywright runs the recipe of docs/testing.md for Playwright.
func testPlaywright(t *testing.T, application, provider string) {
	cli, err := filepath.Abs("internal/playwright/node_modules/@playwright/test/cli.js")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(cli); err != nil {
		ci.Missing(t, "Playwright is not installed: run `npm ci --prefix example/internal/playwright`")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		ci.Missing(t, "node is not installed: apt-get install nodejs")
	}
	cmd := exec.CommandContext(t.Context(), node, cli, "test", "--output", t.TempDir())
	cmd.Dir = "internal/playwright"
	cmd.Env = append(os.Environ(), "APP_URL="+application, "FAKE_URL="+provider, "CHROMIUM="+chromium.Path(t))
	output, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(output), "3 passed") {
		t.Errorf("got %v, want three tests that pass:\n%s", err, output)
	}
}
