package agentconnecttest_test

import (
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

// TestFaultsAreAnsweredAsListed goes through the faults with an application made with
// agentconnect, in a bubble, where the slow ones take no time.
func TestFaultsAreAnsweredAsListed(t *testing.T) {
	for _, alg := range [][2]string{{"RS256", "RS256"}, {"HS256", "HS256"}, {"RS256", "none"}} {
		for _, info := range agentconnecttest.Faults() {
			registered := alg[0]
			if info.Endpoint == agentconnecttest.Userinfo {
				registered = alg[1]
			}
			if !info.Applies(registered) {
				continue
			}
			var status int
			var code agentconnect.Code
			synctest.Test(t, func(t *testing.T) { status, code = loginWith(t, info, alg) })
			if !info.Refuse && (status != http.StatusOK || code != "") {
				t.Errorf("%s, %s: got %d %q, want a login", info.Fault, registered, status, code)
			}
			if info.Code != "" && (status != info.Status || code != info.Code) {
				t.Errorf("%s, %s: got %d %q, want %d %q", info.Fault, registered, status, code, info.Status, info.Code)
			}
		}
	}
}

// loginWith says how an application answers a login that meets a fault: 0 when the
// browser does not come back from the provider.
func loginWith(t *testing.T, info agentconnecttest.FaultInfo, alg [2]string) (status int, code agentconnect.Code) {
	provider := agentconnecttest.NewServer(t, agentconnecttest.WithoutNetwork(), agentconnecttest.WithAlgorithms(alg[0], alg[1]))
	site := provider.StartApplication(func(site string) http.Handler {
		auth, err := agentconnect.New(append(provider.Options(site),
			agentconnect.WithLogger(slog.New(slog.DiscardHandler)),
			agentconnect.WithErrorHandler(func(w http.ResponseWriter, _ *http.Request, err *agentconnect.Error) {
				code = err.Code
				w.WriteHeader(err.Status)
			}))...)
		if err != nil {
			t.Fatal(err)
		}
		page := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
		mux := http.NewServeMux()
		mux.Handle("/", auth.Handler())
		mux.Handle("GET /dossiers", auth.RequireAgent(page))
		mux.Handle("GET /mfa", auth.Require(agentconnect.MFA())(page))
		return mux
	})
	provider.Inject(info.Fault)
	page := "/dossiers"
	if info.Level {
		page = "/mfa"
	}
	resp, err := provider.Login(provider.Browser(), site+page, "marie")
	if err != nil {
		return 0, code
	}
	resp.Body.Close()
	return resp.StatusCode, code
}
