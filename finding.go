package agentconnect

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A Severity says what a [Finding] means for the opening of a service.
type Severity string

// The severities, from the lightest to the heaviest.
const (
	SeverityOK      Severity = "ok"
	SeverityWarning Severity = "warning" // it works, or may work; read what to do
	SeverityProblem Severity = "problem" // logins, or a part of what the service offers, will fail
)

func (s Severity) rank() int {
	switch s {
	case SeverityOK:
		return 0
	case SeverityWarning:
		return 1
	}
	return 2
}

// A Finding is one thing that [Authenticator.Check] looked at, in English, for
// operators. There is no secret in it.
type Finding struct {
	// Severity says whether something is to be done.
	Severity Severity `json:"severity"`
	// Subject is what was looked at, in a few words: "discovery".
	Subject string `json:"subject"`
	// Found is what was found.
	Found string `json:"found"`
	// Action is what to do. "" unless there is something.
	Action string `json:"action,omitempty"`
}

// Findings is the result of [Authenticator.Check].
type Findings []Finding

// Worst returns the heaviest of the severities, SeverityOK when there are none.
func (fs Findings) Worst() Severity {
	worst := SeverityOK
	for _, f := range fs {
		if f.Severity.rank() > worst.rank() {
			worst = f.Severity
		}
	}
	return worst
}

// String returns a table for a terminal: a line for each finding, followed by
// what to do if there is something, and a line that counts them.
func (fs Findings) String() string {
	const gap = "  "
	width, count := 0, map[Severity]int{}
	for _, f := range fs {
		width = max(width, utf8.RuneCountInString(f.Subject))
		count[f.Severity]++
	}
	var b strings.Builder
	for _, f := range fs {
		fmt.Fprintf(&b, "%-*s%s%-*s%s%s\n", len(SeverityProblem), f.Severity, gap, width, f.Subject, gap, f.Found)
		if f.Action != "" {
			fmt.Fprintf(&b, "%*s→ %s\n", len(SeverityProblem)+width+2*len(gap), "", f.Action)
		}
	}
	fmt.Fprintf(&b, "\nok: %d, warnings: %d, problems: %d\n", count[SeverityOK], count[SeverityWarning], count[SeverityProblem])
	return b.String()
}
