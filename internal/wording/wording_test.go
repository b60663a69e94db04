package wording_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/wording"
)

// Each row answers every question in both languages, and offers a login where it
// says to try again.
func TestRows(t *testing.T) {
	t.Parallel()
	rows := map[string]wording.Meaning{"forbidden at login": wording.ForbiddenAtLogin(), "not certified": wording.NotCertified(), "logout incomplete": wording.LogoutIncomplete()}
	for _, code := range []string{
		"unauthenticated", "insufficient_level", "forbidden", "login_refused", "method_not_allowed", "cross_origin", "invalid_request", "unknown_state",
		"issuer_mismatch", "access_denied", "identity_refused", "domain_refused", "provider_session_lost", "login_required", "idp_hint_not_found",
		"provider_error", "request_rejected", "provider_unavailable", "provider_timeout", "provider_answer", "invalid_id_token", "invalid_userinfo",
		"invalid_grant", "invalid_client", "session_store", "session_lost", "internal", "a code of nobody",
	} {
		rows[code] = wording.Of(code)
	}
	for name, row := range rows {
		if row.Status < 400 || row.Status > 599 {
			t.Errorf("%s: got status %d, want that of a refusal", name, row.Status)
		}
		if row.In("en") != row.English || row.In("fr") != row.French || row.In("de") != row.French {
			t.Errorf("%s: got another language than that asked for, or than French", name)
		}
		for _, e := range []wording.Explanation{row.French, row.English} {
			for _, text := range []string{e.Title, e.Happened, e.Means, e.Todo} {
				if text == "" || strings.TrimSpace(text) != text || strings.Contains(text, "AgentConnect") {
					t.Errorf("%s: got %q, want a text that says ProConnect", name, text)
				}
			}
			for _, text := range []string{e.Happened, e.Means, e.Todo} {
				if strings.Contains(text, "« ") || strings.Contains(text, " »") {
					t.Errorf("%s: got %q, want quotation marks that stay on the line of their word", name, text)
				}
			}
			if strings.Contains(e.Means, "n’y changera rien") && row.Offers&wording.Login != 0 {
				t.Errorf("%s: got a login offered where %q", name, e.Means)
			}
		}
	}
}

func TestBrand(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"ProConnect ne répond pas":      "AgentConnect ne répond pas",
		"la réponse de ProConnect":      "la réponse d’AgentConnect",
		"un compte que ProConnect voit": "un compte qu’AgentConnect voit",
		"of ProConnect":                 "of AgentConnect",
		"rien":                          "rien",
	} {
		if got := wording.AgentConnect.In(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
		if got := wording.ProConnect.In(text); got != text {
			t.Errorf("%q: got %q, want it as it is", text, got)
		}
	}
}

// Every label has a text in both languages.
func TestLabels(t *testing.T) {
	t.Parallel()
	french, english := wording.PageWords("fr"), wording.PageWords("en")
	if len(french) != len(english) {
		t.Errorf("got %d labels in French and %d in English", len(french), len(english))
	}
	for name := range french {
		if french[name] == "" || english[name] == "" || french[name] == english[name] {
			t.Errorf("%s: got %q and %q, want two texts", name, french[name], english[name])
		}
	}
	for _, lang := range []string{"fr", "en"} {
		for _, labels := range []any{wording.LabelsIn(lang), wording.ButtonIn(lang)} {
			v := reflect.ValueOf(labels)
			for i := range v.NumField() {
				if v.Field(i).String() == "" {
					t.Errorf("%s: got no text for %s", lang, v.Type().Field(i).Name)
				}
			}
		}
	}
	for lang, want := range map[string]string{"en": "en", "EN": "en", "en-GB": "en", "fr": "fr", "": "fr", "de": "fr", "english": "fr"} {
		if got := wording.ButtonIn(lang).Lang; got != want {
			t.Errorf("%q: got the button in %q, want %q", lang, got, want)
		}
	}
}

func TestLocalTime(t *testing.T) {
	t.Parallel()
	summer := time.Date(2026, 7, 14, 22, 30, 5, 0, time.UTC)
	for lang, want := range map[string]string{"fr": "15/07/2026 00:30:05 (heure de Paris)", "en": "15/07/2026 00:30:05 (Paris time)"} {
		if got := wording.LocalTime(lang, summer); got != want {
			t.Errorf("%s: got %q, want %q", lang, got, want)
		}
	}
}

func TestPrintable(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Démarches & Co <b>": "Démarches & Co <b>",
		"a\r\nb":             "a\uFFFD\uFFFDb",
		"a\u202eb\x00":       "a\uFFFDb\uFFFD",
	} {
		if got := wording.Printable(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
