package ledger

import (
	"fmt"
	"time"

	"github.com/turnout-events/turnout"
)

// Set takes over an event's limits and times, and asks for a look at the
// waitlist. Limits under what is already taken are taken over as they are; nobody
// new gets a seat until enough came back.
func (l *Ledger) Set(to turnout.Ledger, now time.Time) {
	l.Open, l.Opens, l.Closes, l.Ends = to.Open, millis(to.Opens), millis(to.Closes), millis(to.Ends)
	counted := map[turnout.Pool]bool{}
	for _, p := range to.Pools {
		counted[p.Pool] = true
		c := l.pool(p.Pool)
		c.Limit, c.Counted, c.dirty = p.Seats, true, true
	}
	for pool, c := range l.pools {
		if !counted[pool] && c.Counted {
			c.Counted, c.dirty = false, true
		}
	}
	l.settleExcess()
	l.PromoteAt(now)
}

// SetOutside notes how many seats people hold whom organisers added by hand, by
// pool; pools that are left out have none.
func (l *Ledger) SetOutside(seats map[turnout.Pool]int, now time.Time) {
	for pool, c := range l.pools {
		if n := seats[pool]; n != c.Outside {
			c.Outside, c.dirty = n, true
		}
	}
	l.settleExcess()
	l.PromoteAt(now)
}

// Recount sets every counter to what registrations hold, and says of each that
// was wrong what it was.
func (l *Ledger) Recount(held map[turnout.Pool]int, now time.Time) (wrong []string) {
	for pool := range held {
		l.pool(pool)
	}
	for pool, c := range l.pools {
		if c.Taken != held[pool] {
			wrong = append(wrong, fmt.Sprintf("%s: counted %d, held %d", pool, c.Taken, held[pool]))
			c.Taken, c.dirty = held[pool], true
		}
	}
	l.settleExcess()
	l.PromoteAt(now)
	return wrong
}

// settleExcess notes how far pools are over their limit by an organiser's own doing.
func (l *Ledger) settleExcess() {
	for _, c := range l.pools {
		excess := 0
		if c.Counted && c.Limit != turnout.Unlimited {
			excess = max(0, c.Taken+c.Outside-c.Limit)
		}
		if excess != c.Excess {
			c.Excess, c.dirty = excess, true
		}
	}
}

// millis and timeOf are how times rest: milliseconds since 1970, 0 for none.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func timeOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
