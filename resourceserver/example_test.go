package resourceserver_test

import (
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/resourceserver"
)

// An API that two services call on behalf of agents, and its own test of a call
// without a token.
func ExampleServer() {
	api, err := resourceserver.New(
		resourceserver.WithEnvironment(agentconnect.Integration),
		resourceserver.WithClient("client-id-of-the-api", "secret-of-the-api"),
		resourceserver.WithAllowedClients("client-id-of-the-portal", "client-id-of-the-agenda"),
	)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /events", api.RequireToken(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := resourceserver.TokenFrom(r.Context())
		fmt.Fprintf(w, "the events of %s, for %s", token.Sub, token.ClientID)
	})))

	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/events", nil))
	fmt.Println(w.Code, w.Header().Get("WWW-Authenticate"))
	// Output: 401 Bearer realm="https://fca.integ01.dev-agentconnect.fr/api/v2"
}

// A resource server cannot do without the list of who may call it.
func ExampleNew_incorrect() {
	_, err := resourceserver.New(
		resourceserver.WithEnvironment(agentconnect.Integration),
		resourceserver.WithClient("client-id-of-the-api", "secret-of-the-api"),
	)
	var problem *agentconnect.ConfigError
	if errors.As(err, &problem) {
		fmt.Println(problem.Option, problem.Reason)
	}
	// Output: WithAllowedClients missing
}
