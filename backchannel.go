package agentconnect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/strictjson"
)

const (
	// maxAnswer bounds the body of an answer of the provider.
	maxAnswer = 1 << 20
	// callTimeout bounds a call to the provider, body included, unless the
	// application's client has a timeout of its own.
	callTimeout = 10 * time.Second
)

// newHTTPClient returns the client for applications that bring none. All its
// calls go to one host, so it keeps connections to it for the next logins, and
// bounds how many there are.
func newHTTPClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxConnsPerHost = 64
	transport.MaxIdleConnsPerHost = 64
	return &http.Client{Transport: transport}
}

// backChannel returns a client for the provider with the connections of client
// and none of its habits: no redirect is followed, no cookie kept, every answer
// is read whole, within its bounds, before it is looked at.
func backChannel(client *http.Client) *http.Client {
	base := client.Transport
	if base == nil {
		base = http.DefaultTransport
	}
	timeout := client.Timeout
	if timeout == 0 {
		timeout = callTimeout
	}
	return &http.Client{
		Transport:     boundedTransport{base},
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// An answerError says what is wrong with an answer that came, without quoting
// it.
type answerError string

func (e answerError) Error() string { return string(e) }

// boundedTransport reads each answer whole and refuses one that is too large.
type boundedTransport struct {
	base http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t boundedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := t.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxAnswer {
		return nil, answerError("the answer is too large")
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	res.ContentLength = int64(len(body))
	return res, nil
}

// tokenTransport reads the answers of the token endpoint before x/oauth2 does,
// which takes any media type, and the last of two members of one name.
type tokenTransport struct {
	base http.RoundTripper
}

// RoundTrip implements http.RoundTripper. The base has bounded the body.
func (t tokenTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := t.base.RoundTrip(r)
	if err != nil || res.StatusCode != http.StatusOK {
		return res, err
	}
	mediaType, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if mediaType != "application/json" {
		return nil, answerError("the answer is not JSON")
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	answer, err := strictjson.Parse(body)
	if err != nil {
		return nil, answerError(err.Error())
	}
	for _, name := range []string{"access_token", "token_type", "id_token", "refresh_token", "expires_in", "error"} {
		if _, err := answer.Get(name); err != nil {
			return nil, answerError(err.Error())
		}
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, nil
}

// call sends a request to the provider and returns the media type and the body
// of a 200 answer. Anything else is the *Error of a refusal.
func call(client *http.Client, req *http.Request, what string) (mediaType string, body []byte, err error) {
	res, err := client.Do(req)
	if err != nil {
		return "", nil, callFailed(what, err)
	}
	defer res.Body.Close() // also ends the timer of the client's timeout
	body, err = io.ReadAll(res.Body)
	if err != nil {
		return "", nil, callFailed(what, err)
	}
	if res.StatusCode != http.StatusOK {
		return "", nil, badStatus(what, res.StatusCode)
	}
	mediaType, _, err = mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil {
		return "", nil, errorf(CodeProviderAnswer, "%s: the answer has no media type", what)
	}
	return mediaType, body, nil
}

// callFailed is the refusal after a call that got no answer.
func callFailed(what string, err error) *Error {
	var netErr net.Error
	var bad answerError
	switch {
	case errors.As(err, &bad):
		return errorf(CodeProviderAnswer, "%s: %w", what, bad)
	case errors.As(err, &netErr) && netErr.Timeout(): // context.DeadlineExceeded is one
		return errorf(CodeProviderTimeout, "%s: %w", what, err)
	}
	return errorf(CodeProviderUnavailable, "%s: %w", what, err)
}

// A statusError is an answer whose status is not the one expected.
type statusError struct {
	what   string
	status int
}

func (e *statusError) Error() string {
	return fmt.Sprintf("%s: the provider answers %d %s", e.what, e.status, http.StatusText(e.status))
}

// badStatus is the refusal after an answer whose status is not the one expected.
func badStatus(what string, status int) *Error {
	err := &statusError{what, status}
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		return newError(CodeProviderUnavailable, err)
	}
	return newError(CodeProviderAnswer, err)
}
