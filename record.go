package agentconnect

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/packed"
)

// recordVersion is the first byte of a session record. A record of another version is
// not a session: its agent logs in again.
const recordVersion = 2

// The session record is the value in the store: a version, the fixed fields, then
// texts, each after its length as a varint. The ID token is last, so that requests that
// do not need it do not copy it.
//
//	version       1 byte
//	created       8 bytes, Unix seconds, big endian
//	expires       8 bytes, Unix seconds
//	auth_time     8 bytes, Unix seconds, 0: absent
//	login         16 bytes, see sessionCookie.loginID
//	idle          4 bytes, the idle timeout in seconds, 0: none
//	seen key      16 bytes, see session.signSeen
//	empty         4 bytes, a bit for each claim that is present and empty: the texts, then roles, amr
//	length        4 bytes, of all the rest except the ID token
//	texts         the claims of textClaimNames, in order
//	account       text, see Login.Account
//	extra         JSON
//	roles, amr    a varint count, then texts
//	ID token      the rest

const recordHeaderLen = 1 + 8 + 8 + 8 + 16 + 4 + 16 + 4 + 4

var errRecord = errors.New("unreadable session record")

// encodeRecord returns the record of a session.
func encodeRecord(s *session, idToken string) []byte {
	b := make([]byte, 0, recordHeaderLen+1024)
	b = append(b, recordVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(s.created.Unix()))
	b = binary.BigEndian.AppendUint64(b, uint64(s.expires.Unix()))
	var authTime int64
	if !s.agent.AuthTime.IsZero() {
		authTime = s.agent.AuthTime.Unix()
	}
	b = binary.BigEndian.AppendUint64(b, uint64(authTime))
	b = append(b, s.login[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(s.idleTimeout/time.Second))
	b = append(b, s.seenKey[:]...)
	empty := s.agent.empty
	if s.agent.Roles != nil && len(s.agent.Roles) == 0 {
		empty |= emptyRoles
	}
	if s.agent.AMR != nil && len(s.agent.AMR) == 0 {
		empty |= emptyAMR
	}
	b = binary.BigEndian.AppendUint32(b, empty)
	b = append(b, 0, 0, 0, 0) // the length, below
	for _, field := range s.agent.texts() {
		b = packed.Append(b, *field)
	}
	b = packed.Append(b, s.account)
	b = packed.Append(b, s.agent.extra)
	b = packed.AppendList(b, s.agent.Roles)
	b = packed.AppendList(b, s.agent.AMR)
	binary.BigEndian.PutUint32(b[recordHeaderLen-4:], uint32(len(b)-recordHeaderLen))
	// The exact size: a store in memory keeps the whole slice.
	record := make([]byte, len(b)+len(idToken))
	copy(record[copy(record, b):], idToken)
	return record
}

// decodeRecord reads a record. It copies all data, because a store can reuse the
// record's memory.
func decodeRecord(record []byte) (*session, error) {
	if len(record) < recordHeaderLen || record[0] != recordVersion {
		return nil, errRecord
	}
	textsLen := int64(binary.BigEndian.Uint32(record[recordHeaderLen-4:]))
	if textsLen > int64(len(record)-recordHeaderLen) {
		return nil, errRecord
	}
	end := recordHeaderLen + int(textsLen)
	s := &session{}
	s.created = time.Unix(int64(binary.BigEndian.Uint64(record[1:])), 0)
	s.expires = time.Unix(int64(binary.BigEndian.Uint64(record[9:])), 0)
	if authTime := int64(binary.BigEndian.Uint64(record[17:])); authTime != 0 {
		s.agent.AuthTime = time.Unix(authTime, 0)
	}
	copy(s.login[:], record[25:])
	s.idleTimeout = time.Duration(binary.BigEndian.Uint32(record[41:])) * time.Second
	copy(s.seenKey[:], record[45:])
	empty := binary.BigEndian.Uint32(record[61:])

	r := packed.NewReader(string(record[recordHeaderLen:end]))
	for _, field := range s.agent.texts() {
		*field = r.Next()
	}
	s.account = r.Next()
	s.agent.extra = r.Next()
	s.agent.Roles = r.List(s.listed[:])
	s.agent.AMR = r.List(s.listed[min(len(s.agent.Roles), len(s.listed)):])
	if !r.IsDone() {
		return nil, errRecord
	}
	s.agent.empty = empty &^ (emptyRoles | emptyAMR)
	if empty&emptyRoles != 0 && s.agent.Roles == nil {
		s.agent.Roles = []string{}
	}
	if empty&emptyAMR != 0 && s.agent.AMR == nil {
		s.agent.AMR = []string{}
	}
	return s, nil
}

// idTokenOf returns a copy of the ID token of a record that decodeRecord accepts.
func idTokenOf(record []byte) string {
	return string(record[recordHeaderLen+int(binary.BigEndian.Uint32(record[recordHeaderLen-4:])):])
}
