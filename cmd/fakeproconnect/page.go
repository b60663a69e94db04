package main

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"strings"

	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

//go:embed page.html
var pageText string

// servePage lists clients, agents, faults and the last answers.
func (f *fake) servePage(w http.ResponseWriter, r *http.Request) {
	type shownClient struct{ ID, Variables string }
	s := f.settings.Load()
	data := struct {
		Issuer, Style, As string
		RIE               bool
		Clients           []shownClient
		Agents            []agentconnecttest.Agent
		Set               []string
		Faults            []agentconnecttest.FaultInfo
		Answers           []answer
	}{
		Issuer: f.issuer, Style: f.issuer + "/demonstration.css", As: f.pick(r), RIE: s.RIE,
		Agents: s.agents(), Set: s.Faults, Faults: agentconnecttest.Faults(), Answers: f.answers.list(),
	}
	for _, c := range s.clients() {
		data.Clients = append(data.Clients, shownClient{c.ID, strings.Join(f.variables(c), "\n")})
	}
	page, err := template.New("page").Parse(pageText)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	var body bytes.Buffer
	if err := page.Execute(&body, data); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(body.Bytes()) // the browser may have left
}
