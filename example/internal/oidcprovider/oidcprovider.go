// Package oidcprovider starts an OpenID provider that this project did not write, for tests: the npm
// package oidc-provider, the engine of AgentConnect's own server, in the same version and configured
// like it. agentconnecttest shows what this project believes AgentConnect does; this package is there
// to contradict it.
//
// It needs Node 20 or later, and what the following command installs:
//
//	npm ci --prefix example/internal/oidcprovider
//
// Where either is missing a test is skipped, or fails when the environment has CI=true.
package oidcprovider

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/agentconnect-go/agentconnect/example/internal/ci"
)

// Config is what a provider knows when it starts.
type Config struct {
	// Clients are the registered service providers; see also [Provider.Register].
	Clients []Client

	// Agents are the people who can log in. Default: those of [Agents].
	Agents []Agent

	// AccessTokenTTL is the life of access tokens, rounded down to seconds. Default: one hour.
	AccessTokenTTL time.Duration

	// SeparateTabs keeps the logins that one browser started apart. By default, as on the real server,
	// the last one wins: when two tabs wait on the provider's page, the answer given in the first
	// brings back the state of the second, and the answer given in the second meets an error page.
	SeparateTabs bool
}

// Provider is an OpenID provider on a loopback port. Its methods may be called concurrently.
type Provider struct {
	// Issuer is the issuer URL, http://127.0.0.1:PORT/api/v2. A restart does not change it.
	Issuer string

	mu       sync.Mutex
	dir      string
	settings settings
	process  *process     // nil while stopped
	log      bytes.Buffer // standard error of the processes; only to be read while stopped
}

// settings is one line of the process's standard input.
type settings struct {
	Port               int             `json:"port"`           // 0: any
	JWKS               json.RawMessage `json:"jwks,omitempty"` // private keys; none: new ones
	Clients            []Client        `json:"clients"`
	Agents             []Agent         `json:"agents"`
	AccessTokenSeconds int             `json:"accessTokenSeconds"` // 0: the default
	SeparateTabs       bool            `json:"separateTabs"`
}

// Start starts a provider on a free loopback port and returns once it answers. It is stopped at the
// end of the test; if the test failed, what the provider wrote on its standard error is logged.
//
// A missing Node or npm package skips the test, or fails it under CI=true. Anything else that goes
// wrong, such as a registration that the engine refuses, fails it.
func Start(tb testing.TB, cfg Config) *Provider {
	tb.Helper()
	dir, err := installed()
	if err != nil {
		ci.Missing(tb, err.Error())
	}
	p := &Provider{dir: dir, settings: settings{
		Clients:            append([]Client{}, cfg.Clients...), // never nil, which is null in JSON
		Agents:             cfg.Agents,
		AccessTokenSeconds: int(cfg.AccessTokenTTL / time.Second),
		SeparateTabs:       cfg.SeparateTabs,
	}}
	if len(p.settings.Agents) == 0 {
		p.settings.Agents = Agents()
	}
	tb.Cleanup(func() {
		p.Stop()
		if tb.Failed() && p.log.Len() > 0 {
			tb.Logf("the OpenID provider wrote:\n%s", p.log.Bytes())
		}
	})
	if err := p.start(); err != nil {
		tb.Fatalf("starting the OpenID provider: %v", err)
	}
	p.Issuer = p.issuer()
	return p
}

// Stop kills the provider and returns once its process is gone: connections are refused from then
// on. What it kept in memory (sessions, logins under way, tokens) is lost. Stopping twice is a no-op.
func (p *Provider) Stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stop()
}

// Restart stops the provider and starts it again: same port, keys, clients and agents, and nothing
// in memory. It returns once the provider answers.
func (p *Provider) Restart() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stop()
	return p.start()
}

// RotateKeys replaces the signing keys and withdraws the old ones, without a restart: sessions, codes
// and tokens go on, and whatever is signed from now on has another kid.
func (p *Provider) RotateKeys() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := p.settings
	next.JWKS = nil
	return p.configure(next)
}

// Register adds clients to a running provider; one whose ID is registered already replaces it. An
// error says why the engine refuses a registration, and the provider goes on with what it had.
func (p *Provider) Register(clients ...Client) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := p.settings
	next.Clients = slices.Concat(clients, slices.DeleteFunc(slices.Clone(p.settings.Clients), func(old Client) bool {
		return slices.ContainsFunc(clients, func(c Client) bool { return c.ID == old.ID })
	}))
	return p.configure(next)
}

func (p *Provider) stop() {
	if p.process != nil {
		p.process.kill()
		p.process = nil
	}
}

func (p *Provider) start() error {
	process, err := run(p.dir, &p.log)
	if err != nil {
		return err
	}
	p.process = process
	if err = p.configure(p.settings); err == nil {
		err = p.discover()
	}
	if err != nil {
		p.stop()
		return fmt.Errorf("%w\n%s", err, p.log.Bytes())
	}
	return nil
}

// configure gives the process its next settings, and remembers them once they are accepted.
func (p *Provider) configure(next settings) error {
	if p.process == nil {
		return errors.New("the OpenID provider is stopped")
	}
	port, jwks, err := p.process.configure(next)
	if err != nil {
		return err
	}
	next.Port, next.JWKS = port, jwks
	p.settings = next
	return nil
}

func (p *Provider) issuer() string {
	return fmt.Sprintf("http://127.0.0.1:%d/api/v2", p.settings.Port)
}

// discover makes sure that the process answers as the issuer that it is meant to be.
func (p *Provider) discover() error {
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(p.issuer() + "/.well-known/openid-configuration")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var metadata struct {
		Issuer string `json:"issuer"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&metadata); err != nil {
		return fmt.Errorf("discovery: %s: %w", resp.Status, err)
	}
	if metadata.Issuer != p.issuer() {
		return fmt.Errorf("discovery: got issuer %q, want %q", metadata.Issuer, p.issuer())
	}
	return nil
}
