package oidcprovider

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// Option is a choice of the agent on the provider's page, besides the choice of the
// agent.
type Option func(url.Values)

// WithACR makes the agent's identity provider answer with this level instead of the agent's own.
func WithACR(acr string) Option {
	return func(form url.Values) { form.Set("acr", acr) }
}

// WithAMR makes the agent's identity provider answer with these methods instead of the agent's own.
func WithAMR(amr ...string) Option {
	return func(form url.Values) { form.Set("amr", strings.Join(amr, " ")) }
}

// Refuse presses the other button: the application gets access_denied.
func Refuse() Option {
	return func(form url.Values) { form.Set("decision", "refuse") }
}

// Login opens the application's login URL and then acts like [Provider.Answer]. The
// client is the browser: it needs a cookie jar and must follow redirects. Login returns
// the application's last answer, or the provider's page where the login stopped. The
// caller closes its body.
func (p *Provider) Login(client *http.Client, loginURL, agent string, opts ...Option) (*http.Response, error) {
	resp, err := client.Get(loginURL)
	if err != nil {
		return nil, err
	}
	return p.Answer(client, resp, agent, opts...)
}

// Answer fills in the provider's login form for the agent with this sub, and follows the
// redirects to the application. If the browser is on any other page, because the
// provider had a session or refused, Answer fills in nothing. It closes the body of at.
func (p *Provider) Answer(client *http.Client, at *http.Response, agent string, opts ...Option) (*http.Response, error) {
	if !p.Waiting(at) {
		return p.Follow(client, at)
	}
	at.Body.Close()
	form := url.Values{"agent": {agent}, "decision": {"login"}}
	for _, opt := range opts {
		opt(form)
	}
	resp, err := client.PostForm(at.Request.URL.String(), form)
	if err != nil {
		return nil, err
	}
	return p.Follow(client, resp)
}

// Waiting reports whether the browser is on the provider's login form.
func (p *Provider) Waiting(at *http.Response) bool {
	return at.StatusCode == http.StatusOK && strings.HasPrefix(at.Request.URL.String(), p.Issuer+"/interaction/")
}

var (
	formAction  = regexp.MustCompile(`<form [^>]*action="([^"]*)"`)
	hiddenInput = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)
)

// Follow does the work of the scripts in a browser: it submits the provider's
// self-submitting pages, which end a logout, until it reaches another page. It reads
// the body of at. If at is not such a page, it returns at with its body.
func (p *Provider) Follow(client *http.Client, at *http.Response) (*http.Response, error) {
	for range 5 {
		if !strings.HasPrefix(at.Request.URL.String(), p.Issuer+"/") {
			return at, nil
		}
		body, err := io.ReadAll(at.Body)
		at.Body.Close()
		if err != nil {
			return nil, err
		}
		action := formAction.FindSubmatch(body)
		if action == nil || !bytes.Contains(body, []byte(".submit()")) {
			at.Body = io.NopCloser(bytes.NewReader(body))
			return at, nil
		}
		target, err := at.Request.URL.Parse(html.UnescapeString(string(action[1])))
		if err != nil {
			return nil, err
		}
		form := url.Values{}
		for _, input := range hiddenInput.FindAllSubmatch(body, -1) {
			form.Add(html.UnescapeString(string(input[1])), html.UnescapeString(string(input[2])))
		}
		if at, err = client.PostForm(target.String(), form); err != nil {
			return nil, err
		}
	}
	at.Body.Close()
	return nil, fmt.Errorf("the provider's pages submit one another without end, the last at %s", at.Request.URL.Redacted())
}
