// Package pgxstore keeps sessions in PostgreSQL, with the context of each request.
//
// It is a store for [scs], and so for [agentconnect.WithSessionStore]. Every
// operation ends when its context ends, even while it waits for a connection of an
// exhausted pool. agentconnect gives each operation three seconds.
//
//	pool, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
//	…
//	if err := pgxstore.CreateTable(ctx, pool, "sessions"); err != nil {
//		…
//	}
//	auth, err := agentconnect.New(
//		agentconnect.WithSessionStore(pgxstore.New(pool, "sessions")),
//		…
//
// # The table
//
// [CreateTable] creates it. If the application's account may not create tables, run
// this once instead:
//
//	CREATE TABLE sessions (token TEXT PRIMARY KEY, data BYTEA NOT NULL, expiry TIMESTAMPTZ NOT NULL);
//	CREATE INDEX sessions_expiry_idx ON sessions (expiry);
//
// The account needs SELECT, INSERT, UPDATE and DELETE on it. The store with the same
// name in scs's repository uses the same table: an application that changes from one to
// the other keeps its sessions.
//
// # Expired sessions
//
// A session ends by the clock of the database. Its row is deleted later: each Commit
// also deletes some expired rows, so the table does not grow. There is no background
// goroutine. [Store.DeleteExpired] deletes all expired rows at once. Call it every
// night, for example, so that a service that is rarely used does not keep personal data
// too long.
//
// # What a crash can undo
//
// A logout deletes a row. With PostgreSQL's defaults, the row stays deleted after a
// crash. [Store.Durability] reports the settings that weaken this.
//
// [scs]: https://pkg.go.dev/github.com/alexedwards/scs/v2
// [agentconnect.WithSessionStore]: https://pkg.go.dev/github.com/agentconnect-go/agentconnect#WithSessionStore
package pgxstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// expiredPerCommit is how many expired rows a Commit deletes at most. A Commit adds one
// row, so any number above one makes the table shrink.
const expiredPerCommit = 10

// A Store keeps sessions in a table. It implements scs.CtxStore,
// scs.IterableCtxStore and scs.IterableStore. It is safe for concurrent use.
type Store struct {
	pool                       *pgxpool.Pool
	find, all, commit, destroy string // SQL
	clean                      string
}

// New returns a store on a table. The name of the table may have a schema
// ("demarches.sessions"). New does not connect: a database that is down does not keep
// an application from starting. The caller closes the pool.
func New(pool *pgxpool.Pool, table string) *Store {
	name := identifier(table).Sanitize()
	expired := fmt.Sprintf("SELECT token FROM %s WHERE expiry <= current_timestamp", name)
	return &Store{
		pool:    pool,
		find:    fmt.Sprintf("SELECT data FROM %s WHERE token = $1 AND expiry > current_timestamp", name),
		all:     fmt.Sprintf("SELECT token, data FROM %s WHERE expiry > current_timestamp", name),
		destroy: fmt.Sprintf("DELETE FROM %s WHERE token = $1", name),
		clean:   fmt.Sprintf("DELETE FROM %s WHERE expiry <= current_timestamp", name),
		// SKIP LOCKED: two instances never wait for each other here.
		commit: fmt.Sprintf(`WITH cleaned AS (
				DELETE FROM %[1]s WHERE token IN (%[2]s AND token <> $1 LIMIT %[3]d FOR UPDATE SKIP LOCKED)
			)
			INSERT INTO %[1]s (token, data, expiry) VALUES ($1, $2, $3)
			ON CONFLICT (token) DO UPDATE SET data = excluded.data, expiry = excluded.expiry`, name, expired, expiredPerCommit),
	}
}

// identifier splits a table's name into its schema, if it has one, and the rest.
func identifier(table string) pgx.Identifier { return strings.Split(table, ".") }

// FindCtx implements scs.CtxStore.
func (s *Store) FindCtx(ctx context.Context, token string) (data []byte, found bool, err error) {
	err = s.pool.QueryRow(ctx, s.find, token).Scan(&data)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("pgxstore: finding a session: %w", err)
	}
	return data, true, nil
}

// CommitCtx implements scs.CtxStore.
func (s *Store) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	if data == nil {
		data = []byte{} // not NULL
	}
	if _, err := s.pool.Exec(ctx, s.commit, token, data, expiry); err != nil {
		return fmt.Errorf("pgxstore: keeping a session: %w", err)
	}
	return nil
}

// DeleteCtx implements scs.CtxStore.
func (s *Store) DeleteCtx(ctx context.Context, token string) error {
	if _, err := s.pool.Exec(ctx, s.destroy, token); err != nil {
		return fmt.Errorf("pgxstore: deleting a session: %w", err)
	}
	return nil
}

// AllCtx implements scs.IterableCtxStore: it reads every session that has not
// expired. The caller owns the map and the bytes in it.
func (s *Store) AllCtx(ctx context.Context) (map[string][]byte, error) {
	rows, err := s.pool.Query(ctx, s.all)
	if err != nil {
		return nil, fmt.Errorf("pgxstore: listing the sessions: %w", err)
	}
	sessions := map[string][]byte{}
	var token string
	var data []byte
	_, err = pgx.ForEachRow(rows, []any{&token, &data}, func() error {
		sessions[token] = data
		data = nil // the next row gets memory of its own
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("pgxstore: listing the sessions: %w", err)
	}
	return sessions, nil
}

// Find implements scs.Store, with a context that does not end: use FindCtx.
func (s *Store) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

// Commit implements scs.Store, with a context that does not end: use CommitCtx.
func (s *Store) Commit(token string, data []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, data, expiry)
}

// Delete implements scs.Store, with a context that does not end: use DeleteCtx.
func (s *Store) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }

// All implements scs.IterableStore, with a context that does not end: use AllCtx.
func (s *Store) All() (map[string][]byte, error) { return s.AllCtx(context.Background()) }

// DeleteExpired deletes the rows of all sessions that have expired.
func (s *Store) DeleteExpired(ctx context.Context) error {
	if _, err := s.pool.Exec(ctx, s.clean); err != nil {
		return fmt.Errorf("pgxstore: deleting expired sessions: %w", err)
	}
	return nil
}

// Durability finds the settings of the server with which a crash or a failover can
// bring back a session that a logout deleted. It returns a sentence in English for
// each, and none if a confirmed logout is safe.
func (s *Store) Durability(ctx context.Context) (warnings []string, err error) {
	var fsync, commit, standbys string
	var replicas int
	err = s.pool.QueryRow(ctx, `SELECT current_setting('fsync'), current_setting('synchronous_commit'),
		current_setting('synchronous_standby_names'), (SELECT count(*) FROM pg_stat_replication)`).
		Scan(&fsync, &commit, &standbys, &replicas)
	if err != nil {
		return nil, fmt.Errorf("pgxstore: reading the settings: %w", err)
	}
	if fsync == "off" {
		warnings = append(warnings, "PostgreSQL runs with fsync=off: a crash of the machine can lose or corrupt sessions and undo logouts.")
	}
	if commit == "off" {
		warnings = append(warnings, "PostgreSQL runs with synchronous_commit=off: a crash of the server undoes the logouts of the last moments.")
	}
	if replicas > 0 && standbys == "" {
		warnings = append(warnings, "PostgreSQL has a replica that is not in synchronous_standby_names: a failover to it undoes the logouts that it has not received.")
	}
	return warnings, nil
}

// CreateTable creates the table and its index, unless the table exists. Any number of
// instances may call it at once. db is a *pgxpool.Pool or a *pgx.Conn. Call it with a
// *pgx.Conn in pgxpool.Config.AfterConnect to create the table as soon as the database
// answers.
func CreateTable(ctx context.Context, db interface {
	Begin(ctx context.Context) (pgx.Tx, error)
}, table string) error {
	id := identifier(table)
	name, index := id.Sanitize(), pgx.Identifier{id[len(id)-1] + "_expiry_idx"}.Sanitize()
	err := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		var exists bool
		if err := tx.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", name).Scan(&exists); err != nil || exists {
			return err
		}
		// IF NOT EXISTS alone fails when two connections get here at once.
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", "pgxstore "+name); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %[1]s (token TEXT PRIMARY KEY, data BYTEA NOT NULL, expiry TIMESTAMPTZ NOT NULL);
			CREATE INDEX IF NOT EXISTS %[2]s ON %[1]s (expiry)`, name, index))
		return err
	})
	if err != nil {
		return fmt.Errorf("pgxstore: creating the table %s: %w", name, err)
	}
	return nil
}
