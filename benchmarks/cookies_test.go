package benchmarks

import (
	"context"
	"encoding/gob"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/crewjam/saml"
	"github.com/crewjam/saml/samlsp"
	"github.com/go-jose/go-jose/v4"
	"github.com/gorilla/sessions"
)

// gorillaRequests keep the session in an encrypted cookie of gorilla/sessions.
func gorillaRequests(tb testing.TB) requests {
	gob.Register(readmeSession{})
	store := sessions.NewCookieStore([]byte("an authentication key: 32 bytes."), []byte("an encryption key of 32 bytes..."))
	p := newProvider(tb, jose.RS256, true)
	r, w := httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder()
	session, err := store.Get(r, "session")
	if err != nil {
		tb.Fatal(err)
	}
	session.Values["session"] = readmeSession{demoAgent(), p.idToken(tb, "a-nonce-of-forty-three-characters----------")}
	if err := session.Save(r, w); err != nil {
		tb.Fatal(err)
	}
	known := new(int)
	return requests{http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		// It keeps what it decoded in the request: without a new one each time, only
		// the first would be decoded.
		session, err := store.Get(r.WithContext(r.Context()), "session")
		if err != nil {
			return
		}
		if s, ok := session.Values["session"].(readmeSession); ok && s.Agent.Sub != "" {
			*known++
		}
	}), []string{cookiePairs(w)}, known}
}

// samlRequests keep the session in samlsp's cookie, a JWT signed with RS256.
func samlRequests(tb testing.TB) requests {
	p := newProvider(tb, jose.RS256, true)
	home := url.URL{Scheme: "http", Host: "localhost:8080"}
	provider := samlsp.DefaultSessionProvider(samlsp.Options{URL: home, Key: p.key})
	var claims map[string]any
	if err := json.Unmarshal(mustJSON(tb, demoAgent()), &claims); err != nil {
		tb.Fatal(err)
	}
	var attributes []saml.Attribute
	for name, value := range claims {
		attribute := saml.Attribute{Name: name}
		switch value := value.(type) {
		case string:
			attribute.Values = []saml.AttributeValue{{Value: value}}
		case []any:
			for _, v := range value {
				attribute.Values = append(attribute.Values, saml.AttributeValue{Value: v.(string)})
			}
		}
		attributes = append(attributes, attribute)
	}
	w := httptest.NewRecorder()
	err := provider.CreateSession(w, httptest.NewRequest(http.MethodGet, home.String(), nil), &saml.Assertion{
		Subject:             &saml.Subject{NameID: &saml.NameID{Value: demoAgent().Sub}},
		AttributeStatements: []saml.AttributeStatement{{Attributes: attributes}},
	})
	if err != nil {
		tb.Fatal(err)
	}
	known := new(int)
	middleware := &samlsp.Middleware{Session: provider}
	return requests{middleware.RequireAccount(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if samlsp.AttributeFromContext(r.Context(), "email") != "" {
			*known++
		}
	})), []string{cookiePairs(w)}, known}
}

// bearerRequests keep the ID token in a cookie and verify it each time.
func bearerRequests(tb testing.TB) requests {
	p := newProvider(tb, jose.RS256, true)
	provider, err := oidc.NewProvider(tb.Context(), p.issuer)
	if err != nil {
		tb.Fatal(err)
	}
	verifier := provider.VerifierContext(context.WithoutCancel(tb.Context()), &oidc.Config{ClientID: clientID})
	known := new(int)
	return requests{http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, token, _ := strings.Cut(r.Header.Get("Cookie"), "=")
		if idToken, err := verifier.Verify(r.Context(), token); err == nil && idToken.Subject != "" {
			*known++
		}
	}), []string{"id_token=" + p.idToken(tb, "a-nonce-of-forty-three-characters----------")}, known}
}
