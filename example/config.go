package main

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
)

// defaultPort is also the port of the demonstration URLs if ADDR has no usable port.
const defaultPort = 8080

// env returns the value of an environment variable, or the default if it is unset or
// empty.
func env(name, otherwise string) string { return cmp.Or(os.Getenv(name), otherwise) }

// setting returns the value of a variable of the library, under either of its names.
func setting(name, otherwise string) string {
	return env("PROCONNECT_"+name, env("AGENTCONNECT_"+name, otherwise))
}

// urls are the two URLs that are registered with ProConnect.
type urls struct {
	redirect, postLogoutRedirect string
}

func readURLs(port int) urls {
	origin := "http://localhost:" + strconv.Itoa(port)
	return urls{
		redirect:           setting("REDIRECT_URL", origin+"/callback"),
		postLogoutRedirect: setting("POST_LOGOUT_REDIRECT_URL", origin+"/logout/callback"),
	}
}

// home returns the URL that people open. Behind a reverse proxy it differs from the
// address of the listener.
func (u urls) home() string {
	parsed, err := url.Parse(u.redirect)
	if err != nil {
		return ""
	}
	return parsed.Scheme + "://" + parsed.Host + "/"
}

// otherPaths are the routes that a registered URL must not have. New checks the
// library's own routes.
func otherPaths() []string {
	return []string{"/public", "/agent", "/mfa", "/agents-publics", "/dirigeants", "/events", "/healthz", "/readyz", "/style.css", "/agentconnect.css", "/favicon.ico", picturePath}
}

// path returns the path of a registered URL for the router. agentconnect.New validates
// the URL; path only checks for the router's special characters and for the other pages
// of this program.
func path(variable, registered string) (string, error) {
	parsed, err := url.Parse(registered)
	if err != nil {
		return "", nil // New reports it
	}
	path := parsed.EscapedPath()
	if strings.ContainsAny(path, "*{}") {
		return "", fmt.Errorf("%s: invalid: the router of this program takes no *, { or } in a path", variable)
	}
	if slices.Contains(otherPaths(), path) {
		return "", fmt.Errorf("%s: conflict: %s is another page of this program", variable, path)
	}
	return path, nil
}

// listen opens the address of ADDR.
func listen() (net.Listener, error) {
	addr := env("ADDR", net.JoinHostPort("127.0.0.1", strconv.Itoa(defaultPort)))
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return nil, fmt.Errorf("ADDR: invalid: %q is not host:port", addr)
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("ADDR: invalid: %w", err)
	}
	return listener, nil
}
