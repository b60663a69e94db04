package agentconnect

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/pending"
)

// maxRememberedLogins bounds each of the two generations of the logins that
// ended: far more than end in the life of a pending login.
const maxRememberedLogins = 50_000

// logins lets each pending login end once in this process: a second callback
// for the same state waits for the first one and gets its session, or comes too
// late. Between processes the provider's code does, which it redeems once.
//
// What ended is remembered in two generations, so that forgetting costs nothing:
// the older one goes at once, when the younger one is full or as old as a pending
// login can get.
type logins struct {
	now func() time.Time

	mu       sync.Mutex
	ended    map[[16]byte]*endedLogin
	previous map[[16]byte]*endedLogin
	since    time.Time // of the first one in ended
}

// An endedLogin is a login whose callback came.
type endedLogin struct {
	done     chan struct{} // closed when the fields below are set
	admitted *admission
	err      error
}

func newLogins(now func() time.Time) *logins {
	return &logins{now: now, ended: map[[16]byte]*endedLogin{}, since: now()}
}

// end calls finish, unless a callback for the same state did so before. A
// callback that comes while it runs gets what it returns; one that comes after it
// returned gets CodeUnknownState.
func (l *logins) end(state string, finish func() (*admission, error)) (*admission, error) {
	key := fingerprint(state)
	l.mu.Lock()
	login, again := l.ended[key]
	if !again {
		login, again = l.previous[key]
	}
	if !again {
		l.forgetOld()
		login = &endedLogin{done: make(chan struct{})}
		l.ended[key] = login
	}
	l.mu.Unlock()

	if again {
		select {
		case <-login.done:
			return nil, errorf(CodeUnknownState, "the login already ended")
		default:
		}
		<-login.done
		return login.admitted, login.err
	}
	defer func() {
		l.mu.Lock()
		l.ended[key] = &endedLogin{done: login.done} // who waits has login itself
		delete(l.previous, key)
		l.mu.Unlock()
		close(login.done)
	}()
	login.admitted, login.err = nil, errorf(CodeInternal, "the login did not end")
	login.admitted, login.err = finish()
	return login.admitted, login.err
}

// forgetOld makes room. l.mu is held.
func (l *logins) forgetOld() {
	now := l.now()
	if len(l.ended) < maxRememberedLogins && now.Sub(l.since) <= pending.Lifetime {
		return
	}
	l.ended, l.previous, l.since = map[[16]byte]*endedLogin{}, l.ended, now
}

// fingerprint shortens a state.
func fingerprint(state string) (f [16]byte) {
	sum := sha256.Sum256([]byte(state))
	copy(f[:], sum[:])
	return f
}
