package main

import (
	"net/http"

	"github.com/agentconnect-go/agentconnect/internal/negotiation"
)

// prefersJSON reports whether a request prefers application/json to a page (RFC 9110
// section 12.5.1): by a higher weight or, with equal weights, by a more precise name.
// Without a preference the answer is a page.
func prefersJSON(r *http.Request) bool {
	return negotiation.MediaType(r.Header, "application/json").Over(negotiation.MediaType(r.Header, "text/html"))
}

// isNavigation reports whether a person sees the answer.
func isNavigation(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return negotiation.MediaType(r.Header, "text/html").Precision == 3
}

// lang returns the language of a page: French, or English if the request prefers it.
func lang(r *http.Request) string { return negotiation.Language(r.Header, "fr", "en") }
