package strictjson

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds the nesting of objects and arrays.
const maxDepth = 32

// usualMembers is more than the number of members of most objects that are read here.
const usualMembers = 24

var errNotJSON = errors.New("it is not JSON")

// Parse reads a JSON object (RFC 8259). It refuses anything after the object, text
// that is not UTF-8, nesting deeper than 32, and a name that is repeated in one object,
// at any depth. It reads the text once.
func Parse(data []byte) (Object, error) {
	if !utf8.Valid(data) {
		return Object{}, errors.New("the JSON is not UTF-8")
	}
	p := parser{text: string(data)}
	if p.next() != '{' {
		if err := p.value(0); err != nil || !p.end() {
			return Object{}, errNotJSON
		}
		return Object{}, errors.New("it is not a JSON object")
	}
	o := Object{members: make([]member, 0, usualMembers)}
	if err := p.object(1, &o); err != nil {
		return Object{}, err
	}
	if !p.end() {
		return Object{}, errNotJSON
	}
	return o, nil
}

// A parser walks over a JSON text. Each method begins where its subject begins, and
// stops behind it.
type parser struct {
	text string
	at   int
}

// next skips white space and returns the byte there, 0 at the end.
func (p *parser) next() byte {
	for ; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

// end reports whether only white space is left.
func (p *parser) end() bool {
	p.next()
	return p.at == len(p.text)
}

// take skips white space and then c, and reports whether c was there.
func (p *parser) take(c byte) bool {
	if p.next() != c || p.at == len(p.text) {
		return false
	}
	p.at++
	return true
}

// value walks over a value that is inside depth objects and arrays.
func (p *parser) value(depth int) error {
	switch c := p.next(); c {
	case '{':
		return p.object(depth+1, nil)
	case '[':
		return p.array(depth + 1)
	case '"':
		_, err := p.string()
		return err
	case 't':
		return p.literal("true")
	case 'f':
		return p.literal("false")
	case 'n':
		return p.literal("null")
	default:
		return p.number()
	}
}

// object walks over an object, and collects its members unless keep is nil.
func (p *parser) object(depth int, keep *Object) error {
	if depth > maxDepth {
		return errors.New("the JSON is nested too deeply")
	}
	p.at++
	if p.take('}') {
		return nil
	}
	var seen names
	for {
		if p.next() != '"' {
			return errNotJSON
		}
		quoted, err := p.string()
		if err != nil {
			return err
		}
		name, ok := quoted.text()
		if !ok || !p.take(':') {
			return errNotJSON
		}
		if !seen.add(name) {
			return errors.New("a member of the JSON object is repeated")
		}
		p.next()
		begin := p.at
		if err := p.value(depth); err != nil {
			return err
		}
		if keep != nil {
			keep.members = append(keep.members, member{name, Raw(p.text[begin:p.at])})
			if folded := fold(name); folded != name {
				keep.odd = append(keep.odd, folded)
			}
		}
		if p.take('}') {
			return nil
		}
		if !p.take(',') {
			return errNotJSON
		}
	}
}

func (p *parser) array(depth int) error {
	if depth > maxDepth {
		return errors.New("the JSON is nested too deeply")
	}
	p.at++
	if p.take(']') {
		return nil
	}
	for {
		if err := p.value(depth); err != nil {
			return err
		}
		if p.take(']') {
			return nil
		}
		if !p.take(',') {
			return errNotJSON
		}
	}
}

// string returns a text with its quotes.
func (p *parser) string() (Raw, error) {
	begin := p.at
	for p.at++; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; {
		case c == '"':
			p.at++
			return Raw(p.text[begin:p.at]), nil
		case c < ' ':
			return "", errNotJSON
		case c == '\\':
			if err := p.escape(); err != nil {
				return "", err
			}
		}
	}
	return "", errNotJSON
}

// escape walks over an escape up to its last byte.
func (p *parser) escape() error {
	p.at++
	if p.at == len(p.text) {
		return errNotJSON
	}
	switch p.text[p.at] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return nil
	case 'u':
		for range 4 {
			p.at++
			if p.at == len(p.text) || !strings.Contains("0123456789abcdefABCDEF", p.text[p.at:p.at+1]) {
				return errNotJSON
			}
		}
		return nil
	}
	return errNotJSON
}

func (p *parser) literal(want string) error {
	if !strings.HasPrefix(p.text[p.at:], want) {
		return errNotJSON
	}
	p.at += len(want)
	return nil
}

func (p *parser) number() error {
	if p.at < len(p.text) && p.text[p.at] == '-' {
		p.at++
	}
	zero := p.at < len(p.text) && p.text[p.at] == '0'
	if digits := p.digits(); digits == 0 || zero && digits > 1 {
		return errNotJSON
	}
	if p.at < len(p.text) && p.text[p.at] == '.' {
		p.at++
		if p.digits() == 0 {
			return errNotJSON
		}
	}
	if p.at < len(p.text) && (p.text[p.at] == 'e' || p.text[p.at] == 'E') {
		p.at++
		if p.at < len(p.text) && (p.text[p.at] == '+' || p.text[p.at] == '-') {
			p.at++
		}
		if p.digits() == 0 {
			return errNotJSON
		}
	}
	return nil
}

// digits walks over digits and returns how many there are.
func (p *parser) digits() int {
	begin := p.at
	for p.at < len(p.text) && '0' <= p.text[p.at] && p.text[p.at] <= '9' {
		p.at++
	}
	return p.at - begin
}

// names is the set of the names of one object. A few names are compared one by one.
// Many, which only an attacker sends, are kept in a map.
type names struct {
	few  [usualMembers]string
	n    int
	many map[string]bool
}

// add adds a name and reports whether it is new.
func (s *names) add(name string) bool {
	for _, other := range s.few[:s.n] {
		if other == name {
			return false
		}
	}
	if s.n < len(s.few) {
		s.few[s.n] = name
		s.n++
		return true
	}
	if s.many[name] {
		return false
	}
	if s.many == nil {
		s.many = map[string]bool{}
	}
	s.many[name] = true
	return true
}
