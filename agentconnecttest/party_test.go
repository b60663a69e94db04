package agentconnecttest_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// This file is a relying party that checks everything, written for these tests
// alone: faults that must be refused are those it refuses, faults that must not
// be are those it accepts.

const bodyMax = 1 << 20

// party logs in with an app's registration.
type party struct {
	app     *app
	timeout time.Duration
	acr     string // demanded when it is not empty
}

type metadata struct {
	issuer, authorize, token, userinfo, jwks string
	issParameter                             bool
}

// fetch follows no redirect, reads a bounded body and waits a bounded time.
func (p party) fetch(req *http.Request) (*http.Response, []byte, error) {
	ctx, cancel := context.WithTimeout(req.Context(), p.timeout)
	defer cancel()
	resp, err := http.DefaultTransport.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, bodyMax+1))
	if err != nil {
		return nil, nil, err
	}
	if len(body) > bodyMax {
		return nil, nil, errors.New("body too large")
	}
	if resp.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("status %d", resp.StatusCode)
	}
	return resp, body, nil
}

func (p party) get(address string) (*http.Response, []byte, error) {
	req, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return nil, nil, err
	}
	return p.fetch(req)
}

// object reads one JSON object without repeated or look-alike members.
func object(text []byte) (map[string]any, error) {
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	open, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	if open != json.Delim('{') {
		return nil, errors.New("not an object")
	}
	members := make(map[string]any)
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		name := token.(string)
		for known := range members {
			if strings.EqualFold(known, name) {
				return nil, fmt.Errorf("%q beside %q", name, known)
			}
		}
		var value any
		if err := decoder.Decode(&value); err != nil {
			return nil, err
		}
		members[name] = value
	}
	if _, err := decoder.Token(); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("something after the object")
	}
	return members, nil
}

func isJSON(resp *http.Response) error {
	mediaType, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/json" {
		return fmt.Errorf("content type %q", resp.Header.Get("Content-Type"))
	}
	return nil
}

func (p party) discover() (metadata, error) {
	resp, body, err := p.get(p.app.srv.Issuer + "/.well-known/openid-configuration")
	if err != nil {
		return metadata{}, err
	}
	if err := isJSON(resp); err != nil {
		return metadata{}, err
	}
	document, err := object(body)
	if err != nil {
		return metadata{}, err
	}
	var m metadata
	for name, field := range map[string]*string{
		"issuer": &m.issuer, "authorization_endpoint": &m.authorize, "token_endpoint": &m.token,
		"userinfo_endpoint": &m.userinfo, "jwks_uri": &m.jwks, "end_session_endpoint": new(string),
	} {
		s, ok := document[name].(string)
		u, err := url.Parse(s)
		switch {
		case !ok && name == "end_session_endpoint" && document[name] == nil:
		case !ok, err != nil:
			return m, fmt.Errorf("%s is missing or malformed", name)
		case u.Scheme != "https" && (u.Scheme != "http" || u.Hostname() != "127.0.0.1"):
			return m, fmt.Errorf("%s is %s", name, s)
		}
		*field = s
	}
	if m.issuer != p.app.srv.Issuer {
		return m, fmt.Errorf("issuer %q", m.issuer)
	}
	m.issParameter, _ = document["authorization_response_iss_parameter_supported"].(bool)
	return m, nil
}

// login reports why an application must refuse this login, or nil.
func (p party) login(browser *http.Client) error {
	m, err := p.discover()
	if err != nil {
		return fmt.Errorf("discovery: %w", err)
	}
	address := p.app.authorizeURL()
	asked, err := url.Parse(address)
	if err != nil {
		return err
	}
	callback, err := p.app.srv.CallbackURL(browser, address, "marie")
	if err != nil {
		return fmt.Errorf("login page: %w", err)
	}
	code, err := p.checkCallback(m, callback, asked.Query().Get("state"))
	if err != nil {
		return fmt.Errorf("callback: %w", err)
	}
	sub, access, err := p.exchange(m, code, asked.Query())
	if err != nil {
		return fmt.Errorf("token: %w", err)
	}
	return p.checkUserinfo(m, access, sub)
}

func (p party) checkCallback(m metadata, callback *url.URL, state string) (string, error) {
	q, err := url.ParseQuery(callback.RawQuery)
	if err != nil {
		return "", err
	}
	for _, name := range []string{"code", "state", "iss", "error"} {
		if len(q[name]) > 1 || len(q.Get(name)) > 4096 {
			return "", fmt.Errorf("%s is repeated or oversized", name)
		}
	}
	switch {
	case q.Has("error"):
		return "", fmt.Errorf("error %q", q.Get("error"))
	case q.Get("state") != state:
		return "", errors.New("state")
	case q.Get("iss") != m.issuer && (q.Has("iss") || m.issParameter):
		return "", errors.New("iss")
	case q.Get("code") == "":
		return "", errors.New("no code")
	}
	return q.Get("code"), nil
}

func (p party) exchange(m metadata, code string, asked url.Values) (sub, access string, err error) {
	form := url.Values{
		"grant_type":    {"authorization_code"},
		"client_id":     {p.app.client.ID},
		"client_secret": {p.app.client.Secret},
		"redirect_uri":  asked["redirect_uri"],
		"code":          {code},
		"code_verifier": {p.app.verifierOf(asked.Get("state"))},
	}
	req, err := http.NewRequest(http.MethodPost, m.token, strings.NewReader(form.Encode()))
	if err != nil {
		return "", "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, body, err := p.fetch(req)
	if err != nil {
		return "", "", err
	}
	if err := isJSON(resp); err != nil {
		return "", "", err
	}
	answer, err := object(body)
	if err != nil {
		return "", "", err
	}
	tokenType, _ := answer["token_type"].(string)
	access, _ = answer["access_token"].(string)
	idToken, _ := answer["id_token"].(string)
	if !strings.EqualFold(tokenType, "Bearer") || access == "" || idToken == "" {
		return "", "", errors.New("incomplete answer")
	}
	claims, err := p.verify(m, idToken, p.app.client.IDTokenAlg, true)
	if err != nil {
		return "", "", fmt.Errorf("ID token: %w", err)
	}
	digest := sha256.Sum256([]byte(access))
	if hash, ok := claims["at_hash"]; ok && hash != base64.RawURLEncoding.EncodeToString(digest[:16]) {
		return "", "", errors.New("ID token: at_hash")
	}
	if claims["nonce"] != asked.Get("nonce") {
		return "", "", errors.New("ID token: nonce")
	}
	if p.acr != "" && claims["acr"] != p.acr {
		return "", "", errors.New("ID token: acr")
	}
	return claims["sub"].(string), access, nil
}

func (p party) checkUserinfo(m metadata, access, sub string) error {
	req, err := http.NewRequest(http.MethodGet, m.userinfo, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+access)
	resp, body, err := p.fetch(req)
	if err != nil {
		return fmt.Errorf("userinfo: %w", err)
	}
	mediaType, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil {
		return fmt.Errorf("userinfo: %w", err)
	}
	var claims map[string]any
	switch alg := p.app.client.UserinfoAlg; {
	case alg == "none" && mediaType == "application/json":
		claims, err = object(body)
	case alg != "none" && mediaType == "application/jwt":
		claims, err = p.verify(m, string(body), alg, false)
	default:
		err = fmt.Errorf("content type %q", mediaType)
	}
	if err != nil {
		return fmt.Errorf("userinfo: %w", err)
	}
	if claims["sub"] != sub || claims["nonce"] != nil || claims["at_hash"] != nil {
		return errors.New("userinfo: sub, or not a userinfo")
	}
	return nil
}

// verify is OpenID Connect Core 3.1.3.7, but for what is of the ID token alone.
func (p party) verify(m metadata, compact, alg string, idToken bool) (map[string]any, error) {
	parts := strings.Split(compact, ".")
	if len(parts) != 3 {
		return nil, errors.New("not three parts")
	}
	rawHeader, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		return nil, err
	}
	header, err := object(rawHeader)
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	kid, kidIsText := header["kid"].(string)
	if header["alg"] != alg || header["crit"] != nil || header["kid"] != nil && !kidIsText {
		return nil, errors.New("header")
	}
	parsed, err := jose.ParseSignedCompact(compact, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
	if err != nil {
		return nil, err
	}
	keys := []any{[]byte(p.app.client.Secret)}
	if alg != "HS256" {
		if keys, err = p.keys(m, alg, kid); err != nil {
			return nil, fmt.Errorf("keys: %w", err)
		}
	}
	var payload []byte
	for _, key := range keys {
		if payload, err = parsed.Verify(key); err == nil {
			break
		}
	}
	if payload == nil {
		return nil, errors.New("no key fits the signature")
	}
	claims, err := object(payload)
	if err != nil {
		return nil, err
	}
	return claims, p.checkClaims(m, claims, idToken)
}

func (p party) keys(m metadata, alg, kid string) ([]any, error) {
	_, body, err := p.get(m.jwks)
	if err != nil {
		return nil, err
	}
	set, err := object(body)
	if err != nil {
		return nil, err
	}
	entries, _ := set["keys"].([]any)
	var keys []any
	for _, entry := range entries {
		raw, err := json.Marshal(entry)
		if err != nil {
			return nil, err
		}
		var k struct {
			Kid, Use, Alg string
			Ops           []string `json:"key_ops"`
		}
		var jwk jose.JSONWebKey
		if json.Unmarshal(raw, &k) != nil || jwk.UnmarshalJSON(raw) != nil || !jwk.IsPublic() ||
			kid != "" && k.Kid != kid || k.Use != "" && k.Use != "sig" || k.Alg != "" && k.Alg != alg ||
			k.Ops != nil && !slices.Contains(k.Ops, "verify") {
			continue
		}
		keys = append(keys, jwk.Key)
	}
	return keys, nil
}

func (p party) checkClaims(m metadata, claims map[string]any, idToken bool) error {
	sub, ok := claims["sub"].(string)
	if !ok || sub == "" || len(sub) > 255 {
		return errors.New("sub")
	}
	if claims["iss"] != m.issuer {
		return errors.New("iss")
	}
	audience, ok := claims["aud"].([]any)
	if !ok {
		audience = []any{claims["aud"]}
	}
	azp, hasAZP := claims["azp"]
	for _, member := range audience {
		if _, ok := member.(string); !ok || member != p.app.client.ID && azp != p.app.client.ID {
			return errors.New("aud")
		}
	}
	if !slices.Contains(audience, any(p.app.client.ID)) || hasAZP && azp != p.app.client.ID {
		return errors.New("aud or azp")
	}
	now := float64(time.Now().Unix())
	for _, rule := range []struct {
		name     string
		required bool
		min, max float64
	}{
		{"exp", idToken, now - 60, math.MaxFloat64},
		{"iat", true, 0, now + 60},
		{"nbf", false, 0, now + 60},
	} {
		value, there := claims[rule.name]
		number, ok := value.(float64)
		if !there && rule.required || there && (!ok || number < rule.min || number > rule.max) {
			return errors.New(rule.name)
		}
	}
	return nil
}
