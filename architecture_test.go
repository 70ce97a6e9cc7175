package turnout_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/turnout-events/turnout"

// floors are the levels of the house (docs/ARCHITECTURE.md): a package
// imports only packages of lower floors. A package covers those below it.
var floors = []struct {
	level    int
	packages []string
}{
	{0, []string{""}},
	{1, []string{"internal/run", "internal/seal", "internal/groupcommit", "internal/cut", "internal/ics", "internal/point", "internal/drain", "internal/exchange", "internal/limit", "internal/redis", "internal/conformance", "internal/wiretest", "internal/compact", "internal/pace", "internal/picture", "internal/words"}},
	{2, []string{"internal/store", "internal/cache", "internal/session", "internal/modulation", "internal/salesforce", "internal/kms"}},
	{3, []string{"internal/intake", "internal/delivery", "internal/mirror", "internal/catalog", "internal/erasure", "internal/migration", "internal/oversight", "internal/interest"}},
	{4, []string{"internal/web", "internal/api", "internal/console", "internal/edge", "internal/simulator", "internal/load"}},
	{5, []string{"internal/config", "internal/app"}},
	{6, []string{"cmd/turnout"}},
	{7, []string{"e2e", "bench", "deploy/check"}},
}

// neighbours may import each other though they stand on one floor.
var neighbours = map[[2]string]string{
	{"internal/app", "internal/config"}:     "the wiring reads the settings",
	{"bench", "e2e"}:                        "both start the whole product",
	{"internal/redis", "internal/wiretest"}: "its server for tests is stopped as others are",
}

// place finds the floor and the package of the table that a path belongs to.
func place(path string) (level int, owner string, ok bool) {
	for _, f := range floors {
		for _, p := range f.packages {
			if path == p || (p != "" && strings.HasPrefix(path, p+"/")) {
				return f.level, p, true
			}
		}
	}
	return 0, "", false
}

type importing struct{ from, imports string }

// imports lists every import of every Go file of the module.
func imports(t *testing.T) []importing {
	t.Helper()
	var all []importing
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" || d.Name() == "tools" || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		from := filepath.ToSlash(filepath.Dir(path))
		if from == "." {
			from = ""
		}
		for _, spec := range file.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if from == "" && strings.HasSuffix(path, "_test.go") {
				continue // the domain's tests may use what they like
			}
			all = append(all, importing{from, name})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestFloors(t *testing.T) {
	for _, i := range imports(t) {
		level, owner, ok := place(i.from)
		if !ok {
			t.Errorf("%s stands on no floor: give it a place in the table", i.from)
			continue
		}
		inside, ours := strings.CutPrefix(i.imports, module)
		if !ours {
			if level == 0 && strings.Contains(i.imports, ".") {
				t.Errorf("the domain imports %s: it stands on the standard library alone", i.imports)
			}
			continue
		}
		inside = strings.TrimPrefix(inside, "/")
		below, target, ok := place(inside)
		if !ok {
			t.Errorf("%s imports %s, which stands on no floor", i.from, inside)
			continue
		}
		allowed := below < level || target == owner || neighbours[[2]string{owner, target}] != ""
		if !allowed {
			t.Errorf("%s (floor %d) imports %s (floor %d): import only downward", i.from, level, inside, below)
		}
	}
}

// Two independent readings of Salesforce's API: one misreading cannot hide in both.
func TestSimulatorAndClientAreStrangers(t *testing.T) {
	for _, i := range imports(t) {
		if strings.HasPrefix(i.from, "internal/simulator") && strings.HasPrefix(i.imports, module+"/internal/salesforce") {
			t.Errorf("%s imports %s", i.from, i.imports)
		}
	}
}

// Features work on interfaces; internal/app alone joins them to adapters.
func TestFeaturesNeverImportAdapters(t *testing.T) {
	for _, i := range imports(t) {
		level, _, _ := place(i.from)
		inside, ours := strings.CutPrefix(i.imports, module+"/")
		if below, _, _ := place(inside); level == 3 && ours && below == 2 {
			t.Errorf("%s imports the adapter %s", i.from, inside)
		}
	}
}
