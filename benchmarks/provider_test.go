package benchmarks

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	clientID     = "benchmark"
	clientSecret = "a-demonstration-secret-of-more-than-sixty-four-characters-in-all-0123456789"
	keyID        = "benchmark-key"
	accessToken  = "an-access-token-of-forty-three-characters--"
)

// scopes are those of the thirteen claims.
func scopes() []string {
	return []string{"openid", "given_name", "usual_name", "email", "uid", "siret", "siren", "phone",
		"organizational_unit", "belonging_population", "idp_id", "roles", "organization_label"}
}

// An agent is what an application that follows READMEs makes of the userinfo: a
// struct of its own, with the thirteen claims.
type agent struct {
	Sub                 string   `json:"sub"`
	GivenName           string   `json:"given_name"`
	UsualName           string   `json:"usual_name"`
	Email               string   `json:"email"`
	UID                 string   `json:"uid"`
	SIRET               string   `json:"siret"`
	SIREN               string   `json:"siren"`
	PhoneNumber         string   `json:"phone_number"`
	OrganizationalUnit  string   `json:"organizational_unit"`
	BelongingPopulation string   `json:"belonging_population"`
	IdPID               string   `json:"idp_id"`
	Roles               []string `json:"roles"`
	OrganizationLabel   string   `json:"organization_label"`
}

func demoAgent() agent {
	return agent{
		Sub:                 "demo-4f1c2d9e-7b21-4a57-9a7e-1f0a5c1e0d2b",
		GivenName:           "Marie Louise",
		UsualName:           "Exemple",
		Email:               "marie.exemple@ministere.example.gouv.fr",
		UID:                 "mexemple",
		SIRET:               "00000001800010",
		SIREN:               "000000018",
		PhoneNumber:         "+33 1 99 00 00 01",
		OrganizationalUnit:  "DEMO/SG/NUM",
		BelongingPopulation: "agent",
		IdPID:               "00000000-0000-4000-8000-000000000001",
		Roles:               []string{"agent_public", "agent_public_etat"},
		OrganizationLabel:   "Ministère de démonstration",
	}
}

// A provider is as little of an OpenID provider as a login needs. It signs the
// tokens of a login before the login, when the benchmark's clock stands: what is
// measured is the application, and a server that sends prepared bytes.
type provider struct {
	issuer   string
	key      *rsa.PrivateKey
	alg      jose.SignatureAlgorithm
	idTokens jose.Signer
	userinfo []byte
	mux      *http.ServeMux

	mu          sync.Mutex
	tokens      map[string][]byte // the token answers, by code
	requests    map[string]int    // by path
	connections int
}

// newProvider starts a provider that signs with alg, RS256 or HS256; userinfo is
// signed likewise, or plain JSON.
func newProvider(tb testing.TB, alg jose.SignatureAlgorithm, signedUserinfo bool) *provider {
	tb.Helper()
	p := &provider{alg: alg, tokens: map[string][]byte{}, requests: map[string]int{}, mux: http.NewServeMux()}
	server := httptest.NewUnstartedServer(p)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			p.mu.Lock()
			p.connections++
			p.mu.Unlock()
		}
	}
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	p.issuer = "http://" + server.Listener.Addr().String()
	var err error
	if p.key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		tb.Fatal(err)
	}
	var key any = []byte(clientSecret)
	options := (&jose.SignerOptions{}).WithType("JWT")
	if alg == jose.RS256 {
		key, options = p.key, options.WithHeader("kid", keyID)
	}
	if p.idTokens, err = jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options); err != nil {
		tb.Fatal(err)
	}
	claims := map[string]any{}
	if err := json.Unmarshal(mustJSON(tb, demoAgent()), &claims); err != nil {
		tb.Fatal(err)
	}
	mediaType := "application/json"
	p.userinfo = mustJSON(tb, claims)
	if signedUserinfo {
		mediaType = "application/jwt"
		claims["iss"], claims["aud"] = p.issuer, clientID
		claims["iat"], claims["exp"] = time.Now().Unix(), time.Now().Add(time.Hour).Unix()
		p.userinfo = []byte(p.sign(tb, claims))
	}
	p.serve("/.well-known/openid-configuration", "application/json", mustJSON(tb, map[string]any{
		"issuer":                                         p.issuer,
		"authorization_endpoint":                         p.issuer + "/authorize",
		"token_endpoint":                                 p.issuer + "/token",
		"userinfo_endpoint":                              p.issuer + "/userinfo",
		"jwks_uri":                                       p.issuer + "/jwks",
		"end_session_endpoint":                           p.issuer + "/session/end",
		"response_types_supported":                       []string{"code"},
		"subject_types_supported":                        []string{"pairwise"},
		"id_token_signing_alg_values_supported":          []string{"RS256", "ES256", "HS256"},
		"token_endpoint_auth_methods_supported":          []string{"client_secret_post"},
		"code_challenge_methods_supported":               []string{"S256"},
		"authorization_response_iss_parameter_supported": true,
	}))
	p.serve("/jwks", "application/json", mustJSON(tb, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: p.key.Public(), KeyID: keyID, Algorithm: string(jose.RS256), Use: "sig"},
	}}))
	p.serve("/userinfo", mediaType, p.userinfo)
	p.mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		// In the body, as AgentConnect has it: x/oauth2, where it is not told, tries a
		// header first.
		if r.PostFormValue("client_secret") != clientSecret {
			refuse(w, "invalid_client")
			return
		}
		code := r.PostFormValue("code")
		p.mu.Lock()
		answer, ok := p.tokens[code]
		delete(p.tokens, code)
		p.mu.Unlock()
		if !ok {
			refuse(w, "invalid_grant")
			return
		}
		send(w, "application/json", answer)
	})
	server.Start()
	tb.Cleanup(server.Close)
	return p
}

func mustJSON(tb testing.TB, v any) []byte {
	tb.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func send(w http.ResponseWriter, mediaType string, body []byte) {
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // a client that has left is not our concern
}

func refuse(w http.ResponseWriter, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	_, _ = w.Write([]byte(`{"error":"` + code + `"}`)) // as in send
}

func (p *provider) serve(path, mediaType string, body []byte) {
	p.mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) { send(w, mediaType, body) })
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.requests[r.URL.Path]++
	p.mu.Unlock()
	p.mux.ServeHTTP(w, r)
}

func (p *provider) count(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.requests[path]
}

// opened returns how many connections were opened to the provider so far.
func (p *provider) opened() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.connections
}

func (p *provider) sign(tb testing.TB, claims map[string]any) string {
	tb.Helper()
	jws, err := p.idTokens.Sign(mustJSON(tb, claims))
	if err != nil {
		tb.Fatal(err)
	}
	compact, err := jws.CompactSerialize()
	if err != nil {
		tb.Fatal(err)
	}
	return compact
}

// idToken signs the ID token of a login with this nonce, if there is one.
func (p *provider) idToken(tb testing.TB, nonce string) string {
	tb.Helper()
	now := time.Now()
	sum := crypto.SHA256.New()
	sum.Write([]byte(accessToken))
	claims := map[string]any{
		"iss": p.issuer, "sub": demoAgent().Sub, "aud": clientID,
		"exp": now.Add(time.Hour).Unix(), "iat": now.Unix(), "auth_time": now.Unix(),
		"at_hash": base64.RawURLEncoding.EncodeToString(sum.Sum(nil)[:sha256.Size/2]),
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	return p.sign(tb, claims)
}

// issue prepares the answer to a code, which it returns.
func (p *provider) issue(tb testing.TB, nonce string) string {
	tb.Helper()
	answer := mustJSON(tb, map[string]any{
		"access_token": accessToken, "token_type": "Bearer", "expires_in": 3600,
		"refresh_token": rand.Text(), "id_token": p.idToken(tb, nonce), "scope": "openid",
	})
	code := rand.Text()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tokens[code] = answer
	return code
}

// inMemory is an http.RoundTripper that asks the provider without a network.
type inMemory struct{ handler http.Handler }

func (t inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	t.handler.ServeHTTP(w, r)
	res := w.Result()
	res.Request = r
	return res, nil
}
