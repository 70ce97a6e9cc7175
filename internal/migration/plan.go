package migration

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/turnout-events/turnout"
)

// Plan says which orgs move to a stack, in what order, and when.
type Plan struct {
	To    string
	Waves []Wave
	// Window is when an org may move, by its own clock.
	Window turnout.Window
	// Pause is between the last cutover of a wave and the first of the next.
	Pause time.Duration
}

// Wave is the orgs that move together: those that it names; or a number of those that
// no wave names and that are elsewhere, in order of their ids; or all that are left of
// these.
type Wave struct {
	Orgs  []turnout.OrgID
	Count int
	All   bool
}

// assign gives each org that moves the number of its wave, or lists everything that is
// wrong with the plan.
func (p Plan) assign(orgs []turnout.Org) (map[turnout.OrgID]int, error) {
	a := assignment{waves: map[turnout.OrgID]int{}, there: map[turnout.OrgID]bool{}}
	for _, o := range orgs {
		a.there[o.ID] = o.Placement.Stack == p.To
	}
	for i, w := range p.Waves {
		for _, id := range w.Orgs {
			a.name(id, i+1, p.To)
		}
	}
	var left []turnout.OrgID
	for _, o := range orgs {
		if a.waves[o.ID] == 0 && !a.there[o.ID] {
			left = append(left, o.ID)
		}
	}
	for i, w := range p.Waves {
		n := min(w.Count, len(left))
		if w.All {
			n = len(left)
		}
		if n == 0 && len(w.Orgs) == 0 {
			a.fault("wave %d: no org is left for it", i+1)
		}
		for _, id := range left[:n] {
			a.waves[id] = i + 1
		}
		left = left[n:]
	}
	return a.waves, errors.Join(a.faults...)
}

type assignment struct {
	waves map[turnout.OrgID]int
	// there are all orgs that are set up, and whether they are on the stack already.
	there  map[turnout.OrgID]bool
	faults []error
}

func (a *assignment) fault(format string, args ...any) {
	a.faults = append(a.faults, turnout.Errorf(turnout.CodeInvalid, "plan migration", format, args...))
}

func (a *assignment) name(id turnout.OrgID, wave int, to string) {
	there, known := a.there[id]
	switch {
	case !known:
		a.fault("wave %d: org %s is not set up", wave, id)
	case there:
		a.fault("wave %d: org %s is on %s already", wave, id, to)
	case a.waves[id] != 0:
		a.fault("wave %d: org %s is in wave %d, too", wave, id, a.waves[id])
	default:
		a.waves[id] = wave
	}
}

// Plan keeps p in place of what was planned before. Nothing moves until Start. It is
// CodeInvalid with everything that is wrong with p, and CodeConflict while a migration
// is under way.
func (m *Migration) Plan(ctx context.Context, p Plan) error {
	orgs, err := m.o.Orgs.Orgs(ctx)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(orgs, waits) {
		return turnout.Errorf(turnout.CodeConflict, "plan migration", "a migration is under way; turnout migrate rollback stops it")
	}
	waves, err := p.assign(orgs)
	if err != nil {
		return err
	}
	for _, o := range orgs {
		wave := waves[o.ID]
		if wave == 0 && o.Move == nil {
			continue
		}
		now := m.o.Now()
		if err := m.o.Orgs.ChangeOrg(ctx, o.ID, func(o turnout.Org) (turnout.Org, error) { return p.planned(o, wave, now) }, now); err != nil {
			return fmt.Errorf("%w; what was planned so far is replaced when you plan again", err)
		}
	}
	return nil
}

// planned is o as the plan has it, which wave 0 leaves out.
func (p Plan) planned(o turnout.Org, wave int, now time.Time) (turnout.Org, error) {
	switch {
	case waits(o):
		return o, turnout.Errorf(turnout.CodeConflict, "plan migration", "org %s began to wait meanwhile", o.ID)
	case wave == 0:
		o.Move = nil
		return o, nil
	}
	o.Move = &turnout.Move{
		From: o.Placement.Stack, To: p.To, Wave: wave, Window: p.Window, Pause: p.Pause, State: turnout.MovePlanned, At: now.UTC(),
	}
	return o, nil
}

func waits(o turnout.Org) bool { return o.Move != nil && o.Move.State == turnout.MoveWaiting }

func moved(o turnout.Org) bool { return o.Move != nil && o.Move.State == turnout.MoveDone }
