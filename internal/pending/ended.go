package pending

import (
	"crypto/sha256"
	"errors"
	"sync"
	"time"
)

// ErrEnded is the error of Ended.Once for a login that has ended already.
var ErrEnded = errors.New("the login already ended")

// errNoEnd is the error of a callback that waited for one that panicked.
var errNoEnd = errors.New("the login did not end")

// maxRemembered bounds each of the two generations. Far fewer logins end in the life of
// a pending login.
const maxRemembered = 50_000

// Ended lets each login end once in this process. Between processes, the provider makes
// sure of it: it redeems a code once.
//
// It remembers the ended logins in two generations, so that forgetting is cheap. When
// the younger generation is full, or as old as a pending login can be, the older one is
// dropped at once.
type Ended[V any] struct {
	now func() time.Time

	mu       sync.Mutex
	ended    map[[16]byte]*ended[V]
	previous map[[16]byte]*ended[V]
	since    time.Time // of the first one in ended
}

// ended is a login whose callback has come.
type ended[V any] struct {
	done  chan struct{} // closed when the fields below are set
	value V
	err   error
}

// NewEnded returns an Ended that knows no login.
func NewEnded[V any](now func() time.Time) *Ended[V] {
	return &Ended[V]{now: now, ended: map[[16]byte]*ended[V]{}, since: now()}
}

// Once calls finish, unless a callback with the same state already did. A callback that
// comes while finish runs waits and gets the same results. A later one gets ErrEnded.
func (e *Ended[V]) Once(state string, finish func() (V, error)) (V, error) {
	key := fingerprint(state)
	e.mu.Lock()
	login, again := e.ended[key]
	if !again {
		login, again = e.previous[key]
	}
	if !again {
		e.forgetOld()
		login = &ended[V]{done: make(chan struct{}), err: errNoEnd}
		e.ended[key] = login
	}
	e.mu.Unlock()

	if again {
		select {
		case <-login.done:
			var none V
			return none, ErrEnded
		default:
		}
		<-login.done
		return login.value, login.err
	}
	defer func() {
		e.mu.Lock()
		e.ended[key] = &ended[V]{done: login.done} // the callbacks that wait have login itself
		delete(e.previous, key)
		e.mu.Unlock()
		close(login.done)
	}()
	value, err := finish()
	login.value, login.err = value, err
	return value, err
}

// forgetOld makes room. e.mu is held.
func (e *Ended[V]) forgetOld() {
	now := e.now()
	if len(e.ended) < maxRemembered && now.Sub(e.since) <= Lifetime {
		return
	}
	e.ended, e.previous, e.since = map[[16]byte]*ended[V]{}, e.ended, now
}

// fingerprint shortens a state.
func fingerprint(state string) (f [16]byte) {
	sum := sha256.Sum256([]byte(state))
	copy(f[:], sum[:])
	return f
}
