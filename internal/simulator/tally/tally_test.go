package tally

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestSaveAndLoad(t *testing.T) {
	dir := t.TempDir()
	if c, err := Load(dir); err != nil || !reflect.DeepEqual(c, Counts{}) {
		t.Fatalf("an empty directory: %+v %v", c, err)
	}
	want := Counts{Calls: map[string]int{"query": 3}, Batches: map[string]map[int]int{"collections_upsert": {200: 7}},
		Hours: map[int64]int{480000: 10}, Duplicates: 2, MaxPerLock: 1, Lost: 4, Locked: 5}
	for range 2 {
		if err := Save(dir, want); err != nil {
			t.Fatal(err)
		}
	}
	if c, err := Load(dir); err != nil || !reflect.DeepEqual(c, want) {
		t.Fatalf("%+v %v", c, err)
	}
}

// Damaged counters stand aside: they are no reason not to start.
func TestDamagedCountersStandAside(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := Load(dir); !errors.Is(err, ErrDamaged) || !reflect.DeepEqual(c, Counts{}) {
		t.Fatalf("%+v %v", c, err)
	}
	if _, err := Load(dir); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, name+".damaged")); err != nil {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"calls":{"query":1},"hours":{"480000":2},"batches":{"a":{"200":1}}}`))
	f.Add([]byte(`{"calls":{"query":-1}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse(text)
		for _, n := range c.Hours {
			if err == nil && n < 0 {
				t.Errorf("%q", text)
			}
		}
	})
}
