package session

import (
	"maps"
	"sync"
	"time"

	"github.com/turnout-events/turnout"
)

// Marks remembers, in this process, whose sessions were ended from outside: of one
// person, or of a whole org. A session that began before its mark is over. The
// zero value is ready; safe for concurrent use.
type Marks struct {
	mu    sync.Mutex
	at    map[marked]time.Time
	swept time.Time
}

// marked is whom a mark is about; the zero person stands for all of the org.
type marked struct {
	org    turnout.OrgID
	person turnout.PersonID
}

// Add ends what began before at: a person's sessions, or with the zero PersonID
// all of the org.
func (m *Marks) Add(org turnout.OrgID, person turnout.PersonID, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.at == nil {
		m.at = map[marked]time.Time{}
	}
	key := marked{org, person}
	if at.After(m.at[key]) {
		m.at[key] = at
	}
	if at.Sub(m.swept) > time.Hour { // what began before a mark this old is over anyhow
		m.swept = at
		maps.DeleteFunc(m.at, func(_ marked, old time.Time) bool { return at.Sub(old) > Longest+Skew })
	}
}

// End reports whether a session of the org was ended.
func (m *Marks) End(org turnout.OrgID, s Session) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return Ended(s, m.at[marked{org, s.Person}]) || Ended(s, m.at[marked{org, turnout.PersonID{}}])
}

// Ended reports whether a session began before a mark; the zero time marks
// nothing. One that began just after it counts as before: clocks differ, and a
// session that is begun anew costs its visitor nothing.
func Ended(s Session, mark time.Time) bool { return !mark.IsZero() && s.Began.Before(mark.Add(Skew)) }
