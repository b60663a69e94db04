package main

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/agentconnect-go/agentconnect/pgxstore"
)

// postgresTable holds the sessions.
const postgresTable = "sessions"

// postgresTimeout bounds the opening of a connection. Each operation has the deadline
// of its request.
const postgresTimeout = 3 * time.Second

// openPostgres returns a store on the database of a postgres:// URL. The query of the
// URL can set options of pgx (pgxpool.ParseConfig). The first connection creates the
// table if there is none.
func openPostgres(url string) (scs.Store, func(), error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, nil, errors.New("SESSION_STORE: invalid: it is not a URL of the form postgres://user:password@host:port/database")
	}
	config.ConnConfig.ConnectTimeout = cmp.Or(config.ConnConfig.ConnectTimeout, postgresTimeout)
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		ctx, cancel := context.WithTimeout(ctx, postgresTimeout)
		defer cancel()
		return pgxstore.CreateTable(ctx, conn, postgresTable)
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, nil, errors.New("SESSION_STORE: invalid: pgx does not accept its options")
	}
	return pgxstore.New(pool, postgresTable), pool.Close, nil
}
