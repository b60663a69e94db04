package provider

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

const (
	// maxConnections bounds the connections to the provider.
	maxConnections = 64
	// idleTimeout is how long a connection without a call is kept: for less time than
	// the firewalls between us and the provider keep it.
	idleTimeout = 30 * time.Second
	// A connection that received nothing for pingAfter gets a ping (HTTP/2), and is
	// closed if no answer comes within pingTimeout. Without that, a connection that
	// died quietly would fail every login for minutes.
	pingAfter   = 3 * time.Second
	pingTimeout = 2 * time.Second
	// lineBuffer is the size of net/http's buffer. It holds most lines of a header. It
	// must hold a whole line between two chunks, and all the trailers after the last one.
	lineBuffer = 512
)

// newTransport returns the transport for applications that give none. All its calls go
// to one host: it keeps connections for the next logins, and bounds their number. It is
// a copy of http.DefaultTransport, with the proxies and certificates that the
// application may have set there. If http.DefaultTransport has another type (tracing, a
// fake), it is used as it is.
func newTransport(pingAfter, pingTimeout time.Duration) http.RoundTripper {
	standard, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	t := standard.Clone()
	t.MaxConnsPerHost = maxConnections
	t.MaxIdleConnsPerHost = maxConnections
	t.IdleConnTimeout = idleTimeout
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout}
	keepQuiet(t)
	return &ownTransport{t}
}

// An ownTransport is our own transport. It keeps the data that comes over idle
// connections out of Go's standard log.
type ownTransport struct {
	*http.Transport
}

// RoundTrip implements http.RoundTripper.
func (t *ownTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	var conn net.Conn
	trace := &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			conn = info.Conn
			if quiet, ok := conn.(*quietConn); ok {
				quiet.state.Store(newCall)
			}
		},
		// The transport calls it before it looks at further data, but after the next
		// call may have got the connection. HTTP/2 does not call it.
		PutIdleConn: func(err error) {
			if quiet, ok := conn.(*quietConn); ok {
				quiet.state.CompareAndSwap(oneCall, noCall)
			} else if err == nil {
				t.CloseIdleConnections()
			}
		},
	}
	return t.Transport.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
}

// keepQuiet makes a transport use quietConns, unless the application has set its own
// dial functions.
func keepQuiet(t *http.Transport) {
	//lint:ignore SA1019 an application may have set them
	if t.Dial != nil || t.DialTLS != nil || t.DialTLSContext != nil {
		return
	}
	t.ReadBufferSize = lineBuffer
	dial := t.DialContext
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return newQuietConn(conn), nil
	}
	speaksHTTP2 := t.ForceAttemptHTTP2 && t.TLSNextProto == nil && (t.Protocols == nil || t.Protocols.HTTP2())
	settings := t.TLSClientConfig
	handshakeTimeout := t.TLSHandshakeTimeout
	t.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if handshakeTimeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, handshakeTimeout)
			defer cancel()
		}
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		secured := tls.Client(conn, tlsSettings(settings, address, speaksHTTP2))
		if err := secured.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, err
		}
		if secured.ConnectionState().NegotiatedProtocol == "h2" {
			return secured, nil // net/http wants this very type for HTTP/2
		}
		return newQuietConn(secured), nil
	}
}

// tlsSettings returns the settings of a connection to address.
func tlsSettings(settings *tls.Config, address string, speaksHTTP2 bool) *tls.Config {
	if settings == nil {
		settings = &tls.Config{}
	}
	settings = settings.Clone()
	if host, _, err := net.SplitHostPort(address); err == nil && settings.ServerName == "" {
		settings.ServerName = host
	}
	if len(settings.NextProtos) == 0 {
		settings.NextProtos = []string{"http/1.1"}
		if speaksHTTP2 {
			settings.NextProtos = []string{"h2", "http/1.1"}
		}
	}
	return settings
}

// A quietConn is an HTTP/1 connection that expects no data between two calls. net/http
// quotes such data in Go's standard log. If an answer is longer than its
// Content-Length, its rest may contain tokens. So a quietConn ends instead.
//
// For that, the buffer of net/http must never hold more than it asked for. A header is
// passed line by line. A body is passed directly to the caller's buffer, which is larger
// than net/http's own; the last bytes, if they are few, one by one.
type quietConn struct {
	net.Conn
	buffered *bufio.Reader
	state    atomic.Int32

	// Only Read uses these.
	inBody bool // the header of the answer is read
	line   int  // how long the present line of the header is so far
}

// The states of a quietConn.
const (
	newCall int32 = iota // a call begins, and has not sent anything yet
	asked                // it has sent its request, at least in part
	oneCall              // its answer is being read
	noCall
)

func newQuietConn(conn net.Conn) *quietConn {
	return &quietConn{Conn: conn, buffered: bufio.NewReader(conn)}
}

// Write implements net.Conn.
func (c *quietConn) Write(p []byte) (int, error) {
	c.state.CompareAndSwap(newCall, asked)
	return c.Conn.Write(p)
}

// Read implements net.Conn. Data that was there before the request is no answer to it.
// net/http gives a connection to the next call before it looks for such data.
func (c *quietConn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	left := c.buffered.Buffered() > 0
	if _, err := c.buffered.Peek(1); err != nil {
		return 0, err
	}
	switch c.state.Load() {
	case asked:
		if left {
			return 0, io.EOF
		}
		c.state.Store(oneCall)
		c.inBody, c.line = false, 0
	case newCall, noCall:
		return 0, io.EOF
	}
	if len(p) > lineBuffer {
		return c.buffered.Read(p)
	}
	n, atEnd := 0, false
	for n < len(p) && !atEnd && c.buffered.Buffered() > 0 {
		p[n], _ = c.buffered.ReadByte() // which is buffered
		atEnd = c.inBody || c.endsLine(p[n])
		n++
	}
	return n, nil
}

// endsLine takes note of a byte of a header, and reports whether a line ends with it.
func (c *quietConn) endsLine(b byte) bool {
	switch b {
	case '\n':
		c.inBody = c.line == 0
		c.line = 0
		return true
	case '\r':
	default:
		c.line++
	}
	return false
}
