package agentconnect

import (
	"net/http"
	"net/url"

	"github.com/agentconnect-go/agentconnect/internal/weburl"
)

// returnTo returns the page to come back to after a login: target when it is a
// page of this application and none of our own routes (which would log in
// again, or out), otherwise the home page.
func (c *config) returnTo(target string) string {
	location, ok := weburl.Local(target)
	if !ok {
		return c.homePath
	}
	for _, own := range []string{c.loginPath, c.logoutPath, weburl.Path(c.redirectURL), weburl.Path(c.postLogoutURL)} {
		if weburl.SamePage(location, own) {
			return c.homePath
		}
	}
	return location
}

// requestTarget returns the path and query that the browser asked for. It is
// read from the request line, which http.StripPrefix and routers leave alone.
func requestTarget(r *http.Request) string {
	u, err := url.ParseRequestURI(r.RequestURI)
	if err != nil { // a request that no server received: httptest, a caller's own
		u = r.URL
	}
	return (&url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}).RequestURI()
}
