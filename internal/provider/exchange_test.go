package provider

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// What the token endpoint must answer to a code and to a refresh token.
func TestTokenAnswers(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	p := New(f.config)
	m, err := p.Metadata(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	exchange := func(ctx context.Context) (*Tokens, error) {
		return p.Exchange(ctx, m, "code", Login{Nonce: testNonce})
	}
	refresh := func(ctx context.Context) (*Tokens, error) { return p.Refresh(ctx, "the refresh token", testSub) }
	good := f.sign(t, f.claims(t, nil), nil)
	of := func(sub string) string { return f.sign(t, f.claims(t, map[string]any{"sub": sub}), nil) }
	for _, tt := range []struct {
		name    string
		call    func(context.Context) (*Tokens, error)
		changes map[string]any
		refresh string // "": it fails
		err     string
	}{
		{"a code", exchange, map[string]any{}, "another", ""},
		{"a code, no ID token", exchange, map[string]any{"id_token": nil}, "", "token endpoint: the answer has no id_token"},
		{"a code, no access token", exchange, map[string]any{"access_token": nil}, "", "token endpoint: the answer has no access_token"},
		{"a code, an empty access token", exchange, map[string]any{"access_token": ""}, "", "token endpoint: the answer has no access_token"},
		{"a refresh token", refresh, map[string]any{}, "another", ""},
		{"a refresh token that stays", refresh, map[string]any{"refresh_token": nil}, "the refresh token", ""},
		{"a refresh token, no ID token", refresh, map[string]any{"id_token": nil}, "another", ""},
		{"a refresh token, an ID token of somebody else", refresh, map[string]any{"id_token": of("somebody-else")}, "", "token endpoint, refresh: the sub is not that of the session"},
		{"a refresh token, a malformed ID token", refresh, map[string]any{"id_token": "x.y.z"}, "", "token endpoint, refresh: it is not a JWT signed with the registered algorithm"},
		{"an ID token with another algorithm that can be registered", refresh, map[string]any{"id_token": "eyJhbGciOiJIUzI1NiJ9.e30.AA"}, "", "token endpoint, refresh: its alg is HS256, but the settings say RS256"},
		{"an ID token with an algorithm that cannot", refresh, map[string]any{"id_token": "eyJhbGciOiJQUzI1NiJ9.e30.AA"}, "", "token endpoint, refresh: it is not a JWT signed with the registered algorithm"},
		{"an error with status 200", refresh, map[string]any{"error": "invalid_grant"}, "", "token endpoint, refresh: invalid_grant"},
	} {
		answer := map[string]any{"access_token": "access", "token_type": "Bearer", "expires_in": 60, "id_token": good, "refresh_token": "another"}
		for name, value := range tt.changes {
			if answer[name] = value; value == nil {
				delete(answer, name)
			}
		}
		f.handle("/token", f.sendJSON(answer))
		switch tokens, err := tt.call(t.Context()); {
		case tt.err != "":
			if err == nil || err.Error() != tt.err {
				t.Errorf("%s: got %v, want %s", tt.name, err, tt.err)
			}
		case err != nil:
			t.Errorf("%s: got %v, want no error", tt.name, err)
		case tokens.Access != "access" || tokens.Refresh != tt.refresh:
			t.Errorf("%s: got the tokens %q and %q, want %q and %q", tt.name, tokens.Access, tokens.Refresh, "access", tt.refresh)
		}
	}
}

// Each kind of call refuses an answer with another status than 200, without a media
// type, or larger than a mebibyte. An answer of a mebibyte is read.
func TestAnswersOfEachCall(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	p := New(f.config)
	m, err := p.Metadata(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]func(ctx context.Context) error{
		"/jwks":       func(ctx context.Context) error { _, err := p.ReadKeys(ctx); return err },
		"/introspect": func(ctx context.Context) error { _, err := p.Introspect(ctx, "token"); return err },
		"/revoke":     func(ctx context.Context) error { return p.Revoke(ctx, "token") },
		"/token":      func(ctx context.Context) error { _, err := p.Refresh(ctx, "token", testSub); return err },
		"/userinfo": func(ctx context.Context) error {
			_, err := p.Userinfo(ctx, m, &Tokens{ID: &IDToken{Sub: testSub}})
			return err
		},
	}
	for path, call := range calls {
		for _, tt := range []struct {
			name, contentType, body string
			status                  int
			kind                    Kind
			want                    string
		}{
			{"another status", "application/json", `{}`, http.StatusTeapot, BadAnswer, "the provider answers 418"},
			{"overloaded", "application/json", `{}`, http.StatusTooManyRequests, Unavailable, "the provider answers 429"},
			{"too large", "application/json", strings.Repeat(" ", maxAnswer+1), http.StatusOK, BadAnswer, "the answer is too large"},
		} {
			f.handle(path, send(tt.status, tt.contentType, tt.body))
			err := call(t.Context())
			if err == nil {
				t.Errorf("%s, %s: got no error, want one", path, tt.name)
				continue
			}
			if failure := asFailure(t, err); failure.Kind != tt.kind || !strings.Contains(failure.Error(), tt.want) {
				t.Errorf("%s, %s: got %s, %v, want %s, %s", path, tt.name, failure.Kind, failure, tt.kind, tt.want)
			}
		}
	}
	f.handle("/userinfo", send(http.StatusOK, "", "{}"))
	if err := calls["/userinfo"](t.Context()); err == nil || !strings.Contains(err.Error(), "the answer has no media type") {
		t.Errorf("no media type: got %v, want that there is none", err)
	}
	keys, err := json.Marshal(map[string]any{"keys": []any{f.jwk("current")}})
	if err != nil {
		t.Fatal(err)
	}
	f.handle("/jwks", send(http.StatusOK, "application/json", string(keys)+strings.Repeat(" ", maxAnswer-len(keys))))
	if err := calls["/jwks"](t.Context()); err != nil {
		t.Errorf("an answer of a mebibyte: got %v, want no error", err)
	}
	f.handle("/revoke", send(http.StatusOK, "", ""))
	if err := calls["/revoke"](t.Context()); err != nil {
		t.Errorf("an empty answer of the revocation: got %v, want no error", err)
	}
}
