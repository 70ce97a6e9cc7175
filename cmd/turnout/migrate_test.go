package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/app"
	"github.com/turnout-events/turnout/internal/config"
)

// P9: status shows what is in somebody's way, and a rollback of all takes every wave back.
func TestP9StatusAndRollbackOfAll(t *testing.T) {
	dir := t.TempDir()
	routes := filepath.Join(dir, "routes.yaml")
	text := ""
	for i, stack := range []string{"blue", "green"} {
		text += fmt.Sprintf("- {name: %s, pools: [{region: here, upstreams: [{name: u%d, url: \"http://127.0.0.1:%d\"}]}]}\n", stack, i, i+1)
	}
	if err := os.WriteFile(routes, []byte("stacks:\n"+text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TURNOUT_DATA", filepath.Join(dir, "data"))
	t.Setenv("TURNOUT_EDGE_ROUTES", routes)
	cfg, err := config.Load("", os.Environ())
	if err != nil {
		t.Fatal(err)
	}
	e, err := app.OpenEngines(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for id, m := range map[turnout.OrgID]turnout.Move{
		"first":  {Wave: 1, State: turnout.MoveDone},
		"second": {Wave: 2, State: turnout.MoveDone},
		"third":  {Wave: 3, State: turnout.MoveWaiting, Obstacle: "no instance of stack green is up"},
	} {
		m.From, m.To, m.Window, m.At = "blue", "green", turnout.Window{Closes: 24 * 60}, now
		o := turnout.Org{ID: id, Mapping: "turnout", Placement: turnout.Placement{Stack: map[bool]string{true: "green", false: "blue"}[m.State == turnout.MoveDone]}, Move: &m}
		if err := e.Store.SetOrg(t.Context(), o, []byte("s"), now); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args  []string
		wants []string
	}{
		{[]string{"status"}, []string{"as soon as it can: no instance of stack green is up", "1 waiting, 2 moved; an edge looks within 15 s"}},
		{[]string{"rollback", "--all"}, []string{"first is back\nsecond is back\n2 orgs went back; 1 org that waited is held\n"}},
		{[]string{"status"}, []string{"until turnout migrate start", "1 held, 2 rolled back"}},
	} {
		var out bytes.Buffer
		cmd := root()
		cmd.SetOut(&out)
		cmd.SetArgs(append([]string{"migrate"}, c.args...))
		if err := cmd.ExecuteContext(t.Context()); err != nil {
			t.Fatalf("%v: %v", c.args, err)
		}
		for _, want := range c.wants {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%v lacks %q:\n%s", c.args, want, &out)
			}
		}
	}
}
