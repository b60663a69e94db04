package benchmarks

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/gob"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"
)

// readmeSession is what such an application keeps: the agent, and the ID token
// for the logout.
type readmeSession struct {
	Agent   agent
	IDToken string
}

// readmeLogin is an application written as the examples of go-oidc and the
// README of scs show it. As they do, it accepts any algorithm that the provider
// lists, and does not check iss, aud or exp of the userinfo.
func readmeLogin(tb testing.TB, p *provider) (login, callback http.Handler) {
	tb.Helper()
	gob.Register(readmeSession{})
	ctx := context.Background()
	provider, err := oidc.NewProvider(ctx, p.issuer)
	if err != nil {
		tb.Fatal(err)
	}
	config := oauth2.Config{
		ClientID: clientID, ClientSecret: clientSecret,
		Endpoint: provider.Endpoint(), RedirectURL: redirectURL, Scopes: scopes(),
	}
	verifier := provider.Verifier(&oidc.Config{ClientID: clientID})
	manager := scs.New()
	manager.Store = memstore.NewWithCleanupInterval(0)

	login = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		state, err := randomString(16)
		if err != nil {
			http.Error(w, "Internal error", http.StatusInternalServerError)
			return
		}
		nonce, err := randomString(16)
		if err != nil {
			http.Error(w, "Internal error", http.StatusInternalServerError)
			return
		}
		setCallbackCookie(w, r, "state", state)
		setCallbackCookie(w, r, "nonce", nonce)
		http.Redirect(w, r, config.AuthCodeURL(state, oidc.Nonce(nonce)), http.StatusFound)
	})
	callback = manager.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		state, err := r.Cookie("state")
		if err != nil || r.URL.Query().Get("state") != state.Value {
			http.Error(w, "state did not match", http.StatusBadRequest)
			return
		}
		token, err := config.Exchange(ctx, r.URL.Query().Get("code"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		rawIDToken, ok := token.Extra("id_token").(string)
		if !ok {
			http.Error(w, "No id_token", http.StatusInternalServerError)
			return
		}
		idToken, err := verifier.Verify(ctx, rawIDToken)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		nonce, err := r.Cookie("nonce")
		if err != nil || idToken.Nonce != nonce.Value {
			http.Error(w, "nonce did not match", http.StatusBadRequest)
			return
		}
		userinfo, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		session := readmeSession{IDToken: rawIDToken}
		if err := userinfo.Claims(&session.Agent); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		if err := manager.RenewToken(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		manager.Put(r.Context(), "session", session)
		http.Redirect(w, r, "/", http.StatusFound)
	}))
	return login, callback
}

func randomString(n int) (string, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(rand.Reader, b); err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}

func setCallbackCookie(w http.ResponseWriter, r *http.Request, name, value string) {
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, MaxAge: int(time.Hour.Seconds()), Secure: r.TLS != nil, HttpOnly: true})
}

// rawCodec is an scs codec that does nothing: the bytes of the session are the
// session.
type rawCodec struct{ deadline time.Time }

func (rawCodec) Encode(_ time.Time, values map[string]any) ([]byte, error) {
	return values["raw"].([]byte), nil
}

func (c rawCodec) Decode(raw []byte) (time.Time, map[string]any, error) {
	return c.deadline, map[string]any{"raw": raw}, nil
}

// An scsStyle is a way to keep the agent in a session of scs.
type scsStyle struct {
	codec scs.Codec
	put   func(ctx context.Context, m *scs.SessionManager, session readmeSession)
	known func(ctx context.Context, m *scs.SessionManager) bool
}

// floorStyle is scs around nothing, with a codec that does nothing.
func floorStyle() scsStyle {
	return scsStyle{
		codec: rawCodec{time.Now().Add(time.Hour)},
		put: func(ctx context.Context, m *scs.SessionManager, session readmeSession) {
			raw, err := json.Marshal(session.Agent)
			if err != nil {
				panic(err) // of a struct of texts: never
			}
			m.Put(ctx, "raw", append(raw, session.IDToken...))
		},
		known: func(context.Context, *scs.SessionManager) bool { return true },
	}
}

// gobStyle is scs as its README shows it.
func gobStyle() scsStyle {
	gob.Register(readmeSession{})
	return scsStyle{
		codec: scs.GobCodec{},
		put: func(ctx context.Context, m *scs.SessionManager, session readmeSession) {
			m.Put(ctx, "session", session)
		},
		known: func(ctx context.Context, m *scs.SessionManager) bool {
			session, ok := m.Get(ctx, "session").(readmeSession)
			return ok && session.Agent.Sub != ""
		},
	}
}

// jsonStyle keeps the session as JSON in gob.
func jsonStyle() scsStyle {
	return scsStyle{
		codec: scs.GobCodec{},
		put: func(ctx context.Context, m *scs.SessionManager, session readmeSession) {
			raw, err := json.Marshal(session)
			if err != nil {
				panic(err) // of a struct of texts: never
			}
			m.Put(ctx, "session", raw)
		},
		known: func(ctx context.Context, m *scs.SessionManager) bool {
			var session readmeSession
			return json.Unmarshal(m.GetBytes(ctx, "session"), &session) == nil && session.Agent.Sub != ""
		},
	}
}

// fill puts n sessions, with an ID token of that algorithm, in a store and
// returns their cookies.
func (s scsStyle) fill(tb testing.TB, alg jose.SignatureAlgorithm, store scs.Store, n int) (*scs.SessionManager, []string) {
	tb.Helper()
	p := newProvider(tb, alg, true)
	m := scs.New()
	m.Store, m.Codec = store, s.codec
	idToken := p.idToken(tb, "a-nonce-of-forty-three-characters----------")
	cookies := make([]string, n)
	for i := range cookies {
		ctx, err := m.Load(tb.Context(), "")
		if err != nil {
			tb.Fatal(err)
		}
		s.put(ctx, m, readmeSession{demoAgent(), idToken})
		token, _, err := m.Commit(ctx)
		if err != nil {
			tb.Fatal(err)
		}
		cookies[i] = m.Cookie.Name + "=" + token
	}
	return m, cookies
}

// requests are those of n sessions.
func (s scsStyle) requests(tb testing.TB, alg jose.SignatureAlgorithm, n int) requests {
	m, cookies := s.fill(tb, alg, memstore.NewWithCleanupInterval(0), n)
	known := new(int)
	return requests{m.LoadAndSave(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if s.known(r.Context(), m) {
			*known++
		}
	})), cookies, known}
}
