package agentconnect

import (
	"context"
	"time"
)

// BackChannelTimeout returns how long a call to the provider may take.
func BackChannelTimeout(a *Authenticator) time.Duration { return a.provider.client.Timeout }

// VerifyIDToken verifies an ID token as a callback does.
func VerifyIDToken(ctx context.Context, a *Authenticator, token, nonce, accessToken string) (map[string]any, error) {
	c, err := a.provider.verifyIDToken(ctx, token, nonce, accessToken)
	values := map[string]any{}
	for name, claim := range c {
		values[name] = claim.value()
	}
	return values, err
}

// RememberedLogins returns how many logins that ended are in memory.
func RememberedLogins(a *Authenticator) int {
	a.logins.mu.Lock()
	defer a.logins.mu.Unlock()
	return len(a.logins.ended)
}
