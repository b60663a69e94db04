package doctor

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Table returns the findings for a terminal: a line for each, with the action if there
// is one, and a line with their numbers.
func Table(findings []Finding) string {
	const gap = "  "
	width, count := 0, map[Severity]int{}
	for _, f := range findings {
		width = max(width, utf8.RuneCountInString(f.Subject))
		count[f.Severity]++
	}
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&b, "%-*s%s%-*s%s%s\n", len(Problem), f.Severity, gap, width, f.Subject, gap, f.Found)
		if f.Action != "" {
			fmt.Fprintf(&b, "%*s→ %s\n", len(Problem)+width+2*len(gap), "", f.Action)
		}
	}
	fmt.Fprintf(&b, "\nok: %d, warnings: %d, problems: %d\n", count[OK], count[Warning], count[Problem])
	return b.String()
}
