package provider

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

// A Callback is the provider's answer to a login, as the browser brings it. Do not
// trust it before it is verified.
type Callback struct {
	Code, State, Iss, Error, Description string
}

// ParseCallback reads the query of a callback (Core 1.0 sections 3.1.2.5 and
// 3.1.2.6, RFC 9207). It returns an error for parameters that are missing, repeated,
// oversized or contradictory. Parameters that the protocol does not name are ignored.
func ParseCallback(rawQuery string) (*Callback, error) {
	if len(rawQuery) > maxQuery {
		return nil, errors.New("the query is too long")
	}
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return nil, errors.New("the query has malformed escapes")
	}
	var c Callback
	for _, p := range []struct {
		name  string
		value *string
	}{
		{"code", &c.Code},
		{"state", &c.State},
		{"iss", &c.Iss},
		{"error", &c.Error},
		{"error_description", &c.Description},
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
	case c.State == "":
		return nil, errors.New("the parameter state is missing")
	case c.Code == "" && c.Error == "":
		return nil, errors.New("the parameter code is missing")
	case c.Code != "" && c.Error != "":
		return nil, errors.New("there are a code and an error")
	}
	return &c, nil
}

// CheckIssuer checks that the provider sent the callback (RFC 9207 section 2.4). iss
// may only be absent if the metadata does not promise it. The error is a Failure of the
// kind WrongIssuer.
func (p *Provider) CheckIssuer(m *Metadata, c *Callback) error {
	if c.Iss == p.config.Issuer || c.Iss == "" && !m.IssInResponse {
		return nil
	}
	return fail(WrongIssuer, "callback", "its iss is missing, or not the provider's issuer")
}
