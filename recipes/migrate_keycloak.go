package recipes

import (
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/agentconnect-go/agentconnect"
)

// FromKeycloak is a gin application whose roles were in Keycloak's realm_access.
// ProConnect has no roles of an application. They move into the application's own
// table, under the account that the login hook found (see Rows).
func FromKeycloak(auth *agentconnect.Authenticator, rolesOf func(account string) []string) http.Handler {
	r := gin.New()
	for _, path := range []string{"/login", "/callback", "/logout", "/logout/callback"} {
		r.Any(path, gin.WrapH(auth.Handler()))
	}
	dossiers := r.Group("/dossiers", GinMiddleware(auth.RequireAgent), hasRole(rolesOf, "instructeur"))
	dossiers.GET("/:id", func(c *gin.Context) {
		c.String(http.StatusOK, "dossier %s, for %s", c.Param("id"), agentconnect.AccountFrom(c.Request.Context()))
	})
	return r
}

// hasRole replaces the middleware that read the access token.
func hasRole(rolesOf func(account string) []string, role string) gin.HandlerFunc {
	return func(c *gin.Context) {
		if account := agentconnect.AccountFrom(c.Request.Context()); !slices.Contains(rolesOf(account), role) {
			c.AbortWithStatus(http.StatusForbidden)
		}
	}
}
