package email

import (
	"strings"
	"unicode"
)

// IsDomain reports whether s is a domain as it follows the "@" of an e-mail
// address: two labels or more, of letters, digits and hyphens.
func IsDomain(s string) bool {
	odd := func(r rune) bool { return r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || strings.ContainsFunc(label, odd) || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			return false
		}
	}
	return strings.Contains(s, ".")
}
