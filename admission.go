package agentconnect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/pending"
	"github.com/agentconnect-go/agentconnect/internal/provider"
	"github.com/agentconnect-go/agentconnect/internal/replay"
)

// errDeparted is the error of a login that was verified and accepted by the hook, while
// the agent's sessions were ended.
var errDeparted = errors.New("the agent's sessions were ended during the login")

// verifiedLogin is a login that passed all verifications.
type verifiedLogin struct {
	agent    Agent
	state    string   // of the pending login
	acr      []string // it demanded one of these; nil: any
	token    string   // the token of its session; "": a new one
	returnTo string
	idToken  string
	access   *provider.Tokens // nil: the session has no tokens
}

// admit makes the session of a verified login, if the levels and rules of every
// login and the application's hook accept it. r is the callback's request.
func (a *Authenticator) admit(ctx context.Context, r *http.Request, v verifiedLogin) (*admission, error) {
	for _, acr := range [][]string{v.acr, a.config.acr} {
		if refusal := a.config.level.lacking(v.agent, acr); refusal != nil {
			return nil, refusal
		}
	}
	session := &session{token: v.token, cookie: a.sessions.cookies[0], agent: v.agent}
	session.login = session.cookie.loginID(v.state)
	if size := len(encodeRecord(session, v.idToken)); size > maxRecord {
		return nil, errorf(codeInvalidUserinfo, "the claims and the ID token take %d bytes, of %d at most", size, maxRecord)
	}
	departure, err := a.sessions.departure(ctx, v.agent.Sub)
	if err != nil {
		return nil, newError(CodeSessionStore, err)
	}
	login := &Login{Agent: v.agent, Request: r, Writer: headerWriter{http.Header{}}, ReturnTo: v.returnTo}
	header := login.Writer.Header()
	if err := a.config.loginHook(ctx, login); err != nil {
		return nil, hookRefusal(err)
	}
	if err := ctx.Err(); err != nil {
		return nil, errorf(CodeInternal, "login hook: it took too long: %w", err)
	}
	if len(login.Account) > maxAccount {
		return nil, errorf(CodeInternal, "login hook: the account has %d bytes, of %d at most", len(login.Account), maxAccount)
	}
	session.account = login.Account
	admitted := &admission{session, a.config.returnTo(login.ReturnTo), header.Values("Set-Cookie")}
	if v.token != "" && (login.ReturnTo != v.returnTo || len(admitted.cookies) > 0) {
		if err := replay.Keep(ctx, a.sessions.store, session.token, replay.Answer{ReturnTo: admitted.returnTo, Cookies: admitted.cookies}, a.config.now().Add(pending.Lifetime)); err != nil {
			return nil, newError(CodeSessionStore, err)
		}
	}
	a.sessions.begin(session)
	// The tokens come first: once the session is in the store, the same callback on
	// another instance can give it to the browser.
	if a.tokens != nil && v.access != nil {
		if err := a.tokens.Keep(ctx, a.tokensOf(session), v.access); err != nil {
			return nil, newError(CodeSessionStore, err)
		}
	}
	if err := a.sessions.create(ctx, session, v.idToken); err != nil {
		a.endTokensOf(ctx, session.token)
		return nil, newError(CodeSessionStore, err)
	}
	// The hook was called before the session existed. If the agent's sessions were
	// ended since, this one must end too; no browser has it yet.
	switch again, err := a.sessions.departure(ctx, v.agent.Sub); {
	case err != nil:
		return nil, newError(CodeSessionStore, errors.Join(err, a.withdraw(ctx, session)))
	case again != "" && again != departure:
		refusal := newError(CodeLoginRefused, errors.Join(errDeparted, a.withdraw(ctx, session)))
		refusal.Reasons = []Reason{{
			French:  "Ce service vient de fermer toutes vos sessions. Connectez-vous de nouveau.",
			English: "This service has just ended all your sessions. Log in again.",
		}}
		return nil, refusal
	}
	a.events.emit(ctx, agentEvent(EventLoginSucceeded, v.agent))
	return admitted, nil
}

// withdraw deletes a session that no browser has, with its tokens.
func (a *Authenticator) withdraw(ctx context.Context, session *session) error {
	err := a.sessions.destroy(ctx, session.token)
	a.endTokensOf(ctx, session.token)
	return err
}

// If another callback has used the code, on another instance, a callback waits this
// long for that session, and checks this often.
const (
	twinPatience = 2 * time.Second
	twinInterval = 100 * time.Millisecond
)

// awaitTwin waits for the same callback on another instance, which redeemed the code at
// the same moment, and returns its admission. It returns nil if this callback failed
// for another reason, or if the other makes no session in time.
func (a *Authenticator) awaitTwin(ctx context.Context, login answeredLogin, failed error) *admission {
	if asError(failed).Code != codeInvalidGrant {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, twinPatience)
	defer cancel()
	for {
		if admitted, err := a.admittedBefore(ctx, login); admitted != nil || err != nil {
			return admitted
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(twinInterval):
		}
	}
}

// admittedBefore returns the admission of the same callback a moment ago, on this or
// another instance. It returns nil if there was none, or if its session has ended.
func (a *Authenticator) admittedBefore(ctx context.Context, login answeredLogin) (*admission, error) {
	session, err := a.sessions.givenBefore(ctx, login.token)
	if session == nil || err != nil {
		return nil, err
	}
	answer, err := replay.Find(ctx, a.sessions.store, session.token)
	if err != nil {
		return nil, err
	}
	return &admission{session, a.config.returnTo(cmp.Or(answer.ReturnTo, login.ReturnTo)), answer.Cookies}, nil
}

// give sends the cookies of a successful login to the browser: those of the session and
// those of the application.
func (a *Authenticator) give(w http.ResponseWriter, r *http.Request, admitted *admission) {
	for _, line := range admitted.cookies {
		w.Header().Add("Set-Cookie", line)
	}
	a.sessions.setCookies(w, r, admitted.session)
}

// SessionWithoutLogin makes a session of an agent without a login, and returns its
// cookies. It is for the tests of an application; see also agentconnecttest.LoggedIn. A
// browser with the cookies is logged in as that agent: never call it with data from a
// request.
//
// [WithLevel] and the login hook apply as at a login; the hook gets an invented request
// of the callback. The error is an [*Error], as at a login. The session has no tokens.
func (a *Authenticator) SessionWithoutLogin(ctx context.Context, agent Agent) ([]*http.Cookie, error) {
	if err := provider.CheckSub(agent.Sub); err != nil {
		return nil, fmt.Errorf("agentconnect: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.config.redirectURL.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("agentconnect: %w", err)
	}
	admitted, err := a.admit(ctx, r, verifiedLogin{agent: agent, state: randomText(), returnTo: a.config.homePath})
	if err != nil {
		return nil, err
	}
	answer := headerWriter{http.Header{}}
	a.give(answer, r, admitted)
	return (&http.Response{Header: answer.header}).Cookies(), nil
}
