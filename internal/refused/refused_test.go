package refused_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/agentconnect-go/agentconnect/internal/refused"
)

// A problem has what there is to say, and no empty member.
func TestProblem(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		problem refused.Problem
		want    string
	}{
		{refused.Problem{Title: "T", Status: 403, Detail: "D", Code: "forbidden"}, `{"type":"about:blank","title":"T","status":403,"detail":"D","code":"forbidden"}`},
		{
			refused.Problem{Title: "T", Status: 401, Detail: "D", Code: "unauthenticated", ErrorID: "0a", LoginURL: "/login", AcceptedACR: []string{"eidas2"}, Reasons: []string{"R"}},
			`{"type":"about:blank","title":"T","status":401,"detail":"D","code":"unauthenticated","error_id":"0a","login_url":"/login","accepted_acr":["eidas2"],"reasons":["R"]}`,
		},
	} {
		w := httptest.NewRecorder()
		tt.problem.Serve(w)
		if got := strings.TrimSpace(w.Body.String()); got != tt.want || w.Code != tt.problem.Status {
			t.Errorf("got status %d, %s, want %s", w.Code, got, tt.want)
		}
		want := http.Header{"Content-Type": {"application/problem+json"}, "X-Content-Type-Options": {"nosniff"}}
		if !maps.EqualFunc(w.Header(), want, func(a, b []string) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
			t.Errorf("got header %v, want %v", w.Header(), want)
		}
	}
}

func TestSayWhenToRetry(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{503: "10", 500: "", 502: "", 504: "", 429: "", 403: ""} {
		h := http.Header{}
		refused.SayWhenToRetry(h, status)
		if got := h.Get("Retry-After"); got != want {
			t.Errorf("%d: got Retry-After %q, want %q", status, got, want)
		}
	}
}

func TestNewID(t *testing.T) {
	t.Parallel()
	if a, b := refused.NewID(), refused.NewID(); a == b || len(a) != 16 || strings.Trim(a, "0123456789abcdef") != "" {
		t.Errorf("got %q and %q, want two identifiers of 16 digits", a, b)
	}
}

// Failures of the service or the provider are errors for the operator. Refusals of
// people, and callers that leave, are not.
func TestLog(t *testing.T) {
	t.Parallel()
	left, leave := context.WithCancel(t.Context())
	leave()
	away := errors.New("away")
	canceled := fmt.Errorf("asking: %w", context.Canceled)
	for name, tt := range map[string]struct {
		ctx  context.Context
		line refused.Line
		want string
	}{
		"a stranger":          {t.Context(), refused.Line{Code: "unauthenticated", Status: 401, ID: "0a"}, `{"level":"DEBUG","msg":"agentconnect: refused","code":"unauthenticated","status":401,"error_id":"0a"}`},
		"a refusal":           {t.Context(), refused.Line{Code: "access_denied", Status: 403, ID: "0a", ProviderError: "access_denied"}, `{"level":"WARN","msg":"agentconnect: refused","code":"access_denied","status":403,"error_id":"0a","provider_error":"access_denied"}`},
		"a failure":           {t.Context(), refused.Line{Code: "provider_timeout", Status: 504, ID: "0a", Cause: away}, `{"level":"ERROR","msg":"agentconnect: refused","code":"provider_timeout","status":504,"error_id":"0a","cause":"away"}`},
		"one that left":       {left, refused.Line{Code: "provider_timeout", Status: 504, ID: "0a", Cause: canceled}, `{"level":"DEBUG","msg":"agentconnect: refused","code":"provider_timeout","status":504,"error_id":"0a","cause":"asking: context canceled"}`},
		"a failure, and left": {left, refused.Line{Code: "internal", Status: 500, ID: "0a", Cause: away}, `{"level":"ERROR","msg":"agentconnect: refused","code":"internal","status":500,"error_id":"0a","cause":"away"}`},
		"nobody left":         {t.Context(), refused.Line{Code: "provider_timeout", Status: 504, ID: "0a", Cause: canceled}, `{"level":"ERROR","msg":"agentconnect: refused","code":"provider_timeout","status":504,"error_id":"0a","cause":"asking: context canceled"}`},
	} {
		var b strings.Builder
		tt.line.Log(tt.ctx, slog.New(slog.NewJSONHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}})))
		if got := strings.TrimSpace(b.String()); got != tt.want || !json.Valid([]byte(got)) {
			t.Errorf("%s: got %s, want %s", name, got, tt.want)
		}
	}
}
