package negotiation_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/negotiation"
)

func TestMediaType(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		accept     []string
		json, html negotiation.Preference
	}{
		{nil, negotiation.Preference{}, negotiation.Preference{}},
		{[]string{"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}, negotiation.Preference{0.8, 1}, negotiation.Preference{1, 3}},
		{[]string{"application/json, text/html;q=0.5"}, negotiation.Preference{1, 3}, negotiation.Preference{0.5, 3}},
		{[]string{"application/*", "TEXT/HTML ; level=1 ; Q=0.3"}, negotiation.Preference{1, 2}, negotiation.Preference{0.3, 3}},
		{[]string{"*/*"}, negotiation.Preference{1, 1}, negotiation.Preference{1, 1}},
		{[]string{"text/html;q=0, */*"}, negotiation.Preference{1, 1}, negotiation.Preference{0, 3}},
		{[]string{"text/html;q=NaN, application/json;q=2, ,;"}, negotiation.Preference{0, 3}, negotiation.Preference{0, 3}},
	} {
		h := http.Header{"Accept": tt.accept}
		if json, html := negotiation.MediaType(h, "application/json"), negotiation.MediaType(h, "text/html"); json != tt.json || html != tt.html {
			t.Errorf("%q: got %v and %v, want %v and %v", tt.accept, json, html, tt.json, tt.html)
		}
	}
}

func TestLanguage(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"": "fr", "fr": "fr", "en": "en", "en-GB,en;q=0.9": "en", "fr;q=0.5,en": "en", "en;q=0.5,fr": "fr", "de": "fr", "*": "fr", "en,*": "fr", "en;q=0.8,*;q=0.5": "en",
		"fr-CA;q=0.2, EN;q=0.3": "en", "en;q=0": "fr", "en;q=x": "fr", "fr;q=0,en;q=0.1": "en",
	} {
		if got := negotiation.Language(http.Header{"Accept-Language": {header}}, "fr", "en"); got != want {
			t.Errorf("%q: got %s, want %s", header, got, want)
		}
	}
}

// A header of a megabyte costs no more than one of two kilobytes.
func TestEnormousHeaders(t *testing.T) {
	t.Parallel()
	enormous := strings.Repeat("en;q=0.5,", 120_000)
	for _, lines := range [][]string{{enormous}, strings.SplitAfter(enormous, ",")} {
		start := time.Now()
		h := http.Header{"Accept-Language": lines, "Accept": lines}
		for range 100 {
			negotiation.Language(h, "fr", "en")
			negotiation.MediaType(h, "text/html")
		}
		if got := time.Since(start); got > time.Second {
			t.Errorf("%d lines: a hundred readings took %v", len(lines), got)
		}
	}
}

func FuzzHeaders(f *testing.F) {
	for _, seed := range []string{"", "*/*", "text/html;q=0.5,application/json", "en-GB;q=1e-3, fr", ";;;q=,", "text/html;q=-1", "q=1;q=2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		h := http.Header{"Accept": {value}, "Accept-Language": {value}}
		if got := negotiation.Language(h, "fr", "en"); got != "fr" && got != "en" {
			t.Fatalf("%q: got the language %q", value, got)
		}
		p := negotiation.MediaType(h, "text/html")
		if !(p.Weight >= 0 && p.Weight <= 1) || p.Precision < 0 || p.Precision > 3 {
			t.Fatalf("%q: got %v", value, p)
		}
	})
}
