// Package otelexample turns the events of agentconnect into OpenTelemetry metrics. Copy
// the file.
package otelexample

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/agentconnect-go/agentconnect"
)

// Events returns a function for agentconnect.WithEvents that counts the events in the
// meter's counter agentconnect.events. Its attributes are the kind of event, the code
// of a refusal and the level of a session: each has few values. The agent's pseudonym
// and the identity provider are not attributes.
func Events(meter metric.Meter) (func(context.Context, agentconnect.Event), error) {
	events, err := meter.Int64Counter("agentconnect.events",
		metric.WithDescription("Logins, refusals, logouts and other events of sessions."),
		metric.WithUnit("{event}"))
	if err != nil {
		return nil, fmt.Errorf("agentconnect metrics: %w", err)
	}
	return func(ctx context.Context, e agentconnect.Event) {
		attributes := []attribute.KeyValue{attribute.String("agentconnect.event", string(e.Kind))}
		if e.Code != "" {
			attributes = append(attributes, attribute.String("agentconnect.code", string(e.Code)))
		}
		if e.ACR != "" {
			attributes = append(attributes, attribute.String("agentconnect.acr", e.ACR))
		}
		events.Add(ctx, 1, metric.WithAttributes(attributes...))
	}, nil
}
