package main

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/agentconnect-go/agentconnect/example/internal/servers"
)

// The tests of this file give an application a store that comes back with old data,
// and say what each setting of Redis guarantees: docs/sessions.md has the table.

// logouts is how many logouts each of them tries to undo.
const logouts = 5

// loggedOut logs agents in, calls between, logs them out, and returns their browsers
// with the cookies that they had before.
func loggedOut(t *testing.T, c *cluster, between func()) []*visitor {
	t.Helper()
	var thieves []*visitor
	for i := range logouts {
		v := c.login(i)
		thief := visitorsOf(t, c.url, i)[0]
		thief.setCookies(v.cookies())
		thieves = append(thieves, thief)
	}
	between()
	for i, thief := range thieves {
		v := visitorsOf(t, c.url, i)[0]
		v.setCookies(thief.cookies())
		v.wantLogout(t)
		thief.wantStranger(t)
	}
	return thieves
}

// TestLogoutsAfterACrashOfRedis kills Redis after logouts.
func TestLogoutsAfterACrashOfRedis(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		settings []string
		warning  string // of Durability
		undone   bool
		lost     bool // the other sessions
	}{
		{"append-only file, each write on the disk", nil, "", false, false},
		{"append-only file, once a second", []string{"--appendfsync", "everysec"}, "appendfsync everysec", false, false},
		{"snapshots only", []string{"--appendonly", "no", "--save", "3600 1"}, "snapshots only", true, false},
		{"nothing", []string{"--appendonly", "no"}, "", false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			redis := servers.StartRedis(t, test.settings...)
			c := startCluster(t, openRedisStores(t, redis, 2))
			addAgents(t, c.provider, logouts+1)
			wantDurability(t, redis.URL, test.warning)
			staying := c.login(logouts)
			thieves := loggedOut(t, c, func() {
				if strings.Contains(test.warning, "snapshots") {
					if err := redis.Client.Save(context.Background()).Err(); err != nil {
						t.Fatal(err)
					}
				}
			})
			redis.Kill()
			redis.Start()
			eventually(t, "the application reaches Redis again", func() bool {
				status, _, err := staying.whoAmI()
				return err == nil && status != http.StatusServiceUnavailable
			})
			for _, thief := range thieves {
				if test.undone {
					thief.wantMe(t) // a fact, which the documentation tells
				} else {
					thief.wantStranger(t)
				}
			}
			if test.lost {
				staying.wantStranger(t)
			} else {
				staying.wantMe(t)
			}
		})
	}
}

// TestLogoutsAfterAFailoverOfRedis makes a replica the primary that has not received
// the logouts. With min-replicas-to-write Redis refuses a logout that no replica would
// receive, and the agent is told.
func TestLogoutsAfterAFailoverOfRedis(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		settings []string
		warning  string
	}{
		{"asynchronous", nil, "min-replicas-to-write is 0"},
		{"a replica must be near", []string{"--min-replicas-to-write", "1", "--min-replicas-max-lag", "1", "--repl-ping-replica-period", "1"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			primary, replica := servers.StartRedis(t, test.settings...), servers.StartRedis(t)
			_, port, _ := strings.Cut(primary.Client.Options().Addr, ":")
			if err := replica.Client.ReplicaOf(context.Background(), "127.0.0.1", port).Err(); err != nil {
				t.Fatal(err)
			}
			synchronous := func() {
				t.Helper()
				eventually(t, "the replica has everything", func() bool {
					size, err := replica.Client.DBSize(context.Background()).Result()
					want, err2 := primary.Client.DBSize(context.Background()).Result()
					info, err3 := primary.Client.InfoMap(context.Background(), "replication").Result()
					own, err4 := replica.Client.InfoMap(context.Background(), "replication").Result()
					return err == nil && err2 == nil && err3 == nil && err4 == nil && size == want && own["Replication"]["master_link_status"] == "up" &&
						(len(test.settings) == 0 || info["Replication"]["min_slaves_good_slaves"] == "1")
				})
			}
			synchronous()
			wantDurability(t, primary.URL, test.warning)
			c := startCluster(t, openRedisStores(t, primary, 1))
			addAgents(t, c.provider, logouts)
			var all []*visitor
			for i := range logouts {
				all = append(all, c.login(i))
			}
			cookies := make([]map[string]string, len(all))
			for i, v := range all {
				cookies[i] = v.cookies()
			}
			synchronous()
			// The logouts must not reach the replica: it is cut off before them.
			if err := replica.Client.ReplicaOf(context.Background(), "NO", "ONE").Err(); err != nil {
				t.Fatal(err)
			}
			if len(test.settings) > 0 {
				eventually(t, "the primary misses its replica", func() bool {
					info, err := primary.Client.InfoMap(context.Background(), "replication").Result()
					return err == nil && info["Replication"]["min_slaves_good_slaves"] == "0"
				})
			}
			for _, v := range all {
				status, at, _, err := v.finish(v.Post(v.url+"/logout", "", nil))
				confirmed := err == nil && status == http.StatusOK && at == "/"
				if confirmed != (test.warning != "") {
					t.Errorf("%s: got status %d at %s and error %v, want the logout confirmed: %t", v.login, status, at, err, test.warning != "")
				}
			}
			primary.Kill()
			c.deploy(0, openRedisStores(t, replica, 1)[0])
			for i := range all {
				thief := visitorsOf(t, c.url, i)[0]
				thief.setCookies(cookies[i])
				thief.wantMe(t) // a fact: that session was not ended where it is now looked for
			}
		})
	}
}

// wantDurability checks what a store says of its settings: nothing, or a warning.
func wantDurability(t *testing.T, address, warning string) {
	t.Helper()
	durable, ok := openStores(t, address, 1)[0].(interface {
		Durability(context.Context) ([]string, error)
	})
	if !ok {
		t.Fatal("got a store that does not say what it guarantees")
	}
	got, err := durable.Durability(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if warning == "" && len(got) > 0 || warning != "" && (len(got) != 1 || !strings.Contains(got[0], warning)) {
		t.Errorf("got the warnings %q, want %q", got, warning)
	}
}

// TestLogoutsAfterACrashOfPostgres kills PostgreSQL after logouts. With its defaults
// they stand.
func TestLogoutsAfterACrashOfPostgres(t *testing.T) {
	t.Parallel()
	postgres := servers.StartPostgres(t)
	c := startCluster(t, openStores(t, postgres.URL, 2))
	addAgents(t, c.provider, logouts+1)
	staying := c.login(logouts)
	thieves := loggedOut(t, c, func() {})
	postgres.Kill()
	postgres.Start()
	eventually(t, "the application reaches PostgreSQL again", func() bool {
		status, _, err := staying.whoAmI()
		return err == nil && status != http.StatusServiceUnavailable
	})
	for _, thief := range thieves {
		thief.wantStranger(t)
	}
	staying.wantMe(t)
}

// TestRedisKeepsNothingForEver commits what expires now, as a session does whose
// lifetime ends during its login.
func TestRedisKeepsNothingForEver(t *testing.T) {
	t.Parallel()
	redis := servers.StartRedis(t)
	store := openRedisStores(t, redis, 1)[0].(scs.CtxStore)
	for i, life := range []time.Duration{-time.Hour, 0, time.Microsecond, 2 * time.Millisecond, time.Hour} {
		token := strconv.Itoa(i)
		if err := store.CommitCtx(context.Background(), token, []byte("data"), time.Now().Add(life)); err != nil {
			t.Fatal(err)
		}
		ttl, err := redis.Client.PTTL(context.Background(), redisPrefix+token).Result()
		if err != nil {
			t.Fatal(err)
		}
		if ttl == -1 { // go-redis has it for a key without an expiry
			t.Errorf("a record of %v is kept for ever", life)
		}
	}
}
