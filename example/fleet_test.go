package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/agentconnect-go/agentconnect/agentconnecttest"
	"github.com/agentconnect-go/agentconnect/example/internal/servers"
)

// fleet is several instances of the program, each a process, behind a proxy that
// gives each request to the next.
type fleet struct {
	tb        testing.TB
	url       string // the proxy's
	provider  *agentconnecttest.Server
	env       environment
	transport *http.Transport // from the proxy to the instances

	mu        sync.Mutex
	instances []*instance
	next      int
	served    []string                  // "INSTANCE PATH" of each request since turnTo
	cut       int                       // requests that got no answer from their instance
	lose      func(*http.Response) bool // whether the answer never reaches the browser; nil: none is lost
}

// errLost has the proxy cut the connection to the browser.
var errLost = errors.New("the answer is lost")

// instance is one process of a fleet.
type instance struct {
	*child
	address   string
	callbacks int // under way
}

func startFleet(tb testing.TB, size int, pairs ...string) *fleet {
	tb.Helper()
	f := &fleet{tb: tb, transport: &http.Transport{MaxIdleConnsPerHost: 256}}
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:       func(*httputil.ProxyRequest) {}, // RoundTrip chooses the instance
		Transport:     f,
		FlushInterval: -1,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			if err == errLost {
				panic(http.ErrAbortHandler)
			}
			f.mu.Lock()
			f.cut++
			f.mu.Unlock()
			w.WriteHeader(http.StatusBadGateway)
		},
		ErrorLog: log.New(io.Discard, "", 0),
	})
	tb.Cleanup(func() {
		proxy.Close()
		f.transport.CloseIdleConnections()
	})
	// Another host than the provider's: see the demonstration.
	f.url = strings.Replace(proxy.URL, "127.0.0.1", "localhost", 1)
	f.provider = agentconnecttest.NewServer(tb, agentconnecttest.WithClient(agentconnecttest.Client{
		ID: "fs", Secret: secret, RedirectURIs: []string{f.url + "/callback"}, PostLogoutRedirectURIs: []string{f.url + "/logout/callback"},
	}))
	f.env = settings(f.provider.Issuer).with(
		"AGENTCONNECT_REDIRECT_URL", f.url+"/callback",
		"AGENTCONNECT_POST_LOGOUT_REDIRECT_URL", f.url+"/logout/callback",
	).with(pairs...)
	for range size {
		address := freeAddress(tb)
		f.instances = append(f.instances, &instance{child: startProcess(tb, f.env.with("ADDR", address)), address: address})
	}
	return f
}

// take chooses the next instance for a request.
func (f *fleet) take(path string) *instance {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := f.next % len(f.instances)
	f.next++
	f.served = append(f.served, fmt.Sprint(i, " ", path))
	chosen := f.instances[i]
	if path == "/callback" {
		chosen.callbacks++
	}
	return chosen
}

// RoundTrip gives a request to the next instance that accepts connections, as
// reverse proxies do.
func (f *fleet) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	tries := len(f.instances)
	f.mu.Unlock()
	var err error
	for range tries {
		chosen := f.take(r.URL.Path)
		r.URL.Scheme, r.URL.Host = "http", chosen.address
		var resp *http.Response
		resp, err = f.transport.RoundTrip(r)
		f.mu.Lock()
		if r.URL.Path == "/callback" {
			chosen.callbacks--
		}
		lose := f.lose
		f.mu.Unlock()
		if err == nil && lose != nil && lose(resp) {
			resp.Body.Close()
			return nil, errLost
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return resp, err
		}
	}
	return nil, err
}

// turnTo makes an instance the next.
func (f *fleet) turnTo(i int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next, f.served = i, nil
}

// wantServed checks which instances served what since turnTo.
func (f *fleet) wantServed(want ...string) {
	f.tb.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if got := strings.Join(f.served, ", "); got != strings.Join(want, ", ") {
		f.tb.Errorf("got the requests %s, want %s", got, strings.Join(want, ", "))
	}
}

// wantAnswers checks that no instance left a request without an answer.
func (f *fleet) wantAnswers() {
	f.tb.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cut > 0 {
		f.tb.Errorf("got %d requests without an answer, want none", f.cut)
	}
}

// remove takes an instance out of the rotation.
func (f *fleet) remove(i int) *instance {
	f.mu.Lock()
	defer f.mu.Unlock()
	removed := f.instances[i]
	f.instances = slices.Delete(slices.Clone(f.instances), i, i+1)
	return removed
}

// add puts an instance that runs at an address into the rotation.
func (f *fleet) add(c *child, address string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.instances = append(slices.Clone(f.instances), &instance{child: c, address: address})
	f.transport.CloseIdleConnections() // those to what listened there before are dead
}

// addAgents registers agents with the provider: agentLogin(i) has agentSub(i).
func (f *fleet) addAgents(count int) {
	f.tb.Helper()
	addAgents(f.tb, f.provider, count)
}

func addAgents(tb testing.TB, provider *agentconnecttest.Server, count int) {
	tb.Helper()
	for i := range count {
		err := provider.SetAgent(agentconnecttest.Agent{
			Login: agentLogin(i),
			Claims: map[string]any{
				"sub": agentSub(i), "given_name": "Agent", "usual_name": fmt.Sprint("Numéro-", i, "-"),
				"email": agentLogin(i) + "@demarches.example.gouv.fr", "uid": fmt.Sprint(100000 + i), "siret": "13002526500013",
				"idp_id": "00000000-0000-4000-8000-000000000001", "organization_label": "Service de démonstration", "roles": []string{"agent_public"},
			},
		})
		if err != nil {
			tb.Fatal(err)
		}
	}
}

func agentLogin(i int) string { return fmt.Sprint("agent-", i) }
func agentSub(i int) string   { return fmt.Sprint("sub-of-", i, "-") }

// visitor is an agent's browser that goes straight to the point: of the provider's
// login page, which lists everybody, it only sends the form. Visitors share
// connections and nothing else. What it does can fail without ending the test.
type visitor struct {
	*http.Client
	url   string // the application's
	login string
	sub   string
}

func newVisitor(tb testing.TB, transport http.RoundTripper, application string, i int) *visitor {
	tb.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return &visitor{
		Client: &http.Client{
			Jar:       jar,
			Timeout:   2 * patience,
			Transport: navigating{transport},
			CheckRedirect: func(next *http.Request, via []*http.Request) error {
				if strings.Contains(next.URL.Path, "/interaction/") || len(via) >= 20 {
					return http.ErrUseLastResponse
				}
				return nil
			},
		},
		url:   application,
		login: agentLogin(i),
		sub:   agentSub(i),
	}
}

// visitors returns the browsers of that many agents.
func visitors(tb testing.TB, application string, count int) []*visitor {
	tb.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 256}
	tb.Cleanup(transport.CloseIdleConnections)
	all := make([]*visitor, count)
	for i := range all {
		all[i] = newVisitor(tb, transport, application, i)
	}
	return all
}

// open opens a page and returns the status, the path where the browser ended and
// what it shows.
func (v *visitor) open(path string) (status int, at, body string, err error) {
	return v.finish(v.Get(v.url + path))
}

// finish ends a navigation, at the provider's login page by choosing oneself.
func (v *visitor) finish(resp *http.Response, err error) (int, string, string, error) {
	if err != nil {
		return 0, "", "", err
	}
	if page, err := resp.Location(); err == nil && strings.Contains(page.Path, "/interaction/") {
		resp.Body.Close()
		if resp, err = v.PostForm(page.String(), url.Values{"agent": {v.login}}); err != nil {
			return 0, "", "", err
		}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Request.URL.Path, string(body), err
}

// callback starts a login and returns the address at which it ends.
func (v *visitor) callback(path string) (string, error) {
	resp, err := v.Get(v.url + path)
	if err != nil {
		return "", err
	}
	resp.Body.Close()
	page, err := resp.Location()
	if err != nil {
		return "", fmt.Errorf("status %d at %s instead of the provider's login page", resp.StatusCode, resp.Request.URL.Path)
	}
	stopping := *v.Client
	stopping.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err = stopping.PostForm(page.String(), url.Values{"agent": {v.login}})
	if err != nil {
		return "", err
	}
	resp.Body.Close()
	back, err := resp.Location()
	if err != nil {
		return "", err
	}
	return back.String(), nil
}

// whoAmI asks as a script does, and returns the status and the answer's sub.
func (v *visitor) whoAmI() (status int, sub string, err error) {
	req, err := http.NewRequest(http.MethodGet, v.url+"/agent", nil)
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Sec-Fetch-Mode", "cors")
	resp, err := v.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, subIn(string(body)), err
}

// subIn returns the one sub of addAgents in a text, and all there are when there
// are several.
func subIn(text string) string {
	var found []string
	for _, part := range strings.SplitAfter(text, "sub-of-")[1:] {
		number, _, _ := strings.Cut(part, "-")
		if sub := "sub-of-" + number + "-"; !slices.Contains(found, sub) {
			found = append(found, sub)
		}
	}
	return strings.Join(found, " and ")
}

// wantMe checks that the visitor is logged in as themselves.
func (v *visitor) wantMe(t testing.TB) {
	t.Helper()
	if status, sub, err := v.whoAmI(); err != nil || status != http.StatusOK || sub != v.sub {
		t.Errorf("%s: got status %d, agent %q and error %v, want 200 and %q", v.login, status, sub, err, v.sub)
	}
}

// wantStranger checks that the visitor is not logged in.
func (v *visitor) wantStranger(t testing.TB) {
	t.Helper()
	if status, sub, err := v.whoAmI(); err != nil || status != http.StatusUnauthorized || sub != "" {
		t.Errorf("%s: got status %d, agent %q and error %v, want 401 and none", v.login, status, sub, err)
	}
}

// wantLogin checks that opening a page logs the visitor in and comes back to it.
func (v *visitor) wantLogin(t testing.TB) {
	t.Helper()
	status, at, body, err := v.open("/agent")
	if got := subIn(body); err != nil || status != http.StatusOK || at != "/agent" || got != v.sub {
		t.Errorf("%s: got status %d at %s, agent %q and error %v, want their own page", v.login, status, at, got, err)
	}
}

// wantLost checks that a visitor who was given a session a moment ago, which the store
// does not know any more, is told so once, and not sent round in a circle.
func (v *visitor) wantLost(t testing.TB) {
	t.Helper()
	status, at, body, err := v.open("/agent")
	if err != nil || status != http.StatusServiceUnavailable || at != "/agent" || !strings.Contains(body, "session_lost") {
		t.Errorf("%s: got status %d at %s and error %v, want 503 with session_lost", v.login, status, at, err)
	}
}

// wantLogout checks that the visitor can log out.
func (v *visitor) wantLogout(t testing.TB) {
	t.Helper()
	status, at, _, err := v.finish(v.Post(v.url+"/logout", "", nil))
	if err != nil || status != http.StatusOK || at != "/" {
		t.Errorf("%s: logging out: got status %d at %s and error %v, want the home page", v.login, status, at, err)
	}
}

// atOnce calls do for each item, for that many of them at once.
func atOnce[T any](items []T, workers int, do func(T)) {
	queue := make(chan T)
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() {
			for item := range queue {
				do(item)
			}
		})
	}
	for _, item := range items {
		queue <- item
	}
	close(queue)
	wait.Wait()
}

// wantQuiet checks the logs of all instances, those that ended included.
func wantQuiet(t *testing.T, instances ...*instance) {
	t.Helper()
	for _, i := range instances {
		wantQuietText(t, i.stderr.String())
	}
}

func TestThreeInstancesOnOneRedis(t *testing.T) {
	t.Parallel()
	redis := servers.StartRedis(t)
	f := startFleet(t, 3, "SESSION_STORE", redis.URL)
	p := &provided{&program{t: t, url: f.url}, f.provider}

	// Whichever starts it, a login ends and is used on the two others.
	var b *browser
	for first := range len(f.instances) {
		b = newBrowser(t)
		f.turnTo(first)
		p.login(b, "/login?return_to=/agent", "marie").wantStatus(t, 200).wantAt(t, f.url+"/agent").wantPage(t, "Marie")
		f.wantServed(fmt.Sprint(first, " /login"), fmt.Sprint((first+1)%3, " /callback"), fmt.Sprint((first+2)%3, " /agent"))
	}
	for range len(f.instances) {
		b.get(f.url+"/agent").wantStatus(t, 200).wantPage(t, "Marie")
	}

	// A step-up, on three as well.
	f.turnTo(0)
	p.login(b, "/mfa", "marie", agentconnecttest.WithACR("eidas2")).wantStatus(t, 200).wantPage(t, "eidas2")
	f.wantServed("0 /mfa", "1 /callback", "2 /mfa")

	// The session before the step-up is gone; this copy of the cookies outlives the logout.
	origin, err := url.Parse(f.url)
	if err != nil {
		t.Fatal(err)
	}
	copied := newBrowser(t)
	copied.Jar.SetCookies(origin, b.Jar.Cookies(origin))
	copied.get(f.url+"/agent", api()...).wantStatus(t, 200)

	f.turnTo(1)
	p.logout(b).wantAt(t, f.url+"/")
	f.wantServed("1 /logout", "2 /logout/callback", "0 /")
	for range len(f.instances) {
		copied.get(f.url+"/agent", api()...).wantProblem(t, http.StatusUnauthorized, "unauthenticated")
	}
	wantQuiet(t, f.instances...)
}

// TestAThousandAgentsAtOnce has a thousand agents log in on three instances, each
// of whom must see themselves and nobody else.
func TestAThousandAgentsAtOnce(t *testing.T) {
	const (
		agents    = 1000
		inFlight  = 100
		instances = 3
	)
	redis := servers.StartRedis(t)
	f := startFleet(t, instances, "SESSION_STORE", redis.URL)
	f.addAgents(agents)
	all := visitors(t, f.url, agents)
	sessions := func() int64 {
		t.Helper()
		size, err := redis.Client.DBSize(context.Background()).Result()
		if err != nil {
			t.Fatal(err)
		}
		return size
	}

	// All have a login under way before the first one ends.
	callbacks := sync.Map{}
	atOnce(all, inFlight, func(v *visitor) {
		callback, err := v.callback("/agent")
		if err != nil {
			t.Errorf("%s: starting to log in: %v", v.login, err)
			return
		}
		callbacks.Store(v, callback)
	})
	if got := sessions(); got != 0 {
		t.Errorf("got %d sessions before the first login ended, want 0", got)
	}
	atOnce(all, inFlight, func(v *visitor) {
		callback, ok := callbacks.Load(v)
		if !ok {
			return
		}
		status, at, body, err := v.finish(v.Get(callback.(string)))
		if got := subIn(body); err != nil || status != http.StatusOK || at != "/agent" || got != v.sub {
			t.Errorf("%s: got status %d at %s, agent %q and error %v, want their own page", v.login, status, at, got, err)
		}
		for range instances {
			v.wantMe(t)
		}
	})
	if got := sessions(); got != agents {
		t.Errorf("got %d sessions, want %d", got, agents)
	}
	if got := f.provider.Requests(agentconnecttest.Discovery); got != instances {
		t.Errorf("got %d requests for the discovery document, want one of each instance", got)
	}
	if got := f.provider.Requests(agentconnecttest.JWKS); got < instances || got > 2*instances {
		t.Errorf("got %d requests for the keys, want one or two of each instance", got)
	}

	// Every other one leaves, while the others work.
	leaving := map[*visitor]bool{}
	for i, v := range all {
		leaving[v] = i%2 == 0
	}
	atOnce(all, inFlight, func(v *visitor) {
		if leaving[v] {
			v.wantLogout(t)
			v.wantStranger(t)
			return
		}
		for range instances {
			v.wantMe(t)
		}
	})
	if got := sessions(); got != agents/2 {
		t.Errorf("got %d sessions, want those of the %d who stayed", got, agents/2)
	}
	f.wantAnswers()
	wantQuiet(t, f.instances...)
}

// TestAnInstanceIsKilledInTheMiddleOfLogins kills one of three instances while it
// waits for the provider in several callbacks. Who was cut off logs in anew; the
// others notice nothing. Then one is started anew.
func TestAnInstanceIsKilledInTheMiddleOfLogins(t *testing.T) {
	t.Parallel()
	const agents = 60
	redis := servers.StartRedis(t)
	f := startFleet(t, 3, "SESSION_STORE", redis.URL)
	f.addAgents(agents)
	all := visitors(t, f.url, agents)

	// So that callbacks last: the provider takes its time, and says which instance
	// has three of them under way.
	victim := f.instances[1]
	var kill sync.Once
	f.provider.Inject(agentconnecttest.Tamper{Endpoint: agentconnecttest.Token, Answer: func(a *agentconnecttest.Answer) {
		a.Wait = 50 * time.Millisecond
		f.mu.Lock()
		busy := victim.callbacks >= 3
		f.mu.Unlock()
		if busy {
			kill.Do(func() {
				victim.signal(syscall.SIGKILL)
				<-victim.ended
			})
		}
	}})
	var mu sync.Mutex
	var again int
	atOnce(all, 24, func(v *visitor) {
		for attempt := range 4 {
			status, at, body, err := v.open("/agent")
			sub := subIn(body)
			if sub != "" && sub != v.sub {
				t.Errorf("%s: got the page of %q", v.login, sub)
			}
			switch {
			case err != nil:
				t.Errorf("%s: %v", v.login, err)
			case status == http.StatusOK && at == "/agent" && sub == v.sub:
				return
			case status == http.StatusBadGateway:
				// What the proxy says for an instance that died with the request.
			case status >= 400 && status < 500 && strings.Contains(body, `href="/login`):
				// The proxy tried another instance, after the code was used.
			default:
				t.Errorf("%s: got status %d at %s, want a page that says how to start again", v.login, status, at)
			}
			mu.Lock()
			again++
			mu.Unlock()
			if attempt == 3 {
				t.Errorf("%s: got no login in four attempts", v.login)
			}
		}
	})
	select {
	case <-victim.ended:
	default:
		t.Fatal("the instance was never busy enough to be killed")
	}
	if again == 0 {
		t.Error("got nobody who had to log in again, want those whose callbacks were cut")
	}
	for _, v := range all {
		v.wantMe(t)
	}

	// One is started anew in its place, and knows them all.
	fresh := startProcess(t, f.env.with("ADDR", victim.address))
	for _, v := range all[:9] {
		v.wantMe(t)
	}
	all[0].url = "http://" + strings.Replace(victim.address, "127.0.0.1", "localhost", 1)
	all[0].wantMe(t)
	all[0].wantLogout(t)
	all[0].wantStranger(t)
	wantQuiet(t, append(f.instances, &instance{child: fresh})...)
}

// TestAnInstanceStopsInTheMiddleOfALogin starts a login on an instance that is gone
// when the agent comes back.
func TestAnInstanceStopsInTheMiddleOfALogin(t *testing.T) {
	t.Parallel()
	redis := servers.StartRedis(t)
	f := startFleet(t, 2, "SESSION_STORE", redis.URL)
	f.addAgents(1)
	v := visitors(t, f.url, 1)[0]
	f.turnTo(0)
	callback, err := v.callback("/login?return_to=/agent")
	if err != nil {
		t.Fatal(err)
	}
	f.wantServed("0 /login")
	f.instances[0].signal(syscall.SIGTERM)
	if got := f.instances[0].status(); got != 0 {
		t.Errorf("got exit status %d, want 0", got)
	}
	status, at, body, err := v.finish(v.Get(callback))
	if got := subIn(body); err != nil || status != 200 || at != "/agent" || got != v.sub {
		t.Errorf("got status %d at %s, agent %q and error %v, want their own page", status, at, got, err)
	}
}

// TestOneCallbackOnTwoInstances opens the same callback on two instances at the
// same moment, as a browser or a proxy that tries again does. The provider redeems
// the code once, and may revoke what it gave.
func TestOneCallbackOnTwoInstances(t *testing.T) {
	t.Parallel()
	const agents = 20
	redis := servers.StartRedis(t)
	f := startFleet(t, 2, "SESSION_STORE", redis.URL)
	f.addAgents(agents)
	atOnce(visitors(t, f.url, agents), 4, func(v *visitor) {
		callback, err := v.callback("/agent")
		if err != nil {
			t.Error(err)
			return
		}
		var wait sync.WaitGroup
		logins := make(chan string, 2)
		for range 2 {
			wait.Go(func() {
				status, _, body, err := v.finish(v.Get(callback))
				switch sub := subIn(body); {
				case err != nil:
					t.Error(err)
				case sub != "":
					logins <- sub
				case status < 400 || status == http.StatusInternalServerError:
					t.Errorf("%s: got status %d, want a login or a page that says how to start again", v.login, status)
				}
			})
		}
		wait.Wait()
		close(logins)
		for sub := range logins {
			if sub != v.sub {
				t.Errorf("%s: got the page of %q", v.login, sub)
			}
		}
		v.wantLogin(t)
	})
	// Of each pair one at most made a session that its browser keeps; a later login
	// replaced it.
	if got, err := redis.Client.DBSize(context.Background()).Result(); err != nil || got != agents {
		t.Errorf("got %d sessions (%v), want %d", got, err, agents)
	}
}
