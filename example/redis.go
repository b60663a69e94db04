package main

import (
	"cmp"
	"errors"
	"time"

	"github.com/alexedwards/scs/goredisstore"
	"github.com/alexedwards/scs/v2"
	"github.com/redis/go-redis/v9"
)

// redisPrefix keeps our keys apart from those of others in the same database.
const redisPrefix = "agentconnect:session:"

// openRedis returns a store on the Redis of a redis:// URL, whose query can set
// the options of go-redis (redis.ParseURL).
func openRedis(url string) (scs.Store, func(), error) {
	opts, err := redis.ParseURL(url)
	if err != nil {
		return nil, nil, errors.New("SESSION_STORE: invalid: it is not a URL of the form redis://user:password@host:port/db")
	}
	// Who waits for a session waits for a page. The driver's own patience, with its
	// attempts multiplied by one another, is half a minute.
	opts.DialTimeout = cmp.Or(opts.DialTimeout, time.Second)
	opts.ReadTimeout = cmp.Or(opts.ReadTimeout, 2*time.Second)
	opts.WriteTimeout = cmp.Or(opts.WriteTimeout, 2*time.Second)
	opts.MaxRetries = cmp.Or(opts.MaxRetries, 1)
	opts.DialerRetries = 1
	opts.ContextTimeoutEnabled = true
	client := redis.NewClient(opts)
	return goredisstore.NewWithPrefix(client, redisPrefix), func() { _ = client.Close() }, nil
}
