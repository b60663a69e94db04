// Package policy sets the headers that restrict a page: the resources that it may load,
// the targets of its forms, and its Referer.
package policy

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
)

// SetHeaders allows a page its own style and nothing else.
//
// A page with a form has no form-action: browsers apply it to each redirect after the
// form, to the provider and to the agents' identity providers, which cannot be listed.
// Such a page only sends its origin: with no-referrer, a browser without Fetch Metadata
// sends "Origin: null", as any site can.
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
