package agentconnecttest_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
)

// decode returns the header and the claims of a JWT as JSON text, without
// checking anything.
func decode(t *testing.T, compact string) (header, claims string) {
	t.Helper()
	parts := strings.Split(compact, ".")
	if len(parts) < 2 {
		t.Fatalf("got %q, want a JWT", compact)
	}
	var decoded [2]string
	for i := range decoded {
		b, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		decoded[i] = string(b)
	}
	return decoded[0], decoded[1]
}

// member returns the JSON of a member of a JSON object, or "" when it is absent.
func member(t *testing.T, text, name string) string {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &members); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return string(members[name])
}
