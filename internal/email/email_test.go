package email_test

import (
	"strings"
	"testing"

	"github.com/agentconnect-go/agentconnect/internal/email"
)

func TestValid(t *testing.T) {
	t.Parallel()
	label := strings.Repeat("a", 63)
	for address, want := range map[string]bool{
		"marie.exemple@culture.gouv.fr":            true,
		"MARIE@CULTURE.GOUV.FR":                    true,
		"o'brien+x=y@a-b.example":                  true,
		"a@b.fr":                                   true,
		"_@b.fr":                                   true,
		"marie@xn--hxajbheg2az3al.xn--jxalpdlp":    true,
		strings.Repeat("a", 64) + "@b.example":     true,
		"a@" + label + ".fr":                       true,
		"marie@ministere":                          false,
		"a@b":                                      false,
		"marie@x.f":                                false,
		"marie@127.0.0.1":                          false,
		"marie@[127.0.0.1]":                        false,
		"marie@a_b.fr":                             false,
		strings.Repeat("a", 65) + "@b.example":     false,
		"a@a" + label + ".fr":                      false,
		"a@" + strings.Repeat(label+".", 4) + "fr": false,
		"a@b.f1":                                   false,
		"a@b.123":                                  false,
		"a@b.fr.":                                  false,
		"a@.b.fr":                                  false,
		"a@b..fr":                                  false,
		"a@-b.fr":                                  false,
		"a@b-.fr":                                  false,
		".a@b.fr":                                  false,
		"a.@b.fr":                                  false,
		"a..b@b.fr":                                false,
		"@b.fr":                                    false,
		"a@":                                       false,
		"":                                         false,
		"a":                                        false,
		"a@b@c.fr":                                 false,
		`"a b"@b.fr`:                               false,
		"a b@b.fr":                                 false,
		"a@b.fr ":                                  false,
		" a@b.fr":                                  false,
		"a@b.fr\n":                                 false,
		"<a@b.fr>":                                 false,
		"A <a@b.fr>":                               false,
		"a@b.fr,c@d.fr":                            false,
		"a(x)@b.fr":                                false,
		"é@b.fr":                                   false,
		"a@é.fr":                                   false,
		"a@b.fr\u2028":                             false,
		"a@ｂ.fr":                                   false,
		"a@*.fr":                                   false,
	} {
		if got := email.Valid(address); got != want {
			t.Errorf("%.80q: got %t, want %t", address, got, want)
		}
	}
}
