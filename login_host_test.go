package agentconnect_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// An application that is opened at another address than the registered one fails at
// each callback: one line of the log says why.
func TestLoginOnAnotherHostIsLogged(t *testing.T) {
	t.Parallel()
	const warning = "a login starts on another host or scheme"
	for _, tt := range []struct {
		name, host, proto string
		want              string // in the log; "" for no warning
	}{
		{"the registered one", "", "", ""},
		{"in capitals", "LOCALHOST", "", ""},
		{"and its scheme", "", "http", ""},
		{"127.0.0.1 for localhost", "127.0.0.1", "", `"request":"127.0.0.1:`},
		{"another name", "intranet.example", "", `"request":"intranet.example:`},
		{"https before a proxy, http registered", "", "https", `"request":"https://localhost:`},
		{"the first of two proxies", "", "https, http", `"request":"https://localhost:`},
		{"enormous", strings.Repeat("x", 5000), "", `"request":"` + strings.Repeat("x", 255) + `"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t)
			_, port, _ := strings.Cut(strings.TrimPrefix(a.url, "http://"), ":")
			for range 3 {
				r := httptest.NewRequest(http.MethodGet, a.url+"/login", nil)
				if tt.host != "" {
					r.Host = tt.host + ":" + port
				}
				if tt.proto != "" {
					r.Header.Set("X-Forwarded-Proto", tt.proto)
				}
				r.Header.Set("Accept", "text/html")
				w := httptest.NewRecorder()
				a.auth.Login(w, r)
				if w.Code != http.StatusSeeOther {
					t.Fatalf("got status %d, want the login to go on", w.Code)
				}
			}
			logs, want := a.logs.String(), 1
			if tt.want == "" {
				want = 0
			}
			if got := strings.Count(logs, warning); got != want || !strings.Contains(logs, tt.want) {
				t.Errorf("got %d warnings in %s, want %d with %s", got, logs, want, tt.want)
			}
		})
	}
}
