package agentconnect

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/seal"
	"github.com/alexedwards/scs/v2"
)

// sessionTokenLen is the length of the tokens that scs makes: 256 random bits as
// base64url.
const sessionTokenLen = 43

// A session says who is logged in. Its record is written once, at the login,
// and then only read or deleted: nothing that is under way can bring back what a
// logout deleted.
type session struct {
	owner   *Authenticator // nil when ContextWithAgent made it
	token   string
	agent   Agent
	account string // what the login hook set
	created time.Time
	expires time.Time
	seen    time.Time // the last request, with an idle timeout: see expired
	login   [16]byte  // the registration and the login it comes from: see loginID

	idleTimeout time.Duration // 0: none
	seenKey     [16]byte      // of the cookie with the time of the last request

	idToken string    // of the login; only set where it is asked for
	listed  [2]string // room for the agent's roles and amr, which rarely are more
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
		sealer, err := seal.New(c.purpose("session record"), c.sealingKeys...)
		if err != nil {
			return nil, err
		}
		store.sealer = sealer
	}
	m := scs.New()
	m.Store = store
	m.Codec = recordCodec{}
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

// find returns the session of a request though it may be over, without its ID
// token.
func (s *sessions) find(r *http.Request) (*session, error) {
	session, _, err := s.read(r.Context(), cookieValue(r, s.manager.Cookie.Name))
	return session, err
}

// findWithIDToken returns the session of a token, though it may be over, with its
// ID token, for a logout. It is copied while the record is sure to be in the
// store's memory: before a deletion.
func (s *sessions) findWithIDToken(ctx context.Context, token string) (*session, error) {
	session, record, err := s.read(ctx, token)
	if session != nil {
		session.idToken = idTokenOf(record)
	}
	return session, err
}

// read returns the session of a token, and its record.
func (s *sessions) read(ctx context.Context, token string) (*session, []byte, error) {
	if len(token) != sessionTokenLen {
		return nil, nil, nil
	}
	record, found, err := s.store.FindCtx(ctx, token)
	if err != nil {
		return nil, nil, fmt.Errorf("session store: %w", err)
	}
	if !found {
		return nil, nil, nil
	}
	// A record of another version, or garbage, is no session: a new login
	// replaces it.
	session, err := decodeRecord(record)
	if err != nil {
		return nil, nil, nil
	}
	session.token = token
	return session, record, nil
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

// presented returns every token that the browser presents, whatever it is worth:
// one that was planted beside its own is one of them.
func (s *sessions) presented(r *http.Request) []string {
	var tokens []string
	for _, c := range cookiesNamed(r, s.manager.Cookie.Name) {
		if len(c.Value) == sessionTokenLen && !slices.Contains(tokens, c.Value) {
			tokens = append(tokens, c.Value)
		}
	}
	return tokens
}
