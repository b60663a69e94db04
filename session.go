package agentconnect

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/cookies"
	"github.com/agentconnect-go/agentconnect/internal/fresh"
	"github.com/agentconnect-go/agentconnect/internal/provider"
	"github.com/agentconnect-go/agentconnect/internal/records"
)

// sessionTokenLen is the length of session tokens: 256 random bits as base64url.
const sessionTokenLen = 43

// maxRecord bounds a session record without the account. Each request reads the record,
// and an identity provider can add claims of any size (custom). With account and seal,
// it fits a column of 64 KiB.
const maxRecord = 32 << 10

// A session is the session of an agent who is logged in. Its record is written once, at
// the login, and then only read or deleted, so a request under way cannot bring back a
// session that a logout deleted.
type session struct {
	owner   *sessions // nil if ContextWithAgent made it
	token   string
	cookie  *sessionCookie // the cookie of its token
	agent   Agent
	account string // the account of the login hook
	created time.Time
	expires time.Time
	seen    time.Time // the last request, with an idle timeout: see state
	login   [16]byte  // the Authenticator and the login it comes from: see sessionCookie.loginID

	idleTimeout time.Duration // 0: none
	seenKey     [16]byte      // of the cookie with the time of the last request
	settled     bool          // it is decided whether the request counts as use

	idToken string    // the login's; only set by findWithIDToken
	listed  [2]string // space for the agent's roles and amr, usually enough
}

// sessions keeps sessions in a store, and their tokens in cookies.
type sessions struct {
	store    records.Store
	cookies  []*sessionCookie // the first is set, all are read
	secure   bool
	lifetime time.Duration
	idle     time.Duration // 0: none
	midnight *time.Location
	now      func() time.Time
}

// A sessionCookie is a name of the session's cookie, with the mark of the Authenticator
// that makes the sessions. A session is only accepted with the cookie name and the
// redirect URL that it was made with, because two Authenticators of one registration
// can have different hooks.
type sessionCookie struct {
	name string
	seen string // the cookie with the time of the last request
	mark [8]byte
}

func newSessions(c *config) (*sessions, error) {
	store, err := records.New(c.sessionStore, c.purpose, c.sealingKeys)
	if err != nil {
		return nil, err
	}
	s := &sessions{
		store:    store,
		secure:   c.secureCookies,
		lifetime: c.sessionLifetime,
		idle:     c.sessionIdle,
		midnight: c.midnight,
		now:      c.now,
	}
	for _, name := range c.cookieNames() {
		s.cookies = append(s.cookies, &sessionCookie{
			name: name,
			seen: name + seenSuffix,
			mark: records.Digest(name + "\x00" + c.redirectURL.String()),
		})
	}
	return s, nil
}

// loginID identifies the origin of a session: the mark of its Authenticator, and the
// state of its login.
func (c *sessionCookie) loginID(state string) (id [16]byte) {
	f := fingerprint(state)
	copy(id[:8], c.mark[:])
	copy(id[8:], f[:])
	return id
}

// A verdict is the state of a session.
type verdict int

const (
	none verdict = iota // there is no session
	valid
	over   // by its age
	unseen // nothing shows that it was used within the idle timeout
	idle   // it was not used within the idle timeout, as its own cookie shows
)

// A presented token is a token from a browser, valid or not.
type presentedToken struct {
	cookie *sessionCookie
	token  string
}

// presented returns all the tokens of a browser, planted ones included.
func (s *sessions) presented(r *http.Request) []presentedToken {
	var tokens []presentedToken
	for _, cookie := range s.cookies {
		for _, c := range cookies.Named(r, cookie.name) {
			if p := (presentedToken{cookie, c.Value}); len(p.token) == sessionTokenLen && !slices.Contains(tokens, p) {
				tokens = append(tokens, p)
			}
		}
	}
	return tokens
}

// find returns the session of a request without its ID token, even if the session is
// over. nil means that there is none.
func (s *sessions) find(r *http.Request) (*session, error) {
	for _, cookie := range s.cookies {
		session, _, err := s.read(r.Context(), presentedToken{cookie, cookies.Value(r, cookie.name)})
		if session != nil || err != nil {
			return session, err
		}
	}
	return nil, nil
}

// findWithIDToken returns the session of a token with its ID token, even if the session
// is over. It is for a logout, and copies the ID token before the record is deleted.
func (s *sessions) findWithIDToken(ctx context.Context, p presentedToken) (*session, error) {
	session, record, err := s.read(ctx, p)
	if session != nil {
		session.idToken = idTokenOf(record)
	}
	return session, err
}

// read returns the session of a token, and its record.
func (s *sessions) read(ctx context.Context, p presentedToken) (*session, []byte, error) {
	if len(p.token) != sessionTokenLen {
		return nil, nil, nil
	}
	record, found, err := s.store.FindCtx(ctx, p.token)
	if err != nil {
		return nil, nil, fmt.Errorf("session store: %w", err)
	}
	if !found {
		return nil, nil, nil
	}
	// A record of another version, or garbage, is not a session: a new login replaces
	// it.
	session, err := decodeRecord(record)
	if err != nil || [8]byte(session.login[:8]) != p.cookie.mark {
		return nil, nil, nil
	}
	session.owner, session.token, session.cookie = s, p.token, p.cookie
	return session, record, nil
}

// The record under a token without a session.
type recordState int

const (
	recordReadable   recordState = iota // no record, one of this Authenticator, or no answer
	recordForeign                       // a session of another Authenticator
	recordUnreadable                    // of another version, sealed with another key, or garbage
)

// recordOf returns the state of the record under a token, for a request without a
// session.
func (s *sessions) recordOf(ctx context.Context, token string) recordState {
	record, found, err := s.store.FindKey(ctx, s.store.Key(token))
	if err != nil || !found {
		return recordReadable
	}
	session, err := decodeRecord(record)
	switch {
	case err != nil:
		return recordUnreadable
	case [8]byte(session.login[:8]) != s.cookies[0].mark:
		return recordForeign
	}
	return recordReadable
}

// identify returns the session of a request, and whether it is valid.
func (s *sessions) identify(r *http.Request) (*session, verdict, error) {
	session, err := s.find(r)
	if session == nil || err != nil {
		return nil, none, err
	}
	return session, s.judge(r, session), nil
}

// judge returns the verdict on a session, independently of the store's expiry, and sets
// its last use.
func (s *sessions) judge(r *http.Request, session *session) verdict {
	now := s.now()
	if s.isOver(session, now) {
		return over
	}
	timeout := session.idleTimeout
	if s.idle > 0 {
		timeout = min(timeout, s.idle) // 0 for a session from before there was one
	}
	if timeout == 0 {
		return valid
	}
	seen, shown := session.lastSeen(r)
	session.seen = seen
	switch {
	case now.Before(seen.Add(timeout)):
		return valid
	case shown:
		return idle
	}
	return unseen
}

// isOver reports whether a session is over by its age. A lifetime that was shortened
// later applies to it too. A session from the future is not valid: the clock of this
// instance, or of the one that made it, is wrong.
func (s *sessions) isOver(session *session, now time.Time) bool {
	return !now.Before(session.expires) || !now.Before(session.created.Add(s.lifetime)) || now.Before(session.created.Add(-provider.ClockTolerance))
}

// begin sets the token and the times of a new session. If the session has no token, it
// gets a new one, never the browser's: a planted token stays worthless.
func (s *sessions) begin(session *session) {
	session.owner = s
	session.token = cmp.Or(session.token, randomText())
	session.created = s.now()
	session.expires = s.deadline(session.created)
	session.idleTimeout = s.idle
	rand.Read(session.seenKey[:])
}

// create puts a session that began in the store.
func (s *sessions) create(ctx context.Context, session *session, idToken string) error {
	if err := s.store.Create(context.WithoutCancel(ctx), session.token, encodeRecord(session, idToken), session.expires); err != nil {
		return fmt.Errorf("session store: %w", err)
	}
	return nil
}

// givenBefore returns the session of a token of this Authenticator, if it was made a
// moment ago. In the hour after an agent's sessions were ended it returns none, because
// the session could be about to end.
func (s *sessions) givenBefore(ctx context.Context, token string) (*session, error) {
	for _, cookie := range s.cookies {
		session, _, err := s.read(ctx, presentedToken{cookie, token})
		if err != nil {
			return nil, err
		}
		if session == nil || s.now().Sub(session.created).Abs() > fresh.Period || s.isOver(session, s.now()) {
			continue
		}
		departure, err := s.departure(ctx, session.agent.Sub)
		if err != nil || departure != "" {
			return nil, err
		}
		return session, nil
	}
	return nil, nil
}

// deadline returns when a session that begins now ends. A session that begins in the last
// minute of a day counts as one of the next day.
func (s *sessions) deadline(now time.Time) time.Time {
	deadline := now.Add(s.lifetime)
	if s.midnight != nil {
		y, m, d := now.Add(time.Minute).In(s.midnight).Date()
		if midnight := time.Date(y, m, d+1, 0, 0, 0, 0, s.midnight); midnight.Before(deadline) {
			deadline = midnight
		}
	}
	return deadline
}

// setCookies sets the cookies of a new session, and removes those with other names.
func (s *sessions) setCookies(w http.ResponseWriter, r *http.Request, session *session) {
	for _, other := range s.cookies {
		if other != session.cookie && len(cookies.Named(r, other.name)) > 0 {
			s.forget(w, other)
		}
	}
	maxAge := int(session.expires.Sub(s.now())/time.Second) + 1
	http.SetCookie(w, cookies.New(session.cookie.name, session.token, maxAge, s.secure))
	if session.idleTimeout > 0 {
		s.touch(w, session)
	}
}

// forgetCookies removes the cookies of sessions from the browser.
func (s *sessions) forgetCookies(w http.ResponseWriter, r *http.Request) {
	for i, cookie := range s.cookies {
		if i == 0 || len(cookies.Named(r, cookie.name)) > 0 {
			s.forget(w, cookie)
		}
	}
}

func (s *sessions) forget(w http.ResponseWriter, cookie *sessionCookie) {
	http.SetCookie(w, cookies.New(cookie.name, "", -1, s.secure))
	if s.idle > 0 {
		http.SetCookie(w, cookies.New(cookie.seen, "", -1, s.secure))
	}
}

// destroy deletes the session of a token from the store.
func (s *sessions) destroy(ctx context.Context, token string) error {
	if err := s.store.DeleteCtx(context.WithoutCancel(ctx), token); err != nil {
		return fmt.Errorf("session store: %w", err)
	}
	return nil
}

// fingerprint shortens a state or a token.
func fingerprint(text string) (f [16]byte) {
	sum := sha256.Sum256([]byte(text))
	copy(f[:], sum[:])
	return f
}

// An admission is a login that succeeded.
type admission struct {
	session  *session
	returnTo string   // a local page
	cookies  []string // of the application: Set-Cookie lines of the login hook
}
