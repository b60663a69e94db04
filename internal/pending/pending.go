// Package pending keeps the logins that are under way, in cookies of the browser that
// started them. So two tabs do not disturb each other, any instance can serve the
// callback, and a visit to the login page leaves nothing on the server.
//
// The number of cookie names is fixed, and each cookie has a maximum size. So the
// cookies stay small together, however many logins start. The package knows requests
// and cookies, and nothing about the provider, sessions or pages.
package pending

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/cookies"
	"github.com/agentconnect-go/agentconnect/internal/seal"
)

const (
	// Lifetime is how long a login may take.
	Lifetime = 10 * time.Minute
	// Slots is how many logins a browser can have under way: roughly the number of tabs
	// that a browser restores at once. A new login replaces the oldest.
	Slots = 8
	// remembered is how long the page that a login leads to is kept, even after the
	// login has expired: an agent may come back from lunch.
	remembered = time.Hour
	// maxOwnPage bounds a page that is kept beside its login. A longer page is kept in
	// a cookie that all logins share, so only the newest login has one. If space is
	// short, pages are dropped before logins.
	maxOwnPage = 128
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
	Silent bool     // prompt=none was sent
	// ReturnTo is a local page, in printable ASCII. It is not sealed: check it again
	// when it comes back.
	ReturnTo string

	// Over says that the login ended without a session, took too long, or was sealed
	// with a key that is no longer known. Then only ReturnTo is set.
	Over bool

	keeper  *Keeper // that set its cookie
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
	others []*Keeper // with other stems; their logins are found too
}

// New returns a Keeper whose cookies have names that begin with stem. It also finds
// the logins of Keepers with other stems, and counts them among its own.
func New(stem string, secure bool, sealer *seal.Sealer, now func() time.Time, others ...string) *Keeper {
	k := &Keeper{stem: stem, secure: secure, sealer: sealer, now: now}
	for _, other := range others {
		k.others = append(k.others, &Keeper{stem: other, secure: secure, sealer: sealer, now: now})
	}
	k.turns.begin = rand.N(Slots) // instances begin apart
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

// Add gives the browser a login. It replaces the oldest if the browser already has
// Slots of them.
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
	for _, other := range k.others { // there is room for one login in a slot, and one page
		for _, name := range []string{other.slotName(slot), other.pageName()} {
			if len(cookies.Named(r, name)) > 0 {
				k.set(w, name, "", -time.Second)
			}
		}
	}
	return nil
}

// place chooses the slot of a new login: a free one, or that of the oldest login. It also
// returns the start of the login: later than all others that started here, even if the
// clock has not moved.
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
	return k.turns.next(lookOf(r), view, started, k.now().UnixNano())
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

// End takes a login that Find returned from the browser, but keeps its page for an hour:
// the agent may reload the page that refused the login. A silent login shows no page.
func (k *Keeper) End(w http.ResponseWriter, r *http.Request, l *Login) {
	if l.Silent {
		k.Remove(w, r, l)
		return
	}
	page := ""
	if len(l.ReturnTo) <= maxOwnPage {
		page = intoCookie.Replace(l.ReturnTo)
	}
	k.set(w, l.keeper.slotName(l.slot), l.State[:idLen]+".."+page, remembered)
}

// A kept is the content of a slot's cookie.
type kept struct {
	keeper   *Keeper
	id, page string
	login    *Login // nil if it does not open
}

// inSlots returns the content of a slot's cookies, those of other stems included.
func (k *Keeper) inSlots(r *http.Request, slot int) []kept {
	found := k.inSlot(r, slot)
	for _, other := range k.others {
		found = append(found, other.inSlot(r, slot)...)
	}
	return found
}

// inSlot returns the content of a slot's cookie. Several cookies have its name only if
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

// sealedFor binds a login to its cookie and to the page beside it. The page is not
// sealed, so it can be read even if the login cannot.
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

// Some characters of a Location cannot be in a cookie's value. They are replaced with
// characters that a Location cannot have.
var (
	intoCookie = strings.NewReplacer(";", "{", ",", "}")
	fromCookie = strings.NewReplacer("{", ";", "}", ",")
)

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
		return nil, errors.New("pending: a state, nonce, verifier or key does not have 256 bits")
	}
	return append(plain, strings.Join(l.ACR, " ")...), nil
}

// decode reads a login that encode wrote. It returns nil for anything else.
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
