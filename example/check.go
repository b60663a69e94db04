package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/agentconnect-go/agentconnect"
)

// checkTimeout bounds the whole of a check.
const checkTimeout = time.Minute

// check prints the findings of [agentconnect.Authenticator.Check] and returns the exit
// status: exitFailed if there is a problem. It does not open the application's port,
// because the application may be running.
func check(ctx context.Context, stdout, stderr io.Writer) int {
	logger := slog.New(slog.NewTextHandler(stderr, nil))
	s, err := newSetup(namedPort(), logger)
	defer s.close()
	if err != nil {
		return cannotStart(stderr, err)
	}
	if err := s.startDemo(logger); err != nil {
		return cannotStart(stderr, err)
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	findings := s.auth.Check(ctx)
	fmt.Fprint(stdout, findings)
	if findings.Worst() == agentconnect.SeverityProblem {
		return exitFailed
	}
	return exitStopped
}

// namedPort returns the port of ADDR, for the default URLs.
func namedPort() int {
	if _, port, err := net.SplitHostPort(os.Getenv("ADDR")); err == nil {
		if n, err := strconv.Atoi(port); err == nil {
			return n
		}
	}
	return defaultPort
}
