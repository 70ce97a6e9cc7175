package config

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/migration"
)

func TestWaves(t *testing.T) {
	got, err := Waves([]byte("to: green\nwaves:\n- orgs: [acme, beta]\n- count: 10\n- {orgs: [gamma], all: true}\n"))
	want := migration.Plan{To: "green", Window: turnout.Night(), Pause: 12 * time.Hour, Waves: []migration.Wave{
		{Orgs: []turnout.OrgID{"acme", "beta"}}, {Count: 10}, {Orgs: []turnout.OrgID{"gamma"}, All: true},
	}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	got, err = Waves([]byte("to: green\nwindow: 22:00-04:30\npause: 0s\nwaves: [{all: true}]\n"))
	if err != nil || got.Pause != 0 || got.Window != (turnout.Window{Opens: 22 * 60, Closes: 4*60 + 30}) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestFaultsOfWaves(t *testing.T) {
	for text, wants := range map[string][]string{
		"to: green\nwaves: [{all: true}]\nwindw: x\n":    {`[3:1] unknown key "windw": did you mean window?`, "\n[3:8] windw: use two different times of a day such as 01:00-05:00"},
		"to: green\nwaves: [{all: true}]\nwindow: [1]\n": {"window: use two different times"},
		"": {"to: name the stack", "waves: list at least one"},
		"to: green\nwindow: 05:00-05:00\npause: -1h\nwaves: [{}, {count: -1}, {count: many}, {orgs: acme}, {size: 3}, {count: 1, all: true}]\n": {
			"window: use two different times of a day", "waves[5]: use count or all, not both", "pause: use a time", "waves[0]: use orgs", "waves[1]: use orgs",
			"waves[2].count: use a whole number", "waves[3].orgs: use a list", `unknown key "waves[4].size"`,
		},
	} {
		_, err := Waves([]byte(text))
		for _, want := range wants {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: no word of %q in %v", text, want, err)
			}
		}
		if err != nil && strings.Contains(text, "windw") && strings.Contains(err.Error(), "\nwindow:") {
			t.Errorf("%q: a key is spoken of that is not in it: %v", text, err)
		}
	}
}
