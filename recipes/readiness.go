package recipes

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/agentconnect-go/agentconnect"
)

// Readiness answers a probe: 200 once ProConnect's metadata is known. The reason for
// a 503 goes to the log, since probes are often public. The session store is no part
// of it: when it is down it is so for every instance, and taking them all away would
// take the public pages away too. Nor does a failure of ProConnect later count: agents
// who are logged in go on working.
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
