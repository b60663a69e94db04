package agentconnect_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A document is one file of the documentation.
type document struct {
	path   string
	prose  string // what is not in a fence
	fences []fence
}

// A fence is a block of code of a document.
type fence struct {
	lang string
	code string
	line int // of the document, where the code begins
}

// documents reads the documentation.
func documents(t *testing.T) []document {
	t.Helper()
	paths, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	var docs []document
	for _, path := range append(paths, more...) {
		docs = append(docs, readDocument(t, path))
	}
	if len(docs) < 10 {
		t.Fatalf("got %d documents, want all of them", len(docs))
	}
	return docs
}

func readDocument(t *testing.T, path string) document {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	doc := document{path: path}
	var prose, code strings.Builder
	inside, lang, begin := false, "", 0
	for i, line := range strings.Split(string(text), "\n") {
		switch after, isFence := strings.CutPrefix(line, "```"); {
		case isFence && !inside:
			inside, lang, begin = true, after, i+2
		case isFence:
			doc.fences = append(doc.fences, fence{lang, code.String(), begin})
			code.Reset()
			inside = false
		case inside:
			code.WriteString(line + "\n")
		default:
			prose.WriteString(line + "\n")
		}
	}
	if inside {
		t.Errorf("%s:%d: a fence is not closed", path, begin)
	}
	doc.prose = prose.String()
	return doc
}

// quoted returns what the documentation shows of a source file: all that follows its
// imports.
func quoted(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Ext(path) != ".go" {
		return string(text)
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, text, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	last := file.Decls[len(file.Decls)-1]
	return strings.TrimLeft(string(text[fset.Position(last.End()).Offset:]), "\n")
}

// TestDocsQuotes checks the blocks of code whose first line names the file that they
// show (```go recipes/gin.go): the tests of that file are theirs. Every recipe is shown
// in such a block, or linked. With -update it writes the blocks anew.
func TestDocsQuotes(t *testing.T) {
	t.Parallel()
	const longest = 50 // lines: a screen
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	shown := map[string]bool{}
	for _, doc := range documents(t) {
		text, err := os.ReadFile(doc.path)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range link.FindAllStringSubmatch(doc.prose, -1) {
			shown[filepath.Join(filepath.Dir(doc.path), match[1])] = true
		}
		renewed := string(text)
		for _, f := range doc.fences {
			_, path, isQuote := strings.Cut(f.lang, " ")
			if !isQuote {
				continue
			}
			shown[path] = true
			want := quoted(t, path)
			if got := strings.Count(want, "\n"); got > longest {
				t.Errorf("%s: got %d lines, want at most %d", path, got, longest)
			}
			if f.code != want {
				renewed = strings.Replace(renewed, "```"+f.lang+"\n"+f.code+"```", "```"+f.lang+"\n"+want+"```", 1)
				if !*update {
					t.Errorf("%s:%d: it is not what %s says; if that is right, run go test -run TestDocsQuotes -update .", doc.path, f.line, path)
				}
			}
		}
		if *update && renewed != string(text) {
			if err := os.WriteFile(doc.path, []byte(renewed), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	recipes, err := filepath.Glob("recipes/*.go")
	if err != nil {
		t.Fatal(err)
	}
	web, err := filepath.Glob("recipes/web/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(recipes, web...) {
		if !shown[path] && !strings.HasSuffix(path, "_test.go") && path != "recipes/doc.go" {
			t.Errorf("docs: %s is neither shown nor linked", path)
		}
	}
}

// snippetImports are what the snippets of the documentation may use without
// saying so, by the name of the package.
func snippetImports() map[string]string {
	imports := map[string]string{
		"agentconnect":     "github.com/agentconnect-go/agentconnect",
		"agentconnecttest": "github.com/agentconnect-go/agentconnect/agentconnecttest",
		"chi":              "github.com/go-chi/chi/v5",
		"mux":              "github.com/gorilla/mux",
		"goredisstore":     "github.com/alexedwards/scs/goredisstore",
		"oauth2":           "golang.org/x/oauth2",
		"pgxpool":          "github.com/jackc/pgx/v5/pgxpool",
		"pgxstore":         "github.com/agentconnect-go/agentconnect/pgxstore",
		"resourceserver":   "github.com/agentconnect-go/agentconnect/resourceserver",
		"redis":            "github.com/redis/go-redis/v9",
		"scs":              "github.com/alexedwards/scs/v2",
	}
	for _, path := range []string{
		"context", "database/sql", "encoding/hex", "encoding/json", "errors", "expvar", "fmt", "html/template", "io", "log", "log/slog", "net",
		"net/http", "net/http/cookiejar", "net/http/httptest", "os", "slices", "strings", "testing", "time",
	} {
		imports[path[strings.LastIndexByte(path, '/')+1:]] = path
	}
	return imports
}

// snippetContext is what the snippets find around them.
const snippetContext = `
var (
	auth                   *agentconnect.Authenticator
	client                 *redis.Client
	clientID, clientSecret string
	ctx                    context.Context
	db                     *sql.DB
	key, newKey, oldKey    []byte
	t                      *testing.T
)

func dossiers(w http.ResponseWriter, r *http.Request) {}
func home(w http.ResponseWriter, r *http.Request)     {}
`

// TestDocsSnippets compiles every piece of Go of the documentation. What is not a
// whole file is the body of a function, or declarations, in the context above.
func TestDocsSnippets(t *testing.T) {
	t.Parallel()
	packages := exportData(t, slices.Sorted(maps.Values(snippetImports())))
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		file, ok := packages[path]
		if !ok {
			return nil, fmt.Errorf("snippets do not import %s", path)
		}
		return os.Open(file)
	})
	count := 0
	for _, doc := range documents(t) {
		for _, snippet := range doc.fences {
			if snippet.lang != "go" {
				continue
			}
			count++
			where := fmt.Sprintf("%s:%d", doc.path, snippet.line)
			source, whole := snippetSource(snippet.code, where)
			file, err := parser.ParseFile(fset, "", source, parser.SkipObjectResolution)
			if err != nil {
				t.Errorf("%s: %v", where, err)
				continue
			}
			conf := types.Config{Importer: imports, Error: func(err error) {
				// Soft: something is not used, which in a piece of a program is no fault.
				if typeErr, ok := err.(types.Error); !ok || !typeErr.Soft || whole {
					t.Errorf("%v", err)
				}
			}}
			conf.Check("snippet", fset, []*ast.File{file}, nil) // Error has it
		}
	}
	if count < 20 {
		t.Errorf("got %d snippets, want those of the documentation", count)
	}
}

// snippetSource makes a file of a snippet, and tells whether it was one already.
func snippetSource(code, where string) (source string, whole bool) {
	path, line, _ := strings.Cut(where, ":")
	at := fmt.Sprintf("//line %s:%s\n", path, line)
	if strings.HasPrefix(code, "package ") {
		return at + code, true
	}
	var b strings.Builder
	b.WriteString("package snippet\n")
	for name, path := range snippetImports() {
		fmt.Fprintf(&b, "import %s %q\n", name, path)
	}
	b.WriteString(snippetContext)
	if strings.HasPrefix(code, "func ") || strings.HasPrefix(code, "type ") {
		return b.String() + at + code, false
	}
	return b.String() + "func _() {\n" + at + code + "}\n", false
}

// exportData has packages built, and returns the files of what they export and
// of all that they depend on. Those that only the example needs are in its module.
func exportData(t *testing.T, paths []string) map[string]string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}"}, paths...)...)
	cmd.Dir = "example"
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	files := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), "\t")
		files[path] = file
	}
	return files
}

// declared is the names that the Go files of a folder declare, with the text of
// the comment on each constant.
type declared struct {
	exported  map[string]bool // functions, methods, types, fields, constants
	constants map[string]constant
}

type constant struct{ typ, value, comment string }

func declarations(t *testing.T, folders ...string) declared {
	t.Helper()
	d := declared{exported: map[string]bool{}, constants: map[string]constant{}}
	for _, folder := range folders {
		paths, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			d.add(file)
		}
	}
	return d
}

func (d declared) add(file *ast.File) {
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			d.exported[n.Name.Name] = n.Name.IsExported()
			return false
		case *ast.TypeSpec:
			d.exported[n.Name.Name] = n.Name.IsExported()
		case *ast.Field:
			for _, name := range n.Names {
				d.exported[name.Name] = name.IsExported()
			}
		case *ast.ValueSpec:
			for i, name := range n.Names {
				d.exported[name.Name] = name.IsExported()
				if typ, ok := n.Type.(*ast.Ident); ok && i < len(n.Values) {
					if value, ok := n.Values[i].(*ast.BasicLit); ok {
						d.constants[name.Name] = constant{typ.Name, strings.Trim(value.Value, `"`), n.Doc.Text()}
					}
				}
			}
			return false
		}
		return true
	})
}

// testNames returns the names of the tests, benchmarks and fuzz targets of the
// package, the example and the benchmarks: not those that test what stands for
// AgentConnect in the others.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	declaration := regexp.MustCompile(`(?m)^func ((?:Test|Benchmark|Fuzz)\w*)\(`)
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains([]string{"node_modules", ".git", "oidcprovider"}, entry.Name()):
			return filepath.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, match := range declaration.FindAllStringSubmatch(string(source), -1) {
			names[match[1]] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestDocsNames checks that what the documentation calls by name exists: tests, and
// the identifiers of the packages.
func TestDocsNames(t *testing.T) {
	t.Parallel()
	tests := testNames(t)
	exported := declarations(t, ".", "agentconnecttest", "pgxstore", "resourceserver", "recipes").exported
	span := regexp.MustCompile("`([^`\n]+)`")
	test := regexp.MustCompile(`\b(?:Test|Benchmark|Fuzz)[A-Z]\w+`)
	ours := regexp.MustCompile(`\b(?:agentconnect|agentconnecttest|auth)\.([A-Z]\w+)|\b((?:With|Code|Event|Param)[A-Z]\w+)`)
	alone := regexp.MustCompile(`^([A-Z]+[a-z]\w*)(?:\.([A-Z]\w*))?(?:\(.*\))?$`)
	others := []string{ // of HTTP, of net/http, of other packages that are named beside
		"Authorization", "Host", "Secure", "HttpOnly", "LoadAndSave", "RenewToken", "Provider.UserInfo",
		"IDTokenVerifier.Verify", "ContextTimeoutEnabled", "Option",
	}
	for _, doc := range documents(t) {
		for _, match := range span.FindAllStringSubmatch(doc.prose, -1) {
			text := match[1]
			if slices.Contains(others, text) {
				continue
			}
			if name := test.FindString(text); name != "" {
				if !tests[name] {
					t.Errorf("%s: there is no %s", doc.path, name)
				}
				continue
			}
			names := []string{}
			for _, m := range ours.FindAllStringSubmatch(text, -1) {
				names = append(names, m[1]+m[2])
			}
			if m := alone.FindStringSubmatch(text); m != nil {
				names = append(names, m[1], m[2])
			}
			for _, name := range names {
				if name != "" && !exported[name] {
					t.Errorf("%s: `%s`: there is no %s", doc.path, text, name)
				}
			}
		}
	}
}

// TestDocsTables checks that the tables of the documentation are complete.
func TestDocsTables(t *testing.T) {
	t.Parallel()
	d := declarations(t, ".")

	for _, path := range []string{"docs/options.md"} {
		doc := readDocument(t, path)
		for name, exported := range d.exported {
			if exported && strings.HasPrefix(name, "With") && !strings.Contains(doc.prose, "`"+name) {
				t.Errorf("%s: the options lack %s", path, name)
			}
		}
	}

	errorsDoc, observability := readDocument(t, "docs/errors.md"), readDocument(t, "docs/observability.md")
	status := regexp.MustCompile(`\((\d{3})[;)]`)
	for name, c := range d.constants {
		switch c.typ {
		case "Code":
			documented := status.FindStringSubmatch(c.comment)
			if documented == nil {
				t.Errorf("the comment of %s gives no status", name)
				continue
			}
			row := fmt.Sprintf("| `%s` | %s | ", c.value, documented[1])
			if strings.Count(errorsDoc.prose, row) != 1 {
				t.Errorf("docs/errors.md: want one row %q", row)
			}
		case "EventKind":
			row := fmt.Sprintf("| `%s` | `%s` | ", name, c.value)
			if strings.Count(observability.prose, row) != 1 {
				t.Errorf("docs/observability.md: want one row %q", row)
			}
		}
	}
	source, err := os.ReadFile("internal/doctor/providerpages.go")
	if err != nil {
		t.Fatal(err)
	}
	anyCode := regexp.MustCompile(`Y[0-9]{6}|oidc-provider-[a-z-]+:[a-z_-]+`)
	explained := anyCode.FindAllString(errorsDoc.prose, -1)
	for _, code := range anyCode.FindAllString(string(source), -1) {
		inRange := slices.Contains([]string{"Y020031", "Y190013", "Y300002"}, code) // "Y300001 to Y300003"
		if !inRange && !slices.Contains(explained, code) {
			t.Errorf("docs/errors.md: %s is not explained", code)
		}
	}
}

// TestDocsChecklist checks that the table of the demands of AgentConnect has a row
// for each, and no empty cell.
func TestDocsChecklist(t *testing.T) {
	t.Parallel()
	const demands = 27
	doc := readDocument(t, "docs/checklist.md")
	for i := 1; i <= demands; i++ {
		row := regexp.MustCompile(fmt.Sprintf(`(?m)^\| %d \|(.+)\|(.+)\|(.+)\|$`, i)).FindStringSubmatch(doc.prose)
		if row == nil {
			t.Errorf("demand %d: there is no row", i)
			continue
		}
		for _, cell := range row[1:] {
			if strings.TrimSpace(cell) == "" {
				t.Errorf("demand %d: a cell is empty", i)
			}
		}
		if !strings.Contains(row[3], "`Test") {
			t.Errorf("demand %d: got %q, want a test", i, row[3])
		}
	}
}

// TestDocsLinks checks the links from one document to another.
func TestDocsLinks(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for _, doc := range documents(t) {
		for _, match := range link.FindAllStringSubmatch(doc.prose, -1) {
			target, anchor, _ := strings.Cut(match[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			path := doc.path
			if target != "" {
				path = filepath.Join(filepath.Dir(doc.path), target)
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Errorf("%s: the link %s leads nowhere", doc.path, match[1])
				continue
			}
			if anchor != "" && !slices.Contains(anchors(string(text)), anchor) {
				t.Errorf("%s: the link %s leads to no heading", doc.path, match[1])
			}
		}
	}
}

// anchors returns those that GitHub gives to the headings of a document.
func anchors(text string) []string {
	var all []string
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(text, -1) {
		anchor := regexp.MustCompile(`[^\p{L}\p{N} -]`).ReplaceAllString(strings.ToLower(heading[1]), "")
		all = append(all, strings.ReplaceAll(anchor, " ", "-"))
	}
	return all
}

// TestDocsCommands checks that every command of the documentation is one that is
// run: by the test that is named beside it.
func TestDocsCommands(t *testing.T) {
	t.Parallel()
	tests := testNames(t)
	const testCommand = "go test -race -shuffle=on ./... ./example/..."
	runBy := map[string]string{
		"go mod init demarches.example":                                              "TestFiveMinutes",
		"go get github.com/agentconnect-go/agentconnect":                             "TestFiveMinutes",
		"go run github.com/agentconnect-go/agentconnect/cmd/fakeproconnect@latest &": "TestFiveMinutes",
		"go run .":         "TestFiveMinutes",
		"go run ./example": "TestDemonstration",
		"go run github.com/agentconnect-go/agentconnect/cmd/fakeproconnect@latest":           "TestStartAndStop",
		"curl -s -b jar -c jar http://127.0.0.1:8081/as/marie":                               "TestFiveMinutes",
		"curl -s -b jar -c jar -L -H 'Accept: text/html' http://localhost:8080/dossiers":     "TestFiveMinutes",
		"curl -s -b jar -c jar -L -H 'Accept: text/html' -d '' http://localhost:8080/logout": "TestFiveMinutes",
		testCommand:                       "", // the command that runs this test
		"nginx -p \"$PWD\" -c nginx.conf": "TestBehindNginx",
	}
	for _, doc := range documents(t) {
		for _, block := range doc.fences {
			if block.lang != "sh" {
				continue
			}
			for line := range strings.Lines(block.code) {
				command := strings.TrimSpace(line)
				if strings.HasPrefix(command, "export ") || strings.HasPrefix(command, "openssl req ") {
					continue // part of what the commands after them are tested with
				}
				if doc.path == "CONTRIBUTING.md" { // parts of .ci/run, by the names of tests
					for _, name := range regexp.MustCompile(`\b(?:Test|Fuzz)\w+`).FindAllString(command, -1) {
						if !slices.ContainsFunc(slices.Collect(maps.Keys(tests)), func(test string) bool { return strings.HasPrefix(test, name) }) {
							t.Errorf("%s: %q names no test", doc.path, command)
						}
					}
					continue
				}
				test, known := runBy[command]
				if !known || test != "" && !tests[test] {
					t.Errorf("%s: no test runs %q", doc.path, command)
				}
			}
		}
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if got := regexp.MustCompile(`(?m)^go test -race.*$`).FindAllString(string(readme), -1); !slices.Equal(got, []string{testCommand}) {
		t.Errorf("README.md: got the test commands %q, want one, %q", got, testCommand)
	}
}

// TestSnippetsTakeEveryMethod checks that no example narrows the methods of a
// handler: the official button sends a POST to the login, and each handler answers the
// methods that it does not take.
func TestSnippetsTakeEveryMethod(t *testing.T) {
	t.Parallel()
	narrow := regexp.MustCompile(`(?i)(\.(get|post)\(|"(get|post) )[^,]*, (auth|a|s\.auth)\.(Login|Callback|Logout|LogoutCallback)\)`)
	paths, err := exec.Command("git", "ls-files", "*.go", "*.md").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range strings.Fields(string(paths)) {
		if strings.HasSuffix(path, "_test.go") && !strings.HasSuffix(path, "example_test.go") {
			continue // some try what is not recommended
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range narrow.FindAllString(string(text), -1) {
			t.Errorf("%s: %s: register the handler for all methods", path, found)
		}
	}
}

// TestContributingMap checks that the map names every directory with a package, and
// that what it names is where it says.
func TestContributingMap(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("`([a-z.][\\w/.-]*(?:/|\\.go|\\.html|\\.md))`").FindAllStringSubmatch(string(text), -1) {
		if _, err := os.Stat(m[1]); err != nil {
			t.Errorf("CONTRIBUTING.md: %v", err)
		}
	}
	for _, m := range regexp.MustCompile("`(\\w+)` in `([\\w/]+\\.go)`").FindAllStringSubmatch(string(text), -1) {
		source, err := os.ReadFile(m[2])
		if err != nil || !regexp.MustCompile(`\b`+m[1]+`\b`).Match(source) {
			t.Errorf("CONTRIBUTING.md: %s is not in %s (%v)", m[1], m[2], err)
		}
	}
	for _, pattern := range []string{"*/go.mod", "internal/*", "agentconnecttest", "resourceserver", "cmd"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			dir := filepath.ToSlash(strings.TrimSuffix(path, filepath.FromSlash("/go.mod"))) + "/"
			if !strings.Contains(string(text), "`"+dir+"`") {
				t.Errorf("CONTRIBUTING.md: %s is not on the map", dir)
			}
		}
	}
}

// TestReadmesNameWhatTestsNeed checks that both name the packages that .ci/run
// installs, and the Node that it demands.
func TestReadmesNameWhatTestsNeed(t *testing.T) {
	t.Parallel()
	ci, err := os.ReadFile(".ci/run")
	if err != nil {
		t.Fatal(err)
	}
	var wanted []string
	for _, m := range regexp.MustCompile(`(?m)\bneed \S+ ([a-z][-a-z0-9 ]*)`).FindAllStringSubmatch(string(ci), -1) {
		for _, name := range strings.Fields(m[1]) {
			if name != "git" && name != "nodejs" && name != "npm" { // said in words
				wanted = append(wanted, "`"+name+"`")
			}
		}
	}
	node := regexp.MustCompile(`(?m)^node_release=(\d+)`).FindStringSubmatch(string(ci))
	if len(wanted) < 5 || node == nil {
		t.Fatalf("got the packages %q and the Node release %q of .ci/run, want some", wanted, node)
	}
	for _, path := range []string{"README.md", "README.fr.md"} {
		readme, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range append(wanted, "Node "+node[1]) {
			if !strings.Contains(string(readme), want) {
				t.Errorf("%s: %s is not named", path, want)
			}
		}
	}
}

// TestReadmesAgree checks that the French README shows the code of the English one.
func TestReadmesAgree(t *testing.T) {
	t.Parallel()
	code := func(path string) (blocks []string) {
		for _, f := range readDocument(t, path).fences {
			if f.lang == "go" || f.lang == "sh" {
				blocks = append(blocks, f.code)
			}
		}
		return blocks
	}
	english, french := code("README.md"), code("README.fr.md")
	if len(english) != len(french) {
		t.Fatalf("got %d blocks of code in French, want %d", len(french), len(english))
	}
	for i := range english {
		if english[i] != french[i] {
			t.Errorf("block %d: got %q, want %q", i+1, french[i], english[i])
		}
	}
}
