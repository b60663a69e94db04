package records_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/agentconnect-go/agentconnect/internal/records"
)

func open(t *testing.T, store scs.Store, registration string, keys ...string) records.Store {
	t.Helper()
	s, err := records.New(store, func(use string) string { return use + " " + registration }, keys)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Another registration, and an instance without the sealing key, do not get a record.
// The store sees neither the token nor, sealed, the record.
func TestRecordsOfOneRegistration(t *testing.T) {
	key, other := strings.Repeat("k", 32), strings.Repeat("o", 32)
	const token, record = "a-token-of-a-session", "what the record says"
	for _, tt := range []struct {
		name         string
		registration string
		keys         []string
		found        bool
	}{
		{"the same", "a", []string{key}, true},
		{"a new key in front", "a", []string{other, key}, true},
		{"another registration", "b", []string{key}, false},
		{"another key", "a", []string{other}, false},
		{"no key", "a", nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			store := memstore.NewWithCleanupInterval(0)
			if err := open(t, store, "a", key).Commit(token, []byte(record), time.Now().Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
			got, found, _ := open(t, store, tt.registration, tt.keys...).Find(token)
			if same := found && string(got) == record; same != tt.found {
				t.Errorf("got %q, %t, want the record: %t", got, found, tt.found)
			}
			all, err := store.All()
			if err != nil || len(all) != 1 {
				t.Fatalf("got %d records, %v, want 1", len(all), err)
			}
			for name, sealed := range all {
				if strings.Contains(name, token) || bytes.Contains(sealed, []byte(record)) {
					t.Errorf("the store sees %q: %q, want neither token nor record", name, sealed)
				}
			}
		})
	}
}

// Only the keys of this registration's sessions are listed, and a store that cannot
// list them says so.
func TestSessionKeys(t *testing.T) {
	store := memstore.NewWithCleanupInterval(0)
	a, b := open(t, store, "a"), open(t, store, "b")
	for _, write := range []error{
		a.Commit("token-of-a", []byte("x"), time.Now().Add(time.Hour)),
		a.Commit("tokens of something else", []byte("x"), time.Now().Add(time.Hour)),
		b.Commit("token-of-b", []byte("x"), time.Now().Add(time.Hour)),
	} {
		if write != nil {
			t.Fatal(write)
		}
	}
	keys, err := a.SessionKeys(t.Context())
	if err != nil || len(keys) != 1 || keys[0] != a.Key("token-of-a") {
		t.Errorf("got %q, %v, want the key of the one session", keys, err)
	}
	plain := struct{ scs.Store }{store}
	if _, err := open(t, plain, "a").SessionKeys(t.Context()); !errors.Is(err, records.ErrNotIterable) {
		t.Errorf("a store that cannot list: got %v, want ErrNotIterable", err)
	}
}

// Nothing is written that would be over at once, or never.
func TestExpiredRecordsAreNotWritten(t *testing.T) {
	store := memstore.NewWithCleanupInterval(0)
	if err := open(t, store, "a").Commit("token", []byte("x"), time.Now().Add(-time.Second)); err == nil {
		t.Error("got no error, want one")
	}
	if all, _ := store.All(); len(all) != 0 {
		t.Errorf("got %d records, want none", len(all))
	}
}
