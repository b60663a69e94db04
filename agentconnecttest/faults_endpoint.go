package agentconnecttest

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
	"time"
)

// endpointDefinitions are the same faults at each endpoint that clients call
// themselves. unreadable is the refusal of a login after an answer that cannot be read.
// A failed revocation is no reason to refuse anything, and a login makes no
// introspection.
func endpointDefinitions() []definition {
	var all []definition
	for _, endpoint := range []struct {
		kind       string
		endpoint   Endpoint
		unreadable verdict
		algs       []string
	}{
		{"token", Token, badAnswer, nil},
		{"userinfo", Userinfo, badUserinfo, nil},
		{"discovery", Discovery, badAnswer, nil},
		{"keys", JWKS, badAnswer, publicAlgs()},
		{"introspection", Introspection, elsewhere, nil},
		{"revocation", Revocation, allowed, nil},
	} {
		for _, row := range []struct {
			name, effect string
			verdict      verdict
			change       func(*Answer)
		}{
			{"error-500", "500", badAnswer, status(http.StatusInternalServerError)},
			{"error-503", "503", away, status(http.StatusServiceUnavailable)},
			{"error-429", "429", away, status(http.StatusTooManyRequests)},
			{"html", "an HTML page with status 200", endpoint.unreadable, webPage},
			{"redirect", "a redirect to itself at another address", badAnswer, func(a *Answer) { a.Redirect = http.StatusFound }},
			{"permanent-redirect", "a redirect (308) to itself at another address", badAnswer, func(a *Answer) { a.Redirect = http.StatusPermanentRedirect }},
			{"empty", "an empty body", endpoint.unreadable, func(a *Answer) { a.Body = nil }},
			{"huge", "sixteen megabytes", badAnswer, huge},
			{"gzip-bomb", "sixty-four megabytes in a small compressed body", endpoint.unreadable, gzipBomb},
			{"truncated", "a body shorter than announced", away, func(a *Answer) { a.Truncate = true }},
			{"reset", "the connection is reset", away, func(a *Answer) { a.Reset = true }},
			{"hang", "no answer at all", tooLate, func(a *Answer) { a.Hang = true }},
			{"drip", "a byte a second", tooLate, func(a *Answer) { a.Pause = time.Second }},
			{"slow", "a good answer, a minute late", tooLate, func(a *Answer) { a.Wait = time.Minute }},
		} {
			verdict := row.verdict
			if endpoint.unreadable == elsewhere || endpoint.unreadable == allowed {
				verdict = endpoint.unreadable
			}
			all = append(all, definition{endpoint.kind + "-" + row.name, row.effect, verdict, endpoint.algs, row.verdict == tooLate,
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

// huge makes a body large. A JSON body stays valid.
func huge(a *Answer) {
	padding := bytes.Repeat([]byte(" "), 16<<20)
	a.Body = append(padding, a.Body...)
}

// gzipBomb compresses a megabyte once and repeats it: consecutive members of a gzip
// file are one text (RFC 1952, 2.2).
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
