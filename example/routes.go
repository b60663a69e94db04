package main

import (
	"log/slog"
	"net/http"
	"strings"
	"time"
	_ "time/tzdata" // for systems without time zones

	"github.com/go-chi/chi/v5"

	"github.com/agentconnect-go/agentconnect"
)

// A site has the pages of the application and the data that they need.
type site struct {
	auth     *agentconnect.Authenticator
	accounts *accounts
	forms    *http.CrossOriginProtection
	look     official
	pages    pages
	paris    *time.Location
	logger   *slog.Logger
}

// newSite makes the site at url.
func newSite(auth *agentconnect.Authenticator, accounts *accounts, look official, url string, logger *slog.Logger) (*site, error) {
	pages, err := parsePages(auth, look)
	if err != nil {
		return nil, err
	}
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		return nil, err
	}
	s := &site{auth: auth, accounts: accounts, forms: http.NewCrossOriginProtection(), look: look, pages: pages, paris: paris, logger: logger}
	// Behind a proxy that rewrites Host, our own forms must not look like those of
	// another site.
	if err := s.forms.AddTrustedOrigin(strings.TrimSuffix(url, "/")); err != nil {
		return nil, err
	}
	s.forms.SetDenyHandler(http.HandlerFunc(s.crossOrigin))
	return s, nil
}

// routes returns the handler of the whole program.
func (s *site) routes(callbackPath, logoutCallbackPath string) http.Handler {
	r := chi.NewRouter()
	r.NotFound(s.notFound)

	// All methods: these handlers refuse the methods that they do not accept.
	r.HandleFunc("/login", s.auth.Login)
	r.HandleFunc("/logout", s.auth.Logout)
	r.HandleFunc(callbackPath, s.auth.Callback)
	r.HandleFunc(logoutCallbackPath, s.auth.LogoutCallback)

	r.With(s.auth.LoadAgent).Handle("/", s.methods(s.home, nil))
	// The same, but agents with a session at ProConnect are logged in on the way.
	r.With(s.auth.SilentLogin).Handle("/public", s.methods(s.home, nil))
	r.Handle("/style.css", s.methods(asset("style.css", "text/css; charset=utf-8"), nil))
	r.Handle("/agentconnect.css", s.methods(agentconnect.ButtonStyle, nil))
	if s.look.picture != nil {
		r.Handle(picturePath, s.methods(serve(s.look.picture, picturePath, "image/svg+xml"), nil))
	}
	if s.look.designSystem != nil {
		r.Handle(designSystemPath+"*", s.methods(s.look.files(s.notFound), nil))
	}
	r.Handle("/favicon.ico", s.methods(asset("favicon.svg", "image/svg+xml"), nil))
	r.Handle("/healthz", s.methods(s.healthz, nil))
	r.Handle("/readyz", s.methods(s.readyz, nil))

	// A stranger gets a 401 for any method, and does not learn which methods exist.
	r.With(s.auth.RequireAgent, s.forms.Handler).Handle("/agent", s.methods(s.agent, s.write))
	r.With(s.auth.RequireAgent).Handle("/events", s.methods(s.events, nil))
	r.With(s.auth.Require(agentconnect.MFA())).Handle("/mfa", s.methods(s.mfa, nil))
	r.With(s.auth.Require(agentconnect.Role(agentconnect.RoleAgentPublic))).Handle("/agents-publics", s.methods(s.agentsPublics, nil))
	r.With(s.auth.Require(agentconnect.CertificationDirigeant())).Handle("/dirigeants", s.methods(s.dirigeants, nil))
	return r
}

// methods answers GET and HEAD with get and POST with post, unless that is nil, and
// refuses the others.
func (s *site) methods(get, post http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodGet || r.Method == http.MethodHead:
			get(w, r)
		case r.Method == http.MethodPost && post != nil:
			post(w, r)
		default:
			allow := "GET, HEAD"
			if post != nil {
				allow += ", POST"
			}
			w.Header().Set("Allow", allow)
			s.refuse(w, r, http.StatusMethodNotAllowed)
		}
	})
}
