// Package packed writes texts and lists of texts one after the other, each after its
// length as a varint, and reads them back without copying. It knows nothing about their
// content.
package packed

import "encoding/binary"

// Append appends a text after its length.
func Append(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// AppendList appends the number of texts, and each text.
func AppendList(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = Append(b, s)
	}
	return b
}

// A Reader reads texts one after the other. Its results share the memory of the string.
// If a length leads out of the string, the Reader has failed and returns nothing more.
type Reader struct {
	text   string
	at     int
	failed bool
}

// NewReader returns a Reader of the bytes of Append and AppendList.
func NewReader(text string) *Reader { return &Reader{text: text} }

// number reads the length of a text, or the number of texts of a list, which
// is never more than the bytes that are left.
func (r *Reader) number() int {
	n := uint64(0)
	for shift := 0; r.at < len(r.text) && shift < 64; shift += 7 {
		c := r.text[r.at]
		r.at++
		n |= uint64(c&0x7f) << shift
		if c < 0x80 {
			if n > uint64(len(r.text)-r.at) {
				break
			}
			return int(n)
		}
	}
	r.failed, r.at = true, len(r.text)
	return 0
}

// Next reads a text.
func (r *Reader) Next() string {
	n := r.number()
	s := r.text[r.at : r.at+n]
	r.at += n
	return s
}

// List reads a list, into room if that is enough. It is nil if it has no texts.
func (r *Reader) List(room []string) []string {
	n := r.number()
	if n == 0 {
		return nil
	}
	if n > len(room) {
		room = make([]string, n)
	}
	list := room[:n:n]
	for i := range list {
		list[i] = r.Next()
	}
	return list
}

// IsDone reports whether everything was read, and nothing failed.
func (r *Reader) IsDone() bool { return !r.failed && r.at == len(r.text) }
