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

// set tells it of a session.
func (c *freshCookie) set(w http.ResponseWriter, s *session) {
	until := c.now().Add(freshPeriod)
	if s.expires.Before(until) {
		until = s.expires
	}
	mark := fingerprint(s.token)
	plain := binary.BigEndian.AppendUint64(mark[:], uint64(until.Unix()))
	http.SetCookie(w, cookies.New(c.name, c.sealer.Seal(plain, c.name), int(freshPeriod.Seconds()), c.secure))
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
// session a moment ago.
func (c *freshCookie) lost(r *http.Request) error {
	if cookies.Crowded(r, c.stem) {
		return nil
	}
	plain, _ := c.sealer.Open(cookies.Value(r, c.name), c.name)
	if len(plain) != 16+8 || !c.now().Before(time.Unix(int64(binary.BigEndian.Uint64(plain[16:])), 0)) {
		return nil
	}
	mark := fingerprint(cookies.Value(r, c.stem))
	if subtle.ConstantTimeCompare(mark[:], plain[:16]) == 1 {
		return errors.New("the browser presents the session that it was just given, and this instance does not find it or takes it to be over: is the store shared by all instances (the default one is not), does it keep what it confirms, does it read from a replica that lags, do the clocks agree?")
	}
	return errors.New("the browser does not present the cookie of the session that it was just given, or presents two: does a proxy drop or rewrite cookies, does another application on this host use the same cookie name?")
}
