package recipes

import (
	"context"

	"github.com/agentconnect-go/agentconnect"
)

// Attribute stands for samlsp.AttributeFromContext, so that handlers can stay as they
// are for a while. The names are those that the identity provider of the application
// sent: change them to yours. A NameID has no counterpart: see Rows.
func Attribute(ctx context.Context, name string) string {
	agent, _ := agentconnect.AgentFrom(ctx)
	switch name {
	case "mail":
		return agent.Email
	case "uid":
		return agent.UID
	case "givenName":
		return agent.GivenName
	case "sn":
		return agent.UsualName
	}
	return ""
}
