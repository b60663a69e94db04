package benchmarks

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
	"github.com/go-jose/go-jose/v4"

	"github.com/agentconnect-go/agentconnect"
)

// requests are a handler that knows who is there, the cookies of the sessions
// that there are, and in how many requests it knew.
type requests struct {
	handler http.Handler
	cookies []string
	known   *int
}

// A discardWriter is a ResponseWriter that can be used again.
type discardWriter struct{ header http.Header }

func (w discardWriter) Header() http.Header         { return w.header }
func (w discardWriter) Write(b []byte) (int, error) { return len(b), nil }
func (w discardWriter) WriteHeader(int)             {}

// run makes one request after the other, of each session in turn.
func (q requests) run(b *testing.B) {
	r := httptest.NewRequest(http.MethodGet, "http://localhost:8080/dossiers", nil)
	r.Header.Set("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	cookie := []string{""}
	r.Header["Cookie"] = cookie
	w := discardWriter{http.Header{}}
	*q.known = 0
	b.ReportAllocs()
	var cpu stopwatch
	n := 0
	for b.Loop() {
		if n == 0 {
			cpu.start()
		}
		clear(w.header)
		cookie[0] = q.cookies[n%len(q.cookies)]
		q.handler.ServeHTTP(w, r)
		n++
	}
	cpu.stop()
	cpu.report(b, n)
	if *q.known != n {
		b.Fatalf("got the agent in %d requests of %d, want all", *q.known, n)
	}
}

// A request of an agent who is logged in. The first style is the floor.
func BenchmarkRequest(b *testing.B) {
	for _, style := range []struct {
		name string
		make func(testing.TB) requests
	}{
		{"floor", func(tb testing.TB) requests { return floorStyle().requests(tb, jose.RS256, 1) }},
		{"agentconnect", agentconnectRequests()},
		{"agentconnect-idle", agentconnectRequests(agentconnect.WithIdleTimeout(time.Hour))},
		{"agentconnect-sealed", agentconnectRequests(agentconnect.WithSealedSessions([]byte("a sealing key of thirty-two bytes")))},
		{"scs-gob", func(tb testing.TB) requests { return gobStyle().requests(tb, jose.RS256, 1) }},
		{"scs-gob-json", func(tb testing.TB) requests { return jsonStyle().requests(tb, jose.RS256, 1) }},
		{"gorilla", gorillaRequests},
		{"samlsp", samlRequests},
		{"verified-id-token", bearerRequests},
	} {
		b.Run("style="+style.name, func(b *testing.B) { style.make(b).run(b) })
	}
}

// fillAgentconnect logs n agents in, without a network, and returns their cookies.
func fillAgentconnect(tb testing.TB, store scs.Store, n int) (*agentconnect.Authenticator, []string) {
	tb.Helper()
	p := newProvider(tb, jose.HS256, true)
	auth := newAuthenticator(tb, p, agentconnect.WithSessionStore(store), agentconnect.WithHTTPClient(&http.Client{Transport: inMemory{p}}))
	cookies := make([]string, n)
	for i := range cookies {
		cookies[i] = logIn(tb, p, http.HandlerFunc(auth.Login), http.HandlerFunc(auth.Callback))
	}
	return auth, cookies
}

// Requests of ten sessions, and of a hundred thousand, each in turn and in no
// order of the memory.
func BenchmarkSessions(b *testing.B) {
	for _, n := range []int{10, 100_000} {
		known := new(int)
		auth, cookies := fillAgentconnect(b, memstore.NewWithCleanupInterval(0), n)
		for _, q := range []struct {
			name string
			requests
		}{
			{"floor", floorStyle().requests(b, jose.HS256, n)},
			{"agentconnect", requests{auth.RequireAgent(whoIsThere(known)), cookies, known}},
		} {
			rand.New(rand.NewPCG(1, 2)).Shuffle(n, func(i, j int) { q.cookies[i], q.cookies[j] = q.cookies[j], q.cookies[i] })
			b.Run(fmt.Sprintf("style=%s/sessions=%d", q.name, n), q.run)
		}
	}
}

// What ten thousand sessions take of the memory, each.
func BenchmarkMemory(b *testing.B) {
	const n = 10_000
	for _, style := range []struct {
		name string
		fill func(store scs.Store) (keep any)
	}{
		{"agentconnect", func(store scs.Store) any {
			auth, _ := fillAgentconnect(b, store, n)
			return auth
		}},
		{"scs-gob", func(store scs.Store) any { return fillSCS(b, gobStyle(), store, n) }},
		{"scs-gob-json", func(store scs.Store) any { return fillSCS(b, jsonStyle(), store, n) }},
	} {
		b.Run("style="+style.name, func(b *testing.B) {
			var grown, stored uint64
			for range b.N {
				store := memstore.NewWithCleanupInterval(0)
				before := heap()
				keep := style.fill(store)
				grown += heap() - before
				runtime.KeepAlive(keep)
				all, err := store.All()
				if err != nil || len(all) != n {
					b.Fatalf("got %d sessions in the store and error %v, want %d", len(all), err, n)
				}
				for key, record := range all {
					stored += uint64(len(key) + len(record))
				}
			}
			b.ReportMetric(float64(grown)/float64(b.N*n), "heap-B/session")
			b.ReportMetric(float64(stored)/float64(b.N*n), "stored-B/session")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func fillSCS(tb testing.TB, style scsStyle, store scs.Store, n int) any {
	m, _ := style.fill(tb, jose.HS256, store, n)
	return m
}

// heap returns how much of the heap is in use after a collection.
func heap() uint64 {
	runtime.GC()
	runtime.GC() // what the first one finalised
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
