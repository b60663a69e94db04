package agentconnecttest

import (
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// LoginOption changes how [Server.Login] behaves.
type LoginOption func(*loginSettings)

type loginSettings struct {
	acr    string
	refuse bool
	edit   []func(*http.Request)
}

// WithACR makes the agent's identity provider answer this acr, even if the service
// asked for another. It is a choice of the login page.
func WithACR(acr string) LoginOption { return func(s *loginSettings) { s.acr = acr } }

// Refusing presses the refuse button of the login page. The application receives
// access_denied.
func Refusing() LoginOption { return func(s *loginSettings) { s.refuse = true } }

// WithRequest edits the first request, to the application, before it is sent: a
// header, a cookie.
func WithRequest(edit func(*http.Request)) LoginOption {
	return func(s *loginSettings) { s.edit = append(s.edit, edit) }
}

// Login logs an agent in the way a person with a browser would. It opens the
// application's loginURL with client, whose cookie jar is the browser's, follows the
// redirects to the login page, picks the agent of that [Agent.Login] (the
// one that is picked there already, when agent is empty), submits the form and follows the
// redirects to the end.
//
// It returns the application's final answer, with any status. The caller closes its
// body. If the provider shows no page (it has a session for this browser, or the
// application did not send the browser there), Login returns the first answer that is
// not a redirect. It returns an error if a request failed, if the provider showed an
// error page, or if it does not know the agent. It is safe for concurrent use with
// several clients.
func (s *Server) Login(client *http.Client, loginURL, agent string, opts ...LoginOption) (*http.Response, error) {
	resp, err := s.login(client, nil, loginURL, agent, opts)
	return resp, withoutQuery(err)
}

// CallbackURL does the same except for the last step: it returns the URL of the
// callback, with its code and state, and does not open it. It is for tests that change
// the URL, send it twice or open it in another browser.
func (s *Server) CallbackURL(client *http.Client, loginURL, agent string, opts ...LoginOption) (*url.URL, error) {
	var callback *url.URL
	resp, err := s.login(client, func(to *url.URL, from *http.Response) bool {
		if !s.ours(from.Request.URL) || s.ours(to) {
			return false
		}
		callback = to
		return true
	}, loginURL, agent, opts)
	if err != nil {
		return nil, withoutQuery(err)
	}
	defer resp.Body.Close()
	if callback == nil {
		address, _, _ := strings.Cut(resp.Request.URL.Redacted(), "?")
		return nil, fmt.Errorf("agentconnecttest: the login ended with status %d at %s without coming back from the provider", resp.StatusCode, address)
	}
	return callback, nil
}

func (s *Server) ours(u *url.URL) bool { return u.Scheme+"://"+u.Host == s.URL }

// login stops before following a redirect that stop accepts.
func (s *Server) login(client *http.Client, stop func(to *url.URL, from *http.Response) bool, loginURL, agent string, opts []LoginOption) (*http.Response, error) {
	if client.Jar == nil {
		return nil, errors.New("agentconnecttest: a login needs a client with a cookie jar")
	}
	var settings loginSettings
	for _, opt := range opts {
		opt(&settings)
	}
	browser := *client
	browser.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		switch {
		case stop != nil && stop(next.URL, next.Response):
			return http.ErrUseLastResponse
		case len(via) >= 20:
			return errors.New("agentconnecttest: more than 20 redirects")
		}
		return nil
	}
	first, err := navigation(http.MethodGet, loginURL, "")
	if err != nil {
		return nil, err
	}
	for _, edit := range settings.edit {
		edit(first)
	}
	resp, err := browser.Do(first)
	if err != nil || !s.ours(resp.Request.URL) || resp.StatusCode == http.StatusSeeOther {
		return resp, err
	}
	// The login page, and then perhaps the page that asks for a code by e-mail; both
	// again if the application demands a higher level once the agent has logged in.
	byMail := false
	for pages := 0; ; pages++ {
		page, err := readAll(resp)
		if err != nil {
			return nil, err
		}
		form, err := readForm(page)
		if pages == 4 || err == nil && byMail && form.mailCode != "" {
			return nil, fmt.Errorf("agentconnecttest: after the login form and the code by e-mail, the provider shows status %d: %s", resp.StatusCode, errorOn(page))
		}
		if err != nil {
			return nil, fmt.Errorf("%w (status %d)", err, resp.StatusCode)
		}
		byMail = form.mailCode != ""
		if resp, err = form.send(&browser, agent, settings); err != nil || !s.ours(resp.Request.URL) || resp.StatusCode == http.StatusSeeOther {
			return resp, err
		}
	}
}

// send fills in the form and sends it.
func (form loginForm) send(browser *http.Client, agent string, settings loginSettings) (*http.Response, error) {
	fields, err := form.fill(agent, settings)
	if err != nil {
		return nil, err
	}
	submit, err := navigation(http.MethodPost, form.action, fields.Encode())
	if err != nil {
		return nil, err
	}
	submit.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return browser.Do(submit)
}

// navigation is a request with the headers of a browser that goes to a page.
func navigation(method, target, body string) (*http.Request, error) {
	req, err := http.NewRequest(method, target, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	req.Header.Set("Sec-Fetch-Dest", "document")
	req.Header.Set("Sec-Fetch-Site", "none")
	req.Header.Set("Sec-Fetch-User", "?1")
	return req, nil
}

func readAll(resp *http.Response) (string, error) {
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return string(body), err
}

// loginForm is the form of our login page, or of the page that asks for a code by
// e-mail.
type loginForm struct {
	action   string
	agents   []string
	checked  string
	mailCode string // shown on the page that asks for it
}

var (
	formAction = regexp.MustCompile(`<form method="post" action="([^"]+)"`)
	formAgent  = regexp.MustCompile(`<input type="radio" name="agent" id="[^"]*" value="([^"]*)" required( checked)?>`)
	formCode   = regexp.MustCompile(`<code id="mail-code">([0-9]{8})</code>`)
	pageCode   = regexp.MustCompile(`<dd><code>([^<]*)</code></dd>`)
	pageDetail = regexp.MustCompile(`<dd lang="en">([^<]*)</dd>`)
)

func readForm(page string) (loginForm, error) {
	action := formAction.FindStringSubmatch(page)
	if action == nil {
		return loginForm{}, fmt.Errorf("agentconnecttest: the provider shows no login page: %s", errorOn(page))
	}
	form := loginForm{action: html.UnescapeString(action[1])}
	if code := formCode.FindStringSubmatch(page); code != nil {
		form.mailCode = code[1]
	}
	for _, match := range formAgent.FindAllStringSubmatch(page, -1) {
		login := html.UnescapeString(match[1])
		form.agents = append(form.agents, login)
		if match[2] != "" {
			form.checked = login
		}
	}
	return form, nil
}

// errorOn returns the code and the detail of an error page.
func errorOn(page string) string {
	code, detail := pageCode.FindStringSubmatch(page), pageDetail.FindStringSubmatch(page)
	if code == nil || detail == nil {
		if formCode.MatchString(page) {
			return "it asks for a code by e-mail again, because no code raises the level of this identity provider to the level that the service demands"
		}
		return "an unknown page"
	}
	return html.UnescapeString(code[1]) + ", " + html.UnescapeString(detail[1])
}

func (form loginForm) fill(agent string, settings loginSettings) (url.Values, error) {
	if form.mailCode != "" {
		return url.Values{"verify_email_token": {form.mailCode}}, nil
	}
	if agent == "" {
		agent = form.checked
	}
	fields := url.Values{"agent": {agent}, "acr": {settings.acr}}
	if settings.refuse {
		fields.Set("refuse", "1")
		return fields, nil
	}
	for _, offered := range form.agents {
		if offered == agent {
			return fields, nil
		}
	}
	return nil, fmt.Errorf("agentconnecttest: the login page does not offer agent %q, only %s", agent, strings.Join(form.agents, ", "))
}
