package agentconnecttest

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
	"time"
)

// endpointDefinitions are the same faults at each of the endpoints that clients
// call themselves. A revocation that fails is no reason to refuse anything.
func endpointDefinitions() []definition {
	var all []definition
	for _, endpoint := range []struct {
		kind     string
		endpoint Endpoint
		verdict  verdict
		algs     []string
	}{
		{"token", Token, refused, nil},
		{"userinfo", Userinfo, refused, nil},
		{"discovery", Discovery, refused, nil},
		{"keys", JWKS, refused, publicAlgs()},
		{"introspection", Introspection, refused, nil},
		{"revocation", Revocation, allowed, nil},
	} {
		for _, row := range []struct {
			name, effect string
			slow         bool
			change       func(*Answer)
		}{
			{"error-500", "500", false, status(http.StatusInternalServerError)},
			{"error-503", "503", false, status(http.StatusServiceUnavailable)},
			{"error-429", "429", false, status(http.StatusTooManyRequests)},
			{"html", "an HTML page with status 200", false, webPage},
			{"redirect", "a redirect to itself at another address", false, func(a *Answer) { a.Redirect = http.StatusFound }},
			{"permanent-redirect", "a redirect (308) to itself at another address", false, func(a *Answer) { a.Redirect = http.StatusPermanentRedirect }},
			{"empty", "an empty body", false, func(a *Answer) { a.Body = nil }},
			{"huge", "sixteen megabytes", false, huge},
			{"gzip-bomb", "sixty-four megabytes in a small compressed body", false, gzipBomb},
			{"truncated", "a body shorter than announced", false, func(a *Answer) { a.Truncate = true }},
			{"reset", "the connection is reset", false, func(a *Answer) { a.Reset = true }},
			{"hang", "no answer at all", true, func(a *Answer) { a.Hang = true }},
			{"drip", "a byte a second", true, func(a *Answer) { a.Pause = time.Second }},
			{"slow", "a good answer, a minute late", true, func(a *Answer) { a.Wait = time.Minute }},
		} {
			all = append(all, definition{endpoint.kind + "-" + row.name, row.effect, endpoint.verdict, endpoint.algs, row.slow,
				Tamper{Endpoint: endpoint.endpoint, Answer: row.change}})
		}
	}
	return all
}

func status(code int) func(*Answer) {
	return func(a *Answer) {
		a.Header.Set("Retry-After", "1")
		a.oauthError(code, "server_error", "injected fault")
	}
}

func webPage(a *Answer) {
	a.write(http.StatusOK, "text/html; charset=utf-8", []byte("<!DOCTYPE html><title>maintenance</title><p>maintenance"))
}

// huge makes a JSON body valid and large, and any other one just large.
func huge(a *Answer) {
	padding := bytes.Repeat([]byte(" "), 16<<20)
	a.Body = append(padding, a.Body...)
}

// gzipBomb compresses a megabyte once and repeats it: members of a gzip file that
// follow one another are one text (RFC 1952, 2.2).
func gzipBomb(a *Answer) {
	padding := zipped([]byte(strings.Repeat(" ", 1<<20)))
	a.Header.Set("Content-Encoding", "gzip")
	a.Body = append(bytes.Repeat(padding, 64), zipped(a.Body)...)
}

func zipped(text []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(text) // a bytes.Buffer does not fail
	_ = w.Close()
	return b.Bytes()
}
