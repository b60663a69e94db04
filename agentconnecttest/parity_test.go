package agentconnecttest_test

import (
	"os"
	"strings"
	"testing"
)

// TestParityHasTests: in docs/protocol-parity.md, no line is without a test. That the
// tests exist is checked with all the documentation.
func TestParityHasTests(t *testing.T) {
	const columns = 5
	text, err := os.ReadFile("../docs/protocol-parity.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| behaviour") || strings.HasPrefix(line, "| ---") {
			continue
		}
		rows++
		if len(cells) != columns {
			t.Errorf("got %d cells, want %d: %s", len(cells), columns, line)
			continue
		}
		for _, cell := range cells {
			if strings.TrimSpace(cell) == "" {
				t.Errorf("got an empty cell: %s", line)
			}
		}
		if !strings.Contains(cells[columns-1], "`Test") {
			t.Errorf("got no test: %s", line)
		}
	}
	if rows < 40 {
		t.Errorf("got %d lines, want all behaviours", rows)
	}
}
