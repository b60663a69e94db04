// Package validator compares what we take for an e-mail address with what
// ProConnect's server does: the npm package validator at its defaults.
package validator

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/agentconnect-go/agentconnect/example/internal/ci"
	"github.com/agentconnect-go/agentconnect/internal/email"
)

// corpus returns addresses that are made of parts that a rule could look at.
func corpus() []string {
	locals := []string{"", "a", "marie.exemple", "o'brien", "a+b", "a_b", "_", "-", ".a", "a.", "a..b", `"a b"`, `"a"`, "é", "a b", "a@b", "a,b", "a(b)", "a<b", "a\\b", "a\tb", strings.Repeat("a", 64), strings.Repeat("a", 65), "A", "1", "#!$%&'*+-/=?^_`{|}~", "日本"}
	labels := []string{"", "b", "culture", "a-b", "-b", "b-", "a_b", "B", "1", "127", "xn--bcher-kva", "é", "ｂ", "*", "b c", strings.Repeat("b", 63), strings.Repeat("b", 64), "b\u2028", "[127", "b/c"}
	tops := []string{"", "f", "fr", "FR", "gouv", "f1", "1", "123", "xn--p1ai", "xn", "xn--", "x1", "fr.", "f-r", "é", "éé", "0x1", "localhost", strings.Repeat("f", 63), strings.Repeat("f", 64), "fr\n", " fr", "1]"}
	var addresses []string
	for _, local := range locals {
		for _, label := range labels {
			for _, top := range tops {
				addresses = append(addresses, local+"@"+label+"."+top, local+"@"+label+"."+label+"."+top)
			}
			addresses = append(addresses, local+"@"+label, local+"@ministere."+label)
		}
		addresses = append(addresses, local, local+"@127.0.0.1", local+"@[127.0.0.1]", local+"@"+strings.Repeat("b.", 125)+"fr")
	}
	random := rand.New(rand.NewPCG(1, 2))
	letters := []rune("ab1.@-_+ \"'<>()[]\\,;:éx\u00a0\u2000\u200b~|%")
	for range 20_000 {
		r := make([]rune, 1+random.IntN(12))
		for i := range r {
			r[i] = letters[random.IntN(len(letters))]
		}
		addresses = append(addresses, string(r)+"@"+string(r)+".fr", string(r))
	}
	return addresses
}

// We take nothing that the server does not take: it would answer with a page from
// which nobody comes back.
func TestLoginHintsAreThoseOfTheServer(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("node_modules/validator"); err != nil {
		ci.Missing(t, "the npm package validator is not installed: run `npm ci --prefix example/internal/validator`")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		ci.Missing(t, "node is not installed: apt-get install nodejs")
	}
	addresses := corpus()
	input, err := json.Marshal(addresses)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, "judge.js")
	cmd.Stdin = bytes.NewReader(input)
	cmd.Stderr = os.Stderr
	output, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var taken []bool
	if err := json.Unmarshal(output, &taken); err != nil || len(taken) != len(addresses) {
		t.Fatalf("got %d answers for %d addresses, error %v", len(taken), len(addresses), err)
	}
	ours, theirs, refused := 0, 0, 0
	for i, address := range addresses {
		valid := email.Valid(address)
		if valid && !taken[i] {
			refused++
			if refused <= 20 {
				t.Errorf("%q: we take it, the server does not", address)
			}
		}
		if valid {
			ours++
		}
		if taken[i] {
			theirs++
		}
	}
	if ours == 0 || theirs == 0 || ours < theirs/4 {
		t.Errorf("got %d addresses that we take and %d that the server takes of %d, want most of them to be ours too", ours, theirs, len(addresses))
	}
	t.Logf("%d addresses: the server takes %d, we take %d", len(addresses), theirs, ours)
}
