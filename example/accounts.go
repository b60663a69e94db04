package main

import (
	"context"
	"sync"
	"time"

	"github.com/agentconnect-go/agentconnect"
)

// accounts are this application's own data about agents. They are in memory only; a
// real application has a table with sub as its key.
type accounts struct {
	mu    sync.Mutex
	since map[string]time.Time // the first login, by sub
}

func newAccounts() *accounts { return &accounts{since: map[string]time.Time{}} }

// hook makes an account at the first login of an agent.
func (a *accounts) hook() agentconnect.LoginHook {
	return agentconnect.Accounts{
		Login: func(_ context.Context, agent agentconnect.Agent) (account string, err error) {
			if a.sinceOf(agent).IsZero() {
				return "", nil
			}
			return agent.Sub, nil
		},
		// Nothing here depends on an e-mail address, so none is stored.
		SubOfEmail: func(context.Context, string) (string, error) { return "", nil },
		Create: func(_ context.Context, agent agentconnect.Agent) (account string, err error) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.since[agent.Sub] = time.Now()
			return agent.Sub, nil
		},
	}.Hook()
}

// sinceOf returns the first login of an agent, zero if there was none here.
func (a *accounts) sinceOf(agent agentconnect.Agent) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.since[agent.Sub]
}
