package agentconnect

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
)

const (
	// storeTimeout bounds each operation of a store that takes a context.
	storeTimeout = 3 * time.Second
	// sessionTokenLen is the length of the tokens that scs makes: 256 random
	// bits as base64url.
	sessionTokenLen = 43
)

// A session says who is logged in. Its record is written once, at the login,
// and then only read or deleted: nothing that is under way can bring back what a
// logout deleted.
type session struct {
	owner   *Authenticator // nil when ContextWithAgent made it
	token   string
	agent   Agent
	created time.Time
	expires time.Time
	seen    time.Time // the last request, with an idle timeout: see expired
	login   [16]byte  // the registration and the login it comes from: see loginID

	record []byte
	listed [2]string // room for the agent's roles and amr, which rarely are more
}

// idToken returns the ID token of the login, for the logout.
func (s *session) idToken() string { return idTokenOf(s.record) }

// fingerprint shortens a state.
func fingerprint(state string) (f [16]byte) {
	sum := sha256.Sum256([]byte(state))
	copy(f[:], sum[:])
	return f
}

// sessions keeps sessions in an scs store. Writing is scs's: tokens, commits,
// renewal, destruction, the cookie. Reading, which every protected request does,
// goes straight to the store.
type sessions struct {
	manager  *scs.SessionManager
	store    recordStore
	lifetime time.Duration
	idle     *idleCookie // nil without idle timeout
	midnight *time.Location
	now      func() time.Time
}

func newSessions(c *config) (*sessions, error) {
	store := recordStore{store: c.sessionStore, registration: registrationOf(c)}
	if len(c.sealingKeys) > 0 {
		sealer, err := newSealer(c.purpose("session record"), c.sealingKeys...)
		if err != nil {
			return nil, err
		}
		store.sealer = sealer
	}
	m := scs.New()
	m.Store = store
	m.Codec = recordCodec{}
	m.Lifetime = c.sessionLifetime
	m.Cookie.Name = c.cookieName
	m.Cookie.Secure = c.secureCookies
	m.Cookie.HttpOnly = true
	m.Cookie.SameSite = http.SameSiteLaxMode
	m.Cookie.Path = "/"
	s := &sessions{
		manager:  m,
		store:    store,
		lifetime: c.sessionLifetime,
		midnight: c.midnight,
		now:      c.now,
	}
	if c.sessionIdle > 0 {
		idle, err := newIdleCookie(c)
		if err != nil {
			return nil, err
		}
		s.idle = idle
	}
	return s, nil
}

// load returns the session of a request, nil when there is none, and an error
// when the store does not answer.
func (s *sessions) load(r *http.Request) (*session, error) {
	session, err := s.find(r)
	if err != nil || session == nil || s.expired(r, session) {
		return nil, err
	}
	return session, nil
}

// find returns the session of a request though it may be over.
func (s *sessions) find(r *http.Request) (*session, error) {
	token := s.cookieToken(r)
	if len(token) != sessionTokenLen {
		return nil, nil
	}
	record, found, err := s.store.FindCtx(r.Context(), token)
	if err != nil {
		return nil, fmt.Errorf("session store: %w", err)
	}
	if !found {
		return nil, nil
	}
	// A record of another version, or garbage, is no session: a new login
	// replaces it.
	session, err := decodeRecord(record)
	if err != nil {
		return nil, nil
	}
	session.token = token
	return session, nil
}

// expired reports whether a session is over, whatever the store thinks of
// expiry, and sets when it was last seen.
func (s *sessions) expired(r *http.Request, session *session) bool {
	now := s.now()
	if !now.Before(session.expires) || now.Before(session.created.Add(-clockTolerance)) {
		return true
	}
	if s.idle == nil {
		return false
	}
	session.seen = s.idle.lastSeen(r, session)
	return !now.Before(session.seen.Add(s.idle.timeout))
}

// create puts a session in the store and returns its token. Whatever token the
// browser had is no part of it: a token that was planted stays worthless.
func (s *sessions) create(ctx context.Context, session *session, idToken string) error {
	session.created = s.now()
	session.expires = s.deadline(session.created)
	ctx, err := s.manager.Load(context.WithoutCancel(ctx), "")
	if err != nil {
		return err
	}
	s.manager.Put(ctx, recordKey, encodeRecord(session, idToken))
	s.manager.SetDeadline(ctx, session.expires)
	token, _, err := s.manager.Commit(ctx)
	if err != nil {
		return fmt.Errorf("session store: %w", err)
	}
	session.token = token
	return nil
}

// deadline returns when a session of now ends.
func (s *sessions) deadline(now time.Time) time.Time {
	deadline := now.Add(s.lifetime)
	if s.midnight != nil {
		y, m, d := now.In(s.midnight).Date()
		if midnight := time.Date(y, m, d+1, 0, 0, 0, 0, s.midnight); midnight.Before(deadline) {
			deadline = midnight
		}
	}
	return deadline
}

// setCookie gives the browser the cookie of a session.
func (s *sessions) setCookie(ctx context.Context, w http.ResponseWriter, session *session) {
	s.manager.WriteSessionCookie(ctx, w, session.token, session.expires)
	if s.idle != nil {
		s.idle.touch(w, session)
	}
}

// forgetCookie takes the session's cookies from the browser.
func (s *sessions) forgetCookie(ctx context.Context, w http.ResponseWriter) {
	s.manager.WriteSessionCookie(ctx, w, "", time.Time{})
	if s.idle != nil {
		s.idle.forget(w)
	}
}

// destroy deletes the session of a cookie's token from the store.
func (s *sessions) destroy(ctx context.Context, token string) error {
	if len(token) != sessionTokenLen {
		return nil
	}
	if err := s.store.DeleteCtx(context.WithoutCancel(ctx), token); err != nil {
		return fmt.Errorf("session store: %w", err)
	}
	return nil
}

// cookieToken returns the token that the browser presents, whatever it is worth.
func (s *sessions) cookieToken(r *http.Request) string {
	return cookieValue(r, s.manager.Cookie.Name)
}

// cookieValue returns the value of a cookie, and "" when it is missing or there
// twice: one of two was planted by a neighbour. It does what Request.CookiesNamed
// does, without parsing the others.
func cookieValue(r *http.Request, name string) string {
	value, found := "", false
	for _, line := range r.Header["Cookie"] {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			n, v, _ := strings.Cut(strings.TrimSpace(pair), "=")
			if n != name {
				continue
			}
			if found {
				return ""
			}
			value, found = v, true
		}
	}
	return value
}

// recordStore is the store as this package uses it, and as scs's manager is
// given it. Keys are hashes of tokens, so that who reads the store can log in as
// nobody, and of the registration, so that no other one takes its sessions for its
// own. Records are sealed if there is a key. Every operation ends in a bounded
// time where the store can be interrupted.
type recordStore struct {
	store        scs.Store
	registration [8]byte
	sealer       *sealer // nil: records are kept as they are
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

// open returns a record as it was before it was sealed.
func (s recordStore) open(key string, record []byte) ([]byte, bool) {
	if s.sealer == nil {
		return record, true
	}
	return s.sealer.openBytes(record, key)
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

// CommitCtx implements scs.CtxStore.
func (s recordStore) CommitCtx(ctx context.Context, token string, record []byte, expiry time.Time) error {
	key := s.key(token)
	if s.sealer != nil {
		record = s.sealer.sealBytes(record, key)
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
