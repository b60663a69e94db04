package agentconnect

import "github.com/agentconnect-go/agentconnect/internal/strictjson"

// MaxRememberedLogins bounds each generation of the logins that ended.
const MaxRememberedLogins = maxRememberedLogins

// EndLogin ends the pending login of a state as a callback does, and reports
// whether it was the first one.
func EndLogin(a *Authenticator, state string) (first bool, err error) {
	_, err = a.logins.end(state, func() (*admission, error) {
		first = true
		return nil, nil
	})
	return first, err
}

// RememberedLogins returns how many logins that ended are in memory.
func RememberedLogins(a *Authenticator) int {
	a.logins.mu.Lock()
	defer a.logins.mu.Unlock()
	return len(a.logins.ended) + len(a.logins.previous)
}

// RememberedSessions returns how many of them still hold a session.
func RememberedSessions(a *Authenticator) int {
	a.logins.mu.Lock()
	defer a.logins.mu.Unlock()
	sessions := 0
	for _, login := range a.logins.ended {
		if login.admitted != nil {
			sessions++
		}
	}
	return sessions
}

// ReturnToPage returns the page to which a login with a return_to comes back.
func ReturnToPage(a *Authenticator, target string) string { return a.config.returnTo(target) }

// A CallbackAnswer is what the query of a callback says.
type CallbackAnswer struct{ Code, State, Iss, Error, Description string }

// ParseCallback reads the query of a callback.
func ParseCallback(rawQuery string) (CallbackAnswer, error) {
	a, err := parseAnswer(rawQuery)
	if err != nil {
		return CallbackAnswer{}, err
	}
	return CallbackAnswer{a.code, a.state, a.iss, a.err, a.description}, nil
}

// AgentFromUserinfo makes an agent of a userinfo that was verified.
func AgentFromUserinfo(body string) (Agent, error) {
	claims, err := strictjson.Parse([]byte(body))
	if err != nil {
		return Agent{}, err
	}
	return agentFromClaims(claims)
}
