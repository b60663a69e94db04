// Package settings checks settings. It has the rules that a service provider and a
// resource server share, and those that only need the value. It collects the problems,
// without secrets in their texts, and reads the environment variables.
package settings

import (
	"errors"
	"fmt"
	"strings"
)

// A Problem is one error in the settings.
type Problem struct {
	Option string // the name of the function that records the setting
	Reason string // "missing", "invalid", "insecure" or "conflict"
	Detail string // a sentence
}

// Problems collects the errors in the settings. Its methods check settings and add the
// problems they find.
type Problems struct {
	list    []Problem
	secrets []string
}

// Record applies the options to the settings c.
func Record[C any, O ~func(C)](p *Problems, c C, opts []O) {
	for i, opt := range opts {
		if opt == nil {
			p.Add(fmt.Sprintf("option %d", i+1), "missing", "it is nil")
			continue
		}
		opt(c)
	}
}

// Hide keeps the secrets out of all problems that are added later.
func (p *Problems) Hide(secrets ...string) {
	for _, secret := range secrets {
		if secret = strings.TrimSpace(secret); secret != "" {
			p.secrets = append(p.secrets, secret)
		}
	}
}

// Add adds a problem with a formatted detail, which shows no secret.
func (p *Problems) Add(option, reason, format string, args ...any) {
	for i, arg := range args {
		args[i] = p.redact(arg)
	}
	p.list = append(p.list, Problem{option, reason, fmt.Sprintf(format, args...)})
}

// Err returns all problems joined, each as the error that convert makes of it, or nil
// if there are none.
func (p *Problems) Err(convert func(Problem) error) error {
	var errs []error
	for _, problem := range p.list {
		errs = append(errs, convert(problem))
	}
	return errors.Join(errs...)
}

// redact removes the secrets from a value of a detail. It runs before the value is
// quoted, because quoting could escape them.
func (p *Problems) redact(arg any) any {
	switch a := arg.(type) {
	case string:
		for _, secret := range p.secrets {
			a = strings.ReplaceAll(a, secret, "[redacted]")
		}
		return a
	case error:
		return p.redact(a.Error())
	}
	return arg
}

// shown quotes a wrong value.
func (p *Problems) shown(value string) string {
	return Quote(fmt.Sprint(p.redact(value)))
}

// Quote quotes a value of 16 bytes at most: a typing error, for example. A longer value
// could be the client secret in the wrong place, because ProConnect's secrets have 64
// characters. Quote only shows its length.
func Quote(value string) string {
	if len(value) > 16 {
		return fmt.Sprintf("the value of %d bytes", len(value))
	}
	return fmt.Sprintf("%q", value)
}
