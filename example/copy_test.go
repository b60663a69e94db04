package main

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A copy of the program builds in another repository with the one internal package
// that the comment of the command names.
func TestInternalPackagesOfACopy(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range file.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if _, internal, ok := strings.Cut(path, "/agentconnect/internal/"); ok {
				got = append(got, name+" internal/"+internal)
			}
		}
	}
	if want := []string{"negotiation.go internal/negotiation"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
