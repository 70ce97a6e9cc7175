package turnout_test

import (
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
)

var night = time.Date(2026, 11, 27, 2, 0, 0, 0, time.UTC)

// moving is an org on blue that is to move to green.
func moving(state turnout.MoveState) turnout.Org {
	return turnout.Org{
		ID: "acme", Placement: turnout.Placement{Stack: "blue", Home: "emea"},
		Move: &turnout.Move{From: "blue", To: "green", Wave: 1, Window: turnout.Night(), State: state},
	}
}

// P9: a flag goes one step at a time, and the step back leads where it came from.
func TestP9ThereAndBack(t *testing.T) {
	o := moving(turnout.MovePlanned)
	for _, step := range []struct {
		do              func(turnout.Org, time.Time) (turnout.Org, error)
		stack, previous string
		state           turnout.MoveState
	}{
		{turnout.Org.Released, "blue", "", turnout.MoveWaiting},
		{turnout.Org.Halted, "blue", "", turnout.MoveHeld},
		{turnout.Org.Released, "blue", "", turnout.MoveWaiting},
		{turnout.Org.Cutover, "green", "blue", turnout.MoveDone},
		{turnout.Org.Rollback, "blue", "green", turnout.MoveBack},
	} {
		before := *o.Move
		after, err := step.do(o, night)
		if err != nil {
			t.Fatalf("%s: %v", step.state, err)
		}
		if *o.Move != before {
			t.Errorf("%s: the org that it was made of changed, too", step.state)
		}
		o = after
		if p := o.Placement; p.Stack != step.stack || p.Previous != step.previous || p.Home != "emea" || o.Move.State != step.state || !o.Move.At.Equal(night) {
			t.Errorf("%s: %+v, %+v", step.state, p, o.Move)
		}
	}
}

// P9: no step is done twice, or out of turn, or where somebody moved the org by hand.
func TestP9NoStepOutOfTurn(t *testing.T) {
	steps := map[string]struct {
		do    func(turnout.Org, time.Time) (turnout.Org, error)
		where []turnout.MoveState
	}{
		"start":    {turnout.Org.Released, []turnout.MoveState{turnout.MovePlanned, turnout.MoveHeld}},
		"halt":     {turnout.Org.Halted, []turnout.MoveState{turnout.MoveWaiting}},
		"cutover":  {turnout.Org.Cutover, []turnout.MoveState{turnout.MoveWaiting}},
		"rollback": {turnout.Org.Rollback, []turnout.MoveState{turnout.MoveDone}},
		"hinder": {func(o turnout.Org, _ time.Time) (turnout.Org, error) { return o.Hindered("nobody is there") },
			[]turnout.MoveState{turnout.MoveWaiting}},
	}
	for name, s := range steps {
		for _, state := range []turnout.MoveState{turnout.MovePlanned, turnout.MoveWaiting, turnout.MoveHeld, turnout.MoveDone, turnout.MoveBack} {
			want := turnout.CodeConflict
			for _, ok := range s.where {
				if ok == state {
					want = ""
				}
			}
			if _, err := s.do(moving(state), night); turnout.CodeOf(err) != want {
				t.Errorf("%s while %s: %v", name, state, err)
			}
		}
		if _, err := s.do(turnout.Org{ID: "acme"}, night); turnout.CodeOf(err) != turnout.CodeConflict {
			t.Errorf("%s without a move: %v", name, err)
		}
	}
	for name, do := range map[string]func(turnout.Org, time.Time) (turnout.Org, error){"cutover": turnout.Org.Cutover, "start": turnout.Org.Released} {
		o := moving(turnout.MoveWaiting)
		if name == "start" {
			o = moving(turnout.MovePlanned)
		}
		o.Placement.Stack = "red"
		if _, err := do(o, night); turnout.CodeOf(err) != turnout.CodeConflict {
			t.Errorf("%s of an org that was moved by hand: %v", name, err)
		}
	}
}

// P9: an org on the first stack that an edge knows names none.
func TestP9FromTheFirstStack(t *testing.T) {
	o := moving(turnout.MoveWaiting)
	o.Placement.Stack, o.Move.From = "", ""
	o, err := o.Cutover(night)
	if err != nil || o.Placement.Stack != "green" || o.Placement.Previous != turnout.FirstStack {
		t.Fatalf("there: %+v, %v", o.Placement, err)
	}
	if o, err = o.Rollback(night); err != nil || o.Placement.Stack != "" || o.Placement.Previous != "green" {
		t.Errorf("back: %+v, %v", o.Placement, err)
	}
}

// P9: a file that was written before a migration does not undo it in silence, and one
// that leaves the stack out changes everything else.
func TestP9SettingsDoNotUndoAMigration(t *testing.T) {
	waiting := moving(turnout.MoveWaiting)
	moved, err := waiting.Cutover(night)
	if err != nil {
		t.Fatal(err)
	}
	back, err := moved.Rollback(night)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		before turnout.Org
		stack  string
		// after is the stack, "" for a refusal; hint is what that says.
		after, hint string
	}{
		{"moved, the old file", moved, "blue", "", "has moved it to green, and turnout migrate rollback takes it back; write green, or leave it out"},
		{"moved, a third stack", moved, "red", "", "write green"},
		{"moved, a mended file", moved, "green", "green", ""},
		{"moved, no stack", moved, "", "green", ""},
		{"waiting, the same", waiting, "blue", "blue", ""},
		{"waiting, no stack", waiting, "", "blue", ""},
		{"waiting, there already", waiting, "green", "", "waits to be moved to green"},
		{"planned", moving(turnout.MovePlanned), "red", "red", ""},
		{"held", moving(turnout.MoveHeld), "red", "red", ""},
		{"rolled back", back, "red", "red", ""},
		{"rolled back, the mended file", back, "green", "", "took it back from green, and turnout migrate plan moves it there again; write blue"},
		{"planned, no stack", moving(turnout.MovePlanned), "", "blue", ""},
		{"held, no stack", moving(turnout.MoveHeld), "", "blue", ""},
		{"rolled back, no stack", back, "", "blue", ""},
	} {
		o := turnout.Org{ID: "acme", Name: "Acme Ltd", Placement: turnout.Placement{Stack: c.stack}}
		got, err := o.Replaces(c.before)
		if c.after == "" {
			if turnout.CodeOf(err) != turnout.CodeConflict || !strings.Contains(err.Error(), c.hint) {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err != nil || got.Placement.Stack != c.after || got.Name != "Acme Ltd" || got.Move != c.before.Move {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
	}
	got, err := turnout.Org{Placement: turnout.Placement{Stack: "green"}}.Replaces(turnout.Org{})
	if err != nil || got.Move != nil || got.Placement.Previous != turnout.FirstStack {
		t.Errorf("without a migration: %+v, %v", got, err)
	}
}
