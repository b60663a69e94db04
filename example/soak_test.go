package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/agentconnecttest"
	"github.com/agentconnect-go/agentconnect/example/internal/servers"
)

const (
	soakDuration = 20 * time.Second // unless AGENTCONNECT_SOAK says how long
	soakWarmUp   = 3 * time.Second
	soakAgents   = 40
	soakLifetime = 5 * time.Minute
	soakTimeout  = 2 * time.Second // of calls to the provider
	// soakPerLogin is what an instance may still hold of a login that ended: that it
	// did, for the time in which its callback could come again.
	soakPerLogin = 512
	soakSlack    = 4 << 20
)

// TestSoak has agents log in, work, leave and lose patience for a while, on three
// Authenticators and one Redis, while the provider and the store fail in many
// ways. Nobody may ever be seen as somebody else; every failure is a page; in the
// end goroutines, memory and the store are back where they were.
//
//	AGENTCONNECT_SOAK=5m go test -run '^TestSoak$' -v -timeout 15m .
func TestSoak(t *testing.T) {
	duration := soakDuration
	if value := os.Getenv("AGENTCONNECT_SOAK"); value != "" {
		var err error
		if duration, err = time.ParseDuration(value); err != nil || duration < time.Second {
			t.Fatalf("AGENTCONNECT_SOAK: got %q (%v), want a duration such as 5m", value, err)
		}
	}
	if os.Getenv(soakAlone) == "" {
		soakInAProcessOfItsOwn(t)
		return
	}
	redis := servers.StartRedis(t)
	stores := openRedisStores(t, redis, 3)

	// The first, short one opens the connections and fills the pools that stay.
	warmUp := runSoak(t, redis, stores, soakWarmUp)
	goroutines, heap := settled(t), heapInUse()
	runtime.KeepAlive(warmUp.auths)
	warmUp.auths = nil

	s := runSoak(t, redis, stores, duration)
	gotGoroutines, gotHeap := settled(t), heapInUse()
	runtime.KeepAlive(s.auths)
	// Each scs.SessionManager leaves one behind, which cleans the store in memory
	// that it is made with.
	if limit := goroutines + len(s.auths); gotGoroutines > limit {
		var stacks bytes.Buffer
		_ = pprof.Lookup("goroutine").WriteTo(&stacks, 1)
		t.Errorf("got %d goroutines, want %d at most: there were %d before\n%s", gotGoroutines, limit, goroutines, &stacks)
	}
	if limit := heap + soakSlack + soakPerLogin*uint64(s.count("login")); gotHeap > limit {
		t.Errorf("got %d bytes in use after %d logins, want %d at most: there were %d before", gotHeap, s.count("login"), limit, heap)
	}
	for _, what := range []string{"login", "request", "token", "logout", "departure", "refused", "store down", "disconnected"} {
		if s.count(what) == 0 {
			t.Errorf("got no %s in %v, want some: %v", what, duration, s.counts)
		}
	}
	var figures []string
	for _, what := range slices.Sorted(maps.Keys(s.counts)) {
		figures = append(figures, fmt.Sprintf("%s: %d", what, s.counts[what]))
	}
	t.Logf("%v: %s", duration, strings.Join(figures, ", "))
	t.Logf("goroutines: %d before, %d after; heap in use: %d KiB before, %d KiB after", goroutines, gotGoroutines, heap>>10, gotHeap>>10)
}

// soakAlone is the environment variable of the process in which TestSoak runs.
const soakAlone = "AGENTCONNECT_SOAK_ALONE"

// soakInAProcessOfItsOwn runs TestSoak where no other test holds memory.
func soakInAProcessOfItsOwn(t *testing.T) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestSoak$", "-test.v", "-test.timeout", "1h")
	cmd.Env = append(os.Environ(), soakAlone+"=1")
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), "--- SKIP: TestSoak") {
		servers.StartRedis(t) // skips as well, and says why
	}
	if err != nil || !strings.Contains(string(out), "--- PASS: TestSoak") {
		t.Fatalf("the soak's process: %v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// settled returns how many goroutines there are once those that wait for an answer
// have had it.
func settled(t *testing.T) int {
	t.Helper()
	count, since := runtime.NumGoroutine(), time.Now()
	eventually(t, "the number of goroutines stays the same", func() bool {
		if now := runtime.NumGoroutine(); now != count {
			count, since = now, time.Now()
		}
		return time.Since(since) > soakTimeout+time.Second/2
	})
	return count
}

// heapInUse returns how much is in use once nothing is left to collect.
func heapInUse() uint64 {
	var m runtime.MemStats
	for range 3 { // finalizers and pools take more than one
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// soak is one run.
type soak struct {
	t     *testing.T
	auths []*agentconnect.Authenticator

	c        *cluster
	mode     *atomic.Int32
	failures atomic.Int64 // writes and deletes of the store that failed, or said so
	loud     atomic.Int64 // lines of the log with what must not be there
	done     atomic.Bool
	outgoing *http.Transport // to the provider
	browsers *http.Transport
	hasty    *http.Transport // of browsers that lose patience: what it cuts nobody shares

	mu     sync.Mutex
	counts map[string]int
}

func (s *soak) add(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[what]++
}

func (s *soak) count(what string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[what]
}

// runSoak runs for a while, and returns once everything that only the run needed is
// gone: the provider too, which remembers what happened.
func runSoak(t *testing.T, redis *servers.Redis, stores []scs.Store, duration time.Duration) *soak {
	t.Helper()
	s := &soak{
		mode:     &atomic.Int32{},
		outgoing: &http.Transport{MaxConnsPerHost: 32, MaxIdleConnsPerHost: 32},
		browsers: &http.Transport{MaxIdleConnsPerHost: 256},
		hasty:    &http.Transport{DisableKeepAlives: true},
		counts:   map[string]int{},
	}
	t.Run(duration.String(), func(t *testing.T) {
		s.t = t
		var faulty []scs.Store
		for _, store := range stores {
			faulty = append(faulty, faultyStore{store.(realStore), s.mode, &s.failures})
		}
		s.c = startCluster(t, faulty,
			agentconnect.WithTokens(),
			agentconnect.WithSealedSessions([]byte(strings.Repeat("k", 32))),
			agentconnect.WithSessionLifetime(soakLifetime),
			agentconnect.WithIdleTimeout(soakLifetime),
			agentconnect.WithHTTPClient(&http.Client{Transport: s.outgoing, Timeout: soakTimeout}),
			agentconnect.WithLogger(slog.New(slog.NewTextHandler(quietWriter{&s.loud}, nil))),
		)
		s.auths = s.c.auths
		addAgents(t, s.c.provider, soakAgents)
		// Access tokens that end so soon that each use takes a refresh.
		s.c.provider.Inject(agentconnecttest.Tamper{Endpoint: agentconnecttest.Token, Answer: func(a *agentconnecttest.Answer) {
			a.Body = bytes.Replace(a.Body, []byte(`"expires_in":3600`), []byte(`"expires_in":20`), 1)
		}})

		time.AfterFunc(duration, func() { s.done.Store(true) })
		var wait sync.WaitGroup
		for i := range soakAgents {
			wait.Go(func() {
				for !s.done.Load() && !t.Failed() {
					s.life(i)
				}
			})
		}
		wait.Go(func() { s.trouble(duration) })
		wait.Wait()
		s.mode.Store(storeWorks)

		// The agents who did not log out leave. Records that a failing store kept
		// expire.
		for i := range soakAgents {
			if _, err := s.auths[0].EndSessionsOf(t.Context(), agentSub(i)); err != nil {
				t.Errorf("ending sessions: %v", err)
			}
		}
		// Marks stay: of agents whose sessions were ended, for an hour; of new sessions that
		// a login replaced, for a minute. They are shorter than any session or tokens.
		left := slices.DeleteFunc(redisKeys(t, redis), func(key string) bool {
			const longestMark = 64
			size, err := redis.Client.StrLen(context.Background(), key).Result()
			ttl, ttlErr := redis.Client.PTTL(context.Background(), key).Result()
			return err == nil && size <= longestMark && ttlErr == nil && ttl > 0 && ttl <= time.Hour
		})
		if int64(len(left)) > s.failures.Load() {
			t.Errorf("got %d entries left in the store, want no more than the %d operations that failed", len(left), s.failures.Load())
		}
		for _, key := range left {
			if ttl, err := redis.Client.PTTL(context.Background(), key).Result(); err != nil || ttl < 0 && ttl != -2 || ttl > soakLifetime {
				t.Errorf("got an entry with %v to live (%v), want %v at most", ttl, err, soakLifetime)
			}
		}
		s.counts["left in the store"] = len(left)
		if err := redis.Client.FlushAll(context.Background()).Err(); err != nil {
			t.Fatal(err)
		}
		if got := s.loud.Load(); got > 0 {
			t.Errorf("got %d lines of the log with a name or a secret, want none", got)
		}
		s.browsers.CloseIdleConnections()
	})
	s.outgoing.CloseIdleConnections()
	s.c, s.t = nil, nil
	return s
}

// life is one browser of an agent, from the login to the logout, unless something
// comes in between.
func (s *soak) life(i int) {
	v := newVisitor(s.t, s.browsers, s.c.url, i)
	if !s.visit(v, "login", "/agent", 0) {
		return
	}
	for range rand.IntN(12) {
		if s.done.Load() {
			return
		}
		switch rand.IntN(10) {
		case 0:
			s.visit(v, "token", "/token", 0)
		case 1:
			s.visit(v, "request", "/agent", time.Duration(1+rand.IntN(4000))*time.Microsecond)
		case 2:
			s.visit(v, "login", "/login?return_to=/agent", 0)
		case 3:
			stranger := newVisitor(s.t, s.browsers, s.c.url, i)
			s.visit(stranger, "interrupted login", "/agent", time.Duration(1+rand.IntN(60))*time.Millisecond)
		default:
			s.visit(v, "request", "/agent", 0)
		}
	}
	if rand.IntN(5) == 0 {
		return // closes the browser
	}
	status, at, _, err := v.finish(v.Post(v.url+"/logout", "", nil))
	if err == nil && status == http.StatusOK && at == "/" {
		s.add("logout")
		// No instance knows the session any more.
		if status, sub, err := v.whoAmI(); err == nil && status != http.StatusUnauthorized && status != http.StatusServiceUnavailable {
			s.t.Errorf("%s: got status %d and agent %q after the logout", v.login, status, sub)
		}
		return
	}
	s.judge(v, status, at, "", err)
}

// visit opens a page, until patience ends if it is not 0, and reports whether it
// came.
func (s *soak) visit(v *visitor, what, path string, patience time.Duration) bool {
	ctx := context.Background()
	if patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
		hasty := *v.Client
		hasty.Transport = navigating{s.hasty}
		v = &visitor{Client: &hasty, url: v.url, login: v.login, sub: v.sub}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.url+path, nil)
	if err != nil {
		s.t.Error(err)
		return false
	}
	status, at, body, err := v.finish(v.Do(req))
	if patience > 0 && errors.Is(err, context.DeadlineExceeded) {
		s.add("disconnected")
		return false
	}
	if err == nil && status == http.StatusOK && (at == "/agent" && subIn(body) == v.sub || at == "/token") {
		s.add(what)
		return true
	}
	s.judge(v, status, at, body, err)
	return false
}

// judge counts a failure, which must be one that may happen.
func (s *soak) judge(v *visitor, status int, at, body string, err error) {
	switch sub := subIn(body); {
	case err != nil:
		s.add("provider away") // nothing else breaks a connection
		if strings.Contains(err.Error(), strings.TrimPrefix(v.url, "http://")) {
			s.t.Errorf("%s: got %v from the application", v.login, err)
		}
	case sub != "" && sub != v.sub:
		s.t.Errorf("%s: got the page of %q", v.login, sub)
	case status == http.StatusServiceUnavailable && strings.Contains(body, "session_store"), status == http.StatusServiceUnavailable && at == "/logout":
		s.add("store down")
	case status == http.StatusConflict && at == "/token":
		s.add("no token")
	case status == http.StatusInternalServerError && strings.HasSuffix(at, "/session/end"):
		s.add("provider refused the hint") // its keys had changed; the session here has ended
	case status >= 400 && status != http.StatusInternalServerError:
		s.add("refused")
	default:
		s.t.Errorf("%s: got status %d at %s, want a page that says what to do: %.300s", v.login, status, at, body)
	}
}

// trouble is what goes wrong meanwhile.
func (s *soak) trouble(duration time.Duration) {
	faults := []agentconnecttest.Fault{
		agentconnecttest.Fault("token-error-500"), agentconnecttest.TokenError503, agentconnecttest.Fault("token-html"), agentconnecttest.Fault("token-reset"),
		agentconnecttest.Fault("token-truncated"), agentconnecttest.Fault("token-hang"), agentconnecttest.Fault("userinfo-error-500"), agentconnecttest.UserinfoError503,
		agentconnecttest.Fault("id-token-wrong-nonce"), agentconnecttest.Fault("id-token-missing-exp"), agentconnecttest.CallbackAccessDenied,
		agentconnecttest.Fault("callback-wrong-issuer"), agentconnecttest.CallbackServerError, agentconnecttest.Fault("callback-repeated-state"),
	}
	began := time.Now()
	rotation := duration / 2
	for !s.done.Load() {
		pause := time.Duration(40+rand.IntN(80)) * time.Millisecond
		switch n := rand.IntN(20); {
		case n < 10:
			s.c.provider.Inject(agentconnecttest.Once(faults[rand.IntN(len(faults))]))
		case n < 15:
			s.mode.Store(int32(rand.IntN(storeModes)))
			time.Sleep(pause)
			s.mode.Store(storeWorks)
		case n < 17:
			if ended, err := s.auths[rand.IntN(3)].EndSessionsOf(context.Background(), agentSub(rand.IntN(soakAgents))); err != nil {
				s.t.Errorf("ending sessions: %v", err)
			} else if ended > 0 {
				s.add("departure")
			}
		case n == 17:
			s.c.provider.Restart()
		case n == 18:
			s.c.provider.EndProviderSession(agentSub(rand.IntN(soakAgents)))
		}
		// Seldom: reading the keys anew is paid from a bucket of a few a minute.
		if time.Since(began) > rotation {
			for _, former := range s.c.provider.RotateKeys() {
				s.c.provider.WithdrawKey(former.ID)
			}
			rotation += 75 * time.Second
		}
		time.Sleep(pause)
	}
}

// quietWriter counts the log lines that say who logged in, or a secret. It does not
// hold the test, which holds everything.
type quietWriter struct{ loud *atomic.Int64 }

func (w quietWriter) Write(line []byte) (int, error) {
	for _, text := range []string{secret, "sub-of-", "Numéro-", "@demarches", "eyJ"} {
		if bytes.Contains(line, []byte(text)) {
			w.loud.Add(1)
		}
	}
	return len(line), nil
}

// The ways in which a faultyStore works.
const (
	storeWorks         = iota
	storeFails         // nothing is done
	storeFailsAtTheEnd // it is done, and said not to be
	storeIsReadOnly
	storeHangs
	storeModes
)

var errFaulty = errors.New("the store fails, as the test wants")

// realStore is what goredisstore is.
type realStore interface {
	scs.CtxStore
	scs.IterableCtxStore
}

// faultyStore is a store that fails when it is told to.
type faultyStore struct {
	realStore
	mode     *atomic.Int32
	failures *atomic.Int64
}

// fail does an operation, or not.
func (s faultyStore) fail(ctx context.Context, writes bool, do func() error) error {
	err := errFaulty
	switch mode := s.mode.Load(); {
	case mode == storeWorks, mode == storeIsReadOnly && !writes:
		return do()
	case mode == storeFailsAtTheEnd:
		err = errors.Join(do(), errFaulty)
	case mode == storeHangs:
		<-ctx.Done()
		err = ctx.Err()
	}
	if writes {
		s.failures.Add(1)
	}
	return err
}

func (s faultyStore) FindCtx(ctx context.Context, token string) (record []byte, found bool, err error) {
	err = s.fail(ctx, false, func() error {
		record, found, err = s.realStore.FindCtx(ctx, token)
		return err
	})
	return record, found, err
}

func (s faultyStore) CommitCtx(ctx context.Context, token string, record []byte, expiry time.Time) error {
	return s.fail(ctx, true, func() error { return s.realStore.CommitCtx(ctx, token, record, expiry) })
}

func (s faultyStore) DeleteCtx(ctx context.Context, token string) error {
	return s.fail(ctx, true, func() error { return s.realStore.DeleteCtx(ctx, token) })
}
