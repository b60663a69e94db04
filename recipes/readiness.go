package recipes

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/agentconnect-go/agentconnect"
)

// Readiness answers a probe: 200 once ProConnect's metadata is known. The reason for a
// 503 is only in the log, because probes are often public. The session store is not
// checked: if it is down, it is down for every instance, and removing them all would
// also remove the public pages. A later failure of ProConnect does not count either:
// agents who are logged in go on working.
func Readiness(auth *agentconnect.Authenticator) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		w.Header().Set("Cache-Control", "no-store")
		if err := auth.Ready(ctx); err != nil {
			slog.WarnContext(ctx, "not ready", "cause", err)
			w.Header().Set("Retry-After", "5")
			http.Error(w, "ProConnect has not been reached yet", http.StatusServiceUnavailable)
			return
		}
		w.Write([]byte("ok\n"))
	}
}
