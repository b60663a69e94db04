package agentconnect

import (
	"net/http"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/cookies"
	"github.com/agentconnect-go/agentconnect/internal/navigation"
)

// silentPeriod is how long a browser is left in peace after a silent try.
const (
	silentPeriod  = time.Hour
	silentSeconds = int(silentPeriod / time.Second)
	silentSuffix  = "-silent" // of the name of its cookie
)

// SilentLogin is [Authenticator.LoadAgent] for public pages that would rather
// know the agent: it sends a stranger's browser to the provider with prompt=none
// (Core 1.0 section 3.1.2.1), and it comes back to the same page, logged in if the
// provider knows the agent, as a stranger if not. It demands no level, since the
// provider would ask for it aloud; a login that does not reach what [WithLevel]
// demands logs nobody in. For a service that takes public agents only, ProConnect
// still shows others a page of its own (Y500015).
//
// It tries once an hour and browser, not after a logout that did not come back from
// the provider, and not in a browser whose session ended otherwise. Only a person's
// navigation is sent, of a browser that has shown that it keeps cookies, with Fetch
// Metadata: no script, no frame, no prefetch, no crawler. While the provider does not
// answer, the page is served to a stranger.
func (a *Authenticator) SilentLogin(next http.Handler) http.Handler {
	return a.LoadAgent(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if sessionFrom(r.Context()) != nil || r.Method != http.MethodGet || !navigation.Is(r) || !navigation.SaysBrowser(r.Header) {
			next.ServeHTTP(w, r)
			return
		}
		switch cookies.Value(r, a.config.cookieName+silentSuffix) {
		case "": // a browser that returns it is tried the next time
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
	silentReady = "0" // this browser can be tried
	silentTried = "1" // it was
)

// hadSession reports whether a session of the browser ended here, by the idle timeout
// for one: its agent is not logged in without being asked.
func (a *Authenticator) hadSession(r *http.Request) bool {
	return len(a.sessions.presented(r)) > 0 || a.hasCookie(r, idleSuffix)
}
