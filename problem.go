package agentconnect

import (
	"encoding/json"
	"net/http"
)

// A problem is what a program is answered (RFC 9457), in English.
type problem struct {
	Type        string   `json:"type"`
	Title       string   `json:"title"`
	Status      int      `json:"status"`
	Detail      string   `json:"detail"`
	Code        Code     `json:"code"`
	ErrorID     string   `json:"error_id,omitempty"`
	LoginURL    string   `json:"login_url,omitempty"`
	AcceptedACR []string `json:"accepted_acr,omitempty"`
	Reasons     []string `json:"reasons,omitempty"`
}

func newProblem(e *Error, title, detail string) *problem {
	p := &problem{
		Type:        "about:blank",
		Title:       title,
		Status:      e.Status,
		Detail:      detail,
		Code:        e.Code,
		ErrorID:     e.ID,
		AcceptedACR: e.AcceptedACR,
	}
	for _, reason := range e.Reasons {
		p.Reasons = append(p.Reasons, reason.in("en"))
	}
	return p
}

func (p *problem) serve(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(p.Status)
	json.NewEncoder(w).Encode(p)
}
