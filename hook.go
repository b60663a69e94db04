package agentconnect

import (
	"context"
	"errors"
	"net/http"
)

// A LoginHook decides on a login, after everything about it was verified and
// before there is a session: it can accept it (nil), refuse it with a reason
// that the agent is shown ([RefuseLogin]), provision an account, or renew the
// token of a session of the application's own (scs: RenewToken). Accounts are
// found by agent.Sub. Any other error fails the login with a 500 page, which does
// not show it.
//
// The context outlives the browser's connection and ends after 30 seconds; the
// request is the callback's, to be read only. The hook is called once for each
// login, from several goroutines.
type LoginHook func(ctx context.Context, r *http.Request, agent Agent) error

// RefuseLogin returns the error with which a [LoginHook] refuses an agent. The
// reason is shown to the agent: it says why, and what to do.
func RefuseLogin(reason Reason) error { return &loginRefusal{reason} }

type loginRefusal struct{ reason Reason }

func (e *loginRefusal) Error() string { return "agentconnect: the login hook refused the agent" }

// hookRefusal is the refusal that the error of a hook amounts to.
func hookRefusal(err error) *Error {
	var refusal *loginRefusal
	if !errors.As(err, &refusal) {
		return refusef(CodeInternal, "login hook: %w", err)
	}
	e := refuse(CodeLoginRefused, nil)
	e.Reasons = []Reason{refusal.reason}
	return e
}
