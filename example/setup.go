package main

import (
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/agentconnect-go/agentconnect"
)

// supportContact is on every page that refuses something.
const supportContact = "assistance@demarches.example.gouv.fr"

// A setup is the configuration of the environment, without the application's port.
type setup struct {
	url                              string // the URL that people open
	callbackPath, logoutCallbackPath string
	auth                             *agentconnect.Authenticator
	accounts                         *accounts
	look                             official
	demo                             *demo // nil with a real provider
	closeStore                       func()
}

// newSetup reads the environment of an application at a port. The error joins all the
// problems. The setup is never nil; the caller closes it.
func newSetup(port int, logger *slog.Logger) (*setup, error) {
	var problems []error
	note := func(err error) {
		if err != nil {
			problems = append(problems, err)
		}
	}

	s := &setup{accounts: newAccounts(), closeStore: func() {}}
	registered := readURLs(port)
	s.url = registered.home()
	var err error
	s.callbackPath, err = path("PROCONNECT_REDIRECT_URL or AGENTCONNECT_REDIRECT_URL", registered.redirect)
	note(err)
	s.logoutCallbackPath, err = path("PROCONNECT_POST_LOGOUT_REDIRECT_URL or AGENTCONNECT_POST_LOGOUT_REDIRECT_URL", registered.postLogoutRedirect)
	note(err)

	s.look, err = readOfficial()
	note(err)

	// The options before FromEnv are the defaults.
	opts := []agentconnect.Option{
		agentconnect.WithRedirectURL(registered.redirect),
		agentconnect.WithPostLogoutRedirectURL(registered.postLogoutRedirect),
	}
	if setting("ISSUER", "") == "" && setting("ENVIRONMENT", "") == "" {
		s.demo, err = newDemo(registered)
		if err != nil {
			return s, errors.Join(append(problems, err)...)
		}
		opts = append(opts, s.demo.options()...)
	}
	opts = append(opts,
		agentconnect.FromEnv(),
		agentconnect.WithLoginPath("/login"),
		agentconnect.WithLogoutPath("/logout"),
		agentconnect.WithLoginParameters("login_hint"),
		agentconnect.WithLoginHook(s.accounts.hook()),
		agentconnect.WithLogoutHook(farewell(strings.HasPrefix(registered.redirect, "https:"))),
		agentconnect.WithServiceName("Démarches des agents"),
		agentconnect.WithPageTemplate(servicePage()),
		agentconnect.WithSupportContact(supportContact),
		agentconnect.WithLogger(logger),
	)
	if scopes := strings.Fields(setting("SCOPES", "")); len(scopes) > 0 && !slices.Contains(scopes, "roles") {
		note(errors.New("PROCONNECT_SCOPES or AGENTCONNECT_SCOPES: invalid: /agents-publics needs the scope roles"))
	}
	store, closeStore, err := openStore(os.Getenv("SESSION_STORE"))
	note(err)
	if store != nil {
		opts = append(opts, agentconnect.WithSessionStore(store))
		s.closeStore = closeStore
	}
	s.auth, err = agentconnect.New(opts...)
	note(err)
	return s, errors.Join(problems...)
}

// startDemo starts the embedded provider if there is one.
func (s *setup) startDemo(logger *slog.Logger) error {
	if s.demo == nil {
		return nil
	}
	return s.demo.start(logger)
}

// close closes everything, the store last.
func (s *setup) close() {
	if s.demo != nil {
		s.demo.close()
	}
	s.closeStore()
}
