package main

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/agentconnect-go/agentconnect/example/internal/servers"
)

// buildNextVersion builds the program with a library that writes another version of
// the session record.
func buildNextVersion(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, "record.go")
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^const recordVersion = (\d)$`)
	if len(version.FindAll(source, -1)) != 1 {
		t.Fatalf("record.go does not say %s", version)
	}
	dir := t.TempDir()
	changed := filepath.Join(dir, "record.go")
	if err := os.WriteFile(changed, version.ReplaceAll(source, []byte("const recordVersion = ${1}0")), 0o600); err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {path: changed}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	executable := filepath.Join(dir, "example")
	args := []string{"build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", executable}
	if underRace() { // then everything else is compiled already
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, ".")...).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return executable
}

// underRace reports whether this test has the race detector.
func underRace() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// TestRollingRestart replaces three instances one after the other by the same
// version of the program, while agents work: they notice nothing.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	redis := servers.StartRedis(t)
	f := startFleet(t, 3, "SESSION_STORE", redis.URL)
	f.addAgents(8)
	all := visitors(t, f.url, 8)
	atOnce(all, 4, func(v *visitor) { v.wantLogin(t) })

	var done atomic.Bool
	var requests atomic.Int64
	var working sync.WaitGroup
	for _, v := range all[:6] {
		working.Go(func() {
			for !done.Load() && !t.Failed() {
				v.wantMe(t)
				requests.Add(1)
			}
		})
	}
	for range 3 {
		before := requests.Load()
		replaced := f.remove(0)
		// The others log in and out meanwhile.
		for _, v := range all[6:] {
			v.wantLogout(t)
			v.wantLogin(t)
		}
		replaced.signal(syscall.SIGTERM)
		if got := replaced.status(); got != 0 {
			t.Errorf("got exit status %d, want 0", got)
		}
		f.add(startProcess(t, f.env.with("ADDR", replaced.address)), replaced.address)
		eventually(t, "agents go on working", func() bool { return requests.Load() > before+30 || t.Failed() })
		wantQuiet(t, replaced)
	}
	done.Store(true)
	working.Wait()
	f.wantAnswers()
	wantQuiet(t, f.instances...)
}

// TestRollingUpgradeOfTheRecord replaces three instances one after the other by a
// version of the program that writes another version of the session record. For an
// instance that cannot read a session its agent is a stranger, who logs in anew:
// nobody sees an error, or somebody else.
func TestRollingUpgradeOfTheRecord(t *testing.T) {
	t.Parallel()
	const agents = 12
	upgraded := buildNextVersion(t)
	redis := servers.StartRedis(t)
	f := startFleet(t, 3, "SESSION_STORE", redis.URL)
	f.addAgents(agents + 1)
	all := visitors(t, f.url, agents+1)
	late := all[agents]
	all = all[:agents]
	atOnce(all, 4, func(v *visitor) { v.wantLogin(t) })
	callback, err := late.callback("/agent")
	if err != nil {
		t.Fatal(err)
	}

	// direct is the agent's browser at one instance: on localhost cookies are shared
	// by all ports.
	direct := func(v *visitor, address string) *visitor {
		at := *v
		at.url = "http://" + strings.Replace(address, "127.0.0.1", "localhost", 1)
		return &at
	}
	for step := range 3 {
		replaced := f.remove(0)
		replaced.signal(syscall.SIGTERM)
		if got := replaced.status(); got != 0 {
			t.Errorf("got exit status %d, want 0", got)
		}
		wantQuiet(t, replaced)
		f.add(startExecutable(t, upgraded, f.env.with("ADDR", replaced.address)), replaced.address)
		for _, v := range all {
			for i, instance := range f.instances {
				if old := i < 2-step; old {
					direct(v, instance.address).wantMe(t)
				} else {
					direct(v, instance.address).wantStranger(t)
				}
			}
		}
	}

	// One navigation is enough, the provider knows them; the records of before go.
	started := f.provider.Requests("login")
	for _, v := range all {
		v.minuteLater()
		v.wantLogin(t)
	}
	if got := f.provider.Requests("login") - started; got != 0 {
		t.Errorf("got %d login pages, want the provider's session to be enough", got)
	}
	for _, v := range all {
		for _, instance := range f.instances {
			direct(v, instance.address).wantMe(t)
		}
	}
	if got, err := redis.Client.DBSize(context.Background()).Result(); err != nil || got != agents {
		t.Errorf("got %d records (%v), want %d: a new login replaces the old record", got, err, agents)
	}

	// A login that began before the upgrade ends after it.
	status, at, body, err := late.finish(late.Get(callback))
	if got := subIn(body); err != nil || status != http.StatusOK || at != "/agent" || got != late.sub {
		t.Errorf("got status %d at %s, agent %q and error %v, want their own page", status, at, got, err)
	}

	// The way back is the same.
	address := freeAddress(t)
	old := startProcess(t, f.env.with("ADDR", address))
	for _, v := range all {
		direct(v, address).wantStranger(t)
		v.wantMe(t)
	}
	wantQuiet(t, append(f.instances, &instance{child: old})...)
}
