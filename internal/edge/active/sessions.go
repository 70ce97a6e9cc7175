// Package active counts visitors' sessions without remembering any (P6, P8, P11): a
// session's cookie says when it was last counted, so that the count can follow it.
// A count takes the same memory for any number of sessions, and clocks that differ
// by a minute, or are set, keep nobody out.
package active

import (
	"sync"
	"time"

	"github.com/turnout-events/turnout/internal/edge/room"
)

// Sessions counts those that were seen lately. Safe for concurrent use; the zero
// value counts none.
type Sessions struct {
	mu    sync.Mutex
	slots [8]struct{ minute, n int64 }
}

// Lately is how many minutes a session counts after it was last seen: about as
// long as somebody takes over a form.
const Lately = 5

// recent reports whether who was seen in a minute counts in another. What is of a
// later one was counted under a clock that has been set back, and would else keep
// everybody out until that comes round; clocks that differ are a minute apart.
func recent(seen, now int64) bool { return now-seen >= -1 && now-seen < Lately }

func minuteOf(t time.Time) int64 { return t.Unix() / 60 }

// Add counts a new session.
func (a *Sessions) Add(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.put(minuteOf(now), 1)
}

func (a *Sessions) put(minute, n int64) {
	s := &a.slots[minute%int64(len(a.slots))]
	if s.minute != minute {
		s.minute, s.n = minute, 0
	}
	s.n += n
}

// Enter counts a new session if there are fewer than a limit.
func (a *Sessions) Enter(limit int, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	m := minuteOf(now)
	if a.sum(m) >= limit {
		return false
	}
	a.put(m, 1)
	return true
}

// Remove takes back a session that was last counted at a time.
func (a *Sessions) Remove(at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.take(minuteOf(at))
}

func (a *Sessions) take(minute int64) {
	if s := &a.slots[minute%int64(len(a.slots))]; s.minute == minute && s.n > 0 {
		s.n--
	}
}

// Move counts a session that was last counted at from. One that another edge
// counts is new here.
func (a *Sessions) Move(from, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.take(minuteOf(from))
	a.put(minuteOf(now), 1)
}

// Count is how many there are.
func (a *Sessions) Count(now time.Time) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sum(minuteOf(now))
}

func (a *Sessions) sum(minute int64) (n int) {
	for i := range a.slots {
		if s := &a.slots[i]; recent(s.minute, minute) {
			n += int(s.n)
		}
	}
	return n
}

// Minutes implements room.Sessions.
func (a *Sessions) Minutes(now time.Time) (all []room.Minute) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.slots {
		if s := &a.slots[i]; s.n > 0 && recent(s.minute, minuteOf(now)) {
			all = append(all, room.Minute{At: s.minute, N: int(s.n)})
		}
	}
	return all
}

// Adopt implements room.Sessions: the sessions of an edge that is gone come here
// by and by, and are counted here before.
func (a *Sessions) Adopt(left []room.Minute, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, m := range left {
		if recent(m.At, minuteOf(now)) {
			a.put(m.At, int64(max(0, m.N)))
		}
	}
}

// Once tells who was counted in a minute already, as far as a table of fixed size
// can: whoever is displaced counts once more. Safe for concurrent use.
type Once struct {
	mu    sync.Mutex
	slots [8192]struct {
		id     uint64
		minute int64
	}
}

// First reports whether an id has not been counted in this minute.
func (o *Once) First(id uint64, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := &o.slots[id%uint64(len(o.slots))]
	minute := minuteOf(now)
	if s.id == id && s.minute == minute {
		return false
	}
	s.id, s.minute = id, minute
	return true
}
