// Package servers starts a real Redis and a real PostgreSQL for tests. Each has a free
// loopback port, and a directory for its data that is removed at the end of the test.
//
// If a program is not installed, a test is skipped, or fails if the environment has
// CI=true.
package servers

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds the start and the end of a server.
const patience = 30 * time.Second

// freePort returns a free loopback port.
func freePort(tb testing.TB) int {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// process is a server that runs, or ran.
type process struct {
	cmd    *exec.Cmd
	output *output
	done   chan struct{} // closed when it ended
}

// start runs cmd until up returns nil.
func start(cmd *exec.Cmd, output *output, up func() error) (*process, error) {
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, output: output, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // its status depends on how it was stopped
		close(p.done)
	}()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	deadline := time.After(patience)
	for {
		err := up()
		if err == nil {
			return p, nil
		}
		select {
		case <-poll.C:
		case <-p.done:
			return nil, fmt.Errorf("%s ended at once", cmd.Path)
		case <-deadline:
			p.stop(syscall.SIGKILL)
			return nil, fmt.Errorf("%s does not answer after %v: %w", cmd.Path, patience, err)
		}
	}
}

// stop sends a signal and waits for the end.
func (p *process) stop(signal syscall.Signal) {
	// An error means that it has already ended.
	_ = p.cmd.Process.Signal(signal)
	select {
	case <-p.done:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// output is the output of a server. It can be read while the server writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

// String returns the output so far.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// waitFor waits for text in the output.
func (o *output) waitFor(text string) error {
	deadline := time.Now().Add(patience)
	for !strings.Contains(o.String(), text) {
		if time.Now().After(deadline) {
			return errors.New("not in the output: " + text)
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}
