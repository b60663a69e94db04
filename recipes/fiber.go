package recipes

import (
	"fmt"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/adaptor"

	"github.com/agentconnect-go/agentconnect"
)

// Fiber is no net/http; its adaptor translates. It keeps a whole answer back until
// the handler returns, so that server-sent events do not come one by one: serve those
// with net/http.
func Fiber(auth *agentconnect.Authenticator) *fiber.App {
	app := fiber.New()
	app.All("/login", adaptor.HTTPHandlerFunc(auth.Login))
	app.All("/callback", adaptor.HTTPHandlerFunc(auth.Callback))
	app.All("/logout", adaptor.HTTPHandlerFunc(auth.Logout))
	app.All("/logout/callback", adaptor.HTTPHandlerFunc(auth.LogoutCallback))
	app.Get("/", func(c fiber.Ctx) error { return c.SendString("home") })

	dossiers := app.Group("/dossiers", adaptor.HTTPMiddleware(auth.RequireAgent))
	dossiers.Get("/:id", func(c fiber.Ctx) error {
		agent, ok := agentconnect.AgentFrom(c.RequestCtx())
		if !ok { // an adaptor that lost the context must not go unnoticed
			return fiber.ErrInternalServerError
		}
		return c.SendString(fmt.Sprintf("dossier %s of %s", c.Params("id"), agent.Sub))
	})
	return app
}
