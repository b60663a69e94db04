// Package fresh keeps a cookie that marks a browser that just got a session. If a
// stranger's browser has it, the session was lost. Another login would lose it again,
// and the browser would go round in circles. The package knows cookies and session
// tokens, and nothing about the store.
package fresh

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"net/http"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/cookies"
	"github.com/agentconnect-go/agentconnect/internal/seal"
)

// Period is how long a session is new.
const Period = time.Minute

// Suffix ends the name of the cookie, which begins with the stem.
const Suffix = "-fresh"

// A Keeper sets, reads and deletes the cookie.
type Keeper struct {
	stem   string   // of the names of all our cookies
	others []string // the stems of instances with another configuration
	secure bool
	sealer *seal.Sealer
	now    func() time.Time
}

// New returns a Keeper for the cookies of a stem. Set and Forget also delete those of
// others.
func New(stem string, secure bool, sealer *seal.Sealer, now func() time.Time, others ...string) *Keeper {
	return &Keeper{stem: stem, others: others, secure: secure, sealer: sealer, now: now}
}

func (k *Keeper) name() string { return k.stem + Suffix }

// A Mark is the content of the cookie.
type Mark struct {
	session [16]byte
	kind    byte
}

// The kinds of marks.
const (
	first      byte = iota // a login gave the browser a session
	unreadable             // this instance cannot read the record of that session
	second                 // a login after an unreadable mark gave the browser a session
)

// markLen is the length of a mark: the session's fingerprint, the time when the mark
// ends, the kind.
const markLen = 16 + 8 + 1

// IsOf reports whether the mark belongs to the session with this token; nil does
// not.
func (m *Mark) IsOf(token string) bool {
	f := fingerprint(token)
	return m != nil && subtle.ConstantTimeCompare(f[:], m.session[:]) == 1
}

// IsUnreadable reports whether the record of the last login could not be read, so that
// another login is under way.
func (m *Mark) IsUnreadable() bool { return m.kind == unreadable }

// IsSecond reports whether the login follows one whose record could not be read.
func (m *Mark) IsSecond() bool { return m.kind == second }

// Set marks the browser: a login gave it a session.
func (k *Keeper) Set(w http.ResponseWriter, r *http.Request, token string, expires time.Time) {
	kind := first
	if before := k.Read(r); before != nil && before.kind != first {
		kind = second
	}
	until := k.now().Add(Period)
	if expires.Before(until) {
		until = expires
	}
	k.forget(w, r, k.others)
	k.write(w, token, until, kind)
}

// SetUnreadable marks the browser: another login is under way, because the record of
// the last one cannot be read here.
func (k *Keeper) SetUnreadable(w http.ResponseWriter, token string) {
	k.write(w, token, k.now().Add(Period), unreadable)
}

func (k *Keeper) write(w http.ResponseWriter, token string, until time.Time, kind byte) {
	f := fingerprint(token)
	plain := append(binary.BigEndian.AppendUint64(f[:], uint64(until.Unix())), kind)
	http.SetCookie(w, cookies.New(k.name(), k.sealer.Seal(plain, k.name()), int(Period.Seconds()), k.secure))
}

// Read returns the mark of a request, nil if there is none.
func (k *Keeper) Read(r *http.Request) *Mark {
	if cookies.Crowded(r, k.stem) {
		return nil
	}
	plain, _ := k.sealer.Open(cookies.Value(r, k.name()), k.name())
	if len(plain) != markLen || !k.now().Before(time.Unix(int64(binary.BigEndian.Uint64(plain[16:])), 0)) {
		return nil
	}
	return &Mark{session: [16]byte(plain[:16]), kind: plain[markLen-1]}
}

// Forget deletes the cookie, and those with other stems: a logout on another instance
// counts here too.
func (k *Keeper) Forget(w http.ResponseWriter, r *http.Request) {
	k.forget(w, r, append([]string{k.stem}, k.others...))
}

func (k *Keeper) forget(w http.ResponseWriter, r *http.Request, stems []string) {
	for _, stem := range stems {
		if name := stem + Suffix; len(cookies.Named(r, name)) > 0 {
			http.SetCookie(w, cookies.New(name, "", -1, k.secure))
		}
	}
}

// fingerprint shortens a token.
func fingerprint(token string) (f [16]byte) {
	sum := sha256.Sum256([]byte(token))
	copy(f[:], sum[:])
	return f
}
