package recipes

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/agentconnect-go/agentconnect"
)

// A Row is an account of an application that identified people by their e-mail address,
// or by the sub of another provider (Keycloak, FranceConnect, a SAML NameID). The old
// sub stays in its column, for the old login. ProConnect's sub has its own column,
// unique and empty at first. The two are never compared.
type Row struct{ ID, Email, FormerSub, ProConnectSub string }

// Rows stands for the table.
type Rows struct {
	mu  sync.Mutex
	All []*Row
}

// Accounts finds rows by ProConnect's sub. Until the given time, a row without a sub is
// attached, once, to the agent with its e-mail address. After that the address is no
// longer used. If an address now belongs to another person, that person gets the
// account: set an early end, and leave out accounts that were not used for a long time.
func (rows *Rows) Accounts(attachUntil time.Time, now func() time.Time) agentconnect.Accounts {
	return agentconnect.Accounts{
		Login: func(_ context.Context, agent agentconnect.Agent) (string, error) {
			rows.mu.Lock()
			defer rows.mu.Unlock()
			for _, row := range rows.All {
				if row.ProConnectSub == agent.Sub {
					row.Email = agent.Email
					return row.ID, nil
				}
			}
			for _, row := range rows.All {
				if row.ProConnectSub == "" && agent.Email != "" && strings.EqualFold(row.Email, agent.Email) && now().Before(attachUntil) {
					row.ProConnectSub = agent.Sub
					return row.ID, nil
				}
			}
			return "", nil // no account: the login is refused, since there is no Create
		},
	}
}
