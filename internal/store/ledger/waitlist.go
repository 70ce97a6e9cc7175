package ledger

import (
	"slices"
	"time"

	"github.com/turnout-events/turnout"
)

// Party is somebody in line, by the number under which the engine knows them.
type Party struct {
	ID     int64
	Claims []turnout.Claim
}

// PromoteAt asks for a look at the waitlist before the commit.
func (l *Ledger) PromoteAt(at time.Time) {
	if at.After(l.promote) {
		l.promote = at
	}
}

// Promoting tells whether a look at the waitlist was asked for.
func (l *Ledger) Promoting() bool { return !l.promote.IsZero() }

// Promote gives free seats to those who wait, first come first served, and tells
// who is registered now and since when. A party that does not fit waits at the
// pools that are short for it, and keeps everybody behind it off those, so that a
// large party is not overtaken for ever. Once the event has ended nobody is promoted:
// seats come free then as its attendance is tidied up.
//
// It counts the waiting anew, which takes as long as the line is. So it is
// called once for all changes of a transaction, before the commit; until then
// what came free is kept for the line, since Waiting still stands.
func (l *Ledger) Promote(line []Party) (registered []int64, at time.Time) {
	at, l.promote = timeOf(millis(l.promote)), time.Time{}
	idle := l.idle(at)
	l.nobodyWaits()
	for _, p := range line {
		if idle || slices.ContainsFunc(p.Claims, l.lacks) {
			l.Enter(turnout.StatusWaitlisted, p.Claims)
			continue
		}
		l.take(p.Claims, 1)
		registered = append(registered, p.ID)
	}
	return registered, at
}

// idle reports whether the line stands still: the event is closed, or over.
func (l *Ledger) idle(at time.Time) bool { return !l.Open || l.Ends != 0 && millis(at) >= l.Ends }

// anybodyWaits reports whether some pool is short for somebody in line.
func (l *Ledger) anybodyWaits() bool {
	for _, c := range l.pools {
		if c.Waiting > 0 {
			return true
		}
	}
	return false
}

func (l *Ledger) nobodyWaits() {
	for _, c := range l.pools {
		if c.Waiting > 0 {
			c.Waiting, c.dirty = 0, true
		}
	}
}
