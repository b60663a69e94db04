package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/agentconnect-go/agentconnect/internal/strictjson"
)

// Userinfo reads the claims about the agent and verifies them (Core 1.0 section 5.3).
func (p *Provider) Userinfo(ctx context.Context, m *Metadata, t *Tokens) (strictjson.Object, error) {
	const asked = "userinfo"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.UserinfoEndpoint, nil)
	if err != nil {
		return strictjson.Object{}, failed(BadAnswer, asked, err)
	}
	req.Header.Set("Authorization", "Bearer "+t.Access)
	answer, err := p.call(req, asked, isSecret)
	if err != nil {
		return strictjson.Object{}, err
	}
	claims, err := p.verifyUserinfo(ctx, answer, t.ID.Sub)
	if err != nil {
		return strictjson.Object{}, failed(InvalidUserinfo, asked, err)
	}
	return claims, nil
}

// verifyUserinfo verifies a userinfo about sub (Core 1.0 sections 5.3.2 and 5.3.4),
// and returns its claims.
func (p *Provider) verifyUserinfo(ctx context.Context, a *answer, sub string) (strictjson.Object, error) {
	claims, err := p.userinfoClaims(ctx, a)
	if err != nil {
		return strictjson.Object{}, err
	}
	// An ID token has the signature, the audience and the sub of a userinfo. It differs
	// by the nonce of the login.
	for _, name := range []string{"nonce", "at_hash"} {
		if raw, err := claims.Get(name); err != nil || raw != "" {
			return strictjson.Object{}, errors.New("it is an ID token, not a userinfo")
		}
	}
	if got, err := claims.Text("sub"); err != nil || got != sub {
		return strictjson.Object{}, errors.New("the sub is not the ID token's")
	}
	return claims, nil
}

// userinfoClaims reads a userinfo. It accepts only the registered form.
func (p *Provider) userinfoClaims(ctx context.Context, a *answer) (strictjson.Object, error) {
	want := "application/jwt"
	if p.userinfos == nil {
		want = "application/json"
	}
	if a.mediaType != want {
		return strictjson.Object{}, fmt.Errorf("the userinfo is %s, but %s was registered", a.mediaType, want)
	}
	if p.userinfos == nil {
		return strictjson.Parse(a.body)
	}
	verified, err := p.userinfos.verify(ctx, strings.TrimSpace(string(a.body)))
	if err != nil {
		return strictjson.Object{}, err
	}
	return verified.claims, nil
}
