package main_test

import (
	"debug/elf"
	"testing"
)

// A container needs nothing else than the program. The file is for Linux alone: it reads
// an ELF file.
func TestStaticBinary(t *testing.T) {
	name, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	file, err := elf.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if libraries, err := file.ImportedLibraries(); err != nil || len(libraries) > 0 {
		t.Errorf("got the libraries %v, %v, want none", libraries, err)
	}
}
