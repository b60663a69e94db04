package oidcprovider

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"math/big"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

const (
	secret = "a demonstration secret of more than 32 bytes"
	state  = "state-of-at-least-thirty-two-characters"
	nonce  = "nonce-of-at-least-thirty-two-characters"

	// RFC 7636, appendix B.
	pkceVerifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	pkceChallenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// essential is the claims parameter that requires an acr; which says value or values.
func essential(which string) url.Values {
	return url.Values{"claims": {`{"id_token":{"acr":{"essential":true,` + which + `}}}`}}
}

type browser struct{ *http.Client }

func newBrowser(t *testing.T) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &browser{&http.Client{Jar: jar, Transport: transport, Timeout: 30 * time.Second}}
}

func (b *browser) getJSON(t *testing.T, url string, header http.Header) (*http.Response, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(req.Header, header)
	resp, err := b.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp, decode(t, text(t, resp))
}

// relyingParty is a service provider that checks nothing: the tests look at what it gets.
type relyingParty struct {
	client                             Client
	redirectURI, postLogoutRedirectURI string
}

type tokenAnswer map[string]any

func (a tokenAnswer) accessToken() string { return a["access_token"].(string) }
func (a tokenAnswer) idToken() string     { return a["id_token"].(string) }

// newRelyingParty completes client with the addresses of a server that answers 204 to everything. Its
// host is localhost, not the provider's 127.0.0.1: cookies ignore ports.
func newRelyingParty(t *testing.T, client Client) *relyingParty {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(server.Close)
	base := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	rp := &relyingParty{client, base + "/callback", base + "/logout/callback"}
	rp.client.RedirectURIs = []string{rp.redirectURI}
	rp.client.PostLogoutRedirectURIs = []string{rp.postLogoutRedirectURI}
	return rp
}

// authorizeURL is an authorization request; changes replace parameters, or remove them when nil.
func (rp *relyingParty) authorizeURL(p *Provider, changes url.Values) string {
	query := url.Values{
		"response_type": {"code"},
		"client_id":     {rp.client.ID},
		"redirect_uri":  {rp.redirectURI},
		"scope":         {DefaultScope},
		"state":         {state},
		"nonce":         {nonce},
	}
	maps.Copy(query, changes)
	return p.Issuer + "/authorize?" + query.Encode()
}

// authorize logs the agent in and returns the parameters of the callback.
func (rp *relyingParty) authorize(t *testing.T, p *Provider, b *browser, agent string, changes url.Values, opts ...Option) url.Values {
	t.Helper()
	resp, err := p.Login(b.Client, rp.authorizeURL(p, changes), agent, opts...)
	if err != nil {
		t.Fatal(err)
	}
	body := text(t, resp)
	if !strings.HasPrefix(resp.Request.URL.String(), rp.redirectURI+"?") {
		t.Fatalf("got to %s (%s): %s; want %s", resp.Request.URL, resp.Status, body, rp.redirectURI)
	}
	return resp.Request.URL.Query()
}

func (rp *relyingParty) login(t *testing.T, p *Provider, b *browser, agent string, changes url.Values, opts ...Option) tokenAnswer {
	t.Helper()
	callback := rp.authorize(t, p, b, agent, changes, opts...)
	if callback.Get("code") == "" {
		t.Fatalf("got callback %v, want a code", callback)
	}
	return rp.exchange(t, p, b, callback.Get("code"), nil)
}

func (rp *relyingParty) authenticated(form url.Values) url.Values {
	form.Set("client_id", rp.client.ID)
	form.Set("client_secret", rp.client.Secret)
	return form
}

func (rp *relyingParty) exchangeForm(code string, changes url.Values) url.Values {
	form := rp.authenticated(url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {rp.redirectURI}})
	maps.Copy(form, changes)
	return form
}

func (rp *relyingParty) exchange(t *testing.T, p *Provider, b *browser, code string, changes url.Values) tokenAnswer {
	t.Helper()
	resp, answer := rp.post(t, b, p.Issuer+"/token", rp.exchangeForm(code, changes))
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("got %s and %v, want tokens", resp.Status, answer)
	}
	return answer
}

func (rp *relyingParty) refresh(tokens tokenAnswer) url.Values {
	return rp.authenticated(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens["refresh_token"].(string)}})
}

func (rp *relyingParty) userinfo(t *testing.T, p *Provider, b *browser, accessToken string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.Issuer+"/userinfo", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+accessToken)
	resp, err := b.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp, text(t, resp)
}

func (rp *relyingParty) logout(t *testing.T, p *Provider, b *browser, query url.Values) *http.Response {
	t.Helper()
	resp, err := b.Get(p.Issuer + "/session/end?" + query.Encode())
	if err != nil {
		t.Fatal(err)
	}
	resp, err = p.Follow(b.Client, resp)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp
}

// post returns the JSON of the answer, or nil when it is not JSON.
func (rp *relyingParty) post(t *testing.T, b *browser, url string, form url.Values, edits ...func(*http.Request)) (*http.Response, map[string]any) {
	t.Helper()
	resp, body := rp.postRaw(t, b, url, form, edits...)
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		return resp, nil
	}
	return resp, decode(t, body)
}

func (rp *relyingParty) postRaw(t *testing.T, b *browser, url string, form url.Values, edits ...func(*http.Request)) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, edit := range edits {
		edit(req)
	}
	resp, err := b.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp, text(t, resp)
}

// verify checks a signature with the client's secret or the one published key of that algorithm (and
// of that kid), and returns what was signed.
func (rp *relyingParty) verify(t *testing.T, p *Provider, b *browser, jws, alg string) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(jws, ".")
	if len(parts) != 3 {
		t.Fatalf("got %q, want a JWT", jws)
	}
	header, claims = decode(t, string(unbase64(t, parts[0]))), decode(t, string(unbase64(t, parts[1])))
	if header["alg"] != alg {
		t.Fatalf("got header %v, want alg %s", header, alg)
	}
	signed, signature := []byte(parts[0]+"."+parts[1]), unbase64(t, parts[2])
	digest := sha256.Sum256(signed)
	valid := false
	if alg == "HS256" {
		mac := hmac.New(sha256.New, []byte(rp.client.Secret))
		mac.Write(signed)
		valid = hmac.Equal(mac.Sum(nil), signature)
	} else {
		_, set := b.getJSON(t, p.Issuer+"/jwks", nil)
		for _, key := range set["keys"].([]any) {
			key := key.(map[string]any)
			number := func(name string) *big.Int { return new(big.Int).SetBytes(unbase64(t, key[name].(string))) }
			switch {
			case key["kid"] != header["kid"]:
			case alg == "RS256":
				public := &rsa.PublicKey{N: number("n"), E: int(number("e").Int64())}
				valid = rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature) == nil
			case alg == "ES256":
				point := append([]byte{4}, append(unbase64(t, key["x"].(string)), unbase64(t, key["y"].(string))...)...)
				public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
				if err != nil || len(signature) != 64 {
					t.Fatalf("got key error %v and a signature of %d bytes, want none and 64", err, len(signature))
				}
				valid = ecdsa.Verify(public, digest[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:]))
			}
		}
	}
	if !valid {
		t.Fatalf("got a wrong %s signature (header %v), want a right one", alg, header)
	}
	return header, claims
}

func keyIDs(t *testing.T, b *browser, p *Provider) []string {
	t.Helper()
	_, set := b.getJSON(t, p.Issuer+"/jwks", nil)
	var ids []string
	for _, key := range set["keys"].([]any) {
		ids = append(ids, key.(map[string]any)["kid"].(string))
	}
	return ids
}

func text(t *testing.T, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func decode(t *testing.T, object string) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(object), &v); err != nil {
		t.Fatalf("got %q: %v, want a JSON object", object, err)
	}
	return v
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func unbase64(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// stringList returns a JSON array of strings, and nil for what is not one.
func stringList(v any) []string {
	items, _ := v.([]any)
	var list []string
	for _, item := range items {
		s, _ := item.(string)
		list = append(list, s)
	}
	return list
}
