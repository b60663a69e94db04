// Package policy sets the headers that keep a page to itself: what it may load, where
// its forms may go, what it tells of its address.
package policy

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
)

// SetHeaders allows a page its own style and nothing else.
//
// form-action is left open on a page with a form: browsers apply it to each redirect
// that follows the form, to the provider and to the agent's identity provider, and
// nobody can list these. Such a page tells its origin, and no more: with no-referrer a
// browser without Fetch Metadata sends "Origin: null", as any site can.
func SetHeaders(h http.Header, style string, form bool) {
	hash := sha256.Sum256([]byte(style))
	csp := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'; base-uri 'none'; frame-ancestors 'none'"
	referrer := "strict-origin"
	if !form {
		csp += "; form-action 'none'"
		referrer = "no-referrer"
	}
	h.Set("Content-Security-Policy", csp)
	h.Set("Referrer-Policy", referrer)
	h.Set("X-Content-Type-Options", "nosniff")
}
