package agentconnect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxDepth bounds the nesting of the JSON that the provider sends.
const maxDepth = 32

// A rawClaim is the JSON of one claim.
type rawClaim json.RawMessage

// MarshalJSON returns the claim as it came.
func (c rawClaim) MarshalJSON() ([]byte, error) { return c, nil }

// UnmarshalJSON keeps the claim as it comes.
func (c *rawClaim) UnmarshalJSON(data []byte) error {
	*c = bytes.Clone(data)
	return nil
}

// value returns the claim as encoding/json decodes it, numbers as json.Number.
func (c rawClaim) value() any {
	dec := json.NewDecoder(bytes.NewReader(c))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return nil
	}
	return v
}

// decode decodes the claim of that name into v. Its error does not show the
// value, which may be personal data: encoding/json's own quotes numbers, and the
// one of a type that decodes itself may quote anything.
func (c rawClaim) decode(name string, v any) error {
	switch err := json.Unmarshal(c, v).(type) {
	case nil:
		return nil
	case *json.UnmarshalTypeError:
		kind, _, _ := strings.Cut(err.Value, " ") // of "number 12"
		return fmt.Errorf("agentconnect: claim %s: %w", name, &json.UnmarshalTypeError{Value: kind, Type: err.Type, Offset: err.Offset, Struct: err.Struct, Field: err.Field})
	case *json.InvalidUnmarshalError:
		return fmt.Errorf("agentconnect: claim %s: %w", name, err)
	default:
		return fmt.Errorf("agentconnect: claim %s: it does not fit a %T", name, v)
	}
}

// isNull reports whether the claim is absent or null, which says the same.
func (c rawClaim) isNull() bool { return len(c) == 0 || string(c) == "null" }

// claims is a JSON object whose members have one meaning. encoding/json takes
// the last of two members of one name, and a member whose name only differs by
// case for the one asked for; others take the first. What two parsers read
// differently is refused, and what is read here is read by exact name.
type claims map[string]rawClaim

// decodeObject decodes one JSON object. It refuses a name that is repeated, at
// any depth, and at the first level one that only differs by case from one that
// is read; text that is not UTF-8; anything after the object.
func decodeObject(data []byte) (claims, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("the JSON is not UTF-8")
	}
	var c claims
	err := json.Unmarshal(data, &c)
	if _, malformed := err.(*json.SyntaxError); malformed {
		return nil, errors.New("it is not JSON")
	}
	if err != nil || c == nil {
		return nil, errors.New("it is not a JSON object")
	}
	if err := checkNames(data); err != nil {
		return nil, err
	}
	return c, nil
}

// A scope is an object or an array that checkNames is in.
type scope struct {
	names map[string]bool // of an object, those seen; nil in an array
	name  bool            // whether the next text is a name
}

// checkNames walks over a JSON text, which is valid, and looks at the names of
// its objects. Its errors do not quote them, since they may be personal data.
func checkNames(data []byte) error {
	var scopes []scope
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '{':
			scopes = append(scopes, scope{names: map[string]bool{}, name: true})
		case '[':
			scopes = append(scopes, scope{})
		case '}', ']':
			scopes = scopes[:len(scopes)-1]
		case ',':
			in := &scopes[len(scopes)-1]
			in.name = in.names != nil
		case '"':
			end := textEnd(data, i)
			if in := &scopes[len(scopes)-1]; in.name {
				in.name = false
				if err := checkName(data[i:end], in.names, len(scopes) == 1); err != nil {
					return err
				}
			}
			i = end - 1
		}
		if len(scopes) > maxDepth {
			return errors.New("the JSON is nested too deeply")
		}
	}
	return nil
}

// textEnd returns where the JSON text that begins at i ends.
func textEnd(data []byte, i int) int {
	for i++; data[i] != '"'; i++ {
		if data[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// checkName looks at one name, as it is quoted, of an object that had the names
// seen.
func checkName(quoted []byte, seen map[string]bool, first bool) error {
	name := string(quoted[1 : len(quoted)-1])
	if strings.Contains(name, `\`) {
		if err := json.Unmarshal(quoted, &name); err != nil {
			return errors.New("it is not JSON")
		}
	}
	if folded := foldASCII(name); first && folded != name && isReadName(folded) {
		return errors.New("a member of the JSON object differs by case from one that is read")
	}
	if seen[name] {
		return errors.New("a member of the JSON object is repeated")
	}
	seen[name] = true
	return nil
}

// isReadName reports whether name is a member that some reader of the
// provider's answers looks at, ours or one of the libraries below.
func isReadName(name string) bool {
	switch name {
	case "iss", "sub", "aud", "azp", "exp", "iat", "nbf", "jti", "nonce", "at_hash", "auth_time", "acr", "amr",
		"_claim_names", "_claim_sources",
		"access_token", "token_type", "id_token", "refresh_token", "expires_in", "error", "error_description", "error_uri",
		"issuer", "authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", "end_session_endpoint",
		"authorization_response_iss_parameter_supported", "keys", "roles", "custom",
		"introspection_endpoint", "revocation_endpoint", "token_introspection", "active", "client_id", "scope", "cnf":
		return true
	}
	names := textClaimNames()
	return slices.Contains(names[:], name)
}

// foldASCII lower-cases a name the way encoding/json compares names: with
// Unicode's simple folding, by which "ſ" is an s and the Kelvin sign a k.
func foldASCII(name string) string {
	if !strings.ContainsFunc(name, func(r rune) bool { return r >= utf8.RuneSelf || unicode.IsUpper(r) }) {
		return name // as nearly all are
	}
	return strings.Map(func(r rune) rune {
		for f := unicode.SimpleFold(r); ; f = unicode.SimpleFold(f) {
			if f < utf8.RuneSelf {
				return unicode.ToLower(f)
			}
			if f == r {
				return r
			}
		}
	}, name)
}

// text returns a claim that is text, "" when it is absent or null.
func (c claims) text(name string) (string, error) {
	if c[name].isNull() {
		return "", nil
	}
	if raw := c[name]; raw[0] == '"' && bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1]), nil // without escapes, and valid since decodeObject
	}
	var s string
	if err := json.Unmarshal(c[name], &s); err != nil {
		return "", fmt.Errorf("the claim %s is not text", name)
	}
	return s, nil
}

// texts returns a claim that is a list of texts, nil when it is absent or null.
func (c claims) texts(name string) ([]string, error) {
	if c[name].isNull() {
		return nil, nil
	}
	var elements []*string // a null among them is no text
	if err := json.Unmarshal(c[name], &elements); err != nil {
		return nil, fmt.Errorf("the claim %s is not a list of texts", name)
	}
	list := make([]string, len(elements))
	for i, e := range elements {
		if e == nil {
			return nil, fmt.Errorf("the claim %s is not a list of texts", name)
		}
		list[i] = *e
	}
	return list, nil
}

// time returns a claim that is a NumericDate (RFC 7519 section 2), and whether
// it is there.
func (c claims) time(name string) (time.Time, bool, error) {
	if len(c[name]) == 0 {
		return time.Time{}, false, nil
	}
	var seconds *float64
	if err := json.Unmarshal(c[name], &seconds); err != nil || seconds == nil || math.Abs(*seconds) > 1<<40 {
		return time.Time{}, true, fmt.Errorf("the claim %s is not a NumericDate", name)
	}
	return time.Unix(int64(*seconds), 0), true, nil
}

// audience returns the claim aud, a text or a list of texts.
func (c claims) audience() ([]string, error) {
	if s, err := c.text("aud"); err == nil {
		if s == "" {
			return nil, errors.New("the claim aud is missing")
		}
		return []string{s}, nil
	}
	return c.texts("aud")
}
