package agentconnect

import (
	"net/http"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/cookies"
	"github.com/agentconnect-go/agentconnect/internal/navigation"
)

// silentPeriod is the time between two silent logins of a browser.
const (
	silentPeriod  = time.Hour
	silentSeconds = int(silentPeriod / time.Second)
	silentSuffix  = "-silent" // of the name of its cookie
)

// SilentLogin is [Authenticator.LoadAgent] for public pages that want to know the
// agent. It sends a stranger's browser to the provider with prompt=none (Core 1.0
// section 3.1.2.1). The browser returns to the same page, logged in if the provider
// knows the agent. SilentLogin does not demand a level, because the provider would then
// show a page. If the login does not reach [WithLevel], the visitor stays a stranger.
// If the service accepts public agents only, ProConnect shows other people its own page
// (Y500015).
//
// It tries once an hour for each browser. It does not try after a logout that did not
// come back from the provider, nor in a browser whose session ended otherwise. It only
// sends a person's navigation, in a browser with Fetch Metadata that has returned a
// cookie: no script, frame, prefetch or crawler. While the provider does not answer,
// the visitor gets the page as a stranger.
func (a *Authenticator) SilentLogin(next http.Handler) http.Handler {
	return a.LoadAgent(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if sessionFrom(r.Context()) != nil || r.Method != http.MethodGet || !navigation.Is(r) || !navigation.SaysBrowser(r.Header) {
			next.ServeHTTP(w, r)
			return
		}
		switch cookies.Value(r, a.config.cookieName+silentSuffix) {
		case "": // if the browser returns it, the next request tries
			a.setCookie(w, r, silentSuffix, silentReady, silentSeconds)
		case silentReady:
			if a.isLoggingOut(r) || a.hadSession(r) || !a.provider.Answers(r.Context()) {
				break
			}
			a.setCookie(w, r, silentSuffix, silentTried, silentSeconds)
			a.startLogin(w, r, &loginRequest{ReturnTo: navigation.Target(r), ACR: a.config.acr, Prompt: "none"})
			return
		}
		next.ServeHTTP(w, r)
	}))
}

// The values of the cookie of silent logins.
const (
	silentReady = "0" // this browser keeps cookies: try
	silentTried = "1" // tried
)

// hadSession reports whether a session of the browser ended here, for example by the
// idle timeout. Then no silent login is tried.
func (a *Authenticator) hadSession(r *http.Request) bool {
	return len(a.sessions.presented(r)) > 0 || a.hasCookie(r, idleSuffix)
}
