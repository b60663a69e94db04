package agentconnecttest

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
	"time"
)

// Faults of the token endpoint, whatever it answers.
const (
	TokenError500          Fault = "token: 500"
	TokenError503          Fault = "token: 503"
	TokenError429          Fault = "token: 429"
	TokenHTML              Fault = "token: an HTML page with status 200"
	TokenRedirect          Fault = "token: a redirect to itself at another address"
	TokenPermanentRedirect Fault = "token: a redirect (308) to itself at another address"
	TokenEmpty             Fault = "token: an empty body"
	TokenHuge              Fault = "token: sixteen megabytes"
	TokenGzipBomb          Fault = "token: sixty-four megabytes in a small compressed body"
	TokenTruncated         Fault = "token: a body shorter than announced"
	TokenReset             Fault = "token: the connection is reset"
	TokenHang              Fault = "token: no answer at all"
	TokenDrip              Fault = "token: a byte a second"
	TokenSlow              Fault = "token: a good answer, a minute late"
)

// Faults of the userinfo endpoint, whatever it answers.
const (
	UserinfoError500          Fault = "userinfo: 500"
	UserinfoError503          Fault = "userinfo: 503"
	UserinfoError429          Fault = "userinfo: 429"
	UserinfoHTML              Fault = "userinfo: an HTML page with status 200"
	UserinfoRedirect          Fault = "userinfo: a redirect to itself at another address"
	UserinfoPermanentRedirect Fault = "userinfo: a redirect (308) to itself at another address"
	UserinfoEmpty             Fault = "userinfo: an empty body"
	UserinfoHuge              Fault = "userinfo: sixteen megabytes"
	UserinfoGzipBomb          Fault = "userinfo: sixty-four megabytes in a small compressed body"
	UserinfoTruncated         Fault = "userinfo: a body shorter than announced"
	UserinfoReset             Fault = "userinfo: the connection is reset"
	UserinfoHang              Fault = "userinfo: no answer at all"
	UserinfoDrip              Fault = "userinfo: a byte a second"
	UserinfoSlow              Fault = "userinfo: a good answer, a minute late"
)

// Faults of the discovery endpoint, whatever it answers.
const (
	DiscoveryError500          Fault = "discovery: 500"
	DiscoveryError503          Fault = "discovery: 503"
	DiscoveryError429          Fault = "discovery: 429"
	DiscoveryHTML              Fault = "discovery: an HTML page with status 200"
	DiscoveryRedirect          Fault = "discovery: a redirect to itself at another address"
	DiscoveryPermanentRedirect Fault = "discovery: a redirect (308) to itself at another address"
	DiscoveryEmpty             Fault = "discovery: an empty body"
	DiscoveryHuge              Fault = "discovery: sixteen megabytes"
	DiscoveryGzipBomb          Fault = "discovery: sixty-four megabytes in a small compressed body"
	DiscoveryTruncated         Fault = "discovery: a body shorter than announced"
	DiscoveryReset             Fault = "discovery: the connection is reset"
	DiscoveryHang              Fault = "discovery: no answer at all"
	DiscoveryDrip              Fault = "discovery: a byte a second"
	DiscoverySlow              Fault = "discovery: a good answer, a minute late"
)

// Faults of the keys endpoint, whatever it answers.
const (
	JWKSError500          Fault = "keys: 500"
	JWKSError503          Fault = "keys: 503"
	JWKSError429          Fault = "keys: 429"
	JWKSHTML              Fault = "keys: an HTML page with status 200"
	JWKSRedirect          Fault = "keys: a redirect to itself at another address"
	JWKSPermanentRedirect Fault = "keys: a redirect (308) to itself at another address"
	JWKSEmpty             Fault = "keys: an empty body"
	JWKSHuge              Fault = "keys: sixteen megabytes"
	JWKSGzipBomb          Fault = "keys: sixty-four megabytes in a small compressed body"
	JWKSTruncated         Fault = "keys: a body shorter than announced"
	JWKSReset             Fault = "keys: the connection is reset"
	JWKSHang              Fault = "keys: no answer at all"
	JWKSDrip              Fault = "keys: a byte a second"
	JWKSSlow              Fault = "keys: a good answer, a minute late"
)

// Faults of the introspection endpoint, whatever it answers.
const (
	IntrospectionError500          Fault = "introspection: 500"
	IntrospectionError503          Fault = "introspection: 503"
	IntrospectionError429          Fault = "introspection: 429"
	IntrospectionHTML              Fault = "introspection: an HTML page with status 200"
	IntrospectionRedirect          Fault = "introspection: a redirect to itself at another address"
	IntrospectionPermanentRedirect Fault = "introspection: a redirect (308) to itself at another address"
	IntrospectionEmpty             Fault = "introspection: an empty body"
	IntrospectionHuge              Fault = "introspection: sixteen megabytes"
	IntrospectionGzipBomb          Fault = "introspection: sixty-four megabytes in a small compressed body"
	IntrospectionTruncated         Fault = "introspection: a body shorter than announced"
	IntrospectionReset             Fault = "introspection: the connection is reset"
	IntrospectionHang              Fault = "introspection: no answer at all"
	IntrospectionDrip              Fault = "introspection: a byte a second"
	IntrospectionSlow              Fault = "introspection: a good answer, a minute late"
)

// Faults of the revocation endpoint, whatever it answers.
const (
	RevocationError500          Fault = "revocation: 500"
	RevocationError503          Fault = "revocation: 503"
	RevocationError429          Fault = "revocation: 429"
	RevocationHTML              Fault = "revocation: an HTML page with status 200"
	RevocationRedirect          Fault = "revocation: a redirect to itself at another address"
	RevocationPermanentRedirect Fault = "revocation: a redirect (308) to itself at another address"
	RevocationEmpty             Fault = "revocation: an empty body"
	RevocationHuge              Fault = "revocation: sixteen megabytes"
	RevocationGzipBomb          Fault = "revocation: sixty-four megabytes in a small compressed body"
	RevocationTruncated         Fault = "revocation: a body shorter than announced"
	RevocationReset             Fault = "revocation: the connection is reset"
	RevocationHang              Fault = "revocation: no answer at all"
	RevocationDrip              Fault = "revocation: a byte a second"
	RevocationSlow              Fault = "revocation: a good answer, a minute late"
)

// endpointDefinitions are the same faults at each of the endpoints that clients
// call themselves. A revocation that fails is no reason to refuse anything.
func endpointDefinitions() []definition {
	changes := [...]struct {
		slow   bool
		change func(*Answer)
	}{
		{false, status(http.StatusInternalServerError)},
		{false, status(http.StatusServiceUnavailable)},
		{false, status(http.StatusTooManyRequests)},
		{false, webPage},
		{false, func(a *Answer) { a.Redirect = http.StatusFound }},
		{false, func(a *Answer) { a.Redirect = http.StatusPermanentRedirect }},
		{false, func(a *Answer) { a.Body = nil }},
		{false, huge},
		{false, gzipBomb},
		{false, func(a *Answer) { a.Truncate = true }},
		{false, func(a *Answer) { a.Reset = true }},
		{true, func(a *Answer) { a.Hang = true }},
		{true, func(a *Answer) { a.Pause = time.Second }},
		{true, func(a *Answer) { a.Wait = time.Minute }},
	}
	var all []definition
	for _, endpoint := range []struct {
		endpoint Endpoint
		verdict  verdict
		algs     []string
		faults   [len(changes)]Fault
	}{
		{Token, refused, nil, [len(changes)]Fault{TokenError500, TokenError503, TokenError429, TokenHTML, TokenRedirect, TokenPermanentRedirect, TokenEmpty, TokenHuge, TokenGzipBomb, TokenTruncated, TokenReset, TokenHang, TokenDrip, TokenSlow}},
		{Userinfo, refused, nil, [len(changes)]Fault{UserinfoError500, UserinfoError503, UserinfoError429, UserinfoHTML, UserinfoRedirect, UserinfoPermanentRedirect, UserinfoEmpty, UserinfoHuge, UserinfoGzipBomb, UserinfoTruncated, UserinfoReset, UserinfoHang, UserinfoDrip, UserinfoSlow}},
		{Discovery, refused, nil, [len(changes)]Fault{DiscoveryError500, DiscoveryError503, DiscoveryError429, DiscoveryHTML, DiscoveryRedirect, DiscoveryPermanentRedirect, DiscoveryEmpty, DiscoveryHuge, DiscoveryGzipBomb, DiscoveryTruncated, DiscoveryReset, DiscoveryHang, DiscoveryDrip, DiscoverySlow}},
		{JWKS, refused, publicAlgs(), [len(changes)]Fault{JWKSError500, JWKSError503, JWKSError429, JWKSHTML, JWKSRedirect, JWKSPermanentRedirect, JWKSEmpty, JWKSHuge, JWKSGzipBomb, JWKSTruncated, JWKSReset, JWKSHang, JWKSDrip, JWKSSlow}},
		{Introspection, refused, nil, [len(changes)]Fault{IntrospectionError500, IntrospectionError503, IntrospectionError429, IntrospectionHTML, IntrospectionRedirect, IntrospectionPermanentRedirect, IntrospectionEmpty, IntrospectionHuge, IntrospectionGzipBomb, IntrospectionTruncated, IntrospectionReset, IntrospectionHang, IntrospectionDrip, IntrospectionSlow}},
		{Revocation, allowed, nil, [len(changes)]Fault{RevocationError500, RevocationError503, RevocationError429, RevocationHTML, RevocationRedirect, RevocationPermanentRedirect, RevocationEmpty, RevocationHuge, RevocationGzipBomb, RevocationTruncated, RevocationReset, RevocationHang, RevocationDrip, RevocationSlow}},
	} {
		for i, fault := range endpoint.faults {
			all = append(all, definition{fault, endpoint.verdict, endpoint.algs, changes[i].slow,
				Tamper{Endpoint: endpoint.endpoint, Answer: changes[i].change}})
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
