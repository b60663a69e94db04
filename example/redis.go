package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/alexedwards/scs/goredisstore"
	"github.com/alexedwards/scs/v2"
	"github.com/redis/go-redis/v9"
)

// redisPrefix keeps our keys apart from those of others in the same database.
const redisPrefix = "agentconnect:session:"

// openRedis returns a store on the Redis of a redis:// URL. The query of the URL can
// set options of go-redis (redis.ParseURL).
func openRedis(url string) (scs.Store, func(), error) {
	opts, err := redis.ParseURL(url)
	if err != nil {
		return nil, nil, errors.New("SESSION_STORE: invalid: it is not a URL of the form redis://user:password@host:port/db")
	}
	// A person who waits for a session waits for a page. With the driver's defaults,
	// its attempts together can take half a minute.
	opts.DialTimeout = cmp.Or(opts.DialTimeout, time.Second)
	opts.ReadTimeout = cmp.Or(opts.ReadTimeout, 2*time.Second)
	opts.WriteTimeout = cmp.Or(opts.WriteTimeout, 2*time.Second)
	opts.MaxRetries = cmp.Or(opts.MaxRetries, 1)
	opts.DialerRetries = 1
	opts.ContextTimeoutEnabled = true
	client := redis.NewClient(opts)
	return redisStore{goredisstore.NewWithPrefix(client, redisPrefix), client}, func() { _ = client.Close() }, nil
}

// redisStore is goredisstore with a correction and with the method that the library's
// check uses.
type redisStore struct {
	*goredisstore.RedisStore
	client *redis.Client
}

// CommitCtx implements scs.CtxStore. It does not store an expired session: goredisstore
// would keep it for ever.
func (s redisStore) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	if time.Until(expiry) < time.Millisecond { // the unit of Redis
		return s.DeleteCtx(ctx, token)
	}
	return s.RedisStore.CommitCtx(ctx, token, data, expiry)
}

// Durability reads the settings of Redis that let a crash or a failover bring back a
// session that a logout deleted.
func (s redisStore) Durability(ctx context.Context) (warnings []string, err error) {
	settings, err := s.client.ConfigGet(ctx, "*").Result()
	if err != nil {
		return nil, fmt.Errorf("reading the settings of Redis: %w", err)
	}
	replication, err := s.client.InfoMap(ctx, "replication").Result()
	if err != nil {
		return nil, fmt.Errorf("reading the replication of Redis: %w", err)
	}
	switch {
	case settings["appendonly"] == "yes" && settings["appendfsync"] != "always":
		warnings = append(warnings, "Redis writes its append-only file with appendfsync "+settings["appendfsync"]+
			": a crash of the machine, not of Redis alone, undoes the logouts of the last moments.")
	case settings["appendonly"] != "yes" && settings["save"] != "":
		warnings = append(warnings, "Redis keeps snapshots only: a crash undoes every logout since the last one.")
	}
	if replication["Replication"]["connected_slaves"] != "0" && settings["min-replicas-to-write"] == "0" {
		warnings = append(warnings, "Redis has replicas and min-replicas-to-write is 0: a failover to one that lags undoes the logouts that it has not received.")
	}
	return warnings, nil
}
