package main

import (
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/text/language"
)

// prefersJSON reports whether a request prefers application/json to a page (RFC
// 9110 section 12.5.1): by a higher weight, or, the weights being equal, by naming
// it more precisely. Without a preference the answer is a page.
func prefersJSON(r *http.Request) bool {
	json, jsonPrecision := acceptance(r, "application", "json")
	html, htmlPrecision := acceptance(r, "text", "html")
	return json > html || json > 0 && json == html && jsonPrecision > htmlPrecision
}

// acceptance returns the weight of a media type in Accept and how precisely it is
// named there: 3 whole, 2 by its kind, 1 as anything, 0 not at all.
func acceptance(r *http.Request, kind, subtype string) (weight float64, precision int) {
	for item := range strings.SplitSeq(strings.Join(r.Header.Values("Accept"), ","), ",") {
		name, params, _ := strings.Cut(item, ";")
		p := 0
		switch strings.ToLower(strings.TrimSpace(name)) {
		case kind + "/" + subtype:
			p = 3
		case kind + "/*":
			p = 2
		case "*/*":
			p = 1
		}
		if p > precision {
			weight, precision = quality(params), p
		}
	}
	return weight, precision
}

// quality returns the q of the parameters of a media range, 1 by default.
func quality(params string) float64 {
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(param), "=")
		if !strings.EqualFold(name, "q") {
			continue
		}
		q, err := strconv.ParseFloat(value, 64)
		if err != nil || !(q >= 0 && q <= 1) {
			return 0
		}
		return q
	}
	return 1
}

// isNavigation reports whether a person sees the answer.
func isNavigation(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	_, precision := acceptance(r, "text", "html")
	return precision == 3
}

// lang returns the language of a page: French, or English for who prefers it.
func lang(r *http.Request) string {
	// The first of the list is for who reads neither.
	languages := language.NewMatcher([]language.Tag{language.French, language.English})
	if _, i := language.MatchStrings(languages, r.Header.Get("Accept-Language")); i == 1 {
		return "en"
	}
	return "fr"
}
