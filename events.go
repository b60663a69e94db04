package agentconnect

import (
	"context"
	"log/slog"
	"time"
)

// An EventKind says what happened.
type EventKind string

// What happens to logins and sessions.
const (
	// EventLoginStarted: a browser was sent to the provider.
	EventLoginStarted EventKind = "login_started"
	// EventStepUpStarted: an agent who is logged in was sent to the provider
	// for a higher level.
	EventStepUpStarted EventKind = "step_up_started"
	// EventLoginSucceeded: there is a new session.
	EventLoginSucceeded EventKind = "login_succeeded"
	// EventLoginRefused: a callback was refused; Code says why.
	EventLoginRefused EventKind = "login_refused"
	// EventAccessRefused: an agent lacks a level or a right; Code says which.
	EventAccessRefused EventKind = "access_refused"
	// EventSessionExpired: a browser came back with a session that is over, by
	// its lifetime or the idle timeout.
	EventSessionExpired EventKind = "session_expired"
	// EventTokenRefreshed: the access token of a session was renewed.
	EventTokenRefreshed EventKind = "token_refreshed"
	// EventLoggedOut: an agent ended a session.
	EventLoggedOut EventKind = "logged_out"
)

// An Event is one thing that happened, without personal data: for
// [WithEvents]. Fields that say nothing about the kind are zero.
type Event struct {
	Kind EventKind
	Time time.Time
	// Agent is the [Pseudonym] of the sub.
	Agent string
	// IdPID is the agent's identity provider, ACR the level of the session.
	IdPID, ACR string
	// AcceptedACR is what a login that started demands.
	AcceptedACR []string
	// Code says why something was refused.
	Code Code
}

// An announcer tells the application what happens, and logs it.
type announcer struct {
	tell   func(context.Context, Event)
	logger *slog.Logger
	now    func() time.Time
}

// emit announces an event. A refusal is not logged here: refuse does.
func (a announcer) emit(ctx context.Context, e Event) {
	e.Time = a.now()
	if e.Code == "" {
		a.logger.LogAttrs(ctx, slog.LevelInfo, "agentconnect: "+string(e.Kind), e.logAttrs()...)
	}
	a.tell(ctx, e)
}

// agentEvent is an event about an agent.
func agentEvent(kind EventKind, agent Agent) Event {
	return Event{Kind: kind, Agent: Pseudonym(agent.Sub), IdPID: agent.IdPID, ACR: agent.ACR}
}

// logAttrs is what the line of an event says, beside its kind.
func (e Event) logAttrs() []slog.Attr {
	if e.Agent == "" {
		return []slog.Attr{slog.Any("accepted_acr", e.AcceptedACR)}
	}
	return []slog.Attr{slog.String("agent", e.Agent), slog.String("idp_id", e.IdPID), slog.String("acr", e.ACR)}
}
