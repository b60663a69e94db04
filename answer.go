package agentconnect

import (
	"errors"
	"fmt"
	"net/url"
)

const (
	// maxQuery bounds the query of a callback, maxParam each of its parameters.
	maxQuery = 8192
	maxParam = 4096
)

// answer is what the provider sends a browser back with.
type answer struct {
	code, state, iss, err, description string
}

// parseAnswer reads the query of a callback (Core 1.0 sections 3.1.2.5 and
// 3.1.2.6, RFC 9207). Parameters that the protocol does not name are ignored.
func parseAnswer(rawQuery string) (*answer, error) {
	if len(rawQuery) > maxQuery {
		return nil, errors.New("the query is too long")
	}
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return nil, errors.New("the query has malformed escapes")
	}
	var a answer
	for _, p := range []struct {
		name  string
		value *string
	}{
		{"code", &a.code},
		{"state", &a.state},
		{"iss", &a.iss},
		{"error", &a.err},
		{"error_description", &a.description},
	} {
		switch values := query[p.name]; {
		case len(values) > 1:
			return nil, fmt.Errorf("the parameter %s is repeated", p.name)
		case len(values) == 1 && len(values[0]) > maxParam:
			return nil, fmt.Errorf("the parameter %s is too long", p.name)
		case len(values) == 1:
			*p.value = values[0]
		}
	}
	switch {
	case a.state == "":
		return nil, errors.New("the parameter state is missing")
	case a.code == "" && a.err == "":
		return nil, errors.New("the parameter code is missing")
	case a.code != "" && a.err != "":
		return nil, errors.New("there are a code and an error")
	}
	return &a, nil
}

// checkIssuer checks who sent the answer (RFC 9207 section 2.4).
func (a *answer) checkIssuer(issuer string, advertised bool) error {
	if a.iss == issuer || a.iss == "" && !advertised {
		return nil
	}
	return errorf(CodeIssuerMismatch, "the answer's iss is missing, or not the provider's issuer")
}
