package agentconnecttest

import (
	"strings"
	"unicode/utf16"
)

// isEmail reports whether the real one accepts s as an e-mail address. It follows
// isEmail of the npm package validator with its defaults, which is stricter than RFC
// 5322 about the domain and laxer about the local part. Lengths are in UTF-16 units
// unless a comment says bytes.
func isEmail(s string) bool {
	at := strings.LastIndexByte(s, '@')
	if at < 0 || units(s) > 254 {
		return false
	}
	local, domain := s[:at], s[at+1:]
	if len(local) > 64 || len(domain) > 254 || !isDomain(domain) {
		return false
	}
	if len(local) > 1 && strings.HasPrefix(local, `"`) && strings.HasSuffix(local, `"`) {
		return isQuoted(local[1 : len(local)-1])
	}
	for atom := range strings.SplitSeq(local, ".") {
		if atom == "" || strings.ContainsFunc(atom, func(r rune) bool { return !inAtom(r) }) {
			return false
		}
	}
	return true
}

func units(s string) int { return len(utf16.Encode([]rune(s))) }

func isLetter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }
func isDigit(r rune) bool  { return r >= '0' && r <= '9' }

// isWide reports whether the npm package accepts a character beyond ASCII as a letter.
// from is U+00A0 or U+00A1.
func isWide(r, from rune) bool {
	return r >= from && r <= 0xD7FF || r >= 0xF900 && r <= 0xFDCF || r >= 0xFDF0 && r <= 0xFFEF
}

func inAtom(r rune) bool {
	return isLetter(r) || isDigit(r) || isWide(r, 0xA1) || strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
}

// isQuoted checks the text between quotes: a quote or a backslash must follow a
// backslash.
func isQuoted(s string) bool {
	escaped := false
	for _, r := range s {
		wide := isWide(r, 0xA0)
		switch {
		case escaped && !(wide || r >= 1 && r <= 0x7F && r != '\n'):
			return false
		case escaped:
			escaped = false
		case r == '\\':
			escaped = true
		case r == '"' || r == 0 || r > 0x7F && !wide:
			return false
		}
	}
	return !escaped
}

// isDomain checks a domain: at least one dot, and a top-level label of two letters or
// more.
func isDomain(s string) bool {
	labels := strings.Split(s, ".")
	if len(labels) < 2 || !isTopLevel(labels[len(labels)-1]) {
		return false
	}
	for _, label := range labels {
		if label == "" || units(label) > 63 || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			return false
		}
		for _, r := range label {
			fullWidth := r >= 0xFF01 && r <= 0xFF5E
			if !isLetter(r) && !isDigit(r) && r != '-' && r < 0xA1 || fullWidth {
				return false
			}
		}
	}
	return true
}

func isTopLevel(label string) bool {
	if rest, ok := strings.CutPrefix(strings.ToLower(label), "xn"); ok && len(rest) >= 2 &&
		!strings.ContainsFunc(rest, func(r rune) bool { return !isLetter(r) && !isDigit(r) && r != '-' }) {
		return true
	}
	for _, r := range label {
		if !isLetter(r) && !(isWide(r, 0xA1) && r != 0xA9) || r == 0x3000 || r == 0x1680 || r >= 0x2000 && r <= 0x200A || r == 0x2028 || r == 0x2029 || r == 0x202F || r == 0x205F {
			return false
		}
	}
	return units(label) >= 2
}
