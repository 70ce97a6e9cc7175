// Package ledger is the rules of seats, the same on every engine of the store:
// what a submission gets, what a change leads to, who is next in line, what is
// left of somebody who was forgotten. It decides in memory, upon what an engine
// read within one transaction, and the engine writes what came of it.
//
// Nothing in it is safe for concurrent use; a transaction is one goroutine's.
package ledger

import (
	"iter"
	"slices"
	"time"

	"github.com/turnout-events/turnout"
)

// Ledger is a lane's row and its seat counters within one transaction.
type Ledger struct {
	Lane int64
	Open bool
	// Opens, Closes and Ends are milliseconds since 1970, 0 for always, never and
	// never.
	Opens, Closes, Ends int64

	pools map[turnout.Pool]*Counter
	// promote is when seats may have come free for the waitlist; zero for not.
	promote time.Time
}

// Counter is how one pool stands.
type Counter struct {
	turnout.Seating
	// Counted is false for a pool that the event no longer has.
	Counted bool
	// Excess is how far an organiser's own doing put the pool over its limit.
	Excess int
	// Rested is what was taken when the engine read it, Fresh that it was not
	// there. Both are the engine's to keep.
	Rested int
	Fresh  bool

	dirty bool
}

// New is the ledger of a lane without pools.
func New(lane int64) *Ledger {
	return &Ledger{Lane: lane, pools: map[turnout.Pool]*Counter{}}
}

// Add puts in a counter as it was read.
func (l *Ledger) Add(c *Counter) { l.pools[c.Pool] = c }

// Changed are the counters that the engine has to write; each is given once.
// Seats that came back reduce an excess, and nothing but an organiser adds to it.
func (l *Ledger) Changed() iter.Seq[*Counter] {
	return func(yield func(*Counter) bool) {
		for _, c := range l.pools {
			if !c.dirty {
				continue
			}
			if c.Limit != turnout.Unlimited {
				c.Excess = min(c.Excess, max(0, c.Taken+c.Outside-c.Limit))
			}
			c.dirty = false
			if !yield(c) {
				return
			}
		}
	}
}

// fits reports whether somebody new can have these seats. Pools that the
// event no longer has are an error: the form that named them is stale.
func (l *Ledger) fits(claims []turnout.Claim) (bool, error) {
	for _, claim := range claims {
		if c, ok := l.pools[claim.Pool]; !ok || !c.Counted {
			return false, turnout.Errorf(turnout.CodeStale, "take seats", "pool %s is no longer part of the event", claim.Pool)
		}
	}
	return !slices.ContainsFunc(claims, l.lacks), nil
}

// lacks reports whether the claim's pool is short of seats for somebody new.
// Pools that are not counted are never short.
func (l *Ledger) lacks(claim turnout.Claim) bool {
	c, ok := l.pools[claim.Pool]
	if !ok || !c.Counted {
		return false
	}
	free := c.Free()
	return free != turnout.Unlimited && free < claim.Seats
}

// take adds n times the claims to what is taken; n is 1 or -1. Pools that the
// event does not have are counted all the same, in case they come back.
func (l *Ledger) take(claims []turnout.Claim, n int) {
	for _, claim := range claims {
		c := l.pool(claim.Pool)
		c.Taken += n * claim.Seats
		c.dirty = true
	}
}

// pool finds a pool's counter, or makes one that counts nothing yet.
func (l *Ledger) pool(name turnout.Pool) *Counter {
	c, ok := l.pools[name]
	if !ok {
		c = &Counter{Seating: turnout.Seating{Pool: name}, Fresh: true}
		l.pools[name] = c
	}
	return c
}
