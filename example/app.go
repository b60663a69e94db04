package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// stopTimeout is how long requests under way may take to finish at the end.
const stopTimeout = 10 * time.Second

// An app is the program, ready to serve.
type app struct {
	*setup
	listener net.Listener
	server   *http.Server
}

// newApp reads the environment and opens the store and the port that it names. The
// error joins all the problems.
func newApp(logger *slog.Logger) (_ *app, err error) {
	listener, listenErr := listen()
	port := defaultPort
	if listener != nil {
		port = listener.Addr().(*net.TCPAddr).Port
	}
	setup, err := newSetup(port, logger)
	a := &app{setup: setup, listener: listener}
	defer func() {
		if err != nil {
			a.close()
		}
	}()
	if err = errors.Join(listenErr, err); err != nil {
		return nil, err
	}
	site, err := newSite(a.auth, a.accounts, a.look, a.url, logger)
	if err != nil {
		return nil, err
	}
	if err = a.startDemo(logger); err != nil {
		return nil, err
	}
	a.server = &http.Server{
		Handler:           site.routes(a.callbackPath, a.logoutCallbackPath),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
		// No WriteTimeout: it would cut server-sent events.
	}
	return a, nil
}

// serve answers requests until ctx ends, then lets those in flight finish.
func (a *app) serve(ctx context.Context) error {
	defer a.close()
	failed := make(chan error, 1)
	go func() { failed <- a.server.Serve(a.listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if err := a.server.Shutdown(stopping); err != nil {
		return a.server.Close() // the requests that have not finished are cut
	}
	return nil
}

// close closes everything, the listener first: requests under way may need the rest.
func (a *app) close() {
	if a.listener != nil {
		_ = a.listener.Close() // closed already, after a shutdown
	}
	a.setup.close()
}
