package recipes

import (
	"net/http"

	"github.com/labstack/echo/v5"

	"github.com/agentconnect-go/agentconnect"
)

// Echo's own adapters are enough.
func Echo(auth *agentconnect.Authenticator) http.Handler {
	e := echo.New()
	e.Any("/login", echo.WrapHandler(http.HandlerFunc(auth.Login)))
	e.Any("/callback", echo.WrapHandler(http.HandlerFunc(auth.Callback)))
	e.Any("/logout", echo.WrapHandler(http.HandlerFunc(auth.Logout)))
	e.Any("/logout/callback", echo.WrapHandler(http.HandlerFunc(auth.LogoutCallback)))
	e.GET("/", func(c *echo.Context) error { return c.String(http.StatusOK, "home") })

	dossiers := e.Group("/dossiers", echo.WrapMiddleware(auth.RequireAgent))
	dossiers.GET("/:id", func(c *echo.Context) error {
		agent, _ := agentconnect.AgentFrom(c.Request().Context())
		return c.String(http.StatusOK, "dossier "+c.Param("id")+" of "+agent.Sub)
	})
	return e
}
