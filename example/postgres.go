package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/alexedwards/scs/pgxstore"
	"github.com/alexedwards/scs/v2"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// postgresTimeout bounds each operation, whatever happened to the server.
const postgresTimeout = 3 * time.Second

// openPostgres returns a store on the database of a postgres:// URL, whose query
// can set the options of pgx (pgxpool.ParseConfig). The table is made by the first
// connection that does not find it.
func openPostgres(url string) (scs.Store, func(), error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, nil, errors.New("SESSION_STORE: invalid: it is not a URL of the form postgres://user:password@host:port/database")
	}
	config.ConnConfig.ConnectTimeout = cmp.Or(config.ConnConfig.ConnectTimeout, postgresTimeout)
	config.PingTimeout = cmp.Or(config.PingTimeout, postgresTimeout)
	config.AfterConnect = createTable
	// pgxstore takes no context, so nothing but a deadline on the connection ends
	// its wait for a server that went silent.
	config.PrepareConn = func(_ context.Context, conn *pgx.Conn) (bool, error) {
		return conn.PgConn().Conn().SetDeadline(time.Now().Add(postgresTimeout)) == nil, nil
	}
	config.AfterRelease = func(conn *pgx.Conn) bool {
		return conn.PgConn().Conn().SetDeadline(time.Time{}) == nil
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, nil, errors.New("SESSION_STORE: invalid: pgx does not accept its options")
	}
	return pgxstore.New(pool), pool.Close, nil
}

// createTable makes the table that pgxstore expects, unless it exists. An account
// that may not create tables needs one made beforehand.
func createTable(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, postgresTimeout)
	defer cancel()
	var exists bool
	if err := conn.QueryRow(ctx, "SELECT to_regclass('sessions') IS NOT NULL").Scan(&exists); err != nil || exists {
		return err
	}
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		// IF NOT EXISTS alone fails when two connections get there at once.
		_, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext('agentconnect sessions'));
			CREATE TABLE IF NOT EXISTS sessions (token TEXT PRIMARY KEY, data BYTEA NOT NULL, expiry TIMESTAMPTZ NOT NULL);
			CREATE INDEX IF NOT EXISTS sessions_expiry_idx ON sessions (expiry)`)
		return err
	})
	if err != nil {
		return fmt.Errorf("creating the table sessions: %w", err)
	}
	return nil
}
