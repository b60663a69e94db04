package servers

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/agentconnect-go/agentconnect/example/internal/ci"
)

// Redis is a redis-server. Its data survives a restart.
type Redis struct {
	// URL is that of database 0, redis://127.0.0.1:PORT/0. A restart does not change it.
	URL string
	// Client is for the test's own commands.
	Client *redis.Client

	tb       testing.TB
	settings []string
	port     int
	dir      string
	output   output
	process  *process // nil while stopped
}

// StartRedis starts a redis-server, which stops at the end of the test. It writes every
// change to the disk before it confirms it, unless settings ("--appendonly", "no")
// change that. Any failure ends the test. A missing program skips or fails it: see the
// package.
func StartRedis(tb testing.TB, settings ...string) *Redis {
	tb.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		ci.Missing(tb, "redis-server is not installed: apt-get install redis-server")
	}
	r := &Redis{tb: tb, settings: settings, port: freePort(tb), dir: tb.TempDir()}
	address := "127.0.0.1:" + strconv.Itoa(r.port)
	r.URL = "redis://" + address + "/0"
	r.Client = redis.NewClient(&redis.Options{Addr: address, MaxRetries: -1, DialerRetries: 1})
	tb.Cleanup(func() {
		_ = r.Client.Close()
		r.Stop()
		if tb.Failed() {
			tb.Logf("redis-server wrote:\n%s", r.output.String())
		}
	})
	r.Start()
	return r
}

// Start starts it again after [Redis.Stop], with its data.
func (r *Redis) Start() {
	r.tb.Helper()
	args := []string{"--bind", "127.0.0.1", "--port", strconv.Itoa(r.port),
		"--dir", r.dir, "--save", "", "--appendonly", "yes", "--appendfsync", "always"}
	cmd := exec.Command("redis-server", append(args, r.settings...)...)
	process, err := start(cmd, &r.output, func() error {
		// Not go-redis at once, which writes to standard error that it was refused.
		conn, err := net.Dial("tcp", r.Client.Options().Addr)
		if err != nil {
			return err
		}
		_ = conn.Close()
		return r.Client.Ping(context.Background()).Err()
	})
	if err != nil {
		r.tb.Fatalf("starting Redis: %v\n%s", err, r.output.String())
	}
	r.process = process
}

// Stop ends it: connections are refused from then on. Stopping twice is a no-op.
func (r *Redis) Stop() {
	if r.process != nil {
		r.Thaw()
		r.process.stop(syscall.SIGTERM)
		r.process = nil
	}
}

// Kill ends it like a crash: it cannot write anything more.
func (r *Redis) Kill() {
	if r.process != nil {
		r.process.stop(syscall.SIGKILL)
		r.process = nil
	}
}

// Freeze suspends it: connections stay open, without answers.
func (r *Redis) Freeze() { _ = r.process.cmd.Process.Signal(syscall.SIGSTOP) }

// Thaw ends [Redis.Freeze].
func (r *Redis) Thaw() { _ = r.process.cmd.Process.Signal(syscall.SIGCONT) }

// Commands returns how often each command was called since the start, from INFO
// commandstats. It leaves out the commands that open connections and those of the
// counting itself.
func (r *Redis) Commands() map[string]int {
	r.tb.Helper()
	info, err := r.Client.Info(context.Background(), "commandstats").Result()
	if err != nil {
		r.tb.Fatalf("counting Redis commands: %v", err)
	}
	counts := map[string]int{}
	for line := range strings.Lines(info) {
		name, stats, found := strings.Cut(strings.TrimSpace(line), ":")
		name, isStat := strings.CutPrefix(name, "cmdstat_")
		switch {
		case !found, !isStat, name == "info", name == "hello", name == "ping", strings.HasPrefix(name, "client|"):
			continue
		}
		var calls int
		if _, err := fmt.Sscanf(stats, "calls=%d,", &calls); err != nil {
			r.tb.Fatalf("counting Redis commands: got %q: %v", line, err)
		}
		counts[name] = calls
	}
	return counts
}
