// Command example is a web application that logs public agents in with ProConnect. Run
// it for a first look, and copy it to begin your own. A copy in another repository also
// needs a copy of the package internal/negotiation, which negotiation.go imports.
//
//	go run ./example
//
// from the root of the repository needs nothing else: without PROCONNECT_ISSUER
// nor PROCONNECT_ENVIRONMENT it embeds a demonstration provider. The environment
// variables are those of [agentconnect.FromEnv], and:
//
//	ADDR           the address to listen on (127.0.0.1:8080); port 0 takes a free one
//	SESSION_STORE  memory (the default), redis://host:port/db or postgres://…
//	BUTTON_IMAGE   the official picture of the login button: the file "pc.svg" of
//	               ProConnect's documentation, as you downloaded it
//	DESIGN_SYSTEM  or the State's design system, which has that button: the directory
//	               "dist" of the npm package @gouvfr/dsfr, from 1.15 on
//
// With neither of the last two the button is a text, without the logo that ProConnect
// demands. Both belong to the State, and have terms of use that you accept: they are not
// in this repository.
//
// With the argument check it serves nothing: it checks everything that logins need,
// prints the findings with the action to take, and exits with status 1 if there is a
// problem.
//
// If variables are wrong, it prints all the problems and exits with status 2. After
// SIGINT or SIGTERM it exits with status 0.
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

// run is the whole program. It stops when ctx ends, and returns the exit status.
func run(ctx context.Context, stdout, stderr io.Writer) int {
	logger := slog.New(slog.NewTextHandler(stderr, nil))
	a, err := newApp(logger)
	if err != nil {
		return cannotStart(stderr, err)
	}
	if a.demo != nil {
		fmt.Fprintf(stdout, "This is a demonstration: %s plays ProConnect and asks for no password.\n", a.demo.issuer)
	}
	fmt.Fprintf(stdout, "Open %s\n", a.url)
	if err := a.serve(ctx); err != nil {
		logger.Error("serving", "cause", err)
		return exitFailed
	}
	return exitStopped
}

// cannotStart prints the problems of the environment.
func cannotStart(stderr io.Writer, err error) int {
	fmt.Fprintf(stderr, "The program cannot start:\n%v\n", err)
	return exitConfig
}
