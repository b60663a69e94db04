package main

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agentconnect-go/agentconnect/example/internal/servers"
)

// quick is what a page may take when the store is down: the time-outs are
// of three seconds, the rest is for a busy machine.
const quick = 8 * time.Second

// wantStoreDown checks what the program answers while its store is down, to a
// browser that is logged in.
func wantStoreDown(t *testing.T, p *program, b *browser) {
	t.Helper()
	wantStoreSilent(t, p, b)
	for _, path := range protectedPaths() {
		b.get(p.url+path, api()...).wantProblem(t, http.StatusServiceUnavailable, "session_store")
	}
	b.get(p.url+"/").wantStatus(t, 200).wantPage(t, `action="/login"`)
	for _, path := range []string{"/healthz", "/readyz"} {
		b.get(p.url+path).wantStatus(t, 200)
	}
}

// wantStoreSilent is the part of wantStoreDown that asks the store once, for each
// question to a store that does not answer takes its time-out.
func wantStoreSilent(t *testing.T, p *program, b *browser) {
	t.Helper()
	began := time.Now()
	b.get(p.url+"/agent").wantStatus(t, http.StatusServiceUnavailable).wantPage(t, "session_store")
	if got := time.Since(began); got > quick {
		t.Errorf("got the 503 page after %v, want it within %v", got, quick)
	}
	newBrowser(t).get(p.url+"/").wantStatus(t, 200).wantPage(t, `action="/login"`)
}

// wantStartWithoutStore starts the program while its store is down: it serves what
// needs no store, and logs agents in once the store is there.
func wantStartWithoutStore(t *testing.T, store string, startStore func(), secrets ...string) {
	t.Helper()
	p := startProvided(t, "SESSION_STORE", store)
	b := newBrowser(t)
	b.get(p.url+"/").wantStatus(t, 200).wantPage(t, "ProConnect")
	b.get(p.url+"/readyz").wantStatus(t, 200)
	p.login(b, "/agent", "marie").wantStatus(t, http.StatusServiceUnavailable).wantPage(t, "session_store")
	startStore()
	p.login(b, "/agent", "marie").wantStatus(t, 200).wantAt(t, p.url+"/agent")
	wantQuietLog(t, p.program, secrets...)
}

// wantQuietLog checks that the program logged neither who logged in nor a secret.
func wantQuietLog(t *testing.T, p *program, secrets ...string) {
	t.Helper()
	wantQuietText(t, p.stdout.String()+p.stderr.String(), secrets...)
}

func wantQuietText(t *testing.T, log string, secrets ...string) {
	t.Helper()
	for _, text := range append(secrets, secret, "marie.exemple", "Marie Louise", "eyJ", "demo-4f1c2d9e-marie", "agent-1@", "Numéro-1", "sub-of-", "DATA RACE", "panic") {
		if strings.Contains(log, text) {
			t.Errorf("got %q in the log", text)
		}
	}
}

func TestRedis(t *testing.T) {
	redis := servers.StartRedis(t)
	p := startProvided(t, "SESSION_STORE", redis.URL)
	b := p.loggedIn("marie")

	t.Run("a protected request is one GET", func(t *testing.T) {
		for _, path := range []string{"/agent", "/agents-publics", "/events"} {
			before := redis.Commands()
			b.get(p.url+path).wantStatus(t, 200)
			after := redis.Commands()
			for name, calls := range after {
				want := 0
				if name == "get" {
					want = 1
				}
				if got := calls - before[name]; got != want {
					t.Errorf("%s: got %d calls of %s, want %d", path, got, name, want)
				}
			}
		}
	})
	t.Run("logins that are only started leave nothing", func(t *testing.T) {
		before := redis.Commands()
		for range 20 {
			newBrowser(t).once(http.MethodGet, p.url+"/login").wantStatus(t, http.StatusSeeOther)
		}
		if after := redis.Commands(); after["set"] != before["set"] || after["get"] != before["get"] {
			t.Errorf("got the commands %v after %v, want no read and no write", after, before)
		}
	})
	t.Run("what it holds ends with the session", func(t *testing.T) {
		keys, err := redis.Client.Keys(context.Background(), "*").Result()
		if err != nil || len(keys) != 1 || !strings.HasPrefix(keys[0], redisPrefix) {
			t.Fatalf("got the keys %q (%v), want the one session", keys, err)
		}
		ttl, err := redis.Client.TTL(context.Background(), keys[0]).Result()
		if err != nil || ttl <= 11*time.Hour || ttl > 12*time.Hour {
			t.Errorf("got %v to live (%v), want the 12 hours of a session", ttl, err)
		}
		application, err := url.Parse(p.url)
		if err != nil {
			t.Fatal(err)
		}
		for _, cookie := range b.Jar.Cookies(application) {
			if strings.Contains(keys[0], cookie.Value) {
				t.Error("got the session cookie as the key, want its hash")
			}
		}
	})
	t.Run("logout deletes", func(t *testing.T) {
		other := p.loggedIn("karim")
		p.logout(other).wantAt(t, p.url+"/")
		other.get(p.url+"/agent", api()...).wantProblem(t, http.StatusUnauthorized, "unauthenticated")
		if size, err := redis.Client.DBSize(context.Background()).Result(); err != nil || size != 1 {
			t.Errorf("got %d keys (%v), want the one of the other session", size, err)
		}
	})
	t.Run("stopped and started again", func(t *testing.T) {
		redis.Stop()
		wantStoreDown(t, p.program, b)
		p.login(newBrowser(t), "/agent", "marie").wantStatus(t, http.StatusServiceUnavailable).wantPage(t, "session_store")
		redis.Start()
		b.get(p.url+"/agent").wantStatus(t, 200).wantPage(t, "Marie")
		p.loggedIn("karim")
	})
	t.Run("frozen and thawed", func(t *testing.T) {
		redis.Freeze()
		wantStoreSilent(t, p.program, b)
		redis.Thaw()
		b.get(p.url+"/agent").wantStatus(t, 200).wantPage(t, "Marie")
	})
	t.Run("flushed", func(t *testing.T) {
		if err := redis.Client.FlushAll(context.Background()).Err(); err != nil {
			t.Fatal(err)
		}
		b.get(p.url+"/agent", api()...).wantProblem(t, http.StatusUnauthorized, "unauthenticated")
		// The browser that was given its session a moment ago is told once that it is lost.
		b.get(p.url+"/agent").wantStatus(t, http.StatusServiceUnavailable).wantPage(t, "session_lost")
		p.login(b, "/agent", "marie").wantStatus(t, 200).wantAt(t, p.url+"/agent")
	})
	wantQuietLog(t, p.program)
}

func TestRedisDownAtStart(t *testing.T) {
	redis := servers.StartRedis(t)
	redis.Stop()
	wantStartWithoutStore(t, redis.URL, redis.Start)
}

func TestPostgres(t *testing.T) {
	postgres := servers.StartPostgres(t)
	p := startProvided(t, "SESSION_STORE", postgres.URL)
	b := p.loggedIn("marie")

	t.Run("a protected request is one SELECT", func(t *testing.T) {
		for _, path := range []string{"/agent", "/agents-publics", "/events"} {
			before := postgres.Statements()
			b.get(p.url+path).wantStatus(t, 200)
			got := postgres.Statements()[len(before):]
			if len(got) != 1 || !strings.HasPrefix(got[0], `SELECT data FROM "sessions"`) {
				t.Errorf("%s: got the statements %q, want one SELECT of the session", path, got)
			}
		}
	})
	t.Run("logins that are only started leave nothing", func(t *testing.T) {
		before := postgres.Statements()
		for range 20 {
			newBrowser(t).once(http.MethodGet, p.url+"/login").wantStatus(t, http.StatusSeeOther)
		}
		if got := postgres.Statements()[len(before):]; len(got) > 0 {
			t.Errorf("got the statements %q, want none", got)
		}
	})
	t.Run("the table is made once", func(t *testing.T) {
		creations := func() int {
			return len(slices.DeleteFunc(postgres.Statements(), func(s string) bool { return !strings.HasPrefix(s, "SELECT pg_advisory_xact_lock") }))
		}
		if got := creations(); got != 1 {
			t.Errorf("got %d attempts to make the table, want 1", got)
		}
		other := startProvided(t, "SESSION_STORE", postgres.URL)
		other.loggedIn("karim")
		if got := creations(); got != 1 {
			t.Errorf("got %d attempts to make the table after another program started, want 1", got)
		}
	})
	t.Run("logout deletes", func(t *testing.T) {
		other := p.loggedIn("karim")
		p.logout(other).wantAt(t, p.url+"/")
		other.get(p.url+"/agent", api()...).wantProblem(t, http.StatusUnauthorized, "unauthenticated")
		if got := countSessions(t, postgres); got != 2 {
			t.Errorf("got %d sessions, want those of the two others", got)
		}
	})
	t.Run("stopped and started again", func(t *testing.T) {
		postgres.Stop()
		wantStoreDown(t, p.program, b)
		p.login(newBrowser(t), "/agent", "marie").wantStatus(t, http.StatusServiceUnavailable).wantPage(t, "session_store")
		postgres.Start()
		b.get(p.url+"/agent").wantStatus(t, 200).wantPage(t, "Marie")
		p.loggedIn("karim")
	})
	t.Run("silent and back", func(t *testing.T) {
		lock, err := postgres.Connect()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := lock.Exec(context.Background(), "BEGIN; LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE"); err != nil {
			t.Fatal(err)
		}
		wantStoreSilent(t, p.program, b)
		if err := lock.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		b.get(p.url+"/agent").wantStatus(t, 200).wantPage(t, "Marie")
	})
	wantQuietLog(t, p.program, postgres.Password)
}

func countSessions(t *testing.T, postgres *servers.Postgres) (count int) {
	t.Helper()
	conn, err := postgres.Connect()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(context.Background(), "SELECT count(*) FROM sessions").Scan(&count); err != nil {
		t.Fatal(err)
	}
	return count
}

func TestPostgresDownAtStart(t *testing.T) {
	postgres := servers.StartPostgres(t)
	postgres.Stop()
	wantStartWithoutStore(t, postgres.URL, postgres.Start, postgres.Password)
}

// TestPostgresLockedTable has sixty browsers at once ask for a page while somebody
// holds a lock on the table, many more than the pool has connections: each gets its
// 503 within the deadline, and its page once the lock is gone.
func TestPostgresLockedTable(t *testing.T) {
	const requests = 60
	postgres := servers.StartPostgres(t)
	p := startProvided(t, "SESSION_STORE", postgres.URL)
	b := p.loggedIn("marie")
	lock, err := postgres.Connect()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock.Exec(context.Background(), "BEGIN; LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	ask := func(check func(status int, took time.Duration)) {
		var wait sync.WaitGroup
		for range requests {
			wait.Go(func() {
				began := time.Now()
				resp, err := b.Get(p.url + "/agent")
				if err != nil {
					t.Errorf("got %v, want an answer", err)
					return
				}
				resp.Body.Close()
				check(resp.StatusCode, time.Since(began))
			})
		}
		wait.Wait()
	}
	ask(func(status int, took time.Duration) {
		if status != http.StatusServiceUnavailable || took > quick {
			t.Errorf("got status %d after %v, want 503 within %v", status, took, quick)
		}
	})
	if err := lock.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	b.get(p.url+"/agent").wantStatus(t, 200).wantPage(t, "Marie")
	wantQuietLog(t, p.program, postgres.Password)
}
