package chromium

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestComplaints checks that what the tests of the pages rely on is noticed.
func TestComplaints(t *testing.T) {
	browser := Start(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if policy := r.URL.Query().Get("policy"); policy != "" {
			w.Header().Set("Content-Security-Policy", policy)
		}
		if r.URL.Path != "/" {
			w.WriteHeader(http.StatusForbidden)
		}
		io.WriteString(w, `<!DOCTYPE html><html lang="fr"><title>page</title><link rel="icon" href="data:,">`+r.URL.Query().Get("body"))
	}))
	defer server.Close()

	for _, test := range []struct{ name, path, body, policy, want string }{
		{"a good page", "/", "<p>texte", "", ""},
		{"a refusal that is a page", "/refused", "<p>texte", "", ""},
		{"a message", "/", "<script>console.log('message')</script>", "", "console"},
		{"a script that fails", "/", "<script>undefined.x</script>", "", "script failed"},
		{"an image that is missing", "/", "<img src=/missing alt=''>", "", "403"},
		{"an image of another machine", "/", "<img src=http://image.example/ alt=''>", "", "left the machine"},
		{"an inline script against the policy", "/", "<script>1</script>", "default-src 'none'", "content security policy"},
		{"an inline style against the policy", "/", "<style>p { color: red }</style>", "default-src 'none'", "content security policy"},
		{"a form against the policy", "/", "<form action=/elsewhere></form><script>document.forms[0].submit()</script>", "form-action 'none'", "content security policy"},
	} {
		t.Run(test.name, func(t *testing.T) {
			tab := open(browser.ctx, t, chromedp.WithNewBrowserContext())
			query := "?body=" + url.QueryEscape(test.body) + "&policy=" + url.QueryEscape(test.policy)
			tab.Open(server.URL + test.path + query)
			tab.Until("document.readyState === 'complete'")
			got := tab.watch.complaints()
			if test.want == "" && len(got) > 0 {
				t.Errorf("got the complaints %q, want none", got)
			}
			if test.want != "" && !slices.ContainsFunc(got, func(problem string) bool { return strings.Contains(strings.ToLower(problem), test.want) }) {
				t.Errorf("got the complaints %q, want one about %q", got, test.want)
			}
		})
	}
}

func TestIsLoopback(t *testing.T) {
	for address, want := range map[string]bool{
		"http://localhost:8080/":         true,
		"https://127.0.0.1/":             true,
		"http://[::1]:80/":               true,
		"about:blank":                    true,
		"data:,":                         true,
		"http://localhost.example/":      false,
		"http://192.0.2.1/":              false,
		"https://www.proconnect.gouv.fr": false,
		"http://%zz/":                    false,
	} {
		if got := isLoopback(address); got != want {
			t.Errorf("%s: got %v, want %v", address, got, want)
		}
	}
}
