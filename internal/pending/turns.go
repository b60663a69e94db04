package pending

import (
	"cmp"
	"crypto/sha256"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// turns gives slots to logins that start at the same time, as when a browser restores
// its tabs. They do not see each other's cookies, or only some of them. So turns
// remembers which slots it just gave: to logins that saw the same cookies, and to
// browsers that look the same. It forgets in two generations.
type turns struct {
	mu              sync.Mutex
	begin           int // the first slot that is given
	current, former map[[32]byte]*given
	last            int64 // when the last login started
}

// given are the slots that were given to similar logins.
type given struct {
	logins int
	last   [Slots]int64 // when each slot was given
}

// atOnce is how long a browser takes to restore its tabs, or more.
const atOnce = 10 * time.Second

// lately returns when a slot was given, 0 if that is long ago.
func (g *given) lately(slot int, now int64) int64 {
	if now-g.last[slot] > int64(atOnce) {
		return 0
	}
	return g.last[slot]
}

// maxTurns bounds each generation.
const maxTurns = 1000

// next returns the slot of a login that saw logins with these starts, 0 in a free slot.
// view is the same for all that saw the same logins, look for those of one browser.
func (t *turns) next(look, view string, started [Slots]int64, now int64) (slot int, start int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = max(now, t.last+1)
	sameLook, sameView := t.of(look), t.of(look+"\x00"+view)
	order, free := make([]int, Slots), 0
	for i := range order {
		order[i] = (t.begin + i) % Slots
		if started[i] == 0 {
			free++
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(started[a], started[b]), cmp.Compare(sameView.lately(a, t.last), sameView.lately(b, t.last)), cmp.Compare(sameLook.last[a], sameLook.last[b]))
	})
	turn := sameView.logins % Slots
	if turn < free {
		turn = 0 // the free slot that was not given for the longest time
	}
	slot = order[turn]
	sameView.logins++
	sameView.last[slot], sameLook.last[slot] = t.last, t.last
	return slot, t.last
}

// of returns what was given under a key. t.mu is held.
func (t *turns) of(key string) *given {
	sum := sha256.Sum256([]byte(key))
	if g := t.current[sum]; g != nil {
		return g
	}
	if len(t.current) >= maxTurns || t.current == nil {
		t.current, t.former = map[[32]byte]*given{}, t.current
	}
	t.current[sum] = cmp.Or(t.former[sum], &given{})
	return t.current[sum]
}

// lookOf tells browsers apart, roughly. Anyone can send these headers: they only choose
// among the slots of the same browser.
func lookOf(r *http.Request) string {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	return strings.Join([]string{host, r.Header.Get("X-Forwarded-For"), r.UserAgent()}, "\x00")
}
