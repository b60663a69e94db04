package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/agentconnect-go/agentconnect/internal/strictjson"
)

// introspectionJWT is the type of a signed answer (RFC 9701 section 5).
const introspectionJWT = "token-introspection+jwt"

// IntrospectionEndpoint returns where tokens are introspected.
func (p *Provider) IntrospectionEndpoint(ctx context.Context) (string, error) {
	m, err := p.Metadata(ctx)
	if err != nil {
		return "", err
	}
	return m.Endpoint("introspection_endpoint")
}

// Introspect asks the provider about an access token (RFC 7662 section 2). It returns
// the members of the answer. The caller decides whether the token is good.
func (p *Provider) Introspect(ctx context.Context, token string) (strictjson.Object, error) {
	const asked = "introspection"
	endpoint, err := p.IntrospectionEndpoint(ctx)
	if err != nil {
		return strictjson.Object{}, err
	}
	req, err := p.formRequest(ctx, endpoint, url.Values{"token": {token}, "token_type_hint": {"access_token"}})
	if err != nil {
		return strictjson.Object{}, failed(BadAnswer, asked, err)
	}
	want := "application/json"
	if p.introspections != nil {
		want = "application/" + introspectionJWT
	}
	// Without exactly this Accept, the answer is not signed, even if a signature is
	// registered.
	req.Header.Set("Accept", want)
	answer, err := p.call(req, asked, isSecret)
	if err != nil {
		var f *Failure
		if errors.As(err, &f) && f.Status == http.StatusUnauthorized {
			f.Kind = InvalidClient
		}
		return strictjson.Object{}, err
	}
	if answer.mediaType != want {
		return strictjson.Object{}, fail(BadAnswer, asked, "the answer is %s, but %s was registered", answer.mediaType, want)
	}
	members, err := p.verifyIntrospection(ctx, answer.body)
	if err != nil {
		return strictjson.Object{}, failed(BadAnswer, asked, err)
	}
	return members, nil
}

// verifyIntrospection returns the members of an answer. A signed one (RFC 9701
// section 5) is verified like an ID token, and has a type of its own, so that no
// other token can stand for it.
func (p *Provider) verifyIntrospection(ctx context.Context, body []byte) (strictjson.Object, error) {
	if p.introspections == nil {
		return strictjson.Parse(body)
	}
	verified, err := p.introspections.verify(ctx, strings.TrimSpace(string(body)))
	if err != nil {
		return strictjson.Object{}, err
	}
	if verified.typ != introspectionJWT {
		return strictjson.Object{}, errors.New("the typ of the JWT is not " + introspectionJWT)
	}
	member, err := verified.claims.Get("token_introspection")
	if err != nil {
		return strictjson.Object{}, err
	}
	members, err := strictjson.Parse([]byte(member))
	if err != nil {
		return strictjson.Object{}, fmt.Errorf("token_introspection: %w", err)
	}
	return members, nil
}
