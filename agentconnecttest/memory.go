package agentconnecttest

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
)

// The addresses without a network. No server listens there.
const (
	memoryProvider    = "127.0.0.1:8081"
	memoryApplication = "localhost:8080"
)

// memory is a network of function calls: each host is a handler.
type memory struct {
	mu       sync.Mutex
	handlers map[string]http.Handler
}

// listen sets the handler of a host; nil removes it.
func (m *memory) listen(host string, handler http.Handler) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.handlers[host] = handler
}

func (m *memory) handler(host string) http.Handler {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.handlers[host]
}

// RoundTrip calls the handler of the host in the caller's goroutine, and returns after
// it: answers do not stream.
func (m *memory) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	handler := m.handler(r.URL.Host)
	if handler == nil {
		return nil, fmt.Errorf("agentconnecttest: no server listens at %s", r.URL.Host)
	}
	defer func() {
		switch thrown := recover(); {
		case thrown == nil:
		case thrown == http.ErrAbortHandler:
			resp, err = nil, cmp.Or(r.Context().Err(), errors.New("agentconnecttest: the connection is cut"))
		default:
			panic(thrown)
		}
	}()
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, received(r))
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	resp = recorder.Result()
	resp.Request = r
	if announced, err := strconv.Atoi(resp.Header.Get("Content-Length")); err == nil && announced > recorder.Body.Len() {
		resp.Body = io.NopCloser(io.MultiReader(resp.Body, cutOff{}))
	}
	return resp, nil
}

// cutOff is the end of a body that is shorter than announced.
type cutOff struct{}

// Read implements io.Reader.
func (cutOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// received makes a server's request of a client's request.
func received(r *http.Request) *http.Request {
	in := r.Clone(r.Context())
	in.RequestURI = r.URL.RequestURI()
	in.RemoteAddr = "127.0.0.1:1"
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	in.URL.Scheme, in.URL.Host = "", ""
	if in.Body == nil {
		in.Body = http.NoBody
	}
	return in
}
