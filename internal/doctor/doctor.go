// Package doctor checks everything that a login needs, before a service opens. It
// returns findings, each with the action to take. It calls the provider through a
// [provider.Provider]. It knows no page, no handler and no session.
package doctor

import (
	"context"
	"net/url"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/provider"
)

// A Severity is the weight of a Finding for the opening of a service.
type Severity string

// The severities.
const (
	OK      Severity = "ok"
	Warning Severity = "warning"
	Problem Severity = "problem"
)

// A Finding is the result of one check. It contains no secret.
type Finding struct {
	Severity Severity
	Subject  string // the subject of the check, in a few words
	Found    string
	Action   string // the action to take; "" if all is well
}

// Settings are the validated settings to check.
type Settings struct {
	Provider *provider.Provider
	Now      func() time.Time

	Issuer      string
	Environment string // "" if an issuer was given instead
	Known       string // the environment that has this issuer; "" if none has
	RIE         bool   // the environment is on the State's private network

	RedirectURL, PostLogoutURL *url.URL
	IDTokenAlg, UserinfoAlg    string // "none" for plain JSON
	SecretLength               int
	Scopes                     []string
	ACR                        []string // every login must have one of these; nil: any
	EveryACR                   []string // those that routes can demand
	LoopsByEmail               bool     // with these ACR, ProConnect asks some agents for its code again and again

	CookieName       string
	SecureCookies    bool
	Lifetime, Idle   time.Duration // Idle is 0 without an idle timeout
	EndsAtMidnight   bool
	ApplicationStore any     // the store as the application gave it
	Records          Records // the store as sessions use it
}

// Records reads and writes records of the session store.
type Records struct {
	Commit func(ctx context.Context, name string, record []byte, expiry time.Time) error
	Find   func(ctx context.Context, name string) (record []byte, found bool, err error)
	Delete func(ctx context.Context, name string) error
}

// Examine runs all the checks and returns their findings, in the order of the checks.
func Examine(ctx context.Context, s Settings) []Finding {
	c := &checkup{Settings: s}
	c.environment()
	c.network()
	c.provider(ctx)
	c.urls()
	c.cookies()
	c.sessions()
	c.store(ctx)
	return c.findings
}

// A checkup collects findings.
type checkup struct {
	Settings
	findings []Finding
}

func (c *checkup) ok(subject, found string) {
	c.findings = append(c.findings, Finding{Severity: OK, Subject: subject, Found: found})
}

func (c *checkup) warn(subject, found, action string) {
	c.findings = append(c.findings, Finding{Warning, subject, found, action})
}

func (c *checkup) problem(subject, found, action string) {
	c.findings = append(c.findings, Finding{Problem, subject, found, action})
}
