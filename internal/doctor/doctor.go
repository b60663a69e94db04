// Package doctor looks at everything that a login will need, before a service opens,
// and says what it found and what to do. It asks the provider through a
// [provider.Provider]; it knows no page, no handler and no session of ours.
package doctor

import (
	"context"
	"net/url"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/provider"
)

// A Severity says what a Finding means for the opening of a service.
type Severity string

// The severities.
const (
	OK      Severity = "ok"
	Warning Severity = "warning"
	Problem Severity = "problem"
)

// A Finding is one thing that was looked at. There is no secret in it.
type Finding struct {
	Severity Severity
	Subject  string // what was looked at, in a few words
	Found    string
	Action   string // what to do; "" when all is well
}

// Settings are what is looked at, as it was validated.
type Settings struct {
	Provider *provider.Provider
	Now      func() time.Time

	Issuer      string
	Environment string // the one that was given; "" when the issuer was
	Known       string // the environment whose issuer it is; "" for another one
	RIE         bool   // it is one of the State's private network

	RedirectURL, PostLogoutURL *url.URL
	IDTokenAlg, UserinfoAlg    string // "none" for plain JSON
	SecretLength               int
	Scopes                     []string
	ACR                        []string // that every login must have one of; nil: any
	EveryACR                   []string // that routes can demand
	LoopsByEmail               bool     // the ACR make ProConnect ask some agents for its code for ever

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

// Examine looks at everything and returns what it found, in the order in which it
// looked.
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
