package resourceserver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/agentconnect-go/agentconnect/internal/provider"
	"github.com/agentconnect-go/agentconnect/internal/strictjson"
)

// introspect asks the provider about a token. It returns the Token if it is good for a
// call to this API, and otherwise a refusal.
func (s *Server) introspect(ctx context.Context, token string) (*Token, error) {
	answer, err := s.provider.Introspect(ctx, token)
	if err != nil {
		return nil, refusalOf(err)
	}
	return s.judge(answer)
}

// judge reads an answer. It returns the Token if it is good for a call to this API, and
// otherwise a refusal.
func (s *Server) judge(answer strictjson.Object) (*Token, error) {
	active, err := answer.Get("active")
	switch {
	case err == nil && active == "true":
	case err == nil && active == "false":
		return nil, refusalf(CodeInvalidToken, "the token is not active")
	default:
		return nil, badAnswer(errors.New("active is neither true nor false"))
	}
	t := &Token{answer: answer}
	var iss, tokenType, scope string
	for _, member := range []struct {
		name string
		into *string
	}{{"iss", &iss}, {"token_type", &tokenType}, {"scope", &scope}, {"sub", &t.Sub}, {"client_id", &t.ClientID}} {
		if *member.into, err = answer.Text(member.name); err != nil {
			return nil, badAnswer(err)
		}
	}
	confirmation, err := answer.Get("cnf")
	if err != nil {
		return nil, badAnswer(err)
	}
	switch {
	case iss != "" && iss != s.issuer:
		return nil, badAnswer(errors.New("the iss is not the provider"))
	case !strings.EqualFold(tokenType, "Bearer"):
		// A refresh token is active too, and has no token_type.
		return nil, refusalf(CodeInvalidToken, "it is not a bearer token")
	case !confirmation.IsNull():
		return nil, refusalf(CodeInvalidToken, "the token is bound to a key of its owner, and this API cannot verify that")
	case !slices.Contains(s.clients, t.ClientID):
		return nil, refusalf(CodeInvalidToken, "the token was issued to the client %q, which is not allowed", t.ClientID)
	}
	if err := errors.Join(provider.CheckSub(t.Sub), provider.CheckTimes(answer, s.now())); err != nil {
		return nil, refusalf(CodeInvalidToken, "introspection: %w", err)
	}
	t.Scopes = strings.Fields(scope)
	// CheckTimes has read both.
	t.IssuedAt, _, _ = answer.Time("iat")
	t.ExpiresAt, _, _ = answer.Time("exp")
	return t, nil
}

// badAnswer is the refusal after an answer that does not follow RFC 7662.
func badAnswer(err error) *refusal {
	return &refusal{code: "provider_answer", cause: fmt.Errorf("introspection: %w", err)}
}
