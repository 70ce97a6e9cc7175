package config

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/turnout-events/turnout/internal/load/scenario"
)

func TestScenariosThatAreShipped(t *testing.T) {
	for _, name := range scenario.Names() {
		text, ok := scenario.BuiltIn(name)
		if !ok {
			t.Fatalf("there is no %s", name)
		}
		s, err := Scenario(text)
		if err != nil {
			t.Errorf("%s:\n%v", name, err)
			continue
		}
		if s.Name != name || s.About == "" || len(s.Thresholds) == 0 {
			t.Errorf("%s: %+v", name, s)
		}
	}
	samples, err := scenario.Samples()
	if err != nil || len(samples) != 3 {
		t.Fatalf("%d samples, %v", len(samples), err)
	}
	for name, text := range samples {
		if _, err := Scenario(text); err != nil {
			t.Errorf("%s:\n%v", name, err)
		}
		if comments := strings.Count(string(text), "\n#") + strings.Count(string(text), " #"); comments < 5 {
			t.Errorf("%s has %d comments", name, comments)
		}
	}
	shown, err := filepath.Glob("../../docs/scenarios/*.yaml")
	if err != nil || len(shown) == 0 {
		t.Fatal(shown, err)
	}
	for _, name := range shown {
		text, err := os.ReadFile(name)
		if err == nil {
			_, err = Scenario(text)
		}
		if err != nil {
			t.Errorf("%s:\n%v", name, err)
		}
	}
	if _, ok := scenario.BuiltIn("smoke/../soak"); ok {
		t.Error("a path is a name")
	}
}

// Every fault is told at once, each with its line.
func TestScenarioFaults(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "scenario-faults.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = Scenario(text)
	if err == nil {
		t.Fatal("it is taken")
	}
	var want []string
	for i, line := range strings.Split(string(text), "\n") {
		if _, comment, ok := strings.Cut(line, "# fault: "); ok {
			for one := range strings.SplitSeq(comment, "; ") {
				want = append(want, "["+strconv.Itoa(i+1)+":*] "+one)
			}
		}
	}
	got := strings.Split(err.Error(), "\n")
	for _, w := range want {
		line, says, _ := strings.Cut(w, ":*] ")
		if !slices.ContainsFunc(got, func(g string) bool { return strings.HasPrefix(g, line+":") && strings.Contains(g, says) }) {
			t.Errorf("nobody says %s", w)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d faults, want %d:\n%v", len(got), len(want), err)
	}
}

// Whatever a file holds, reading it ends, and what is taken can be run on any scale.
func FuzzScenario(f *testing.F) {
	for _, name := range scenario.Names() {
		text, _ := scenario.BuiltIn(name)
		f.Add(text)
	}
	f.Add([]byte("name: x\nduration: 1s\ncrowds: [{name: a, visitors: 1, arrive: {how: at-once}, journeys: [{steps: [{name: s, open: /}]}]}]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Scenario(text)
		if (s == nil) == (err == nil) {
			t.Fatalf("%v, %v", s, err)
		}
		if err != nil {
			return
		}
		scaled := s.Scaled(scenario.Scale{Rate: 10, Sessions: 5, Duration: s.Duration * 2, Allowance: 3})
		if len(scaled.Crowds) != len(s.Crowds) || scaled.AskedLinks() < 0 {
			t.Errorf("%+v", scaled)
		}
		for _, c := range scaled.Crowds {
			n := 0
			for at := range scaled.Plan(c).Times(rngOf(1)) {
				if n++; at < 0 || n > 1000 {
					break
				}
			}
		}
	})
}

func rngOf(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }
