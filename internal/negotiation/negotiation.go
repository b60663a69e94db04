// Package negotiation reads the media types and languages that a client accepts, with
// their weights (RFC 9110 section 12.5). It knows headers, and nothing about the
// answers.
package negotiation

import (
	"net/http"
	"strconv"
	"strings"
)

// maxHeader bounds how much of a header is read. It is far more than any browser sends.
const maxHeader = 2048

// A Preference is how much a client wants a media type: first by its weight, then by
// how precisely the client names it.
type Preference struct {
	Weight    float64 // from 0, not at all, to 1
	Precision int     // 3 "text/html", 2 "text/*", 1 "*/*", 0 not named
}

// Over reports whether p is the stronger one.
func (p Preference) Over(other Preference) bool {
	return p.Weight > other.Weight || p.Weight > 0 && p.Weight == other.Weight && p.Precision > other.Precision
}

// MediaType returns the preference for a media type of the header Accept (RFC 9110
// section 12.5.1). The most precise name counts.
func MediaType(h http.Header, mediaType string) Preference {
	kind, _, _ := strings.Cut(mediaType, "/")
	var best Preference
	for name, weight := range items(h.Values("Accept")) {
		precision := 0
		switch {
		case strings.EqualFold(name, mediaType):
			precision = 3
		case strings.EqualFold(name, kind+"/*"):
			precision = 2
		case name == "*/*":
			precision = 1
		}
		if precision > best.Precision {
			best = Preference{weight, precision}
		}
	}
	return best
}

// Language returns the language that Accept-Language prefers (RFC 9110 section 12.5.4),
// or the first one if it has no preference. Each language is two lower-case letters.
func Language(h http.Header, languages ...string) string {
	weights := map[string]float64{}
	for name, weight := range items(h.Values("Accept-Language")) {
		primary, _, _ := strings.Cut(strings.ToLower(name), "-")
		weights[primary] = max(weights[primary], weight)
	}
	best, bestWeight := languages[0], -1.0
	for _, language := range languages {
		weight, named := weights[language]
		if !named && language == languages[0] {
			weight = weights["*"] // any will do: it is the first
		}
		if weight > bestWeight {
			best, bestWeight = language, weight
		}
	}
	return best
}

// items yields the names in the lines of a header, with their weights.
func items(lines []string) func(yield func(string, float64) bool) {
	return func(yield func(string, float64) bool) {
		left := maxHeader
		for _, line := range lines {
			if left == 0 {
				return
			}
			line = line[:min(len(line), left)]
			left -= len(line)
			for item := range strings.SplitSeq(line, ",") {
				name, params, _ := strings.Cut(item, ";")
				if name = strings.Trim(name, " \t"); name != "" && !yield(name, weight(params)) {
					return
				}
			}
		}
	}
}

// weight returns the q of parameters: 1 if it is absent, 0 if it is malformed.
func weight(params string) float64 {
	for p := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.Trim(p, " \t"), "=")
		if strings.EqualFold(name, "q") {
			q, err := strconv.ParseFloat(value, 64)
			if err != nil || !(q >= 0 && q <= 1) {
				return 0
			}
			return q
		}
	}
	return 1
}
