package main

import (
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/jackc/pgx/v5"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/agentconnecttest"
	"github.com/agentconnect-go/agentconnect/example/internal/servers"
	"github.com/agentconnect-go/agentconnect/pgxstore"
)

// cluster is several Authenticators of this process on one real store, for the
// options that the program does not have. Requests go to the next one, to the one
// that the header X-Instance names, or to that of pin.
type cluster struct {
	t        testing.TB
	url      string
	provider *agentconnecttest.Server
	logs     *syncBuffer
	next     atomic.Int64

	mu       sync.Mutex
	auths    []*agentconnect.Authenticator
	handlers []http.Handler
	pinned   map[string]int // instances by path
}

// startCluster starts as many Authenticators as there are stores.
func startCluster(t testing.TB, stores []scs.Store, opts ...agentconnect.Option) *cluster {
	t.Helper()
	c := &cluster{t: t, logs: &syncBuffer{}}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	c.url = strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	c.provider = agentconnecttest.NewServer(t, agentconnecttest.WithClient(c.registration(secret)))
	c.auths, c.handlers = make([]*agentconnect.Authenticator, len(stores)), make([]http.Handler, len(stores))
	for i, store := range stores {
		c.deploy(i, store, opts...)
	}
	return c
}

func (c *cluster) registration(clientSecret string) agentconnecttest.Client {
	return agentconnecttest.Client{
		ID: "fs", Secret: clientSecret, RedirectURIs: []string{c.url + "/callback"}, PostLogoutRedirectURIs: []string{c.url + "/logout/callback"},
	}
}

// deploy makes an instance anew, with options of its own.
func (c *cluster) deploy(instance int, store scs.Store, opts ...agentconnect.Option) {
	c.t.Helper()
	auth, err := agentconnect.New(append([]agentconnect.Option{
		agentconnect.WithIssuer(c.provider.Issuer),
		agentconnect.WithClient("fs", secret),
		agentconnect.WithRedirectURL(c.url + "/callback"),
		agentconnect.WithPostLogoutRedirectURL(c.url + "/logout/callback"),
		agentconnect.WithSessionStore(store),
		agentconnect.WithLogger(slog.New(slog.NewTextHandler(c.logs, nil))),
	}, opts...)...)
	if err != nil {
		c.t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", auth.Handler())
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "home") })
	mux.Handle("/agent", auth.RequireAgent(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		agent, _ := agentconnect.AgentFrom(r.Context())
		io.WriteString(w, agent.Sub)
	})))
	mux.Handle("/token", auth.RequireAgent(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := auth.TokenSource(r.Context()).Token(); err != nil {
			http.Error(w, "no token", http.StatusConflict)
		}
	})))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.auths[instance], c.handlers[instance] = auth, mux
}

// pin has requests for some paths go to one instance each.
func (c *cluster) pin(instances map[string]int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pinned = instances
}

func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	i, pinned := c.pinned[r.URL.Path]
	if !pinned {
		i = int(c.next.Add(1)) % len(c.handlers)
	}
	if name := r.Header.Get("X-Instance"); name != "" {
		i, _ = strconv.Atoi(name) // the tests' own
	}
	handler := c.handlers[i]
	c.mu.Unlock()
	handler.ServeHTTP(w, r)
}

// login logs a new browser in.
func (c *cluster) login(i int) *visitor {
	c.t.Helper()
	v := visitorsOf(c.t, c.url, i)[0]
	v.wantLogin(c.t)
	return v
}

// visitorsOf returns a browser of each agent.
func visitorsOf(tb testing.TB, application string, agents ...int) []*visitor {
	tb.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 256}
	tb.Cleanup(transport.CloseIdleConnections)
	var all []*visitor
	for _, i := range agents {
		all = append(all, newVisitor(tb, transport, application, i))
	}
	return all
}

// cookies returns the browser's cookies of the application by name.
func (v *visitor) cookies() map[string]string {
	u, err := url.Parse(v.url)
	if err != nil {
		return nil
	}
	cookies := map[string]string{}
	for _, c := range v.Jar.Cookies(u) {
		cookies[c.Name] = c.Value
	}
	return cookies
}

// setCookies gives the browser cookies of the application.
func (v *visitor) setCookies(cookies map[string]string) {
	u, err := url.Parse(v.url)
	if err != nil {
		return
	}
	for name, value := range cookies {
		v.Jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: "/"}})
	}
}

// minuteLater makes the browser what it is a minute after a login: it has forgotten
// that its session is new.
func (v *visitor) minuteLater() {
	u, err := url.Parse(v.url)
	if err != nil {
		return
	}
	v.Jar.SetCookies(u, []*http.Cookie{{Name: "agentconnect-fresh", Path: "/", MaxAge: -1}})
}

// client returns a client without cookies of its own, for ask.
func (c *cluster) client() *http.Client {
	c.t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 256}
	c.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

// ask sends a script's request with some cookies to an instance, and returns the
// answer's status, body and cookies.
func (c *cluster) ask(client *http.Client, instance int, cookies map[string]string) (status int, sub string, set []*http.Cookie, err error) {
	req, err := http.NewRequest(http.MethodGet, c.url+"/agent", nil)
	if err != nil {
		return 0, "", nil, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Sec-Fetch-Mode", "cors")
	req.Header.Set("X-Instance", strconv.Itoa(instance))
	for name, value := range cookies {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, subIn(string(body)), resp.Cookies(), err
}

// openRedisStores returns stores on one Redis, each with connections of its own.
func openRedisStores(t testing.TB, redis *servers.Redis, count int) []scs.Store {
	t.Helper()
	return openStores(t, redis.URL, count)
}

func openStores(t testing.TB, address string, count int) (stores []scs.Store) {
	t.Helper()
	for range count {
		store, closeStore, err := openStore(address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(closeStore)
		stores = append(stores, store)
	}
	return stores
}

// keys returns the keys that Redis holds.
func redisKeys(t *testing.T, redis *servers.Redis) []string {
	t.Helper()
	keys, err := redis.Client.Keys(context.Background(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// age makes the sessions in Redis older: the bytes 1 to 8 of a record are when it was
// made. A browser that has not kept the time of its last request was then last
// seen at that moment.
func age(t *testing.T, redis *servers.Redis, by time.Duration) {
	t.Helper()
	for _, key := range redisKeys(t, redis) {
		record, err := redis.Client.Get(context.Background(), key).Bytes()
		if err != nil || len(record) < 9 {
			t.Fatalf("got the record %q and error %v", record, err)
		}
		created := time.Unix(int64(binary.BigEndian.Uint64(record[1:])), 0)
		if off := time.Since(created); off < -time.Minute || off > time.Hour {
			t.Fatalf("got a record of %v, want one of now", created)
		}
		older := binary.BigEndian.AppendUint64(nil, uint64(created.Add(-by).Unix()))
		if err := redis.Client.SetRange(context.Background(), key, 1, string(older)).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// wantCommands checks which commands Redis got since before.
func wantCommands(t *testing.T, redis *servers.Redis, before, want map[string]int) {
	t.Helper()
	for name, calls := range redis.Commands() {
		if got := calls - before[name]; got != want[name] {
			t.Errorf("got %d calls of %s, want %d", got, name, want[name])
		}
	}
}

// TestIdleTimeoutOnRedis checks that a request is one GET and no write, also when it
// renews the time of the last request, and that an idle session ends everywhere.
func TestIdleTimeoutOnRedis(t *testing.T) {
	t.Parallel()
	redis := servers.StartRedis(t)
	c := startCluster(t, openRedisStores(t, redis, 3), agentconnect.WithIdleTimeout(5*time.Minute))
	addAgents(t, c.provider, 1)
	v := c.login(0)
	session := map[string]string{"agentconnect": v.cookies()["agentconnect"]}
	client := c.client()
	const requests = 60

	for _, test := range []struct {
		name    string
		age     time.Duration
		renewed bool
	}{
		{"just logged in", 0, false},
		{"last seen two minutes ago", 2 * time.Minute, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			age(t, redis, test.age)
			before := redis.Commands()
			for i := range requests {
				status, sub, set, err := c.ask(client, i%3, session)
				if err != nil || status != http.StatusOK || sub != v.sub {
					t.Fatalf("got status %d, agent %q and error %v, want 200 and %q", status, sub, err, v.sub)
				}
				if renewed := len(set) == 1 && set[0].Name == "agentconnect-seen"; renewed != test.renewed || len(set) > 1 {
					t.Fatalf("got the cookies %v, want the time of the last request renewed: %t", set, test.renewed)
				}
			}
			wantCommands(t, redis, before, map[string]int{"get": requests})
		})
	}
	t.Run("idle for too long", func(t *testing.T) {
		_, _, set, err := c.ask(client, 0, session)
		if err != nil || len(set) != 1 {
			t.Fatalf("got the cookies %v and error %v, want the time of the last request", set, err)
		}
		age(t, redis, 4*time.Minute) // six, in all
		// Without the proof of a request in time a request is refused. The session goes
		// on with it.
		for i := range 3 {
			if status, _, _, err := c.ask(client, i, session); err != nil || status != http.StatusUnauthorized {
				t.Errorf("got status %d and error %v, want 401 after six minutes", status, err)
			}
		}
		kept := map[string]string{"agentconnect": session["agentconnect"], "agentconnect-seen": set[0].Value}
		if status, _, _, err := c.ask(client, 1, kept); err != nil || status != http.StatusOK {
			t.Errorf("got status %d and error %v, want 200 with the proof of a request just now", status, err)
		}
	})
}

// TestLogoutRacesRequestsOnRedis logs out on one instance while requests that renew
// the time of the last request are in flight on all of them. From the moment at
// which the logout is answered every instance refuses the old cookies, and no
// request brings the session back.
func TestLogoutRacesRequestsOnRedis(t *testing.T) {
	t.Parallel()
	const tabs = 50
	redis := servers.StartRedis(t)
	c := startCluster(t, openRedisStores(t, redis, 3), agentconnect.WithIdleTimeout(time.Hour))
	addAgents(t, c.provider, 1)
	client := c.client()
	for round := range 6 {
		v := c.login(0)
		age(t, redis, 2*time.Minute)
		session := map[string]string{"agentconnect": v.cookies()["agentconnect"]}
		before := redis.Commands()

		var loggedOut atomic.Bool
		var accepted, renewed, asked atomic.Int64
		var wait sync.WaitGroup
		var mu sync.Mutex
		seen := map[string]bool{}
		for tab := range tabs {
			wait.Go(func() {
				for after := 0; after < 2; {
					late := loggedOut.Load()
					status, sub, set, err := c.ask(client, tab%3, session)
					asked.Add(1)
					switch {
					case err != nil:
						t.Error(err)
						return
					case status == http.StatusOK && sub == v.sub && !late:
						accepted.Add(1)
					case status == http.StatusUnauthorized:
					default:
						t.Errorf("got status %d and agent %q, logged out before: %t", status, sub, late)
						return
					}
					for _, cookie := range set {
						if cookie.Name == "agentconnect-seen" && cookie.MaxAge > 0 {
							renewed.Add(1)
							mu.Lock()
							seen[cookie.Value] = true
							mu.Unlock()
						}
					}
					if late {
						after++
					}
				}
			})
		}
		eventually(t, "requests in flight", func() bool { return accepted.Load() > tabs || t.Failed() })
		req, err := http.NewRequest(http.MethodPost, c.url+"/logout", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Instance", strconv.Itoa(round%3))
		req.AddCookie(&http.Cookie{Name: "agentconnect", Value: session["agentconnect"]})
		resp, err := client.Transport.RoundTrip(req)
		if err != nil || resp.StatusCode != http.StatusSeeOther {
			t.Fatalf("logging out: got %v and error %v, want 303", resp, err)
		}
		resp.Body.Close()
		loggedOut.Store(true)
		wait.Wait()

		if keys := redisKeys(t, redis); len(keys) != 0 {
			t.Errorf("got the keys %q after the logout, want none", keys)
		}
		if renewed.Load() < tabs {
			t.Errorf("got %d requests that renewed the time of the last one, want those of %d tabs at least", renewed.Load(), tabs)
		}
		// Of the requests one GET each; of the logout one GET and one DEL.
		wantCommands(t, redis, before, map[string]int{"get": int(asked.Load()) + 1, "del": 1, "keys": 1})
		for value := range seen {
			for i := range 3 {
				cookies := map[string]string{"agentconnect": session["agentconnect"], "agentconnect-seen": value}
				if status, sub, _, err := c.ask(client, i, cookies); err != nil || status != http.StatusUnauthorized {
					t.Errorf("got status %d, agent %q and error %v after the logout, want 401", status, sub, err)
				}
			}
		}
	}
}

// realServer is a running store that can list its sessions.
type realServer struct {
	address string
	entries func() []string // what it holds, each with its key
	clear   func()
}

// realServers start each of them.
func realServers() map[string]func(t *testing.T) realServer {
	return map[string]func(t *testing.T) realServer{"Redis": redisServer, "Postgres": postgresServer}
}

func redisServer(t *testing.T) realServer {
	redis := servers.StartRedis(t)
	return realServer{
		address: redis.URL,
		entries: func() (entries []string) {
			for _, key := range redisKeys(t, redis) {
				value, err := redis.Client.Get(context.Background(), key).Result()
				if err != nil {
					t.Fatal(err)
				}
				entries = append(entries, key+"\n"+value)
			}
			return entries
		},
		clear: func() {
			if err := redis.Client.FlushAll(context.Background()).Err(); err != nil {
				t.Fatal(err)
			}
		},
	}
}

func postgresServer(t *testing.T) realServer {
	postgres := servers.StartPostgres(t)
	conn, err := postgres.Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	if err := pgxstore.CreateTable(context.Background(), conn, postgresTable); err != nil {
		t.Fatal(err)
	}
	return realServer{
		address: postgres.URL,
		entries: func() []string {
			rows, err := conn.Query(context.Background(), "SELECT token, data FROM sessions")
			if err != nil {
				t.Fatal(err)
			}
			entries, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) {
				var key string
				var data []byte
				err := row.Scan(&key, &data)
				return key + "\n" + string(data), err
			})
			if err != nil {
				t.Fatal(err)
			}
			return entries
		},
		clear: func() {
			if _, err := conn.Exec(context.Background(), "DELETE FROM sessions"); err != nil {
				t.Fatal(err)
			}
		},
	}
}

// onRealServers runs a test on each, with sessions that are sealed and that are not,
// whose tokens are kept.
func onRealServers(t *testing.T, test func(t *testing.T, server realServer, sealed bool, opts ...agentconnect.Option)) {
	t.Helper()
	for name, start := range realServers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t)
			t.Run("plain", func(t *testing.T) { test(t, server, false, agentconnect.WithTokens()) })
			server.clear()
			t.Run("sealed", func(t *testing.T) {
				test(t, server, true, agentconnect.WithTokens(), agentconnect.WithSealedSessions([]byte(strings.Repeat("k", 32))))
			})
		})
	}
}

// TestADepartureTakesEffectAtOnce ends all the sessions of an agent on one of three
// instances, while the agent works on all of them.
func TestADepartureTakesEffectAtOnce(t *testing.T) {
	t.Parallel()
	onRealServers(t, func(t *testing.T, server realServer, _ bool, opts ...agentconnect.Option) {
		c := startCluster(t, openStores(t, server.address, 3), opts...)
		addAgents(t, c.provider, 12)
		// Agent 1 on three browsers; the sub of agents 10 and 11 begins like theirs.
		leaving := []*visitor{c.login(1), c.login(1), c.login(1)}
		staying := []*visitor{c.login(10), c.login(11)}

		var ended atomic.Bool
		var asked atomic.Int64
		var wait sync.WaitGroup
		for _, v := range leaving {
			wait.Go(func() {
				for after := 0; after < 3; {
					late := ended.Load()
					status, sub, err := v.whoAmI()
					asked.Add(1)
					if err != nil || !(status == http.StatusOK && sub == v.sub && !late || status == http.StatusUnauthorized && sub == "") {
						t.Errorf("got status %d, agent %q and error %v, departed before: %t", status, sub, err, late)
						return
					}
					if late {
						after++
					}
				}
			})
		}
		eventually(t, "requests in flight", func() bool { return asked.Load() > 6 || t.Failed() })
		if n, err := c.auths[0].EndSessionsOf(t.Context(), agentSub(1)); n != 3 || err != nil {
			t.Errorf("got %d sessions ended (%v), want 3", n, err)
		}
		ended.Store(true)
		wait.Wait()
		for _, v := range staying {
			for range 3 {
				v.wantMe(t)
			}
		}
		if got := len(server.entries()); got != 2*len(staying)+1 {
			t.Errorf("got %d entries, want a session and its tokens of each who stays, and that an agent left", got)
		}
		if n, err := c.auths[1].EndSessionsOf(t.Context(), agentSub(1)); n != 0 || err != nil {
			t.Errorf("got %d sessions ended (%v), want none any more", n, err)
		}
	})
}

// TestAtRest looks for what must not be in a stolen database.
func TestAtRest(t *testing.T) {
	t.Parallel()
	onRealServers(t, func(t *testing.T, server realServer, sealed bool, opts ...agentconnect.Option) {
		c := startCluster(t, openStores(t, server.address, 1), opts...)
		addAgents(t, c.provider, 4)
		var cookies []string
		for i := range 4 {
			for _, value := range c.login(i).cookies() {
				cookies = append(cookies, value)
			}
		}
		if got := len(server.entries()); got != 8 || len(cookies) != 8 {
			t.Fatalf("got %d entries and %d cookies, want 8 each: a session and its tokens, and the cookie of a session and of a new one", got, len(cookies))
		}
		database := strings.Join(server.entries(), "\n")
		for _, cookie := range cookies {
			if strings.Contains(database, cookie) {
				t.Error("got a session cookie in the database")
			}
		}
		found := 0
		for _, text := range append(c.provider.Secrets(), c.provider.PersonalData()...) {
			if len(text) > 3 && strings.Contains(database, text) {
				found++
			}
		}
		for _, text := range []string{"eyJ", "refresh_token", "Numéro-1-", agentSub(1), agentLogin(1) + "@"} {
			if strings.Contains(database, text) {
				found++
			}
		}
		// What is not sealed is there, or this test would look for nothing.
		if sealed && found > 0 {
			t.Errorf("got %d tokens, names or other claims in the database, want none", found)
		}
		if want := 5 + 4*3; !sealed && found < want {
			t.Errorf("got %d tokens, names and other claims in the database, want %d at least", found, want)
		}
	})
}

// TestUnreadableRecordsInRedis spoils the record of a live session: its agent logs in
// anew, and the new session takes its place.
func TestUnreadableRecordsInRedis(t *testing.T) {
	t.Parallel()
	redis := servers.StartRedis(t)
	c := startCluster(t, openRedisStores(t, redis, 2))
	addAgents(t, c.provider, 2)
	neighbour := c.login(1)
	for _, test := range []struct {
		name  string
		spoil func(record []byte) []byte
	}{
		{"the next version", func(r []byte) []byte { r[0]++; return r }},
		{"version 0", func(r []byte) []byte { r[0] = 0; return r }},
		{"version 255", func(r []byte) []byte { r[0] = 255; return r }},
		{"only the version", func(r []byte) []byte { return r[:1] }},
		{"cut", func(r []byte) []byte { return r[:60] }},
		{"empty", func([]byte) []byte { return nil }},
		{"somebody else's JSON", func([]byte) []byte { return []byte(`{"sub":"sub-of-1-"}`) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			kept := redisKeys(t, redis)
			v := c.login(0)
			for _, key := range redisKeys(t, redis) {
				if key == kept[0] {
					continue
				}
				record, err := redis.Client.Get(context.Background(), key).Bytes()
				if err != nil {
					t.Fatal(err)
				}
				if err := redis.Client.Set(context.Background(), key, test.spoil(record), time.Hour).Err(); err != nil {
					t.Fatal(err)
				}
			}
			v.minuteLater()
			v.wantStranger(t)
			v.wantLogin(t)
			v.wantMe(t)
			if got := len(redisKeys(t, redis)); got != 2 {
				t.Errorf("got %d records, want the new one and the neighbour's", got)
			}
			v.wantLogout(t)
			neighbour.wantMe(t)
		})
	}
	if strings.Contains(c.logs.String(), "ERROR") {
		t.Errorf("got errors in the log: %s", c.logs)
	}
}
