package agentconnect

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/seal"
	"github.com/alexedwards/scs/v2"
)

// storeTimeout bounds each operation of a store that takes a context.
const storeTimeout = 3 * time.Second

// recordStore is the store as this package uses it, and as scs's manager is
// given it. Keys are hashes of tokens, so that who reads the store can log in as
// nobody, and of the registration, so that no other one takes its sessions for its
// own. Records are sealed if there is a key. Every operation ends in a bounded
// time where the store can be interrupted.
type recordStore struct {
	store        scs.Store
	registration [8]byte
	sealer       *seal.Sealer // nil: records are kept as they are
}

// registrationOf tells registrations apart: not a secret, and short, so that with
// a token it fits one block of the hash.
func registrationOf(c *config) (r [8]byte) {
	sum := sha256.Sum256([]byte(c.purpose("session")))
	copy(r[:], sum[:])
	return r
}

// key returns the key under which the record of a token is kept.
func (s recordStore) key(token string) string {
	buf := make([]byte, 0, 128) // on the stack
	sum := sha256.Sum256(append(append(buf, s.registration[:]...), token...))
	var key [43]byte
	base64.RawURLEncoding.Encode(key[:], sum[:])
	return string(key[:])
}

// loginID is what a session remembers of where it comes from: half of it is the
// registration's, half the login's state.
func (s recordStore) loginID(state string) (id [16]byte) {
	f := fingerprint(state)
	copy(id[:8], s.registration[:])
	copy(id[8:], f[:])
	return id
}

// owns reports whether a session is of this registration.
func (s recordStore) owns(session *session) bool {
	return [8]byte(session.login[:8]) == s.registration
}

// FindCtx implements scs.CtxStore. A record that does not open is not found.
func (s recordStore) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	key := s.key(token)
	record, found, err := s.findKey(ctx, key)
	if err != nil || !found {
		return nil, false, err
	}
	record, found = s.open(key, record)
	return record, found, nil
}

func (s recordStore) findKey(ctx context.Context, key string) ([]byte, bool, error) {
	store, ok := s.store.(scs.CtxStore)
	if !ok {
		return s.store.Find(key)
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return store.FindCtx(ctx, key)
}

// open returns a record as it was before it was sealed.
func (s recordStore) open(key string, record []byte) ([]byte, bool) {
	if s.sealer == nil {
		return record, true
	}
	return s.sealer.OpenBytes(record, key)
}

// CommitCtx implements scs.CtxStore.
func (s recordStore) CommitCtx(ctx context.Context, token string, record []byte, expiry time.Time) error {
	key := s.key(token)
	if s.sealer != nil {
		record = s.sealer.SealBytes(record, key)
	}
	store, ok := s.store.(scs.CtxStore)
	if !ok {
		return s.store.Commit(key, record, expiry)
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return store.CommitCtx(ctx, key, record, expiry)
}

// DeleteCtx implements scs.CtxStore.
func (s recordStore) DeleteCtx(ctx context.Context, token string) error {
	return s.deleteKey(ctx, s.key(token))
}

func (s recordStore) deleteKey(ctx context.Context, key string) error {
	store, ok := s.store.(scs.CtxStore)
	if !ok {
		return s.store.Delete(key)
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return store.DeleteCtx(ctx, key)
}

// Find implements scs.Store.
func (s recordStore) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

// Commit implements scs.Store.
func (s recordStore) Commit(token string, record []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, record, expiry)
}

// Delete implements scs.Store.
func (s recordStore) Delete(token string) error {
	return s.DeleteCtx(context.Background(), token)
}

// recordKey is where the manager's data has the record.
const recordKey = "record"

// recordCodec is scs's codec for sessions that are nothing but a record.
type recordCodec struct{}

// Encode implements scs.Codec.
func (recordCodec) Encode(_ time.Time, values map[string]any) ([]byte, error) {
	record, ok := values[recordKey].([]byte)
	if !ok {
		return nil, errors.New("agentconnect: a session without a record")
	}
	return record, nil
}

// Decode implements scs.Codec.
func (recordCodec) Decode(record []byte) (time.Time, map[string]any, error) {
	session, err := decodeRecord(record)
	if err != nil {
		return time.Time{}, nil, err
	}
	return session.expires, map[string]any{recordKey: record}, nil
}

// all lists the records of the store by key.
func (s recordStore) all(ctx context.Context) (map[string][]byte, error) {
	switch store := s.store.(type) {
	case scs.IterableCtxStore:
		return store.AllCtx(ctx)
	case scs.IterableStore:
		return store.All()
	}
	return nil, ErrStoreNotIterable
}
