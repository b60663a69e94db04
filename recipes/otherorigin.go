package recipes

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/agentconnect-go/agentconnect"
)

// OtherOrigin is an API whose front end has another origin of the same site:
// https://demarches.example.gouv.fr calls https://api.example.gouv.fr. From another
// site, browsers would not send the session cookie. The script is web/otherorigin.js.
// Register the API's URLs; /retour and / lead back to the front end. To log out, the
// front end links to the API's /logout, which asks for confirmation.
func OtherOrigin(auth *agentconnect.Authenticator, front string) http.Handler {
	api := http.NewServeMux()
	api.HandleFunc("GET /api/me", func(w http.ResponseWriter, r *http.Request) {
		agent, _ := agentconnect.AgentFrom(r.Context())
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]string{"sub": agent.Sub})
	})
	forms := http.NewCrossOriginProtection()
	if err := forms.AddTrustedOrigin(front); err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", auth.Handler())
	mux.Handle("/api/", allowOrigin(front, auth.RequireAgent(forms.Handler(api))))
	toFront := func(w http.ResponseWriter, r *http.Request) {
		page, err := url.Parse(r.FormValue("page"))
		if err != nil || page.IsAbs() || page.Host != "" || !strings.HasPrefix(page.Path, "/") {
			page = &url.URL{Path: "/"}
		}
		http.Redirect(w, r, front+page.String(), http.StatusSeeOther)
	}
	mux.HandleFunc("GET /retour", toFront)
	mux.HandleFunc("GET /{$}", toFront) // after a logout
	return mux
}

// allowOrigin lets scripts of one origin call with cookies. It must be the outer
// handler: a preflight has no cookie.
func allowOrigin(front string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Origin")
		if r.Header.Get("Origin") == front {
			w.Header().Set("Access-Control-Allow-Origin", front)
			w.Header().Set("Access-Control-Allow-Credentials", "true")
			if r.Method == http.MethodOptions {
				w.Header().Set("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE")
				w.Header().Set("Access-Control-Allow-Headers", "Content-Type")
				w.WriteHeader(http.StatusNoContent)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}
