package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/agentconnect-go/agentconnect"
)

// home is the public page: the button, or the agent's name. After a logout it confirms
// the logout.
func (s *site) home(w http.ResponseWriter, r *http.Request) {
	if takeFarewell(w, r) {
		if _, loggedIn := agentconnect.AgentFrom(r.Context()); !loggedIn {
			s.show(w, r, http.StatusOK, "loggedout")
			return
		}
	}
	s.show(w, r, http.StatusOK, "home")
}

// agent shows the agent's data, to a person or to a program.
func (s *site) agent(w http.ResponseWriter, r *http.Request) {
	w.Header().Add("Vary", "Accept")
	if !prefersJSON(r) {
		s.show(w, r, http.StatusOK, "agent")
		return
	}
	agent, _ := agentconnect.AgentFrom(r.Context())
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if err := json.NewEncoder(w).Encode(agent); err != nil {
		s.logger.WarnContext(r.Context(), "answering with the agent's data", "cause", err)
	}
}

// write stands for any route that changes data.
func (s *site) write(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusNoContent)
}

// mfa is for agents who logged in with several factors.
func (s *site) mfa(w http.ResponseWriter, r *http.Request) {
	s.show(w, r, http.StatusOK, "mfa")
}

// agentsPublics is for public agents.
func (s *site) agentsPublics(w http.ResponseWriter, r *http.Request) {
	s.show(w, r, http.StatusOK, "agents-publics")
}

// dirigeants is for people who legally represent their organisation.
func (s *site) dirigeants(w http.ResponseWriter, r *http.Request) {
	s.show(w, r, http.StatusOK, "dirigeants")
}

const (
	eventCount  = 3
	eventPeriod = 100 * time.Millisecond
)

// events sends server-sent events (WHATWG HTML, section 9.2), each at once.
func (s *site) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would buffer them
	if r.Method == http.MethodHead {
		return
	}
	out := http.NewResponseController(w)
	ticker := time.NewTicker(eventPeriod)
	defer ticker.Stop()
	for i := range eventCount {
		if i > 0 {
			select {
			case <-ticker.C:
			case <-r.Context().Done():
				return
			}
		}
		fmt.Fprintf(w, "id: %d\ndata: {\"event\":%d}\n\n", i+1, i+1)
		if err := out.Flush(); err != nil {
			return // the client has left
		}
	}
}

// healthz reports that the process is alive.
func (s *site) healthz(w http.ResponseWriter, _ *http.Request) {
	writeText(w, http.StatusOK, "ok")
}

// readyTimeout is how long a probe waits for the provider.
const readyTimeout = 2 * time.Second

// readyz reports whether agents can log in: 503 with a code until ProConnect's metadata
// is known. The cause is only in the log, because anyone can open this page. The
// session store is not checked: if it is down, it is down for every instance, and
// removing them all would also remove the public pages.
func (s *site) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if err := s.auth.Ready(ctx); err != nil {
		s.logger.WarnContext(r.Context(), "not ready", "cause", err)
		code := agentconnect.CodeInternal
		if e, ok := errors.AsType[*agentconnect.Error](err); ok {
			code = e.Code
		}
		w.Header().Set("Retry-After", "5")
		writeText(w, http.StatusServiceUnavailable, string(code))
		return
	}
	writeText(w, http.StatusOK, "ok")
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	io.WriteString(w, text+"\n")
}

// crossOrigin refuses forms of other sites, with the library's answer.
func (s *site) crossOrigin(w http.ResponseWriter, r *http.Request) {
	s.auth.ServeError(w, r, &agentconnect.Error{Code: "cross_origin", Status: http.StatusForbidden})
}

func (s *site) notFound(w http.ResponseWriter, r *http.Request) {
	s.refuse(w, r, http.StatusNotFound)
}

// refuse answers a request without a route, or with a method that its route does not
// accept: with a page for a navigation, and with a problem (RFC 9457) for anything else.
func (s *site) refuse(w http.ResponseWriter, r *http.Request, status int) {
	if isNavigation(r) {
		s.show(w, r, status, "refused")
		return
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"type": "about:blank", "title": http.StatusText(status), "status": status})
}
