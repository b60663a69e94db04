package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/agentconnect-go/agentconnect/example/internal/servers"
)

// stormDuration is how long TestFleetStorm lasts unless AGENTCONNECT_STORM says
// otherwise, and replicaLag how far behind the replica is at most, half of the time.
const (
	stormDuration = 8 * time.Second
	replicaLag    = 30 * time.Millisecond
)

// TestFleetStorm has agents log in, work and log out on three instances behind a proxy,
// while instances are killed and started anew, while the proxy loses the answers of
// callbacks, and while sessions are read from a replica that lags. It counts: nobody
// may be seen as somebody else, no confirmed logout may be undone, no browser may go
// round in a circle, and every failure is one page that says what to do.
//
//	AGENTCONNECT_STORM=5m go test -run '^TestFleetStorm$' -v -timeout 15m .
func TestFleetStorm(t *testing.T) {
	duration := stormDuration
	if value := os.Getenv("AGENTCONNECT_STORM"); value != "" {
		var err error
		if duration, err = time.ParseDuration(value); err != nil || duration < time.Second {
			t.Fatalf("AGENTCONNECT_STORM: got %q (%v), want a duration such as 5m", value, err)
		}
	}
	const agents = 16
	redis := servers.StartRedis(t)
	address, replica := servers.StartReadReplica(t, redis, func() time.Duration { return rand.N(replicaLag) * time.Duration(rand.IntN(2)) })
	s := &storm{
		fleet:    startFleet(t, 3, "SESSION_STORE", "redis://"+address+"/0"),
		t:        t,
		primary:  redis,
		replica:  replica,
		deadline: time.Now().Add(duration),
		counts:   map[string]int{},
	}
	s.loseAnswers(0.15)
	s.addAgents(agents)
	all := visitors(t, s.url, agents)

	var wait sync.WaitGroup
	for _, v := range all {
		wait.Go(func() { s.life(v) })
	}
	var ended []*instance
	for time.Now().Before(s.deadline) {
		time.Sleep(rand.N(time.Second))
		ended = append(ended, s.killOne())
	}
	wait.Wait()

	// After the storm everybody can log in, and what ended stays ended.
	s.loseAnswers(0)
	time.Sleep(2 * replicaLag)
	for _, v := range all {
		s.wantLoginSoon(v)
	}
	for i := range s.instances {
		for _, cookies := range s.loggedOut {
			s.wantEnded(i, cookies)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.counts)) {
		t.Logf("%6d %s", s.counts[name], name)
	}
	for _, name := range []string{"logins", "confirmed logouts", "kills", "lost answers", "lost answers that came again"} {
		if s.counts[name] == 0 {
			t.Errorf("got no %s: the storm tried nothing", name)
		}
	}
	wantQuiet(t, append(ended, s.instances...)...)
}

// A storm is a fleet in trouble, and the counts of what happened to its agents.
type storm struct {
	*fleet
	t        *testing.T
	primary  *servers.Redis
	replica  *servers.Redis
	deadline time.Time

	mu        sync.Mutex
	counts    map[string]int
	loggedOut []map[string]string // the cookies of sessions that ended
}

func (s *storm) count(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[what]++
}

// loseAnswers has the proxy cut that share of the answers to callbacks.
func (s *storm) loseAnswers(share float64) {
	s.fleet.mu.Lock()
	defer s.fleet.mu.Unlock()
	lost := map[string]bool{} // by the callback's query
	var mu sync.Mutex
	s.fleet.lose = func(resp *http.Response) bool {
		if resp.Request.URL.Path != "/callback" {
			return false
		}
		mu.Lock()
		defer mu.Unlock()
		query := resp.Request.URL.RawQuery
		switch {
		case rand.Float64() < share:
			s.count("lost answers")
			lost[query] = true
			return true
		case lost[query] && resp.StatusCode == http.StatusSeeOther:
			s.count("lost answers that came again")
		case lost[query]:
			s.count("lost answers that did not, since the replica lagged or the instance died")
		}
		return false
	}
}

// killOne kills an instance, leaves it dead for a moment, and starts another in its
// place.
func (s *storm) killOne() *instance {
	s.fleet.mu.Lock()
	i := rand.IntN(len(s.instances))
	victim := s.instances[i]
	s.fleet.mu.Unlock()
	victim.signal(syscall.SIGKILL)
	<-victim.ended
	s.count("kills")
	fresh := &instance{child: startProcess(s.t, s.env.with("ADDR", victim.address)), address: victim.address}
	s.fleet.mu.Lock()
	defer s.fleet.mu.Unlock()
	s.instances = slices.Clone(s.instances)
	s.instances[i] = fresh
	return victim
}

// life is what an agent does until the storm ends.
func (s *storm) life(v *visitor) {
	for time.Now().Before(s.deadline) && !s.t.Failed() {
		if !s.open(v) {
			continue
		}
		s.count("logins")
		for range rand.IntN(5) {
			s.work(v)
		}
		if rand.IntN(2) == 0 {
			s.leave(v)
		}
	}
}

// open opens a protected page as a person does, who loads a page again that did not
// come, and reports whether the agent sees it.
func (s *storm) open(v *visitor) bool {
	status, at, body, err := v.open("/agent")
	if failed, ok := errors.AsType[*url.Error](err); ok {
		time.Sleep(2 * replicaLag) // a person is no faster
		status, at, body, err = v.finish(v.Get(failed.URL))
	}
	if err != nil {
		s.count("connections cut")
		return false
	}
	return s.judge(v, status, at, body)
}

// judge counts what a person sees, and reports whether it is their own page.
func (s *storm) judge(v *visitor, status int, at, body string) bool {
	if sub := subIn(body); sub != "" && sub != v.sub {
		s.t.Errorf("%s: got the page of %s", v.login, sub)
		return false
	}
	startAgain := strings.Contains(body, `href="/login`) || strings.Contains(body, `action="/login`)
	switch {
	case status == http.StatusOK && at == "/agent" && subIn(body) == v.sub:
		return true
	case status >= 300 && status < 400:
		s.t.Errorf("%s: got status %d at %s after twenty redirects: a circle", v.login, status, at)
	case status == http.StatusBadGateway && body == "":
		s.count("pages of the proxy: the instance died")
	case status == http.StatusServiceUnavailable && strings.Contains(body, "session_lost"):
		s.count("pages: the session is lost")
	case status >= 400 && strings.Contains(body, "<h1>"):
		if !startAgain && !strings.Contains(body, `href="/agent`) {
			s.t.Errorf("%s: got a page of status %d at %s with no way on: %s", v.login, status, at, body)
		}
		s.count(fmt.Sprintf("pages: status %d at %s", status, at))
	case status == http.StatusOK && at == "/":
		s.count("pages: home")
	default:
		s.t.Errorf("%s: got status %d at %s, want a page that says what to do: %.300s", v.login, status, at, body)
	}
	return false
}

// work sends what a script sends.
func (s *storm) work(v *visitor) {
	status, sub, err := v.whoAmI()
	switch {
	case err != nil || status == http.StatusBadGateway:
		s.count("requests cut")
	case status == http.StatusOK && sub == v.sub:
		s.count("requests")
	case status == http.StatusUnauthorized && sub == "", status == http.StatusServiceUnavailable && sub == "":
		s.count(fmt.Sprint("requests refused with ", status))
	default:
		s.t.Errorf("%s: got status %d and agent %q, want themselves", v.login, status, sub)
	}
}

// leave logs out. Once that is confirmed, the old cookies open nothing as soon as the
// replica has heard of it.
func (s *storm) leave(v *visitor) {
	cookies := v.cookies()
	status, at, body, err := v.finish(v.Post(v.url+"/logout", "", nil))
	if err != nil || status == http.StatusBadGateway {
		s.count("logouts cut")
		return
	}
	if status != http.StatusOK || at != "/" {
		s.judge(v, status, at, body)
		return
	}
	if v.cookies()["agentconnect"] != "" || !strings.Contains(body, "déconnecté") {
		s.count("logouts without a session")
		return
	}
	s.count("confirmed logouts")
	s.caughtUp()
	s.mu.Lock()
	s.loggedOut = append(s.loggedOut, cookies)
	s.mu.Unlock()
	thief := *v
	thief.Client = withCookies(s.t, v, cookies)
	if status, sub, err := thief.whoAmI(); err == nil && (status == http.StatusOK || sub != "") {
		s.t.Errorf("%s: got status %d and agent %q with the cookies of before the logout", v.login, status, sub)
		s.count("logouts undone")
	}
}

// caughtUp waits until the replica has all that the primary has now.
func (s *storm) caughtUp() {
	offset := func(redis *servers.Redis, name string) int {
		info, err := redis.Client.InfoMap(context.Background(), "replication").Result()
		if err != nil {
			s.t.Errorf("asking Redis about its replication: %v", err)
			return 0
		}
		n, _ := strconv.Atoi(info["Replication"][name])
		return n
	}
	want := offset(s.primary, "master_repl_offset")
	for deadline := time.Now().Add(patience); offset(s.replica, "slave_repl_offset") < want; time.Sleep(replicaLag / 10) {
		if time.Now().After(deadline) {
			s.t.Error("the replica does not catch up")
			return
		}
	}
}

// withCookies returns the browser of somebody who copied cookies.
func withCookies(tb testing.TB, v *visitor, cookies map[string]string) *http.Client {
	thief := newVisitor(tb, v.Transport.(navigating).next, v.url, 0)
	thief.setCookies(cookies)
	return thief.Client
}

// wantEnded checks that an instance does not accept cookies of an ended session.
func (s *storm) wantEnded(i int, cookies map[string]string) {
	s.t.Helper()
	s.turnTo(i)
	thief := newVisitor(s.t, s.transport, s.url, 0)
	thief.setCookies(cookies)
	if status, sub, err := thief.whoAmI(); err != nil || status != http.StatusUnauthorized {
		s.t.Errorf("got status %d, agent %q and error %v with the cookies of a session that ended, want 401", status, sub, err)
	}
}

// wantLoginSoon checks that an agent gets to the page in a few attempts, as a lagging
// replica has it.
func (s *storm) wantLoginSoon(v *visitor) {
	s.t.Helper()
	for range 8 {
		if s.open(v) {
			return
		}
		time.Sleep(2 * replicaLag)
	}
	s.t.Errorf("%s: got no login in eight attempts after the storm", v.login)
}
