package agentconnect

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/cookies"
)

const (
	// silentPeriod is how long a browser is left in peace after a silent try.
	silentPeriod = time.Hour
	// silentPatience is how long a public page waits to learn about the provider.
	silentPatience = time.Second
)

// SilentLogin is [Authenticator.LoadAgent] for public pages that would rather
// know the agent: it sends a stranger's browser to the provider with prompt=none
// (Core 1.0 section 3.1.2.1), and it comes back to the same page, logged in if the
// provider knows the agent, as a stranger if not. The provider shows nothing
// either way.
//
// It tries once an hour and browser, not in the hour after a logout that did not
// come back from the provider, and not in a browser whose session ended otherwise. Only the navigations of a browser to a
// page of its own are sent: no script, no frame, no prefetch, no crawler, no
// browser too old for Fetch Metadata. When the provider is away, the page is
// served to a stranger.
func (a *Authenticator) SilentLogin(next http.Handler) http.Handler {
	a.silent.Store(true)
	return a.LoadAgent(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if sessionFrom(r.Context()) != nil || !a.maySilently(r) {
			next.ServeHTTP(w, r)
			return
		}
		a.rememberSilentTry(w)
		a.startLogin(w, r, &loginRequest{ReturnTo: requestTarget(r), ACR: a.config.acr, Prompt: "none"})
	}))
}

// maySilently reports whether a request may be sent to the provider and back.
func (a *Authenticator) maySilently(r *http.Request) bool {
	h := r.Header
	if r.Method != http.MethodGet || h.Get("Sec-Fetch-Mode") != "navigate" || h.Get("Sec-Fetch-Dest") != "document" || h.Get("Sec-Purpose") != "" {
		return false
	}
	if isCrawler(h.Get("User-Agent")) || len(r.CookiesNamed(a.silentCookieName())) > 0 {
		return false
	}
	// Whoever comes after a session that ended here, by the idle timeout for one, is
	// not logged in without being asked.
	if len(a.sessions.presented(r)) > 0 || len(cookies.Named(r, a.idleCookieName())) > 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(r.Context(), silentPatience)
	defer cancel()
	_, err := a.provider.Metadata(ctx)
	return err == nil
}

// isCrawler recognises those who say so.
func isCrawler(userAgent string) bool {
	userAgent = strings.ToLower(userAgent)
	for _, word := range []string{"bot", "crawl", "spider", "slurp", "preview"} {
		if strings.Contains(userAgent, word) {
			return true
		}
	}
	return false
}

func (a *Authenticator) silentCookieName() string { return a.config.cookieName + "-silent" }

// rememberSilentTry keeps the browser from being sent again, where pages do
// that.
func (a *Authenticator) rememberSilentTry(w http.ResponseWriter) {
	if a.silent.Load() {
		http.SetCookie(w, cookies.New(a.silentCookieName(), "1", int(silentPeriod.Seconds()), a.config.secureCookies))
	}
}

// forgetSilentTry lets the browser be sent again.
func (a *Authenticator) forgetSilentTry(w http.ResponseWriter) {
	if a.silent.Load() {
		http.SetCookie(w, cookies.New(a.silentCookieName(), "", -1, a.config.secureCookies))
	}
}
