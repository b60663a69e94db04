package agentconnecttest

import (
	"net/http"
	"net/url"
	"strings"
)

// Faults of the way back to the application.
const (
	CallbackWrongIssuer      Fault = "callback: iss is another issuer"
	CallbackMissingIssuer    Fault = "callback: no iss"
	CallbackEmptyIssuer      Fault = "callback: iss is empty"
	CallbackIssuerSlash      Fault = "callback: iss has a slash more"
	CallbackRepeatedIssuer   Fault = "callback: iss is repeated"
	CallbackMissingState     Fault = "callback: no state"
	CallbackEmptyState       Fault = "callback: state is empty"
	CallbackWrongState       Fault = "callback: state that nobody started"
	CallbackRepeatedState    Fault = "callback: state is repeated"
	CallbackMissingCode      Fault = "callback: neither code nor error"
	CallbackEmptyCode        Fault = "callback: code is empty"
	CallbackRepeatedCode     Fault = "callback: code is repeated"
	CallbackInvalidCode      Fault = "callback: code that the provider did not issue"
	CallbackCodeAndError     Fault = "callback: code and error"
	CallbackHugeCode         Fault = "callback: code of forty thousand characters"
	CallbackHugeState        Fault = "callback: state of forty thousand characters"
	CallbackMalformedEscape  Fault = "callback: malformed escape"
	CallbackUnknownParameter Fault = "callback: parameters that nobody knows"

	CallbackAccessDenied           Fault = "callback: access_denied"
	CallbackServerError            Fault = "callback: server_error"
	CallbackLoginRequired          Fault = "callback: login_required"
	CallbackInvalidScope           Fault = "callback: invalid_scope"
	CallbackTemporarilyUnavailable Fault = "callback: temporarily_unavailable"
	CallbackInventedError          Fault = "callback: an error that no specification knows"
	CallbackBareError              Fault = "callback: an error without description"
	CallbackMarkupError            Fault = "callback: an error with markup in its code and description"
	CallbackControlError           Fault = "callback: an error with control characters and a line break"
	CallbackHugeError              Fault = "callback: an error of forty thousand characters"
	CallbackErrorWithoutState      Fault = "callback: an error without state"
	CallbackErrorWithoutIssuer     Fault = "callback: an error without iss"
	CallbackRepeatedError          Fault = "callback: error is repeated"
)

// Faults that keep the browser on a page of the provider's.
const (
	PageSessionLost     Fault = "login page: the provider's own session is lost (Y030110)"
	PageUnknownEmail    Fault = "login page: no identity provider for this e-mail (Y500001)"
	PagePublicOnly      Fault = "login page: this service accepts public agents only (Y500015)"
	PageBlockedAccount  Fault = "login page: blocked account (Y500024)"
	PageIDPFailing      Fault = "login page: the identity provider fails (Y020026)"
	PageUnavailable     Fault = "login page: 503"
	PageCrossedTabs     Fault = "login page: tab 1 gets the state of tab 2"
	LogoutWrongState    Fault = "logout: state that nobody started"
	LogoutMissingState  Fault = "logout: no state"
	LogoutRepeatedState Fault = "logout: state is repeated"
)

// CallbackError returns what makes the provider answer every login with an
// error, whose code and description it does not vouch for: users can forge both.
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
		fault   Fault
		verdict verdict
		tamper  Tamper
	}{
		{CallbackWrongIssuer, refused, query("iss", stranger)},
		{CallbackMissingIssuer, refused, query("iss")},
		{CallbackEmptyIssuer, refused, query("iss", "")},
		{CallbackIssuerSlash, refused, Tamper{Callback: inQuery(func(q url.Values) { q.Set("iss", q.Get("iss")+"/") })}},
		{CallbackRepeatedIssuer, refused, Tamper{Callback: inQuery(func(q url.Values) { q.Add("iss", q.Get("iss")) })}},
		{CallbackMissingState, refused, query("state")},
		{CallbackEmptyState, refused, query("state", "")},
		{CallbackWrongState, refused, query("state", "a-state-that-nobody-started-0123456789012345")},
		{CallbackRepeatedState, refused, Tamper{Callback: inQuery(func(q url.Values) { q.Add("state", q.Get("state")) })}},
		{CallbackMissingCode, refused, query("code")},
		{CallbackEmptyCode, refused, query("code", "")},
		{CallbackRepeatedCode, refused, Tamper{Callback: inQuery(func(q url.Values) { q.Add("code", q.Get("code")) })}},
		{CallbackInvalidCode, refused, query("code", "a-code-that-nobody-issued-01234567890123456789")},
		{CallbackCodeAndError, refused, query("error", "access_denied")},
		{CallbackHugeCode, refused, query("code", long)},
		{CallbackHugeState, refused, query("state", long)},
		{CallbackMalformedEscape, refused, Tamper{Callback: func(u *url.URL) { u.RawQuery += "&more=%zz" }}},
		{CallbackUnknownParameter, allowed, query("session_state", "unknown", "more")},
		{CallbackAccessDenied, refused, CallbackError("access_denied", "requested ACRs could not be satisfied")},
		{CallbackServerError, refused, CallbackError("server_error", "An unexpected error occurred")},
		{CallbackLoginRequired, refused, CallbackError("login_required", "End-User authentication is required")},
		{CallbackInvalidScope, refused, CallbackError("invalid_scope", "requested scope is not allowed")},
		{CallbackTemporarilyUnavailable, refused, CallbackError("temporarily_unavailable", "")},
		{CallbackInventedError, refused, CallbackError("Y_AU_RAIT-IL_UNE_ERREUR?", "Votre compte est bloqué, appelez le 01 99 00 00 00")},
		{CallbackBareError, refused, Tamper{Callback: inQuery(func(q url.Values) { q.Del("code"); q.Set("error", "server_error") })}},
		{CallbackMarkupError, refused, CallbackError(`"><script>alert(1)</script>`, `<img src=x onerror=alert(1)> & {{.}} <a href="https://attacker.example">`)},
		{CallbackControlError, refused, CallbackError("access\r\ndenied", "a\x00b\x1b[31m\r\nSet-Cookie: a=b\u202e")},
		{CallbackHugeError, refused, CallbackError(long, long)},
		{CallbackErrorWithoutState, refused, Tamper{Callback: inQuery(func(q url.Values) { q.Del("code"); q.Del("state"); q.Set("error", "server_error") })}},
		{CallbackErrorWithoutIssuer, refused, Tamper{Callback: inQuery(func(q url.Values) { q.Del("code"); q.Del("iss"); q.Set("error", "server_error") })}},
		{CallbackRepeatedError, refused, Tamper{Callback: inQuery(func(q url.Values) { q.Del("code"); q["error"] = []string{"login_required", "access_denied"} })}},
		{PageSessionLost, refused, Tamper{ErrorPage: "Y030110"}},
		{PageUnknownEmail, refused, Tamper{ErrorPage: "Y500001"}},
		{PagePublicOnly, refused, Tamper{ErrorPage: "Y500015"}},
		{PageBlockedAccount, refused, Tamper{ErrorPage: "Y500024"}},
		{PageIDPFailing, refused, Tamper{ErrorPage: "Y020026"}},
		{PageUnavailable, refused, Tamper{Endpoint: Authorize, Answer: unavailable}},
		{PageCrossedTabs, allowed, Tamper{CrossTabs: true}},
		{LogoutWrongState, allowed, Tamper{LogoutCallback: inQuery(func(q url.Values) { q.Set("state", "a-state-that-nobody-started-0123456789012345") })}},
		{LogoutMissingState, allowed, Tamper{LogoutCallback: inQuery(func(q url.Values) { q.Del("state") })}},
		{LogoutRepeatedState, allowed, Tamper{LogoutCallback: inQuery(func(q url.Values) { q.Add("state", q.Get("state")) })}},
	} {
		all = append(all, definition{row.fault, row.verdict, nil, false, row.tamper})
	}
	return all
}

// inQuery changes the parameters that the provider adds, which it puts after
// those that the redirect URI has.
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
