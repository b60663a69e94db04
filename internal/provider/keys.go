package provider

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/agentconnect-go/agentconnect/internal/flight"
	"github.com/agentconnect-go/agentconnect/internal/strictjson"
)

const (
	// A token that fits no known key causes a new read of the keys. A token bucket
	// limits such reads: a rotation right after a read can still cause one, a thousand
	// invented kids cannot.
	keyReads      = 4
	keyReadPeriod = time.Minute
	minRSABits    = 2048
)

// Keys are the keys that the provider publishes.
type Keys struct {
	usable []jose.JSONWebKey
	// LeftOut are the keys that seem to be for signatures but cannot be used.
	LeftOut []LeftOutKey
}

// A LeftOutKey is a published key that cannot be used.
type LeftOutKey struct {
	KeyID  string // shortened, and untrusted
	Reason string
}

// String names the key and the reason.
func (k LeftOutKey) String() string { return fmt.Sprintf("the key %q: %s", k.KeyID, k.Reason) }

// Fitting returns how many keys are for signatures of an algorithm.
func (k *Keys) Fitting(alg jose.SignatureAlgorithm) int {
	fitting := 0
	for _, key := range k.usable {
		if fits(key, alg) {
			fitting++
		}
	}
	return fitting
}

// ReadKeys reads the published keys, even if they are already known.
func (p *Provider) ReadKeys(ctx context.Context) (*Keys, error) {
	const asked = "keys"
	m, err := p.Metadata(ctx)
	if err != nil {
		return nil, err
	}
	body, err := p.getJSON(ctx, asked, m.JWKSURI)
	if err != nil {
		return nil, err
	}
	keys, err := parseKeys(body)
	if err != nil {
		return nil, failed(BadAnswer, asked, err)
	}
	return keys, nil
}

// A keySet is the published keys, as they are remembered.
type keySet struct {
	published *cached[*Keys]
	now       func() time.Time

	mu       sync.Mutex
	bucket   int
	filledAt time.Time
}

func newKeySet(p *Provider) *keySet {
	now := p.config.Now
	return &keySet{
		published: newCached(now,
			// Ten minutes, as the provider's Cache-Control says: a key that was withdrawn is
			// trusted for that long. An hour, while reading the keys again fails.
			freshness{renewAfter: 10 * time.Minute, waitAfter: 10 * time.Minute, uselessAfter: time.Hour},
			func(ctx context.Context, previous *Keys) (*Keys, error) {
				keys, err := p.ReadKeys(ctx)
				if err == nil {
					p.logLeftOut(ctx, previous, keys)
				}
				return keys, err
			}),
		now:      now,
		bucket:   keyReads,
		filledAt: now(),
	}
}

// logLeftOut logs the keys that cannot be used, once and not at every read. A logger
// that panics does not hurt the keys.
func (p *Provider) logLeftOut(ctx context.Context, previous, keys *Keys) {
	for _, key := range keys.LeftOut {
		if previous != nil && slices.Contains(previous.LeftOut, key) {
			continue
		}
		flight.Safely(func() (any, error) {
			p.config.Logger.WarnContext(ctx, "agentconnect: a key of the provider cannot be used", slog.String("kid", key.KeyID), slog.String("cause", key.Reason))
			return nil, nil
		})
	}
}

// verify verifies a signature with the keys at hand and, if none fits and the bucket
// allows, with newer ones. It returns the payload.
func (s *keySet) verify(ctx context.Context, jws *jose.JSONWebSignature, kid string, alg jose.SignatureAlgorithm) ([]byte, error) {
	keys, reads, err := s.published.get(ctx, 0, always)
	if err != nil {
		return nil, err
	}
	if payload, ok := keys.verify(jws, kid, alg); ok {
		return payload, nil
	}
	// The second time only if another caller had started the read: it may have been
	// answered before the key of this token was published.
	for range 2 {
		started := false
		newer, n, err := s.published.get(ctx, reads, func() bool { started = s.takeFromBucket(); return started })
		if err != nil {
			return nil, err
		}
		if payload, ok := newer.verify(jws, kid, alg); ok {
			return payload, nil
		}
		if started {
			break
		}
		reads = n
	}
	return nil, errors.New("no key of the provider verifies the signature")
}

// takeFromBucket reports whether a read of the keys may start.
func (s *keySet) takeFromBucket() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if periods := int(s.now().Sub(s.filledAt) / keyReadPeriod); periods > 0 {
		s.bucket = min(s.bucket+periods, keyReads)
		s.filledAt = s.now()
	}
	if s.bucket == 0 {
		return false
	}
	s.bucket--
	return true
}

// verify verifies a signature with the keys that fit it. Without a kid, exactly one key
// must fit (Core 1.0 section 10.1).
func (k *Keys) verify(jws *jose.JSONWebSignature, kid string, alg jose.SignatureAlgorithm) ([]byte, bool) {
	if kid == "" && k.Fitting(alg) != 1 {
		return nil, false
	}
	for _, key := range k.usable {
		if (kid == "" || key.KeyID == kid) && fits(key, alg) {
			if payload, err := jws.Verify(key.Key); err == nil {
				return payload, true
			}
		}
	}
	return nil, false
}

// fits reports whether a key is for signatures of the algorithm (RFC 7517 section
// 4.4, RFC 7518 sections 3.3 and 3.4).
func fits(key jose.JSONWebKey, alg jose.SignatureAlgorithm) bool {
	if key.Algorithm != "" && key.Algorithm != string(alg) {
		return false
	}
	switch key.Key.(type) {
	case *rsa.PublicKey:
		return alg == jose.RS256
	case *ecdsa.PublicKey:
		return alg == jose.ES256
	}
	return false
}

// parseKeys reads a JWK set (RFC 7517 section 5). Keys that are for something else,
// and keys that are malformed, are no reason to refuse the set.
func parseKeys(body []byte) (*Keys, error) {
	doc, err := strictjson.Parse(body)
	if err != nil {
		return nil, err
	}
	list, err := doc.Get("keys")
	if err != nil {
		return nil, err
	}
	var raw []json.RawMessage
	if list == "" || json.Unmarshal([]byte(list), &raw) != nil {
		return nil, errors.New("the document has no list of keys")
	}
	keys := &Keys{}
	for _, one := range raw {
		key, kid, err := parseKey(one)
		switch {
		case err != nil:
			keys.LeftOut = append(keys.LeftOut, LeftOutKey{shortened(kid), err.Error()})
		case key != nil:
			keys.usable = append(keys.usable, *key)
		}
	}
	return keys, nil
}

// keyMembers are the members of a public key that are read (RFC 7517 section 4, RFC
// 7518 section 6). An error in another member, such as the certificates of x5c, is no
// reason to refuse the key.
func keyMembers() []string { return []string{"kty", "kid", "use", "alg", "n", "e", "crv", "x", "y"} }

// parseKey reads a JWK. It returns no key and no error if the key is not for the
// signatures that are verified here.
func parseKey(raw []byte) (key *jose.JSONWebKey, kid string, err error) {
	jwk, err := strictjson.Parse(raw)
	if err != nil {
		return nil, "", err
	}
	members := map[string]string{}
	for _, name := range keyMembers() {
		value, err := jwk.Text(name)
		if err != nil {
			return nil, members["kid"], err
		}
		if value != "" {
			members[name] = value
		}
	}
	kid = members["kid"]
	operations, err := jwk.Texts("key_ops")
	switch {
	case err != nil:
		return nil, kid, err
	case members["use"] != "" && members["use"] != "sig", operations != nil && !slices.Contains(operations, "verify"):
		return nil, kid, nil
	case members["kty"] == "":
		return nil, kid, errors.New("kty is missing")
	case members["kty"] != "RSA" && (members["kty"] != "EC" || members["crv"] != "P-256"):
		return nil, kid, nil
	}
	text, err := json.Marshal(members)
	if err != nil {
		return nil, kid, err
	}
	key = &jose.JSONWebKey{}
	if key.UnmarshalJSON(text) != nil || !key.Valid() {
		return nil, kid, errors.New("it is malformed")
	}
	if k, ok := key.Key.(*rsa.PublicKey); ok && k.N.BitLen() < minRSABits {
		return nil, kid, fmt.Errorf("it has %d bits, fewer than %d", k.N.BitLen(), minRSABits)
	}
	return key, kid, nil
}

// shortened returns a text of the provider, short enough to be logged.
func shortened(s string) string {
	const most = 64
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strings.ToValidUTF8(s, "")
}
