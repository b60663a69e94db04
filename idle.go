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

// The idle timeout. The time of a session's last request is in a cookie of the
// browser, with a signature whose key is in the session's record. The store could
// keep the time, but a store of Find, Commit and Delete cannot renew a session
// without the risk of bringing back one that was deleted in the meantime. The
// browser gains nothing by presenting an older cookie, or none; and a newer one it
// only gets by making a request in time. Since the key is the session's own, every
// instance that finds the session can read the cookie, whatever its secrets are.

const (
	// seenPeriod is how often the time of the last request is renewed.
	seenPeriod = time.Minute
	// seenLen is the length of the cookie: 8 bytes of time, 16 of signature.
	seenLen = (8 + 16) * 4 / 3
)

// lastSeen returns when the session was last used, and whether its cookie shows it.
// Otherwise the time is that of its creation: the browser may have lost the cookie.
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

// signSeen returns the signature of a time. A hash that begins with the key is one
// because what is hashed always has the same length; an HMAC costs every request
// five allocations more.
func (s *session) signSeen(seen []byte) (signature [16]byte) {
	var signed [16 + 8]byte
	copy(signed[copy(signed[:], s.seenKey[:]):], seen)
	sum := sha256.Sum256(signed[:])
	copy(signature[:], sum[:])
	return signature
}

// renew sets the cookie anew when the one that the browser has is a minute old.
func (s *sessions) renew(w http.ResponseWriter, session *session) {
	if session.idleTimeout > 0 && s.now().Sub(session.seen) >= seenPeriod {
		s.touch(w, session)
	}
}

// touch sets the cookie to now.
func (s *sessions) touch(w http.ResponseWriter, session *session) {
	now := s.now()
	b := binary.BigEndian.AppendUint64(nil, uint64(now.Unix()))
	signature := session.signSeen(b)
	value := base64.RawURLEncoding.EncodeToString(append(b, signature[:]...))
	maxAge := int(session.expires.Sub(now)/time.Second) + 1
	http.SetCookie(w, cookies.New(session.cookie.seen, value, maxAge, s.secure))
}
