package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/agentconnect-go/agentconnect/agentconnecttest"
	"github.com/agentconnect-go/agentconnect/example/internal/servers"
)

// fleet is several instances of the program behind a proxy that gives each request
// to the next.
type fleet struct {
	*provided // its URL is the proxy's
	instances []*program
	addresses []string // where each instance listens

	mu     sync.Mutex
	next   int
	served []string // "INSTANCE PATH" of each request
}

func startFleet(t *testing.T, size int, pairs ...string) *fleet {
	t.Helper()
	f := &fleet{}
	proxy := httptest.NewServer(http.HandlerFunc(f.proxy))
	t.Cleanup(proxy.Close)
	// Another host than the provider's: see the demonstration.
	origin := strings.Replace(proxy.URL, "127.0.0.1", "localhost", 1)
	provider := agentconnecttest.NewServer(t, agentconnecttest.WithClient(agentconnecttest.Client{
		ID: "fs", Secret: secret, RedirectURIs: []string{origin + "/callback"}, PostLogoutRedirectURIs: []string{origin + "/logout/callback"},
	}))
	env := settings(provider.Issuer).with(
		"AGENTCONNECT_REDIRECT_URL", origin+"/callback",
		"AGENTCONNECT_POST_LOGOUT_REDIRECT_URL", origin+"/logout/callback",
	).with(pairs...)
	for range size {
		address := freeAddress(t)
		f.addresses = append(f.addresses, address)
		f.instances = append(f.instances, start(t, env.with("ADDR", address)))
	}
	f.provided = &provided{&program{t: t, url: origin}, provider}
	return f
}

// proxy gives a request to the next instance.
func (f *fleet) proxy(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	i := f.next % len(f.addresses)
	f.next++
	f.served = append(f.served, fmt.Sprint(i, " ", r.URL.Path))
	f.mu.Unlock()
	to := httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: f.addresses[i]}) },
		FlushInterval: -1,
	}
	to.ServeHTTP(w, r)
}

// turnTo makes an instance the next.
func (f *fleet) turnTo(i int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next, f.served = i, nil
}

// wantServed checks which instances served what since turnTo.
func (f *fleet) wantServed(want ...string) {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if got := strings.Join(f.served, ", "); got != strings.Join(want, ", ") {
		f.t.Errorf("got the requests %s, want %s", got, strings.Join(want, ", "))
	}
}

func TestThreeInstancesOnOneRedis(t *testing.T) {
	redis := servers.StartRedis(t)
	f := startFleet(t, 3, "SESSION_STORE", redis.URL)

	// Whichever starts it, a login ends and is used on the two others.
	var b *browser
	for first := range len(f.instances) {
		b = newBrowser(t)
		f.turnTo(first)
		f.login(b, "/login?return_to=/agent", "marie").wantStatus(t, 200).wantAt(t, f.url+"/agent").wantPage(t, "Marie")
		f.wantServed(fmt.Sprint(first, " /login"), fmt.Sprint((first+1)%3, " /callback"), fmt.Sprint((first+2)%3, " /agent"))
	}
	for range len(f.instances) {
		b.get(f.url+"/agent").wantStatus(t, 200).wantPage(t, "Marie")
	}

	// A step-up, on three as well.
	f.turnTo(0)
	f.login(b, "/mfa", "marie", agentconnecttest.WithACR("eidas2")).wantStatus(t, 200).wantPage(t, "eidas2")
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
	f.logout(b).wantAt(t, f.url+"/")
	f.wantServed("1 /logout", "2 /logout/callback", "0 /")
	for range len(f.instances) {
		copied.get(f.url+"/agent", api()...).wantProblem(t, http.StatusUnauthorized, "unauthenticated")
	}
	for _, instance := range f.instances {
		wantQuietLog(t, instance)
	}
}

// TestManyAgentsOnThreeInstances has agents log in at once, each of whom must see
// themselves and nobody else.
func TestManyAgentsOnThreeInstances(t *testing.T) {
	redis := servers.StartRedis(t)
	f := startFleet(t, 3, "SESSION_STORE", redis.URL)
	const agents = 60
	for i := range agents {
		err := f.provider.SetAgent(agentconnecttest.Agent{
			Login:  fmt.Sprint("agent-", i),
			Claims: map[string]any{"sub": fmt.Sprint("sub-", i), "given_name": "Agent", "usual_name": fmt.Sprint("Numéro-", i, "-")},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var wait sync.WaitGroup
	for i := range agents {
		b := newBrowser(t)
		wait.Go(func() {
			me := fmt.Sprint("Numéro-", i, "-")
			resp, err := f.provider.Login(b.Client, f.url+"/agent", fmt.Sprint("agent-", i))
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
			for range 3 {
				resp, err := b.Get(f.url + "/agent")
				if err != nil {
					t.Error(err)
					return
				}
				if page := b.read(resp, nil); !strings.Contains(page.body, me) || strings.Count(page.body, "Numéro-") != strings.Count(page.body, me) {
					t.Errorf("got status %d and another page than that of %s", page.StatusCode, me)
				}
			}
		})
	}
	wait.Wait()
}

// TestAnInstanceStopsInTheMiddleOfALogin starts a login on an instance that is gone
// when the agent comes back.
func TestAnInstanceStopsInTheMiddleOfALogin(t *testing.T) {
	redis := servers.StartRedis(t)
	f := startFleet(t, 2, "SESSION_STORE", redis.URL)
	b := newBrowser(t)
	f.turnTo(0)
	callback, err := f.provider.CallbackURL(b.Client, f.url+"/login?return_to=/agent", "marie")
	if err != nil {
		t.Fatal(err)
	}
	f.wantServed("0 /login")
	if got := f.instances[0].stop(); got != 0 {
		t.Errorf("got exit status %d, want 0", got)
	}
	f.mu.Lock()
	f.addresses = f.addresses[1:]
	f.mu.Unlock()
	b.get(callback.String()).wantStatus(t, 200).wantAt(t, f.url+"/agent").wantPage(t, "Marie")
}
