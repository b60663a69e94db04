package agentconnect

import "context"

// contextKey is the type of the key of the session in contexts.
type contextKey struct{}

// AgentFrom returns the agent who is logged in, in a request behind
// [Authenticator.RequireAgent], Require or [Authenticator.LoadAgent]. In any other
// request, or if no agent is logged in behind LoadAgent, it returns the zero Agent and
// false.
//
// The agent's data was verified at the login. It comes from the provider's ID token and
// userinfo, and nothing in the request can change it.
func AgentFrom(ctx context.Context) (Agent, bool) {
	if s := sessionFrom(ctx); s != nil {
		return s.agent, true
	}
	return Agent{}, false
}

// AccountFrom returns the account of the agent who is logged in, as the login hook set
// it ([Login]). It returns "" if there is none or if [AgentFrom] finds no agent. It
// does not change after the login, even if the account has changed.
func AccountFrom(ctx context.Context) string {
	if s := sessionFrom(ctx); s != nil {
		return s.account
	}
	return ""
}

// ContextWithAgent returns a context in which [AgentFrom] finds the agent. It is for
// tests that call a handler without the middleware. The middleware never trusts it:
// RequireAgent always checks the session.
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
