package agentconnecttest

import (
	"net/http"
	"net/url"
	"strings"
)

// CallbackError returns a Tamper that makes the provider answer every login with this
// error. The code and the description can be anything, as a user can forge both.
func CallbackError(code, description string) Tamper {
	return Tamper{Callback: inQuery(func(q url.Values) {
		q.Del("code")
		q.Set("error", code)
		q.Set("error_description", description)
	})}
}

func callbackDefinitions() []definition {
	long := strings.Repeat("x", 40_000)
	var all []definition
	for _, row := range []struct {
		name, effect string
		verdict      verdict
		tamper       Tamper
	}{
		{"callback-wrong-issuer", "iss is another issuer", otherIssuer, query("iss", stranger)},
		{"callback-missing-issuer", "no iss", otherIssuer, query("iss")},
		{"callback-empty-issuer", "iss is empty", otherIssuer, query("iss", "")},
		{"callback-issuer-slash", "iss has a slash more", otherIssuer, Tamper{Callback: inQuery(func(q url.Values) { q.Set("iss", q.Get("iss")+"/") })}},
		{"callback-repeated-issuer", "iss is repeated", badRequest, Tamper{Callback: inQuery(func(q url.Values) { q.Add("iss", q.Get("iss")) })}},
		{"callback-missing-state", "no state", badRequest, query("state")},
		{"callback-empty-state", "state is empty", badRequest, query("state", "")},
		{"callback-wrong-state", "state that nobody started", unknownState, query("state", "a-state-that-nobody-started-0123456789012345")},
		{"callback-repeated-state", "state is repeated", badRequest, Tamper{Callback: inQuery(func(q url.Values) { q.Add("state", q.Get("state")) })}},
		{"callback-missing-code", "neither code nor error", badRequest, query("code")},
		{"callback-empty-code", "code is empty", badRequest, query("code", "")},
		{"callback-repeated-code", "code is repeated", badRequest, Tamper{Callback: inQuery(func(q url.Values) { q.Add("code", q.Get("code")) })}},
		{"callback-invalid-code", "code that the provider did not issue", badGrant, query("code", "a-code-that-nobody-issued-01234567890123456789")},
		{"callback-code-and-error", "code and error", badRequest, query("error", "access_denied")},
		{"callback-huge-code", "code of forty thousand characters", badRequest, query("code", long)},
		{"callback-huge-state", "state of forty thousand characters", badRequest, query("state", long)},
		{"callback-malformed-escape", "malformed escape", badRequest, Tamper{Callback: func(u *url.URL) { u.RawQuery += "&more=%zz" }}},
		{"callback-unknown-parameter", "parameters that nobody knows", allowed, query("session_state", "unknown", "more")},
		{"callback-access-denied", "access_denied: the level is out of reach", denied, CallbackError("access_denied", descriptionACR)},
		{"callback-aborted", "access_denied: the provider's session is lost, or the agent gave up", sessionLost, CallbackError("access_denied", descriptionAborted)},
		{"callback-invalid-identity", "access_denied: no public agent, or a blocked account", badIdentity, CallbackError("access_denied", descriptionIdentity)},
		{"callback-limitation", "access_denied: the e-mail domain is not accepted", otherDomain, CallbackError("access_denied", descriptionLimitation)},
		{"callback-technical-error", "server_error: a failure at ProConnect or at the identity provider", providerError, CallbackError("server_error", descriptionTechnical)},
		{"callback-idp-error", "invalid_request: a failure at the identity provider", providerError, CallbackError("invalid_request", descriptionTechnical)},
		{"callback-server-error", "server_error", providerError, CallbackError("server_error", "An unexpected error occurred")},
		{"callback-login-required", "login_required", loginRequired, CallbackError("login_required", "End-User authentication is required")},
		{"callback-invalid-scope", "invalid_scope", ourRequest, CallbackError("invalid_scope", "requested scope is not allowed")},
		{"callback-temporarily-unavailable", "temporarily_unavailable", away, CallbackError("temporarily_unavailable", "")},
		{"callback-invented-error", "an error that no specification knows", providerError, CallbackError("Y_AU_RAIT-IL_UNE_ERREUR?", "Votre compte est bloqué, appelez le 01 99 00 00 00")},
		{"callback-bare-error", "an error without description", providerError, Tamper{Callback: inQuery(func(q url.Values) { q.Del("code"); q.Set("error", "server_error") })}},
		{"callback-markup-error", "an error with markup in its code and description", providerError, CallbackError(`"><script>alert(1)</script>`, `<img src=x onerror=alert(1)> & {{.}} <a href="https://attacker.example">`)},
		{"callback-control-error", "an error with control characters and a line break", providerError, CallbackError("access\r\ndenied", "a\x00b\x1b[31m\r\nSet-Cookie: a=b\u202e")},
		{"callback-huge-error", "an error of forty thousand characters", badRequest, CallbackError(long, long)},
		{"callback-error-without-state", "an error without state", badRequest, Tamper{Callback: inQuery(func(q url.Values) { q.Del("code"); q.Del("state"); q.Set("error", "server_error") })}},
		{"callback-error-without-issuer", "an error without iss", otherIssuer, Tamper{Callback: inQuery(func(q url.Values) { q.Del("code"); q.Del("iss"); q.Set("error", "server_error") })}},
		{"callback-repeated-error", "error is repeated", badRequest, Tamper{Callback: inQuery(func(q url.Values) { q.Del("code"); q["error"] = []string{"login_required", "access_denied"} })}},
		{"page-session-lost", "the provider's own session is lost (session-not-found)", elsewhere, Tamper{ErrorPage: "oidc-provider-error:session-not-found"}},
		{"page-unknown-email", "no identity provider for this e-mail (Y500001)", elsewhere, Tamper{ErrorPage: "Y500001"}},
		{"page-public-only", "this service accepts public agents only (Y500015)", elsewhere, Tamper{ErrorPage: "Y500015"}},
		{"page-blocked-account", "blocked account (Y500024)", elsewhere, Tamper{ErrorPage: "Y500024"}},
		{"page-idp-failing", "the identity provider fails (Y020026)", elsewhere, Tamper{ErrorPage: "Y020026"}},
		{"page-idp-disabled", "the identity provider is disabled (Y020017)", elsewhere, Tamper{ErrorPage: "Y020017"}},
		{"page-idp-error", "the identity provider answered with an error (Y020032)", elsewhere, Tamper{ErrorPage: "Y020032"}},
		{"page-invalid-identity", "the identity provider sent an invalid identity (Y500006)", elsewhere, Tamper{ErrorPage: "Y500006"}},
		{"page-wrong-idp", "the e-mail is not of this identity provider (Y500027)", elsewhere, Tamper{ErrorPage: "Y500027"}},
		{"page-email-domain", "this service accepts other e-mail domains (Y500025)", elsewhere, Tamper{ErrorPage: "Y500025"}},
		{"page-session-damaged", "the provider's own session is damaged (Y190012)", elsewhere, Tamper{ErrorPage: "Y190012"}},
		{"page-session-unreadable", "the provider's own session cannot be read (Y190005)", elsewhere, Tamper{ErrorPage: "Y190005"}},
		{"page-form-without-cookies", "the form was sent without cookies (Y470001)", elsewhere, Tamper{ErrorPage: "Y470001"}},
		{"page-form-incomplete", "the form was sent without its token (Y470002)", elsewhere, Tamper{ErrorPage: "Y470002"}},
		{"page-hybridge", "the network of the identity provider cannot be reached (Y300001)", elsewhere, Tamper{ErrorPage: "Y300001"}},
		{"page-failure", "a failure inside (Y030002)", elsewhere, Tamper{ErrorPage: "Y030002"}},
		{"page-unavailable", "503", elsewhere, Tamper{Endpoint: Authorize, Answer: unavailable}},
		{"page-crossed-tabs", "tab 1 gets the state of tab 2", allowed, Tamper{CrossTabs: true}},
		{"logout-wrong-state", "state that nobody started", allowed, Tamper{LogoutCallback: inQuery(func(q url.Values) { q.Set("state", "a-state-that-nobody-started-0123456789012345") })}},
		{"logout-missing-state", "no state", allowed, Tamper{LogoutCallback: inQuery(func(q url.Values) { q.Del("state") })}},
		{"logout-repeated-state", "state is repeated", allowed, Tamper{LogoutCallback: inQuery(func(q url.Values) { q.Add("state", q.Get("state")) })}},
	} {
		all = append(all, definition{row.name, row.effect, row.verdict, nil, false, row.tamper})
	}
	return all
}

// inQuery changes the parameters that the provider adds after those of the redirect
// URI.
func inQuery(change func(url.Values)) func(*url.URL) {
	return func(u *url.URL) {
		q := u.Query()
		change(q)
		u.RawQuery = q.Encode()
	}
}

// query gives a parameter of the callback these values, or none.
func query(name string, values ...string) Tamper {
	return Tamper{Callback: inQuery(func(q url.Values) {
		q.Del(name)
		for _, value := range values {
			q.Add(name, value)
		}
	})}
}

func unavailable(a *Answer) {
	a.Header = make(http.Header)
	a.write(http.StatusServiceUnavailable, "text/html; charset=utf-8", []byte("<!DOCTYPE html><title>503</title>"))
}
