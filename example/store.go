package main

import (
	"errors"
	"strings"

	"github.com/alexedwards/scs/v2"
)

// openStore returns the session store that SESSION_STORE names, or nil for the
// library's own in memory, and a function that closes it. It does not connect: a store
// that is down does not keep the program from starting.
//
// Errors do not quote the value, which can contain a password, nor the errors of the
// drivers, which can quote it.
func openStore(value string) (_ scs.Store, closeStore func(), err error) {
	scheme, _, _ := strings.Cut(value, "://")
	switch {
	case value == "" || value == "memory":
		return nil, nil, nil
	case scheme == "redis" || scheme == "rediss":
		return openRedis(value)
	case scheme == "postgres" || scheme == "postgresql":
		return openPostgres(value)
	}
	return nil, nil, errors.New("SESSION_STORE: invalid: it is not memory, redis://host:port/db or postgres://user:password@host:port/database")
}
