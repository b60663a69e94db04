package agentconnect

import (
	"encoding/binary"
	"net/http"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/seal"
)

// idleCookiePeriod is how often the time of the last request is renewed.
const idleCookiePeriod = time.Minute

// An idleCookie keeps the time of a session's last request in a sealed cookie
// of the browser. The store could keep it, but a store of Find, Commit and Delete
// cannot renew a session without the risk of bringing back one that was deleted
// in the meantime. The browser gains nothing by presenting an older cookie, or
// none; and a newer one it only gets by making a request in time.
type idleCookie struct {
	name    string
	timeout time.Duration
	maxAge  int
	secure  bool
	sealer  *seal.Sealer
	now     func() time.Time
}

func newIdleCookie(c *config) (*idleCookie, error) {
	sealer, err := seal.New(c.purpose("idle timeout"), c.secrets()...)
	if err != nil {
		return nil, err
	}
	return &idleCookie{
		name:    c.cookieName + "-seen",
		timeout: c.sessionIdle,
		maxAge:  int(c.sessionLifetime.Seconds()),
		secure:  c.secureCookies,
		sealer:  sealer,
		now:     c.now,
	}, nil
}

// lastSeen returns when the session was last used, as far as is proven: at its
// creation, if the browser has no cookie for this session.
func (c *idleCookie) lastSeen(r *http.Request, s *session) time.Time {
	plain, _ := c.sealer.Open(cookieValue(r, c.name), s.token)
	if len(plain) != 8 {
		return s.created
	}
	return time.Unix(int64(binary.BigEndian.Uint64(plain)), 0)
}

// renew sets the cookie anew when the one that the browser has is a minute old.
func (c *idleCookie) renew(w http.ResponseWriter, s *session) {
	if c.now().Sub(s.seen) >= idleCookiePeriod {
		c.touch(w, s)
	}
}

// touch sets the cookie to now.
func (c *idleCookie) touch(w http.ResponseWriter, s *session) {
	plain := binary.BigEndian.AppendUint64(nil, uint64(c.now().Unix()))
	http.SetCookie(w, newCookie(c.name, c.sealer.Seal(plain, s.token), c.maxAge, c.secure))
}

func (c *idleCookie) forget(w http.ResponseWriter) {
	http.SetCookie(w, newCookie(c.name, "", -1, c.secure))
}
