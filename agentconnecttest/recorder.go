package agentconnecttest

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// recordedMax bounds the remembered requests, so that a long demonstration or a
// benchmark does not fill the memory.
const recordedMax = 4096

// Request is one request that the provider received.
type Request struct {
	Endpoint Endpoint
	Method   string
	URL      *url.URL
	Header   http.Header
	Form     url.Values // query and body, as [http.Request.Form]
	PostForm url.Values // only the body
	Time     time.Time  // by the provider's clock
}

// recorder counts every request and, if keep is set, remembers the latest ones.
type recorder struct {
	mu     sync.Mutex
	keep   bool
	counts map[Endpoint]int
	latest []Request
}

func (rec *recorder) add(e Endpoint, r *http.Request, now time.Time) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if rec.counts == nil {
		rec.counts = make(map[Endpoint]int)
	}
	rec.counts[e]++
	if !rec.keep {
		return
	}
	if len(rec.latest) >= 2*recordedMax {
		rec.latest = slices.Clone(rec.latest[recordedMax:])
	}
	u := *r.URL
	rec.latest = append(rec.latest, Request{
		Endpoint: e,
		Method:   r.Method,
		URL:      &u,
		Header:   r.Header.Clone(),
		Form:     maps.Clone(r.Form),
		PostForm: maps.Clone(r.PostForm),
		Time:     now,
	})
}

// Requests returns how many requests an endpoint has received since the start or since
// [Provider.ResetRequests], with any answer.
func (p *Provider) Requests(e Endpoint) int {
	p.requests.mu.Lock()
	defer p.requests.mu.Unlock()
	return p.requests.counts[e]
}

// Received returns the latest requests that an endpoint has received, oldest
// first: at least the last 4096 of all endpoints together. Only the provider of a
// [Server] remembers requests; any other returns nil.
func (p *Provider) Received(e Endpoint) []Request {
	return slices.DeleteFunc(p.received(), func(r Request) bool { return r.Endpoint != e })
}

func (p *Provider) received() []Request {
	p.requests.mu.Lock()
	defer p.requests.mu.Unlock()
	return slices.Clone(p.requests.latest)
}

// ResetRequests sets every counter back to zero and forgets the requests
// received.
func (p *Provider) ResetRequests() {
	p.requests.mu.Lock()
	defer p.requests.mu.Unlock()
	p.requests.counts, p.requests.latest = nil, nil
}
