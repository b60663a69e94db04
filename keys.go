package agentconnect

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/agentconnect-go/agentconnect/internal/strictjson"
)

const (
	// Reading keys because a token did not fit them is paid from a bucket: a
	// rotation right after a read finds a token in it, a thousand invented kids
	// soon find none.
	keyReads      = 4
	keyReadPeriod = time.Minute
	minRSABits    = 2048
)

var errNoKey = errors.New("no key of the provider verifies the signature")

// A keySet is the provider's published keys.
type keySet struct {
	published *cached[[]jose.JSONWebKey]
	now       func() time.Time

	mu       sync.Mutex
	bucket   int
	filledAt time.Time
}

func newKeySet(now func() time.Time, fetch func(context.Context) ([]byte, error)) *keySet {
	read := func(ctx context.Context, _ []jose.JSONWebKey) ([]jose.JSONWebKey, error) {
		body, err := fetch(ctx)
		if err != nil {
			return nil, err
		}
		return parseKeys(body)
	}
	return &keySet{
		published: &cached[[]jose.JSONWebKey]{
			now: now,
			// Ten minutes, as the provider's Cache-Control says: a key that was
			// withdrawn is trusted so long. An hour, while reading them again fails.
			freshness: freshness{renewAfter: 10 * time.Minute, waitAfter: 10 * time.Minute, uselessAfter: time.Hour},
			read:      read,
		},
		now:      now,
		bucket:   keyReads,
		filledAt: now(),
	}
}

// pinnedKeys implements oidc.KeySet for one registered algorithm.
type pinnedKeys struct {
	alg    Alg
	secret []byte // for HS256: the raw bytes of the client secret
	set    *keySet
}

// VerifySignature implements oidc.KeySet. Of what the token says of keys, only
// the kid is looked at: never a key that it carries or points to.
func (k pinnedKeys) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	// Compact alone: go-oidc also parses the JSON serialisation.
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(k.alg)})
	if err != nil {
		return nil, errors.New("it is not a JWT signed with the registered algorithm")
	}
	header := jws.Signatures[0].Protected
	if _, ok := header.ExtraHeaders["crit"]; ok {
		return nil, errors.New("it has critical header parameters")
	}
	if k.alg == HS256 {
		payload, err := jws.Verify(k.secret)
		if err != nil {
			return nil, errors.New("the client secret does not verify the signature")
		}
		return payload, nil
	}
	return k.set.verify(ctx, jws, header.KeyID, k.alg)
}

// ready returns why there are no keys: the provider is away.
func (k pinnedKeys) ready(ctx context.Context) error {
	if k.alg == HS256 {
		return nil
	}
	_, _, err := k.set.published.get(ctx, 0, always)
	return err
}

// verify tries the keys at hand and, if none fits and the bucket allows, newer
// ones.
func (s *keySet) verify(ctx context.Context, jws *jose.JSONWebSignature, kid string, alg Alg) ([]byte, error) {
	keys, reads, err := s.published.get(ctx, 0, always)
	if err != nil {
		return nil, err
	}
	if payload, ok := verifyWith(keys, jws, kid, alg); ok {
		return payload, nil
	}
	// The second time only after a read that others had started, which may have
	// been answered before the key of this token was published.
	for range 2 {
		started := false
		newer, n, err := s.published.get(ctx, reads, func() bool { started = s.takeToken(); return started })
		if err != nil {
			return nil, err
		}
		if payload, ok := verifyWith(newer, jws, kid, alg); ok {
			return payload, nil
		}
		if started {
			break
		}
		reads = n
	}
	return nil, errNoKey
}

// verifyWith verifies a signature with the keys that fit it. A token without
// kid may only mean the one key that fits (Core 1.0 section 10.1).
func verifyWith(keys []jose.JSONWebKey, jws *jose.JSONWebSignature, kid string, alg Alg) ([]byte, bool) {
	var fitting []jose.JSONWebKey
	for _, key := range keys {
		if (kid == "" || key.KeyID == kid) && fits(key, alg) {
			fitting = append(fitting, key)
		}
	}
	if kid == "" && len(fitting) > 1 {
		return nil, false
	}
	for _, key := range fitting {
		if payload, err := jws.Verify(key.Key); err == nil {
			return payload, true
		}
	}
	return nil, false
}

// fits reports whether a key is for signatures of the algorithm (RFC 7517
// sections 4.1 to 4.4, RFC 7518 sections 3.3 and 3.4).
func fits(key jose.JSONWebKey, alg Alg) bool {
	if key.Use != "" && key.Use != "sig" || key.Algorithm != "" && key.Algorithm != string(alg) {
		return false
	}
	switch k := key.Key.(type) {
	case *rsa.PublicKey:
		return alg == RS256 && k.N.BitLen() >= minRSABits
	case *ecdsa.PublicKey:
		return alg == ES256 && k.Curve == elliptic.P256()
	}
	return false
}

// takeToken takes a token from the bucket if there is one.
func (s *keySet) takeToken() bool {
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

// parseKeys returns the keys of a JWK set that may verify a signature. Others, of
// types or of shapes that are unknown, are no reason to refuse the set (RFC 7517
// section 5).
func parseKeys(body []byte) ([]jose.JSONWebKey, error) {
	doc, err := strictjson.Parse(body)
	if err != nil {
		return nil, errorf(CodeProviderAnswer, "keys: %w", err)
	}
	var raw []json.RawMessage
	list, err := doc.Get("keys")
	if err != nil || json.Unmarshal([]byte(list), &raw) != nil {
		return nil, errorf(CodeProviderAnswer, "keys: the document has no list of keys")
	}
	var keys []jose.JSONWebKey
	for _, one := range raw {
		var key jose.JSONWebKey
		if json.Unmarshal(one, &key) == nil && key.Valid() && mayVerify(one) {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// mayVerify reports whether the key_ops of a key, where it has any, are for
// verifying signatures (RFC 7517 section 4.3). go-jose does not read them.
func mayVerify(key []byte) bool {
	var limits struct {
		Ops []string `json:"key_ops"`
	}
	return json.Unmarshal(key, &limits) == nil && (limits.Ops == nil || slices.Contains(limits.Ops, "verify"))
}
