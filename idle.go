package agentconnect

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/cookies"
)

// The idle timeout. The time of a session's last request is in a cookie of the browser,
// signed with a key that is in the session's record. The time is not in the store: with
// only Find, Commit and Delete, a renewal could bring back a session that was deleted
// meanwhile. A browser gains nothing with an older cookie, or without one, and it only
// gets a newer one with a request in time. The key belongs to the session, so every
// instance that finds the session can read the cookie.

const (
	// seenSuffix ends the name of the cookie.
	seenSuffix = "-seen"
	// seenPeriod is how often the time of the last request is renewed.
	seenPeriod = time.Minute
	// seenLen is the length of the cookie: 8 bytes of time, 16 of signature.
	seenLen = (8 + 16) * 4 / 3
)

// lastSeen returns when the session was last used, and whether its cookie proves it.
// Without the cookie, which the browser may have lost, the time is that of the
// session's creation.
func (s *session) lastSeen(r *http.Request) (seen time.Time, shown bool) {
	value := cookies.Value(r, s.cookie.seen)
	if len(value) != seenLen {
		return s.created, false
	}
	var b [8 + 16]byte
	if _, err := base64.RawURLEncoding.Decode(b[:], []byte(value)); err != nil {
		return s.created, false
	}
	if want := s.signSeen(b[:8]); subtle.ConstantTimeCompare(b[8:], want[:]) != 1 {
		return s.created, false
	}
	return time.Unix(int64(binary.BigEndian.Uint64(b[:8])), 0), true
}

// signSeen returns the signature of a time. A hash of the key and the time is safe here
// because its input always has the same length. An HMAC would cost each request five
// more allocations.
func (s *session) signSeen(seen []byte) (signature [16]byte) {
	var signed [16 + 8]byte
	copy(signed[copy(signed[:], s.seenKey[:]):], seen)
	sum := sha256.Sum256(signed[:])
	copy(signature[:], sum[:])
	return signature
}

// renew sets the cookie again if the browser's cookie is a minute old.
func (s *sessions) renew(w http.ResponseWriter, session *session) {
	if session.idleTimeout > 0 && s.now().Sub(session.seen) >= seenPeriod {
		s.touch(w, session)
	}
}

// touch sets the cookie to the current time.
func (s *sessions) touch(w http.ResponseWriter, session *session) {
	now := s.now()
	b := binary.BigEndian.AppendUint64(nil, uint64(now.Unix()))
	signature := session.signSeen(b)
	value := base64.RawURLEncoding.EncodeToString(append(b, signature[:]...))
	maxAge := int(session.expires.Sub(now)/time.Second) + 1
	http.SetCookie(w, cookies.New(session.cookie.seen, value, maxAge, s.secure))
}
