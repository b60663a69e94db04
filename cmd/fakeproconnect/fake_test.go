package main

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A change is noticed if it comes before the file is watched, and if it leaves the time
// and the size of the file as they were.
func TestChangesOfTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "settings.json")
	write := func(name string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(`{"agents": [{"login": "`+name+`", "claims": {"sub": "s"}}]}`), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, time.Time{}, time.Unix(1_790_000_000, 0)); err != nil {
			t.Fatal(err)
		}
	}
	write("anne")
	read := func() (settings, error) { return readFile(file) }
	first, err := read()
	if err != nil {
		t.Fatal(err)
	}
	f, err := newFake(first, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1})
	if err != nil {
		t.Fatal(err)
	}
	write("anna")
	go f.watch(t.Context(), first, nil, read, io.Discard)
	for _, want := range []string{"anna", "inge"} {
		write(want)
		for end := time.Now().Add(20 * time.Second); f.settings.Load().Agents[0].Login != want; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("got the agent %q, want %q", f.settings.Load().Agents[0].Login, want)
			}
		}
	}
}
