package recipes

import (
	"net"
	"net/http"
	"strconv"

	"github.com/agentconnect-go/agentconnect"
)

// LatePort is an application that takes a free port: in tests, on a developer's
// machine. It listens first and then knows its URL. Nobody is answered before Serve.
//
// ProConnect compares redirect URLs exactly, port included: this is for a provider
// that can be told (agentconnecttest), or for a port that was registered.
func LatePort(opts ...agentconnect.Option) (url string, serve func() error, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	url = "http://localhost:" + strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	auth, err := agentconnect.New(append(opts,
		agentconnect.WithRedirectURL(url+"/callback"),
		agentconnect.WithPostLogoutRedirectURL(url+"/logout/callback"),
	)...)
	if err != nil {
		listener.Close()
		return "", nil, err
	}
	server := &http.Server{Handler: ServeMux(auth)}
	return url, func() error { return server.Serve(listener) }, nil
}
