package agentconnect_test

import (
	"archive/zip"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const modulePath = "github.com/agentconnect-go/agentconnect"

// releaseVersion returns the version that the changelog describes first: the one
// that is being prepared, or the last one.
func releaseVersion(t *testing.T) string {
	t.Helper()
	changelog, err := os.ReadFile("CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	first := regexp.MustCompile(`(?m)^## (.*)$`).FindStringSubmatch(string(changelog))
	form := regexp.MustCompile(`^(\d+\.\d+\.\d+) \((unreleased|\d{4}-\d{2}-\d{2})\)$`)
	if first == nil || !form.MatchString(first[1]) {
		t.Fatalf("CHANGELOG.md: got the first heading %q, want a version with its date, or unreleased", first)
	}
	return "v" + form.FindStringSubmatch(first[1])[1]
}

// A newcomer is somebody with an empty directory, an empty module cache and a
// module proxy that has this repository as a release, with every module that it
// needs.
type newcomer struct {
	t   *testing.T
	dir string
	env []string
}

func newNewcomer(t *testing.T, modules ...string) *newcomer {
	t.Helper()
	release := t.TempDir()
	for _, dir := range modules {
		publish(t, release, dir)
	}
	n := &newcomer{t: t, dir: t.TempDir(), env: os.Environ()}
	// The module cache of this machine, which has what the repository needs, is laid
	// out like a module proxy.
	others := filepath.Join(n.run("go", "env", "GOMODCACHE"), "cache", "download")
	n.env = append(n.env,
		"GOMODCACHE="+t.TempDir(), "GOFLAGS=-modcacherw", "GOWORK=", "GOSUMDB=off", "GOBIN="+n.dir,
		"GOPROXY=file://"+filepath.ToSlash(release)+",file://"+filepath.ToSlash(others))
	return n
}

// run does a command in the directory and returns what it wrote.
func (n *newcomer) run(name string, args ...string) string {
	n.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = n.dir, n.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		n.t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// write makes a file in the directory.
func (n *newcomer) write(name, content string) {
	n.t.Helper()
	file := filepath.Join(n.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		n.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		n.t.Fatal(err)
	}
}

// publish puts the module of a directory of this repository, as a tag would make
// it, into a directory that is a module proxy (https://go.dev/ref/mod#goproxy-protocol).
func publish(t *testing.T, proxy, dir string) {
	t.Helper()
	version, module := releaseVersion(t), path.Join(modulePath, dir)
	versions := filepath.Join(proxy, filepath.FromSlash(module), "@v")
	if err := os.MkdirAll(versions, 0o700); err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"list":            version + "\n",
		version + ".info": fmt.Sprintf(`{"Version":%q,"Time":"2026-01-01T00:00:00Z"}`, version),
		version + ".mod":  string(mod),
	} {
		if err := os.WriteFile(filepath.Join(versions, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.Create(filepath.Join(versions, version+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	archive := zip.NewWriter(file)
	err = filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name != dir && (entry.Name() == ".git" || entry.Name() == "node_modules" || isFile(filepath.Join(name, "go.mod"))) {
				return fs.SkipDir
			}
			return nil
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		w, err := archive.Create(module + "@" + version + "/" + filepath.ToSlash(inside))
		if err != nil {
			return err
		}
		_, err = w.Write(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// published returns the directories of the modules that are released: all but
// those that replace another one, which only serve this repository.
func published(t *testing.T) []string {
	t.Helper()
	var dirs []string
	files, err := filepath.Glob("*/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append([]string{"go.mod"}, files...) {
		mod, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`(?m)^replace `).Match(mod) {
			dirs = append(dirs, filepath.Dir(file))
		}
	}
	return dirs
}

// Every package that others can import, and every program, builds from a release,
// fetched with go get and go install.
func TestReleaseCanBeFetched(t *testing.T) {
	t.Parallel()
	modules := published(t)
	list := []string{"list", "-f", "{{.ImportPath}} {{.Name}}"}
	for _, dir := range modules {
		list = append(list, "./"+path.Join(dir, "..."))
	}
	packages, err := exec.Command("go", list...).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	n := newNewcomer(t, modules...)
	n.run("go", "mod", "init", "demarches.example")
	imports, get := "", []string{"get"}
	for line := range strings.Lines(string(packages)) {
		importPath, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case strings.Contains(importPath, "/internal/"):
		case name == "main":
			n.run("go", "install", importPath+"@"+releaseVersion(t))
		default:
			get = append(get, importPath+"@"+releaseVersion(t))
			imports += "\t_ \"" + importPath + "\"\n"
		}
	}
	n.run("go", get...)
	n.write("main.go", "package main\n\nimport (\n"+imports+")\n\nfunc main() {}\n")
	n.run("go", "build", "./...")
	if required := n.run("go", "list", "-m", modulePath); required != modulePath+" "+releaseVersion(t) {
		t.Errorf("got %s, want the release", required)
	}
}

// The notes of a release are its section of the changelog, once it has a date, and
// nothing of another version.
func TestReleaseNotes(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile(".ci/notes")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string]string{
		".ci/notes": string(script),
		"CHANGELOG.md": "# Changelog\n\n## 0.2.1 (unreleased)\n\n- Not yet.\n\n## 0.2.0 (2026-12-01)\n\n- A change.\n  On two lines.\n- Another.\n\n" +
			"## 0.1.0 (2026-11-26)\n\nThe first version.\n",
	} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ version, want string }{ // "" for a failure
		{"v0.2.0", "- A change.\n  On two lines.\n- Another."},
		{"v0.1.0", "The first version."},
		{"v0.2.1", ""}, // no date
		{"v0.2", ""},
		{"v0.2.00", ""},
		{"v1.2.0", ""},
	} {
		got, err := exec.Command("bash", filepath.Join(dir, ".ci", "notes"), tt.version).Output()
		if strings.TrimSpace(string(got)) != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s: got %q, %v, want %q", tt.version, got, err, tt.want)
		}
	}
}

// Updates are proposed for every module, every npm package and every workflow, and
// the workflow tests with the Go release that go.mod names.
func TestHostedFiles(t *testing.T) {
	t.Parallel()
	read := func(name string) string {
		t.Helper()
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	updates := read(".github/dependabot.yml")
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == "testdata" || entry.Name() == ".git"):
			return fs.SkipDir
		case entry.Name() == "go.mod" || entry.Name() == "package-lock.json":
			dir := "/" + strings.TrimPrefix(filepath.ToSlash(filepath.Dir(name)), ".")
			if !strings.Contains(updates, `"`+dir+`"`) {
				t.Errorf("dependabot.yml: %s is not named", dir)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	release := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read("go.mod"))
	if workflow := read(".github/workflows/tests.yml"); release == nil || !strings.Contains(workflow, "golang:"+release[1]+"-") || !strings.Contains(workflow, "run: .ci/run\n") {
		t.Errorf("tests.yml: got %s, want .ci/run with the release of go.mod, %q", workflow, release)
	}
	if workflow := read(".github/workflows/release.yml"); !strings.Contains(workflow, ".ci/notes ") {
		t.Errorf("release.yml: got %s, want the notes of .ci/notes", workflow)
	}
}
