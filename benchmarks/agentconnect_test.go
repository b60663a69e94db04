package benchmarks

import (
	"log/slog"
	"net/http"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/agentconnect-go/agentconnect"
)

const (
	redirectURL   = "http://localhost:8080/callback"
	postLogoutURL = "http://localhost:8080/logout/callback"
)

func newAuthenticator(tb testing.TB, p *provider, opts ...agentconnect.Option) *agentconnect.Authenticator {
	tb.Helper()
	auth, err := agentconnect.New(append([]agentconnect.Option{
		agentconnect.WithIssuer(p.issuer),
		agentconnect.WithClient(clientID, clientSecret),
		agentconnect.WithRedirectURL(redirectURL),
		agentconnect.WithPostLogoutRedirectURL(postLogoutURL),
		agentconnect.WithScopes(scopes()...),
		agentconnect.WithIDTokenAlg(agentconnect.Alg(p.alg)),
		agentconnect.WithLogger(slog.New(slog.DiscardHandler)),
	}, opts...)...)
	if err != nil {
		tb.Fatal(err)
	}
	return auth
}

func agentconnectLogin(tb testing.TB, p *provider) (login, callback http.Handler) {
	auth := newAuthenticator(tb, p)
	return http.HandlerFunc(auth.Login), http.HandlerFunc(auth.Callback)
}

// agentconnectRequests is a route behind RequireAgent.
func agentconnectRequests(opts ...agentconnect.Option) func(tb testing.TB) requests {
	return func(tb testing.TB) requests {
		p := newProvider(tb, jose.RS256, true)
		auth := newAuthenticator(tb, p, opts...)
		cookies := logIn(tb, p, http.HandlerFunc(auth.Login), http.HandlerFunc(auth.Callback))
		known := new(int)
		return requests{auth.RequireAgent(whoIsThere(known)), []string{cookies}, known}
	}
}

// whoIsThere counts the requests in which it finds an agent.
func whoIsThere(known *int) http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if agent, ok := agentconnect.AgentFrom(r.Context()); ok && agent.Sub != "" {
			*known++
		}
	})
}
