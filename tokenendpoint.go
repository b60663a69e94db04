package agentconnect

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/agentconnect-go/agentconnect/internal/strictjson"
)

// tokens is the verified answer of the token endpoint.
type tokens struct {
	access  *oauth2.Token
	idToken string
	claims  strictjson.Object // of the ID token
}

// exchange redeems a code, once (Core 1.0 section 3.1.3), and verifies the ID
// token.
func (p *provider) exchange(ctx context.Context, m *metadata, code string, login *pendingLogin) (*tokens, error) {
	const what = "token endpoint"
	ctx = oidc.ClientContext(ctx, p.tokens)
	token, err := p.oauth2Config(m).Exchange(ctx, code, oauth2.VerifierOption(login.Verifier))
	if err := checkToken(what, token, err); err != nil {
		return nil, err
	}
	raw, _ := token.Extra("id_token").(string)
	if raw == "" {
		return nil, errorf(CodeProviderAnswer, "%s: the answer has no id_token", what)
	}
	idToken, err := p.verifyIDToken(ctx, raw, login.Nonce, token.AccessToken)
	if err != nil {
		return nil, verificationFailed(CodeInvalidIDToken, err)
	}
	return &tokens{access: token, idToken: raw, claims: idToken}, nil
}

// checkToken returns why the token endpoint gave no access token that can be used
// as a bearer token (Core 1.0 section 3.1.3.3, RFC 6750).
func checkToken(what string, token *oauth2.Token, err error) error {
	if err != nil {
		return exchangeFailed(what, err)
	}
	if !strings.EqualFold(token.TokenType, "Bearer") {
		return errorf(CodeProviderAnswer, "%s: the token_type is not Bearer", what)
	}
	return nil
}

// exchangeFailed is the refusal after a token endpoint that gave no tokens.
func exchangeFailed(what string, err error) *Error {
	var answer *oauth2.RetrieveError
	if !errors.As(err, &answer) {
		var urlErr *url.Error
		if errors.As(err, &urlErr) {
			return callFailed(what, err)
		}
		// x/oauth2 could not read the answer; its words may quote it.
		return errorf(CodeProviderAnswer, "%s: the answer is not a token answer", what)
	}
	switch answer.ErrorCode {
	case "invalid_grant":
		return errorf(CodeInvalidGrant, "%s: invalid_grant", what)
	case "invalid_client", "unauthorized_client":
		return errorf(CodeInvalidClient, "%s: %s", what, answer.ErrorCode)
	}
	return badStatus(what, answer.Response.StatusCode)
}

// refresh redeems a refresh token (RFC 6749 section 6). An ID token that comes
// with the answer must be about the same agent (Core 1.0 section 12.2).
func (p *provider) refresh(ctx context.Context, refreshToken, sub string) (*oauth2.Token, error) {
	const what = "token endpoint, refresh"
	m, err := p.metadata(ctx)
	if err != nil {
		return nil, err
	}
	ctx = oidc.ClientContext(ctx, p.tokens)
	token, err := p.oauth2Config(m).TokenSource(ctx, &oauth2.Token{RefreshToken: refreshToken}).Token()
	if err := checkToken(what, token, err); err != nil {
		return nil, err
	}
	if raw, _ := token.Extra("id_token").(string); raw != "" {
		c, err := p.verifySigned(ctx, p.idTokens, raw)
		if err != nil {
			return nil, verificationFailed(CodeInvalidIDToken, err)
		}
		if got, _ := c.Text("sub"); got != sub {
			return nil, errorf(CodeInvalidIDToken, "%s: the sub is not that of the session", what)
		}
	}
	return token, nil
}

// revoke revokes a token (RFC 7009), as far as the provider can.
func (p *provider) revoke(ctx context.Context, token string) error {
	m, err := p.metadata(ctx)
	if err != nil {
		return err
	}
	endpoint, err := m.endpoint("revocation_endpoint")
	if err != nil {
		return err
	}
	req, err := p.formRequest(ctx, endpoint, url.Values{"token": {token}})
	if err != nil {
		return err
	}
	res, err := p.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return badStatus("revocation", res.StatusCode)
	}
	return nil
}

// formRequest returns a request that is authenticated as the token endpoint's are:
// with the client's credentials in the form.
func (p *provider) formRequest(ctx context.Context, endpoint string, form url.Values) (*http.Request, error) {
	form.Set("client_id", p.config.clientID)
	form.Set("client_secret", p.config.clientSecret)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return req, nil
}
