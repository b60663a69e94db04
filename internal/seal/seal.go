// Package seal encrypts and authenticates data that leaves the process and comes back:
// cookies, links and session records. It knows bytes, keys and purposes, and nothing
// about the data.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
)

// A Sealer encrypts and authenticates data with AES-256-GCM and a random nonce. The
// first key seals, every key opens.
type Sealer struct {
	aeads []cipher.AEAD
	text  *base64.Encoding // strict: each sealed text has one spelling
}

// New derives a key for one purpose from each secret with HKDF-SHA-256
// (RFC 5869). Data that was sealed for one purpose does not open for another.
func New(purpose string, secrets ...string) (*Sealer, error) {
	s := &Sealer{text: base64.RawURLEncoding.Strict()}
	for _, secret := range secrets {
		key, err := hkdf.Key(sha256.New, []byte(secret), nil, "agentconnect "+purpose, 32)
		if err != nil {
			return nil, fmt.Errorf("agentconnect: deriving the key of %s: %w", purpose, err)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, fmt.Errorf("agentconnect: key of %s: %w", purpose, err)
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, fmt.Errorf("agentconnect: key of %s: %w", purpose, err)
		}
		s.aeads = append(s.aeads, aead)
	}
	return s, nil
}

// SealBytes returns plaintext sealed and bound to context.
func (s *Sealer) SealBytes(plaintext []byte, context string) []byte {
	return s.aeads[0].Seal(nil, nil, plaintext, []byte(context))
}

// OpenBytes returns the plaintext. It returns false for anything that was not sealed by
// one of the keys for the same context.
func (s *Sealer) OpenBytes(sealed []byte, context string) ([]byte, bool) {
	for _, aead := range s.aeads {
		if plaintext, err := aead.Open(nil, nil, sealed, []byte(context)); err == nil {
			return plaintext, true
		}
	}
	return nil, false
}

// Seal is SealBytes as base64url text, for cookies and URLs.
func (s *Sealer) Seal(plaintext []byte, context string) string {
	return s.text.EncodeToString(s.SealBytes(plaintext, context))
}

// Open is OpenBytes for the text of Seal.
func (s *Sealer) Open(sealed, context string) ([]byte, bool) {
	if strings.ContainsAny(sealed, "\r\n") {
		return nil, false // encoding/base64 skips line breaks, even when it is strict
	}
	b, err := s.text.DecodeString(sealed)
	if err != nil {
		return nil, false
	}
	return s.OpenBytes(b, context)
}
