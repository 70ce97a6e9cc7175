package schema

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"
)

func TestWhatToDoWithAStore(t *testing.T) {
	known := Known{Steps: []string{"one", "two", "three"}, ReadableFrom: 2}
	for name, c := range map[string]struct {
		have, from int
		missing    int    // steps that whoever upgrades applies
		upgrading  string // words of its error
		asItIs     string // words of the error for whoever does not
	}{
		"never made":         {0, 0, 3, "", "no store"},
		"older":              {1, 1, 2, "", "turnout serve"},
		"its own":            {3, 2, 0, "", ""},
		"newer, expanded":    {4, 2, 0, "", ""},
		"newer, contracted":  {4, 4, 0, "newer program", "newer program"},
		"newer, by its next": {5, 3, 0, "", ""},
	} {
		missing, err := known.Missing(c.have, c.from)
		if len(missing) != c.missing || !says(err, c.upgrading) {
			t.Errorf("%s: %d steps, %v", name, len(missing), err)
		}
		if err := known.Usable(c.have, c.from); !says(err, c.asItIs) {
			t.Errorf("%s, as it is: %v", name, err)
		}
		if err := known.Opens(c.have, c.from, true); !says(err, c.asItIs) {
			t.Errorf("%s, opened as it is: %v", name, err)
		}
		if err := known.Opens(c.have, c.from, false); !says(err, c.upgrading) {
			t.Errorf("%s, opened to be upgraded: %v", name, err)
		}
	}
	if err := known.Usable(0, 0); !errors.Is(err, ErrNothing) {
		t.Errorf("never made: %v", err)
	}
}

// says tells whether err is one line with these words, or nil for none.
func says(err error, words string) bool {
	if words == "" || err == nil {
		return words == "" && err == nil
	}
	return strings.Contains(err.Error(), words) && !strings.Contains(err.Error(), "\n")
}

func TestStepsAreReadInOrder(t *testing.T) {
	known, err := Read(fstest.MapFS{
		"schema/0002_b.sql": {Data: []byte("b;\n")}, "schema/0001_a.sql": {Data: []byte("a\n")}, "schema/notes.txt": {},
	}, 1)
	if err != nil || strings.Join(known.Steps, " ") != "a b" || known.ReadableFrom != 1 {
		t.Errorf("%+v, %v", known, err)
	}
}
