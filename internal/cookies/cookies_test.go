package cookies_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/agentconnect-go/agentconnect/internal/cookies"
)

// net/http defines the value of a cookie.
func FuzzValue(f *testing.F) {
	for _, seed := range []string{
		"NAME=x", "a=b; NAME=x; c=d", "NAME=x; NAME=x", "\u2000NAME=x", "NAME\u00a0=x", " NAME=x", "NAME =x", "NAME= x", "NAME", "NAME=", `NAME="x"`, "NAME=x y", "x=NAME=x", "NAME-seen=y; NAME=x", "xNAME=y; NAME=x",
		"NAME=x;NAME-y=z", "a=b;NAME=x", "a=b;  NAME=x", "name=x", "NAME=x.y/z", "\tNAME=x\t", "NAME=x,NAME=y", "NAME=x\x00", "NAME=x; ", strings.Repeat("NAME=x; ", 60), strings.Repeat("NAMES=x; ", 60),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		const name = "__Host-agentconnect"
		header = strings.ReplaceAll(header, "NAME", name)
		r := &http.Request{Header: http.Header{"Cookie": {header}}}
		want := ""
		if cookies := r.CookiesNamed(name); len(cookies) == 1 && !cookies[0].Quoted {
			want = cookies[0].Value
		}
		if got := cookies.Value(r, name); got != want && strings.Count(header, name) < 50 {
			t.Fatalf("%q: got %q, net/http has %q", header, got, want)
		}
		if got := cookies.Named(r, name); len(got) > 0 && len(got) != len(r.CookiesNamed(name)) {
			t.Fatalf("%q: got %d cookies, net/http has %d", header, len(got), len(r.CookiesNamed(name)))
		}
	})
}
