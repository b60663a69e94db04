// Package email checks e-mail addresses as ProConnect does. ProConnect answers a
// login_hint that it does not accept with an error page that has no way back.
package email

import "strings"

const (
	maxAddress = 254
	maxLocal   = 64
	maxLabel   = 63
)

const (
	letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits  = "0123456789"
	local   = letters + digits + "!#$%&'*+-/=?^_`{|}~"
)

// Valid reports whether ProConnect accepts the address s. ProConnect uses isEmail of
// the npm package validator, with its defaults. Valid refuses every address that
// isEmail refuses, and also addresses that are not ASCII or have a quoted local part.
func Valid(s string) bool {
	user, domain, found := strings.Cut(s, "@")
	if !found || len(s) > maxAddress || len(user) > maxLocal {
		return false
	}
	for part := range strings.SplitSeq(user, ".") {
		if part == "" || strings.Trim(part, local) != "" {
			return false
		}
	}
	labels := strings.Split(domain, ".")
	for _, label := range labels {
		if label == "" || len(label) > maxLabel || strings.Trim(label, letters+digits+"-") != "" || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
	}
	return len(labels) >= 2 && isTopLevel(labels[len(labels)-1])
}

// isTopLevel reports whether a label has two letters or more, or is an encoded
// international one ("xn--…").
func isTopLevel(label string) bool {
	if len(label) >= 2 && strings.Trim(label, letters) == "" {
		return true
	}
	return len(label) >= 4 && strings.EqualFold(label[:2], "xn")
}
