package agentconnecttest_test

import (
	"bytes"
	"compress/gzip"
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

var update = flag.Bool("update", false, "write the golden files")

// TestFaultsOnTheWire compares what each named fault changes of what the provider
// sends, line by line, with testdata/faults.txt. A fault that changes nothing would
// make every test that injects it pass.
func TestFaultsOnTheWire(t *testing.T) {
	const golden = "testdata/faults.txt"
	wires := []*wire{newWire(t, "RS256", "RS256"), newWire(t, "HS256", "HS256"), newWire(t, "RS256", "none")}
	goods := make([][]string, len(wires))
	for i, w := range wires {
		goods[i] = w.exchange(t)
		if again := w.exchange(t); !slices.Equal(goods[i], again) {
			t.Fatalf("without a fault: got %q, and then %q, want the same", goods[i], again)
		}
	}
	var all strings.Builder
	for _, info := range agentconnecttest.Faults() {
		switch {
		case info.Slow: // nothing comes, or not soon
			continue
		case info.Fault == agentconnecttest.PageCrossedTabs: // takes two tabs
			continue
		case info.Fault == agentconnecttest.Fault("revocation-empty"): // as the good answer is
			continue
		}
		i := slices.IndexFunc(wires, func(w *wire) bool { return info.Applies(w.alg) })
		wires[i].app.srv.Inject(info.Fault)
		lines := shortened(difference(goods[i], wires[i].exchange(t)))
		wires[i].app.srv.Clear()
		if len(lines) == 0 {
			t.Errorf("%s: changes nothing", info.Fault)
		}
		fmt.Fprintf(&all, "%s: %s\n", info.Fault, info.Effect)
		for _, line := range lines {
			fmt.Fprintf(&all, "\t%s\n", line)
		}
	}
	if *update {
		if err := os.WriteFile(golden, []byte(all.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got := all.String(); got != string(want) {
		lines := difference(strings.Split(string(want), "\n"), strings.Split(got, "\n"))
		t.Errorf("the faults, or their order, are not those of %s; if that is meant, run the test with -update:\n%s", golden, strings.Join(lines, "\n"))
	}
}

// difference returns the lines of before that are not in after, and the other way
// round.
func difference(before, after []string) []string {
	count := make(map[string]int)
	for _, line := range before {
		count[line]++
	}
	var added []string
	for _, line := range after {
		if count[line]--; count[line] < 0 {
			added = append(added, "+ "+line)
		}
	}
	var lines []string
	for _, line := range before {
		if count[line] > 0 {
			count[line]--
			lines = append(lines, "- "+line)
		}
	}
	return append(lines, added...)
}

// shortened counts the lines that are gone when they are most of an answer.
func shortened(lines []string) []string {
	gone := make(map[string]int) // by what they are of
	of := func(line string) string { return line[:strings.Index(line, ": ")+1] }
	for _, line := range lines {
		gone[of(line)]++
	}
	var short []string
	counted := make(map[string]bool)
	for _, line := range lines {
		switch what := of(line); {
		case line[0] == '+' || gone[what] < 8:
			short = append(short, line)
		case !counted[what]:
			short = append(short, fmt.Sprintf("%s %d lines", what, gone[what]))
			counted[what] = true
		}
	}
	return short
}

// A wire is a provider and an application whose every exchange is written down.
type wire struct {
	app *app
	alg string // that of the fault
}

func newWire(t *testing.T, idToken, userinfo string) *wire {
	t.Helper()
	srv := agentconnecttest.NewServer(t, agentconnecttest.WithAlgorithms(idToken, userinfo), agentconnecttest.WithClock(newClock().now))
	c := srv.Client
	c.IntrospectionAlg = userinfo
	srv.AddClient(c)
	return &wire{app: newApp(t, srv).with(claimsFor(`null`)...), alg: userinfo}
}

// exchange goes through a login, a refresh, the questions of a resource server and
// a logout, whatever comes, and returns all that came, in lines.
func (w *wire) exchange(t *testing.T) []string {
	t.Helper()
	srv := w.app.srv
	var lines []string
	note := func(what, method, path string, form url.Values, headers ...string) {
		req, err := http.NewRequest(method, srv.Issuer+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for i := 0; i < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		for _, line := range w.lines(answer(req)) {
			lines = append(lines, what+": "+line)
		}
	}
	note("discovery", http.MethodGet, "/.well-known/openid-configuration", nil)
	note("keys", http.MethodGet, "/jwks", nil)

	address, err := url.Parse(w.app.authorizeURL())
	if err != nil {
		t.Fatal(err)
	}
	browser := newBrowser(t)
	resp, page := open(t, browser, address.String())
	if next := resp.Header.Get("Location"); strings.HasPrefix(next, srv.Issuer+"/interaction/") {
		resp, page = send(t, browser, http.MethodPost, next, url.Values{"agent": {"marie"}})
	}
	callback, query, _ := strings.Cut(resp.Header.Get("Location"), "?")
	if callback != w.app.http.URL+"/callback" {
		query = fmt.Sprintf("none, a page with %q", pageCode.FindString(page))
	}
	for parameter := range strings.SplitSeq(query, "&") {
		if plain, err := url.QueryUnescape(parameter); err == nil {
			parameter = plain
		}
		lines = append(lines, fmt.Sprintf("callback: %q", w.lines(parameter)))
	}
	credentials := func(pairs ...string) url.Values {
		form := url.Values{"client_id": {srv.Client.ID}, "client_secret": {srv.Client.Secret}}
		for i := 0; i < len(pairs); i += 2 {
			form.Set(pairs[i], pairs[i+1])
		}
		return form
	}
	note("token", http.MethodPost, "/token", credentials("grant_type", "authorization_code", "code", w.latest().Code,
		"redirect_uri", w.app.http.URL+"/callback", "code_verifier", w.app.verifierOf(address.Query().Get("state"))))
	got := w.latest()
	note("userinfo", http.MethodGet, "/userinfo", nil, "Authorization", "Bearer "+got.AccessToken)
	note("introspection", http.MethodPost, "/token/introspection", credentials("token", got.AccessToken), "Accept", "application/token-introspection+jwt")
	note("refresh", http.MethodPost, "/token", credentials("grant_type", "refresh_token", "refresh_token", got.RefreshToken))
	note("revocation", http.MethodPost, "/token/revocation", credentials("token", "unknown"))
	note("logout", http.MethodGet, "/session/end?"+url.Values{"client_id": {srv.Client.ID}, "state": {"mine"}, "post_logout_redirect_uri": {w.app.http.URL + "/logout/callback"}}.Encode(), nil)
	return lines
}

// latest is what the provider issued last, the code of the login before it included.
func (w *wire) latest() agentconnecttest.Issued {
	var latest agentconnecttest.Issued
	for _, issued := range w.app.srv.Issued() {
		code := latest.Code
		if latest = issued; latest.Code == "" {
			latest.Code = code
		}
	}
	return latest
}

// answer returns an answer as text: status, headers, body.
func answer(req *http.Request) string {
	resp, err := (&http.Transport{DisableCompression: true, DisableKeepAlives: true}).RoundTrip(req)
	switch {
	case errors.Is(err, syscall.ECONNRESET):
		return "the connection is reset"
	case err != nil:
		return "no answer"
	}
	defer resp.Body.Close()
	text := resp.Status
	for _, name := range []string{"Content-Type", "Content-Encoding", "Cache-Control", "Location", "Retry-After", "WWW-Authenticate"} {
		for _, value := range resp.Header.Values(name) {
			text += "\n" + name + ": " + value
		}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, bodyMax))
	switch {
	case len(body) == bodyMax:
		body = []byte("more than anybody reads")
	case !utf8.Valid(body):
		body = []byte("no text" + unzipped(body))
	}
	text += "\n" + string(body)
	if err != nil {
		text += "\ncut"
	}
	return text
}

// unzipped says how large a body is that is compressed with gzip.
func unzipped(body []byte) string {
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return ""
	}
	n, err := io.Copy(io.Discard, r)
	if err != nil {
		return ", and no gzip either"
	}
	return fmt.Sprintf(", gzip of %d MiB", n>>20)
}

var (
	compactJWT  = regexp.MustCompile(`[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*`)
	certificate = regexp.MustCompile(`\bMII[A-Za-z0-9+/]{500,}=*`) // a signature is shorter
	longWord    = regexp.MustCompile(`[A-Za-z0-9_-]{40,}`)
	randomText  = regexp.MustCompile(`\b[A-Z2-7]{26}\b`)
	pageCode    = regexp.MustCompile(`\bY\d{6}\b`)
)

// lines makes text the same in every run, and splits it where JSON and JWTs have
// parts.
func (w *wire) lines(text string) []string {
	srv := w.app.srv
	text = compactJWT.ReplaceAllStringFunc(text, w.opened)
	issued := w.latest()
	names := []string{strings.TrimPrefix(srv.URL, "http://"), "provider", strings.TrimPrefix(w.app.http.URL, "http://"), "app", issued.Nonce, "<nonce>", issued.Code, "<code>", issued.AccessToken, "<access token>", issued.RefreshToken, "<refresh token>"}
	if issued.AccessToken != "" {
		digest := sha256.Sum256([]byte(issued.AccessToken))
		names = append(names, base64.RawURLEncoding.EncodeToString(digest[:16]), "<at_hash>")
	}
	for _, alg := range []string{"RS256", "ES256"} {
		key, _ := srv.SigningKey(alg)
		names = append(names, key.ID, "<kid of "+alg+">")
	}
	for i := 0; i < len(names); i += 2 {
		if names[i] != "" {
			text = strings.ReplaceAll(text, names[i], names[i+1])
		}
	}
	text = certificate.ReplaceAllString(text, "<certificate>")
	text = longWord.ReplaceAllStringFunc(text, func(word string) string {
		switch {
		case strings.Trim(word, word[:1]) == "":
			return fmt.Sprintf("<%d times %s>", len(word), word[:1])
		case strings.ToLower(word) == word && !strings.ContainsAny(word, "0123456789"):
			return word
		}
		return fmt.Sprintf("<%d characters>", len(word))
	})
	text = randomText.ReplaceAllString(text, "<26 characters>")
	return strings.Split(strings.NewReplacer(`,"`, "\n,\"", `{"`, "{\n\"").Replace(text), "\n")
}

// opened shows what is in a JWT, and whose signature it has.
func (w *wire) opened(compact string) string {
	parts := strings.Split(compact, ".")
	header, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil || !strings.HasPrefix(string(header), "{") {
		return compact
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		payload = []byte("not base64url")
	}
	return fmt.Sprintf("\nJWT %s\n%s\nsigned by %s\n", header, payload, w.signer(parts[0]+"."+parts[1], parts[2]))
}

// signer says whose signature of input it is.
func (w *wire) signer(input, signature string) string {
	b, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil || len(b) == 0 {
		return "nobody"
	}
	digest := sha256.Sum256([]byte(input))
	if key, ok := w.app.srv.SigningKey("RS256"); ok && rsa.VerifyPKCS1v15(key.Private.Public().(*rsa.PublicKey), crypto.SHA256, digest[:], b) == nil {
		return "the RS256 key"
	}
	if key, ok := w.app.srv.SigningKey("ES256"); ok && len(b) == 64 &&
		ecdsa.Verify(key.Private.Public().(*ecdsa.PublicKey), digest[:], new(big.Int).SetBytes(b[:32]), new(big.Int).SetBytes(b[32:])) {
		return "the ES256 key"
	}
	for _, secret := range []string{w.app.client.Secret, ""} {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(input))
		if hmac.Equal(mac.Sum(nil), b) {
			return fmt.Sprintf("a secret of %d bytes", len(secret))
		}
	}
	return "somebody else"
}
