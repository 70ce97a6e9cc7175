package migration

import (
	"maps"

	"github.com/turnout-events/turnout"
)

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

// Count counts orgs that have a part in a migration, and of those whose time has come the
// hindered ones.
func Count(orgs []turnout.Org, due ...turnout.Org) Standing {
	s := Standing{States: map[turnout.MoveState]int{}}
	for _, o := range orgs {
		s.States[o.Move.State]++
	}
	for _, o := range due {
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

// saw keeps how it stands, and logs what changed since somebody looked last.
func (m *Migration) saw(orgs, due []turnout.Org) {
	s := Count(orgs, due...)
	m.mu.Lock()
	before := m.seen
	m.seen = s
	m.mu.Unlock()
	if !maps.Equal(before.States, s.States) && (len(s.States) > 0 || len(before.States) > 0) {
		var counts []any
		for _, state := range States() {
			if n := s.States[state]; n > 0 {
				counts = append(counts, string(state), n)
			}
		}
		m.o.Logger.Info("migration: orgs", counts...)
	}
}
