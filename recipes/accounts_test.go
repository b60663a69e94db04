package recipes_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/sessions"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/recipes"
)

func TestPrivate(t *testing.T) {
	t.Parallel()
	a := start(t, recipes.Private, recipes.PrivateOptions()...)
	b := a.browser()
	resp, body := b.login("/")
	b.want(resp, body, http.StatusOK, "the files of "+a.marie())
	resp, _ = b.do(http.MethodPost, a.url+"/logout", navigation(), nil)
	for resp.StatusCode == http.StatusSeeOther {
		next, err := resp.Location()
		if err != nil {
			t.Fatal(err)
		}
		resp, body = b.do(http.MethodGet, next.String(), navigation(), nil)
	}
	b.want(resp, body, http.StatusOK, "Vous êtes déconnecté.")
	b.want(resp, body, http.StatusOK, `action="/login"`)
	resp, body = b.do(http.MethodGet, a.url+"/", script(), nil)
	b.wantUnauthenticated(resp, body)
}

func TestWithUser(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		user   *recipes.User
		err    error
		status int
		body   string
	}{
		"there":   {&recipes.User{ID: "7", Admin: true}, nil, http.StatusOK, "user 7, admin true"},
		"removed": {nil, nil, http.StatusForbidden, "supprimé"},
		"unknown": {nil, errors.New("no database"), http.StatusServiceUnavailable, "Réessayez"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := start(t, func(auth *agentconnect.Authenticator) http.Handler {
				withUser := recipes.WithUser(auth, func(_ context.Context, account string) (*recipes.User, error) {
					if account != "account 7" {
						t.Errorf("got the account %q, want that of the login hook", account)
					}
					return test.user, test.err
				})
				mux := http.NewServeMux()
				mux.Handle("/", auth.Handler())
				mux.Handle("/dossiers", withUser(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					user := recipes.UserFrom(r.Context())
					fmt.Fprintf(w, "user %s, admin %t", user.ID, user.Admin)
				})))
				return mux
			}, agentconnect.WithLoginHook(func(_ context.Context, login *agentconnect.Login) error {
				login.Account = "account 7"
				return nil
			}))
			b := a.browser()
			resp, body := b.do(http.MethodGet, a.url+"/dossiers", script(), nil)
			b.wantUnauthenticated(resp, body)
			resp, body = b.login("/dossiers")
			b.want(resp, body, test.status, test.body)
		})
	}
}

// TestPasswords links a user with a password to marie, and shows who is logged in
// after each step.
func TestPasswords(t *testing.T) {
	t.Parallel()
	subs := map[string]string{} // by user
	p := recipes.Passwords{
		Store: sessions.NewCookieStore([]byte("a key of thirty-two bytes, or so")),
		Name:  "demarches",
		Find: func(_ context.Context, sub string) (string, error) {
			for user, s := range subs {
				if s == sub {
					return user, nil
				}
			}
			return "", nil
		},
		Link: func(_ context.Context, user, sub string) error {
			if subs[user] != "" {
				return errors.New("linked to another agent")
			}
			subs[user] = sub
			return nil
		},
	}
	a := start(t, func(auth *agentconnect.Authenticator) http.Handler {
		mux := http.NewServeMux()
		mux.Handle("/", auth.Handler())
		mux.HandleFunc("/password", func(w http.ResponseWriter, r *http.Request) {
			session, _ := p.Store.Get(r, p.Name)
			clear(session.Values)
			session.Values["user"] = r.URL.Query().Get("user")
			if err := session.Save(r, w); err != nil {
				t.Error(err)
			}
		})
		mux.Handle("/link", auth.LoadAgent(p.Linking(auth)))
		mux.Handle("/logout", p.Logout(auth))
		mux.Handle("/preferences", auth.LoadAgent(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "user %q", p.User(r))
		})))
		return mux
	}, agentconnect.WithLoginHook(p.LoginHook))

	b := a.browser()
	who := func(b *browser, want string) {
		t.Helper()
		resp, body := b.do(http.MethodGet, a.url+"/preferences", navigation(), nil)
		b.want(resp, body, http.StatusOK, fmt.Sprintf("user %q", want))
	}
	post := func(b *browser, path string, header http.Header) *http.Response {
		t.Helper()
		resp, _ := b.do(http.MethodPost, a.url+path, header, strings.NewReader(""))
		return resp
	}

	resp, body := b.login("/login?return_to=/preferences")
	b.want(resp, body, http.StatusForbidden, "mot de passe")
	who(b, "")
	if got := post(b, "/link", navigation()).StatusCode; got != http.StatusForbidden {
		t.Errorf("a stranger links: got %d, want 403", got)
	}

	post(b, "/password?user=paul", navigation())
	who(b, "paul")
	// Without the wish, the login of an agent changes nothing for paul.
	b.login("/login?return_to=/preferences")
	who(b, "paul")
	forged := navigation()
	forged.Set("Sec-Fetch-Site", "cross-site")
	if got := post(b, "/link", forged).StatusCode; got != http.StatusForbidden {
		t.Errorf("a form of another site links: got %d, want 403", got)
	}
	b.login("/login?return_to=/preferences")
	if len(subs) != 0 {
		t.Fatalf("got the links %v, want none", subs)
	}

	if got := post(b, "/link", navigation()).StatusCode; got != http.StatusSeeOther && got != http.StatusFound {
		t.Fatalf("paul links: got %d, want a redirect", got)
	}
	resp, body = b.login("/login?return_to=/preferences")
	b.want(resp, body, http.StatusOK, `user "paul"`)
	if subs["paul"] != a.marie() {
		t.Errorf("got the links %v, want paul with marie", subs)
	}

	// The session of the application alone is worth nothing after the logout.
	post(b, "/logout", navigation())
	who(b, "")

	// Nor is a user logged in any more who logged in by password, unless another site
	// asked for the logout.
	post(b, "/password?user=paul", navigation())
	post(b, "/logout", forged)
	who(b, "paul")
	post(b, "/logout", navigation())
	who(b, "")

	// From another browser, without a password.
	b = a.browser()
	resp, body = b.login("/login?return_to=/preferences")
	b.want(resp, body, http.StatusOK, `user "paul"`)

	// Another user cannot take marie over.
	b = a.browser()
	post(b, "/password?user=anne", navigation())
	post(b, "/link", navigation())
	resp, body = b.login("/login?return_to=/preferences")
	b.want(resp, body, http.StatusForbidden, "utilisateur")
	who(b, "anne")
	if subs["anne"] != "" {
		t.Errorf("got the links %v, want none for anne", subs)
	}
}
