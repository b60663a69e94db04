package main

import (
	"context"
	"net/http"

	"github.com/agentconnect-go/agentconnect"
)

// farewellCookie tells the home page, after the way through ProConnect, that the agent
// has just logged out. Planting it gains nothing.
const farewellCookie = "deconnecte"

// farewellTime is how long the way may take, in seconds.
const farewellTime = 600

// farewell is a logout hook.
func farewell(secure bool) agentconnect.LogoutHook {
	return func(_ context.Context, logout *agentconnect.Logout) {
		http.SetCookie(logout.Writer, &http.Cookie{
			Name: farewellCookie, Value: "1", Path: "/", MaxAge: farewellTime, Secure: secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
		})
	}
}

// takeFarewell reports, once, whether the browser comes from a logout.
func takeFarewell(w http.ResponseWriter, r *http.Request) bool {
	if _, err := r.Cookie(farewellCookie); err != nil {
		return false
	}
	http.SetCookie(w, &http.Cookie{Name: farewellCookie, Path: "/", MaxAge: -1})
	return true
}
