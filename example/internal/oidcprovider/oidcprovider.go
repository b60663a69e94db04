// Package oidcprovider starts an independent OpenID provider for tests: the npm package
// oidc-provider. It is the engine of ProConnect's own server, in the same version and
// with the same configuration. agentconnecttest is this project's own idea of
// ProConnect; this package checks it.
//
// It needs Node 20 or later, and the packages that this command installs:
//
//	npm ci --prefix example/internal/oidcprovider
//
// If either is missing, a test is skipped, or fails if the environment has CI=true.
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

// Config is the initial configuration of a provider.
type Config struct {
	// Clients are the registered service providers; see also [Provider.Register].
	Clients []Client

	// Agents are the people who can log in. Default: those of [Agents].
	Agents []Agent

	// AccessTokenTTL is the life of access tokens, rounded down to seconds. Default: one hour.
	AccessTokenTTL time.Duration

	// SeparateTabs keeps the logins of one browser apart. By default, as on the real
	// server, the last one wins: if two tabs wait on the provider's page, an answer in
	// the first tab returns the state of the second, and an answer in the second gets
	// an error page.
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
	log      bytes.Buffer // standard error of the processes; read it only while stopped
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
// end of the test; if the test failed, the provider's standard error is logged.
//
// If Node or an npm package is missing, the test is skipped, or fails under CI=true.
// Any other error, such as a registration that the engine refuses, fails it.
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

// Stop kills the provider and returns once its process has ended: connections are then
// refused. Its sessions, logins under way and tokens are lost. Stopping twice is a
// no-op.
func (p *Provider) Stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stop()
}

// Restart stops the provider and starts it again with the same port, keys, clients and
// agents. Sessions and tokens are lost. It returns once the provider answers.
func (p *Provider) Restart() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stop()
	return p.start()
}

// RotateKeys replaces the signing keys and withdraws the old ones, without a restart: sessions, codes
// and tokens stay valid, and new signatures have another kid.
func (p *Provider) RotateKeys() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := p.settings
	next.JWKS = nil
	return p.configure(next)
}

// Register adds clients to a running provider, or replaces those with the same ID. If
// the engine refuses a registration, it returns the reason and changes nothing.
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

// discover checks that the process answers with the expected issuer.
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
