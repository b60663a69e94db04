package recipes

import (
	"context"
	"net/http"

	"github.com/agentconnect-go/agentconnect"
)

// A User is a row of the application's own table.
type User struct {
	ID    string
	Admin bool
}

type userKey struct{}

// WithUser is RequireAgent with the application's user in the context. find reads the
// current row of an account, by the key that the login hook set, and returns nil if
// there is none any more.
func WithUser(auth *agentconnect.Authenticator, find func(ctx context.Context, account string) (*User, error)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return auth.RequireAgent(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			user, err := find(r.Context(), agentconnect.AccountFrom(r.Context()))
			switch {
			case err != nil:
				http.Error(w, "Réessayez dans un instant.", http.StatusServiceUnavailable)
			case user == nil:
				http.Error(w, "Votre compte a été supprimé.", http.StatusForbidden)
			default:
				next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, user)))
			}
		}))
	}
}

// UserFrom returns the user behind WithUser, nil elsewhere.
func UserFrom(ctx context.Context) *User {
	user, _ := ctx.Value(userKey{}).(*User)
	return user
}
