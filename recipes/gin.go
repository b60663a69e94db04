package recipes

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/agentconnect-go/agentconnect"
)

// Gin needs an adapter. Do not write one that calls RequireAgent with an empty handler
// and then continues: gin runs the next handlers unless Abort is called, so a stranger
// would get the redirect together with the protected content.
func Gin(auth *agentconnect.Authenticator) http.Handler {
	r := gin.New()
	r.Any("/login", gin.WrapF(auth.Login))
	r.Any("/callback", gin.WrapF(auth.Callback))
	r.Any("/logout", gin.WrapF(auth.Logout))
	r.Any("/logout/callback", gin.WrapF(auth.LogoutCallback))
	r.GET("/", func(c *gin.Context) { c.String(http.StatusOK, "home") })

	dossiers := r.Group("/dossiers", GinMiddleware(auth.RequireAgent))
	dossiers.GET("/:id", func(c *gin.Context) {
		agent, _ := agentconnect.AgentFrom(c.Request.Context())
		c.String(http.StatusOK, "dossier %s of %s", c.Param("id"), agent.Sub)
	})
	return r
}

// GinMiddleware makes a gin handler of a middleware: RequireAgent, LoadAgent, or the
// result of Require.
func GinMiddleware(middleware func(http.Handler) http.Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		passed := false
		middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			passed = true
			c.Request = r // its context has the agent
			c.Next()
		})).ServeHTTP(c.Writer, c.Request)
		if !passed {
			c.Abort()
		}
	}
}
