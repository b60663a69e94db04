package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/agentconnect-go/agentconnect/agentconnecttest"
	"github.com/agentconnect-go/agentconnect/internal/weburl"
)

// fake is the provider and the pages of the program around it.
type fake struct {
	provider *agentconnecttest.Provider
	origin   string // scheme and host of the issuer
	issuer   string
	settings atomic.Pointer[settings]
	answers  answers
	mux      *http.ServeMux
}

func newFake(s settings, address net.Addr) (*fake, error) {
	f := &fake{issuer: s.Issuer, mux: http.NewServeMux()}
	if f.issuer == "" {
		scheme := "http"
		if s.TLSCert != "" {
			scheme = "https"
		}
		f.issuer = scheme + "://" + reachable(address) + "/api/v2"
	}
	cfg := f.config(s)
	cfg.Issuer = f.issuer
	var err error
	if f.provider, err = agentconnecttest.New(cfg); err != nil {
		return nil, err
	}
	scheme, rest, _ := strings.Cut(f.issuer, "://")
	host, _, _ := strings.Cut(rest, "/")
	f.origin = scheme + "://" + host
	f.use(s)
	f.mux.HandleFunc("GET /{$}", f.servePage)
	f.mux.HandleFunc("GET /as/{agent...}", f.serveAs)
	ours := http.NewCrossOriginProtection() // pages of other sites cannot inject faults
	f.mux.Handle("POST /faults", ours.Handler(http.HandlerFunc(f.injectFaults)))
	f.mux.Handle("DELETE /faults", ours.Handler(http.HandlerFunc(f.clearFaults)))
	f.mux.Handle("/", f.answers.record(f.provider))
	return f, nil
}

// ServeHTTP implements http.Handler.
func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) { f.mux.ServeHTTP(w, r) }

// config returns the provider's configuration from the settings.
func (f *fake) config(s settings) agentconnecttest.Config {
	return agentconnecttest.Config{
		Clients:             s.clients(),
		Agents:              s.agents(),
		RIE:                 s.RIE,
		RotateRefreshTokens: s.RotateRefreshTokens,
		AccessTokenLife:     time.Duration(s.AccessTokenLife),
		PickAgent:           f.pick,
	}
}

// use applies the settings, with their faults.
func (f *fake) use(s settings) {
	f.settings.Store(&s)
	f.provider.Clear()
	for _, name := range s.Faults {
		f.provider.Inject(agentconnecttest.Fault(name))
	}
}

// watch reads the settings again after a signal of hangup, and if the content of their
// file is no longer that of first, until ctx ends. Invalid settings change nothing.
func (f *fake) watch(ctx context.Context, first settings, hangup <-chan os.Signal, read func() (settings, error), stderr io.Writer) {
	ticker := time.NewTicker(500 * time.Millisecond)
	defer ticker.Stop()
	seen := first.text
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
		case <-ticker.C:
			now := content(first.file)
			if now == seen {
				continue
			}
			seen = now
		}
		s, err := read()
		if err == nil {
			err = f.provider.Reconfigure(f.config(s))
		}
		if err != nil {
			fmt.Fprintln(stderr, errors.Join(errors.New("fakeproconnect: the settings have not changed, because the new ones are invalid"), err))
			continue
		}
		if old := f.settings.Load(); old.Listen != s.Listen || old.Issuer != s.Issuer || old.TLSCert != s.TLSCert || old.TLSKey != s.TLSKey {
			fmt.Fprintln(stderr, "fakeproconnect: restart the program to change the address, the issuer or the certificate")
		}
		f.use(s)
		fmt.Fprintln(stderr, "fakeproconnect: the settings were read again")
	}
}

// content returns the content of a file, "" if it cannot be read. A time of change is not
// enough: two changes can have the same.
func content(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	return string(text)
}

// instructions prints the settings for the application, as the variables that the Go
// package reads.
func (f *fake) instructions(s settings) string {
	var b strings.Builder
	fmt.Fprintf(&b, "ProConnect for tests and demonstrations: %s/\n", f.origin)
	fmt.Fprintln(&b, "It asks for no password: do not let strangers reach it.")
	if host, _, err := net.SplitHostPort(s.Listen); err == nil && !weburl.IsLoopback(host) {
		fmt.Fprintf(&b, "It listens on %s: other machines can reach it.\n", s.Listen)
	}
	for _, c := range s.clients() {
		fmt.Fprintln(&b)
		for _, line := range f.variables(c) {
			fmt.Fprintln(&b, line)
		}
	}
	return b.String()
}

// reachable returns an address at which this machine reaches the listener: one that
// listens on all interfaces has an address that is no host.
func reachable(address net.Addr) string {
	if tcp, ok := address.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
	}
	return address.String()
}

// variables returns the lines that configure an application for one client. The former
// names begin with AGENTCONNECT_.
func (f *fake) variables(c agentconnecttest.Client) []string {
	first := func(values []string) string { return strings.Join(values[:min(len(values), 1)], "") }
	var lines []string
	for _, pair := range [][2]string{
		{"PROCONNECT_ISSUER", f.issuer},
		{"PROCONNECT_CLIENT_ID", c.ID},
		{"PROCONNECT_CLIENT_SECRET", c.Secret},
		{"PROCONNECT_REDIRECT_URL", first(c.RedirectURIs)},
		{"PROCONNECT_POST_LOGOUT_REDIRECT_URL", first(c.PostLogoutRedirectURIs)},
		{"PROCONNECT_ID_TOKEN_ALG", c.IDTokenAlg},
		{"PROCONNECT_USERINFO_ALG", c.UserinfoAlg},
		{"PROCONNECT_SCOPES", strings.Join(c.Scopes, " ")},
	} {
		if pair[1] != "" {
			lines = append(lines, pair[0]+"="+pair[1])
		}
	}
	return lines
}
