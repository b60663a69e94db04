package agentconnect

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/agentconnect-go/agentconnect/internal/provider"
	"github.com/agentconnect-go/agentconnect/internal/strictjson"
)

// introspect asks the provider about a token (RFC 7662 section 2) and returns
// what it says of one that is good, or the refusal of any other.
func (rs *ResourceServer) introspect(ctx context.Context, token string) (*TokenInfo, error) {
	answer, err := rs.provider.Introspect(ctx, token)
	if err != nil {
		return nil, asError(err)
	}
	return rs.judge(answer)
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
	if err := errors.Join(provider.CheckSub(t.Sub), provider.CheckTimes(answer, rs.config.now())); err != nil {
		return nil, errorf(CodeInvalidToken, "introspection: %w", err)
	}
	t.Scopes = strings.Fields(scope)
	// CheckTimes has read both.
	t.IssuedAt, _, _ = answer.Time("iat")
	t.ExpiresAt, _, _ = answer.Time("exp")
	return t, nil
}
