// Command fakeproconnect is a ProConnect for tests and demonstrations, as a program.
// It works with applications in any language. It answers like ProConnect, asks for a
// demonstration agent in place of a password, and fails on demand.
//
//	go run github.com/agentconnect-go/agentconnect/cmd/fakeproconnect@latest
//
// It prints the settings for the application. Its first page lists the clients and the
// last answers. Flags, environment variables (FAKEPROCONNECT_LISTEN for -listen, and so
// on) and one JSON file (-config) configure it; -help lists them all. It reads the file
// again when it changes, and on SIGHUP.
//
// A browser that a program controls can log in without a click: with -login marie for
// every browser, or with a visit to /as/marie for one. POST on /faults makes it fail,
// and DELETE stops that.
//
// The file is a JSON object. A flag or a variable overrides it; -client-id and the other
// flags of an application change the first client. An unknown member is an error. All
// members are optional:
//
//   - listen, issuer, tls_cert, tls_key, rie, rotate_refresh_tokens, access_token_life,
//     login and faults, as the flags;
//   - clients, in place of the demonstration client, each with id, secret, redirect_uris,
//     post_logout_redirect_uris, id_token_alg, userinfo_alg, introspection_alg,
//     public_only, email_domains and scopes, as the fields of [agentconnecttest.Client];
//   - agents, in place of the demonstration agents, each with login, claims, acr, amr,
//     other_acrs and blocked, as the fields of [agentconnecttest.Agent].
//
// It asks for no password. Do not let strangers reach it, and never use it in place of
// the real ProConnect in production.
//
// [agentconnecttest.Client]: https://pkg.go.dev/github.com/agentconnect-go/agentconnect/agentconnecttest#Client
// [agentconnecttest.Agent]: https://pkg.go.dev/github.com/agentconnect-go/agentconnect/agentconnecttest#Agent
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// stopTime is how long requests may take to finish when the program is told to stop.
const stopTime = 10 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr))
}

// run returns the exit status: 0 after a signal to stop, 1 after a failure, 2 for an
// invalid configuration.
func run(ctx context.Context, args []string, env func(string) (string, bool), stdout, stderr io.Writer) int {
	read, err := parse(args, env, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2 // parse has printed the reason
	}
	settings, err := read()
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	listener, err := net.Listen("tcp", settings.Listen)
	if err != nil {
		fmt.Fprintln(stderr, "fakeproconnect:", err)
		return 1
	}
	defer listener.Close()
	fake, err := newFake(settings, listener.Addr())
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP) // before anyone can know that the program runs
	defer signal.Stop(hangup)
	fmt.Fprint(stdout, fake.instructions(settings))
	go fake.watch(ctx, settings, hangup, read, stderr)
	if err := serve(ctx, listener, fake, settings); err != nil {
		fmt.Fprintln(stderr, "fakeproconnect:", err)
		return 1
	}
	return 0
}

// serve serves until ctx ends. Then it lets the requests under way finish.
func serve(ctx context.Context, listener net.Listener, handler http.Handler, settings settings) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() {
		if settings.TLSCert != "" {
			failed <- server.ServeTLS(listener, settings.TLSCert, settings.TLSKey)
			return
		}
		failed <- server.Serve(listener)
	}()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	err := server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return server.Close()
	}
	return err
}
