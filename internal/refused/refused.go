// Package refused has the common parts of all refusals: the identifier that the answer
// and the log share, the line in the log, Retry-After, and the answer to a program.
package refused

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
)

// A Problem is the answer to a program (RFC 9457).
type Problem struct {
	Type        string   `json:"type"`
	Title       string   `json:"title"`
	Status      int      `json:"status"`
	Detail      string   `json:"detail"`
	Code        string   `json:"code"`
	ErrorID     string   `json:"error_id,omitempty"`
	LoginURL    string   `json:"login_url,omitempty"`
	AcceptedACR []string `json:"accepted_acr,omitempty"`
	Reasons     []string `json:"reasons,omitempty"`
}

// Serve answers with the problem. Its type is about:blank, because the code says more.
func (p Problem) Serve(w http.ResponseWriter) {
	p.Type = "about:blank"
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(p.Status)
	json.NewEncoder(w).Encode(p)
}

// retryAfter is the delay in seconds before a client may try again after a temporary
// refusal.
const retryAfter = "10"

// SayWhenToRetry sets Retry-After for a temporary refusal (RFC 9110 section 10.2.3).
func SayWhenToRetry(h http.Header, status int) {
	if status == http.StatusServiceUnavailable {
		h.Set("Retry-After", retryAfter)
	}
}

// NewID returns the identifier of one refusal.
func NewID() string {
	var id [8]byte
	rand.Read(id[:])
	return hex.EncodeToString(id[:])
}

// A Line is the log line of a refusal.
type Line struct {
	Code   string
	Status int
	ID     string
	// ProviderError is the error in the provider's redirect. Anyone can forge it, so it
	// must be spelled like an OAuth error. "" if there is none.
	ProviderError string
	Cause         error // may be nil
}

// Log writes the line of a refusal. The level separates failures, which an operator
// should look at, from the usual refusals of people and programs. A call that failed
// because the caller left is not a failure.
func (l Line) Log(ctx context.Context, logger *slog.Logger) {
	level := slog.LevelWarn
	switch {
	case l.Code == "unauthenticated", ctx.Err() != nil && errors.Is(l.Cause, context.Canceled):
		level = slog.LevelDebug
	case l.Status >= http.StatusInternalServerError:
		level = slog.LevelError
	}
	logger.LogAttrs(ctx, level, "agentconnect: refused", l.Attrs()...)
}

// Attrs returns the attributes of the line.
func (l Line) Attrs() []slog.Attr {
	attrs := []slog.Attr{
		slog.String("code", l.Code),
		slog.Int("status", l.Status),
		slog.String("error_id", l.ID),
	}
	if l.ProviderError != "" {
		attrs = append(attrs, slog.String("provider_error", l.ProviderError))
	}
	if l.Cause != nil {
		attrs = append(attrs, slog.String("cause", l.Cause.Error()))
	}
	return attrs
}
