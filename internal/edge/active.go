package edge

import (
	"sync"
	"sync/atomic"
	"time"
)

// active counts sessions that were seen lately without remembering any: a
// session's cookie says when it was last counted, so that the count can follow
// it. Safe for concurrent use; the zero value counts none.
type active struct {
	slots [8]struct{ minute, n atomic.Int64 }
}

// lately is how many minutes a session counts after it was last seen: about as
// long as somebody takes over a form.
const lately = 5

// once tells who was counted in a minute already, as far as a table of fixed size
// can: whoever is displaced counts once more. Safe for concurrent use.
type once struct {
	mu    sync.Mutex
	slots [8192]struct {
		id     uint64
		minute int64
	}
}

// first reports whether an id has not been counted in this minute.
func (o *once) first(id uint64, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := &o.slots[id%uint64(len(o.slots))]
	minute := now.Unix() / 60
	if s.id == id && s.minute == minute {
		return false
	}
	s.id, s.minute = id, minute
	return true
}

// add counts a new session.
func (a *active) add(now time.Time) {
	m := now.Unix() / 60
	s := &a.slots[m%int64(len(a.slots))]
	if old := s.minute.Load(); old != m && s.minute.CompareAndSwap(old, m) {
		s.n.Store(0)
	}
	s.n.Add(1)
}

// move counts a session that was last counted at from. One that another edge
// counted, or this one before it was started again, is new here.
func (a *active) move(from, now time.Time) {
	m := from.Unix() / 60
	if s := &a.slots[m%int64(len(a.slots))]; s.minute.Load() == m && s.n.Load() > 0 {
		s.n.Add(-1)
	}
	a.add(now)
}

// count is how many there are.
func (a *active) count(now time.Time) int {
	m := now.Unix() / 60
	var all int64
	for i := range a.slots {
		if s := &a.slots[i]; m-s.minute.Load() < lately {
			all += s.n.Load()
		}
	}
	return int(max(0, all))
}
