package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/strictjson"
)

// A Login ties the provider's answers to one login.
type Login struct {
	State    string
	Nonce    string // Core 1.0 section 3.1.2.1
	Verifier string // RFC 7636
}

// Tokens are the tokens of one answer of the token endpoint.
type Tokens struct {
	Access  string
	Refresh string // "" if there is none
	// Life is how long the access token is valid, 0 if the provider does not say.
	Life time.Duration
	// ID is the verified ID token. A refresh may give none: then it is nil.
	ID *IDToken
}

// Exchange redeems a code (Core 1.0 section 3.1.3) and verifies the ID token. It never
// repeats the request.
func (p *Provider) Exchange(ctx context.Context, m *Metadata, code string, login Login) (*Tokens, error) {
	const asked = "token endpoint"
	t, raw, err := p.tokens(ctx, m, asked, url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {code},
		"redirect_uri":  {p.config.RedirectURL},
		"code_verifier": {login.Verifier},
	})
	if err != nil {
		return nil, err
	}
	if raw == "" {
		return nil, fail(BadAnswer, asked, "the answer has no id_token")
	}
	t.ID, err = p.verifyIDToken(ctx, raw, login.Nonce, t.Access)
	if err != nil {
		return nil, failed(InvalidIDToken, "ID token", err)
	}
	return t, nil
}

// Refresh redeems a refresh token (RFC 6749 section 6). If an ID token comes with
// the answer, it must be about the agent sub (Core 1.0 section 12.2).
func (p *Provider) Refresh(ctx context.Context, refreshToken, sub string) (*Tokens, error) {
	const asked = "token endpoint, refresh"
	m, err := p.Metadata(ctx)
	if err != nil {
		return nil, err
	}
	t, raw, err := p.tokens(ctx, m, asked, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}})
	if err != nil {
		return nil, err
	}
	if t.Refresh == "" {
		t.Refresh = refreshToken // it stays the same (RFC 6749 section 6)
	}
	if raw == "" {
		return t, nil
	}
	verified, err := p.idTokens.verify(ctx, raw)
	if err != nil {
		return nil, failed(InvalidIDToken, asked, err)
	}
	if got, err := verified.claims.Text("sub"); err != nil || got != sub {
		return nil, fail(InvalidIDToken, asked, "the sub is not that of the session")
	}
	return t, nil
}

// tokens calls the token endpoint and reads its answer (Core 1.0 section 3.1.3.3, RFC
// 6749 section 5.1). It also returns the ID token, which is not verified yet.
func (p *Provider) tokens(ctx context.Context, m *Metadata, asked string, form url.Values) (t *Tokens, idToken string, err error) {
	req, err := p.formRequest(ctx, m.TokenEndpoint, form)
	if err != nil {
		return nil, "", failed(BadAnswer, asked, err)
	}
	answer, err := p.send(req, asked, isSecret)
	if err != nil {
		return nil, "", err
	}
	if answer.status != http.StatusOK {
		return nil, "", answer.refusal(asked)
	}
	if answer.mediaType != "application/json" {
		return nil, "", fail(BadAnswer, asked, "the answer is %s, not JSON", answer.mediaType)
	}
	doc, err := strictjson.Parse(answer.body)
	if err != nil {
		return nil, "", failed(BadAnswer, asked, err)
	}
	if raw, err := doc.Get("error"); err != nil || !raw.IsNull() {
		return nil, "", answer.refusal(asked)
	}
	t = &Tokens{}
	var errs [5]error
	var tokenType string
	t.Access, errs[0] = doc.Text("access_token")
	t.Refresh, errs[1] = doc.Text("refresh_token")
	tokenType, errs[2] = doc.Text("token_type")
	idToken, errs[3] = doc.Text("id_token")
	t.Life, errs[4] = life(doc)
	switch err := errors.Join(errs[:]...); {
	case err != nil:
		return nil, "", failed(BadAnswer, asked, err)
	case t.Access == "":
		return nil, "", fail(BadAnswer, asked, "the answer has no access_token")
	case !strings.EqualFold(tokenType, "Bearer"):
		return nil, "", fail(BadAnswer, asked, "the token_type is not Bearer")
	}
	return t, idToken, nil
}

// life returns expires_in. Some providers write the number as a text.
func life(doc strictjson.Object) (time.Duration, error) {
	seconds, _, err := doc.Number("expires_in")
	if err != nil {
		seconds, err = lifeAsText(doc)
	}
	// No access token lives for a year.
	const year = 365 * 24 * 3600
	if err != nil || !(0 <= seconds && seconds <= year) {
		return 0, errors.New("expires_in is not a number of seconds")
	}
	return time.Duration(seconds * float64(time.Second)), nil
}

func lifeAsText(doc strictjson.Object) (float64, error) {
	text, err := doc.Text("expires_in")
	if err != nil || text == "" { // "" or null
		return 0, err
	}
	return strconv.ParseFloat(text, 64)
}

// refusal is the failure of an error answer (RFC 6749 section 5.2).
func (a *answer) refusal(asked string) *Failure {
	f := badStatus(asked, a.status)
	f.OAuthError = a.oauthError()
	switch f.OAuthError {
	case "":
	case "invalid_grant":
		f.Kind, f.Err = InvalidGrant, errors.New(f.OAuthError)
	case "invalid_client", "unauthorized_client":
		f.Kind, f.Err = InvalidClient, errors.New(f.OAuthError)
	default:
		f.Err = fmt.Errorf("%w: %s", f.Err, f.OAuthError)
	}
	return f
}

// oauthError returns the error that the provider names in its answer, or "".
func (a *answer) oauthError() string {
	if a.mediaType != "application/json" {
		return ""
	}
	doc, _ := strictjson.Parse(a.body)
	if name, err := doc.Text("error"); err == nil && IsErrorName(name) {
		return name
	}
	return ""
}

// Revoke revokes a token (RFC 7009), as far as the provider can.
func (p *Provider) Revoke(ctx context.Context, token string) error {
	const asked = "revocation"
	m, err := p.Metadata(ctx)
	if err != nil {
		return err
	}
	endpoint, err := m.Endpoint("revocation_endpoint")
	if err != nil {
		return err
	}
	req, err := p.formRequest(ctx, endpoint, url.Values{"token": {token}})
	if err != nil {
		return failed(BadAnswer, asked, err)
	}
	answer, err := p.send(req, asked, isSecret)
	if err != nil {
		return err
	}
	if answer.status != http.StatusOK {
		return answer.refusal(asked)
	}
	return nil
}

// formRequest returns a request with the client's credentials in the form, as
// ProConnect's documentation requires.
func (p *Provider) formRequest(ctx context.Context, endpoint string, form url.Values) (*http.Request, error) {
	form.Set("client_id", p.config.ClientID)
	form.Set("client_secret", p.config.ClientSecret)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	return req, nil
}
