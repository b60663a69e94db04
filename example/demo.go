package main

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

// A demo is the embedded provider. It has its own listener, on another host than the
// application's URL: browsers share cookies between the ports of a host.
type demo struct {
	issuer   string
	client   agentconnecttest.Client
	listener net.Listener
	server   *http.Server // nil before start
}

// newDemo opens the provider's port. The provider registers the application with the
// settings of the environment.
func newDemo(registered urls) (*demo, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("the demonstration provider: %w", err)
	}
	return &demo{
		issuer: "http://" + listener.Addr().String() + "/api/v2",
		client: agentconnecttest.Client{
			ID:                     setting("CLIENT_ID", "demonstration"),
			Secret:                 setting("CLIENT_SECRET", rand.Text()+rand.Text()),
			RedirectURIs:           []string{registered.redirect},
			PostLogoutRedirectURIs: []string{registered.postLogoutRedirect},
			IDTokenAlg:             setting("ID_TOKEN_ALG", ""),
			UserinfoAlg:            setting("USERINFO_ALG", ""),
		},
		listener: listener,
	}, nil
}

// options returns the library's options for this provider.
func (d *demo) options() []agentconnect.Option {
	return []agentconnect.Option{
		agentconnect.WithIssuer(d.issuer),
		agentconnect.WithClient(d.client.ID, d.client.Secret),
	}
}

// start serves the provider.
func (d *demo) start(logger *slog.Logger) error {
	provider, err := agentconnecttest.New(agentconnecttest.Config{
		Issuer:  d.issuer,
		Clients: []agentconnecttest.Client{d.client},
		Logger:  logger,
	})
	if err != nil {
		return fmt.Errorf("the demonstration provider: %w", err)
	}
	d.server = &http.Server{Handler: provider, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		if err := d.server.Serve(d.listener); err != http.ErrServerClosed {
			logger.Error("the demonstration provider stopped", "cause", err)
		}
	}()
	return nil
}

func (d *demo) close() {
	if d.server != nil {
		_ = d.server.Close()
	}
	_ = d.listener.Close() // closed already if the server ran
}
