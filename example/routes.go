package main

import (
	"log/slog"
	"net/http"
	"strings"
	"time"
	_ "time/tzdata" // for systems without time zones

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/agentconnect-go/agentconnect"
)

// A site is the pages of the application and what they need.
type site struct {
	auth     *agentconnect.Authenticator
	accounts *accounts
	forms    *http.CrossOriginProtection
	pages    pages
	paris    *time.Location
	logger   *slog.Logger
}

// newSite makes the site that people open at url.
func newSite(auth *agentconnect.Authenticator, accounts *accounts, url string, logger *slog.Logger) (*site, error) {
	pages, err := parsePages(auth)
	if err != nil {
		return nil, err
	}
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		return nil, err
	}
	s := &site{auth: auth, accounts: accounts, forms: http.NewCrossOriginProtection(), pages: pages, paris: paris, logger: logger}
	// Behind a proxy that rewrites Host our own forms must not look foreign.
	if err := s.forms.AddTrustedOrigin(strings.TrimSuffix(url, "/")); err != nil {
		return nil, err
	}
	s.forms.SetDenyHandler(http.HandlerFunc(s.crossOrigin))
	return s, nil
}

// routes is the whole of the program's outside.
func (s *site) routes(callbackPath, logoutCallbackPath string) http.Handler {
	r := chi.NewRouter()
	r.Use(middleware.GetHead)
	r.NotFound(s.notFound)
	r.MethodNotAllowed(s.methodNotAllowed)

	// All methods: these handlers answer those that they do not take.
	r.HandleFunc("/login", s.auth.Login)
	r.HandleFunc("/logout", s.auth.Logout)
	r.HandleFunc(callbackPath, s.auth.Callback)
	r.HandleFunc(logoutCallbackPath, s.auth.LogoutCallback)

	r.With(s.auth.LoadAgent).Get("/", s.home)
	// The same, for who would rather be known: who has a session with AgentConnect is
	// logged in on the way.
	r.With(s.auth.SilentLogin).Get("/public", s.home)
	r.Get("/style.css", asset("style.css", "text/css; charset=utf-8"))
	r.Get("/agentconnect.css", agentconnect.ButtonStyle)
	r.Get("/favicon.ico", asset("favicon.svg", "image/svg+xml"))
	r.Get("/healthz", s.healthz)
	r.Get("/readyz", s.readyz)

	// Routers of their own rather than r.With(…).Get: a stranger gets a 401 for any
	// method, and does not learn which ones there are.
	r.Route("/agent", func(r chi.Router) {
		r.Use(s.auth.RequireAgent, s.forms.Handler)
		r.Get("/", s.agent)
		r.Post("/", s.write)
	})
	r.Route("/events", func(r chi.Router) {
		r.Use(s.auth.RequireAgent)
		r.Get("/", s.events)
	})
	r.Route("/mfa", func(r chi.Router) {
		r.Use(s.auth.Require(agentconnect.MFA()))
		r.Get("/", s.mfa)
	})
	r.Route("/agents-publics", func(r chi.Router) {
		r.Use(s.auth.Require(agentconnect.Role(agentconnect.RoleAgentPublic)))
		r.Get("/", s.agentsPublics)
	})
	r.Route("/dirigeants", func(r chi.Router) {
		r.Use(s.auth.Require(agentconnect.CertificationDirigeant()))
		r.Get("/", s.dirigeants)
	})
	return r
}
