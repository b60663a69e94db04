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

// A Code says, in a word that programs can compare and that never changes,
// why a request was refused.
type Code string

// Why a request is refused. The comment says what happened and the HTTP status
// of the answer.
const (
	// CodeUnauthenticated: nobody is logged in (401). For a browser navigation
	// RequireAgent redirects to the login instead.
	CodeUnauthenticated Code = "unauthenticated"
	// CodeInsufficientLevel: the login does not reach the acr that is demanded (403).
	CodeInsufficientLevel Code = "insufficient_level"
	// CodeForbidden: an access rule does not accept this agent (403), on a page or
	// at the login.
	CodeForbidden Code = "forbidden"
	// CodeLoginRefused: the application's login hook refused the agent (403).
	CodeLoginRefused Code = "login_refused"

	// codeMethodNotAllowed: the handler does not take this method (405).
	codeMethodNotAllowed Code = "method_not_allowed"
	// codeCrossOrigin: another site sent the request (403).
	codeCrossOrigin Code = "cross_origin"
	// codeInvalidRequest: the parameters of the request are missing, repeated,
	// oversized or contradictory (400).
	codeInvalidRequest Code = "invalid_request"
	// codeNotNavigation: a prefetch, a script, a frame or an image asked for a login,
	// which only a person's navigation starts (403).
	codeNotNavigation Code = "not_navigation"
	// codeUnknownState: this browser has no login under way that comes back: it
	// ended, took longer than ten minutes, gave way to newer ones, or is another
	// browser's (400).
	codeUnknownState Code = "unknown_state"
	// codeIssuerMismatch: the answer does not come from the provider that was
	// asked (400; RFC 9207).
	codeIssuerMismatch Code = "issuer_mismatch"

	// codeAccessDenied: the provider says access_denied, and nothing that explains
	// it (403).
	codeAccessDenied Code = "access_denied"
	// codeIdentityRefused: the provider does not let this agent in: the service
	// takes public agents only and this person is none, or the account is blocked
	// (403).
	codeIdentityRefused Code = "identity_refused"
	// codeDomainRefused: the service's registration does not accept the domain of
	// the agent's e-mail address (403).
	codeDomainRefused Code = "domain_refused"
	// codeProviderSessionLost: the login was aborted at the provider: it lost its own
	// session (back button, blocked cookies), or the agent gave up (403).
	codeProviderSessionLost Code = "provider_session_lost"
	// codeLoginRequired: the provider says login_required: nobody is logged in
	// there, and the login was asked to be silent (403).
	codeLoginRequired Code = "login_required"
	// codeIdPHintNotFound: the provider knows no identity provider of the
	// idp_hint (400).
	codeIdPHintNotFound Code = "idp_hint_not_found"
	// codeProviderError: the provider, or the agent's identity provider, failed
	// (502).
	codeProviderError Code = "provider_error"
	// codeRequestRejected: the provider does not accept what the application asks
	// for, such as a scope that it was not granted: no agent can log in until the
	// application or its registration is corrected (500).
	codeRequestRejected Code = "request_rejected"

	// CodeProviderUnavailable: the provider cannot be reached, or says that it
	// is overloaded (503).
	CodeProviderUnavailable Code = "provider_unavailable"
	// CodeProviderTimeout: the provider did not answer in time (504).
	CodeProviderTimeout Code = "provider_timeout"
	// codeProviderAnswer: the provider's answer is not what the protocol says (502).
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

	// CodeSessionStore: the session store does not answer (503). At a logout the
	// browser forgot the session, and the store could not delete it.
	CodeSessionStore Code = "session_store"
	// codeSessionLost: the browser was just given a session, and comes back without
	// it: the store, its instances or their clocks disagree, or cookies are lost on
	// the way; the log says more (503).
	codeSessionLost Code = "session_lost"
	// CodeInternal: a hook or the application failed (500).
	CodeInternal Code = "internal"
)

// status returns the HTTP status that goes with the code.
func (c Code) status() int { return wording.Of(string(c)).Status }

// An Error is the refusal of one request. It is what an [ErrorHandler] gets.
//
// Its Error method is for logs and for programmers: it contains no token, no
// code, no secret and no personal data, but it is not meant for a browser.
type Error struct {
	// Code says why, in a word that never changes.
	Code Code
	// Status is the HTTP status of the answer.
	Status int
	// ID identifies this one refusal in the page and in the log, so that the
	// person who calls support and the person who reads logs find each other.
	ID string
	// ProviderError is the error parameter that the provider, or whoever forged
	// its answer, sent: untrusted text, to be escaped. Mostly "".
	ProviderError string
	// ProviderDescription is the error_description that came with it:
	// untrusted text, to be escaped. Mostly "".
	ProviderDescription string
	// Reasons says what the agent lacks, for a person to read, in French and in
	// English: the conditions of Require that are not met, or what the login
	// hook answered.
	Reasons []Reason
	// AcceptedACR lists the acr values one of which the page, or the login that
	// was refused, demands. Empty when any will do.
	AcceptedACR []string
	// AuthorizeURL is the URL of the provider that the login went to, without
	// state, nonce and challenge: what AgentConnect's support asks for. "" where
	// there was none.
	AuthorizeURL string
	// ReturnTo is the local page to come back to after a new login: what the
	// link "log in again" carries. "" for the home page.
	ReturnTo string

	cause error
	// loginRefused: the refusal is that of a login, so that nobody was logged in by
	// it. idTokenHint then is the sealed ID token of that login, which can end the
	// provider's session; "" when it did not get that far.
	loginRefused bool
	idTokenHint  string
	// logoutFailed: the store could not delete the session of a logout.
	logoutFailed bool
}

// A Reason is a sentence for the agent, in both languages of the pages. An
// English one that is empty is replaced by the French one.
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

// newError makes the error of a refusal; cause is for the log alone and may be nil.
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

// Format writes what Error returns, whatever the verb: the provider's words and
// the reasons of the agent are fields that another verb would print.
func (e *Error) Format(s fmt.State, verb rune) { formatText(s, verb, e.Error()) }

// formatText writes a text for a verb: quoted for %q, as it is for every other.
func formatText(s fmt.State, verb rune, text string) {
	if verb == 'q' {
		text = strconv.Quote(text)
	}
	io.WriteString(s, text)
}

// An ErrorHandler answers a request that was refused. Nothing has been written
// yet, and the refusal is already logged. It should answer with err.Status and
// not cache the answer (Cache-Control: no-store is already set). It is also what
// answers a request of a stranger that is not a browser navigation
// (CodeUnauthenticated).
type ErrorHandler func(w http.ResponseWriter, r *http.Request, err *Error)

// report gives a refusal its ID and logs it.
func (e *Error) report(ctx context.Context, logger *slog.Logger) {
	e.ID = refused.NewID()
	e.line().Log(ctx, logger)
}

// line is what the log says of a refusal. The provider's words are untrusted, and
// anybody can forge them: only an error of the shape that RFC 6749 section 4.1.2.1
// gives it is logged, and no description.
func (e *Error) line() refused.Line {
	l := refused.Line{Code: string(e.Code), Status: e.Status, ID: e.ID, Cause: e.cause}
	if provider.IsErrorName(e.ProviderError) {
		l.ProviderError = e.ProviderError
	}
	return l
}

// logAttrs returns what the line says.
func (e *Error) logAttrs() []slog.Attr { return e.line().Attrs() }

// refusalOf is the refusal that a failure of the provider amounts to.
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

// asError returns the refusal that an error is, or CodeInternal.
func asError(err error) *Error {
	if f, ok := err.(*provider.Failure); ok {
		return refusalOf(f)
	}
	if e, ok := err.(*Error); ok {
		copied := *e // it may be shared by several requests
		return &copied
	}
	if errors.Is(err, pending.ErrEnded) {
		return newError(codeUnknownState, err)
	}
	return newError(CodeInternal, fmt.Errorf("unexpected: %w", err))
}
