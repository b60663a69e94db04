package agentconnect

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/agentconnect-go/agentconnect/internal/strictjson"
)

// introspectionJWT is the type of a signed answer (RFC 9701 section 5).
const introspectionJWT = "token-introspection+jwt"

// endpoint returns the provider's introspection_endpoint.
func (rs *ResourceServer) endpoint(ctx context.Context) (string, error) {
	m, err := rs.provider.metadata(ctx)
	if err != nil {
		return "", err
	}
	return m.endpoint("introspection_endpoint")
}

// introspect asks the provider about a token (RFC 7662 section 2) and returns
// what it says of one that is good, or the refusal of any other.
func (rs *ResourceServer) introspect(ctx context.Context, token string) (*TokenInfo, error) {
	const what = "introspection"
	endpoint, err := rs.endpoint(ctx)
	if err != nil {
		return nil, err
	}
	req, err := rs.provider.formRequest(ctx, endpoint, url.Values{"token": {token}, "token_type_hint": {"access_token"}})
	if err != nil {
		return nil, errorf(CodeProviderAnswer, "%s: %w", what, err)
	}
	// Without this very Accept a signature that is registered is left out.
	req.Header.Set("Accept", rs.mediaType())
	mediaType, body, err := call(rs.provider.client, req, what)
	if err != nil {
		var unexpected *statusError
		if errors.As(err, &unexpected) && unexpected.status == http.StatusUnauthorized {
			return nil, newError(CodeInvalidClient, unexpected)
		}
		return nil, err
	}
	if mediaType != rs.mediaType() {
		return nil, errorf(CodeProviderAnswer, "%s: the answer is %s, and %s was registered", what, mediaType, rs.mediaType())
	}
	answer, err := rs.verifyAnswer(ctx, body)
	if err != nil {
		return nil, verificationFailed(CodeProviderAnswer, fmt.Errorf("%s: %w", what, err))
	}
	return rs.judge(answer)
}

// mediaType returns the media type of the provider's answers.
func (rs *ResourceServer) mediaType() string {
	if rs.answers != nil {
		return "application/" + introspectionJWT
	}
	return "application/json"
}

// verifyAnswer returns the members of an answer. A signed one (RFC 9701 section
// 5) is verified like an ID token, and has a type of its own, so that no other
// token can stand for it.
func (rs *ResourceServer) verifyAnswer(ctx context.Context, body []byte) (strictjson.Object, error) {
	if rs.answers == nil {
		return strictjson.Parse(body)
	}
	raw := strings.TrimSpace(string(body))
	signed, err := rs.provider.verifySigned(ctx, rs.answers, raw)
	if err != nil {
		return strictjson.Object{}, err
	}
	if typ := jwtType(raw); typ != introspectionJWT {
		return strictjson.Object{}, errors.New("the typ of the JWT is not " + introspectionJWT)
	}
	member, err := signed.Get("token_introspection")
	if err != nil {
		return strictjson.Object{}, err
	}
	answer, err := strictjson.Parse([]byte(member))
	if err != nil {
		return strictjson.Object{}, fmt.Errorf("token_introspection: %w", err)
	}
	return answer, nil
}

// jwtType returns the typ of a JWT whose signature was verified, as RFC 7515
// section 4.1.9 shortens it, "" when it has none that is text.
func jwtType(raw string) string {
	part, _, _ := strings.Cut(raw, ".")
	header, _ := base64.RawURLEncoding.DecodeString(part)
	members, _ := strictjson.Parse(header)
	typ, _ := members.Text("typ")
	return strings.TrimPrefix(strings.ToLower(typ), "application/")
}

// judge makes a TokenInfo of an answer about a token that is good for a call to
// us, and a refusal of any other.
func (rs *ResourceServer) judge(answer strictjson.Object) (*TokenInfo, error) {
	active, err := answer.Get("active")
	if err != nil {
		return nil, errorf(CodeProviderAnswer, "introspection: %w", err)
	}
	switch active {
	case "true":
	case "false":
		return nil, errorf(CodeInvalidToken, "the token is not active")
	default:
		return nil, errorf(CodeProviderAnswer, "introspection: active is neither true nor false")
	}
	t := &TokenInfo{claims: answer}
	var errs [6]error
	var iss, tokenType, scope string
	var confirmation strictjson.Raw
	iss, errs[0] = answer.Text("iss")
	tokenType, errs[1] = answer.Text("token_type")
	scope, errs[2] = answer.Text("scope")
	t.Sub, errs[3] = answer.Text("sub")
	t.ClientID, errs[4] = answer.Text("client_id")
	confirmation, errs[5] = answer.Get("cnf")
	if err := errors.Join(errs[:]...); err != nil {
		return nil, errorf(CodeProviderAnswer, "introspection: %w", err)
	}
	switch {
	case iss != "" && iss != rs.config.issuer:
		return nil, errorf(CodeProviderAnswer, "introspection: the iss is another one")
	case !strings.EqualFold(tokenType, "Bearer"):
		// A refresh token is active too, and has no token_type.
		return nil, errorf(CodeInvalidToken, "it is not a bearer token")
	case !confirmation.IsNull():
		return nil, errorf(CodeInvalidToken, "the token is bound to a key of its owner, which is not verified here")
	case !slices.Contains(rs.clients, t.ClientID):
		return nil, errorf(CodeInvalidToken, "the token was issued to the client %q, which is not allowed", t.ClientID)
	}
	if err := errors.Join(checkSub(t.Sub), rs.provider.checkTimes(answer)); err != nil {
		return nil, errorf(CodeInvalidToken, "introspection: %w", err)
	}
	t.Scopes = strings.Fields(scope)
	// checkTimes has read both.
	t.IssuedAt, _, _ = answer.Time("iat")
	t.ExpiresAt, _, _ = answer.Time("exp")
	return t, nil
}
