package recipes

import (
	"net"
	"net/http"
	"strconv"

	"github.com/agentconnect-go/agentconnect"
)

// LatePort is an application on a free port, in tests or on a developer's machine. It
// listens first, to know its URL. It answers no request before Serve.
//
// ProConnect compares redirect URLs exactly, including the port. Use this with
// agentconnecttest, which can register the URL, or with a registered port.
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
