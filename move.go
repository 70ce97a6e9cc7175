package turnout

import (
	"fmt"
	"reflect"
	"time"
)

// Move is an org's part in a migration (P9): from the stack that it lives on to
// another one, with a wave of orgs, in a window of its own night. An org has one at
// most; it rests with the org's settings, so that its flag and what is known of the
// migration change in one step.
type Move struct {
	// From is the stack that the org lives on before, as its placement names it: empty
	// for the first one that an edge knows. To is the one after.
	From string `json:"from,omitempty"`
	To   string `json:"to"`
	// Wave is the number of its wave, from 1 on.
	Wave int `json:"wave"`
	// Window is when it may move, by the org's clock.
	Window Window `json:"window"`
	// Pause is how long after the last cutover of the waves before it comes its own.
	Pause time.Duration `json:"pause"`
	State MoveState     `json:"state"`
	// At is since when it is in this state.
	At time.Time `json:"at"`
	// Obstacle is why it does not move though its time has come; empty for nothing.
	Obstacle string `json:"obstacle,omitempty"`
}

// MoveState is how far a Move is.
type MoveState string

const (
	// MovePlanned: the migration was not started.
	MovePlanned MoveState = "planned"
	// MoveWaiting: it goes when its wave, its night and the stack are ready.
	MoveWaiting MoveState = "waiting"
	// MoveHeld: it waited, and a rollback stopped the migration; it goes on when that is
	// started again.
	MoveHeld MoveState = "held"
	// MoveDone: new sessions go to Move.To.
	MoveDone MoveState = "moved"
	// MoveBack: it was there, and a rollback took it back to Move.From.
	MoveBack MoveState = "rolled back"
)

// Cutover is o on the stack that it waits to move to. It is CodeConflict where o does
// not wait, or was put elsewhere by hand.
func (o Org) Cutover(now time.Time) (Org, error) {
	if o.Move == nil || o.Move.State != MoveWaiting {
		return o, Errorf(CodeConflict, "move org", "org %s does not wait to be moved", o.ID)
	}
	if o.Placement.Stack != o.Move.From {
		return o, Errorf(CodeConflict, "move org", "org %s was put on another stack since it was planned; plan again", o.ID)
	}
	return o.placed(o.Move.To, MoveDone, now), nil
}

// Rollback is o on the stack that it was moved from; CodeConflict where it was not.
func (o Org) Rollback(now time.Time) (Org, error) {
	if o.Move == nil || o.Move.State != MoveDone {
		return o, Errorf(CodeConflict, "move org back", "org %s was not moved by a migration", o.ID)
	}
	return o.placed(o.Move.From, MoveBack, now), nil
}

// placed is o on a stack. Sessions that began where it is now end there.
func (o Org) placed(stack string, state MoveState, now time.Time) Org {
	before := o.Placement
	o.Placement.Stack, o.Placement.Previous = stack, ""
	o.Placement = o.Placement.MovedFrom(before)
	return o.in(state, now)
}

// in is o with its move in another state.
func (o Org) in(state MoveState, now time.Time) Org {
	m := *o.Move
	m.State, m.At, m.Obstacle = state, now.UTC(), ""
	o.Move = &m
	return o
}

// Released is o waiting, after it was planned or held; CodeConflict where it is in
// another state, or was put elsewhere by hand.
func (o Org) Released(now time.Time) (Org, error) {
	if o.Move == nil || o.Move.State != MovePlanned && o.Move.State != MoveHeld {
		return o, Errorf(CodeConflict, "start migration", "org %s is not planned to move", o.ID)
	}
	if o.Placement.Stack != o.Move.From {
		return o, Errorf(CodeConflict, "start migration", "org %s was put on another stack since it was planned; plan again", o.ID)
	}
	return o.in(MoveWaiting, now), nil
}

// Halted is o held; CodeConflict where it does not wait.
func (o Org) Halted(now time.Time) (Org, error) {
	if o.Move == nil || o.Move.State != MoveWaiting {
		return o, Errorf(CodeConflict, "hold move", "org %s does not wait to be moved", o.ID)
	}
	return o.in(MoveHeld, now), nil
}

// Hindered is o waiting behind an obstacle; CodeConflict where it does not wait.
func (o Org) Hindered(obstacle string) (Org, error) {
	if o.Move == nil || o.Move.State != MoveWaiting {
		return o, Errorf(CodeConflict, "note obstacle", "org %s does not wait to be moved", o.ID)
	}
	m := *o.Move
	m.Obstacle = obstacle
	o.Move = &m
	return o, nil
}

// Differs reports whether anything but the move is different in other.
func (o Org) Differs(other Org) bool {
	o.Move, other.Move = nil, nil
	return !reflect.DeepEqual(o, other)
}

// Replaces is what an org's settings become where an operator sets o in place of
// before: what a stack has left behind stays known, and so does a migration. While
// there is one, settings that name no stack leave that as it is, and CodeConflict
// refuses those that would undo the migration in silence: that put an org elsewhere
// that waits or was moved, and one that was taken back where it came from.
func (o Org) Replaces(before Org) (Org, error) {
	o.Move = before.Move
	if o.Move != nil {
		if o.Placement.Stack == "" {
			o.Placement.Stack = before.Placement.Stack
		}
		if why := o.Move.against(o.Placement.Stack); why != "" && o.Placement.Stack != before.Placement.Stack {
			return o, Errorf(CodeConflict, "write org", "org %s: placement.stack: %s; %s", o.ID, why, before.advice())
		}
	}
	o.Placement = o.Placement.MovedFrom(before.Placement)
	return o, nil
}

// against is why an org in a migration may not be put on a stack by hand; empty where
// it may.
func (m *Move) against(stack string) string {
	switch {
	case m.State == MoveWaiting:
		return fmt.Sprintf("it waits to be moved to %s, and turnout migrate rollback stops that", m.To)
	case m.State == MoveDone:
		return fmt.Sprintf("a migration has moved it to %s, and turnout migrate rollback takes it back", m.To)
	case m.State == MoveBack && stack == m.To:
		return fmt.Sprintf("a rollback took it back from %s, and turnout migrate plan moves it there again", m.To)
	}
	return ""
}

func (o Org) advice() string {
	if o.Placement.Stack == "" {
		return "leave it out"
	}
	return "write " + o.Placement.Stack + ", or leave it out"
}
