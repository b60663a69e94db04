package weburl_test

import (
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/agentconnect-go/agentconnect/internal/weburl"
)

func TestLocal(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"/":                            "/",
		"/a/b?c=d&e=//f#g":             "/a/b?c=d&e=//f#g",
		"/é b":                         "/%C3%A9%20b",
		"/a?x=\u2028":                  "/a?x=%E2%80%A8",
		"":                             "",
		"a":                            "",
		"//a":                          "",
		"/\\a":                         "",
		"/a/../b":                      "",
		"/a/%2e%2E/b":                  "",
		"/%2fa":                        "",
		"/%5ca":                        "",
		"/%00":                         "",
		"/%zz":                         "",
		"/\t/a":                        "",
		"https://a":                    "",
		"/" + long(2047):               "/" + long(2047),
		"/" + long(2048):               "",
		"/" + long(2000) + "éééé":      "/" + long(2000) + strings.Repeat("%C3%A9", 4),
		"/" + strings.Repeat("é", 400): "",
	} {
		if got, ok := weburl.Local(target); got != want && ok || ok != (want != "") {
			t.Errorf("%.60q: got %.60q, %t, want %.60q", target, got, ok, want)
		}
	}
}

func long(n int) string { return strings.Repeat("x", n) }

// Every spelling that some router or proxy takes for the page is the page.
func TestSamePage(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		location, page string
		want           bool
	}{
		{"/app/login", "/app/login", true},
		{"/app//login", "/app/login", true},
		{"/app///login//", "/app/login", true},
		{"/app/login/?return_to=/app/login", "/app/login", true},
		{"/app/login#x", "/app/login", true},
		{"/APP/Login", "/app/login", true},
		{"/app%2flogin", "/app/login", true},
		{"/app/%2flogin", "/app/login", true},
		{"/app/%6cogin", "/app/login", true},
		{"/app/%256cogin", "/app/login", true},
		{"/app/%25256cogin", "/app/login", true},
		{"/app/./login", "/app/login", true},
		{"/app/x/../login", "/app/login", true},
		{"/app/%2e/login", "/app/login", true},
		{"/app/login/", "/app/login/", true},
		{"/app/login", "/app/login/", true},
		{"/", "/", true},
		{"/app/logins", "/app/login", false},
		{"/login", "/app/login", false},
		{"/app/x/login", "/app/login", false},
		{"/app/dossiers?next=/app/login", "/app/login", false},
		{"/100%25", "/app/login", false},
		{"/app/login%25", "/app/login", false},
	} {
		if got := weburl.SamePage(tt.location, tt.page); got != tt.want {
			t.Errorf("%q and %q: got %t, want %t", tt.location, tt.page, got, tt.want)
		}
	}
}

func TestIsLoopback(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST": true, "localhost.": true, "a.localhost": true, "127.0.0.1": true, "127.9.8.7": true, "::1": true, "::ffff:127.0.0.1": true,
		"": false, "localhost.example": false, "notlocalhost": false, "10.0.0.1": false, "0.0.0.0": false, "127.0.0.1.example": false, "example": false, "::": false,
	} {
		if got := weburl.IsLoopback(host); got != want {
			t.Errorf("%q: got %t, want %t", host, got, want)
		}
	}
}

func TestIsPagePath(t *testing.T) {
	t.Parallel()
	for p, want := range map[string]bool{
		"/": true, "/a": true, "/a/b/": true, "/a.b/c-d": true,
		"": false, "a": false, "//": false, "/a//b": false, "/a/../b": false, "/a/.": false, "/a?b": false, "/a#b": false, "/a%20b": false, `/a\b`: false, "/é": false, "/a b": false,
	} {
		if got := weburl.IsPagePath(p); got != want {
			t.Errorf("%q: got %t, want %t", p, got, want)
		}
	}
}

// A local page stays one when it is checked again, and has one spelling. If Go's own
// cleaning makes it one of our pages, SamePage says so.
func FuzzLocal(f *testing.F) {
	for _, seed := range []string{"/", "/a/b?c#d", "//a", "/%2e%2e/login", "/login//", "/%256cogin", "/é", `/\a`, "/a?" + long(3000)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		location, ok := weburl.Local(target)
		if !ok {
			return
		}
		if again, ok := weburl.Local(location); !ok || again != location {
			t.Fatalf("%q: got %q, and of that %q, %t", target, location, again, ok)
		}
		u, err := url.Parse(location)
		if err != nil || u.Host != "" || u.Scheme != "" || !weburl.IsPrintableASCII(location) || len(location) > weburl.MaxLocal {
			t.Fatalf("%q: got %q, %v", target, location, err)
		}
		if strings.EqualFold(path.Clean(u.Path), "/login") && !weburl.SamePage(location, "/login") {
			t.Fatalf("%q: got %q, which routers take for /login", target, location)
		}
	})
}
