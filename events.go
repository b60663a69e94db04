package agentconnect

import (
	"context"
	"log/slog"
	"time"
)

// An EventKind is the kind of an Event.
type EventKind string

// The events of logins and sessions.
const (
	// EventLoginStarted: a browser was sent to the provider.
	EventLoginStarted EventKind = "login_started"
	// EventStepUpStarted: an agent who is logged in was sent to the provider
	// for a higher level.
	EventStepUpStarted EventKind = "step_up_started"
	// EventLoginSucceeded: there is a new session.
	EventLoginSucceeded EventKind = "login_succeeded"
	// EventLoginRefused: a login that was under way in this browser failed at the
	// callback; Code is the reason. A silent login that found no session is one too.
	EventLoginRefused EventKind = "login_refused"
	// EventAccessRefused: an agent does not meet a level or an access rule; Code says
	// which.
	EventAccessRefused EventKind = "access_refused"
	// EventSessionExpired: a browser presented a session that has expired, by its
	// lifetime or the idle timeout.
	EventSessionExpired EventKind = "session_expired"
	// EventTokenRefreshed: the access token of a session was renewed.
	EventTokenRefreshed EventKind = "token_refreshed"
	// EventLoggedOut: an agent ended a session.
	EventLoggedOut EventKind = "logged_out"
)

// An Event is an event of a login or a session, for [WithEvents]. It has no name, no
// e-mail address and no token. Fields that do not apply to the kind are zero.
type Event struct {
	Kind EventKind
	Time time.Time
	// Agent is the [Pseudonym] of the sub.
	Agent string
	// IdPID is the agent's identity provider, ACR the level of the session.
	IdPID, ACR string
	// AcceptedACR lists the acr values that a started login demands.
	AcceptedACR []string
	// Code is the reason of a refusal.
	Code Code
}

// An announcer reports events to the application and to the log.
type announcer struct {
	tell   func(context.Context, Event)
	logger *slog.Logger
	now    func() time.Time
}

// emit reports an event. It does not log refusals: refuse does.
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

// logAttrs returns the attributes of an event's log line, without its kind.
func (e Event) logAttrs() []slog.Attr {
	if e.Agent == "" {
		return []slog.Attr{slog.Any("accepted_acr", e.AcceptedACR)}
	}
	return []slog.Attr{slog.String("agent", e.Agent), slog.String("idp_id", e.IdPID), slog.String("acr", e.ACR)}
}
