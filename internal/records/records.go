// Package records keeps named records in a store of scs. It hashes their keys, seals
// their content, and ends every operation in time, even if the store hangs. It knows
// nothing about their content.
package records

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/agentconnect-go/agentconnect/internal/seal"
)

const (
	// storeTimeout bounds each operation of the store.
	storeTimeout = 3 * time.Second
	// listTimeout bounds the listing of all keys.
	listTimeout = 30 * time.Second
	// shortestLife is the shortest life of a record. Stores get the remaining life, and
	// some of them keep a record with no life left for ever.
	shortestLife = time.Second
	// keyTagLen is the length of the tag of a registration in keys.
	keyTagLen = 11
)

// Unsealed, among sealing keys, stands for no sealing.
const Unsealed = "unsealed"

// ErrNotIterable is the error of a store that cannot list its sessions.
var ErrNotIterable = errors.New("it cannot list its sessions")

// errShortLife is the error of a write of a record that has expired.
var errShortLife = errors.New("the record would be over at once")

// A Store is an scs.CtxStore of named records. The name of a session's record is its
// token. All other names contain a space.
//
// Keys begin with a tag of the registration, so two registrations never share a record.
// They end with a hash of the name, so a reader of the store cannot take over a
// session. Records are sealed if there is a key. Every operation ends in a bounded
// time, even if the store hangs.
type Store struct {
	store        scs.Store
	watch        *watchdog // nil: the store is in the memory of the process
	registration [8]byte
	tag          string
	sealer       *seal.Sealer // nil: no key is given
	writesPlain  bool         // records are written as they are
	readsPlain   bool         // and such records are accepted
}

// New returns the records of a registration in a store. purpose tells this
// registration's keys and names from those of others. The first sealing key seals, and
// every key opens. Unsealed among them stands for no sealing.
func New(store scs.Store, purpose func(use string) string, sealingKeys []string) (Store, error) {
	s := Store{store: store, registration: Digest(purpose("session"))}
	s.tag = base64.RawURLEncoding.EncodeToString(s.registration[:])
	if _, inMemory := store.(*memstore.MemStore); !inMemory {
		s.watch = newWatchdog()
	}
	keys := slices.DeleteFunc(slices.Clone(sealingKeys), func(key string) bool { return key == Unsealed })
	s.readsPlain = len(keys) == 0 || len(keys) < len(sealingKeys)
	s.writesPlain = len(keys) == 0 || sealingKeys[0] == Unsealed
	if len(keys) > 0 {
		sealer, err := seal.New(purpose("session record"), keys...)
		if err != nil {
			return Store{}, err
		}
		s.sealer = sealer
	}
	return s, nil
}

// Digest shortens the text that identifies a registration or an Authenticator. It is
// not a secret. Together with a token it fits one block of the hash.
func Digest(text string) (d [8]byte) {
	sum := sha256.Sum256([]byte(text))
	copy(d[:], sum[:])
	return d
}

// Key returns the key of the record of a name.
func (s Store) Key(name string) string {
	buf := make([]byte, 0, 128) // on the stack
	sum := sha256.Sum256(append(append(buf, s.registration[:]...), name...))
	var key [keyTagLen + 1 + 43]byte
	copy(key[:], s.tag)
	key[keyTagLen] = '.'
	if strings.IndexByte(name, ' ') >= 0 {
		key[keyTagLen] = '-'
	}
	base64.RawURLEncoding.Encode(key[keyTagLen+1:], sum[:])
	return string(key[:])
}

// isSession reports whether a key belongs to a session of this registration.
func (s Store) isSession(key string) bool {
	return len(key) == keyTagLen+1+43 && key[keyTagLen] == '.' && key[:keyTagLen] == s.tag
}

// FindCtx implements scs.CtxStore. A record that does not open is not found.
func (s Store) FindCtx(ctx context.Context, name string) ([]byte, bool, error) {
	record, _, err := s.FindKey(ctx, s.Key(name))
	return record, record != nil, err
}

// FindKey returns the unsealed record, nil if it does not open, and whether there is a
// record.
func (s Store) FindKey(ctx context.Context, key string) (record []byte, found bool, err error) {
	record, found, err = s.Get(ctx, key)
	if err != nil || !found {
		return nil, false, err
	}
	return s.open(key, record), true, nil
}

// Get returns the bytes under a key as they are.
func (s Store) Get(ctx context.Context, key string) (record []byte, found bool, err error) {
	if s.watch == nil {
		return s.store.Find(key)
	}
	type answer struct {
		record []byte
		found  bool
	}
	a, err := watch(ctx, s.watch, storeTimeout, nil, func(ctx context.Context) (a answer, err error) {
		if store, ok := s.store.(scs.CtxStore); ok {
			a.record, a.found, err = store.FindCtx(ctx, key)
		} else {
			a.record, a.found, err = s.store.Find(key)
		}
		return a, err
	})
	return a.record, a.found && err == nil, err
}

// open returns the unsealed record, nil if it does not open.
func (s Store) open(key string, record []byte) []byte {
	if s.sealer != nil {
		if plain, ok := s.sealer.OpenBytes(record, key); ok {
			return plain
		}
	}
	if s.readsPlain {
		return record
	}
	return nil
}

// CommitCtx implements scs.CtxStore.
func (s Store) CommitCtx(ctx context.Context, name string, record []byte, expiry time.Time) error {
	key := s.Key(name)
	return s.Put(ctx, key, s.seal(key, record), expiry, nil)
}

// Create is CommitCtx for a new record. If the store does not confirm the write, Create
// deletes the record: it may have been written.
func (s Store) Create(ctx context.Context, name string, record []byte, expiry time.Time) error {
	key := s.Key(name)
	return s.Put(ctx, key, s.seal(key, record), expiry, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
		defer cancel()
		_ = s.deleteNow(ctx, key) // nobody has its token; if this fails, the record expires
	})
}

// seal returns a record in the form that the store keeps.
func (s Store) seal(key string, record []byte) []byte {
	if s.writesPlain {
		return record
	}
	return s.sealer.SealBytes(record, key)
}

// Put writes the bytes under a key. undo, if any, is called after a write that was not
// confirmed.
func (s Store) Put(ctx context.Context, key string, record []byte, expiry time.Time, undo func()) error {
	// Stores use the real clock, even if a test sets ours.
	if time.Until(expiry) < shortestLife {
		return errShortLife
	}
	if s.watch == nil {
		return s.store.Commit(key, record, expiry)
	}
	_, err := watch(ctx, s.watch, storeTimeout, undo, func(ctx context.Context) (struct{}, error) {
		if store, ok := s.store.(scs.CtxStore); ok {
			return struct{}{}, store.CommitCtx(ctx, key, record, expiry)
		}
		return struct{}{}, s.store.Commit(key, record, expiry)
	})
	return err
}

// DeleteCtx implements scs.CtxStore.
func (s Store) DeleteCtx(ctx context.Context, name string) error {
	return s.DeleteKey(ctx, s.Key(name))
}

// DeleteKey deletes the record under a key, if there is one.
func (s Store) DeleteKey(ctx context.Context, key string) error {
	if s.watch == nil {
		return s.store.Delete(key)
	}
	_, err := watch(ctx, s.watch, storeTimeout, nil, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, s.deleteNow(ctx, key)
	})
	return err
}

func (s Store) deleteNow(ctx context.Context, key string) error {
	if store, ok := s.store.(scs.CtxStore); ok {
		return store.DeleteCtx(ctx, key)
	}
	return s.store.Delete(key)
}

// SessionKeys lists the keys of the sessions of this registration. It keeps nothing
// else of the store's list: some stores reuse the memory that they return.
func (s Store) SessionKeys(ctx context.Context) ([]string, error) {
	list := func(ctx context.Context) (keys []string, err error) {
		var all map[string][]byte
		switch store := s.store.(type) {
		case scs.IterableCtxStore:
			all, err = store.AllCtx(ctx)
		case scs.IterableStore:
			all, err = store.All()
		default:
			return nil, ErrNotIterable
		}
		for key := range maps.Keys(all) {
			if s.isSession(key) {
				keys = append(keys, strings.Clone(key))
			}
		}
		return keys, err
	}
	if s.watch == nil {
		return list(ctx)
	}
	return watch(ctx, s.watch, listTimeout, nil, list)
}

// Find implements scs.Store.
func (s Store) Find(name string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), name)
}

// Commit implements scs.Store.
func (s Store) Commit(name string, record []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), name, record, expiry)
}

// Delete implements scs.Store.
func (s Store) Delete(name string) error {
	return s.DeleteCtx(context.Background(), name)
}
