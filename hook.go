package agentconnect

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// A LoginHook decides on a login, after everything about it was verified and
// before there is a session: it can accept it (nil), refuse it with a reason
// that the agent is shown ([RefuseLogin]), provision an account, or renew the
// token of a session of the application's own (scs: RenewToken). Accounts are
// found by agent.Sub: see [Accounts]. Any other error fails the login with a 500
// page, which does not show it.
//
// The context outlives the browser's connection and ends after 30 seconds; the
// request is the callback's, to be read only. The hook is called once for each
// login, from several goroutines.
type LoginHook func(ctx context.Context, r *http.Request, agent Agent) error

// A LogoutHook is told that an agent logged out. The request is the logout's,
// to be read only.
type LogoutHook func(ctx context.Context, r *http.Request, agent Agent)

// RefuseLogin returns the error with which a [LoginHook] refuses an agent. The
// reason is shown to the agent: it says why, and what to do.
func RefuseLogin(reason Reason) error { return &loginRefusal{reason} }

type loginRefusal struct{ reason Reason }

func (e *loginRefusal) Error() string { return "agentconnect: the login hook refused the agent" }

// hookRefusal is the refusal that the error of a hook amounts to.
func hookRefusal(err error) *Error {
	var refusal *loginRefusal
	if !errors.As(err, &refusal) {
		return errorf(CodeInternal, "login hook: %w", err)
	}
	e := newError(CodeLoginRefused, nil)
	e.Reasons = []Reason{refusal.reason}
	return e
}

// Accounts ties logins to the accounts of an application: [Accounts.Hook] is a
// login hook that finds the agent's account by sub, and only by sub, since
// e-mail addresses change and are given to others. An agent without an account
// whose e-mail address belongs to the account of another sub is not mixed up with
// it: EmailTaken decides.
//
// Its functions get the context of the [LoginHook]. An error of theirs fails the
// login, or refuses it when it is one of [RefuseLogin].
type Accounts struct {
	// Login records that the agent logs in and reports whether there is an
	// account for agent.Sub: the place to update its name and e-mail address.
	// Required.
	Login func(ctx context.Context, agent Agent) (known bool, err error)
	// SubOfEmail returns the sub of the account that has the e-mail address,
	// whatever its case, and "" when none has. Optional.
	SubOfEmail func(ctx context.Context, email string) (sub string, err error)
	// EmailTaken decides when the agent has no account and the e-mail address
	// belongs to that of otherSub: the same person through another identity
	// provider, or somebody who had the address before. nil refuses the login and
	// tells the agent to ask for help. When it returns nil, Create is called.
	EmailTaken func(ctx context.Context, agent Agent, otherSub string) error
	// Create makes the account of an agent who has none. nil refuses agents
	// without an account.
	Create func(ctx context.Context, agent Agent) error
}

// Hook returns the login hook for the accounts.
func (a Accounts) Hook() LoginHook {
	return func(ctx context.Context, _ *http.Request, agent Agent) error {
		known, err := a.Login(ctx, agent)
		if err != nil || known {
			return err
		}
		if err := a.checkEmail(ctx, agent); err != nil {
			return err
		}
		if a.Create == nil {
			return RefuseLogin(Reason{
				French:  "Vous n’avez pas de compte dans ce service.",
				English: "You have no account with this service.",
			})
		}
		return a.Create(ctx, agent)
	}
}

// checkEmail looks for another account with the agent's e-mail address.
func (a Accounts) checkEmail(ctx context.Context, agent Agent) error {
	if a.SubOfEmail == nil || agent.Email == "" {
		return nil
	}
	sub, err := a.SubOfEmail(ctx, agent.Email)
	switch {
	case err != nil:
		return fmt.Errorf("account by e-mail: %w", err)
	case sub == "" || sub == agent.Sub:
		return nil
	case a.EmailTaken != nil:
		return a.EmailTaken(ctx, agent, sub)
	}
	return RefuseLogin(Reason{
		French:  "Votre adresse électronique est déjà celle d’un autre compte de ce service. Demandez de l’aide pour rattacher ce compte à votre nouvelle identité.",
		English: "Your e-mail address already belongs to another account of this service. Ask for help to attach that account to your new identity.",
	})
}
