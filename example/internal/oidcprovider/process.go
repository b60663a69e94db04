package oidcprovider

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// patience bounds each answer of the process. The first one includes the start of Node.
const patience = 30 * time.Second

// process is a running `node provider.mjs`.
type process struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
}

// installed returns the directory of provider.mjs, or an error with the command to run.
// It searches upwards from the working directory, which is the directory of the package
// under test. This also works in a binary built with -trimpath, unlike the path of a
// source file.
func installed() (string, error) {
	if _, err := exec.LookPath("node"); err != nil {
		return "", errors.New("node is not installed: install Node 20 or later, then run `npm ci --prefix example/internal/oidcprovider`")
	}
	root, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		dir := filepath.Join(root, "internal", "oidcprovider")
		if _, err := os.Stat(filepath.Join(dir, "provider.mjs")); err == nil {
			if _, err := os.Stat(filepath.Join(dir, "node_modules", "oidc-provider")); err != nil {
				return "", errors.New("the npm package oidc-provider is not installed: run `npm ci --prefix example/internal/oidcprovider`")
			}
			return dir, nil
		}
		parent := filepath.Dir(root)
		if parent == root {
			return "", errors.New("internal/oidcprovider is not above the working directory: run `go test` from the example's module")
		}
		root = parent
	}
}

// run starts the process. It waits for its configuration. Its standard error goes to
// log.
func run(dir string, log io.Writer) (*process, error) {
	cmd := exec.Command("node", "provider.mjs")
	cmd.Dir = dir
	cmd.Stderr = log
	// A launcher in front of node may leave a child that holds our pipes; do not wait for it: it
	// ends by itself, since its standard input does.
	cmd.WaitDelay = patience
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &process{cmd: cmd, stdin: stdin, stdout: bufio.NewReader(stdout)}, nil
}

// configure sends settings and returns the port that the process listens on and its private keys.
func (p *process) configure(next settings) (port int, jwks json.RawMessage, err error) {
	// Both pipes close when the process ends, and then the write and the read below
	// return.
	timer := time.AfterFunc(patience, func() { p.cmd.Process.Kill() })
	defer timer.Stop()
	if err := json.NewEncoder(p.stdin).Encode(next); err != nil {
		return 0, nil, fmt.Errorf("configuring the OpenID provider: %w", err)
	}
	line, err := p.stdout.ReadBytes('\n')
	if err != nil {
		return 0, nil, fmt.Errorf("the OpenID provider ended, or said nothing in %v: %w", patience, err)
	}
	var answer struct {
		Port  int             `json:"port"`
		JWKS  json.RawMessage `json:"jwks"`
		Error string          `json:"error"`
	}
	if err := json.Unmarshal(line, &answer); err != nil {
		return 0, nil, fmt.Errorf("reading the OpenID provider's answer: %w", err)
	}
	if answer.Error != "" {
		return 0, nil, fmt.Errorf("the OpenID provider refuses its configuration: %s", answer.Error)
	}
	return answer.Port, answer.JWKS, nil
}

// kill ends the process and waits for it, so that it leaves no zombie.
func (p *process) kill() {
	// Ignore both errors: the process may have ended before, and its status is that of
	// a killed process.
	p.cmd.Process.Kill()
	p.cmd.Wait()
}
