package agentconnecttest

import (
	"net/http"
	"strings"
	"sync"
)

const pathMoved = "/moved/"

// movedAnswers are the answers that [Answer.Redirect] moved to another address.
type movedAnswers struct {
	mu      sync.Mutex
	answers map[string]*Answer
}

// movedMax bounds the answers that are kept. Most clients rightly never fetch them.
const movedMax = 64

// move keeps an answer and returns the redirect to it.
func (m *movedAnswers) move(a *Answer, issuer string) *Answer {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.answers == nil || len(m.answers) >= movedMax {
		m.answers = make(map[string]*Answer)
	}
	id := random()
	m.answers[id] = a
	return &Answer{Status: a.Redirect, Header: http.Header{"Location": {issuer + pathMoved + id}}}
}

func (p *Provider) serveMoved(a *Answer, r *http.Request) {
	p.moved.mu.Lock()
	found := p.moved.answers[strings.TrimPrefix(r.URL.Path, p.base+pathMoved)]
	p.moved.mu.Unlock()
	if found == nil {
		p.serveNotFound(a, r)
		return
	}
	a.Status, a.Header, a.Body = found.Status, found.Header.Clone(), found.Body
}
