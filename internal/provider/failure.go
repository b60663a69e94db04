package provider

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// A Kind is the kind of a Failure.
type Kind string

// The kinds of failures.
const (
	// Unavailable: the provider cannot be reached, or says that it is overloaded.
	Unavailable Kind = "unavailable"
	// Timeout: the provider did not answer in time.
	Timeout Kind = "timeout"
	// BadAnswer: the answer does not follow the protocol.
	BadAnswer Kind = "bad answer"
	// InvalidGrant: the provider does not accept the code or the refresh token.
	InvalidGrant Kind = "invalid grant"
	// InvalidClient: the provider does not accept the client's credentials.
	InvalidClient Kind = "invalid client"
	// InvalidIDToken: the ID token does not pass its verification.
	InvalidIDToken Kind = "invalid ID token"
	// InvalidUserinfo: the userinfo does not pass its verification.
	InvalidUserinfo Kind = "invalid userinfo"
	// WrongIssuer: a callback does not come from the provider that was asked.
	WrongIssuer Kind = "wrong issuer"
	// Panicked: code that a call uses panicked, such as the application's
	// http.RoundTripper.
	Panicked Kind = "panic"
)

// A Failure is the error of every call to the provider. Its text shows no token, no
// code, no secret and no personal data.
type Failure struct {
	Kind Kind
	// Asked names the call: "discovery", "keys", "token endpoint".
	Asked string
	// Status is the HTTP status of the provider's answer; 0 if there was none.
	Status int
	// OAuthError is the error of an OAuth error answer (RFC 6749 section 5.2), such as
	// "server_error". It shows that the provider itself has answered, not a proxy. ""
	// if there was none.
	OAuthError string
	// Err is the cause.
	Err error
}

// Error implements error.
func (f *Failure) Error() string { return f.Asked + ": " + f.Err.Error() }

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// fail returns a Failure with a formatted error.
func fail(kind Kind, asked, format string, args ...any) *Failure {
	return &Failure{Kind: kind, Asked: asked, Err: fmt.Errorf(format, args...)}
}

// failed returns the Failure that err is or wraps, or a new one around err. So if the
// keys cannot be read, the failure says that the provider is away, not that the token
// is bad.
func failed(kind Kind, asked string, err error) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	return &Failure{Kind: kind, Asked: asked, Err: err}
}

// badStatus is the failure of an answer whose status is not the expected one.
func badStatus(asked string, status int) *Failure {
	f := fail(BadAnswer, asked, "the provider answers %d %s", status, http.StatusText(status))
	f.Status = status
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		f.Kind = Unavailable
	}
	return f
}

// IsErrorName reports whether s is a name as specifications give errors (RFC 6749
// section 4.1.2.1). Such a text can be logged, even if it is forged.
func IsErrorName(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_") == ""
}
