package main

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agentconnect-go/agentconnect/example/internal/servers"
)

// redisFleet is three instances, a Redis of theirs, and agents who are logged in.
type redisFleet struct {
	*fleet
	t        *testing.T
	redis    *servers.Redis
	agents   []*visitor
	stranger *visitor
}

func startRedisFleet(t *testing.T) *redisFleet {
	t.Helper()
	const agents = 12
	redis := servers.StartRedis(t)
	f := &redisFleet{fleet: startFleet(t, 3, "SESSION_STORE", redis.URL), t: t, redis: redis}
	f.addAgents(agents + 1)
	all := visitors(t, f.url, agents+1)
	f.agents, f.stranger = all[:agents], all[agents]
	atOnce(f.agents, 4, func(v *visitor) { v.wantLogin(t) })
	return f
}

// command sends Redis a command that must succeed.
func (f *redisFleet) command(words ...any) {
	f.t.Helper()
	if err := f.redis.Client.Do(context.Background(), words...).Err(); err != nil {
		f.t.Fatalf("%v: %v", words, err)
	}
}

// work has all agents ask who they are until the returned function is called,
// and checks that they are themselves, or that the store is said not to answer.
func (f *redisFleet) work() (stop func()) {
	var done atomic.Bool
	var wait sync.WaitGroup
	for _, v := range f.agents {
		wait.Go(func() {
			for !done.Load() {
				status, sub, err := v.whoAmI()
				ok := status == http.StatusOK && sub == v.sub
				down := status == http.StatusServiceUnavailable && sub == ""
				if err != nil || !ok && !down {
					f.t.Errorf("%s: got status %d, agent %q and error %v, want themselves or 503", v.login, status, sub, err)
					return
				}
			}
		})
	}
	return func() {
		done.Store(true)
		wait.Wait()
	}
}

// wantPublic checks that the public page is there, and quickly.
func (f *redisFleet) wantPublic(v *visitor) {
	f.t.Helper()
	began := time.Now()
	status, at, body, err := v.open("/")
	if err != nil || status != http.StatusOK || at != "/" || !strings.Contains(body, `action="/login"`) {
		f.t.Errorf("got status %d at %s and error %v, want the public page", status, at, err)
	}
	if got := time.Since(began); got > quick {
		f.t.Errorf("got the public page after %v, want it within %v", got, quick)
	}
}

// wantStoreDown checks the page that says that the store does not answer.
func (f *redisFleet) wantStoreDown(status int, body string, err error) {
	f.t.Helper()
	if err != nil || status != http.StatusServiceUnavailable || !strings.Contains(body, "session_store") {
		f.t.Errorf("got status %d and error %v, want a 503 page that names session_store: %.500s", status, err, body)
	}
}

// wantMortal checks that everything in Redis ends.
func (f *redisFleet) wantMortal() {
	f.t.Helper()
	keys, err := f.redis.Client.Keys(context.Background(), "*").Result()
	if err != nil {
		f.t.Fatal(err)
	}
	for _, key := range keys {
		if ttl, err := f.redis.Client.TTL(context.Background(), key).Result(); err != nil || ttl <= 0 || ttl > 12*time.Hour {
			f.t.Errorf("got a key with %v to live (%v), want the 12 hours of a session at most", ttl, err)
		}
	}
}

func TestRedisRestartsUnderThreeInstances(t *testing.T) {
	t.Parallel()
	f := startRedisFleet(t)

	stop := f.work()
	f.redis.Stop()
	eventually(t, "every instance notices", func() bool {
		for range f.instances {
			if status, _, err := f.agents[0].whoAmI(); err != nil || status != http.StatusServiceUnavailable {
				return false
			}
		}
		return true
	})
	f.wantPublic(f.stranger)
	f.redis.Start()
	eventually(t, "every instance is back", func() bool {
		for range f.instances {
			if status, _, err := f.agents[0].whoAmI(); err != nil || status != http.StatusOK {
				return false
			}
		}
		return true
	})
	stop()
	for _, v := range f.agents {
		v.wantMe(t)
	}

	// Without its data everybody is a stranger, and logs in again.
	f.command("FLUSHALL")
	f.redis.Stop()
	f.redis.Start()
	eventually(t, "every instance is back", func() bool {
		for range f.instances {
			if status, _, err := f.agents[0].whoAmI(); err != nil || status != http.StatusUnauthorized {
				return false
			}
		}
		return true
	})
	for _, v := range f.agents {
		v.wantStranger(t)
	}
	atOnce(f.agents, len(f.agents), func(v *visitor) {
		v.wantLost(t)
		v.wantLogin(t)
		v.wantMe(t)
	})
	f.wantMortal()
	wantQuiet(t, f.instances...)
}

func TestRedisIsSlowUnderThreeInstances(t *testing.T) {
	t.Parallel()
	f := startRedisFleet(t)

	t.Run("answers after a second", func(t *testing.T) {
		f.command("CLIENT", "PAUSE", 1000)
		for _, v := range f.agents[:3] {
			v.wantMe(t)
		}
		f.command("CLIENT", "PAUSE", 1000)
		f.stranger.wantLogin(t)
		f.stranger.wantLogout(t)
	})
	t.Run("answers nothing", func(t *testing.T) {
		f.redis.Freeze()
		defer f.redis.Thaw()
		// More at once than there are connections.
		atOnce(append(f.agents, f.agents...), 2*len(f.agents), func(v *visitor) {
			began := time.Now()
			status, sub, err := v.whoAmI()
			if err != nil || status != http.StatusServiceUnavailable || sub != "" {
				t.Errorf("%s: got status %d, agent %q and error %v, want 503", v.login, status, sub, err)
			}
			if got := time.Since(began); got > quick {
				t.Errorf("got the 503 after %v, want it within %v", got, quick)
			}
		})
		f.wantPublic(f.stranger)
	})
	for _, v := range f.agents {
		v.wantMe(t)
	}
	f.stranger.wantLogin(t)
	f.wantMortal()
	wantQuiet(t, f.instances...)
}

func TestRedisIsReadOnlyUnderThreeInstances(t *testing.T) {
	t.Parallel()
	f := startRedisFleet(t)
	for _, test := range []struct {
		name           string
		readOnly, back []any
	}{
		{"too few replicas", []any{"CONFIG", "SET", "min-replicas-to-write", 1}, []any{"CONFIG", "SET", "min-replicas-to-write", 0}},
		{"a replica of a server that is gone", []any{"REPLICAOF", "127.0.0.1", 1}, []any{"REPLICAOF", "NO", "ONE"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f.t = t
			f.command(test.readOnly...)
			for range f.instances {
				for _, v := range f.agents {
					v.wantMe(t)
				}
			}
			// A login ends on one page, which says what to do, and leaves nothing.
			before := f.provider.Requests("token")
			status, at, body, err := f.stranger.open("/agent")
			f.wantStoreDown(status, body, err)
			if at != "/callback" || !strings.Contains(body, "Recommencez dans quelques minutes") || !strings.Contains(body, `href="/"`) {
				t.Errorf("got a page at %s, want one of the callback that says what to do: %s", at, body)
			}
			if got := f.provider.Requests("token") - before; got != 1 {
				t.Errorf("got %d logins, want 1 and no loop", got)
			}
			f.stranger.wantStranger(t)
			// A new login of somebody who is logged in leaves the session as it was.
			status, _, body, err = f.agents[1].open("/login")
			f.wantStoreDown(status, body, err)
			f.agents[1].wantMe(t)
			// A logout says that it could not be done. The browser forgets, the store does not.
			status, _, body, err = f.agents[0].finish(f.agents[0].Post(f.url+"/logout", "", nil))
			f.wantStoreDown(status, body, err)
			if !strings.Contains(body, "n’a pas pu être effacée") {
				t.Errorf("got a page that does not say that the session could not be deleted: %s", body)
			}
			f.agents[0].wantStranger(t)

			f.command(test.back...)
			for _, v := range f.agents[1:] {
				v.wantMe(t)
			}
			f.agents[0].wantLogin(t)
			f.stranger.wantLogin(t)
			f.stranger.wantLogout(t)
			f.wantMortal()
		})
	}
	wantQuiet(t, f.instances...)
}
