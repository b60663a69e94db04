// Command example is a web application that logs public agents in with
// ProConnect, once AgentConnect: the program a newcomer starts and an operator copies.
//
//	go run ./example
//
// from the root of the repository needs nothing else: without PROCONNECT_ISSUER
// nor PROCONNECT_ENVIRONMENT it embeds a demonstration provider. The environment
// variables are those of [agentconnect.FromEnv], and:
//
//	ADDR           the address to listen on (127.0.0.1:8080); port 0 takes a free one
//	SESSION_STORE  memory (the default), redis://host:port/db or postgres://…
//
// With the argument check it serves nothing: it prints what is ready for logins and
// what is not, with what to do, and exits with status 1 if there is a problem.
//
// It exits with status 2 when a variable is wrong, after saying all that is wrong,
// and with status 0 after SIGINT or SIGTERM.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

const (
	exitStopped = 0
	exitFailed  = 1
	exitConfig  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal does not wait
	switch args := os.Args[1:]; {
	case len(args) == 0:
		os.Exit(run(ctx, os.Stdout, os.Stderr))
	case len(args) == 1 && args[0] == "check":
		os.Exit(check(ctx, os.Stdout, os.Stderr))
	}
	fmt.Fprintln(os.Stderr, "The only argument that this program knows is: check")
	os.Exit(exitConfig)
}

// run is the program, from the reading of its environment to its end, which ctx
// decides. It returns the exit status.
func run(ctx context.Context, stdout, stderr io.Writer) int {
	logger := slog.New(slog.NewTextHandler(stderr, nil))
	a, err := newApp(logger)
	if err != nil {
		return cannotStart(stderr, err)
	}
	if a.demo != nil {
		fmt.Fprintf(stdout, "This is a demonstration: ProConnect is played by %s, which asks nobody for a password.\n", a.demo.issuer)
	}
	fmt.Fprintf(stdout, "Open %s\n", a.url)
	if err := a.serve(ctx); err != nil {
		logger.Error("serving", "cause", err)
		return exitFailed
	}
	return exitStopped
}

// cannotStart says what is wrong with the environment.
func cannotStart(stderr io.Writer, err error) int {
	fmt.Fprintf(stderr, "The program cannot start:\n%v\n", err)
	return exitConfig
}
