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

var update = flag.Bool("update", false, "write testdata/api.txt and testdata/api_agentconnecttest.txt anew")

// Who imports the library builds these modules and no others.
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
		"github.com/coreos/go-oidc/v3",
		"github.com/go-jose/go-jose/v4",
		"golang.org/x/oauth2",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got modules %v, want %v", got, want)
	}
}

// The exported surface is a promise: a change of it shows in the diff of a file.
func TestExportedSurface(t *testing.T) {
	t.Parallel()
	for dir, golden := range map[string]string{".": "testdata/api.txt", "agentconnecttest": "testdata/api_agentconnecttest.txt"} {
		got := exportedSurface(t, dir)
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("the exported surface of %s is not that of %s; if that is meant, run go test -run TestExportedSurface -update .", dir, golden)
		}
	}
}

// exportedSurface returns the exported declarations of a package, without
// comments and bodies, in order.
func exportedSurface(t *testing.T, dir string) string {
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
				f.Body = nil
			}
			if g, ok := decl.(*ast.GenDecl); ok && g.Tok == token.IMPORT {
				continue
			}
			var b bytes.Buffer
			if err := format.Node(&b, fset, decl); err != nil {
				t.Fatal(err)
			}
			decls = append(decls, b.String())
		}
	}
	slices.Sort(decls)
	return strings.Join(decls, "\n") + "\n"
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
