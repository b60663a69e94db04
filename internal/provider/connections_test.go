package provider

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// secretText is what no error and no log may show.
const secretText = "eyJhbGciOiJSUzI1NiJ9.the-access-token-of-somebody"

// protocols are the ways in which a provider speaks HTTP.
func protocols() []string { return []string{"http/1.1", "https, http/1.1", "https, h2"} }

// serve starts a server that speaks a protocol. It returns a transport of ours that
// trusts it, and through relay.
func serve(t *testing.T, protocol string, handler http.Handler) (server *httptest.Server, opened *atomic.Int32) {
	t.Helper()
	opened = &atomic.Int32{}
	server = httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	switch protocol {
	case "http/1.1":
		server.Start()
	case "https, http/1.1":
		server.StartTLS()
	default:
		server.EnableHTTP2 = true
		server.StartTLS()
	}
	t.Cleanup(server.Close)
	return server, opened
}

// transportTo returns a transport of ours that trusts a server.
func transportTo(t *testing.T, server *httptest.Server, ping time.Duration) *ownTransport {
	t.Helper()
	transport := newTransport(ping, ping).(*ownTransport)
	if server.Certificate() != nil {
		roots := x509.NewCertPool()
		roots.AddCert(server.Certificate())
		transport.TLSClientConfig = &tls.Config{RootCAs: roots}
		transport.DialTLSContext = nil
		keepQuiet(transport.Transport)
	}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// request returns a request with a body, if its method has one.
func request(t *testing.T, method, address string) *http.Request {
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader("a question")
	}
	r, err := http.NewRequestWithContext(t.Context(), method, address, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Connections are used again, over each protocol, whatever the framing of the answers.
func TestConnectionsAreReused(t *testing.T) {
	t.Parallel()
	for _, protocol := range protocols() {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			server, opened := serve(t, protocol, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body := strings.Repeat("0123456789abcdef", 1000)[:len(r.URL.Path)*13]
				if r.URL.Query().Has("chunked") {
					w.(http.Flusher).Flush()
				}
				w.Write([]byte(body))
			}))
			channel := newBackChannel(&http.Client{Transport: transportTo(t, server, time.Minute)})
			for i := range 60 {
				path := "/" + strings.Repeat("a", i)
				for _, query := range []string{"", "?chunked"} {
					answer, err := channel.do(request(t, http.MethodGet, server.URL+path+query))
					if err != nil {
						t.Fatal(err)
					}
					if want := len(path) * 13; len(answer.body) != want || answer.status != http.StatusOK {
						t.Fatalf("%s%s: got %d bytes, want %d", path, query, len(answer.body), want)
					}
				}
			}
			if got := opened.Load(); got != 1 {
				t.Errorf("got %d connections, want 1", got)
			}
		})
	}
}

// Calls that wait for a connection get it while the call before them ends. Each is
// sent once, and no connection is given up.
func TestManyCallsAtOnce(t *testing.T) {
	t.Parallel()
	for _, protocol := range protocols() {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			var served atomic.Int32
			server, opened := serve(t, protocol, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				served.Add(1)
				io.WriteString(w, "an answer")
			}))
			channel := newBackChannel(&http.Client{Transport: transportTo(t, server, time.Minute), Timeout: time.Minute})
			const calls = 3000
			var failed atomic.Int32
			var together sync.WaitGroup
			for i := range calls {
				together.Go(func() {
					method := http.MethodGet // as for the userinfo
					if i%2 == 0 {
						method = http.MethodPost // as for tokens
					}
					if _, err := channel.do(request(t, method, server.URL)); err != nil {
						failed.Add(1)
					}
				})
			}
			together.Wait()
			if got, want := served.Load(), int32(calls); got != want || failed.Load() > 0 {
				t.Errorf("got %d requests and %d failures, want %d and none", got, failed.Load(), want)
			}
			// For HTTP/2 net/http opens some more at first, and keeps one. For HTTP/1 it
			// closes some if the machine is slow: it waits 50 ms for its own goroutines.
			if got := opened.Load(); got > 2*maxConnections && protocol != "https, h2" {
				t.Errorf("got %d connections, want %d at most", got, 2*maxConnections)
			}
		})
	}
}

// If a provider sends two answers at once, the second one is not the answer to the next
// call, even if that call has the connection before net/http looks at the rest.
func TestSecondAnswers(t *testing.T) {
	t.Parallel()
	const two = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst" + "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond"
	for name, answers := range map[string]string{"bodies": two, "no body": strings.Replace(two, "5\r\n\r\nfirst", "0\r\n\r\n", 1)} {
		for _, secured := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, secured: %t", name, secured), func(t *testing.T) {
				t.Parallel()
				address, transport := rawServerOf(t, secured, func(conn net.Conn) {
					reader := bufio.NewReader(conn)
					for {
						r, err := http.ReadRequest(reader)
						if err != nil {
							return
						}
						io.Copy(io.Discard, r.Body)
						io.WriteString(conn, answers)
					}
				})
				transport.MaxConnsPerHost = 1
				channel := newBackChannel(&http.Client{Transport: transport, Timeout: 10 * time.Second})
				call := func(trace *httptrace.ClientTrace) (string, error) {
					r := request(t, http.MethodPost, address)
					answer, err := channel.do(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
					if err != nil {
						return "", err
					}
					return string(answer.body), nil
				}
				gaveBack, sent := make(chan struct{}), make(chan struct{})
				send := sync.OnceFunc(func() { close(sent) })
				var together sync.WaitGroup
				together.Go(func() {
					defer send()
					<-gaveBack
					if got, err := call(&httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { send() }}); err == nil && got == "second" {
						t.Errorf("got the second answer to the call before, want an error or an answer of its own")
					}
				})
				if _, err := call(&httptrace.ClientTrace{PutIdleConn: func(error) { close(gaveBack); <-sent }}); err != nil {
					t.Errorf("the first call: got %v, want an answer", err)
				}
				together.Wait()
			})
		}
	}
}

// Chunks may have extensions, and trailers may follow them (RFC 9112 section 7.1). Both
// are ignored, and the connection is used again.
func TestChunkedAnswers(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"plain":     "2\r\n{}\r\n0\r\n\r\n",
		"extension": "2;x=" + strings.Repeat("x", 400) + "\r\n{}\r\n0;y=" + strings.Repeat("y", 400) + "\r\n\r\n",
		"trailer":   "2\r\n{}\r\n0\r\nX: " + strings.Repeat("x", 400) + "\r\n\r\n",
		"trailers":  "2\r\n{}\r\n0\r\n" + strings.Repeat("X: 0123456789\r\n", 25) + "\r\n",
	} {
		for _, secured := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, secured: %t", name, secured), func(t *testing.T) {
				t.Parallel()
				var opened atomic.Int32
				address, transport := rawServerOf(t, secured, func(conn net.Conn) {
					opened.Add(1)
					reader := bufio.NewReader(conn)
					for {
						if _, err := http.ReadRequest(reader); err != nil {
							return
						}
						io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"+body)
					}
				})
				channel := newBackChannel(&http.Client{Transport: transport})
				for range 3 {
					if answer, err := channel.do(request(t, http.MethodGet, address)); err != nil || string(answer.body) != "{}" {
						t.Fatalf("got %+v, %v, want {}", answer, err)
					}
				}
				if got := opened.Load(); got != 1 {
					t.Errorf("got %d connections, want 1", got)
				}
			})
		}
	}
}

// A relay passes bytes on between clients and a server, until it is told to swallow
// those of the connections there are.
type relay struct {
	net.Listener
	to string

	mu      sync.Mutex
	swallow *atomic.Bool // of the connections since the last call of freeze
}

func newRelay(t *testing.T, to string) *relay {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{Listener: listener, to: to, swallow: &atomic.Bool{}}
	var conns sync.WaitGroup
	t.Cleanup(func() { r.Close(); conns.Wait() })
	conns.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				client.Close()
				continue
			}
			t.Cleanup(func() { client.Close(); server.Close() })
			r.mu.Lock()
			swallow := r.swallow
			r.mu.Unlock()
			conns.Go(func() { pass(client, server, swallow) })
			conns.Go(func() { pass(server, client, swallow) })
		}
	})
	return r
}

// pass passes bytes on until one side ends. It keeps what it swallows from ending the
// other side.
func pass(from, to net.Conn, swallow *atomic.Bool) {
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		if swallow.Load() {
			if err != nil {
				return
			}
			continue
		}
		if n > 0 {
			to.Write(buffer[:n])
		}
		if err != nil {
			to.Close()
			return
		}
	}
}

// freeze swallows everything on the connections there are; new ones work.
func (r *relay) freeze() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.swallow.Store(true)
	r.swallow = &atomic.Bool{}
}

// Connections that died quietly cost one call at most for each that is made in
// sequence, over each protocol and for each kind of call.
func TestConnectionsThatDiedQuietly(t *testing.T) {
	t.Parallel()
	calls := map[string]func(ctx context.Context, p *Provider, m *Metadata) error{
		"keys": func(ctx context.Context, p *Provider, _ *Metadata) error { _, err := p.ReadKeys(ctx); return err },
		"introspection": func(ctx context.Context, p *Provider, _ *Metadata) error {
			_, err := p.Introspect(ctx, "token")
			return err
		},
		"exchange": func(ctx context.Context, p *Provider, m *Metadata) error {
			_, err := p.Exchange(ctx, m, "code", Login{})
			return err
		},
		"userinfo": func(ctx context.Context, p *Provider, m *Metadata) error {
			_, err := p.Userinfo(ctx, m, &Tokens{ID: &IDToken{}})
			return err
		},
	}
	answered := func(err error) bool {
		var failure *Failure
		return err == nil || errors.As(err, &failure) && failure.Status != 0
	}
	for _, protocol := range protocols() {
		for name, call := range calls {
			t.Run(protocol+", "+name, func(t *testing.T) {
				t.Parallel()
				f := newFake(t)
				server, _ := serve(t, protocol, f)
				relay := newRelay(t, server.Listener.Addr().String())
				f.config.Issuer = strings.Replace(server.URL, server.Listener.Addr().String(), relay.Addr().String(), 1)
				document := f.document()
				for name, value := range document {
					document[name] = strings.Replace(value.(string), f.URL, f.config.Issuer, 1)
				}
				f.handle("/.well-known/openid-configuration", f.sendJSON(document))
				f.handle("/introspect", send(200, "application/json", `{"active":true}`))
				f.handle("/token", send(400, "application/json", `{"error":"invalid_grant"}`))
				f.handle("/userinfo", send(401, "application/json", `{}`))
				const ping = 300 * time.Millisecond
				f.config.Client = &http.Client{Transport: transportTo(t, server, ping), Timeout: 2 * time.Second}
				p := New(f.config)
				m, err := p.Metadata(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				var together sync.WaitGroup
				for range 8 { // as many connections as HTTP/1 needs
					together.Go(func() { call(t.Context(), p, m) })
				}
				together.Wait()
				relay.freeze()
				if err := call(t.Context(), p, m); answered(err) {
					t.Errorf("a dead connection answered: %v", err)
				}
				var failures []error
				for range 5 {
					if err := call(t.Context(), p, m); !answered(err) {
						failures = append(failures, err)
					}
				}
				if len(failures) > 1 { // one: a machine under load may be slow
					t.Errorf("got %d failures of five calls after the first, want none: %v", len(failures), failures)
				}
			})
		}
	}
}

// Connections that nobody uses are not kept for long, and a sign of life is asked for
// before a call would end.
func TestConnectionTimes(t *testing.T) {
	t.Parallel()
	transport := newBackChannel(nil).transport.(*ownTransport)
	if got := transport.IdleConnTimeout; got <= 0 || got > time.Minute {
		t.Errorf("idle connections: got %v, want a minute at most", got)
	}
	if got := transport.HTTP2; got == nil || got.SendPingTimeout <= 0 || got.PingTimeout <= 0 || got.SendPingTimeout+got.PingTimeout >= callTimeout {
		t.Errorf("got %+v, want a connection's end before that of a call", got)
	}
	if transport.MaxConnsPerHost != maxConnections || transport.MaxIdleConnsPerHost != maxConnections {
		t.Errorf("got %d connections, %d idle, want %d", transport.MaxConnsPerHost, transport.MaxIdleConnsPerHost, maxConnections)
	}
}

// If a provider, or a proxy before it, does not send HTTP, no error and no log quotes
// the data.
func TestMalformedHTTPIsNotQuoted(t *testing.T) { // not parallel: it reads Go's standard log
	standard := &lockedBuilder{}
	defer log.SetOutput(log.Writer())
	log.SetOutput(standard)
	const ok = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	for name, answer := range map[string]string{
		"no status line":                    secretText + "\r\n\r\n",
		"no blank line":                     ok + `{"access_token":"` + secretText + `"}`,
		"no colon":                          ok + secretText + "\r\n\r\n",
		"a malformed status":                "HTTP/1.1 " + secretText + "\r\n\r\n",
		"a malformed version":               "HTTP/" + secretText + " 200 OK\r\n\r\n",
		"a malformed length":                ok + "Content-Length: " + secretText + "\r\n\r\n",
		"two lengths":                       ok + "Content-Length: 2\r\nContent-Length: " + secretText + "\r\n\r\n{}",
		"an unknown coding":                 ok + "Transfer-Encoding: " + secretText + "\r\n\r\n{}",
		"a malformed chunk":                 ok + "Transfer-Encoding: chunked\r\n\r\n" + secretText + "\r\n",
		"a malformed gzip":                  ok + "Content-Encoding: gzip\r\nContent-Length: 49\r\n\r\n" + secretText,
		"more than its length":              ok + "Content-Length: 2\r\n\r\n{}" + secretText,
		"more than its length, and long":    ok + "Content-Length: 40\r\n\r\n{" + strings.Repeat(" ", 38) + "}" + secretText,
		"more than its length, by one line": ok + "Content-Length: 402\r\n\r\n{" + strings.Repeat(" ", 400) + "}" + secretText,
		"more than its length, apart":       ok + "Content-Length: 2\r\n\r\n{}|" + secretText,
		"a second answer":                   ok + "Content-Length: 2\r\n\r\n{}" + ok + "Content-Length: 49\r\n\r\n" + secretText,
		"more than its chunks":              ok + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + secretText,
		"after an early hint":               "HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n" + ok + "Content-Length: 2\r\n\r\n{}" + secretText,
		"no body":                           "HTTP/1.1 204 No Content\r\n\r\n" + secretText,
		"a redirect to a secret":            "HTTP/1.1 302 Found\r\nLocation: http://" + secretText + "/%zz\r\nContent-Length: 0\r\n\r\n",
		"a media type":                      "HTTP/1.1 200 OK\r\nContent-Type: " + secretText + "\r\nContent-Length: 2\r\n\r\n{}",
		"an error that is none":             "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 61\r\n\r\n" + `{"error":"` + secretText + `"}`,
		"half an answer":                    ok + "Content-Length: 100\r\n\r\n" + secretText,
		"nothing":                           "",
	} {
		for _, secured := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, secured: %t", name, secured), func(t *testing.T) {
				standard.mu.Lock()
				standard.b.Reset()
				standard.mu.Unlock()
				f := newFake(t)
				address, transport := rawServer(t, answer, secured)
				f.config.Client = &http.Client{Transport: transport, Timeout: 2 * time.Second}
				p := New(f.config)
				m := &Metadata{TokenEndpoint: address + "/token", UserinfoEndpoint: address + "/userinfo"}
				for call, do := range map[string]func() error{
					"exchange": func() error { _, err := p.Exchange(t.Context(), m, "code", Login{Nonce: testNonce}); return err },
					"userinfo": func() error {
						_, err := p.Userinfo(t.Context(), m, &Tokens{Access: secretText, ID: &IDToken{Sub: testSub}})
						return err
					},
				} {
					err := do()
					if err == nil {
						t.Fatalf("%s: got no error", call)
					}
					for e := err; e != nil; e = errors.Unwrap(e) {
						if strings.Contains(fmt.Sprintf("%v %+v", e, e), secretText[:8]) {
							t.Errorf("%s: the error quotes the answer: %v", call, e)
						}
					}
				}
				transport.CloseIdleConnections()
				if got := standard.String(); got != "" {
					t.Errorf("got %q in the standard log, want nothing", got)
				}
			})
		}
	}
}

// rawServer answers each connection with a text, and then waits for its end. After a
// "|" in the text there is a pause, for which it waits until the client has gone on.
func rawServer(t *testing.T, answer string, secured bool) (address string, transport *ownTransport) {
	t.Helper()
	return rawServerOf(t, secured, func(conn net.Conn) {
		reader := bufio.NewReader(conn)
		if r, err := http.ReadRequest(reader); err == nil {
			io.Copy(io.Discard, r.Body)
		}
		now, later, apart := strings.Cut(answer, "|")
		io.WriteString(conn, now)
		if apart {
			time.Sleep(20 * time.Millisecond) // what comes later must find the connection idle
			io.WriteString(conn, later)
		}
		if now == "" || strings.Contains(now, "Content-Length: 100\r") || !strings.Contains(now, "Content-Length") {
			return
		}
		conn.SetReadDeadline(time.Now().Add(time.Second))
		io.Copy(io.Discard, reader) // until the client ends it
	})
}

// rawServerOf serves each connection with a function, and then closes it.
func rawServerOf(t *testing.T, secured bool, serve func(net.Conn)) (address string, transport *ownTransport) {
	t.Helper()
	certificates := httptest.NewUnstartedServer(nil)
	certificates.StartTLS()
	t.Cleanup(certificates.Close)
	transport = newTransport(time.Minute, time.Minute).(*ownTransport)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = "http://" + listener.Addr().String()
	if secured {
		address = "https://" + listener.Addr().String()
		listener = tls.NewListener(listener, &tls.Config{Certificates: certificates.TLS.Certificates})
		roots := x509.NewCertPool()
		roots.AddCert(certificates.Certificate())
		transport.TLSClientConfig = &tls.Config{RootCAs: roots}
		transport.DialTLSContext = nil
		keepQuiet(transport.Transport)
	}
	var conns sync.WaitGroup
	t.Cleanup(func() { transport.CloseIdleConnections(); listener.Close(); conns.Wait() })
	conns.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer conn.Close()
				serve(conn)
			})
		}
	})
	return address, transport
}

// A connection only passes data on that answers a request.
func TestDataWithoutARequest(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		state int32
		sends bool // the call sends its request first
		want  error
	}{
		"before the request": {newCall, false, io.EOF},
		"between two calls":  {noCall, false, io.EOF},
		"after the request":  {newCall, true, nil},
		"more of the answer": {oneCall, false, nil},
	} {
		ours, theirs := net.Pipe()
		conn := newQuietConn(ours)
		conn.state.Store(tt.state)
		go func() {
			if tt.sends {
				theirs.Read(make([]byte, 1))
			}
			io.WriteString(theirs, "HTTP/1.1 200 OK\r\n")
		}()
		if tt.sends {
			io.WriteString(conn, "G")
		}
		if n, err := conn.Read(make([]byte, lineBuffer)); err != tt.want || (n > 0) != (tt.want == nil) {
			t.Errorf("%s: got %d bytes, %v, want %v", name, n, err, tt.want)
		}
		ours.Close()
		theirs.Close()
	}
}

// An application's transport that quotes the request is not quoted.
func TestErrorsOfTransportsAreNotQuoted(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.config.Client = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		body, _ := io.ReadAll(r.Body)
		return nil, fmt.Errorf("could not send %s %s %s", r.URL, r.Header, body)
	})}
	p := New(f.config)
	_, err := p.Exchange(t.Context(), &Metadata{TokenEndpoint: f.URL + "/token"}, secretText, Login{})
	if failure := asFailure(t, err); failure.Kind != Unavailable || strings.Contains(failure.Error(), secretText) || strings.Contains(failure.Error(), testSecret) {
		t.Errorf("got %v, want that the call failed and no more", failure)
	}
}

// An application's transport that breaks the contract of http.RoundTripper fails the
// call.
func TestTransportsWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]*http.Response{"no response": nil, "no body": {StatusCode: http.StatusOK}} {
		f := newFake(t)
		f.config.Client = &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) { return answer, nil })}
		_, err := New(f.config).Metadata(t.Context())
		if failure := asFailure(t, err); failure.Kind != Unavailable || !strings.Contains(failure.Error(), "the transport returned no answer") {
			t.Errorf("%s: got %s, %v, want that there is no answer", name, failure.Kind, failure)
		}
	}
}

// The errors quote nothing.
func TestFailedCalls(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	plain := newFake(t)
	secured, _ := serve(t, "https, http/1.1", http.NotFoundHandler())
	secured.Config.ErrorLog = log.New(io.Discard, "", 0)
	slow := newFake(t)
	slow.handle("/token", func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // or the server does not notice that the client leaves
		<-r.Context().Done()
	})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	stopped, stop := context.WithCancelCause(t.Context())
	stop(errors.New("SIGTERM"))
	impatient, cancel := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, errors.New("no patience"))
	t.Cleanup(cancel)
	for name, tt := range map[string]struct {
		ctx      context.Context
		endpoint string
		kind     Kind
		want     string
	}{
		"nobody listens":     {t.Context(), "http://" + closed.Addr().String(), Unavailable, "token endpoint: dial tcp: connection refused"},
		"a name of nobody":   {t.Context(), "http://nobody.invalid", Unavailable, "token endpoint: lookup nobody.invalid"},
		"an untrusted name":  {t.Context(), secured.URL, Unavailable, "token endpoint: the certificate of the provider is not trusted"},
		"no TLS":             {t.Context(), strings.Replace(plain.URL, "http://", "https://", 1), Unavailable, "token endpoint: the provider does not speak TLS"},
		"too slow":           {t.Context(), slow.URL + "/token", Timeout, "token endpoint: it took too long"},
		"with a cause":       {impatient, slow.URL + "/token", Timeout, "token endpoint: it took too long"},
		"a cause of leaving": {stopped, plain.URL, Unavailable, "token endpoint: context canceled"},
		"a caller who left":  {gone, plain.URL, Unavailable, "token endpoint: context canceled"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := plain.config
			config.Client = &http.Client{Timeout: 30 * time.Second}
			if tt.kind == Timeout {
				config.Client.Timeout = 300 * time.Millisecond
			}
			_, err := New(config).Exchange(tt.ctx, &Metadata{TokenEndpoint: tt.endpoint}, "code", Login{})
			if failure := asFailure(t, err); failure.Kind != tt.kind || !strings.HasPrefix(failure.Error(), tt.want) {
				t.Errorf("got %s, %v, want %s, %s", failure.Kind, failure, tt.kind, tt.want)
			}
		})
	}
}

// A transport, a logger that panics or that ends its goroutine: the calls fail, the
// process goes on, and when it is mended so are the calls.
func TestPanicsOfTheApplication(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	var broken atomic.Bool
	broken.Store(true)
	fail := func() { panic(secretText) }
	real := &http.Transport{}
	t.Cleanup(real.CloseIdleConnections)
	f.config.Client = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		if broken.Load() {
			fail()
		}
		return real.RoundTrip(r)
	})}
	p := New(f.config)
	wantPanicked := func(err error) {
		t.Helper()
		if failure := asFailure(t, err); failure.Kind != Panicked || strings.Contains(failure.Error(), secretText) || !strings.Contains(failure.Error(), "connections_test.go") {
			t.Errorf("got %s, %v, want where it panicked", failure.Kind, failure)
		}
	}
	_, err := p.Metadata(t.Context())
	wantPanicked(err)
	_, err = p.Exchange(t.Context(), &Metadata{TokenEndpoint: f.URL + "/token"}, "code", Login{})
	wantPanicked(err)
	f.advance(maxBackoff)
	fail = runtime.Goexit
	_, err = p.Metadata(t.Context())
	if failure := asFailure(t, err); failure.Kind != Panicked {
		t.Errorf("the end of the goroutine: got %s, %v, want a failure", failure.Kind, failure)
	}
	broken.Store(false)
	f.advance(maxBackoff)
	f.handle("/jwks", f.sendJSON(map[string]any{"keys": []any{f.jwk("current"), map[string]any{"kty": "RSA", "kid": "odd"}}}))
	p.config.Logger = slog.New(panickingHandler{})
	if _, err := p.verifyIDToken(t.Context(), f.sign(t, f.claims(t, nil), nil), testNonce, "access"); err != nil {
		t.Errorf("mended, with a logger that panics: got %v, want the ID token", err)
	}
}

// panickingHandler is a handler of logs that panics.
type panickingHandler struct{ slog.Handler }

func (panickingHandler) Enabled(context.Context, slog.Level) bool { panic(secretText) }

// The standard transport may have been replaced, or changed.
func TestDefaultTransportReplaced(t *testing.T) { // not parallel: it changes http.DefaultTransport
	standard := http.DefaultTransport
	defer func() { http.DefaultTransport = standard }()
	f := newFake(t)
	calls := 0
	http.DefaultTransport = roundTripper(func(r *http.Request) (*http.Response, error) {
		calls++
		return standard.RoundTrip(r)
	})
	if _, err := New(f.config).Metadata(t.Context()); err != nil || calls != 1 {
		t.Errorf("got %v after %d calls of the replacement, want one", err, calls)
	}
	f.config.Client = &http.Client{Transport: standard}
	if _, err := New(f.config).Metadata(t.Context()); err != nil || calls != 1 {
		t.Errorf("a client of the application: got %v after %d calls of the replacement, want no more", err, calls)
	}
	f.config.Client = nil
	own := &http.Transport{DialTLSContext: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("not here") }}
	http.DefaultTransport = own
	transport := newTransport(pingAfter, pingTimeout).(*ownTransport)
	if _, err := transport.DialTLSContext(t.Context(), "tcp", "a:1"); err == nil || err.Error() != "not here" {
		t.Errorf("got %v, want the application's own way to dial", err)
	}
	if own.HTTP2 != nil || own.IdleConnTimeout != 0 {
		t.Error("the application's transport was changed")
	}
}
