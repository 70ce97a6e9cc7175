package config

import (
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caarlos0/env/v11"

	"github.com/turnout-events/turnout/internal/edge/routing"
)

// keysOf lists the YAML keys of a struct, nested ones with dots.
func keysOf(t reflect.Type, path string) []string {
	var keys []string
	for i := range t.NumField() {
		f := t.Field(i)
		name := f.Tag.Get("yaml")
		switch {
		case name == "-":
		case f.Type.Kind() == reflect.Struct:
			keys = append(keys, keysOf(f.Type, path+name+".")...)
		default:
			keys = append(keys, path+name)
		}
	}
	return keys
}

// TestEveryKeyIsAVariable holds "every key also as TURNOUT_… in the environment".
func TestEveryKeyIsAVariable(t *testing.T) {
	params, err := env.GetFieldParamsWithOptions(&Config{}, env.Options{Prefix: envPrefix})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, p := range params {
		got[p.Key] = true
	}
	want := map[string]bool{"TURNOUT_MASTER_KEY": true, "TURNOUT_EDGE_KEY": true} // secrets, so not in the file
	for _, key := range keysOf(reflect.TypeFor[Config](), "") {
		want[envPrefix+strings.ToUpper(strings.ReplaceAll(key, ".", "_"))] = true
	}
	if !maps.Equal(got, want) {
		t.Errorf("variables %v\nwant      %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
}

// row is a line of a table in the documentation.
type row struct {
	keys []string // with their prefix
	rest []string // code in the other columns
}

var code = regexp.MustCompile("`([^`]+)`")

func spans(text string) []string {
	var out []string
	for _, m := range code.FindAllStringSubmatch(text, -1) {
		out = append(out, m[1])
	}
	return out
}

// tables reads docs/configuration.md: the settings, and the keys of an org file.
func tables(t *testing.T) (settings, orgs []row) {
	t.Helper()
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	first, second, ok := strings.Cut(string(text), "\n## Orgs\n")
	if !ok {
		t.Fatal("docs/configuration.md has no part about orgs")
	}
	return rows(first), rows(second)
}

func rows(text string) []row {
	var all []row
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) < 4 || !strings.HasPrefix(strings.TrimSpace(cells[1]), "`") {
			continue
		}
		r := row{keys: spans(cells[1]), rest: spans(strings.Join(cells[2:], " "))}
		if before, _, ok := strings.Cut(r.keys[0], "."); ok {
			for i, k := range r.keys {
				if !strings.Contains(k, ".") {
					r.keys[i] = before + "." + k
				}
			}
		}
		all = append(all, r)
	}
	return all
}

func documented(rows []row) []string {
	var keys []string
	for _, r := range rows {
		keys = append(keys, r.keys...)
	}
	return keys
}

func TestEveryKeyIsDocumented(t *testing.T) {
	settings, _ := tables(t)
	got, want := documented(settings), keysOf(reflect.TypeFor[Config](), "")
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("documented %v\nthere are   %v", got, want)
	}
}

// The defaults in the documentation are those that hold.
func TestDocumentedDefaults(t *testing.T) {
	settings, _ := tables(t)
	c, checked := Default(), 0
	for _, r := range settings {
		if r.keys[0] == "master_key_file" || r.keys[0] == "edge.key_file" {
			continue // made of another one
		}
		for i, key := range r.keys {
			if i >= len(r.rest) || strings.Contains(r.rest[i], "://") {
				continue
			}
			parts := strings.Split(key, ".")
			text := parts[len(parts)-1] + ": " + r.rest[i]
			for _, outer := range slices.Backward(parts[:len(parts)-1]) {
				text = outer + ": {" + text + "}"
			}
			if err := Parse([]byte(text), &c); err != nil {
				t.Errorf("%s: %v", text, err)
			}
			checked++
		}
	}
	if !reflect.DeepEqual(c, Default()) {
		t.Errorf("documented %+v\nthere is   %+v", c, Default())
	}
	if checked < 10 {
		t.Errorf("only %d defaults were found", checked)
	}
}

func TestEveryOrgKeyIsDocumented(t *testing.T) {
	_, orgs := tables(t)
	keys := keysOf(reflect.TypeFor[OrgEntry](), "")
	named := map[string]bool{}
	for _, r := range orgs {
		before, _, nested := strings.Cut(r.keys[0], ".")
		for _, k := range r.keys {
			if !slices.Contains(keys, k) {
				t.Errorf("%s is documented, but is no key", k)
			}
			named[k] = true
		}
		for _, k := range r.rest { // such as "or client_secret_file"
			if nested {
				k = before + "." + k
			}
			named[k] = true
		}
	}
	for _, k := range keys {
		if !named[k] {
			t.Errorf("%s is not documented", k)
		}
	}
}

// samples are the files that docs/edge.md shows, by the name in their first line. A
// part of a file of routes that begins with orgs belongs to the one before.
func samples(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/edge.md")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]string{}
	for i, part := range strings.Split(string(text), "```") {
		block, ok := strings.CutPrefix(part, "yaml\n")
		if !ok || i%2 == 0 {
			continue
		}
		first, rest, _ := strings.Cut(block, "\n")
		name := strings.TrimPrefix(first, "# ")
		if !slices.Contains([]string{"turnout.yaml", "routes.yaml", "blue-1.yaml", "green-1.yaml", "waves.yaml"}, name) {
			t.Fatalf("a sample begins with %q, which names no file", first)
		}
		if n := len(files[name]); strings.HasPrefix(rest, "orgs:") && n > 0 {
			files[name][n-1] += block
		} else {
			files[name] = append(files[name], block)
		}
	}
	return files
}

// The settings that docs/edge.md shows are an edge's: nothing in them is unknown and
// nothing is missing.
func TestDocumentedEdges(t *testing.T) {
	files := samples(t)
	t.Chdir(t.TempDir())
	if len(files["turnout.yaml"]) != 2 {
		t.Fatalf("%d edges are shown, want one alone and one with a store", len(files["turnout.yaml"]))
	}
	for i, text := range files["turnout.yaml"] {
		if err := os.WriteFile("turnout.yaml", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := LoadEdge("turnout.yaml", nil)
		if err != nil || cfg.Edge.Routes != "routes.yaml" || cfg.Edge.HasStore() != (i == 1) || (cfg.Edge.TLSListen != "") != (i == 1) {
			t.Errorf("%v; it reads %+v", err, cfg.Edge)
		}
	}
}

// The instance that docs/edge.md shows is where its routes look for it.
func TestDocumentedInstance(t *testing.T) {
	files := samples(t)
	t.Chdir(t.TempDir())
	if err := os.WriteFile("blue-1.yaml", []byte(files["blue-1.yaml"][0]), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := Load("blue-1.yaml", nil)
	if err != nil || !strings.Contains(files["routes.yaml"][0], `"http://`+cfg.Listen+`"`) {
		t.Errorf("%v; it listens at %s", err, cfg.Listen)
	}
}

// The instance of another stack that docs/edge.md shows is one, beside the first ones.
func TestDocumentedInstanceOfAnotherStack(t *testing.T) {
	files := samples(t)
	t.Chdir(t.TempDir())
	for _, name := range []string{"blue-1.yaml", "green-1.yaml"} {
		if err := os.WriteFile(name, []byte(files[name][0]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	blue, err := Load("blue-1.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	green, err := Load("green-1.yaml", nil)
	if err != nil || green.Stack != "green" || green.Data != blue.Data || green.Listen == blue.Listen || green.AdminListen == blue.AdminListen {
		t.Errorf("%v; it is %+v", err, green)
	}
}

// The routes that docs/edge.md shows are routes, of every org that it names.
func TestDocumentedRoutes(t *testing.T) {
	files := samples(t)
	t.Chdir(t.TempDir())
	for i, regions := range []int{1, 2} {
		if err := os.WriteFile("routes.yaml", []byte(files["routes.yaml"][i]), 0o600); err != nil {
			t.Fatal(err)
		}
		plan, err := Routes("routes.yaml", false)
		if err != nil {
			t.Fatal(err)
		}
		table, err := routing.New(plan)
		if err != nil {
			t.Fatal(err)
		}
		if r, ok := table.Lookup("events.acme.example"); !ok || len(r.Current.Pools) != regions {
			t.Errorf("it routes %+v", r)
		}
	}
}

// The waves that docs/edge.md shows are a plan, with the defaults that it names.
func TestDocumentedWaves(t *testing.T) {
	text := samples(t)["waves.yaml"][0]
	shown, err := Waves([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	bare := regexp.MustCompile(`(?m)^(window|pause):.*\n`).ReplaceAllString(text, "")
	if unsaid, err := Waves([]byte(bare)); err != nil || bare == text || !reflect.DeepEqual(unsaid, shown) {
		t.Errorf("without window and pause it is %+v and not %+v, %v", unsaid, shown, err)
	}
}
