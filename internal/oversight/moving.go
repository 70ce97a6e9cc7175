package oversight

import (
	"context"

	"github.com/turnout-events/turnout"
)

// Migration is how the moving of orgs between stacks stands.
type Migration struct {
	// Orgs are those that have a part in it, by wave; none means that there is no migration.
	Orgs []Moving
	// Summary counts them by how far they are.
	Summary string
	// Note says whether an edge looks after those that wait; empty where none waits.
	Note string
}

// Moving is an org's part in a migration.
type Moving struct {
	Org  turnout.OrgID
	Name string
	Wave int
	// From and To are stacks; an empty one is the first that the edges know.
	From, To string
	State    turnout.MoveState
	// When says when it moves, or since when it is as it is, by its own clock.
	When string
	// Hindered says that its time came, and that something is in the way, as When says.
	Hindered bool
}

// Of is an org's part, false for one that has none.
func (m Migration) Of(org turnout.OrgID) (Moving, bool) {
	for _, o := range m.Orgs {
		if o.Org == org {
			return o, true
		}
	}
	return Moving{}, false
}

// Hindered counts those that something is in the way of.
func (m Migration) Hindered() (n int) {
	for _, o := range m.Orgs {
		if o.Hindered {
			n++
		}
	}
	return n
}

// Migration shows how the moving of orgs stands.
func (d *Desk) Migration(ctx context.Context) (Migration, error) {
	if d.o.Migration == nil {
		return Migration{}, nil
	}
	orgs, err := d.o.Orgs.Orgs(ctx)
	if err != nil {
		return Migration{}, err
	}
	return d.o.Migration(ctx, orgs)
}
