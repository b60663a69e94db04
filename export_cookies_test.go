package agentconnect

import "testing"

// NewSession puts a session of an agent in the store, and returns its token.
func NewSession(tb testing.TB, a *Authenticator, sub string) string {
	tb.Helper()
	s := &session{agent: Agent{Sub: sub}, login: a.sessions.cookies[0].loginID(sub)}
	a.sessions.begin(s)
	if err := a.sessions.create(tb.Context(), s, "an ID token"); err != nil {
		tb.Fatal(err)
	}
	return s.token
}
