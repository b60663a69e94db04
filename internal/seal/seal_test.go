package seal_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/agentconnect-go/agentconnect/internal/seal"
)

func newSealer(tb testing.TB, secrets ...string) *seal.Sealer {
	tb.Helper()
	s, err := seal.New("a purpose", secrets...)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// A sealed text opens as it was sealed, under the name it was sealed for, and as
// nothing else.
func FuzzSealed(f *testing.F) {
	auth, other := newSealer(f, "a secret"), newSealer(f, "another secret")
	f.Add("plain", "agentconnect-login-abcdefgh", "agentconnect-login-abcdefgh", "", 0)
	f.Add(`{"s":"state","r":"/"}`, "a", "b", "AAAA", 3)
	f.Add("", "", "", "-_-_", -1)
	f.Add(strings.Repeat("x", 4096), "name", "name", "=", 5000)
	f.Fuzz(func(t *testing.T, plain, name, otherName, forged string, at int) {
		sealed := auth.Seal([]byte(plain), name)
		if got, ok := auth.Open(sealed, name); !ok || string(got) != plain {
			t.Fatalf("got %q, %t, want %q as it was sealed", got, ok, plain)
		}
		if len(plain) > 3 && strings.Contains(sealed, plain) {
			t.Fatalf("the sealed text shows the plain one: %q", sealed)
		}
		if _, ok := auth.Open(sealed, otherName); ok && otherName != name {
			t.Fatalf("what was sealed for %q opens for %q", name, otherName)
		}
		if _, ok := other.Open(sealed, name); ok {
			t.Fatal("it opens with another secret")
		}
		if _, ok := auth.Open(forged, name); ok {
			t.Fatalf("a forged text opens: %q", forged)
		}
		at = max(0, min(at, len(sealed)))
		for _, changed := range []string{sealed[:at] + forged + sealed[at:], sealed[:at], sealed[at:], sealed[:at] + forged + sealed[min(len(sealed), at+len(forged)):]} {
			if _, ok := auth.Open(changed, name); ok && changed != sealed {
				t.Fatalf("%q opens, which was changed from %q", changed, sealed)
			}
		}
	})
}

// Of each sealed text there is one spelling: what is added to it does not open.
func TestSealedSpelling(t *testing.T) {
	t.Parallel()
	sealer := newSealer(t, "a secret")
	for plain := range 4 {
		sealed := sealer.Seal(bytes.Repeat([]byte("x"), plain), "name")
		if _, ok := sealer.Open(sealed, "name"); !ok {
			t.Errorf("%d bytes: got nothing, want what was sealed", plain)
		}
		for _, end := range []string{"!", "=", "==", "A", "AAAA", "\n", "\r", " ", "\x00", "é"} {
			if _, ok := sealer.Open(sealed+end, "name"); ok {
				t.Errorf("%d bytes, and %q at the end: got it opened, want nothing", plain, end)
			}
		}
	}
}

// The last character of a text has bits that say nothing: only one spelling opens.
func TestSealedSpareBits(t *testing.T) {
	t.Parallel()
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	s, err := seal.New("test", "secret")
	if err != nil {
		t.Fatal(err)
	}
	for size := range 3 {
		sealed := s.Seal(make([]byte, size), "name")
		opened := 0
		for _, last := range letters {
			if _, ok := s.Open(sealed[:len(sealed)-1]+string(last), "name"); ok {
				opened++
			}
		}
		if opened != 1 {
			t.Errorf("%d bytes: got %d spellings that open, want 1", size, opened)
		}
	}
}
