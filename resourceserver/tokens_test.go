package resourceserver_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/agentconnecttest"
	"github.com/agentconnect-go/agentconnect/resourceserver"
)

func TestIntrospectionWithoutCache(t *testing.T) {
	t.Parallel()
	a := newAPI(t, agentconnect.Unsigned)
	token := a.token(a.provider.Client.ID).AccessToken
	for range 3 {
		if p := a.call("/", "Bearer "+token); p.StatusCode != http.StatusOK {
			t.Fatalf("got status %d, %s, want 200", p.StatusCode, p.body)
		}
	}
	if got := a.introspections(); got != 3 {
		t.Errorf("introspections of 3 calls: got %d, want 3", got)
	}
	a.provider.Inject(agentconnecttest.Fault("introspection-inactive")) // as after a revocation
	a.handled.Store(0)
	a.wantRefused(a.call("/", "Bearer "+token), 401, resourceserver.CodeInvalidToken)
}

func TestIntrospectionCache(t *testing.T) {
	t.Parallel()
	a := newAPI(t, agentconnect.RS256, resourceserver.WithCache(5*time.Minute))
	token, other := a.token(a.provider.Client.ID).AccessToken, a.token(a.provider.Client.ID).AccessToken
	step := func(what string, after time.Duration, token string, status, asked int) {
		t.Helper()
		a.clock.advance(after)
		before := a.introspections()
		if p := a.call("/", "Bearer "+token); p.StatusCode != status {
			t.Errorf("%s: got status %d, %s, want %d", what, p.StatusCode, p.body, status)
		}
		if got := a.introspections() - before; got != asked {
			t.Errorf("%s: got %d introspections, want %d", what, got, asked)
		}
	}
	step("first call", 0, token, 200, 1)
	step("remembered", 5*time.Minute-time.Second, token, 200, 0)
	step("another token", 0, other, 200, 1)
	step("no longer remembered", time.Second, token, 200, 1)

	a.provider.Inject(agentconnecttest.Fault("introspection-inactive"))
	step("revoked, and remembered", time.Minute, token, 200, 0)
	step("revoked", 4*time.Minute, token, 401, 1)
	step("a refusal is not remembered", 0, token, 401, 1)
	a.provider.Clear()
	step("good again", 0, token, 200, 1)

	a.provider.Stop()
	step("remembered while the provider is away", time.Minute, token, 200, 0)
	step("no longer remembered while the provider is away", 4*time.Minute, token, 503, 0)
	a.provider.Restart()
	step("the provider is back", time.Minute, token, 200, 1)
}

// A token that ends within the time it could be remembered is asked about again
// at its end.
func TestIntrospectionCacheEndsWithTheToken(t *testing.T) {
	t.Parallel()
	a := newAPI(t, agentconnect.Unsigned, resourceserver.WithCache(10*time.Minute))
	token := a.token(a.provider.Client.ID).AccessToken
	a.clock.advance(58 * time.Minute)
	for range 2 {
		if p := a.call("/", "Bearer "+token); p.StatusCode != http.StatusOK {
			t.Fatalf("two minutes before its end: got status %d, %s, want 200", p.StatusCode, p.body)
		}
	}
	if got := a.introspections(); got != 1 {
		t.Errorf("introspections of 2 calls: got %d, want 1", got)
	}
	a.clock.advance(2*time.Minute + time.Second)
	a.handled.Store(0)
	a.wantRefused(a.call("/", "Bearer "+token), 401, resourceserver.CodeInvalidToken)
}

// What a handler does to the token that it is given is not remembered.
func TestIntrospectionCacheIsNotTheHandlers(t *testing.T) {
	t.Parallel()
	a := newAPI(t, agentconnect.Unsigned, resourceserver.WithCache(time.Minute))
	handler := a.rs.RequireScopes("email")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := resourceserver.TokenFrom(r.Context())
		for i := range token.Scopes {
			token.Scopes[i] = "nothing"
		}
	}))
	access := a.token(a.provider.Client.ID, "openid", "email").AccessToken
	for range 2 {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", "Bearer "+access)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			t.Errorf("got status %d, %s, want 200", w.Code, w.Body)
		}
	}
	if got := a.introspections(); got != 1 {
		t.Errorf("introspections of 2 calls: got %d, want 1", got)
	}
}

// One whose end is not known is not remembered.
func TestIntrospectionWithoutEnd(t *testing.T) {
	t.Parallel()
	a := newAPI(t, agentconnect.Unsigned, resourceserver.WithCache(10*time.Minute))
	a.provider.Inject(agentconnecttest.Tamper{Introspection: func(j *agentconnecttest.JWT) { j.Claims.Delete("exp") }})
	token := a.token(a.provider.Client.ID).AccessToken
	for range 2 {
		if p := a.call("/", "Bearer "+token); p.StatusCode != http.StatusOK {
			t.Fatalf("got status %d, %s, want 200", p.StatusCode, p.body)
		}
	}
	if got := a.introspections(); got != 2 {
		t.Errorf("introspections of 2 calls: got %d, want 2", got)
	}
}

func TestIntrospectionOfOneTokenAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		answer := make(chan error)
		i := resourceserver.NewTokens(time.Now, time.Minute, func(ctx context.Context, token string) (*resourceserver.Token, error) {
			asked.Add(1)
			err := <-answer
			return &resourceserver.Token{Sub: token, ExpiresAt: time.Now().Add(time.Hour)}, errors.Join(err, ctx.Err())
		})
		first, leave := context.WithCancel(t.Context())
		var calls sync.WaitGroup
		get := func(ctx context.Context, token string, want error) {
			calls.Go(func() {
				info, err := i.Get(ctx, token)
				if !errors.Is(err, want) || want == nil && info.Sub != token {
					t.Errorf("%s: got %v, %v, want the error %v", token, info, err, want)
				}
			})
			synctest.Wait()
		}
		get(first, "a", context.Canceled)
		for range 50 {
			get(t.Context(), "a", nil)
		}
		leave() // who asked first leaves, and the others get their answer
		synctest.Wait()
		if got := asked.Load(); got != 1 {
			t.Errorf("51 calls with one token: got %d questions, want 1", got)
		}
		answer <- nil
		calls.Wait()

		down := errors.New("down")
		get(t.Context(), "b", down)
		get(t.Context(), "b", down)
		answer <- down
		calls.Wait()
		get(t.Context(), "b", nil) // a failure is not remembered
		answer <- nil
		calls.Wait()
		get(t.Context(), "b", nil)
		calls.Wait()
		if got := asked.Load(); got != 3 {
			t.Errorf("got %d questions, want 3", got)
		}
	})
}

// An answer is as old as its question.
func TestIntrospectionCacheCountsFromTheQuestion(t *testing.T) {
	t.Parallel()
	now, asked := newClock().Now(), 0
	i := resourceserver.NewTokens(func() time.Time { return now }, time.Minute, func(context.Context, string) (*resourceserver.Token, error) {
		asked++
		now = now.Add(30 * time.Second) // a slow provider
		return &resourceserver.Token{ExpiresAt: now.Add(time.Hour)}, nil
	})
	for _, step := range []struct {
		after time.Duration
		asked int
	}{{0, 1}, {29 * time.Second, 1}, {time.Second, 2}} {
		now = now.Add(step.after)
		if _, err := i.Get(t.Context(), "token"); err != nil {
			t.Fatal(err)
		}
		if asked != step.asked {
			t.Errorf("%v later: got %d questions, want %d", step.after, asked, step.asked)
		}
	}
}

func TestIntrospectionCacheIsBounded(t *testing.T) {
	t.Parallel()
	now := newClock().Now()
	asked := 0
	life := time.Hour
	i := resourceserver.NewTokens(func() time.Time { return now }, 10*time.Minute, func(context.Context, string) (*resourceserver.Token, error) {
		asked++
		return &resourceserver.Token{ExpiresAt: now.Add(life)}, nil
	})
	get := func(from, to int) {
		for n := range to - from {
			if _, err := i.Get(t.Context(), fmt.Sprint(from+n)); err != nil {
				t.Fatal(err)
			}
		}
	}
	// A tenth of what fits has a future; that of the others ends in a minute. Then
	// come some too many: those with a future stay, since a few that are looked at
	// are never all of that tenth.
	const long, full, tokens = resourceserver.MaxRemembered / 10, resourceserver.MaxRemembered, resourceserver.MaxRemembered + 500
	get(0, long)
	life = time.Minute
	get(long, full)
	life = time.Hour
	get(full, tokens)
	if got := i.Len(); got != full {
		t.Errorf("got %d tokens in memory, want %d", got, full)
	}
	get(0, long)
	get(full, tokens)
	if asked != tokens {
		t.Errorf("got %d questions, want %d: the tokens that end last are remembered", asked, tokens)
	}
}

// An expired token, or one without an end, takes no memory.
func TestIntrospectionCacheKeepsNoUselessToken(t *testing.T) {
	t.Parallel()
	now := newClock().Now()
	for name, expires := range map[string]time.Time{"without end": {}, "over": now} {
		i := resourceserver.NewTokens(func() time.Time { return now }, time.Minute, func(context.Context, string) (*resourceserver.Token, error) {
			return &resourceserver.Token{ExpiresAt: expires}, nil
		})
		if _, err := i.Get(t.Context(), "token"); err != nil || i.Len() != 0 {
			t.Errorf("%s: got %v and %d tokens in memory, want none", name, err, i.Len())
		}
	}
}
