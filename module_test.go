package agentconnect_test

import (
	"bytes"
	"flag"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/api.txt and its neighbours anew")

// An application that imports the library builds these modules and no others.
func TestDependencies(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", ".")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v: %s", err, out)
	}
	got := strings.Fields(string(out))
	slices.Sort(got)
	got = slices.Compact(got)
	want := []string{
		"github.com/agentconnect-go/agentconnect",
		"github.com/alexedwards/scs/v2",
		"github.com/go-jose/go-jose/v4",
		"golang.org/x/oauth2",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got modules %v, want %v", got, want)
	}
}

// The walls of the house: an internal package imports those on the floors below, so
// that a leaf imports none of this module, and nothing internal knows the root.
func TestInternalPackagesKnowThoseBelow(t *testing.T) {
	t.Parallel()
	const internal = modulePath + "/internal/"
	floors := map[string]int{internal + "provider": 1, internal + "settings": 1, internal + "pending": 1, internal + "records": 1, internal + "navigation": 1, internal + "fresh": 1, internal + "replay": 2, internal + "doctor": 2, internal + "tokens": 2} // leaves: 0
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./internal/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) < 2 {
		t.Fatalf("got %q, want the internal packages", lines)
	}
	for _, line := range lines {
		fields := strings.Fields(line)
		for _, imported := range fields[1:] {
			isOurs := strings.HasPrefix(imported, modulePath)
			if isOurs && (!strings.HasPrefix(imported, internal) || floors[imported] >= floors[fields[0]]) {
				t.Errorf("%s imports %s", fields[0], imported)
			}
		}
	}
}

// The exported surface is a promise: a change of it shows in the diff of a file.
// It stays small: a name more needs a reason, and mostly a name less.
func TestExportedSurface(t *testing.T) {
	t.Parallel()
	bounds := map[string]int{".": 125, "agentconnecttest": 170}
	out, err := exec.Command("go", "list", "-f", "{{.Name}} {{.Dir}}", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		name, abs, _ := strings.Cut(strings.TrimSpace(line), " ")
		dir, err := filepath.Rel(here, abs)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(strings.Split(filepath.ToSlash(dir), "/"), "internal") || name == "main" {
			continue
		}
		golden := "testdata/api.txt"
		if dir != "." {
			golden = "testdata/api_" + strings.ReplaceAll(filepath.ToSlash(dir), "/", "_") + ".txt"
		}
		got, names := exportedSurface(t, dir)
		if bound, bounded := bounds[dir]; bounded && names > bound {
			t.Errorf("%s exports %d names, want at most %d", dir, names, bound)
		}
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Error(err)
			continue
		}
		if got != string(want) {
			t.Errorf("the exported surface of %s is not that of %s; if that is meant, run go test -run TestExportedSurface -update .", dir, golden)
		}
	}
}

// exportedSurface returns the exported declarations of a package, without
// comments and bodies, in order, and how many names they declare beside methods.
func exportedSurface(t *testing.T, dir string) (surface string, names int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var decls []string
	fset := token.NewFileSet()
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if !ast.FileExports(file) {
			continue
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok {
				if f.Recv != nil && !isExportedType(f.Recv.List[0].Type) {
					continue
				}
				if f.Recv == nil {
					names++
				}
				f.Body = nil
			}
			if g, ok := decl.(*ast.GenDecl); ok {
				if g.Tok == token.IMPORT {
					continue
				}
				names += exportedNames(g)
			}
			var b bytes.Buffer
			if err := format.Node(&b, fset, decl); err != nil {
				t.Fatal(err)
			}
			decls = append(decls, b.String())
		}
	}
	slices.Sort(decls)
	return strings.Join(decls, "\n") + "\n", names
}

// exportedNames counts the exported names that a declaration declares.
func exportedNames(decl *ast.GenDecl) int {
	count := 0
	for _, spec := range decl.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if spec.Name.IsExported() {
				count++
			}
		case *ast.ValueSpec:
			for _, name := range spec.Names {
				if name.IsExported() {
					count++
				}
			}
		}
	}
	return count
}

// isExportedType reports whether the type of a receiver is exported.
func isExportedType(expr ast.Expr) bool {
	if star, ok := expr.(*ast.StarExpr); ok {
		expr = star.X
	}
	if generic, ok := expr.(*ast.IndexExpr); ok {
		expr = generic.X
	}
	name, ok := expr.(*ast.Ident)
	return ok && name.IsExported()
}
