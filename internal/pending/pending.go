// Package pending keeps the logins that are under way in cookies of the browser
// that started them: so two tabs do not disturb each other, the callback can land on
// any instance, and a visit to the login page leaves nothing behind on the server.
//
// There is a fixed number of cookie names, each with a bound, so that all of them
// together stay small however many logins start, one after the other or at once. It
// knows requests and cookies, and nothing of the provider, of sessions or of pages.
package pending

import (
	"cmp"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/cookies"
	"github.com/agentconnect-go/agentconnect/internal/seal"
)

const (
	// Lifetime is how long a login may take.
	Lifetime = 10 * time.Minute
	// Slots is how many logins a browser can have under way: as many as a person
	// has tabs that were restored at once, roughly. A new one takes the place of the
	// oldest.
	Slots = 8
	// remembered is how long the page that a login was going to is known, also when
	// the login itself is over: an agent may come back from lunch.
	remembered = time.Hour
	// maxOwnPage bounds a page that is kept beside its login. A longer one is kept in
	// a cookie that all logins share, so that only the newest of them has it: when
	// room is short, pages go before logins.
	maxOwnPage = 160
	// idLen characters of a state name its login.
	idLen = 8
)

// A Login is one that left for the provider and has not come back.
type Login struct {
	State    string // 256 random bits as 43 characters of base64url
	Nonce    string // the same
	Verifier string // the same (RFC 7636)
	// Key is 256 random bits too. Unlike the others it never leaves the cookie.
	Key    string
	ACR    []string // accepted acr values; none: any
	Silent bool     // asked for with prompt=none
	// ReturnTo is a local page, in printable ASCII. One that comes back is to be judged
	// again: it is not sealed.
	ReturnTo string

	// Over says that the login took too long, or was sealed with a key that is not
	// known any more: of the rest only ReturnTo is set.
	Over bool

	keeper  *Keeper // whose cookie it is in
	slot    int
	started int64 // Unix nanoseconds
}

// A Keeper keeps logins in cookies.
type Keeper struct {
	stem   string
	secure bool
	sealer *seal.Sealer
	now    func() time.Time
	turns  turns
	others []*Keeper // of other stems, whose logins are found too
}

// New returns a Keeper whose cookies have names that begin with stem. It also finds
// the logins of Keepers with other stems, and counts them among its own.
func New(stem string, secure bool, sealer *seal.Sealer, now func() time.Time, others ...string) *Keeper {
	k := &Keeper{stem: stem, secure: secure, sealer: sealer, now: now}
	for _, other := range others {
		k.others = append(k.others, &Keeper{stem: other, secure: secure, sealer: sealer, now: now})
	}
	k.turns.now = map[string]int{"": rand.N(Slots)} // instances begin apart
	return k
}

func (k *Keeper) slotName(slot int) string { return k.stem + "-login-" + strconv.Itoa(slot) }
func (k *Keeper) pageName() string         { return k.stem + "-page" }

// Names returns the names of the cookies that it sets and reads.
func (k *Keeper) Names() []string {
	names := []string{k.pageName()}
	for slot := range Slots {
		names = append(names, k.slotName(slot))
	}
	for _, other := range k.others {
		names = append(names, other.Names()...)
	}
	return names
}

// Add gives the browser a login, in the place of the oldest when it has Slots of
// them already.
func (k *Keeper) Add(w http.ResponseWriter, r *http.Request, l *Login) error {
	slot, started := k.place(r)
	plain, err := encode(l, started)
	if err != nil {
		return err
	}
	name := k.slotName(slot)
	page := ""
	if len(l.ReturnTo) <= maxOwnPage {
		page = l.ReturnTo
	} else {
		k.set(w, k.pageName(), l.State[:idLen]+"."+intoCookie.Replace(l.ReturnTo), remembered)
	}
	page = intoCookie.Replace(page)
	k.set(w, name, l.State[:idLen]+"."+k.sealer.Seal(plain, sealedFor(name, page))+"."+page, remembered)
	for _, other := range k.others { // there is room for one login in a slot
		if name := other.slotName(slot); len(cookies.Named(r, name)) > 0 {
			k.set(w, name, "", -time.Second)
		}
	}
	k.removeFormer(w, r)
	return nil
}

// place chooses the slot of a new login: a free one, or that of the oldest. Logins
// that start at once cannot see each other's cookies; they see the same ones, and
// each takes the next slot. It also returns when the login starts: after all others
// that started here, though the clock does not tell them apart.
func (k *Keeper) place(r *http.Request) (slot int, start int64) {
	var started [Slots]int64
	view := ""
	for slot := range Slots {
		for _, l := range k.inSlots(r, slot) {
			if l.login != nil && !l.login.Over {
				started[slot] = max(started[slot], l.login.started)
				view += l.id
			}
		}
	}
	order := make([]int, Slots)
	for slot := range order {
		order[slot] = slot
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(started[a], started[b]) })
	turn, start := k.turns.next(view, k.now().UnixNano())
	return order[turn%Slots], start
}

// Find returns the login with a state, and nil when this browser has none.
func (k *Keeper) Find(r *http.Request, state string) *Login {
	if len(state) < idLen {
		return nil
	}
	var over *Login
	for slot := range Slots {
		for _, found := range k.inSlots(r, slot) {
			if found.id != state[:idLen] {
				continue
			}
			l := found.login
			if l == nil {
				over = &Login{Over: true, ReturnTo: found.page, keeper: found.keeper, slot: slot}
				continue
			}
			if subtle.ConstantTimeCompare([]byte(l.State), []byte(state)) != 1 {
				continue
			}
			if l.Over {
				over = &Login{Over: true, ReturnTo: l.ReturnTo, keeper: found.keeper, slot: slot}
				continue
			}
			return l
		}
	}
	return over
}

// Remove takes a login that Find returned from the browser.
func (k *Keeper) Remove(w http.ResponseWriter, r *http.Request, l *Login) {
	k.set(w, l.keeper.slotName(l.slot), "", -time.Second)
	if len(l.ReturnTo) > maxOwnPage {
		k.set(w, l.keeper.pageName(), "", -time.Second)
	}
}

// A kept is what a cookie of a slot holds.
type kept struct {
	keeper   *Keeper
	id, page string
	login    *Login // nil when it does not open
}

// inSlots returns what the cookies of a slot hold, those of other stems included.
func (k *Keeper) inSlots(r *http.Request, slot int) []kept {
	found := k.inSlot(r, slot)
	for _, other := range k.others {
		found = append(found, other.inSlot(r, slot)...)
	}
	return found
}

// inSlot returns what the cookie of a slot holds; several have its name only when
// somebody planted one.
func (k *Keeper) inSlot(r *http.Request, slot int) []kept {
	name := k.slotName(slot)
	var found []kept
	for _, c := range cookies.Named(r, name) {
		id, rest, _ := strings.Cut(c.Value, ".")
		sealed, ownPage, _ := strings.Cut(rest, ".")
		page := fromCookie.Replace(ownPage)
		if page == "" {
			page = k.sharedPage(r, id)
		}
		f := kept{keeper: k, id: id, page: page}
		if plain, ok := k.sealer.Open(sealed, sealedFor(name, ownPage)); ok {
			if l := decode(plain); l != nil && strings.HasPrefix(l.State, id) && len(id) == idLen {
				l.keeper, l.slot, l.ReturnTo = k, slot, page
				l.Over = !k.now().Before(time.Unix(l.started/1e9, 0).Add(Lifetime))
				f.login = l
			}
		}
		found = append(found, f)
	}
	return found
}

// sealedFor binds a login to its cookie and to the page that stands beside it, which
// is not sealed so that it can be read when the login cannot.
func sealedFor(name, page string) string { return name + "\x00" + page }

// sharedPage returns the page of a login that was too long to be kept beside it.
func (k *Keeper) sharedPage(r *http.Request, id string) string {
	of, page, _ := strings.Cut(cookies.Value(r, k.pageName()), ".")
	if of != id {
		return ""
	}
	return fromCookie.Replace(page)
}

func (k *Keeper) set(w http.ResponseWriter, name, value string, life time.Duration) {
	http.SetCookie(w, cookies.New(name, value, int(life.Seconds()), k.secure))
}

// What a Location may have and a cookie's value may not is written with characters
// that a Location may not have.
var (
	intoCookie = strings.NewReplacer(";", "{", ",", "}")
	fromCookie = strings.NewReplacer("{", ";", "}", ",")
)

// maxFormer bounds how many cookies one answer takes away.
const maxFormer = 20

// removeFormer takes the cookies away that a former version set: one for each
// login, named by the state. What does not open is somebody else's.
func (k *Keeper) removeFormer(w http.ResponseWriter, r *http.Request) {
	prefix := k.stem + "-login-"
	removed := 0
	for _, c := range r.Cookies() {
		if len(c.Name) != len(prefix)+idLen || !strings.HasPrefix(c.Name, prefix) {
			continue
		}
		if _, ok := k.sealer.Open(c.Value, c.Name); ok && removed < maxFormer {
			k.set(w, c.Name, "", -time.Second)
			removed++
		}
	}
}

// A login is sealed as a version, whether it is silent, when it started (Unix
// nanoseconds), four times 32 bytes, and the acr values between spaces.
const (
	version   = 1
	fixedSize = 2 + 8 + 4*32
)

func (l *Login) texts() []*string { return []*string{&l.State, &l.Nonce, &l.Verifier, &l.Key} }

func encode(l *Login, started int64) ([]byte, error) {
	plain := []byte{version, 0}
	if l.Silent {
		plain[1] = 1
	}
	plain = binary.BigEndian.AppendUint64(plain, uint64(started))
	for _, text := range l.texts() {
		var err error
		if plain, err = base64.RawURLEncoding.AppendDecode(plain, []byte(*text)); err != nil {
			return nil, err
		}
	}
	if len(plain) != fixedSize {
		return nil, errors.New("pending: a state, nonce, verifier or key has not 256 bits")
	}
	return append(plain, strings.Join(l.ACR, " ")...), nil
}

// decode returns the login of what encode returned, and nil for anything else.
func decode(plain []byte) *Login {
	if len(plain) < fixedSize || plain[0] != version {
		return nil
	}
	l := &Login{Silent: plain[1] == 1, started: int64(binary.BigEndian.Uint64(plain[2:]))}
	for i, text := range l.texts() {
		*text = base64.RawURLEncoding.EncodeToString(plain[10+32*i : 10+32*(i+1)])
	}
	if acr := string(plain[fixedSize:]); acr != "" {
		l.ACR = strings.Split(acr, " ")
	}
	return l
}

// turns counts how many logins started from the same cookies. It is forgotten in
// two generations.
type turns struct {
	mu          sync.Mutex
	now, before map[string]int
	last        int64 // when the last login started
}

// maxTurns bounds each generation.
const maxTurns = 1000

func (t *turns) next(view string, now int64) (turn int, start int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = max(now, t.last+1)
	turn, ok := t.now[view]
	if !ok {
		turn = t.before[view]
		if len(t.now) >= maxTurns {
			t.now, t.before = map[string]int{}, t.now
		}
	}
	t.now[view] = turn + 1
	return turn, t.last
}
