// Package email judges e-mail addresses as ProConnect does, which answers a
// login_hint that it does not take with a page from which nobody comes back.
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

// Valid reports whether s is an address that the server takes. It judges with the
// npm package validator's isEmail at its defaults; Valid refuses whatever that
// refuses, and beside it what is not ASCII or has its local part in quotes.
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

// isTopLevel reports whether a label is two letters or more, or "xn" and what an
// international one is encoded as.
func isTopLevel(label string) bool {
	if len(label) >= 2 && strings.Trim(label, letters) == "" {
		return true
	}
	return len(label) >= 4 && strings.EqualFold(label[:2], "xn")
}
