package records

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/turnout-events/turnout/internal/simulator/schema"
)

const testSchema = `
objects:
  - name: Parent__c
    fields:
      - {name: Key__c, type: text, length: 20, externalId: true, unique: true}
  - name: Child__c
    fields:
      - {name: Token__c, type: text, length: 20, externalId: true, unique: true, caseSensitive: true}
      - {name: Cleared__c, type: reference, referenceTo: [Parent__c], childRelationship: Cleared__r}
      - {name: Kept__c, type: reference, referenceTo: [Parent__c], onDelete: Restrict}
      - {name: Bound__c, type: reference, referenceTo: [Parent__c], onDelete: Cascade}
`

func testOrg(t testing.TB) *schema.Schema {
	t.Helper()
	s, err := schema.Load([]byte(testSchema))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func store(t testing.TB, dir string) *Store {
	t.Helper()
	return reopen(t, testOrg(t), dir)
}

func reopen(t testing.TB, org *schema.Schema, dir string) *Store {
	t.Helper()
	made := New(Options{Schema: org, Dir: dir})
	if err := made.Open(); err != nil {
		t.Fatal(err)
	}
	return made
}

func write(t testing.TB, s *Store, op Op, object, id string, values map[string]string) Result {
	t.Helper()
	o := s.Schema().Object(object)
	w := Write{Op: op, Object: o, ID: id}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		w.Sets = append(w.Sets, Set{Field: o.Field(name), Value: values[name]})
	}
	var r Result
	if err := s.Write(func(tx *Tx) error { r = tx.Apply([]Write{w}, false)[0]; return nil }); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestIDs(t *testing.T) {
	// A pair of ids that Salesforce's own help shows.
	if got := Long("001D000000IqhSL"); got != "001D000000IqhSLIAZ" {
		t.Errorf("%s", got)
	}
	for _, n := range []uint32{0, 1, 61, 62, 1 << 20, 1<<32 - 2} {
		id := ID("a0B", n)
		if got, ok := number(id); !ok || got != n || !WellFormed(id) || !WellFormed(id[:15]) || Long(id[:15]) != id {
			t.Errorf("%d: %s %d", n, id, got)
		}
	}
	for _, bad := range []string{"", "a00Sm0000000001IAB", "a00Sm000000000/", "short"} {
		if WellFormed(bad) {
			t.Errorf("%q is well formed", bad)
		}
	}
}

func TestDeleteConstraints(t *testing.T) {
	s := store(t, "")
	parent := write(t, s, Create, "Parent__c", "", map[string]string{"Name": "P"}).ID
	cleared := write(t, s, Create, "Child__c", "", map[string]string{"Name": "C", "Cleared__c": parent}).ID
	bound := write(t, s, Create, "Child__c", "", map[string]string{"Name": "B", "Bound__c": parent}).ID
	kept := write(t, s, Create, "Child__c", "", map[string]string{"Name": "K", "Kept__c": parent}).ID
	if r := write(t, s, Delete, "Parent__c", parent, nil); r.OK() || r.Faults[0].Code != "DELETE_FAILED" {
		t.Fatalf("%+v", r)
	}
	s.Read(func(v View) {
		if _, row := v.ByID(bound); row.Deleted {
			t.Error("a refused delete took a child with it")
		}
	})
	write(t, s, Delete, "Child__c", kept, nil)
	if r := write(t, s, Delete, "Parent__c", parent, nil); !r.OK() {
		t.Fatalf("%+v", r)
	}
	s.Read(func(v View) {
		table, row := v.ByID(cleared)
		if row.Deleted || v.Value(table, row, table.Object.Field("Cleared__c")) != "" {
			t.Error("the lookup did not let go")
		}
		if _, row := v.ByID(bound); !row.Deleted {
			t.Error("the bound child outlived its parent")
		}
	})
	if r := write(t, s, Update, "Child__c", bound, nil); r.OK() || r.Faults[0].Code != "ENTITY_IS_DELETED" {
		t.Errorf("%+v", r)
	}
}

// Random operations, some of them rolled back, leave what a plain model has,
// in every index, before and after a restart.
func TestAgainstAModel(t *testing.T) {
	dir := t.TempDir()
	s := store(t, dir)
	random := rand.New(rand.NewPCG(1, 2))
	var parents [3]string
	for i := range parents {
		parents[i] = write(t, s, Create, "Parent__c", "", map[string]string{"Name": "P"}).ID
	}
	model := map[string][2]string{} // id → token, parent
	ids := []string{}
	for range 4000 {
		token, parent := fmt.Sprintf("T%d", random.IntN(300)), parents[random.IntN(3)]
		taken := ""
		for id, row := range model {
			if row[0] == token {
				taken = id
			}
		}
		values := map[string]string{"Name": "C", "Token__c": token, "Bound__c": parent}
		switch kind := random.IntN(4); {
		case kind == 0 || len(ids) == 0:
			if r := write(t, s, Create, "Child__c", "", values); r.OK() != (taken == "") {
				t.Fatalf("create %s: %+v", token, r)
			} else if r.OK() {
				model[r.ID], ids = [2]string{token, parent}, append(ids, r.ID)
			}
		case kind == 1:
			id := ids[random.IntN(len(ids))]
			_, live := model[id]
			if r := write(t, s, Update, "Child__c", id, values); r.OK() != (live && (taken == "" || taken == id)) {
				t.Fatalf("update %s: %+v", token, r)
			} else if r.OK() {
				model[id] = [2]string{token, parent}
			}
		case kind == 2:
			id := ids[random.IntN(len(ids))]
			write(t, s, Delete, "Child__c", id, nil)
			delete(model, id)
		default:
			o := s.Schema().Object("Child__c")
			_ = s.Write(func(tx *Tx) error {
				tx.Apply([]Write{{Op: Delete, Object: o, ID: ids[random.IntN(len(ids))]},
					{Op: Create, Object: o, Sets: []Set{{Field: o.Field("Name"), Value: "x"}, {Field: o.Field("Token__c"), Value: "rolled" + token}}}}, false)
				return fmt.Errorf("taken back")
			})
		}
	}
	compare(t, s, model, parents)
	again := store(t, dir) // the first one was not closed, as after a kill
	compare(t, again, model, parents)
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	compare(t, store(t, dir), model, parents)
}

func compare(t *testing.T, s *Store, model map[string][2]string, parents [3]string) {
	t.Helper()
	s.Read(func(v View) {
		table := v.Table(s.Schema().Object("Child__c"))
		token, bound := table.Object.Field("Token__c"), table.Object.Field("Bound__c")
		if table.Live() != len(model) {
			t.Fatalf("%d records, not %d", table.Live(), len(model))
		}
		children := 0
		for _, parent := range parents {
			children += len(table.Find(bound, parent))
		}
		if children != len(model) {
			t.Errorf("%d children are indexed, not %d", children, len(model))
		}
		for id, want := range model {
			found := table.Find(token, want[0])
			if len(found) != 1 || table.ID(table.At(found[0])) != id || table.At(found[0]).Values[bound.Index] != want[1] {
				t.Errorf("%s is not found by %s", id, want[0])
			}
		}
		seen, last := 0, int64(0)
		table.Since(0, func(row *Row) bool {
			if row.Stamp < last {
				t.Error("the order goes back in time")
			}
			last = row.Stamp
			seen++
			return true
		})
		if seen != table.Len() {
			t.Errorf("the order has %d of %d records", seen, table.Len())
		}
	})
}

// A process that dies while it writes leaves a torn tail; what came before is
// kept, and the next write goes where the tail began (P1 needs this of a
// simulator that is killed in tests).
func TestTornTail(t *testing.T) {
	dir := t.TempDir()
	s := store(t, dir)
	for i := range 3 {
		write(t, s, Create, "Parent__c", "", map[string]string{"Name": fmt.Sprint("P", i)})
	}
	whole, err := os.ReadFile(filepath.Join(dir, journalName))
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(whole) {
		torn := t.TempDir()
		if err := os.WriteFile(filepath.Join(torn, journalName), whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		again := reopen(t, s.Schema(), torn)
		kept := again.tables[again.schema.Object("Parent__c")].Live()
		write(t, again, Create, "Parent__c", "", map[string]string{"Name": "after"})
		third := reopen(t, s.Schema(), torn)
		if got := third.tables[third.schema.Object("Parent__c")].Live(); got != kept+1 || kept > 2 {
			t.Fatalf("cut at %d of %d: %d records, then %d", cut, len(whole), kept, got)
		}
	}
}

// Stamps never go back, even when the clock does.
func TestStampsNeverGoBack(t *testing.T) {
	org := testOrg(t)
	now := time.UnixMilli(1_800_000_000_000)
	s := New(Options{Schema: org, Now: func() time.Time { now = now.Add(-time.Second); return now }})
	last := ""
	for range 5 {
		id := write(t, s, Create, "Parent__c", "", map[string]string{"Name": "P"}).ID
		s.Read(func(v View) {
			table, row := v.ByID(id)
			if stamp := v.Value(table, row, table.Object.Field("SystemModstamp")); stamp < last {
				t.Errorf("%s after %s", stamp, last)
			} else {
				last = stamp
			}
		})
	}
}

func FuzzJournal(f *testing.F) {
	dir := f.TempDir()
	s := store(f, dir)
	write(f, s, Create, "Parent__c", "", map[string]string{"Name": "P"})
	whole, err := os.ReadFile(filepath.Join(dir, journalName))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Fuzz(func(t *testing.T, data []byte) {
		empty := New(Options{Schema: s.Schema()})
		objects := map[uint64]declaration{}
		if len(data) > 0 {
			_ = load(data, empty, objects) // past the checksum, which a fuzzer cannot guess
		}
		for at := 0; at+frameHead < len(whole); {
			body, err := nextFrame(bytes.NewReader(whole[at:]), make([]byte, frameHead))
			if err != nil {
				break
			}
			if err := load(body, empty, objects); err != nil {
				t.Skip("the fuzzed declaration took a number of the journal's")
			}
			at += frameHead + len(body)
		}
	})
}
