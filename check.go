package agentconnect

import (
	"context"
	"slices"

	"github.com/agentconnect-go/agentconnect/internal/doctor"
	"github.com/agentconnect-go/agentconnect/internal/settings"
)

// Check checks everything that a login needs, before a service opens: that the provider
// answers, has the right issuer, supports the settings, has keys, and knows the
// registration; that the clocks agree; that the registered URLs, the cookies and the
// session store are right. It returns the findings in the order of the checks, each
// with the action to take.
//
// It calls the provider, without using cached data: it reads the metadata and the keys,
// redeems an invented code, and asks for a silent login (prompt=none) and a logout
// without a session. It writes a record to the session store, with a life of a minute,
// and deletes it. It logs no agent in or out. If the provider is away, it can take as
// long as the timeouts of the calls; ctx bounds it. It is for operators and
// deployments; [Authenticator.Ready] is for probes.
//
// It cannot check whether each agent's identity provider works, nor the levels of
// single routes (Require).
func (a *Authenticator) Check(ctx context.Context) Findings {
	c := a.config
	known := settings.EnvironmentOf(c.issuer)
	found := doctor.Examine(ctx, doctor.Settings{
		Provider:         a.provider,
		Now:              c.now,
		Issuer:           c.issuer,
		Environment:      string(c.environment),
		Known:            known,
		RIE:              settings.IsRIE(known),
		RedirectURL:      c.redirectURL,
		PostLogoutURL:    c.postLogoutURL,
		IDTokenAlg:       string(c.idTokenAlg),
		UserinfoAlg:      string(c.userinfoAlg),
		SecretLength:     len(c.clientSecret),
		Scopes:           c.scopes,
		ACR:              c.acr,
		EveryACR:         knownACRs(),
		LoopsByEmail:     loopsByEmail(c.acr),
		CookieName:       c.cookieName,
		SecureCookies:    c.secureCookies,
		Lifetime:         c.sessionLifetime,
		Idle:             c.sessionIdle,
		EndsAtMidnight:   c.endAtMidnight,
		ApplicationStore: c.sessionStore,
		Records: doctor.Records{
			Commit: a.sessions.store.CommitCtx,
			Find:   a.sessions.store.FindCtx,
			Delete: a.sessions.store.DeleteCtx,
		},
	})
	findings := make(Findings, len(found))
	for i, f := range found {
		findings[i] = Finding{Severity(f.Severity), f.Subject, f.Found, f.Action}
	}
	return findings
}

// A Severity is the weight of a [Finding] for the opening of a service.
type Severity string

// The severities, from the lightest to the heaviest.
const (
	SeverityOK      Severity = "ok"
	SeverityWarning Severity = "warning" // it works, or may work; read the action
	SeverityProblem Severity = "problem" // logins, or another function of the service, will fail
)

// A Finding is the result of one check of [Authenticator.Check], in English, for
// operators. It contains no secret.
type Finding struct {
	// Severity tells whether an action is needed.
	Severity Severity `json:"severity"`
	// Subject is the subject of the check, in a few words: "discovery".
	Subject string `json:"subject"`
	// Found is the result, as a text.
	Found string `json:"found"`
	// Action is the action to take. "" if there is none.
	Action string `json:"action,omitempty"`
}

// Findings is the result of [Authenticator.Check].
type Findings []Finding

// Worst returns the heaviest of the severities, SeverityOK when there are none.
func (fs Findings) Worst() Severity {
	for _, worst := range []Severity{SeverityProblem, SeverityWarning} {
		if slices.ContainsFunc(fs, func(f Finding) bool { return f.Severity == worst }) {
			return worst
		}
	}
	return SeverityOK
}

// String returns a table for a terminal: a line for each finding, with the action if
// there is one, and a line with their numbers.
func (fs Findings) String() string {
	rows := make([]doctor.Finding, len(fs))
	for i, f := range fs {
		rows[i] = doctor.Finding{Severity: doctor.Severity(f.Severity), Subject: f.Subject, Found: f.Found, Action: f.Action}
	}
	return doctor.Table(rows)
}
