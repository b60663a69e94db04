package recipes

import (
	"fmt"
	"net/http"

	"github.com/agentconnect-go/agentconnect"
)

// MethodOverride lets forms, which can only POST, use other methods. The override is
// the inner handler: RequireAgent and the protection against forged forms check the
// method that the browser really sent.
func MethodOverride(auth *agentconnect.Authenticator) http.Handler {
	dossiers := http.NewServeMux()
	dossiers.HandleFunc("DELETE /dossiers/{id}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "dossier %s is deleted", r.PathValue("id"))
	})

	mux := http.NewServeMux()
	mux.Handle("/", auth.Handler())
	forms := http.NewCrossOriginProtection()
	mux.Handle("/dossiers/", auth.RequireAgent(forms.Handler(override(dossiers))))
	return mux
}

func override(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			switch method := r.PostFormValue("_method"); method {
			case http.MethodPut, http.MethodPatch, http.MethodDelete:
				r = r.WithContext(r.Context()) // a copy
				r.Method = method
			}
		}
		next.ServeHTTP(w, r)
	})
}
