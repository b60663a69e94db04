package agentconnecttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// Member is one member of a JSON object. Value is anything that [json.Marshal]
// takes; a [json.RawMessage] is written as it is.
type Member struct {
	Name  string
	Value any
}

// Members is a JSON object whose members keep their order and may repeat. A map cannot
// do that. It is the header and the claims of a [JWT].
type Members []Member

// Get returns the value of the first member with that name, or nil.
func (m Members) Get(name string) any {
	for _, member := range m {
		if member.Name == name {
			return member.Value
		}
	}
	return nil
}

// Set replaces the value of the first member with that name, or adds the member at the
// end.
func (m *Members) Set(name string, value any) {
	for i := range *m {
		if (*m)[i].Name == name {
			(*m)[i].Value = value
			return
		}
	}
	m.Add(name, value)
}

// Add adds a member at the end, even if there is one with that name.
func (m *Members) Add(name string, value any) {
	*m = append(*m, Member{name, value})
}

// Delete removes every member with that name.
func (m *Members) Delete(name string) {
	*m = slices.DeleteFunc(*m, func(member Member) bool { return member.Name == name })
}

// MarshalJSON writes the members in their order, repeated ones included.
func (m Members) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, member := range m {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(member.Name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(member.Value)
		if err != nil {
			return nil, fmt.Errorf("member %q: %w", member.Name, err)
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// readMembers reads a JSON object, whose values stay [json.RawMessage]s.
func readMembers(text []byte) (Members, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	open, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	if open != json.Delim('{') {
		return nil, fmt.Errorf("%v is not the start of an object", open)
	}
	var m Members
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, err
		}
		m.Add(name.(string), value) // the decoder has checked that it is one
	}
	_, err = decoder.Token() // the end of the object
	return m, err
}
