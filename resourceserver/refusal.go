package resourceserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/internal/provider"
	"github.com/agentconnect-go/agentconnect/internal/refused"
)

// The codes of refusals that only a resource server has. Others are those of package
// agentconnect; see [Server.RequireToken].
const (
	// CodeInvalidToken: the access token is expired, revoked, unknown, or was issued
	// to a service that the resource server does not serve (401).
	CodeInvalidToken agentconnect.Code = "invalid_token"
	// CodeInsufficientScope: the access token was not granted all of the required
	// scopes (403).
	CodeInsufficientScope agentconnect.Code = "insufficient_scope"
	// CodeOverloaded: the provider is being asked about too many tokens (503).
	CodeOverloaded agentconnect.Code = "overloaded"
)

// A refusal says why a call is refused.
type refusal struct {
	code    agentconnect.Code
	reasons []agentconnect.Reason
	cause   error // for the log alone; may be nil
}

// Error implements error.
func (r *refusal) Error() string { return fmt.Sprintf("%s: %v", r.code, r.cause) }

// refusalf makes a refusal with a formatted cause.
func refusalf(code agentconnect.Code, format string, args ...any) *refusal {
	return &refusal{code: code, cause: fmt.Errorf(format, args...)}
}

// insufficientScope is the refusal of a token that lacks scopes.
func insufficientScope(missing []string) *refusal {
	r := &refusal{code: CodeInsufficientScope}
	for _, scope := range missing {
		r.reasons = append(r.reasons, agentconnect.Reason{French: "le scope " + scope, English: "the scope " + scope})
	}
	return r
}

// refusalOf returns the refusal of a call whose token could not be checked.
func refusalOf(err error) *refusal {
	var known *refusal
	var failure *provider.Failure
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &failure):
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded): // of the call
		return &refusal{code: agentconnect.CodeProviderTimeout, cause: err}
	default:
		return &refusal{code: agentconnect.CodeInternal, cause: err}
	}
	code := agentconnect.Code("provider_answer")
	switch failure.Kind {
	case provider.Unavailable:
		code = agentconnect.CodeProviderUnavailable
	case provider.Timeout:
		code = agentconnect.CodeProviderTimeout
	case provider.InvalidClient:
		code = "invalid_client"
	case provider.Panicked:
		code = agentconnect.CodeInternal
	}
	return &refusal{code: code, cause: failure}
}

// A meaning is the status and the text of a code, for the developer of a service.
type meaning struct {
	status        int
	title, detail string
	challenge     bool // the answer says how to authenticate (RFC 6750 section 3)
}

// meaningOf returns the meaning of a code. If the provider fails in any way, this API
// is unavailable to its callers for the moment.
func meaningOf(code agentconnect.Code) meaning {
	switch code {
	case agentconnect.CodeUnauthenticated:
		return meaning{http.StatusUnauthorized, "Access token needed", "The request has no access token of ProConnect: send one in the header Authorization, as Bearer.", true}
	case "invalid_request":
		return meaning{http.StatusBadRequest, "Malformed request", "The request must carry one access token, in one header Authorization, as Bearer, and nowhere else.", true}
	case CodeInvalidToken:
		return meaning{http.StatusUnauthorized, "Access token not accepted", "The access token is expired, revoked or unknown, or was not issued to a service that this API serves.", true}
	case CodeInsufficientScope:
		return meaning{http.StatusForbidden, "Scope missing", "The access token was not granted the scopes that are demanded here.", true}
	case CodeOverloaded:
		return meaning{http.StatusServiceUnavailable, "API overloaded", "This API has too many access tokens to check at the moment.", false}
	case agentconnect.CodeProviderUnavailable, agentconnect.CodeProviderTimeout:
		return meaning{http.StatusServiceUnavailable, "ProConnect unavailable", "ProConnect does not answer, so the access token cannot be checked.", false}
	case "provider_answer":
		return meaning{http.StatusServiceUnavailable, "Unexpected answer of ProConnect", "ProConnect does not answer as it should, so the access token cannot be checked.", false}
	case "invalid_client":
		return meaning{http.StatusInternalServerError, "API misconfigured", "ProConnect does not recognise this API.", false}
	}
	return meaning{http.StatusInternalServerError, "Failure", "This API has failed.", false}
}

// challengeOf returns the WWW-Authenticate header of a refusal (RFC 6750 section
// 3). The realm is where tokens come from.
func challengeOf(realm string, code agentconnect.Code, scopes []string) string {
	params := []string{"realm=" + strconv.Quote(realm)}
	if code != agentconnect.CodeUnauthenticated { // a caller without a token may not know that it needs one
		params = append(params, `error="`+string(code)+`"`, "error_description="+strconv.Quote(meaningOf(code).detail))
	}
	if code == CodeInsufficientScope {
		params = append(params, `scope="`+strings.Join(scopes, " ")+`"`)
	}
	return "Bearer " + strings.Join(params, ", ")
}

// refuse logs a refusal and sends its answer.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error, scopes []string) {
	why := refusalOf(err)
	m := meaningOf(why.code)
	w.Header().Set("Cache-Control", "no-store")
	if m.challenge {
		w.Header().Set("WWW-Authenticate", challengeOf(s.issuer, why.code, scopes))
	}
	refused.SayWhenToRetry(w.Header(), m.status)
	e := &agentconnect.Error{Code: why.code, Status: m.status, ID: refused.NewID(), Reasons: why.reasons}
	refused.Line{Code: string(e.Code), Status: e.Status, ID: e.ID, Cause: why.cause}.Log(r.Context(), s.logger)
	s.errorHandler(w, r, e)
}

// ServeError is the default [agentconnect.ErrorHandler] of a Server: a problem (RFC
// 9457), in English, with the members code, error_id and, where they apply, reasons.
// The headers of RFC 6750 and Retry-After are already set, also for another handler.
// A Status of 0 is that of the code.
func (s *Server) ServeError(w http.ResponseWriter, _ *http.Request, e *agentconnect.Error) {
	m := meaningOf(e.Code)
	p := refused.Problem{
		Title:   m.title,
		Detail:  m.detail,
		Status:  cmp.Or(e.Status, m.status),
		Code:    string(e.Code),
		ErrorID: e.ID,
	}
	for _, reason := range e.Reasons {
		p.Reasons = append(p.Reasons, cmp.Or(reason.English, reason.French))
	}
	refused.SayWhenToRetry(w.Header(), p.Status)
	p.Serve(w)
}
