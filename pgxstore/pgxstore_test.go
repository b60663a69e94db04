package pgxstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/agentconnect-go/agentconnect/pgxstore"
)

var (
	_ scs.CtxStore         = (*pgxstore.Store)(nil)
	_ scs.IterableCtxStore = (*pgxstore.Store)(nil)
	_ scs.IterableStore    = (*pgxstore.Store)(nil)
)

// newStore returns a store on a new table of the server.
func newStore(t *testing.T, pool *pgxpool.Pool, table string) *pgxstore.Store {
	t.Helper()
	if err := pgxstore.CreateTable(context.Background(), pool, table); err != nil {
		t.Fatal(err)
	}
	return pgxstore.New(pool, table)
}

func rows(t *testing.T, pool *pgxpool.Pool, table string) (count int) {
	t.Helper()
	if err := pool.QueryRow(context.Background(), "SELECT count(*) FROM "+table).Scan(&count); err != nil {
		t.Fatal(err)
	}
	return count
}

func TestStore(t *testing.T) {
	t.Parallel()
	pool := startServer(t, "fsync=off").pool(t)
	ctx := context.Background()
	later, past := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)

	wantFound := func(t *testing.T, s *pgxstore.Store, token string, want []byte) {
		t.Helper()
		for name, find := range map[string]func() ([]byte, bool, error){
			"FindCtx": func() ([]byte, bool, error) { return s.FindCtx(ctx, token) },
			"Find":    func() ([]byte, bool, error) { return s.Find(token) },
		} {
			got, found, err := find()
			if err != nil || found != (want != nil) || !bytes.Equal(got, want) {
				t.Errorf("%s: got %q, %v, %v, want %q", name, got, found, err, want)
			}
		}
	}

	t.Run("kept, replaced, deleted", func(t *testing.T) {
		s := newStore(t, pool, "kept")
		wantFound(t, s, "a", nil)
		for _, data := range []string{"first", "second\x00\xff", ""} {
			if err := s.CommitCtx(ctx, "a", []byte(data), later); err != nil {
				t.Fatal(err)
			}
			wantFound(t, s, "a", []byte(data))
		}
		if err := s.Commit("b", []byte("other"), later); err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time there is nothing to delete, which is no error
			if err := s.DeleteCtx(ctx, "a"); err != nil {
				t.Fatal(err)
			}
			wantFound(t, s, "a", nil)
		}
		wantFound(t, s, "b", []byte("other"))
		if err := s.Delete("b"); err != nil {
			t.Fatal(err)
		}
		wantFound(t, s, "b", nil)
	})

	t.Run("expired", func(t *testing.T) {
		s := newStore(t, pool, "expired")
		if err := s.CommitCtx(ctx, "a", []byte("data"), past); err != nil {
			t.Fatal(err)
		}
		wantFound(t, s, "a", nil)
		if all, err := s.AllCtx(ctx); err != nil || all == nil || len(all) > 0 {
			t.Errorf("got %v, %v, want an empty map", all, err)
		}
		// A session of the same token may come back to life.
		if err := s.CommitCtx(ctx, "a", []byte("again"), later); err != nil {
			t.Fatal(err)
		}
		wantFound(t, s, "a", []byte("again"))
	})

	t.Run("all", func(t *testing.T) {
		s := newStore(t, pool, "listed")
		want := map[string]string{}
		for i := range 50 {
			token := fmt.Sprint("token-", i)
			want[token] = strings.Repeat(fmt.Sprint(i, " "), 100)
			if err := s.CommitCtx(ctx, token, []byte(want[token]), later); err != nil {
				t.Fatal(err)
			}
		}
		for name, list := range map[string]func() (map[string][]byte, error){
			"AllCtx": func() (map[string][]byte, error) { return s.AllCtx(ctx) },
			"All":    s.All,
		} {
			all, err := list()
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for token, data := range all {
				got[token] = string(data)
			}
			if !maps.Equal(got, want) {
				t.Errorf("%s: got %d sessions, want the %d with their own data", name, len(got), len(want))
			}
		}
	})

	t.Run("expired rows go", func(t *testing.T) {
		s := newStore(t, pool, "cleaned")
		_, err := pool.Exec(ctx, "INSERT INTO cleaned SELECT 'old-' || i, '', now() - interval '1 hour' FROM generate_series(1, 95) i")
		if err != nil {
			t.Fatal(err)
		}
		for i := range 10 {
			if err := s.CommitCtx(ctx, fmt.Sprint("new-", i), []byte("data"), later); err != nil {
				t.Fatal(err)
			}
		}
		if got := rows(t, pool, "cleaned"); got != 10 {
			t.Errorf("got %d rows after ten commits, want the ten new ones", got)
		}
		if _, err := pool.Exec(ctx, "UPDATE cleaned SET expiry = now() WHERE token < 'new-5'"); err != nil {
			t.Fatal(err)
		}
		if err := s.DeleteExpired(ctx); err != nil {
			t.Fatal(err)
		}
		if got := rows(t, pool, "cleaned"); got != 5 {
			t.Errorf("got %d rows after DeleteExpired, want the five that live", got)
		}
	})

	t.Run("expired rows that another transaction holds are waited for by nobody", func(t *testing.T) {
		s := newStore(t, pool, "held")
		if err := s.CommitCtx(ctx, "old", nil, past); err != nil {
			t.Fatal(err)
		}
		tx, err := pool.Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback(ctx)
		if _, err := tx.Exec(ctx, "SELECT * FROM held FOR UPDATE"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if err := s.CommitCtx(ctx, "new", []byte("data"), later); err != nil {
			t.Errorf("got %v, want the session kept", err)
		}
	})

	t.Run("names that need quotes", func(t *testing.T) {
		if _, err := pool.Exec(ctx, `CREATE SCHEMA "Démarches"`); err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{"Démarches.user", `odd"; DROP TABLE kept; --`} {
			s := newStore(t, pool, table)
			if err := s.CommitCtx(ctx, "a", []byte("data"), later); err != nil {
				t.Fatal(err)
			}
			wantFound(t, s, "a", []byte("data"))
		}
		if got := rows(t, pool, "kept"); got != 0 {
			t.Errorf("got %d rows", got)
		}
	})

	t.Run("no table", func(t *testing.T) {
		s := pgxstore.New(pool, "absent")
		_, _, findErr := s.FindCtx(ctx, "a")
		_, allErr := s.AllCtx(ctx)
		for name, err := range map[string]error{
			"FindCtx": findErr, "AllCtx": allErr, "CommitCtx": s.CommitCtx(ctx, "a", nil, later),
			"DeleteCtx": s.DeleteCtx(ctx, "a"), "DeleteExpired": s.DeleteExpired(ctx),
		} {
			if err == nil || !strings.HasPrefix(err.Error(), "pgxstore: ") {
				t.Errorf("%s: got %v, want an error that says where it comes from", name, err)
			}
		}
	})
}

// TestCreateTable has many instances find no table at the same moment, on pools and
// on single connections. The documented SQL makes the same table.
func TestCreateTable(t *testing.T) {
	t.Parallel()
	s := startServer(t, "fsync=off")
	pool := s.pool(t)
	ctx := context.Background()
	var wait sync.WaitGroup
	failures := make([]error, 20)
	for i := range failures {
		wait.Go(func() {
			if i%2 == 0 {
				failures[i] = pgxstore.CreateTable(ctx, pool, "sessions")
				return
			}
			conn, err := pgx.Connect(ctx, s.url)
			if err != nil {
				failures[i] = err
				return
			}
			defer conn.Close(ctx)
			failures[i] = pgxstore.CreateTable(ctx, conn, "sessions")
		})
	}
	wait.Wait()
	if err := errors.Join(failures...); err != nil {
		t.Errorf("got %v, want the table", err)
	}
	made := describe(t, pool)
	if _, err := pool.Exec(ctx, "DROP TABLE sessions"); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(ctx, documentedSQL(t)); err != nil {
		t.Fatalf("the documented SQL: %v", err)
	}
	if got := describe(t, pool); !slices.Equal(got, made) {
		t.Errorf("got %q by the documented SQL, want what CreateTable makes, %q", got, made)
	}
}

// describe returns the columns and indexes of the table.
func describe(t *testing.T, pool *pgxpool.Pool) []string {
	t.Helper()
	rows, err := pool.Query(context.Background(), `SELECT column_name || ' ' || data_type || ' ' || is_nullable FROM information_schema.columns WHERE table_name = 'sessions'
		UNION SELECT indexdef FROM pg_indexes WHERE tablename = 'sessions' ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) != 5 {
		t.Errorf("got %q, want three columns and two indexes", lines)
	}
	return lines
}

// documentedSQL returns the statements of the package's comment.
func documentedSQL(t *testing.T) string {
	t.Helper()
	source, err := os.ReadFile("pgxstore.go")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for line := range strings.Lines(string(source)) {
		if sql, ok := strings.CutPrefix(line, "//\tCREATE "); ok {
			b.WriteString("CREATE " + sql)
		}
	}
	return b.String()
}

// TestLockedTable has sixty requests at once on a table that somebody has locked,
// many more than the pool has connections: all are answered when their context
// ends, and the pool works again once the lock is gone.
func TestLockedTable(t *testing.T) {
	t.Parallel()
	const (
		requests = 60
		deadline = 500 * time.Millisecond
		slack    = 2 * time.Second // for a busy machine
	)
	server := startServer(t, "fsync=off")
	pool := server.pool(t)
	s := newStore(t, pool, "sessions")
	ctx := context.Background()
	if err := s.CommitCtx(ctx, "a", []byte("data"), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	lock, err := pgx.Connect(ctx, server.url)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close(ctx)
	if _, err := lock.Exec(ctx, "BEGIN; LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	if max := pool.Config().MaxConns; max >= requests {
		t.Fatalf("got a pool of %d connections, want fewer than requests", max)
	}
	operations := []func(context.Context) error{
		func(ctx context.Context) error { _, _, err := s.FindCtx(ctx, "a"); return err },
		func(ctx context.Context) error { return s.CommitCtx(ctx, "b", nil, time.Now()) },
		func(ctx context.Context) error { return s.DeleteCtx(ctx, "a") },
		func(ctx context.Context) error { _, err := s.AllCtx(ctx); return err },
	}
	began := time.Now()
	var wait sync.WaitGroup
	for i := range requests {
		wait.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, deadline)
			defer cancel()
			err := operations[i%len(operations)](ctx)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("request %d: got %v, want the deadline", i, err)
			}
			if got := time.Since(began); got > deadline+slack {
				t.Errorf("request %d: answered after %v, want %v", i, got, deadline)
			}
		})
	}
	wait.Wait()
	if _, err := lock.Exec(ctx, "COMMIT"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if data, found, err := s.FindCtx(ctx, "a"); err != nil || !found || string(data) != "data" {
		t.Errorf("got %q, %v, %v after the lock, want the session", data, found, err)
	}
}

// TestDurability reads the settings of real servers.
func TestDurability(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		settings []string
		want     []string // a part of each warning
	}{
		{"PostgreSQL's defaults", nil, nil},
		{"no fsync, no waiting", []string{"fsync=off", "synchronous_commit=off"}, []string{"fsync=off", "synchronous_commit=off"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := pgxstore.New(startServer(t, tt.settings...).pool(t), "sessions")
			got, err := s.Durability(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(tt.want) {
				t.Fatalf("got %q, want %d warnings", got, len(tt.want))
			}
			for i, want := range tt.want {
				if !strings.Contains(got[i], want) {
					t.Errorf("got %q, want %s named", got[i], want)
				}
			}
		})
	}
}
