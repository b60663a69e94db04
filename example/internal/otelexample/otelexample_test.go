package otelexample

import (
	"maps"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

// TestEvents logs agents in and refuses one, and reads the counter.
func TestEvents(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	events, err := Events(meters.Meter("example"))
	if err != nil {
		t.Fatal(err)
	}

	provider := agentconnecttest.NewServer(t)
	server := httptest.NewUnstartedServer(nil)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	site := "http://localhost:" + port
	provider.SetRedirectURIs(site + "/callback")
	provider.SetPostLogoutRedirectURIs(site + "/logout/callback")
	auth, err := agentconnect.New(
		agentconnect.WithIssuer(provider.Issuer),
		agentconnect.WithClient(provider.Client.ID, provider.Client.Secret),
		agentconnect.WithRedirectURL(site+"/callback"),
		agentconnect.WithPostLogoutRedirectURL(site+"/logout/callback"),
		agentconnect.WithLevel(agentconnect.MFA()),
		agentconnect.WithEvents(events),
	)
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = auth.Handler()
	server.Start()
	defer server.Close()

	for _, login := range []struct {
		agent string
		opts  []agentconnecttest.LoginOption
	}{
		{"marie", nil},
		{"olivier", []agentconnecttest.LoginOption{agentconnecttest.WithACR("eidas2")}},
		{"marie", []agentconnecttest.LoginOption{agentconnecttest.Refusing()}},
	} {
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := provider.Login(&http.Client{Jar: jar}, site+"/login", login.agent, login.opts...)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}

	want := map[string]int64{
		"login_started":                       3,
		"login_succeeded eidas1-mfa":          1,
		"login_succeeded eidas2":              1,
		"login_refused provider_session_lost": 1,
	}
	if got := counts(t, reader); !maps.Equal(got, want) {
		t.Errorf("got counts %v, want %v", got, want)
	}
}

// counts returns the values of the counter by the values of its attributes, the
// kind of event first.
func counts(t *testing.T, reader *sdkmetric.ManualReader) map[string]int64 {
	t.Helper()
	var metrics metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &metrics); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int64{}
	for _, scope := range metrics.ScopeMetrics {
		for _, m := range scope.Metrics {
			sum, ok := m.Data.(metricdata.Sum[int64])
			if !ok || m.Name != "agentconnect.events" {
				t.Fatalf("got %s of type %T, want the counter alone", m.Name, m.Data)
			}
			for _, point := range sum.DataPoints {
				var values []string
				for _, name := range []string{"agentconnect.event", "agentconnect.code", "agentconnect.acr"} {
					if value, ok := point.Attributes.Value(attribute.Key(name)); ok {
						values = append(values, value.AsString())
					}
				}
				if point.Attributes.Len() != len(values) {
					t.Errorf("got attributes %v, want no others", point.Attributes.ToSlice())
				}
				counts[strings.Join(values, " ")] += point.Value
			}
		}
	}
	return counts
}
