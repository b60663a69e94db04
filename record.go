package agentconnect

import (
	"encoding/binary"
	"errors"
	"time"
)

// recordVersion is the first byte of a session record. A record of another
// version is no session: its agent logs in again.
const recordVersion = 1

// The session record is what the store keeps: a version, the fixed fields,
// then texts, each after its length as a varint, with the ID token last so that
// a request that does not need it does not copy it.
//
//	version       1 byte
//	created       8 bytes, Unix seconds, big endian
//	expires       8 bytes, Unix seconds
//	auth_time     8 bytes, Unix seconds, 0: absent
//	login         16 bytes, see recordStore.loginID
//	texts         the claims of textClaimNames, in order
//	extra         JSON
//	roles, amr    a varint count, then texts
//	ID token      the rest

const recordHeaderLen = 1 + 8 + 8 + 8 + 16

var errRecord = errors.New("agentconnect: unreadable session record")

// encodeRecord returns the record of a session.
func encodeRecord(s *session, idToken string) []byte {
	b := make([]byte, 0, recordHeaderLen+1024+len(idToken))
	b = append(b, recordVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(s.created.Unix()))
	b = binary.BigEndian.AppendUint64(b, uint64(s.expires.Unix()))
	var authTime int64
	if !s.agent.AuthTime.IsZero() {
		authTime = s.agent.AuthTime.Unix()
	}
	b = binary.BigEndian.AppendUint64(b, uint64(authTime))
	b = append(b, s.login[:]...)
	for _, field := range s.agent.texts() {
		b = appendText(b, *field)
	}
	b = appendText(b, s.agent.extra)
	b = appendTexts(b, s.agent.Roles)
	b = appendTexts(b, s.agent.AMR)
	return append(b, idToken...)
}

// decodeRecord reads a record back. It copies the texts once, so the session
// does not keep the store's memory alive, and leaves the ID token where it is.
func decodeRecord(record []byte) (*session, error) {
	if len(record) < recordHeaderLen || record[0] != recordVersion {
		return nil, errRecord
	}
	s := &session{record: record}
	s.created = time.Unix(int64(binary.BigEndian.Uint64(record[1:])), 0)
	s.expires = time.Unix(int64(binary.BigEndian.Uint64(record[9:])), 0)
	if authTime := int64(binary.BigEndian.Uint64(record[17:])); authTime != 0 {
		s.agent.AuthTime = time.Unix(authTime, 0)
	}
	copy(s.login[:], record[25:])

	end, ok := textsEnd(record)
	if !ok {
		return nil, errRecord
	}
	r := recordReader{text: string(record[recordHeaderLen:end])}
	for _, field := range s.agent.texts() {
		*field = r.next()
	}
	s.agent.extra = r.next()
	s.agent.Roles = r.list()
	s.agent.AMR = r.list()
	s.idTokenAt = end
	return s, nil
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendTexts(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = appendText(b, s)
	}
	return b
}

// textsEnd returns where the texts of a record end and its ID token begins,
// and false when a length leads out of the record.
func textsEnd(record []byte) (int, bool) {
	at := recordHeaderLen
	number := func() (int, bool) {
		n, size := binary.Uvarint(record[at:])
		if size <= 0 || n > uint64(len(record)) {
			return 0, false
		}
		at += size
		return int(n), true
	}
	skip := func(count int) bool {
		for range count {
			n, ok := number()
			if !ok || n > len(record)-at {
				return false
			}
			at += n
		}
		return true
	}
	if !skip(textClaimCount + 1) {
		return 0, false
	}
	for range 2 { // roles, amr
		count, ok := number()
		if !ok || !skip(count) {
			return 0, false
		}
	}
	return at, true
}

// A recordReader takes texts from the front of a string that textsEnd found
// well formed; what it returns shares the string's memory.
type recordReader struct {
	text string
}

func (r *recordReader) number() int {
	n, shift := 0, 0
	for i := range len(r.text) {
		c := r.text[i]
		n |= int(c&0x7f) << shift
		if c < 0x80 {
			r.text = r.text[i+1:]
			return n
		}
		shift += 7
	}
	return 0
}

func (r *recordReader) next() string {
	n := r.number()
	s := r.text[:n]
	r.text = r.text[n:]
	return s
}

func (r *recordReader) list() []string {
	n := r.number()
	if n == 0 {
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = r.next()
	}
	return list
}
