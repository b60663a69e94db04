package agentconnect_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/agentconnect-go/agentconnect"
)

// TestSessionManagerOfTheApplication runs the wiring of docs/scs.md: an application
// with an scs session manager of its own.
func TestSessionManagerOfTheApplication(t *testing.T) {
	t.Parallel()
	manager := scs.New()
	manager.Store = memstore.NewWithCleanupInterval(0)
	s := newSite(t, siteConfig{}, func(s *app) http.Handler {
		s.auth = s.newAuth(
			agentconnect.WithLoginHook(func(ctx context.Context, login *agentconnect.Login) error {
				if sub := manager.GetString(ctx, "sub"); sub != "" && sub != login.Agent.Sub {
					if err := manager.Clear(ctx); err != nil {
						return err
					}
				}
				manager.Put(ctx, "sub", login.Agent.Sub)
				return manager.RenewToken(ctx)
			}),
			agentconnect.WithLogoutHook(func(ctx context.Context, _ *agentconnect.Logout) {
				if err := manager.Destroy(ctx); err != nil {
					t.Errorf("the session of the application: %v", err)
				}
			}),
		)
		mux := http.NewServeMux()
		mux.Handle("/callback", manager.LoadAndSave(http.HandlerFunc(s.auth.Callback)))
		mux.Handle("/logout", manager.LoadAndSave(http.HandlerFunc(s.auth.Logout)))
		mux.HandleFunc("/login", s.auth.Login)
		mux.HandleFunc("/logout/callback", s.auth.LogoutCallback)
		// The application's own: a basket that is there before a login, and what an agent
		// wrote.
		mux.Handle("/basket", manager.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if item := r.FormValue("item"); item != "" {
				manager.Put(r.Context(), "basket", item)
			}
			io.WriteString(w, manager.GetString(r.Context(), "basket"))
		})))
		mux.Handle("GET /dossiers", s.auth.RequireAgent(manager.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			agent, _ := agentconnect.AgentFrom(r.Context())
			fmt.Fprintf(w, "%s: %s", agent.GivenName, manager.GetString(r.Context(), "basket"))
		}))))
		return mux
	})
	b := s.browser()
	const cookie = "session"

	b.post("/basket?item=stylo", nil)
	planted := b.cookies()[cookie]
	if planted == "" {
		t.Fatal("the application has no session before the login")
	}
	if got, want := b.login("/dossiers", "marie").body, "Marie Louise: stylo"; got != want {
		t.Errorf("after a login: got %q, want %q", got, want)
	}
	first := b.cookies()[cookie]
	if first == planted {
		t.Error("the application's token is that of before the login")
	}
	thief := s.browser()
	thief.setCookie(cookie, planted)
	if got := thief.fetch("/basket").body; got != "" {
		t.Errorf("with the token of before the login: got the basket %q, want none", got)
	}

	// The same agent again keeps what is theirs, somebody else finds nothing.
	b.login("/login", "marie")
	if got, want := b.fetch("/dossiers").body, "Marie Louise: stylo"; got != want {
		t.Errorf("after a second login: got %q, want %q", got, want)
	}
	s.provider.EndProviderSession(s.agentSub("marie"))
	b.login("/login", "karim")
	if got, want := b.fetch("/dossiers").body, "Karim: "; got != want {
		t.Errorf("after the login of somebody else: got %q, want %q", got, want)
	}

	// A logout ends both.
	b.post("/basket?item=cahier", nil)
	last := b.cookies()[cookie]
	b.post("/logout", nil)
	if got := b.cookies()[cookie]; got != "" {
		t.Errorf("after the logout: got the cookie %q, want none", got)
	}
	thief.setCookie(cookie, last)
	if got := thief.fetch("/basket").body; got != "" {
		t.Errorf("with the token of before the logout: got the basket %q, want none", got)
	}
	if got := b.sub(); got != "" {
		t.Errorf("after the logout: got the agent %q, want nobody", got)
	}
}
