package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/agentconnect-go/agentconnect"
)

// stopTimeout is how long requests in flight may take to finish at the end.
const stopTimeout = 10 * time.Second

// An app is the program, ready to serve.
type app struct {
	url        string
	listener   net.Listener
	server     *http.Server
	demo       *demo // nil with a real provider
	closeStore func()
}

// newApp reads the environment and opens what it names. The error joins
// everything that is wrong.
func newApp(logger *slog.Logger) (_ *app, err error) {
	var problems []error
	note := func(err error) {
		if err != nil {
			problems = append(problems, err)
		}
	}

	a := &app{closeStore: func() {}}
	defer func() {
		if err != nil {
			a.close()
		}
	}()

	a.listener, err = listen()
	note(err)
	port := defaultPort
	if a.listener != nil {
		port = a.listener.Addr().(*net.TCPAddr).Port
	}
	registered := readURLs(port)
	callbackPath, err := path("AGENTCONNECT_REDIRECT_URL", registered.redirect)
	note(err)
	logoutCallbackPath, err := path("AGENTCONNECT_POST_LOGOUT_REDIRECT_URL", registered.postLogoutRedirect)
	note(err)
	a.url = registered.home()

	// What comes before FromEnv is its defaults.
	opts := []agentconnect.Option{
		agentconnect.WithRedirectURL(registered.redirect),
		agentconnect.WithPostLogoutRedirectURL(registered.postLogoutRedirect),
	}
	if os.Getenv("AGENTCONNECT_ISSUER") == "" && os.Getenv("AGENTCONNECT_ENVIRONMENT") == "" {
		a.demo, err = newDemo(registered)
		if err != nil {
			return nil, err
		}
		opts = append(opts, a.demo.options()...)
	}
	opts = append(opts,
		agentconnect.FromEnv(),
		agentconnect.WithLoginPath("/login"),
		agentconnect.WithLogoutPath("/logout"),
		agentconnect.WithLogger(logger),
	)
	store, closeStore, err := openStore(os.Getenv("SESSION_STORE"))
	note(err)
	if store != nil {
		opts = append(opts, agentconnect.WithSessionStore(store))
		a.closeStore = closeStore
	}

	auth, err := agentconnect.New(opts...)
	note(err)
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	site, err := newSite(auth, a.url, logger)
	if err != nil {
		return nil, err
	}
	if a.demo != nil {
		if err := a.demo.start(logger); err != nil {
			return nil, err
		}
	}
	a.server = &http.Server{
		Handler:           site.routes(callbackPath, logoutCallbackPath),
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
		return a.server.Close() // what has not finished by now is cut
	}
	return nil
}

// close closes what is open. The provider goes last but for the store: requests
// in flight may be waiting for it.
func (a *app) close() {
	if a.listener != nil {
		_ = a.listener.Close() // closed already, after a shutdown
	}
	if a.demo != nil {
		a.demo.close()
	}
	a.closeStore()
}
