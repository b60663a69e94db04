package servers

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/agentconnect-go/agentconnect/example/internal/ci"
)

// Postgres is a PostgreSQL server with an empty database. Its data survives a restart.
type Postgres struct {
	// URL is the URL of the database, with the password of its owner. A restart does
	// not change it.
	URL string
	// Password is the one in the URL.
	Password string

	tb       testing.TB
	postgres string // path of the program
	dir      string
	port     int
	account  *syscall.Credential // nil: ours
	output   output
	process  *process // nil while stopped
	markers  int
}

// StartPostgres starts a PostgreSQL server, which stops at the end of the test. Any
// failure ends the test. A missing program skips or fails it: see the package.
func StartPostgres(tb testing.TB) *Postgres {
	tb.Helper()
	initdb, postgres := findProgram("initdb"), findProgram("postgres")
	if initdb == "" || postgres == "" {
		ci.Missing(tb, "PostgreSQL is not installed: apt-get install postgresql")
	}
	p := &Postgres{tb: tb, postgres: postgres, port: freePort(tb), Password: rand.Text()}
	if err := p.prepare(initdb); err != nil {
		tb.Fatalf("preparing PostgreSQL: %v", err)
	}
	p.URL = fmt.Sprintf("postgres://agentconnect:%s@127.0.0.1:%d/postgres?sslmode=disable", p.Password, p.port)
	tb.Cleanup(func() {
		p.Stop()
		if tb.Failed() {
			tb.Logf("postgres wrote:\n%s", p.output.String())
		}
	})
	p.Start()
	return p
}

// findProgram searches PATH and the directories of Debian's versions.
func findProgram(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	paths, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name) // the pattern is good
	if len(paths) == 0 {
		return ""
	}
	return slices.Max(paths)
}

// prepare makes the directory of the data. PostgreSQL refuses to run as root: under
// root, another account runs it and owns the directory.
func (p *Postgres) prepare(initdb string) error {
	// Not the test's TempDir: only its own account can enter the parent of that.
	dir, err := os.MkdirTemp("", "postgres-")
	if err != nil {
		return err
	}
	p.dir = dir
	p.tb.Cleanup(func() { os.RemoveAll(dir) })
	passwordFile := filepath.Join(dir, "password")
	if err := os.WriteFile(passwordFile, []byte(p.Password), 0o600); err != nil {
		return err
	}
	if os.Geteuid() == 0 {
		if p.account, err = unprivileged(); err != nil {
			return err
		}
		for _, path := range []string{dir, passwordFile} {
			if err := os.Chown(path, int(p.account.Uid), int(p.account.Gid)); err != nil {
				return err
			}
		}
	}
	cmd := p.command(initdb, "-D", filepath.Join(dir, "data"), "-U", "agentconnect", "--pwfile", passwordFile,
		"--auth", "scram-sha-256", "--no-locale", "-E", "UTF8", "--no-sync")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

func (p *Postgres) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = p.dir
	if p.account != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.account}
	}
	return cmd
}

// unprivileged returns the account of Debian's package, or nobody.
func unprivileged() (*syscall.Credential, error) {
	account, err := user.Lookup("postgres")
	if err != nil {
		account, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// Start starts it again after [Postgres.Stop], with its data.
func (p *Postgres) Start() {
	p.tb.Helper()
	cmd := p.command(p.postgres, "-D", filepath.Join(p.dir, "data"), "-p", strconv.Itoa(p.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off",
		"-c", "log_statement=all", "-c", "log_line_prefix=", "-c", "log_parameter_max_length=0", "-c", "logging_collector=off")
	process, err := start(cmd, &p.output, func() error { return p.Do("") })
	if err != nil {
		p.tb.Fatalf("starting PostgreSQL: %v\n%s", err, p.output.String())
	}
	p.process = process
}

// Stop ends it and its connections. Stopping twice is a no-op.
func (p *Postgres) Stop() {
	if p.process != nil {
		p.process.stop(syscall.SIGINT) // the "fast" shutdown
		p.process = nil
	}
}

// Kill ends it like a crash: it cannot write anything more.
func (p *Postgres) Kill() {
	if p.process != nil {
		p.process.stop(syscall.SIGQUIT) // the "immediate" shutdown: recovery follows
		p.process = nil
	}
}

// Do runs SQL statements on a connection of their own.
func (p *Postgres) Do(sql string) error {
	conn, err := p.Connect()
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	_, err = conn.Exec(context.Background(), sql)
	return err
}

// Connect returns a connection; the caller closes it.
func (p *Postgres) Connect() (*pgx.Conn, error) { return pgx.Connect(context.Background(), p.URL) }

// logged is how log_statement shows a statement, sent as it is or prepared.
var logged = regexp.MustCompile(`(?m)^LOG:  (?:statement|execute [^:]*): (.*)$`)

// Statements returns the first line of every statement since the start of the server,
// in order, without the pings of pgx's pool.
func (p *Postgres) Statements() []string {
	p.tb.Helper()
	// The log comes through a pipe: once the marker is there, all earlier lines are
	// there.
	p.markers++
	marker := fmt.Sprintf("SELECT 'marker %d'", p.markers)
	if err := p.Do(marker); err != nil {
		p.tb.Fatalf("reading PostgreSQL's log: %v", err)
	}
	if err := p.output.waitFor("statement: " + marker); err != nil {
		p.tb.Fatalf("reading PostgreSQL's log: %v", err)
	}
	var statements []string
	for _, match := range logged.FindAllStringSubmatch(p.output.String(), -1) {
		if s := strings.TrimSpace(match[1]); s != "" && s != "-- ping" && !strings.HasPrefix(s, "SELECT 'marker") {
			statements = append(statements, s)
		}
	}
	return statements
}
