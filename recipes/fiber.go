package recipes

import (
	"fmt"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/adaptor"

	"github.com/agentconnect-go/agentconnect"
)

// Fiber does not use net/http; its adaptor translates. The adaptor buffers an answer
// until the handler returns. Serve server-sent events with net/http.
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
		if !ok { // notice an adaptor that loses the context
			return fiber.ErrInternalServerError
		}
		return c.SendString(fmt.Sprintf("dossier %s of %s", c.Params("id"), agent.Sub))
	})
	return app
}
