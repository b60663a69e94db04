package recipes

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/agentconnect-go/agentconnect"
)

// Prometheus counts the events of logins and sessions. Both labels have few values. No
// metric contains personal data.
func Prometheus(registry prometheus.Registerer) agentconnect.Option {
	events := promauto.With(registry).NewCounterVec(prometheus.CounterOpts{
		Name: "agentconnect_events_total",
		Help: "Logins, refusals and logouts, by kind and by the code of the refusal.",
	}, []string{"kind", "code"})
	return agentconnect.WithEvents(func(_ context.Context, e agentconnect.Event) {
		events.WithLabelValues(string(e.Kind), string(e.Code)).Inc()
	})
}
