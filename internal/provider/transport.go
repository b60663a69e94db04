package provider

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/flight"
)

const (
	// maxAnswer bounds the body of an answer. usualAnswer is more than most have.
	maxAnswer   = 1 << 20
	usualAnswer = 4 << 10
	// callTimeout bounds a call to the provider, body included, unless the
	// application's client has a timeout of its own.
	callTimeout = 10 * time.Second
)

// A backChannel makes the calls from server to server. It follows no redirect and keeps
// no cookie: no call needs them, and a redirect would take secrets elsewhere.
type backChannel struct {
	transport http.RoundTripper
	timeout   time.Duration
}

// newBackChannel returns a backChannel with the transport and the timeout of client, or
// with our own.
func newBackChannel(client *http.Client) backChannel {
	b := backChannel{timeout: callTimeout}
	if client != nil {
		b.transport = client.Transport
		if client.Timeout > 0 {
			b.timeout = client.Timeout
		}
	}
	if b.transport == nil {
		b.transport = newTransport(pingAfter, pingTimeout)
	}
	return b
}

// errTooLarge is the error of an answer that is larger than maxAnswer.
var errTooLarge = errors.New("the answer is too large")

// do sends a request and reads the whole answer, up to maxAnswer.
func (b backChannel) do(req *http.Request) (*answer, error) {
	ctx, cancel := context.WithTimeout(req.Context(), b.timeout)
	defer cancel()
	res, err := b.transport.RoundTrip(req.WithContext(ctx))
	switch {
	case err != nil:
		return nil, endOf(ctx, err)
	case res == nil || res.Body == nil:
		return nil, errors.New("the transport returned no answer")
	}
	defer res.Body.Close()
	body := bytes.NewBuffer(make([]byte, 0, usualAnswer))
	switch n, err := body.ReadFrom(io.LimitReader(res.Body, maxAnswer+1)); {
	case err != nil:
		return nil, endOf(ctx, err)
	case n > maxAnswer:
		return nil, errTooLarge
	}
	return &answer{res.StatusCode, mediaTypeOf(res.Header), res.Header.Get("Location"), body.Bytes()}, nil
}

// endOf returns the error of ctx if it has ended, and otherwise err. net/http returns the
// cause of the end (context.Cause), which can be any error of the application.
func endOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// forget closes the idle connections of our own transport. After a timeout over HTTP/1
// nothing else shows which of them died quietly, and each would fail one more call.
func (b backChannel) forget() {
	if own, ok := b.transport.(*ownTransport); ok {
		own.CloseIdleConnections()
	}
}

// An answer is an answer of the provider.
type answer struct {
	status    int
	mediaType string // without its parameters, in lower case; "" if there is none
	location  string
	body      []byte
}

// A secrecy says whether a call and its answer may be quoted.
type secrecy bool

const (
	isPublic secrecy = false
	isSecret secrecy = true
)

// call sends a request and returns the answer if its status is 200 and it has a
// media type.
func (p *Provider) call(req *http.Request, asked string, s secrecy) (*answer, error) {
	a, err := p.send(req, asked, s)
	switch {
	case err != nil:
		return nil, err
	case a.status != http.StatusOK:
		return nil, badStatus(asked, a.status)
	case a.mediaType == "":
		return nil, fail(BadAnswer, asked, "the answer has no media type")
	}
	return a, nil
}

// send sends a request and returns the answer, whatever its status.
func (p *Provider) send(req *http.Request, asked string, s secrecy) (*answer, error) {
	a, err := flight.Safely(func() (*answer, error) { return p.channel.do(req) })
	if err == nil {
		return a, nil
	}
	if s == isPublic {
		err = &url.Error{Op: req.Method, URL: req.URL.String(), Err: err}
	}
	failure := notAnswered(asked, err, s)
	if failure.Kind == Timeout {
		p.channel.forget()
	}
	return nil, failure
}

// mediaTypeOf returns the media type of an answer, or "" if there is none. The
// parameters are ignored, even if they are malformed.
func mediaTypeOf(h http.Header) string {
	mediaType, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return ""
	}
	return mediaType
}

// notAnswered is the failure of a call that got no answer. Go's errors about a
// malformed answer quote it, and an application's transport may quote the request. So
// the error of a secret call is shown only if it is known to quote nothing.
func notAnswered(asked string, err error, s secrecy) *Failure {
	kind := Unavailable
	var panicked *flight.PanicError
	var network net.Error
	switch {
	case errors.As(err, &panicked):
		return failed(Panicked, asked, panicked)
	case errors.Is(err, errTooLarge):
		return failed(BadAnswer, asked, errTooLarge)
	case errors.As(err, &network) && network.Timeout(): // context.DeadlineExceeded is one
		kind = Timeout
	}
	if s == isPublic {
		return failed(kind, asked, err)
	}
	return failed(kind, asked, withoutQuotes(err))
}

// withoutQuotes returns an error that names the kind of err.
func withoutQuotes(err error) error {
	var (
		address     *net.OpError
		name        *net.DNSError
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
		alert       tls.AlertError
		number      syscall.Errno
		network     net.Error
	)
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return errors.New("it took too long")
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.As(err, &name):
		return name
	case errors.As(err, &certificate):
		return errors.New("the certificate of the provider is not trusted")
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &record):
		return errors.New("the provider does not speak TLS")
	case errors.As(err, &alert):
		return alert
	case errors.As(err, &number) && errors.As(err, &address):
		return fmt.Errorf("%s %s: %w", address.Op, address.Net, number)
	case errors.As(err, &number):
		return number
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the connection ended before the answer did")
	}
	return fmt.Errorf("the call failed, or the answer is not HTTP (%T)", err)
}
