package recipes

import (
	"context"

	"github.com/agentconnect-go/agentconnect"
)

// Attribute replaces samlsp.AttributeFromContext, so that handlers can stay as they are
// for a while. Change the names to those that your identity provider sent. A NameID has
// no equivalent: see Rows.
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
