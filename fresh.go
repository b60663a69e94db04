package agentconnect

import (
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"net/http"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/cookies"
	"github.com/agentconnect-go/agentconnect/internal/seal"
)

// A freshCookie tells that this browser was given a session a moment ago. A
// browser that has it and comes as a stranger lost the session on the way: another
// login would lose it again, and send the browser round until it gives up.
type freshCookie struct {
	stem   string // of the names of all our cookies
	name   string
	others []string // under the other stems: see [WithOtherCookieNames]
	secure bool
	sealer *seal.Sealer
	now    func() time.Time
}

func newFreshCookie(c *config) (*freshCookie, error) {
	sealer, err := seal.New(c.purpose("new session"), c.secrets()...)
	if err != nil {
		return nil, err
	}
	const suffix = "-fresh"
	f := &freshCookie{stem: c.cookieName, name: c.cookieName + suffix, secure: c.secureCookies, sealer: sealer, now: c.now}
	for _, stem := range c.otherCookieNames {
		f.others = append(f.others, stem+suffix)
	}
	return f, nil
}

// What the cookie says of the login: that it is the first one for all we know, that
// it gave a record that this instance cannot read, or that it follows such a one.
const (
	freshFirst byte = iota
	freshUnreadable
	freshSecond
	freshLen = 16 + 8 + 1 // of the session's fingerprint, the time when it ends, the above
)

// set tells it of a session, which a login of the request gave.
func (c *freshCookie) set(w http.ResponseWriter, r *http.Request, s *session) {
	kind := freshFirst
	if before := c.open(r); before != nil && before[freshLen-1] != freshFirst {
		kind = freshSecond
	}
	until := c.now().Add(freshPeriod)
	if s.expires.Before(until) {
		until = s.expires
	}
	c.write(w, s.token, until, kind)
}

// setUnreadable tells it that another login is under way, since the record of the
// last one cannot be read here.
func (c *freshCookie) setUnreadable(w http.ResponseWriter, token string) {
	c.write(w, token, c.now().Add(freshPeriod), freshUnreadable)
}

func (c *freshCookie) write(w http.ResponseWriter, token string, until time.Time, kind byte) {
	mark := fingerprint(token)
	plain := append(binary.BigEndian.AppendUint64(mark[:], uint64(until.Unix())), kind)
	http.SetCookie(w, cookies.New(c.name, c.sealer.Seal(plain, c.name), int(freshPeriod.Seconds()), c.secure))
}

// open returns what a request's cookie says, nil when it says nothing.
func (c *freshCookie) open(r *http.Request) []byte {
	if cookies.Crowded(r, c.stem) {
		return nil
	}
	plain, _ := c.sealer.Open(cookies.Value(r, c.name), c.name)
	if len(plain) != freshLen || !c.now().Before(time.Unix(int64(binary.BigEndian.Uint64(plain[16:])), 0)) {
		return nil
	}
	return plain
}

// forget takes the cookie from a browser that has it, also that of an instance of the
// other stem: a logout there is one here.
func (c *freshCookie) forget(w http.ResponseWriter, r *http.Request) {
	for _, name := range append([]string{c.name}, c.others...) {
		if len(cookies.Named(r, name)) > 0 {
			http.SetCookie(w, cookies.New(name, "", -1, c.secure))
		}
	}
}

// lost says what a stranger's browser must have lost: nil when it was given no
// session a moment ago. A session that the store has, and that this instance cannot
// read, is not lost: a login replaces it, unless the last one did just that.
func (a *Authenticator) lost(w http.ResponseWriter, r *http.Request) error {
	c := a.fresh
	plain := c.open(r)
	if plain == nil || plain[freshLen-1] == freshUnreadable {
		return nil
	}
	token := cookies.Value(r, c.stem)
	mark := fingerprint(token)
	if subtle.ConstantTimeCompare(mark[:], plain[:16]) != 1 {
		return errors.New("the browser does not present the cookie of the session that it was just given, or presents two: does a proxy drop or rewrite cookies, does another application on this host use the same cookie name?")
	}
	switch a.sessions.recordOf(r.Context(), token) {
	case recordForeign:
		return nil
	case recordUnreadable:
		if plain[freshLen-1] == freshSecond {
			return errors.New("the store has the session that the browser was just given, and this instance cannot read its record, for the second time: do all instances have the same sealing keys (WithSealedSessions), and a version that reads what the others write?")
		}
		if r.Method != http.MethodHead { // which starts no login
			c.setUnreadable(w, token)
		}
		return nil
	}
	return errors.New("the browser presents the session that it was just given, and this instance does not find it or takes it to be over: is the store shared by all instances (the default one is not), does it keep what it confirms, does it read from a replica that lags, do the clocks agree?")
}
