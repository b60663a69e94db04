// Package navigation tells a person who opens a page from a script, a frame, an image,
// a prefetch or a program, by the headers of the request. It knows requests, and
// nothing about the answers.
package navigation

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/agentconnect-go/agentconnect/internal/negotiation"
)

// Is reports whether a person opens a page with the request, and not a script, an
// image, a frame, a prefetch or a program. A protected page sends only such a request to
// the login: any other could disturb the login of a tab, or show the login where the
// person cannot see it.
func Is(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && IsForPerson(r)
}

// IsForPerson reports whether a person sees the answer in a tab of its own: by Fetch
// Metadata, which all current browsers send to trustworthy origins, or by Accept.
func IsForPerson(r *http.Request) bool {
	if isAheadOfPerson(r.Header) || isOfScript(r.Header) {
		return false
	}
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate" && isOfTab(r.Header) && !prefersJSON(r.Header)
	}
	// Without Fetch Metadata, a request with X-Requested-With is a script. A phone
	// application that shows pages also sends that header, but today it sends Fetch
	// Metadata.
	return r.Header.Get("X-Requested-With") == "" && negotiation.MediaType(r.Header, "text/html").Precision == 3 && !prefersJSON(r.Header)
}

// isOfTab reports whether a navigation is that of a tab. A navigation that a service
// worker passes on, with fetch(event.request), has lost its destination ("empty"), also
// that of a frame of this application. A download (<a download>) is "empty" too, but
// does not ask for a page.
func isOfTab(h http.Header) bool {
	switch h.Get("Sec-Fetch-Dest") {
	case "document", "":
		return true
	case "empty":
		return negotiation.MediaType(h, "text/html").Precision == 3
	}
	return false
}

// MayStartLogin reports whether the request may start the login that it asks for: a
// person's navigation, or a request without any of these headers, as programs send but
// browsers do not.
func MayStartLogin(r *http.Request) bool {
	return IsForPerson(r) || IsPlainProgram(r)
}

// IsPlainProgram reports whether a program that is not a browser sent the request,
// without a preference for an answer.
func IsPlainProgram(r *http.Request) bool {
	h := r.Header
	return !isAheadOfPerson(h) && h.Get("Sec-Fetch-Mode") == "" && h.Get("X-Requested-With") == "" && !IsHTMX(h) && h.Get("Accept") == ""
}

// isAheadOfPerson reports whether a browser, or a library in it, fetches the page
// before the person asks for it: a prefetch or a prerender.
func isAheadOfPerson(h http.Header) bool {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz", "X-Sec-Purpose"} {
		for _, value := range h.Values(name) {
			value = strings.ToLower(value)
			for _, purpose := range []string{"prefetch", "prerender", "preview"} {
				if strings.Contains(value, purpose) {
					return true
				}
			}
		}
	}
	return false
}

// isOfScript reports whether a library of scripts says that it sent the request.
func isOfScript(h http.Header) bool {
	return strings.EqualFold(h.Get("X-Requested-With"), "XMLHttpRequest") || IsHTMX(h)
}

// IsHTMX reports whether htmx sent the request: it follows the header HX-Redirect.
func IsHTMX(h http.Header) bool { return h.Get("HX-Request") == "true" }

// prefersJSON reports whether Accept names JSON and prefers it to a page.
func prefersJSON(h http.Header) bool {
	if !slices.ContainsFunc(h.Values("Accept"), func(line string) bool {
		return strings.Contains(line, "json") || strings.Contains(line, "JSON") || strings.Contains(line, "application/*")
	}) {
		return false
	}
	html := negotiation.MediaType(h, "text/html")
	return negotiation.MediaType(h, "application/json").Over(html) || negotiation.MediaType(h, "application/problem+json").Over(html)
}

// IsFormPost reports whether a browser sends a form: a person sees the answer, but it
// is not a page to return to. Without Fetch Metadata, the content tells a form from the
// call of a program.
func IsFormPost(r *http.Request) bool {
	if r.Method != http.MethodPost || !IsForPerson(r) || negotiation.MediaType(r.Header, "text/html").Precision != 3 {
		return false
	}
	if r.Header.Get("Sec-Fetch-Mode") != "" {
		return true
	}
	content, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return content == "application/x-www-form-urlencoded" || content == "multipart/form-data"
}

// Target returns the path and query that the browser asked for. It reads the request
// line, which http.StripPrefix and routers do not change.
func Target(r *http.Request) string {
	u, err := url.ParseRequestURI(r.RequestURI)
	if err != nil { // a request that no server received: httptest, a caller's own
		u = r.URL
	}
	return (&url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}).RequestURI()
}

// SaysBrowser reports whether a request has Fetch Metadata, and does not come
// from a crawler that says so.
func SaysBrowser(h http.Header) bool {
	if h.Get("Sec-Fetch-Mode") == "" || h.Get("Sec-Fetch-Dest") == "" {
		return false
	}
	userAgent := strings.ToLower(h.Get("User-Agent"))
	for _, word := range []string{"bot", "crawl", "spider", "slurp", "preview"} {
		if strings.Contains(userAgent, word) {
			return false
		}
	}
	return true
}
