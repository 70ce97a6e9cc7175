package postgres

import (
	"slices"
	"time"

	"github.com/turnout-events/turnout"
)

type ledgerKey struct {
	org   int64
	event turnout.EventID
}

// ledger is a lane's row and its seat counters within one transaction.
type ledger struct {
	lane                int64
	open                bool
	opens, closes, ends int64
	pools               map[turnout.Pool]*counter
	// promote is when seats may have come free for the waitlist; zero for not.
	promote time.Time
}

type counter struct {
	turnout.Seating
	counted bool
	excess  int
	dirty   bool
	rested  int // what was taken when it was read
}

// fits reports whether somebody new can have these seats. Pools that the
// event no longer has are an error: the form that named them is stale.
func (l *ledger) fits(claims []turnout.Claim) (bool, error) {
	for _, claim := range claims {
		if c, ok := l.pools[claim.Pool]; !ok || !c.counted {
			return false, turnout.Errorf(turnout.CodeStale, "take seats", "pool %s is no longer part of the event", claim.Pool)
		}
	}
	return !slices.ContainsFunc(claims, l.lacks), nil
}

// lacks reports whether the claim's pool is short of seats for somebody new.
// Pools that are not counted are never short.
func (l *ledger) lacks(claim turnout.Claim) bool {
	c, ok := l.pools[claim.Pool]
	if !ok || !c.counted {
		return false
	}
	free := c.Free()
	return free != turnout.Unlimited && free < claim.Seats
}

// enter counts somebody new at the end of the line: a registered party takes
// its seats, a waitlisted one waits at each pool that is short for it, and only
// there. Who waits for a full workshop keeps nobody from the rest of the event.
func (l *ledger) enter(status turnout.Status, claims []turnout.Claim) {
	switch status {
	case turnout.StatusRegistered:
		l.take(claims, 1)
	case turnout.StatusWaitlisted:
		for _, claim := range claims {
			if l.lacks(claim) {
				c := l.pools[claim.Pool]
				c.Waiting += claim.Seats
				c.dirty = true
			}
		}
	}
}

// take adds n times the claims to what is taken; n is 1 or -1. Pools that the
// event does not have are counted all the same, in case they come back.
func (l *ledger) take(claims []turnout.Claim, n int) {
	for _, claim := range claims {
		c, ok := l.pools[claim.Pool]
		if !ok {
			c = &counter{Seating: turnout.Seating{Pool: claim.Pool}}
			l.pools[claim.Pool] = c
		}
		c.Taken += n * claim.Seats
		c.dirty = true
	}
}

// settleExcess notes how far pools are over their limit by an organiser's own doing.
func (l *ledger) settleExcess() {
	for _, c := range l.pools {
		excess := 0
		if c.counted && c.Limit != turnout.Unlimited {
			excess = max(0, c.Taken+c.Outside-c.Limit)
		}
		if excess != c.excess {
			c.excess, c.dirty = excess, true
		}
	}
}

func (l *ledger) setPools(limits []turnout.Claim) {
	counted := map[turnout.Pool]bool{}
	for _, p := range limits {
		counted[p.Pool] = true
		c, ok := l.pools[p.Pool]
		if !ok {
			c = &counter{Seating: turnout.Seating{Pool: p.Pool}}
			l.pools[p.Pool] = c
		}
		c.Limit, c.counted, c.dirty = p.Seats, true, true
	}
	for pool, c := range l.pools {
		if !counted[pool] && c.counted {
			c.counted, c.dirty = false, true
		}
	}
	l.settleExcess()
}

// promoteAt asks for a look at the waitlist before the commit.
func (l *ledger) promoteAt(at time.Time) {
	if at.After(l.promote) {
		l.promote = at
	}
}

// anybodyWaits reports whether some pool is short for somebody in line.
func (l *ledger) anybodyWaits() bool {
	for _, c := range l.pools {
		if c.Waiting > 0 {
			return true
		}
	}
	return false
}

func (l *ledger) nobodyWaits() {
	for _, c := range l.pools {
		if c.Waiting > 0 {
			c.Waiting, c.dirty = 0, true
		}
	}
}

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

// move gives the old seats back and takes the new ones, and changes r. Whoever
// waits is counted by promote.
func (l *ledger) move(r *turnout.Registration, to turnout.Status, v turnout.Revision) {
	if r.Status == turnout.StatusRegistered {
		l.take(r.Claims, -1)
	}
	if to == turnout.StatusRegistered {
		l.take(v.Claims, 1)
	}
	if v.Source == turnout.SourceSalesforce {
		l.settleExcess()
	}
	r.Status, r.Claims = to, v.Claims
}

// destination is the status that a revision leads to. Whoever holds seats
// keeps them: only what a revision takes more must be free.
func (l *ledger) destination(r *turnout.Registration, v turnout.Revision) (turnout.Status, error) {
	switch {
	case v.Source == turnout.SourceSalesforce || !v.Status.Holds():
		return v.Status, nil
	case !r.Status.Holds():
		return "", turnout.Errorf(turnout.CodeClosed, "revise registration", "it is cancelled; register again")
	}
	fits, err := l.fits(more(r.Claims, v.Claims))
	switch {
	case err != nil:
		return "", err
	case r.Status == turnout.StatusWaitlisted:
		return turnout.StatusWaitlisted, nil
	case !fits:
		return "", turnout.Errorf(turnout.CodeFull, "revise registration", "not enough seats are left")
	}
	return turnout.StatusRegistered, nil
}

// more is what the second claims take beyond the first.
func more(had, wants []turnout.Claim) []turnout.Claim {
	held := map[turnout.Pool]int{}
	for _, c := range had {
		held[c.Pool] += c.Seats
	}
	var extra []turnout.Claim
	for _, c := range wants {
		if n := c.Seats - held[c.Pool]; n > 0 {
			extra = append(extra, turnout.Claim{Pool: c.Pool, Seats: n})
		}
	}
	return extra
}
