package turnout_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What `make race` leaves out `make long` runs: the list in the Makefile has every
// package with tests that do less under -short, be it that they ask themselves or
// that they run a suite which does, and no other.
func TestLongPackages(t *testing.T) {
	asks, runs := questions(t)
	suites := map[string]bool{}
	for dir := range asks["."] {
		suites[path.Base(dir)+".Run"] = dir != "internal/conformance/gotest" // that one passes the question on
	}
	want := asks["_test.go"]
	for dir, called := range runs {
		for _, what := range called {
			if suites[what] {
				want[dir] = true
			}
		}
	}
	text, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^LONG = (.*)$`).FindSubmatch(text)
	if line == nil {
		t.Fatal("the Makefile has no LONG")
	}
	have := strings.Fields(string(line[1])) // in the order in which they begin
	for _, dir := range have {
		if !want[dir] {
			t.Errorf("LONG in the Makefile has %s, of which race leaves nothing out", dir)
		}
	}
	for dir := range want {
		if !slices.Contains(have, dir) {
			t.Errorf("LONG in the Makefile lacks %s, of which race leaves something out", dir)
		}
	}
}

// questions finds the packages whose code (".") and whose tests ("_test.go") ask
// whether little is to be done, and of all tests what they call that is named Run.
func questions(t *testing.T) (asks map[string]map[string]bool, runs map[string][]string) {
	t.Helper()
	asks, runs = map[string]map[string]bool{".": {}, "_test.go": {}}, map[string][]string{}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || slices.Contains([]string{"node_modules", "tools", "testdata", "bin"}, d.Name())):
			return filepath.SkipDir
		case !strings.HasSuffix(name, ".go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir, kind := filepath.ToSlash(filepath.Dir(name)), "."
		if strings.HasSuffix(name, "_test.go") {
			kind = "_test.go"
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if call, ok := n.(*ast.SelectorExpr); ok && call.Sel.Name == "Short" {
				asks[kind][dir] = true
			} else if ok && call.Sel.Name == "Run" && kind == "_test.go" {
				if of, ok := call.X.(*ast.Ident); ok {
					runs[dir] = append(runs[dir], of.Name+".Run")
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return asks, runs
}
