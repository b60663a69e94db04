package main

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

// checked runs the check in this process and returns its exit status and its
// standard output.
func checked(t *testing.T, env environment) (status int, output string) {
	t.Helper()
	env.set(t)
	var stdout, stderr syncBuffer
	status = check(t.Context(), &stdout, &stderr)
	if all := stdout.String() + stderr.String(); strings.Contains(all, secret) {
		t.Errorf("got the secret in the output: %s", all)
	}
	return status, stdout.String()
}

func TestCheck(t *testing.T) {
	provider := agentconnecttest.NewServer(t, agentconnecttest.WithClient(agentconnecttest.Client{ID: "fs", Secret: secret}))
	provider.SetRedirectURIs("http://localhost:8080/callback")
	provider.SetPostLogoutRedirectURIs("http://localhost:8080/logout/callback")
	good := settings(provider.Issuer).with("ADDR", "127.0.0.1:8080")
	for _, test := range []struct {
		name   string
		env    environment
		status int
		// what the output says, spaces apart
		want []string
	}{
		{"the embedded provider", nil, 0, []string{"ok registration the provider knows", "problems: 0"}},
		{"the embedded provider at a port to be chosen", environment{"ADDR": "127.0.0.1:0"}, 0, []string{"problems: 0"}},
		{"a provider", good, 0, []string{"ok client_id and client_secret accepted", "ok session store", "problems: 0"}},
		{"a wrong secret", good.with("AGENTCONNECT_CLIENT_SECRET", "another-"+secret), 1, []string{"problem client_id and client_secret", "→"}},
		{"a port that is not registered", good.with("ADDR", "127.0.0.1:8081"), 1, []string{"problem registration", "→"}},
		{"a provider that is away", settings("http://" + freeAddress(t) + "/api/v2"), 1, []string{"problem discovery", "→"}},
		{"a store that is away", good.with("SESSION_STORE", "redis://"+freeAddress(t)+"/0"), 1, []string{"problem session store", "→"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, output := checked(t, test.env)
			if status != test.status {
				t.Errorf("got exit status %d, want %d", status, test.status)
			}
			words := strings.Join(strings.Fields(output), " ")
			for _, want := range test.want {
				if !strings.Contains(words, want) {
					t.Errorf("got %s, want %q in it", output, want)
				}
			}
		})
	}
}

func TestCheckOfAWrongEnvironment(t *testing.T) {
	status, output := checked(t, environment{"AGENTCONNECT_SCOPES": "email"})
	if status != exitConfig || output != "" {
		t.Errorf("got exit status %d and %q, want %d and nothing", status, output, exitConfig)
	}
}

// TestArguments runs the program as a shell does, beside one that listens at the
// same address.
func TestArguments(t *testing.T) {
	t.Parallel()
	running, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { running.Close() })
	for _, test := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"check"}, 0, `ok +discovery`},
		{[]string{"chek"}, 2, `only argument .* check`},
		{[]string{"check", "twice"}, 2, `only argument .* check`},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], test.args...)
			cmd.Env = []string{asProgram + "=1", "ADDR=" + running.Addr().String()}
			output, err := cmd.CombinedOutput()
			if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			if got := cmd.ProcessState.ExitCode(); got != test.status {
				t.Errorf("got exit status %d, want %d", got, test.status)
			}
			if !regexp.MustCompile(test.want).Match(output) {
				t.Errorf("got %s, want %q in it", output, test.want)
			}
		})
	}
}
