package agentconnect

import (
	"net/http"
	"strconv"
	"strings"
)

// isNavigation reports whether a browser opens a page with the request, as
// opposed to a script, an image, a program.
func isNavigation(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && isForPerson(r)
}

// isForPerson reports whether the answer is shown to a person: by Fetch
// Metadata, which all current browsers send to trustworthy origins, or by Accept.
func isForPerson(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return accepts(r, "text/html")
}

// accepts reports whether the request's Accept names the media type, and not
// with a weight of 0 (RFC 9110 section 12.5.1).
func accepts(r *http.Request, mediaType string) bool {
	for _, line := range r.Header.Values("Accept") {
		for item := range strings.SplitSeq(line, ",") {
			name, params, _ := strings.Cut(item, ";")
			if !strings.EqualFold(strings.TrimSpace(name), mediaType) {
				continue
			}
			return weight(params) > 0
		}
	}
	return false
}

// weight returns the q of the parameters of a media range or language.
func weight(params string) float64 {
	for p := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if strings.EqualFold(name, "q") {
			q, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return 0
			}
			return q
		}
	}
	return 1
}

// isFormPost reports whether a browser sends a form: what it gets is shown to a
// person, though it is not a page to come back to.
func isFormPost(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Mode") == "navigate" && accepts(r, "text/html")
}

// language returns the language of a page: French, or English where the
// browser prefers it (RFC 9110 section 12.5.4).
func language(r *http.Request) string {
	best := map[string]float64{}
	for item := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Language"), ","), ",") {
		tag, params, _ := strings.Cut(strings.TrimSpace(item), ";")
		primary, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-")
		best[primary] = max(best[primary], weight(params))
	}
	french, named := best["fr"]
	if !named {
		french = best["*"] // any language will do: it is French
	}
	if best["en"] > french {
		return "en"
	}
	return "fr"
}
