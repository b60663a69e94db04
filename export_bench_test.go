package agentconnect

import "time"

// A SessionRecord is what a session record says, for the tests of its encoding.
type SessionRecord struct {
	Agent            Agent
	Created, Expires time.Time
	Login            [16]byte
	IDToken          string
}

// Encode returns the record as the store keeps it.
func (r SessionRecord) Encode() []byte {
	return encodeRecord(&session{agent: r.Agent, created: r.Created, expires: r.Expires, login: r.Login}, r.IDToken)
}

// DecodeSessionRecord reads a record back.
func DecodeSessionRecord(record []byte) (SessionRecord, error) {
	s, err := decodeRecord(record)
	if err != nil {
		return SessionRecord{}, err
	}
	return SessionRecord{s.agent, s.created, s.expires, s.login, s.idToken()}, nil
}
