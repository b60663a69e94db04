package strictjson_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/agentconnect-go/agentconnect/internal/strictjson"
)

// parse parses an object that is good.
func parse(t *testing.T, text string) strictjson.Object {
	t.Helper()
	o, err := strictjson.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return o
}

// membersOf returns the number of members of an object.
func membersOf(o strictjson.Object) int { return len(maps.Collect(o.All())) }

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	const (
		notObject = "it is not a JSON object"
		notJSON   = "it is not JSON"
		repeated  = "a member of the JSON object is repeated"
		tooDeep   = "the JSON is nested too deeply"
		notUTF8   = "the JSON is not UTF-8"
	)
	many := func(last string) string {
		var b strings.Builder
		b.WriteByte('{')
		for i := range 100 {
			fmt.Fprintf(&b, `"n%d":%d,`, i, i)
		}
		return b.String() + `"` + last + `":0}`
	}
	parse(t, many("n100"))
	parse(t, `{"a":`+strings.Repeat("[", 31)+strings.Repeat("]", 31)+`}`)
	for _, tt := range []struct{ text, want string }{
		{``, notJSON}, {` `, notJSON}, {`null`, notObject}, {`[]`, notObject}, {`"a"`, notObject}, {`1`, notObject}, {"\ufeff{}", notJSON}, {"<html>", notJSON}, {`[1`, notJSON}, {`[] []`, notJSON},
		{`{`, notJSON}, {`{"a"`, notJSON}, {`{"a":`, notJSON}, {`{"a":1`, notJSON}, {`{"a":1,`, notJSON}, {`{"a":1,}`, notJSON}, {`{,}`, notJSON}, {`{a:1}`, notJSON}, {`{'a':1}`, notJSON}, {`{"a" 1}`, notJSON},
		{`{"a":[1,]}`, notJSON}, {`{"a":[1}`, notJSON}, {`{"a":[}`, notJSON}, {`{"a":[1 2]}`, notJSON}, {`{"a":}`, notJSON}, {`{1:1}`, notJSON},
		{`{"a":01}`, notJSON}, {`{"a":-}`, notJSON}, {`{"a":1.}`, notJSON}, {`{"a":.5}`, notJSON}, {`{"a":1e}`, notJSON}, {`{"a":1e+}`, notJSON}, {`{"a":+1}`, notJSON}, {`{"a":NaN}`, notJSON}, {`{"a":-01}`, notJSON}, {`{"a":0x1}`, notJSON},
		{`{"a":True}`, notJSON}, {`{"a":nul}`, notJSON}, {`{"a":truex}`, notJSON},
		{"{\"a\":\"\n\"}", notJSON}, {"{\"a\":\"\x00\"}", notJSON}, {`{"a":"\x"}`, notJSON}, {`{"a":"\u12"}`, notJSON}, {`{"a":"\u12g4"}`, notJSON}, {`{"a":"b`, notJSON}, {`{"a":"\`, notJSON}, {`{"a":"\u`, notJSON},
		{`{"a":1}x`, notJSON}, {`{"a":1}{}`, notJSON}, {"{}\x00", notJSON}, {"{}\v", notJSON}, {"{\u00a0}", notJSON},
		{`{"a":1,"a":1}`, repeated}, {`{"a":1,"\u0061":2}`, repeated}, {`{"x":[{"a":{"b":1,"b":1}}]}`, repeated}, {`{"\ud800":1,"\ud801":2}`, repeated}, {many("n0"), repeated}, {many("n15"), repeated}, {many("n16"), repeated}, {many("n99"), repeated}, {`{"x":` + many("n50") + `}`, repeated},
		{`{"a":` + strings.Repeat("[", 32), tooDeep}, {strings.Repeat(`{"a":`, 33), tooDeep},
		{"{\"\xff\":1}", notUTF8}, {"{\"a\":\"\xc3\"}", notUTF8},
	} {
		if o, err := strictjson.Parse([]byte(tt.text)); err == nil || err.Error() != tt.want {
			t.Errorf("%.100q: got %d members and the error %v, want %q", tt.text, membersOf(o), err, tt.want)
		}
	}
}

// A name that differs only by case from one that is read is refused when it is read,
// whether the right one is there or not; any other name may be written as it likes.
func TestNamesThatDifferByCase(t *testing.T) {
	t.Parallel()
	for _, odd := range []string{"Sub", "SUB", "ſub", `\u0053ub`, "\u017fub"} {
		for _, text := range []string{`{"` + odd + `":"b"}`, `{"sub":"a","` + odd + `":"b"}`, `{"` + odd + `":"b","sub":"a"}`} {
			o := parse(t, text)
			const want = "a member's name differs by case from sub"
			for name, read := range map[string]func() error{
				"Get":         func() error { _, err := o.Get("sub"); return err },
				"Text":        func() error { _, err := o.Text("sub"); return err },
				"Texts":       func() error { _, err := o.Texts("sub"); return err },
				"TextOrTexts": func() error { _, err := o.TextOrTexts("sub"); return err },
				"Bool":        func() error { _, err := o.Bool("sub"); return err },
				"Number":      func() error { _, _, err := o.Number("sub"); return err },
				"Time":        func() error { _, _, err := o.Time("sub"); return err },
			} {
				if err := read(); err == nil || err.Error() != want {
					t.Errorf("%s of %s: got the error %v, want %q", name, text, err, want)
				}
			}
			if _, err := o.Get("other"); err != nil {
				t.Errorf("%s: reading another name: %v", text, err)
			}
		}
	}
	if o := parse(t, `{"custom":{"Sub":1,"sub":2}}`); membersOf(o) != 1 {
		t.Errorf("got %d members, want 1", membersOf(o))
	}
	if got, err := parse(t, `{"Civilite":"M","É":1}`).Text("Civilite"); got != "M" || err != nil {
		t.Errorf("got %q, %v, want the member of a name with a capital", got, err)
	}
}

func TestReading(t *testing.T) {
	t.Parallel()
	const text = ` { "text" : "é\u00e9\"", "empty":"", "null":null, "list":["a","b\n"], "none":[], "holes":["a",null], "mixed":["a",1],
		"yes":true, "no":false, "int":3600, "float":3600.0, "exp":3.6e3, "huge":1e700, "far":1e13, "number as text":"3600", "object":{"b":[1, 2]} } `
	o := parse(t, text)
	type result struct {
		value any
		fails bool
	}
	read := func(value any, err error) result {
		if err != nil {
			return result{fails: true}
		}
		return result{value: value}
	}
	instant := func(value time.Time, ok bool, err error) result {
		if err == nil && !ok {
			return result{value: "absent"}
		}
		return read(value.Unix(), err)
	}
	number := func(value float64, ok bool, err error) result {
		if err == nil && !ok {
			return result{value: "absent"}
		}
		return read(value, err)
	}
	for name, tt := range map[string]struct{ text, list, either, flag, number, time result }{
		"text":           {text: result{value: `éé"`}, either: result{value: `[éé"]`}},
		"empty":          {text: result{value: ""}, either: result{value: "[]"}},
		"null":           {text: result{value: ""}, list: result{value: "nil"}, either: result{value: "nil"}, flag: result{value: false}},
		"absent":         {text: result{value: ""}, list: result{value: "nil"}, either: result{value: "nil"}, flag: result{value: false}, number: result{value: "absent"}, time: result{value: "absent"}},
		"list":           {list: result{value: "[a b\n]"}, either: result{value: "[a b\n]"}},
		"none":           {list: result{value: "[]"}, either: result{value: "[]"}},
		"holes":          {},
		"mixed":          {},
		"yes":            {flag: result{value: true}},
		"no":             {flag: result{value: false}},
		"int":            {number: result{value: 3600.0}, time: result{value: int64(3600)}},
		"float":          {number: result{value: 3600.0}, time: result{value: int64(3600)}},
		"exp":            {number: result{value: 3600.0}, time: result{value: int64(3600)}},
		"huge":           {},
		"far":            {number: result{value: 1e13}},
		"number as text": {text: result{value: "3600"}, either: result{value: "[3600]"}},
		"object":         {},
	} {
		list := func(l []string, err error) result {
			if err == nil && l == nil {
				return result{value: "nil"}
			}
			return read(fmt.Sprint(l), err)
		}
		s, err := o.Text(name)
		flag, flagErr := o.Bool(name)
		for _, r := range []struct {
			how       string
			got, want result
		}{
			{"Text", read(s, err), tt.text}, {"Texts", list(o.Texts(name)), tt.list}, {"TextOrTexts", list(o.TextOrTexts(name)), tt.either},
			{"Bool", read(flag, flagErr), tt.flag}, {"Number", number(o.Number(name)), tt.number}, {"Time", instant(o.Time(name)), tt.time},
		} {
			want := r.want
			if want == (result{}) {
				want = result{fails: true}
			}
			if r.got != want {
				t.Errorf("%s of %q: got %+v, want %+v", r.how, name, r.got, want)
			}
		}
	}
	raw, err := o.Get("object")
	if raw != `{"b":[1, 2]}` || err != nil {
		t.Errorf("got %q, %v, want the member as it was written", raw, err)
	}
	if got := fmt.Sprint(raw.Value()); got != "map[b:[1 2]]" {
		t.Errorf("got %s, want the object", got)
	}
	if written, err := json.Marshal(raw); string(written) != `{"b":[1,2]}` || err != nil {
		t.Errorf("got %s, %v", written, err)
	}
}

// No error quotes what was read.
func TestErrorsDoNotQuote(t *testing.T) {
	t.Parallel()
	const secret = "marie.dupont"
	var own quoting
	var number int
	for name, err := range map[string]error{
		"a type of its own": strictjson.Raw(`"` + secret + `"`).Decode(&own),
		"text":              strictjson.Raw(`"` + secret + `"`).Decode(&number),
		"a large number":    strictjson.Raw(`123456789012345678901234567890`).Decode(&number),
		"no pointer":        strictjson.Raw(`"` + secret + `"`).Decode(number),
	} {
		if err == nil || strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "1234567890") {
			t.Errorf("%s: got the error %v, want one that does not quote", name, err)
		}
	}
	if err := strictjson.Raw(`12`).Decode(&number); err != nil || number != 12 {
		t.Errorf("got %d, %v, want 12", number, err)
	}
}

type quoting string

func (q *quoting) UnmarshalJSON(b []byte) error { return fmt.Errorf("bad value %s", b) }

// An accepted object has one meaning: the same for a reader that takes the first of two
// members, one that takes the last, and one that ignores case. Objects that
// encoding/json accepts are accepted, unless they are ambiguous.
func FuzzAmbiguousJSON(f *testing.F) {
	for _, seed := range []string{
		`{"sub":"a","aud":["b"],"exp":1790000000,"custom":{"a":1e700,"b":-1e-700,"c":-0}}`, `null`, `[]`, `{}`, `{"sub":"a","sub":"b"}`, `{"a":{"b":1,"b":2}}`, "{\"\xff\":1}", `{"\ud800":1,"\ud801":2}`, `{"sub":"a"}{"sub":"b"}`, strings.Repeat("[", 100),
		`{"Sub":"a"}`, `{"ſub":"a"}`, "{\"\u212aid\":1}", `{"s\u0075b":"a","sub":"b"}`, `{"a":[{"b":1,"\u0062":2}]}`, ` {"a":1} `, `{"a":1}x`, `{"a":1,}`, `{"a":01}`, `{"a":[true,false,null,"\u00e9\n",1.5E-3,{}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := strictjson.Parse(data)
		var last map[string]json.RawMessage
		isObject := json.Unmarshal(data, &last) == nil && last != nil
		scan := jsonScanner{text: string(data)}
		if isObject {
			scan.value()
		}
		if good := isObject && utf8.Valid(data) && !scan.repeated && scan.deepest <= 32; good != (err == nil) {
			t.Fatalf("got the error %v for an object that is good: %t: %q", err, good, data)
		}
		if err != nil {
			return
		}
		members := maps.Collect(o.All())
		if len(last) != membersOf(o) || len(members) != membersOf(o) {
			t.Fatalf("got %v of %s, encoding/json %v", members, data, last)
		}
		for name, value := range last {
			if members[name] != strictjson.Raw(bytes.TrimSpace(value)) {
				t.Fatalf("got %s %s, encoding/json has %s: %s", name, members[name], value, data)
			}
		}
		var ignoringCase struct {
			Sub   json.RawMessage `json:"sub"`
			Iss   json.RawMessage `json:"iss"`
			Nonce json.RawMessage `json:"nonce"`
			KeyID json.RawMessage `json:"keyid"`
		}
		if err := json.Unmarshal(data, &ignoringCase); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		for name, other := range map[string]json.RawMessage{"sub": ignoringCase.Sub, "iss": ignoringCase.Iss, "nonce": ignoringCase.Nonce, "keyid": ignoringCase.KeyID} {
			if got, err := o.Get(name); err == nil && string(got) != string(other) {
				t.Fatalf("a reader that ignores case has %s %s: %s", name, other, data)
			}
		}
	})
}

// A jsonScanner walks over valid JSON and notes whether an object repeats a name,
// and how deep the deepest value is.
type jsonScanner struct {
	text           string
	repeated       bool
	depth, deepest int
}

func (s *jsonScanner) space() { s.text = strings.TrimLeft(s.text, " \t\r\n") }

// string takes a string off the text and returns it decoded.
func (s *jsonScanner) string() string {
	end := 1
	for s.text[end] != '"' {
		if s.text[end] == '\\' {
			end++
		}
		end++
	}
	var decoded string
	json.Unmarshal([]byte(s.text[:end+1]), &decoded)
	s.text = s.text[end+1:]
	return decoded
}

func (s *jsonScanner) value() {
	s.space()
	switch s.text[0] {
	case '"':
		s.string()
	case '{', '[':
		s.depth++
		s.deepest = max(s.deepest, s.depth)
		closing := map[byte]byte{'{': '}', '[': ']'}[s.text[0]]
		object := s.text[0] == '{'
		s.text = s.text[1:]
		var names []string
		for s.space(); s.text[0] != closing; s.space() {
			if s.text[0] == ',' {
				s.text = s.text[1:]
				s.space()
			}
			if object {
				name := s.string()
				s.repeated = s.repeated || slices.Contains(names, name)
				names = append(names, name)
				s.space()
				s.text = s.text[1:] // the colon
			}
			s.value()
		}
		s.text = s.text[1:]
		s.depth--
	default:
		s.text = strings.TrimLeft(s.text, "+-.0123456789abcdefghijklmnopqrstuvwxyzE")
	}
}
