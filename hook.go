package agentconnect

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// maxAccount bounds [Login.Account]: it is read at each request.
const maxAccount = 1024

// A LoginHook decides on a login, after everything about it was verified and
// before there is a session. It accepts the login (nil), or refuses it with a reason
// that the agent is shown ([RefuseLogin]). Any other error fails the login with a 500
// page, which does not show it. Accounts are found by Agent.Sub: see [Accounts].
//
// The context outlives the browser's connection and ends after 30 seconds; a hook
// that returns later than that has failed the login. The hook is called once for
// each login, from several goroutines.
type LoginHook func(ctx context.Context, login *Login) error

// A Login is what a [LoginHook] is asked about and what it can answer.
type Login struct {
	// Agent is the agent who logs in.
	Agent Agent
	// Request is the callback's, to be read only.
	Request *http.Request
	// Writer takes the cookies of the application: to renew its own session at
	// each login, so that one that was planted before is worth nothing, or to end
	// it when somebody else logs in. They reach the browser if the login succeeds,
	// once more when it sends the same callback again, within a minute, on any
	// instance. Other headers and bodies are dropped.
	Writer http.ResponseWriter
	// ReturnTo is the page that the agent is going to. The hook can send the agent
	// to another page of this application, to welcome a new one. An address that a
	// browser could take for another site becomes the home page ([WithHomePath]).
	ReturnTo string
	// Account is "". What the hook sets, at most 1024 bytes, is kept with the
	// session and read back with [AccountFrom]: the key of the agent's account, and
	// little more. It stays what it was at the login: to change it, end the sessions
	// of the agent ([Authenticator.EndSessionsOf]), whose next login asks the hook
	// again.
	Account string
}

// A LogoutHook is told that an agent logged out, after the session ended.
type LogoutHook func(ctx context.Context, logout *Logout)

// A Logout is what a [LogoutHook] is told.
type Logout struct {
	// Agent is the agent who logged out, and Account what the login hook set.
	Agent   Agent
	Account string
	// Request is the logout's, to be read only.
	Request *http.Request
	// Writer takes headers for the answer: to end a cookie session of the
	// application. Status and bodies are dropped.
	Writer http.ResponseWriter
}

// A headerWriter is the ResponseWriter of hooks, which do not answer the request.
type headerWriter struct{ header http.Header }

func (w headerWriter) Header() http.Header { return w.header }

func (w headerWriter) WriteHeader(int) {}

// Write implements io.Writer. It writes nothing.
func (w headerWriter) Write([]byte) (int, error) {
	return 0, errors.New("agentconnect: a hook cannot write the answer")
}

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
// login, or refuses it when it is one of [RefuseLogin]. An account is a key of the
// application's: the number or the name of a row, or the sub itself.
type Accounts struct {
	// Login records that the agent logs in and returns the account for agent.Sub,
	// "" when there is none: the place to update its name and e-mail address.
	// [AccountFrom] returns it to the handlers. Required.
	Login func(ctx context.Context, agent Agent) (account string, err error)
	// SubOfEmail returns the sub of the account that has the e-mail address,
	// whatever its case, and "" when none has. Required with Create; where addresses
	// are not unique, it returns "".
	SubOfEmail func(ctx context.Context, email string) (sub string, err error)
	// EmailTaken decides when the agent has no account and the e-mail address
	// belongs to that of otherSub: the same person through another identity
	// provider, or somebody who had the address before. nil refuses the login and
	// tells the agent to ask for help. When it returns nil, Create is called.
	EmailTaken func(ctx context.Context, agent Agent, otherSub string) error
	// Create makes the account of an agent who has none, and returns it. nil
	// refuses agents without an account.
	Create func(ctx context.Context, agent Agent) (account string, err error)
}

// Hook returns the login hook for the accounts. It panics when a function that is
// required is missing, as routers do for a malformed pattern: logins would fail.
func (a Accounts) Hook() LoginHook {
	if a.Login == nil {
		panic("agentconnect: Accounts.Hook: Login is missing")
	}
	if a.Create != nil && a.SubOfEmail == nil {
		panic("agentconnect: Accounts.Hook: SubOfEmail is missing; without it, Create can meet an e-mail address that another account has")
	}
	return func(ctx context.Context, login *Login) error {
		account, err := a.account(ctx, login.Agent)
		login.Account = account
		return err
	}
}

// account returns the account of an agent, which may be new.
func (a Accounts) account(ctx context.Context, agent Agent) (string, error) {
	account, err := a.Login(ctx, agent)
	if err != nil || account != "" {
		return account, err
	}
	if err := a.checkEmail(ctx, agent); err != nil {
		return "", err
	}
	if a.Create == nil {
		return "", RefuseLogin(Reason{
			French:  "Vous n’avez pas de compte dans ce service.",
			English: "You have no account with this service.",
		})
	}
	account, createErr := a.Create(ctx, agent)
	if createErr == nil {
		return account, nil
	}
	// Another tab of a new agent may have made the account meanwhile.
	if account, err := a.Login(ctx, agent); err == nil && account != "" {
		return account, nil
	}
	return "", createErr
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
