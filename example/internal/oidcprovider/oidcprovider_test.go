package oidcprovider

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestDiscovery(t *testing.T) {
	p := Start(t, Config{})
	b := newBrowser(t)

	resp, metadata := b.getJSON(t, p.Issuer+"/.well-known/openid-configuration", nil)
	if got, want := resp.Header.Get("Cache-Control"), "public, max-age=600"; got != want {
		t.Errorf("got Cache-Control %q, want %q", got, want)
	}
	for name, want := range map[string]any{
		"issuer":                 p.Issuer,
		"authorization_endpoint": p.Issuer + "/authorize",
		"token_endpoint":         p.Issuer + "/token",
		"userinfo_endpoint":      p.Issuer + "/userinfo",
		"jwks_uri":               p.Issuer + "/jwks",
		"end_session_endpoint":   p.Issuer + "/session/end",
		"revocation_endpoint":    p.Issuer + "/token/revocation",
		"introspection_endpoint": p.Issuer + "/token/introspection",
		"authorization_response_iss_parameter_supported": true,
		"claims_parameter_supported":                     true,
	} {
		if got := metadata[name]; got != want {
			t.Errorf("got %s %v, want %v", name, got, want)
		}
	}
	for name, want := range map[string][]string{
		"response_types_supported":              {"code"},
		"code_challenge_methods_supported":      {"S256"},
		"id_token_signing_alg_values_supported": {"ES256", "RS256", "HS256"},
		"userinfo_signing_alg_values_supported": {"ES256", "RS256", "HS256"},
		"token_endpoint_auth_methods_supported": {"client_secret_post", "private_key_jwt"},
		"acr_values_supported": {"eidas0", "eidas0-mfa", "eidas1", "eidas1-mfa", "eidas2", "eidas3",
			"https://proconnect.gouv.fr/assurance/certification-dirigeant"},
	} {
		got := stringList(metadata[name])
		slices.Sort(got)
		if slices.Sort(want); !slices.Equal(got, want) {
			t.Errorf("got %s %q, want %q", name, got, want)
		}
	}
	if got := stringList(metadata["scopes_supported"]); slices.Contains(got, "offline_access") || !slices.Contains(got, "chorusdt") {
		t.Errorf("got scopes_supported %q, want chorusdt and no offline_access", got)
	}

	resp, set := b.getJSON(t, p.Issuer+"/jwks", nil)
	if got, want := resp.Header.Get("Content-Type"), "application/jwk-set+json; charset=utf-8"; got != want {
		t.Errorf("got keys as %q, want %q", got, want)
	}
	var types []string
	for _, key := range set["keys"].([]any) {
		key := key.(map[string]any)
		types = append(types, key["kty"].(string))
		if _, ok := key["d"]; ok {
			t.Error("got a private key in the key set, want public ones")
		}
	}
	if want := []string{"EC", "RSA"}; !slices.Equal(types, want) {
		t.Errorf("got key types %q, want %q", types, want)
	}
}

func TestStopAndRestart(t *testing.T) {
	rp := newRelyingParty(t, Client{ID: "fs", Secret: secret})
	p := Start(t, Config{Clients: []Client{rp.client}})
	b := newBrowser(t)
	before := rp.login(t, p, b, "camille", nil)
	keys := keyIDs(t, b, p)

	stopped := p.process
	p.Stop()
	p.Stop()
	if stopped.cmd.ProcessState == nil {
		t.Error("got a process that nobody waited for, want no zombie")
	}
	if resp, err := b.Get(p.Issuer + "/jwks"); err == nil {
		resp.Body.Close()
		t.Fatalf("got %s from a stopped provider, want a refused connection", resp.Status)
	}
	if err := p.RotateKeys(); err == nil {
		t.Error("got no error from RotateKeys on a stopped provider, want one")
	}

	issuer := p.Issuer
	if err := p.Restart(); err != nil {
		t.Fatal(err)
	}
	if p.Issuer != issuer {
		t.Errorf("got issuer %s after a restart, want %s", p.Issuer, issuer)
	}
	if got := keyIDs(t, b, p); !slices.Equal(got, keys) {
		t.Errorf("got keys %q after a restart, want %q", got, keys)
	}
	if resp, _ := rp.userinfo(t, p, b, before.accessToken()); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("got %s for a token of before the restart, want 401", resp.Status)
	}
	rp.login(t, p, b, "camille", nil)
}

func TestRotateKeys(t *testing.T) {
	rp := newRelyingParty(t, Client{ID: "fs", Secret: secret, UserinfoAlg: "RS256"})
	p := Start(t, Config{Clients: []Client{rp.client}})
	b := newBrowser(t)
	before := rp.login(t, p, b, "camille", nil)
	keys := keyIDs(t, b, p)

	if err := p.RotateKeys(); err != nil {
		t.Fatal(err)
	}
	for _, kid := range keyIDs(t, b, p) {
		if slices.Contains(keys, kid) {
			t.Errorf("got key %s after the rotation, want only new ones", kid)
		}
	}
	resp, body := rp.userinfo(t, p, b, before.accessToken())
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("got %s for a token of before the rotation, want 200", resp.Status)
	}
	header, _ := rp.verify(t, p, b, body, "RS256")
	if slices.Contains(keys, header["kid"].(string)) {
		t.Errorf("got a signature by %s, want a new key", header["kid"])
	}
}

func TestRegister(t *testing.T) {
	rp := newRelyingParty(t, Client{ID: "fs", Secret: secret})
	p := Start(t, Config{Clients: []Client{rp.client}})
	b := newBrowser(t)
	rp.login(t, p, b, "camille", nil)

	if err := p.Register(Client{ID: "bad", Secret: secret, IDTokenAlg: "none"}); err == nil || !strings.Contains(err.Error(), "id_token_signed_response_alg") {
		t.Errorf("got %v, want an error about id_token_signed_response_alg", err)
	}
	second := newRelyingParty(t, Client{ID: "second", Secret: secret})
	rp.client.IDTokenAlg = "ES256"
	if err := p.Register(second.client, rp.client); err != nil {
		t.Fatal(err)
	}
	for _, rp := range []*relyingParty{rp, second} {
		tokens := rp.login(t, p, b, "camille", nil)
		alg := map[string]string{"fs": "ES256", "second": "RS256"}[rp.client.ID]
		rp.verify(t, p, b, tokens.idToken(), alg)
	}
}

func TestAccessTokenTTL(t *testing.T) {
	rp := newRelyingParty(t, Client{ID: "fs", Secret: secret})
	p := Start(t, Config{Clients: []Client{rp.client}, AccessTokenTTL: 7 * time.Second})
	if got := rp.login(t, p, newBrowser(t), "camille", nil)["expires_in"]; got != 7.0 {
		t.Errorf("got expires_in %v, want 7", got)
	}
}

// Tests that are killed run no clean-up: what ends the provider then is the end of its input.
func TestProcessEndsWithItsInput(t *testing.T) {
	dir := Start(t, Config{}).dir
	var log bytes.Buffer
	process, err := run(dir, &log)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := process.configure(settings{Clients: []Client{}, Agents: []Agent{}}); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(patience, process.kill)
	defer timer.Stop()
	process.stdin.Close()
	if err := process.cmd.Wait(); err != nil {
		t.Errorf("got %v, want an exit with status 0\n%s", err, log.Bytes())
	}
}

// outcome is a test that remembers how it ended.
type outcome struct {
	testing.TB
	verb, message string
}

func (o *outcome) Helper()           {}
func (o *outcome) Skip(args ...any)  { o.end("skipped", args) }
func (o *outcome) Fatal(args ...any) { o.end("failed", args) }

func (o *outcome) end(verb string, args []any) {
	o.verb, o.message = verb, fmt.Sprint(args...)
	runtime.Goexit()
}

func TestNotInstalled(t *testing.T) {
	const command = "npm ci --prefix example/internal/oidcprovider"
	noPackages := t.TempDir()
	script := filepath.Join(noPackages, "internal", "oidcprovider", "provider.mjs")
	if err := errors.Join(os.MkdirAll(filepath.Dir(script), 0o700), os.WriteFile(script, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	anyNode := t.TempDir()
	if err := os.WriteFile(filepath.Join(anyNode, "node"), []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, path, dir, ci string
		verb, message       string
	}{
		{"no node", "", ".", "", "skipped", command},
		{"no node, CI", "", ".", "true", "failed", command},
		{"no packages", anyNode, noPackages, "", "skipped", command},
		{"no packages, CI", anyNode, noPackages, "true", "failed", command},
		{"elsewhere", anyNode, t.TempDir(), "true", "failed", "example's module"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("PATH", test.path)
			t.Setenv("CI", test.ci)
			t.Chdir(test.dir)
			got := &outcome{TB: t}
			var wg sync.WaitGroup
			wg.Go(func() { Start(got, Config{}) })
			wg.Wait()
			if got.verb != test.verb || !strings.Contains(got.message, test.message) {
				t.Errorf("got %q with %q, want %q with %q", got.verb, got.message, test.verb, test.message)
			}
		})
	}
}
