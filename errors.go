package agentconnect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/agentconnect-go/agentconnect/internal/pending"
	"github.com/agentconnect-go/agentconnect/internal/provider"
	"github.com/agentconnect-go/agentconnect/internal/refused"
	"github.com/agentconnect-go/agentconnect/internal/wording"
)

// A Code is the reason of a refusal, as a word for programs. It never changes.
type Code string

// The reasons of refusals, each with the HTTP status of the answer.
const (
	// CodeUnauthenticated: no agent is logged in (401). For a browser navigation
	// RequireAgent redirects to the login instead.
	CodeUnauthenticated Code = "unauthenticated"
	// CodeInsufficientLevel: the login does not reach the required acr (403).
	CodeInsufficientLevel Code = "insufficient_level"
	// CodeForbidden: an access rule does not accept this agent (403), on a page or
	// at the login.
	CodeForbidden Code = "forbidden"
	// CodeLoginRefused: the application's login hook refused the agent (403).
	CodeLoginRefused Code = "login_refused"

	// codeMethodNotAllowed: the handler does not accept this method (405).
	codeMethodNotAllowed Code = "method_not_allowed"
	// codeCrossOrigin: another site sent the request (403).
	codeCrossOrigin Code = "cross_origin"
	// codeInvalidRequest: the parameters of the request are missing, repeated,
	// oversized or contradictory (400).
	codeInvalidRequest Code = "invalid_request"
	// codeNotNavigation: a prefetch, a script, a frame or an image asked for a login,
	// which only a person's navigation starts (403).
	codeNotNavigation Code = "not_navigation"
	// codeUnknownState: this browser has no login under way with this state: the login
	// ended, took longer than ten minutes, was replaced by newer ones, or belongs to
	// another browser (400).
	codeUnknownState Code = "unknown_state"
	// codeIssuerMismatch: the answer does not come from the provider that was
	// asked (400; RFC 9207).
	codeIssuerMismatch Code = "issuer_mismatch"

	// codeAccessDenied: the provider answers access_denied without an explanation
	// (403).
	codeAccessDenied Code = "access_denied"
	// codeIdentityRefused: the provider refuses this person: the service accepts public
	// agents only and this person is not one, or the account is blocked (403).
	codeIdentityRefused Code = "identity_refused"
	// codeDomainRefused: the service's registration does not accept the domain of
	// the agent's e-mail address (403).
	codeDomainRefused Code = "domain_refused"
	// codeProviderSessionLost: the login was aborted at the provider: it lost its own
	// session (back button, blocked cookies), or the agent gave up (403).
	codeProviderSessionLost Code = "provider_session_lost"
	// codeLoginRequired: the provider answers login_required to a silent login: it has
	// no session of the agent (403).
	codeLoginRequired Code = "login_required"
	// codeIdPHintNotFound: the provider does not know the identity provider of the
	// idp_hint (400).
	codeIdPHintNotFound Code = "idp_hint_not_found"
	// codeProviderError: the provider, or the agent's identity provider, failed
	// (502).
	codeProviderError Code = "provider_error"
	// codeRequestRejected: the provider does not accept the application's request, for
	// example a scope that the registration does not have. No agent can log in until
	// the application or its registration is corrected (500).
	codeRequestRejected Code = "request_rejected"

	// CodeProviderUnavailable: the provider cannot be reached, or says that it
	// is overloaded (503).
	CodeProviderUnavailable Code = "provider_unavailable"
	// CodeProviderTimeout: the provider did not answer in time (504).
	CodeProviderTimeout Code = "provider_timeout"
	// codeProviderAnswer: the provider's answer does not follow the protocol (502).
	codeProviderAnswer Code = "provider_answer"
	// codeInvalidGrant: the provider does not accept the code: too old, or used
	// before (400).
	codeInvalidGrant Code = "invalid_grant"
	// codeInvalidClient: the provider does not accept the application's
	// credentials (500).
	codeInvalidClient Code = "invalid_client"
	// codeInvalidIDToken: the ID token does not pass its verification (502).
	codeInvalidIDToken Code = "invalid_id_token"
	// codeInvalidUserinfo: the userinfo does not pass its verification (502).
	codeInvalidUserinfo Code = "invalid_userinfo"

	// CodeSessionStore: the session store does not answer (503). At a logout, the
	// browser has lost the session but the store could not delete it.
	CodeSessionStore Code = "session_store"
	// codeSessionLost: the browser just got a session, and the next request does not
	// find it: the store, the instances or their clocks disagree, or cookies are lost.
	// The log has the likely cause (503).
	codeSessionLost Code = "session_lost"
	// CodeInternal: a hook or the application failed (500).
	CodeInternal Code = "internal"
)

// status returns the HTTP status of the code.
func (c Code) status() int { return wording.Of(string(c)).Status }

// An Error is the refusal of one request. An [ErrorHandler] gets it.
//
// Its Error method is for logs and developers: its text contains no token, no code, no
// secret and no personal data. Do not show it in a browser.
type Error struct {
	// Code is the reason.
	Code Code
	// Status is the HTTP status of the answer.
	Status int
	// ID identifies this refusal on the page and in the log, so that support can find
	// its log line.
	ID string
	// ProviderError is the error parameter of the provider's answer. Anyone can forge
	// it: escape it. Usually "".
	ProviderError string
	// ProviderDescription is the error_description of that answer. Anyone can forge it:
	// escape it. Usually "".
	ProviderDescription string
	// Reasons explains the refusal to the agent, in French and in English: the unmet
	// conditions of Require, or the reason of the login hook.
	Reasons []Reason
	// AcceptedACR lists the acr values that the page, or the refused login, accepts.
	// Empty if every value is accepted.
	AcceptedACR []string
	// AuthorizeURL is the provider's URL of the login, without state, nonce and
	// challenge, for ProConnect's support. "" if there was no login.
	AuthorizeURL string
	// ReturnTo is the local page to return to after a new login: the link "log in
	// again" uses it. "" for the home page.
	ReturnTo string

	cause error
	// loginRefused: a login was refused. idTokenHint is then the sealed ID token of
	// that login, which can end the provider's session; "" if there was none yet.
	loginRefused bool
	idTokenHint  string
	// logoutFailed: the store could not delete the session of a logout.
	logoutFailed bool
}

// A Reason is a sentence for the agent, in both languages of the pages. If English is
// empty, the French one is used.
type Reason struct {
	French, English string
}

// in returns the reason in a language.
func (r Reason) in(lang string) string {
	if lang == "en" && r.English != "" {
		return r.English
	}
	return r.French
}

// newError makes the error of a refusal. cause is only for the log and may be nil.
func newError(code Code, cause error) *Error {
	return &Error{Code: code, Status: code.status(), cause: cause}
}

// errorf is newError with a formatted cause.
func errorf(code Code, format string, args ...any) *Error {
	return newError(code, fmt.Errorf(format, args...))
}

// Error returns "agentconnect: CODE", followed by the cause if there is one.
func (e *Error) Error() string {
	if e.cause == nil {
		return "agentconnect: " + string(e.Code)
	}
	return "agentconnect: " + string(e.Code) + ": " + e.cause.Error()
}

// Unwrap returns the cause, or nil.
func (e *Error) Unwrap() error { return e.cause }

// Format writes the result of Error, for every verb: another verb would print fields
// with the provider's texts and the agent's reasons.
func (e *Error) Format(s fmt.State, verb rune) { formatText(s, verb, e.Error()) }

// formatText writes a text: quoted for %q, unchanged for every other verb.
func formatText(s fmt.State, verb rune, text string) {
	if verb == 'q' {
		text = strconv.Quote(text)
	}
	io.WriteString(s, text)
}

// An ErrorHandler answers a refused request. Nothing has been written yet, and the
// refusal is already logged. It should answer with err.Status and keep Cache-Control:
// no-store, which is already set. It also answers a stranger's request that is not a
// browser navigation (CodeUnauthenticated).
type ErrorHandler func(w http.ResponseWriter, r *http.Request, err *Error)

// report gives a refusal its ID and logs it.
func (e *Error) report(ctx context.Context, logger *slog.Logger) {
	e.ID = refused.NewID()
	e.line().Log(ctx, logger)
}

// line returns the log line of a refusal. Anyone can forge the provider's texts: the
// line has the error only if it is spelled as RFC 6749 section 4.1.2.1 says, and never
// the description.
func (e *Error) line() refused.Line {
	l := refused.Line{Code: string(e.Code), Status: e.Status, ID: e.ID, Cause: e.cause}
	if provider.IsErrorName(e.ProviderError) {
		l.ProviderError = e.ProviderError
	}
	return l
}

// logAttrs returns the attributes of the line.
func (e *Error) logAttrs() []slog.Attr { return e.line().Attrs() }

// refusalOf returns the refusal for a failure of the provider.
func refusalOf(f *provider.Failure) *Error {
	switch f.Kind {
	case provider.Unavailable:
		return newError(CodeProviderUnavailable, f)
	case provider.Timeout:
		return newError(CodeProviderTimeout, f)
	case provider.BadAnswer:
		return newError(codeProviderAnswer, f)
	case provider.WrongIssuer:
		return newError(codeIssuerMismatch, f)
	case provider.InvalidGrant:
		return newError(codeInvalidGrant, f)
	case provider.InvalidClient:
		return newError(codeInvalidClient, f)
	case provider.InvalidIDToken:
		return newError(codeInvalidIDToken, f)
	case provider.InvalidUserinfo:
		return newError(codeInvalidUserinfo, f)
	}
	return newError(CodeInternal, f)
}

// asError returns err if it is a refusal, or else a refusal with CodeInternal.
func asError(err error) *Error {
	if f, ok := err.(*provider.Failure); ok {
		return refusalOf(f)
	}
	if e, ok := err.(*Error); ok {
		copied := *e // several requests may share it
		return &copied
	}
	if errors.Is(err, pending.ErrEnded) {
		return newError(codeUnknownState, err)
	}
	return newError(CodeInternal, fmt.Errorf("unexpected: %w", err))
}
