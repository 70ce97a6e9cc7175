package migration

import (
	"cmp"
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

// Wave is the orgs that move together: those that it names, and a number of those that
// no wave names and that are elsewhere, in order of their ids, or all that are left of
// these.
type Wave struct {
	Orgs  []turnout.OrgID
	Count int
	All   bool
}

// Plan keeps p in place of what was planned before. Nothing moves until Start. Orgs that
// an earlier migration moved, and that p does not name, keep their way back, and p's waves
// come after theirs. It is CodeInvalid with everything that is wrong with p, and
// CodeConflict while a migration is under way.
func (m *Migration) Plan(ctx context.Context, p Plan) error {
	orgs, err := m.o.Orgs.Orgs(ctx)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(orgs, waits) {
		return turnout.Errorf(turnout.CodeConflict, "plan migration", "a migration is under way; turnout migrate rollback stops it")
	}
	waves, err := m.assign(p, orgs)
	if err != nil {
		return turnout.Wrap(turnout.CodeInvalid, "plan migration", err)
	}
	base := 0
	for _, o := range orgs {
		if moved(o) && waves[o.ID] == 0 {
			base = max(base, o.Move.Wave)
		}
	}
	for _, o := range orgs {
		wave := waves[o.ID]
		if wave == 0 && (o.Move == nil || moved(o)) {
			continue
		}
		now := m.o.Now()
		if err := m.o.Orgs.UpdateOrg(ctx, o.ID, func(o turnout.Org) (turnout.Org, error) { return m.planned(p, o, wave, base, now) }, now); err != nil {
			return fmt.Errorf("%w; a part of it is kept, which another plan replaces", err)
		}
	}
	return nil
}

// planned is o as the plan has it, which wave 0 leaves out. Whoever names no stack is on
// the first one, and names it from now on: the way back leads there, whichever is the
// first then.
func (m *Migration) planned(p Plan, o turnout.Org, wave, base int, now time.Time) (turnout.Org, error) {
	switch {
	case waits(o):
		return o, turnout.Errorf(turnout.CodeConflict, "plan migration", "org %s began to wait meanwhile; turnout migrate rollback stops that", o.ID)
	case wave == 0:
		o.Move = nil
		return o, nil
	}
	o.Placement.Stack = m.stack(o)
	o.Move = &turnout.Move{
		From: o.Placement.Stack, To: p.To, Wave: base + wave, Window: p.Window, Pause: p.Pause, State: turnout.MovePlanned, At: now.UTC(),
	}
	return o, nil
}

// stack is where an org is.
func (m *Migration) stack(o turnout.Org) string { return cmp.Or(o.Placement.Stack, m.o.First) }

// assign gives each org that moves the number of its wave, or lists everything that is
// wrong with the plan.
func (m *Migration) assign(p Plan, orgs []turnout.Org) (map[turnout.OrgID]int, error) {
	a := assignment{waves: map[turnout.OrgID]int{}, there: map[turnout.OrgID]bool{}}
	if _, err := p.Window.MarshalText(); err != nil {
		a.fault("window: use two different times of a day such as 01:00-05:00")
	}
	for _, o := range orgs {
		a.there[o.ID] = m.stack(o) == p.To
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
			a.fault("wave %d: no org is left for it: all are in an earlier wave, or on %s already", i+1, p.To)
		}
		for _, id := range left[:n] {
			a.waves[id] = i + 1
		}
		left = left[n:]
	}
	for _, o := range orgs {
		if err := m.fits(o, p.To); a.waves[o.ID] != 0 && err != nil {
			a.fault("org %s: %w", o.ID, err)
		}
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
	a.faults = append(a.faults, fmt.Errorf(format, args...))
}

func (a *assignment) name(id turnout.OrgID, wave int, to string) {
	there, known := a.there[id]
	switch other := a.waves[id]; {
	case !known:
		a.fault("wave %d: org %s is not set up", wave, id)
	case there:
		a.fault("wave %d: org %s is on %s already", wave, id, to)
	case other == wave:
		a.fault("wave %d: org %s is there twice", wave, id)
	case other != 0:
		a.fault("wave %d: org %s is in wave %d, too", wave, id, other)
	default:
		a.waves[id] = wave
	}
}

func waits(o turnout.Org) bool { return o.Move != nil && o.Move.State == turnout.MoveWaiting }

func moved(o turnout.Org) bool { return o.Move != nil && o.Move.State == turnout.MoveDone }
