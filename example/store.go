package main

import (
	"errors"
	"strings"

	"github.com/alexedwards/scs/v2"
)

// openStore returns the session store that SESSION_STORE names, nil for the
// library's own in memory, and how to close it. It connects to nothing: a store
// that is down delays who needs it and keeps no program from starting.
//
// Errors do not quote the value, which can hold a password, nor what the drivers
// say of it, which can quote it.
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
