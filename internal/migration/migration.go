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
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/turnout-events/turnout"
)

// Orgs keeps orgs with their moves.
type Orgs interface {
	Orgs(ctx context.Context) ([]turnout.Org, error)
	// ChangeOrg changes one in a step that no other change comes between.
	ChangeOrg(ctx context.Context, id turnout.OrgID, change func(turnout.Org) (turnout.Org, error), now time.Time) error
}

// Options of a Migration. Orgs is needed; Turn and Ready are, for Run.
type Options struct {
	Orgs Orgs
	// Turn tells whether this process is the one of all that moves orgs now.
	Turn func(ctx context.Context) (bool, error)
	// Ready says why an org cannot be served by a stack now; nil if it can. Its text
	// is shown to operators.
	Ready  func(o turnout.Org, stack string) error
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
	all = slices.DeleteFunc(all, func(o turnout.Org) bool { return o.Move == nil })
	slices.SortStableFunc(all, func(a, b turnout.Org) int { return a.Move.Wave - b.Move.Wave })
	return all, err
}

// Start lets what was planned or held begin, and returns how many orgs wait since. It
// is CodeConflict where there is nothing to start, and where an org was put on another
// stack since it was planned.
func (m *Migration) Start(ctx context.Context) (int, error) {
	orgs, err := m.Orgs(ctx)
	if err != nil {
		return 0, err
	}
	for _, o := range orgs {
		if _, err := o.Released(m.o.Now()); err != nil && startable(o) {
			return 0, err
		}
	}
	started := 0
	for _, o := range orgs {
		changed := false
		if startable(o) {
			changed, err = m.change(ctx, o.ID, turnout.Org.Released)
		}
		if err != nil {
			return started, err
		}
		if changed {
			started++
		}
	}
	if started == 0 {
		return 0, turnout.Errorf(turnout.CodeConflict, "start migration", "no org is planned to move, or held; begin with turnout migrate plan")
	}
	return started, nil
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
}

// Rollback stops the migration and takes back what scope says, at once and whatever
// the time. What waited is held until Start. It returns the orgs that went back, and
// how many are held now; what an error leaves undone is done by doing it again.
func (m *Migration) Rollback(ctx context.Context, scope Scope) (back []turnout.OrgID, held int, err error) {
	orgs, err := m.Orgs(ctx)
	if err != nil {
		return nil, 0, err
	}
	if err := scope.known(orgs); err != nil {
		return nil, 0, err
	}
	for _, o := range orgs { // before anything goes back, so that nothing follows it
		changed := false
		if waits(o) {
			changed, err = m.change(ctx, o.ID, turnout.Org.Halted)
		}
		if err != nil {
			return nil, held, err
		}
		if changed {
			held++
		}
	}
	if orgs, err = m.Orgs(ctx); err != nil { // some may have moved meanwhile
		return nil, held, err
	}
	for _, o := range scope.of(orgs) {
		changed, err := m.change(ctx, o.ID, turnout.Org.Rollback)
		if err != nil {
			return back, held, err
		}
		if changed {
			m.o.Logger.Info("migration: org moved back", "org", o.ID, "from", o.Move.To, "to", stackName(o.Move.From))
			back = append(back, o.ID)
		}
	}
	return back, held, nil
}

// known refuses an org that has no part in the migration.
func (s Scope) known(orgs []turnout.Org) error {
	if s.Org != "" && !slices.ContainsFunc(orgs, func(o turnout.Org) bool { return o.ID == s.Org && moved(o) }) {
		return turnout.Errorf(turnout.CodeNotFound, "roll back", "org %s was not moved by a migration", s.Org)
	}
	return nil
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

// change takes an org a step further. Where it is elsewhere by now nothing changes,
// which is no error: what somebody else did meanwhile stands.
func (m *Migration) change(ctx context.Context, id turnout.OrgID, step func(turnout.Org, time.Time) (turnout.Org, error)) (changed bool, err error) {
	now := m.o.Now()
	err = m.o.Orgs.ChangeOrg(ctx, id, func(o turnout.Org) (turnout.Org, error) { return step(o, now) }, now)
	if turnout.CodeOf(err) == turnout.CodeConflict {
		return false, nil
	}
	return err == nil, err
}

func stackName(stack string) string {
	if stack == "" {
		return "the first stack"
	}
	return stack
}
