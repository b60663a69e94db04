package agentconnect

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// A verifier is go-oidc's verifier over our keys and one algorithm. It checks
// the signature, the algorithm, iss, and that aud contains us; the functions below
// check the rest.
type verifier struct {
	*oidc.IDTokenVerifier
	keys pinnedKeys
}

func (p *provider) verifier(alg Alg) *verifier {
	keys := pinnedKeys{alg: alg, secret: []byte(p.config.clientSecret), set: p.keys}
	return &verifier{keys: keys, IDTokenVerifier: oidc.NewVerifier(p.config.issuer, keys, &oidc.Config{
		ClientID:             p.config.clientID,
		SupportedSigningAlgs: []string{string(alg)},
		SkipExpiryCheck:      true, // checkTimes does, with its tolerance, and where exp is optional
	})}
}

// verifySigned verifies what an ID token and a signed userinfo have in common,
// and returns the claims.
func (p *provider) verifySigned(ctx context.Context, verifier *verifier, raw string) (claims, error) {
	// Asked apart, because go-oidc makes a text of a key set's error, and a
	// provider that is away would look like a bad token.
	if err := verifier.keys.ready(ctx); err != nil {
		return nil, err
	}
	verified, err := verifier.Verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	var payload json.RawMessage
	if err := verified.Claims(&payload); err != nil {
		return nil, err
	}
	c, err := decodeObject(payload)
	if err != nil {
		return nil, err
	}
	if err := p.checkAudience(c); err != nil {
		return nil, err
	}
	if len(c["iat"]) == 0 {
		return nil, errors.New("the claim iat is missing")
	}
	return c, p.checkTimes(c)
}

// verifyIDToken verifies an ID token as Core 1.0 section 3.1.3.7 says, and
// returns its claims.
func (p *provider) verifyIDToken(ctx context.Context, raw, nonce, accessToken string) (claims, error) {
	c, err := p.verifySigned(ctx, p.idTokens, raw)
	if err != nil {
		return nil, err
	}
	if len(c["exp"]) == 0 {
		return nil, errors.New("the claim exp is missing")
	}
	sub, _ := c.text("sub")
	if err := checkSub(sub); err != nil {
		return nil, err
	}
	if got, _ := c.text("nonce"); subtle.ConstantTimeCompare([]byte(got), []byte(nonce)) != 1 {
		return nil, errors.New("the nonce is not that of this login")
	}
	if len(c["at_hash"]) > 0 {
		if got, _ := c.text("at_hash"); got != accessTokenHash(accessToken) {
			return nil, errors.New("the at_hash is not that of the access token")
		}
	}
	return c, nil
}

// verifyUserinfo verifies a userinfo answer (Core 1.0 sections 5.3.2 and 5.3.4)
// and returns its claims.
func (p *provider) verifyUserinfo(ctx context.Context, mediaType string, body []byte, idToken claims) (claims, error) {
	want := "application/jwt"
	if p.config.userinfoAlg == Unsigned {
		want = "application/json"
	}
	if mediaType != want {
		return nil, fmt.Errorf("the userinfo is %s, and %s was registered", mediaType, want)
	}
	var c claims
	var err error
	if p.config.userinfoAlg == Unsigned {
		c, err = decodeObject(body)
	} else {
		c, err = p.verifySigned(ctx, p.userinfos, strings.TrimSpace(string(body)))
	}
	if err != nil {
		return nil, err
	}
	// An ID token has the signature, the audience and the sub of a userinfo. What
	// it has besides is the nonce of the login.
	if len(c["nonce"]) > 0 || len(c["at_hash"]) > 0 {
		return nil, errors.New("it is an ID token, not a userinfo")
	}
	got, _ := c.text("sub")
	if want, _ := idToken.text("sub"); got != want {
		return nil, errors.New("the sub is not the ID token's")
	}
	return c, nil
}

// checkAudience checks that nobody else is an audience, unless azp says that
// the token was issued to us (Core 1.0 section 3.1.3.7, steps 3 to 5).
func (p *provider) checkAudience(c claims) error {
	audience, err := c.audience()
	if err != nil {
		return err
	}
	azp, err := c.text("azp")
	if err != nil {
		return err
	}
	if azp != "" && azp != p.config.clientID {
		return errors.New("the azp is not this client")
	}
	stranger := slices.ContainsFunc(audience, func(aud string) bool { return aud != p.config.clientID })
	if stranger && azp == "" {
		return errors.New("there are other audiences, and no azp")
	}
	return nil
}

// checkTimes checks exp, iat and nbf, where they are (RFC 7519 section 4.1).
func (p *provider) checkTimes(c claims) error {
	now := p.config.now()
	exp, hasExp, err := c.time("exp")
	if err != nil {
		return err
	}
	if hasExp && !now.Before(exp.Add(clockTolerance)) {
		return fmt.Errorf("it expired at %s", exp.UTC().Format(time.RFC3339))
	}
	for _, name := range []string{"iat", "nbf"} {
		t, _, err := c.time(name)
		if err != nil {
			return err
		}
		if t.After(now.Add(clockTolerance)) {
			return fmt.Errorf("its %s, %s, is in the future", name, t.UTC().Format(time.RFC3339))
		}
	}
	return nil
}

// checkSub checks the identifier of the agent (Core 1.0 section 2).
func checkSub(sub string) error {
	switch {
	case sub == "":
		return errors.New("the claim sub is missing")
	case len(sub) > 255:
		return errors.New("the claim sub is longer than 255 bytes")
	}
	return nil
}

// accessTokenHash is the at_hash of an access token: the left half of its
// SHA-256, since all the registered algorithms use that hash (Core 1.0 section
// 3.1.3.6).
func accessTokenHash(accessToken string) string {
	sum := sha256.Sum256([]byte(accessToken))
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}
