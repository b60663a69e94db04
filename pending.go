package agentconnect

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/provider"
	"github.com/agentconnect-go/agentconnect/internal/seal"
)

const (
	pendingLifetime = 10 * time.Minute
	// A browser keeps a few pending logins, for a few tabs, and not so many that
	// a server in front of us refuses its Cookie header.
	maxPendingLogins = 5
	maxPendingBytes  = 4096
	// stateNameLen characters of the state name the cookie of a pending login.
	stateNameLen = 8
	// maxDeletedCookies bounds what one answer to an odd browser may carry.
	maxDeletedCookies = 20
)

// A pendingLogin is a login that left for the provider and has not come back.
// It lives in the browser alone, in a sealed cookie of its own: so two tabs do
// not disturb each other, the callback can land on any instance, and a visit to
// the login page leaves nothing behind on the server.
type pendingLogin struct {
	State    string   `json:"s"`           // 43 characters, 256 random bits
	Nonce    string   `json:"n"`           // the same
	Verifier string   `json:"v"`           // the same (RFC 7636)
	ReturnTo string   `json:"r"`           // a local page, already judged
	ACR      []string `json:"a,omitempty"` // accepted acr values; none: any
	Silent   bool     `json:"q,omitempty"` // asked for with prompt=none
	Expires  int64    `json:"e"`           // Unix seconds
}

// request returns what ties the provider's answers to the login.
func (p *pendingLogin) request() provider.Login {
	return provider.Login{State: p.State, Nonce: p.Nonce, Verifier: p.Verifier}
}

// randomText returns 256 random bits as 43 characters of base64url.
func randomText() string {
	var b [32]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the process rather
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// pendingLogins keeps pending logins in the cookies of browsers.
type pendingLogins struct {
	prefix string // of the cookies' names
	secure bool
	sealer *seal.Sealer
	now    func() time.Time
}

// add sets the cookie of a new pending login, and deletes those of expired and
// of superfluous ones.
func (l *pendingLogins) add(w http.ResponseWriter, r *http.Request, p *pendingLogin) error {
	p.Expires = l.now().Add(pendingLifetime).Unix()
	var record bytes.Buffer
	enc := json.NewEncoder(&record)
	enc.SetEscapeHTML(false) // a query's "&" would take six bytes of the cookie
	if err := enc.Encode(p); err != nil {
		return err
	}
	name := l.prefix + p.State[:stateNameLen]
	value := l.sealer.Seal(record.Bytes(), name)

	room := maxPendingBytes - len(value)
	kept := 1
	for _, old := range l.all(r) {
		room -= len(old.value)
		if old.login != nil && kept < maxPendingLogins && room >= 0 {
			kept++
			continue
		}
		http.SetCookie(w, l.cookie(old.name, "", -1))
	}
	http.SetCookie(w, l.cookie(name, value, int(pendingLifetime.Seconds())))
	return nil
}

// find returns the pending login of a state, and false when this browser has
// none: it was not started here, is over, or expired.
func (l *pendingLogins) find(r *http.Request, state string) (*pendingLogin, bool) {
	if len(state) < stateNameLen {
		return nil, false
	}
	name := l.prefix + state[:stateNameLen]
	for _, c := range r.CookiesNamed(name) {
		p := l.open(name, c.Value)
		if p != nil && subtle.ConstantTimeCompare([]byte(p.State), []byte(state)) == 1 {
			return p, true
		}
	}
	return nil, false
}

// remove deletes the cookie of a pending login.
func (l *pendingLogins) remove(w http.ResponseWriter, state string) {
	http.SetCookie(w, l.cookie(l.prefix+state[:stateNameLen], "", -1))
}

// A pendingCookie is a cookie with the name of a pending login; login is nil
// when it holds none that is valid.
type pendingCookie struct {
	name, value string
	login       *pendingLogin
}

// all returns the request's pending logins, the newest first; those that are
// not valid come last.
func (l *pendingLogins) all(r *http.Request) []pendingCookie {
	var found []pendingCookie
	for _, c := range r.Cookies() {
		if len(found) == maxDeletedCookies {
			break
		}
		if strings.HasPrefix(c.Name, l.prefix) {
			found = append(found, pendingCookie{c.Name, c.Value, l.open(c.Name, c.Value)})
		}
	}
	expires := func(c pendingCookie) int64 {
		if c.login == nil {
			return 0
		}
		return c.login.Expires
	}
	slices.SortStableFunc(found, func(a, b pendingCookie) int {
		return int(expires(b) - expires(a))
	})
	return found
}

// open returns the pending login that a cookie holds, or nil.
func (l *pendingLogins) open(name, value string) *pendingLogin {
	record, ok := l.sealer.Open(value, name)
	if !ok {
		return nil
	}
	var p pendingLogin
	if json.Unmarshal(record, &p) != nil || l.now().Unix() >= p.Expires {
		return nil
	}
	return &p
}

func (l *pendingLogins) cookie(name, value string, maxAge int) *http.Cookie {
	return newCookie(name, value, maxAge, l.secure)
}
