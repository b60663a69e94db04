package agentconnect

import "time"

// A SessionRecord is what a session record says, for the tests of its encoding.
type SessionRecord struct {
	Agent            Agent
	Account          string
	Created, Expires time.Time
	Login            [16]byte
	IDToken          string
	IdleTimeout      time.Duration
	SeenKey          [16]byte
}

// Encode returns the record as the store keeps it.
func (r SessionRecord) Encode() []byte {
	return encodeRecord(&session{
		agent: r.Agent, account: r.Account, created: r.Created, expires: r.Expires, login: r.Login, idleTimeout: r.IdleTimeout, seenKey: r.SeenKey,
	}, r.IDToken)
}

// DecodeSessionRecord reads a record back.
func DecodeSessionRecord(record []byte) (SessionRecord, error) {
	s, err := decodeRecord(record)
	if err != nil {
		return SessionRecord{}, err
	}
	return SessionRecord{s.agent, s.account, s.created, s.expires, s.login, idTokenOf(record), s.idleTimeout, s.seenKey}, nil
}
