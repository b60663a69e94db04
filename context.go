package agentconnect

import "context"

// contextKey is the type of the key of the session in contexts.
type contextKey struct{}

// AgentFrom returns the agent who is logged in. The boolean is false, and the
// Agent is the zero one, in a request that went neither through
// [Authenticator.RequireAgent], nor Require, nor, with somebody logged in,
// [Authenticator.LoadAgent].
//
// What the agent holds was verified when it was logged in: it comes from the
// provider's signed ID token and userinfo, and nothing in the request can change
// it.
func AgentFrom(ctx context.Context) (Agent, bool) {
	if s := sessionFrom(ctx); s != nil {
		return s.agent, true
	}
	return Agent{}, false
}

// AccountFrom returns the account of the agent who is logged in, as the login hook
// set it ([Login]), and "" where there is none or [AgentFrom] finds no agent. It is
// that of the login, whatever became of the account since.
func AccountFrom(ctx context.Context) string {
	if s := sessionFrom(ctx); s != nil {
		return s.account
	}
	return ""
}

// ContextWithAgent returns a context in which [AgentFrom] finds the agent. It
// is for the tests of handlers that are called without the middleware, which
// never trusts it: RequireAgent asks the session, whatever the context says.
func ContextWithAgent(ctx context.Context, agent Agent) context.Context {
	return contextWithSession(ctx, &session{agent: agent})
}

func contextWithSession(ctx context.Context, s *session) context.Context {
	return context.WithValue(ctx, contextKey{}, s)
}

func sessionFrom(ctx context.Context) *session {
	s, _ := ctx.Value(contextKey{}).(*session)
	return s
}
