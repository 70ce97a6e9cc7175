// Package migration moves orgs between stacks in waves (P9): each at its own night,
// one flag at a time, and back again with one step.
//
// Both stacks are instances of one store, so that a cutover moves visitors and no
// data: new sessions go to the other stack, those that began on the old one end there,
// and whatever was accepted on either is delivered once. An org's flag is its
// placement; how far it is in the migration rests beside it (turnout.Move) and changes
// in the same step. There is no other record of a migration that could disagree, and
// none that a crash leaves half written.
//
//	          Start            Run                Rollback
//	planned ─────────► waiting ─────────► moved ──────────► rolled back
//	                    │   ▲
//	           Rollback ▼   │ Start
//	                     held
package migration

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/turnout-events/turnout"
)

// Orgs keeps orgs with their moves.
type Orgs interface {
	Orgs(ctx context.Context) ([]turnout.Org, error)
	// UpdateOrg changes one in a step that no other change comes between.
	UpdateOrg(ctx context.Context, id turnout.OrgID, change func(turnout.Org) (turnout.Org, error), now time.Time) error
}

// Options of a Migration. Orgs is needed; Turn, Looked and Ready are, for Run.
type Options struct {
	Orgs Orgs
	// First is the stack of orgs that name none.
	First string
	// Fits says why a stack is none for an org, by the routes: nil if it is one, or for
	// routes that nobody knows.
	Fits func(o turnout.Org, stack string) error
	// Ready says why a stack cannot serve an org now; nil if it can. Its text is shown to
	// operators.
	Ready func(o turnout.Org, stack string) error
	// Turn tells whether this process is the one of all that does something now.
	Turn func(ctx context.Context, what string) (bool, error)
	// Looked notes that somebody looks after those who wait.
	Looked func(ctx context.Context) error
	Logger *slog.Logger
	Now    func() time.Time
}

// Migration plans, starts, stops and carries out a migration. Safe for concurrent use,
// also by several processes on one store.
type Migration struct {
	o Options

	mu   sync.Mutex
	seen Standing
}

// New makes a migration.
func New(o Options) *Migration {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Migration{o: o}
}

// Orgs lists the orgs that have a part in the migration, by wave.
func (m *Migration) Orgs(ctx context.Context) ([]turnout.Org, error) {
	all, err := m.o.Orgs.Orgs(ctx)
	return Moving(all), err
}

// Moving are those of all orgs that have a part in a migration, by wave.
func Moving(all []turnout.Org) []turnout.Org {
	some := slices.DeleteFunc(slices.Clone(all), func(o turnout.Org) bool { return o.Move == nil })
	slices.SortStableFunc(some, func(a, b turnout.Org) int { return a.Move.Wave - b.Move.Wave })
	return some
}

// Start lets what was planned or held begin, and returns how many orgs wait since. It
// is CodeConflict where there is nothing to start, and where orgs were put on another
// stack since they were planned.
func (m *Migration) Start(ctx context.Context) (int, error) {
	orgs, err := m.Orgs(ctx)
	if err != nil {
		return 0, err
	}
	var faults []error
	states := Count(orgs).States
	for _, o := range orgs {
		if _, err := o.Released(m.o.Now()); err != nil && startable(o) {
			faults = append(faults, err)
		}
	}
	if err := errors.Join(faults...); err != nil {
		return 0, err
	}
	started, err := m.each(ctx, orgs, startable, turnout.Org.Released)
	if err == nil && len(started) == 0 {
		return 0, turnout.Errorf(turnout.CodeConflict, "start migration", "%s", nothingToStart(states))
	}
	return len(started), err
}

func nothingToStart(states map[turnout.MoveState]int) string {
	switch {
	case states[turnout.MoveWaiting] > 0:
		return "it is under way already; turnout migrate status shows it"
	case states[turnout.MoveDone]+states[turnout.MoveBack] > 0:
		return "no org is left to be moved; turnout migrate plan makes another plan"
	}
	return "nothing is planned; begin with turnout migrate plan"
}

func startable(o turnout.Org) bool {
	return o.Move.State == turnout.MovePlanned || o.Move.State == turnout.MoveHeld
}

// Scope is what a rollback takes back: the last wave of which some org was moved, for
// the zero value.
type Scope struct {
	// Org is one org.
	Org turnout.OrgID
	// All is every org that was moved.
	All bool
	// Force takes orgs back to stacks that the routes do not have.
	Force bool
}

// Rollback stops the migration and takes back what scope says, at once and whatever
// the time. What waited is held until Start. It returns the orgs that went back, and
// those that are held since; what an error leaves undone is done by doing it again. It is
// CodeConflict where nothing was moved and nobody waits, and where the stack that an org
// came from is gone, which leaves all of them where they are.
func (m *Migration) Rollback(ctx context.Context, scope Scope) (back, held []turnout.OrgID, err error) {
	if scope.Org != "" {
		if err := m.wasMoved(ctx, scope.Org); err != nil {
			return nil, nil, err
		}
	}
	orgs, err := m.Orgs(ctx)
	if err != nil {
		return nil, nil, err
	}
	// Before anything goes back, so that nothing follows it.
	if held, err = m.each(ctx, orgs, waits, turnout.Org.Halted); err != nil {
		return nil, held, err
	}
	if orgs, err = m.Orgs(ctx); err != nil { // some may have moved meanwhile
		return nil, held, err
	}
	orgs = scope.of(orgs)
	if len(orgs)+len(held) == 0 {
		return nil, nil, turnout.Errorf(turnout.CodeConflict, "roll back", "nothing was moved, and nobody waits")
	}
	if err := m.haveThem(orgs); err != nil && !scope.Force {
		return nil, held, err
	}
	back, err = m.each(ctx, orgs, moved, turnout.Org.Rollback)
	return back, held, err
}

// wasMoved refuses an org that no migration has moved.
func (m *Migration) wasMoved(ctx context.Context, id turnout.OrgID) error {
	all, err := m.o.Orgs.Orgs(ctx)
	if err != nil {
		return err
	}
	switch i := slices.IndexFunc(all, func(o turnout.Org) bool { return o.ID == id }); {
	case i < 0:
		return turnout.Errorf(turnout.CodeNotFound, "roll back", "org %s is not set up", id)
	case waits(all[i]):
		return turnout.Errorf(turnout.CodeConflict, "roll back", "org %s waits, and was not moved yet; without --org everybody is held who waits", id)
	case !moved(all[i]):
		return turnout.Errorf(turnout.CodeConflict, "roll back", "org %s was not moved by a migration", id)
	}
	return nil
}

// haveThem says which orgs cannot be served where they came from.
func (m *Migration) haveThem(orgs []turnout.Org) error {
	var faults []error
	for _, o := range orgs {
		if err := m.fits(o, o.Move.From); err != nil {
			faults = append(faults, fmt.Errorf("org %s: %w", o.ID, err))
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return turnout.Wrap(turnout.CodeConflict, "roll back", fmt.Errorf("%w\nnobody was taken back; put the stack into the routes again, with instances, or use --force", errors.Join(faults...)))
}

func (m *Migration) fits(o turnout.Org, stack string) error {
	if m.o.Fits == nil {
		return nil
	}
	return m.o.Fits(o, stack)
}

// of are the orgs that a rollback takes back, of those of the migration by wave.
func (s Scope) of(orgs []turnout.Org) []turnout.Org {
	last := 0
	for _, o := range orgs {
		if moved(o) {
			last = o.Move.Wave
		}
	}
	return slices.DeleteFunc(orgs, func(o turnout.Org) bool {
		switch {
		case !moved(o):
			return true
		case s.Org != "":
			return o.ID != s.Org
		}
		return !s.All && o.Move.Wave != last
	})
}

// Finish forgets the migration, its plan and the way back of whoever was moved: orgs stay
// where they are. It returns how many orgs had a part in it, and is CodeConflict while one
// waits, and where there is none.
func (m *Migration) Finish(ctx context.Context) (int, error) {
	orgs, err := m.Orgs(ctx)
	if err != nil {
		return 0, err
	}
	if len(orgs) == 0 {
		return 0, turnout.Errorf(turnout.CodeConflict, "finish migration", "no migration is planned")
	}
	if slices.ContainsFunc(orgs, waits) {
		return 0, turnout.Errorf(turnout.CodeConflict, "finish migration", "orgs wait to be moved; turnout migrate rollback stops that")
	}
	done, err := m.each(ctx, orgs, func(turnout.Org) bool { return true }, func(o turnout.Org, _ time.Time) (turnout.Org, error) {
		if waits(o) {
			return o, turnout.Errorf(turnout.CodeConflict, "finish migration", "org %s waits", o.ID)
		}
		o.Move = nil
		return o, nil
	})
	return len(done), err
}

// each takes the orgs that are such a step further, and returns those that it did.
func (m *Migration) each(ctx context.Context, orgs []turnout.Org, such func(turnout.Org) bool, step step) (done []turnout.OrgID, err error) {
	for _, o := range orgs {
		if !such(o) {
			continue
		}
		changed, err := m.change(ctx, o.ID, step)
		if err != nil {
			return done, err
		}
		if changed {
			done = append(done, o.ID)
		}
	}
	return done, nil
}

// step is what becomes of an org; CodeConflict where it is elsewhere by now.
type step func(turnout.Org, time.Time) (turnout.Org, error)

// change takes an org a step further. Where it is elsewhere by now nothing changes,
// which is no error: what somebody else did meanwhile stands.
func (m *Migration) change(ctx context.Context, id turnout.OrgID, step step) (changed bool, err error) {
	now := m.o.Now()
	err = m.o.Orgs.UpdateOrg(ctx, id, func(o turnout.Org) (turnout.Org, error) { return step(o, now) }, now)
	if turnout.CodeOf(err) == turnout.CodeConflict {
		return false, nil
	}
	return err == nil, err
}
