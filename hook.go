package agentconnect

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// maxAccount bounds [Login.Account]: it is read at each request.
const maxAccount = 1024

// A LoginHook decides on a login after it was verified and before there is a session.
// It accepts the login (nil), or refuses it with a reason for the agent
// ([RefuseLogin]). Any other error fails the login with a 500 page that does not show
// the error. Find accounts by Agent.Sub: see [Accounts].
//
// The context does not end with the browser's connection, but after 30 seconds. If the
// hook returns later, the login fails. The hook is called once for each login, from
// several goroutines.
type LoginHook func(ctx context.Context, login *Login) error

// A Login is the login that a [LoginHook] decides on.
type Login struct {
	// Agent is the agent who logs in.
	Agent Agent
	// Request is the request of the callback. Do not change it.
	Request *http.Request
	// Writer takes cookies of the application. Renew the application's own session at
	// each login, so that a session that was planted before is worthless, or end it if
	// another agent logs in. The cookies reach the browser if the login succeeds, and
	// again if the browser repeats the callback within a minute, on any instance. Other
	// headers and bodies are dropped.
	Writer http.ResponseWriter
	// ReturnTo is the page that the agent asked for. The hook can change it to another
	// page of this application, for example to welcome a new agent. An address that a
	// browser could read as another site becomes the home page ([WithHomePath]).
	ReturnTo string
	// Account is "". The hook can set it to the key of the agent's account, at most
	// 1024 bytes. It is kept with the session, and [AccountFrom] returns it. It does
	// not change after the login. To change it, end the sessions of the agent
	// ([Authenticator.EndSessionsOf]): the next login calls the hook again.
	Account string
}

// A LogoutHook is called when an agent logs out, after the session has ended.
type LogoutHook func(ctx context.Context, logout *Logout)

// A Logout is the argument of a [LogoutHook].
type Logout struct {
	// Agent is the agent who logged out, and Account the account of the login hook.
	Agent   Agent
	Account string
	// Request is the request of the logout. Do not change it.
	Request *http.Request
	// Writer takes headers for the answer, for example to end a cookie session of the
	// application. Status and bodies are dropped.
	Writer http.ResponseWriter
}

// A headerWriter is the ResponseWriter of hooks, which do not answer the request.
type headerWriter struct{ header http.Header }

// Header implements http.ResponseWriter.
func (w headerWriter) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter. It does nothing.
func (w headerWriter) WriteHeader(int) {}

// Write implements io.Writer. It writes nothing.
func (w headerWriter) Write([]byte) (int, error) {
	return 0, errors.New("agentconnect: a hook cannot write the answer")
}

// RefuseLogin returns the error with which a [LoginHook] refuses an agent. The agent
// sees the reason, which should explain the refusal and the next step.
func RefuseLogin(reason Reason) error { return &loginRefusal{reason} }

type loginRefusal struct{ reason Reason }

// Error implements error.
func (e *loginRefusal) Error() string { return "agentconnect: the login hook refused the agent" }

// hookRefusal returns the refusal for the error of a hook.
func hookRefusal(err error) *Error {
	var refusal *loginRefusal
	if !errors.As(err, &refusal) {
		return errorf(CodeInternal, "login hook: %w", err)
	}
	e := newError(CodeLoginRefused, nil)
	e.Reasons = []Reason{refusal.reason}
	return e
}

// Accounts connects logins with the accounts of an application. [Accounts.Hook] is a
// login hook that finds the agent's account by sub only, because e-mail addresses
// change and are given to other people. If an agent without an account has the e-mail
// address of another sub's account, EmailTaken decides.
//
// Its functions get the context of the [LoginHook]. If a function returns an error, the
// login fails, or is refused if the error comes from [RefuseLogin]. An account is a key
// of the application: the number or the name of a row, or the sub itself.
type Accounts struct {
	// Login is called at each login. It returns the account for agent.Sub, "" if there
	// is none, and can update the account's name and e-mail address. [AccountFrom]
	// returns the account to the handlers. Required.
	Login func(ctx context.Context, agent Agent) (account string, err error)
	// SubOfEmail returns the sub of the account with the e-mail address, ignoring case,
	// and "" if there is none. Required with Create. If addresses are not unique,
	// return "".
	SubOfEmail func(ctx context.Context, email string) (sub string, err error)
	// EmailTaken decides if the agent has no account and the e-mail address belongs to
	// the account of otherSub: the same person with another identity provider, or a
	// person who had the address before. If it is nil, the login is refused and the
	// agent is told to ask for help. If it returns nil, Create is called.
	EmailTaken func(ctx context.Context, agent Agent, otherSub string) error
	// Create makes the account of an agent who has none, and returns it. If it is nil,
	// agents without an account are refused.
	Create func(ctx context.Context, agent Agent) (account string, err error)
}

// Hook returns the login hook for the accounts. It panics if a required function is
// missing, as routers do for a malformed pattern: logins would fail.
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

// account returns the account of an agent. It may create the account.
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
