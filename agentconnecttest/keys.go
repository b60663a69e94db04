package agentconnecttest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"github.com/go-jose/go-jose/v4"
)

// Key is one of the provider's signing keys.
type Key struct {
	ID      string        // the kid
	Alg     string        // "RS256" or "ES256"
	Private crypto.Signer // *rsa.PrivateKey or *ecdsa.PrivateKey
}

// rsaKey returns the process's RSA key with that number. It generates each key once,
// because that takes longer than a whole test.
var rsaKey = newRSAPool()

func newRSAPool() func(number int) (*rsa.PrivateKey, error) {
	var mu sync.Mutex
	var pool []*rsa.PrivateKey
	return func(number int) (*rsa.PrivateKey, error) {
		mu.Lock()
		defer mu.Unlock()
		for len(pool) <= number {
			key, err := rsa.GenerateKey(rand.Reader, 2048)
			if err != nil {
				return nil, err
			}
			pool = append(pool, key)
		}
		return pool[number], nil
	}
}

// The numbers of RSA keys with a fixed role. Rotation uses the numbers after them.
const (
	rsaFirst = iota
	rsaAttacker
	rsaNext
)

// keyRing holds the signing keys apart from the published keys, because rotations fail
// when the two differ.
type keyRing struct {
	mu        sync.Mutex
	signing   map[string]Key // by algorithm
	published []Key
	extra     []json.RawMessage
	override  []byte
	nextRSA   int
	attacker  map[string]Key
}

func (ring *keyRing) init() error {
	ring.nextRSA = rsaNext
	ring.signing = make(map[string]Key)
	ring.attacker = make(map[string]Key)
	for number, keys := range map[int]map[string]Key{rsaFirst: ring.signing, rsaAttacker: ring.attacker} {
		private, err := rsaKey(number)
		if err != nil {
			return err
		}
		if keys["RS256"], err = newKey("RS256", private); err != nil {
			return err
		}
		if keys["ES256"], err = newECKey(); err != nil {
			return err
		}
	}
	ring.published = []Key{ring.signing["ES256"], ring.signing["RS256"]}
	return nil
}

func newECKey() (Key, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Key{}, err
	}
	return newKey("ES256", private)
}

func newKey(alg string, private crypto.Signer) (Key, error) {
	thumbprint, err := (&jose.JSONWebKey{Key: private.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		return Key{}, err
	}
	return Key{ID: base64.RawURLEncoding.EncodeToString(thumbprint), Alg: alg, Private: private}, nil
}

// JWK returns the public half of the key as a JSON Web Key with use, alg and kid. It
// panics if Private is neither an RSA nor a P-256 key.
func (k Key) JWK() json.RawMessage {
	jwk := jose.JSONWebKey{Key: k.Private.Public(), KeyID: k.ID, Algorithm: k.Alg, Use: "sig"}
	b, err := jwk.MarshalJSON()
	if err != nil {
		panic("agentconnecttest: Key.Private is neither an RSA nor a P-256 key: " + err.Error())
	}
	return b
}

// NewKey makes a key for "RS256" or "ES256". The provider uses it only after
// [Provider.PublishKey] and [Provider.SignWith]. Its ID is its thumbprint and can be
// changed.
func (p *Provider) NewKey(alg string) (Key, error) {
	switch alg {
	case "ES256":
		return newECKey()
	case "RS256":
		p.keys.mu.Lock()
		number := p.keys.nextRSA
		p.keys.nextRSA++
		p.keys.mu.Unlock()
		private, err := rsaKey(number)
		if err != nil {
			return Key{}, err
		}
		return newKey(alg, private)
	}
	return Key{}, fmt.Errorf("agentconnecttest: no key for algorithm %q", alg)
}

// SigningKey returns the key that signs with "RS256" or "ES256" now, and false for any
// other algorithm.
func (p *Provider) SigningKey(alg string) (Key, bool) {
	p.keys.mu.Lock()
	defer p.keys.mu.Unlock()
	k, ok := p.keys.signing[alg]
	return k, ok
}

// SignWith makes k sign everything with its algorithm from now on. It does not publish
// k: signing before publishing is one way to fail a rotation.
func (p *Provider) SignWith(k Key) {
	p.keys.mu.Lock()
	defer p.keys.mu.Unlock()
	p.keys.signing[k.Alg] = k
}

// PublishKey adds k to the key set, before the other keys, even if one of them has the
// same ID: two keys may share a kid.
func (p *Provider) PublishKey(k Key) {
	p.keys.mu.Lock()
	defer p.keys.mu.Unlock()
	p.keys.published = slices.Insert(p.keys.published, 0, k)
}

// WithdrawKey removes every key with that ID from the key set. A withdrawn key can
// still sign.
func (p *Provider) WithdrawKey(id string) {
	p.keys.mu.Lock()
	defer p.keys.mu.Unlock()
	p.keys.published = slices.DeleteFunc(p.keys.published, func(k Key) bool { return k.ID == id })
}

// RotateKeys publishes a new key for each algorithm and signs with them at once,
// while the former ones stay in the key set. It returns the former ones, for
// [Provider.WithdrawKey].
func (p *Provider) RotateKeys() (former []Key, err error) {
	for _, alg := range []string{"RS256", "ES256"} {
		k, err := p.NewKey(alg)
		if err != nil {
			return former, err
		}
		if old, ok := p.SigningKey(alg); ok {
			former = append(former, old)
		}
		p.PublishKey(k)
		p.SignWith(k)
	}
	return former, nil
}

// AddJWK adds entries to the key set as they are, before the provider's own keys. They
// can be any JSON: odd, unknown or malformed. Without arguments it removes those added
// before.
func (p *Provider) AddJWK(entries ...json.RawMessage) {
	p.keys.mu.Lock()
	defer p.keys.mu.Unlock()
	if len(entries) == 0 {
		p.keys.extra = nil
	}
	p.keys.extra = append(p.keys.extra, entries...)
}

// SetJWKS makes the keys endpoint answer exactly body; nil goes back to the
// provider's own key set.
func (p *Provider) SetJWKS(body []byte) {
	p.keys.mu.Lock()
	defer p.keys.mu.Unlock()
	p.keys.override = slices.Clone(body)
}

func (p *Provider) serveJWKS(a *Answer, _ *http.Request) {
	p.keys.mu.Lock()
	entries := slices.Clone(p.keys.extra)
	for _, k := range p.keys.published {
		entries = append(entries, k.JWK())
	}
	override := p.keys.override
	p.keys.mu.Unlock()
	a.Header.Set("Cache-Control", "public, max-age=600")
	if override != nil {
		a.write(http.StatusOK, "application/jwk-set+json; charset=utf-8", override)
		return
	}
	a.json(http.StatusOK, Members{{"keys", entries}})
	a.Header.Set("Content-Type", "application/jwk-set+json; charset=utf-8")
}
