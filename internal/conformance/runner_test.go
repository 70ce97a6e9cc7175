package conformance

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestRunner runs a suite that does everything wrong that a suite can.
func TestRunner(t *testing.T) {
	var passed, failed, said, did []string
	r := Runner{
		Passed: func(part string) { passed = append(passed, part) },
		Failed: func(part string, lines []string) {
			failed = append(failed, part)
			said = append(said, lines...)
		},
	}
	var dir string
	p, f := r.Run(t.Context(), "suite", func(t T) {
		t.Run("Good", func(t T) {
			dir = t.TempDir()
			t.Cleanup(func() { did = append(did, "first") })
			t.Cleanup(func() { did = append(did, "second", t.Name()) })
			t.Run("Inner", func(t T) { t.Logf("fine") })
		})
		t.Run("Bad", func(t T) {
			t.Run("Deep", func(t T) {
				t.Cleanup(func() { did = append(did, "after Fatal") })
				t.Fatalf("wrong: %d", 7)
				did = append(did, "went on")
			})
			t.Run("Other", func(T) {})
		})
		t.Run("Panics", func(T) { panic("ouch") })
		t.Run("CleansUpBadly", func(t T) { t.Cleanup(func() { t.Fatal("cannot close") }) })
		if !t.Failed() {
			did = append(did, "did not notice")
		}
	})
	if p != 1 || f != 3 || !slices.Equal(passed, []string{"Good"}) || !slices.Equal(failed, []string{"Bad/Deep", "Panics", "CleansUpBadly"}) {
		t.Errorf("passed %d: %q, failed %d: %q", p, passed, f, failed)
	}
	if want := []string{"second", "suite/Good", "first", "after Fatal"}; !slices.Equal(did, want) {
		t.Errorf("it did %q, want %q", did, want)
	}
	if text := strings.Join(said, "\n"); !strings.Contains(text, "wrong: 7") || !strings.Contains(text, "panic: ouch") || !strings.Contains(text, "cannot close") {
		t.Errorf("it said %q", said)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the directory is still there")
	}
}

func TestRunnerOfSomeParts(t *testing.T) {
	r := Runner{Only: func(part string) bool { return part == "Second" }}
	p, f := r.Run(t.Context(), "suite", func(t T) {
		t.Run("First", func(t T) { t.Fatal("it was not asked for") })
		t.Run("Second", func(t T) {
			if !t.Run("Inner", func(T) {}) {
				t.Error("what is inside was not run")
			}
		})
	})
	if p != 1 || f != 0 {
		t.Errorf("%d passed, %d failed", p, f)
	}
}

func TestRunnerIsInterrupted(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	p, f := (&Runner{}).Run(ctx, "suite", func(t T) {
		t.Run("First", func(T) {})
		t.Run("Second", func(t T) {
			stop()
			<-t.Context().Done()
		})
		t.Run("Third", func(t T) { t.Fatal("it was begun") })
	})
	if p != 1 || f == 0 {
		t.Errorf("%d passed, %d failed", p, f)
	}
}
