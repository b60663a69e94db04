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

	"github.com/agentconnect-go/agentconnect/internal/strictjson"
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
func (p *provider) verifySigned(ctx context.Context, verifier *verifier, raw string) (strictjson.Object, error) {
	// Asked apart, because go-oidc makes a text of a key set's error, and a
	// provider that is away would look like a bad token.
	if err := verifier.keys.ready(ctx); err != nil {
		return strictjson.Object{}, err
	}
	verified, err := verifier.Verify(ctx, raw)
	if err != nil {
		return strictjson.Object{}, err
	}
	var payload json.RawMessage
	if err := verified.Claims(&payload); err != nil {
		return strictjson.Object{}, err
	}
	c, err := strictjson.Parse(payload)
	if err != nil {
		return strictjson.Object{}, err
	}
	// Read by its exact name, which go-oidc does not do.
	if iss, err := c.Text("iss"); err != nil || iss != p.config.issuer {
		return strictjson.Object{}, errors.New("the iss is not the issuer")
	}
	if err := p.checkAudience(c); err != nil {
		return strictjson.Object{}, err
	}
	return c, p.checkTimes(c, "iat")
}

// verifyIDToken verifies an ID token as Core 1.0 section 3.1.3.7 says, and
// returns its claims.
func (p *provider) verifyIDToken(ctx context.Context, raw, nonce, accessToken string) (strictjson.Object, error) {
	c, err := p.verifySigned(ctx, p.idTokens, raw)
	if err != nil {
		return strictjson.Object{}, err
	}
	if _, ok, err := c.Time("exp"); err != nil || !ok {
		return strictjson.Object{}, errors.New("the claim exp is missing")
	}
	sub, err := c.Text("sub")
	if err != nil {
		return strictjson.Object{}, err
	}
	if err := checkSub(sub); err != nil {
		return strictjson.Object{}, err
	}
	if got, err := c.Text("nonce"); err != nil || subtle.ConstantTimeCompare([]byte(got), []byte(nonce)) != 1 {
		return strictjson.Object{}, errors.New("the nonce is not that of this login")
	}
	hash, err := c.Get("at_hash")
	if err != nil {
		return strictjson.Object{}, err
	}
	if hash != "" {
		if got, _ := c.Text("at_hash"); got != accessTokenHash(accessToken) {
			return strictjson.Object{}, errors.New("the at_hash is not that of the access token")
		}
	}
	for _, name := range []string{"acr", "amr", "auth_time"} { // which the agent is made of
		if _, err := c.Get(name); err != nil {
			return strictjson.Object{}, err
		}
	}
	return c, nil
}

// verifyUserinfo verifies a userinfo answer (Core 1.0 sections 5.3.2 and 5.3.4)
// and returns its claims.
func (p *provider) verifyUserinfo(ctx context.Context, mediaType string, body []byte, idToken strictjson.Object) (strictjson.Object, error) {
	want := "application/jwt"
	if p.config.userinfoAlg == Unsigned {
		want = "application/json"
	}
	if mediaType != want {
		return strictjson.Object{}, fmt.Errorf("the userinfo is %s, and %s was registered", mediaType, want)
	}
	var c strictjson.Object
	var err error
	if p.config.userinfoAlg == Unsigned {
		c, err = strictjson.Parse(body)
	} else {
		c, err = p.verifySigned(ctx, p.userinfos, strings.TrimSpace(string(body)))
	}
	if err != nil {
		return strictjson.Object{}, err
	}
	// An ID token has the signature, the audience and the sub of a userinfo. What
	// it has besides is the nonce of the login.
	for _, name := range []string{"nonce", "at_hash"} {
		if raw, err := c.Get(name); err != nil || raw != "" {
			return strictjson.Object{}, errors.New("it is an ID token, not a userinfo")
		}
	}
	got, err := c.Text("sub")
	if want, _ := idToken.Text("sub"); err != nil || got != want {
		return strictjson.Object{}, errors.New("the sub is not the ID token's")
	}
	return c, nil
}

// checkAudience checks that nobody else is an audience, unless azp says that
// the token was issued to us (Core 1.0 section 3.1.3.7, steps 3 to 5).
func (p *provider) checkAudience(c strictjson.Object) error {
	audience, err := c.TextOrTexts("aud")
	if err != nil {
		return err
	}
	if !slices.Contains(audience, p.config.clientID) {
		return errors.New("this client is not an audience")
	}
	azp, err := c.Text("azp")
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

// checkTimes checks exp, iat and nbf, where they are (RFC 7519 section 4.1), and that
// the required ones are there.
func (p *provider) checkTimes(c strictjson.Object, required ...string) error {
	for _, name := range required {
		if _, ok, err := c.Time(name); err == nil && !ok {
			return fmt.Errorf("the claim %s is missing", name)
		}
	}
	now := p.config.now()
	exp, hasExp, err := c.Time("exp")
	if err != nil {
		return err
	}
	if hasExp && !now.Before(exp.Add(clockTolerance)) {
		return fmt.Errorf("it expired at %s", exp.UTC().Format(time.RFC3339))
	}
	for _, name := range []string{"iat", "nbf"} {
		t, _, err := c.Time(name)
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
