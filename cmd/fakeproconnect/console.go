package main

import (
	"net/http"

	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

// cookieAgent names the agent that one browser logs in as, without a click.
const cookieAgent = "fakeproconnect_agent"

// pick returns the agent of the browser, or the one of -login.
func (f *fake) pick(r *http.Request) string {
	if cookie, err := r.Cookie(cookieAgent); err == nil {
		return cookie.Value
	}
	return f.settings.Load().Login
}

// serveAs makes this browser log in as an agent without a click. Without a name, the
// browser gets the login page again.
func (f *fake) serveAs(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("agent")
	if _, known := f.provider.Agent(name); name != "" && !known {
		http.Error(w, "no agent is called "+name, http.StatusNotFound)
		return
	}
	cookie := &http.Cookie{Name: cookieAgent, Value: name, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if name == "" {
		cookie.MaxAge = -1
	}
	http.SetCookie(w, cookie)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// injectFaults injects the faults that the form or the query names.
func (f *fake) injectFaults(w http.ResponseWriter, r *http.Request) {
	names := r.URL.Query()["name"]
	if r.ParseForm() == nil {
		names = r.Form["name"]
	}
	if len(names) == 0 {
		http.Error(w, "name a fault: /faults?name=token-error-503", http.StatusBadRequest)
		return
	}
	for _, name := range names {
		if !isFault(name) {
			http.Error(w, "no fault is called "+name, http.StatusNotFound)
			return
		}
	}
	for _, name := range names {
		f.provider.Inject(agentconnecttest.Fault(name))
	}
	w.WriteHeader(http.StatusNoContent)
}

// clearFaults restores the faults of the settings.
func (f *fake) clearFaults(w http.ResponseWriter, _ *http.Request) {
	f.use(*f.settings.Load())
	w.WriteHeader(http.StatusNoContent)
}
