package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/agentconnect-go/agentconnect/example/internal/ci"
	"github.com/agentconnect-go/agentconnect/example/internal/servers"
)

// What one instance of the program and one Redis carry, and how it grows with
// instances. The processor time of each process is counted beside the rate, since
// instances, Redis, the provider and the browsers share one machine here:
//
//	go test -run '^$' -bench FleetRequest -benchtime 30000x -count 3 .
//	go test -run '^$' -bench FleetLogin -benchtime 3000x -count 3 .
//	go test -run '^$' -bench RedisMemory -benchtime 1x .

// cpuTime returns the processor time that a process has used, threads included.
func cpuTime(tb testing.TB, pid int) time.Duration {
	tb.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		ci.Missing(tb, "this system does not tell the processor time of a process: "+err.Error())
	}
	_, afterName, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(afterName)
	var ticks int64
	for _, field := range fields[11:13] { // utime and stime, in hundredths of a second
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			tb.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// redisPID returns the process of a Redis.
func redisPID(tb testing.TB, redis *servers.Redis) int {
	tb.Helper()
	return int(infoOf(tb, redis, "server", "process_id"))
}

// infoOf returns a number of INFO.
func infoOf(tb testing.TB, redis *servers.Redis, section, name string) int64 {
	tb.Helper()
	info, err := redis.Client.Info(context.Background(), section).Result()
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+":"); ok {
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				tb.Fatal(err)
			}
			return n
		}
	}
	tb.Fatalf("INFO %s has no %s", section, name)
	return 0
}

// direct returns the origin of the instances in turn, without the proxy.
func (f *fleet) direct(n int64) string {
	return "http://" + f.instances[int(n)%len(f.instances)].address
}

// measure runs do in parallel b.N times and reports the rate, and the processor
// time of the instances and of Redis for each.
func (f *fleet) measure(b *testing.B, redis *servers.Redis, do func(n int64) error) {
	b.Helper()
	const browsers = 32
	usedBy := func() (instances, store time.Duration) {
		for _, i := range f.instances {
			instances += cpuTime(b, i.cmd.Process.Pid)
		}
		return instances, cpuTime(b, redisPID(b, redis))
	}
	beforeInstances, beforeRedis := usedBy()
	var n, failed atomic.Int64
	var wait sync.WaitGroup
	b.ResetTimer()
	for range browsers {
		wait.Go(func() {
			for i := n.Add(1); i <= int64(b.N); i = n.Add(1) {
				if err := do(i); err != nil && failed.Add(1) == 1 {
					b.Error(err)
				}
			}
		})
	}
	wait.Wait()
	b.StopTimer()
	afterInstances, afterRedis := usedBy()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
	b.ReportMetric(float64((afterInstances-beforeInstances).Microseconds())/float64(b.N), "instance-cpu-µs/op")
	b.ReportMetric(float64((afterRedis-beforeRedis).Microseconds())/float64(b.N), "redis-cpu-µs/op")
}

// BenchmarkFleetRequest is a protected request of an agent who is logged in.
func BenchmarkFleetRequest(b *testing.B) {
	for _, size := range []int{1, 3} {
		b.Run(fmt.Sprint("instances=", size), func(b *testing.B) {
			redis := servers.StartRedis(b)
			f := startFleet(b, size, "SESSION_STORE", redis.URL)
			f.addAgents(32)
			var cookies []string
			for _, v := range visitors(b, f.url, 32) {
				v.wantLogin(b)
				cookies = append(cookies, "agentconnect="+v.cookies()["agentconnect"])
			}
			transport := &http.Transport{MaxIdleConnsPerHost: 64}
			b.Cleanup(transport.CloseIdleConnections)
			f.measure(b, redis, func(n int64) error {
				req, err := http.NewRequest(http.MethodPost, f.direct(n)+"/agent", nil) // answers 204
				if err != nil {
					return err
				}
				req.Header.Set("Cookie", cookies[int(n)%len(cookies)])
				req.Header.Set("Sec-Fetch-Site", "same-origin")
				resp, err := transport.RoundTrip(req)
				if err != nil {
					return err
				}
				defer resp.Body.Close()
				_, err = io.Copy(io.Discard, resp.Body)
				if resp.StatusCode != http.StatusNoContent {
					return fmt.Errorf("got status %d, want 204", resp.StatusCode)
				}
				return err
			})
		})
	}
}

// BenchmarkFleetLogin is a login: /login, the provider, /callback. The proxy, the
// provider and the browsers are in the measuring process.
func BenchmarkFleetLogin(b *testing.B) {
	for _, size := range []int{1, 3} {
		b.Run(fmt.Sprint("instances=", size), func(b *testing.B) {
			redis := servers.StartRedis(b)
			f := startFleet(b, size, "SESSION_STORE", redis.URL)
			f.addAgents(100)
			transport := &http.Transport{MaxIdleConnsPerHost: 256}
			b.Cleanup(transport.CloseIdleConnections)
			f.measure(b, redis, func(n int64) error {
				v := newVisitor(b, transport, f.url, int(n)%100)
				callback, err := v.callback("/login")
				if err != nil {
					return err
				}
				stopping := *v.Client
				stopping.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
				resp, err := stopping.Get(callback)
				if err != nil {
					return err
				}
				resp.Body.Close()
				if resp.StatusCode != http.StatusSeeOther || v.cookies()["agentconnect"] == "" {
					return fmt.Errorf("got status %d, want 303 and a session", resp.StatusCode)
				}
				return nil
			})
		})
	}
}

// BenchmarkRedisMemory is what a session weighs in Redis, key and overhead
// included: that of a real login, ten thousand times.
func BenchmarkRedisMemory(b *testing.B) {
	const sessions = 10_000
	server := servers.StartRedis(b)
	f := startFleet(b, 1, "SESSION_STORE", server.URL)
	f.addAgents(1)
	visitors(b, f.url, 1)[0].wantLogin(b)
	ctx := context.Background()
	keys, err := server.Client.Keys(ctx, "*").Result()
	if err != nil || len(keys) != 1 {
		b.Fatalf("got the keys %q (%v), want one", keys, err)
	}
	record, err := server.Client.Get(ctx, keys[0]).Result()
	if err != nil {
		b.Fatal(err)
	}
	if err := server.Client.FlushAll(ctx).Err(); err != nil {
		b.Fatal(err)
	}
	// Measured once, whatever b.N is.
	before := infoOf(b, server, "memory", "used_memory_dataset")
	beforeAll := infoOf(b, server, "memory", "used_memory")
	_, err = server.Client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i := range sessions {
			key := keys[0][:len(keys[0])-8] + fmt.Sprintf("%08d", i)
			pipe.Set(ctx, key, record, 12*time.Hour)
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	// The buffers of what was just written go in a moment.
	time.Sleep(time.Second)
	b.ReportMetric(float64(infoOf(b, server, "memory", "used_memory")-beforeAll)/sessions, "bytes/session")
	b.ReportMetric(float64(infoOf(b, server, "memory", "used_memory_dataset")-before)/sessions, "dataset-bytes/session")
	b.ReportMetric(float64(len(record)), "record-bytes")
	if size, err := server.Client.DBSize(ctx).Result(); err != nil || size != sessions {
		b.Errorf("got %d keys (%v), want %d", size, err, sessions)
	}
}
