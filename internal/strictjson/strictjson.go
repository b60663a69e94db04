// Package strictjson reads JSON objects that have one meaning. encoding/json takes
// the last of two members with one name, and takes a member whose name differs only
// by case for the one asked for; other parsers take the first. An object that two
// parsers would read differently is refused here.
//
// The package knows nothing about the content of the objects. Its errors never quote an
// object, which may contain secrets and personal data.
package strictjson

import (
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// A Raw is the JSON of one value, as it was written.
type Raw string

// MarshalJSON implements json.Marshaler: it returns the value as it was written.
func (r Raw) MarshalJSON() ([]byte, error) { return []byte(r), nil }

// IsNull reports whether the value is absent or null, which mean the same.
func (r Raw) IsNull() bool { return r == "" || r == "null" }

// Value returns the value as encoding/json decodes it, with numbers as json.Number.
func (r Raw) Value() any {
	dec := json.NewDecoder(strings.NewReader(string(r)))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return nil
	}
	return v
}

// Decode decodes the value into v, a pointer as json.Unmarshal takes it. Its error
// does not show the value: encoding/json's own quotes numbers, and the error of a
// type that decodes itself may quote anything.
func (r Raw) Decode(v any) error {
	switch err := json.Unmarshal([]byte(r), v).(type) {
	case nil:
		return nil
	case *json.UnmarshalTypeError:
		kind, _, _ := strings.Cut(err.Value, " ") // of "number 12"
		return &json.UnmarshalTypeError{Value: kind, Type: err.Type, Offset: err.Offset, Struct: err.Struct, Field: err.Field}
	case *json.InvalidUnmarshalError:
		return err
	default:
		return fmt.Errorf("it does not fit a %T", v)
	}
}

// An Object is a JSON object. The zero Object has no members.
type Object struct {
	members []member
	// odd holds, folded, the names that differ from their folded form. Reading one of
	// them by its folded name is ambiguous.
	odd []string
}

type member struct {
	name  string
	value Raw
}

// All returns the members in the order in which they were written.
func (o Object) All() iter.Seq2[string, Raw] {
	return func(yield func(string, Raw) bool) {
		for _, m := range o.members {
			if !yield(m.name, m.value) {
				return
			}
		}
	}
}

// Get returns the member with that name, or "" if there is none. If the name is in
// lower case and another member's name differs from it only by case, Get returns an
// error: a reader that ignores case could take the other one. So every name that is
// read is protected, without a list of names.
func (o Object) Get(name string) (Raw, error) {
	if slices.Contains(o.odd, name) {
		return "", fmt.Errorf("a member's name differs by case from %s", name)
	}
	for _, m := range o.members {
		if m.name == name {
			return m.value, nil
		}
	}
	return "", nil
}

// Text returns a member that is text, or "" if it is absent or null.
func (o Object) Text(name string) (string, error) {
	raw, err := o.Get(name)
	if err != nil || raw.IsNull() {
		return "", err
	}
	if s, ok := raw.text(); ok {
		return s, nil
	}
	return "", fmt.Errorf("%s is not text", name)
}

// text returns the value as text, and whether it is text.
func (r Raw) text() (string, bool) {
	switch {
	case r == "" || r[0] != '"':
		return "", false
	case strings.IndexByte(string(r), '\\') < 0:
		return string(r[1 : len(r)-1]), true
	}
	var s string
	err := json.Unmarshal([]byte(r), &s)
	return s, err == nil
}

// Texts returns a member that is a list of texts, or nil if it is absent or null.
// The list of an empty array is empty, not nil. A null in it is an error.
func (o Object) Texts(name string) ([]string, error) {
	raw, err := o.Get(name)
	if err != nil || raw.IsNull() {
		return nil, err
	}
	list, ok := raw.texts()
	if !ok {
		return nil, fmt.Errorf("%s is not a list of texts", name)
	}
	return list, nil
}

// texts returns the value as a list of texts, and whether it is one.
func (r Raw) texts() ([]string, bool) {
	p := parser{text: string(r)}
	if !p.take('[') {
		return nil, false
	}
	list := []string{}
	for !p.take(']') {
		p.take(',') // the commas are right: r is valid JSON
		if p.next() != '"' {
			return nil, false
		}
		quoted, _ := p.string()
		text, ok := quoted.text()
		if !ok {
			return nil, false
		}
		list = append(list, text)
	}
	return list, true
}

// TextOrTexts returns a member that is a text or a list of texts, as a list; nil if
// it is absent or null.
func (o Object) TextOrTexts(name string) ([]string, error) {
	raw, err := o.Get(name)
	if err != nil {
		return nil, err
	}
	if s, ok := raw.text(); ok {
		return []string{s}, nil
	}
	return o.Texts(name)
}

// Bool returns a member that is true or false; false if it is absent or null.
func (o Object) Bool(name string) (bool, error) {
	raw, err := o.Get(name)
	if err != nil {
		return false, err
	}
	switch {
	case raw == "true":
		return true, nil
	case raw == "false" || raw.IsNull():
		return false, nil
	}
	return false, fmt.Errorf("%s is neither true nor false", name)
}

// Number returns a member that is a number, and whether it is there. JSON knows one
// kind of number: 3600, 3600.0 and 3.6e3 are the same.
func (o Object) Number(name string) (float64, bool, error) {
	raw, err := o.Get(name)
	if err != nil || raw == "" {
		return 0, false, err
	}
	number, err := strconv.ParseFloat(string(raw), 64) // raw is valid JSON: no "Inf", no "0x10"
	if err != nil {
		return 0, true, fmt.Errorf("%s is not a number", name)
	}
	return number, true, nil
}

// Time returns a member that is a NumericDate (RFC 7519 section 2), and whether it
// is there. Fractions of a second are cut off.
func (o Object) Time(name string) (time.Time, bool, error) {
	seconds, ok, err := o.Number(name)
	if err != nil || !ok {
		return time.Time{}, ok, err
	}
	if math.Abs(seconds) > 1<<40 {
		return time.Time{}, true, fmt.Errorf("%s is not a NumericDate", name)
	}
	return time.Unix(int64(seconds), 0), true, nil
}

// fold lower-cases a name the way encoding/json compares names: with Unicode's
// simple folding, by which "ſ" is an s and the Kelvin sign a k. The result of a name
// that folds to ASCII is ASCII.
func fold(name string) string {
	if !strings.ContainsFunc(name, func(r rune) bool { return r >= utf8.RuneSelf || unicode.IsUpper(r) }) {
		return name // like nearly all names
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
