package provider

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/agentconnect-go/agentconnect/internal/strictjson"
)

// A verifier verifies the JWTs that the provider signs with one algorithm. go-jose
// checks the signature; all the other checks are here.
type verifier struct {
	alg      jose.SignatureAlgorithm
	secret   []byte // for HS256: the raw bytes of the client secret
	keys     *keySet
	issuer   string
	clientID string
	now      func() time.Time
}

// verifier returns the verifier of an algorithm, nil for Unsigned.
func (p *Provider) verifier(alg jose.SignatureAlgorithm) *verifier {
	if alg == "" || alg == Unsigned {
		return nil
	}
	return &verifier{alg: alg, secret: []byte(p.config.ClientSecret), keys: p.keys, issuer: p.config.Issuer, clientID: p.config.ClientID, now: p.config.Now}
}

// A signed is the content of a JWT that was verified.
type signed struct {
	claims strictjson.Object
	typ    string // from its header, in lower case and without "application/" (RFC 7515 section 4.1.9)
}

// verify makes the checks that all signed answers need: the signature, with the
// registered algorithm; iss; aud and azp; iat, exp and nbf (Core 1.0 section 3.1.3.7,
// steps 2 to 10). Its error is a *Failure if the keys cannot be read.
func (v *verifier) verify(ctx context.Context, token string) (signed, error) {
	// Only compact: an ID token has no other serialisation (Core 1.0 section 2).
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{v.alg})
	if other, ok := errors.AsType[*jose.ErrUnexpectedSignatureAlgorithm](err); ok && slices.Contains([]jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.HS256}, other.Got) {
		return signed{}, fmt.Errorf("its alg is %s, but the settings say %s", other.Got, v.alg)
	}
	if err != nil {
		return signed{}, errors.New("it is not a JWT signed with the registered algorithm")
	}
	header := jws.Signatures[0].Protected
	if _, ok := header.ExtraHeaders["crit"]; ok {
		return signed{}, errors.New("it has critical header parameters")
	}
	payload, err := v.verifySignature(ctx, jws, header.KeyID)
	if err != nil {
		return signed{}, err
	}
	claims, err := strictjson.Parse(payload)
	if err != nil {
		return signed{}, err
	}
	if iss, err := claims.Text("iss"); err != nil || iss != v.issuer {
		return signed{}, errors.New("the iss is not the issuer")
	}
	if err := checkAudience(claims, v.clientID); err != nil {
		return signed{}, err
	}
	typ, _ := header.ExtraHeaders[jose.HeaderType].(string)
	return signed{claims, strings.TrimPrefix(strings.ToLower(typ), "application/")}, CheckTimes(claims, v.now(), "iat")
}

// verifySignature returns the payload. It reads the kid of the token, and never uses a
// key that the token contains or points to.
func (v *verifier) verifySignature(ctx context.Context, jws *jose.JSONWebSignature, kid string) ([]byte, error) {
	if v.alg != jose.HS256 {
		return v.keys.verify(ctx, jws, kid, v.alg)
	}
	payload, err := jws.Verify(v.secret)
	if err != nil {
		return nil, errors.New("the client secret does not verify the signature")
	}
	return payload, nil
}

// checkAudience checks that the client is an audience. There may be other audiences
// only if azp is the client (Core 1.0 section 3.1.3.7, steps 3 to 5).
func checkAudience(c strictjson.Object, clientID string) error {
	audience, err := c.TextOrTexts("aud")
	if err != nil {
		return err
	}
	azp, err := c.Text("azp")
	switch {
	case err != nil:
		return err
	case !slices.Contains(audience, clientID):
		return errors.New("the client is not an audience")
	case azp != "" && azp != clientID:
		return errors.New("the azp is not the client")
	case azp == "" && slices.ContainsFunc(audience, func(aud string) bool { return aud != clientID }):
		return errors.New("there are other audiences, and no azp")
	}
	return nil
}

// CheckTimes checks exp, iat and nbf if they are present (RFC 7519 section 4.1), and
// that the required ones are present. It tolerates ClockTolerance.
func CheckTimes(c strictjson.Object, now time.Time, required ...string) error {
	for _, name := range []string{"exp", "iat", "nbf"} {
		t, ok, err := c.Time(name)
		switch {
		case err != nil:
			return err
		case !ok && slices.Contains(required, name):
			return fmt.Errorf("the claim %s is missing", name)
		case !ok:
		case name == "exp" && !now.Before(t.Add(ClockTolerance)):
			return fmt.Errorf("it expired at %s", t.UTC().Format(time.RFC3339))
		case name != "exp" && t.After(now.Add(ClockTolerance)):
			return fmt.Errorf("its %s, %s, is in the future", name, t.UTC().Format(time.RFC3339))
		}
	}
	return nil
}

// CheckSub checks the identifier of an agent (Core 1.0 section 2).
func CheckSub(sub string) error {
	switch {
	case sub == "":
		return errors.New("the claim sub is missing")
	case len(sub) > 255:
		return errors.New("the claim sub is longer than 255 bytes")
	}
	return nil
}

// An IDToken is the content of a verified ID token.
type IDToken struct {
	Raw    string // the token itself; a logout sends it to the provider
	Sub    string
	Claims strictjson.Object
}

// verifyIDToken verifies an ID token as Core 1.0 section 3.1.3.7 says.
func (p *Provider) verifyIDToken(ctx context.Context, raw, nonce, accessToken string) (*IDToken, error) {
	verified, err := p.idTokens.verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	c := verified.claims
	if err := CheckTimes(c, p.config.Now(), "exp"); err != nil {
		return nil, err
	}
	sub, err := c.Text("sub")
	if err != nil {
		return nil, err
	}
	if err := CheckSub(sub); err != nil {
		return nil, err
	}
	if got, err := c.Text("nonce"); err != nil || subtle.ConstantTimeCompare([]byte(got), []byte(nonce)) != 1 {
		return nil, errors.New("the nonce is not that of this login")
	}
	hash, err := c.Get("at_hash")
	if err != nil {
		return nil, err
	}
	if got, _ := c.Text("at_hash"); hash != "" && got != accessTokenHash(accessToken) {
		return nil, errors.New("the at_hash is not that of the access token")
	}
	for _, name := range []string{"acr", "amr", "auth_time"} { // the agent is built from these
		if _, err := c.Get(name); err != nil {
			return nil, err
		}
	}
	return &IDToken{raw, sub, c}, nil
}

// accessTokenHash is the at_hash of an access token: the left half of its SHA-256,
// since all the registered algorithms use that hash (Core 1.0 section 3.1.3.6).
func accessTokenHash(accessToken string) string {
	sum := sha256.Sum256([]byte(accessToken))
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}
