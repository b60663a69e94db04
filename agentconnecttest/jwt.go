package agentconnecttest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// JWT is a token that the provider is about to sign. [Tamper.IDToken],
// [Tamper.Userinfo] and [Tamper.Introspection] change it in place.
type JWT struct {
	Header Members // alg, typ, kid
	Claims Members

	// Alg and Key make the signature, independently of Header: "RS256" with an
	// *rsa.PrivateKey, "ES256" with an *ecdsa.PrivateKey, "HS256" with a []byte, or
	// "none" for an empty signature. See [JWT.SignWith].
	Alg string
	Key any

	// Plain sends the claims as a JSON object instead of a JWT. It is set
	// when the client is registered without a signature for userinfo.
	Plain bool

	// Serialize, if it is not nil, returns the text that is sent.
	Serialize func(compact string) string

	// Payload, if it is not nil, is signed instead of Claims. It need not be JSON.
	Payload []byte

	// Client is the client that the token is for, Now the provider's time, and IDToken the last
	// ID token of the same login ("" when this is the first).
	Client  Client
	Now     time.Time
	IDToken string

	issuer            string
	signing, attacker map[string]Key
}

// SignWith makes k sign the token and sets alg and kid in the header accordingly.
func (t *JWT) SignWith(k Key) {
	t.Alg, t.Key = k.Alg, k.Private
	t.Header.Set("alg", k.Alg)
	t.Header.Set("kid", k.ID)
}

// SignHS256 makes secret sign the token with HS256 and sets the header accordingly,
// without a kid.
func (t *JWT) SignHS256(secret []byte) {
	t.Alg, t.Key = "HS256", secret
	t.Header.Set("alg", "HS256")
	t.Header.Delete("kid")
}

// SigningKey returns the key with which the provider signs "RS256" or "ES256".
func (t *JWT) SigningKey(alg string) Key { return t.signing[alg] }

// AttackerKey returns a key for "RS256" or "ES256" that the provider never
// publishes.
func (t *JWT) AttackerKey(alg string) Key { return t.attacker[alg] }

// newJWT returns a token for c, signed with the registered algorithm alg, or to be
// sent as plain JSON when alg is "none".
func (p *Provider) newJWT(c Client, alg, typ string) *JWT {
	p.keys.mu.Lock()
	t := &JWT{
		Header:   Members{{"alg", alg}, {"typ", typ}},
		Alg:      alg,
		Client:   c,
		issuer:   p.issuer,
		Now:      p.now(),
		signing:  map[string]Key{"RS256": p.keys.signing["RS256"], "ES256": p.keys.signing["ES256"]},
		attacker: p.keys.attacker,
	}
	p.keys.mu.Unlock()
	switch alg {
	case "HS256":
		t.Key = []byte(c.Secret)
	case "none":
		t.Plain = true
	default:
		t.SignWith(t.signing[alg])
	}
	return t
}

// compact serializes and signs the token.
func (t *JWT) compact() (string, error) {
	header, err := json.Marshal(t.Header)
	if err != nil {
		return "", err
	}
	claims := t.Payload
	if claims == nil {
		if claims, err = json.Marshal(t.Claims); err != nil {
			return "", err
		}
	}
	input := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(claims)
	signature, err := sign(t.Alg, t.Key, input)
	if err != nil {
		return "", err
	}
	compact := input + "." + base64.RawURLEncoding.EncodeToString(signature)
	if t.Serialize != nil {
		compact = t.Serialize(compact)
	}
	return compact, nil
}

// sign returns the signature of input. A JOSE library would rightly refuse most of the
// tampering, so this package signs itself.
func sign(alg string, key any, input string) ([]byte, error) {
	digest := sha256.Sum256([]byte(input))
	switch key := key.(type) {
	case *rsa.PrivateKey:
		if alg == "RS256" {
			return rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
		}
	case *ecdsa.PrivateKey:
		if alg == "ES256" {
			r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
			if err != nil {
				return nil, err
			}
			return slices.Concat(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))), nil
		}
	case []byte:
		if alg == "HS256" {
			mac := hmac.New(sha256.New, key)
			mac.Write([]byte(input))
			return mac.Sum(nil), nil
		}
	}
	if alg == "none" {
		return nil, nil
	}
	return nil, fmt.Errorf("agentconnecttest: no %s signature with a key of type %T", alg, key)
}

// leftHalf is the value of at_hash for an access token, with the three algorithms
// of ProConnect, which all hash with SHA-256 (OpenID Connect Core 3.1.3.6).
func leftHalf(accessToken string) string {
	digest := sha256.Sum256([]byte(accessToken))
	return base64.RawURLEncoding.EncodeToString(digest[:16])
}

// verified returns the claims of an ID token that this provider issued to c, expired
// or not.
func (p *Provider) verified(c Client, compact string) (map[string]any, bool) {
	parsed, err := jose.ParseSignedCompact(compact, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(c.IDTokenAlg)})
	if err != nil {
		return nil, false
	}
	candidates := []any{[]byte(c.Secret)}
	if c.IDTokenAlg != "HS256" {
		p.keys.mu.Lock()
		candidates = []any{p.keys.signing[c.IDTokenAlg].Private.Public()}
		for _, k := range p.keys.published {
			candidates = append(candidates, k.Private.Public())
		}
		p.keys.mu.Unlock()
	}
	for _, key := range candidates {
		if payload, err := parsed.Verify(key); err == nil {
			var claims map[string]any
			return claims, json.Unmarshal(payload, &claims) == nil && claims["iss"] == p.issuer
		}
	}
	return nil, false
}
