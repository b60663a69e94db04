package wording_test

import (
	"strings"
	"testing"

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
