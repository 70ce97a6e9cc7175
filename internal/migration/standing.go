package migration

import "github.com/turnout-events/turnout"

// Standing counts the orgs of a migration.
type Standing struct {
	States map[turnout.MoveState]int
	// Hindered are those whose time has come and that cannot be moved.
	Hindered int
}

// States are all that a move can be in, in the order in which it comes to them.
func States() []turnout.MoveState {
	return []turnout.MoveState{turnout.MovePlanned, turnout.MoveWaiting, turnout.MoveHeld, turnout.MoveDone, turnout.MoveBack}
}

// Count counts orgs that have a part in a migration.
func Count(orgs []turnout.Org) Standing {
	s := Standing{States: map[turnout.MoveState]int{}}
	for _, o := range orgs {
		s.States[o.Move.State]++
		if o.Move.Obstacle != "" {
			s.Hindered++
		}
	}
	return s
}

// Standing is how the migration stood when Step looked last.
func (m *Migration) Standing() Standing {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.seen
}

func (m *Migration) saw(orgs []turnout.Org) {
	s := Count(orgs)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seen = s
}
