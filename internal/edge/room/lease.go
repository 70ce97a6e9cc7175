package room

import (
	"context"
	"errors"
	"time"
)

// lease is the numbers that this edge may give: next to last.
type lease struct {
	next, last uint64
	at         time.Time // when it was fetched
	size       int       // of this one
	// asked says that the next one is under way: its numbers are above this one.
	asked bool
	above uint64
	// away says that the ledger failed and no step has reached it since.
	away bool
}

const (
	// lasts is how long a lease is to last: that much earlier may somebody at
	// another edge have come who is called later.
	lasts = 250 * time.Millisecond
	// mostLeased is the most numbers of a lease, firstLeased those of the first.
	mostLeased, firstLeased = 1024, 4
	// leaseWithin is how long a newcomer waits for the ledger.
	leaseWithin = 2 * time.Second
	// stale is when numbers that were not given are dropped: they would put
	// latecomers before those who wait.
	stale = time.Second
)

var errAway = errors.New("the ledger has just failed")

func (l *lease) left() bool { return l.next != 0 && l.next <= l.last }

// fit is the size of the next lease: as many as were given in the time that one
// is to last.
func (l *lease) fit(now time.Time) int {
	if l.size == 0 {
		return firstLeased
	}
	given := float64(l.size)
	if l.left() {
		given -= float64(l.last - l.next + 1)
	}
	pace := given / max(now.Sub(l.at), time.Millisecond).Seconds()
	return int(min(max(1, pace*lasts.Seconds()), float64(4*l.size), mostLeased))
}

// expire drops a lease of which numbers are left for too long.
func (l *lease) expire(now time.Time) {
	if l.left() && now.Sub(l.at) > stale {
		*l = lease{size: l.fit(now), at: now.Add(-lasts), away: l.away}
	}
}

// number takes the next of the lease, or fetches one.
func (r *Room) number(ctx context.Context, now time.Time) (uint64, error) {
	if n, err := r.next(); n != 0 || err != nil {
		return n, err
	}
	r.leasing.Lock()
	defer r.leasing.Unlock()
	if n, err := r.next(); n != 0 || err != nil { // somebody else was there meanwhile
		return n, err
	}
	r.mu.Lock()
	size, above := r.lease.fit(now), r.mark.Issued
	r.lease.asked, r.lease.above = true, above
	r.mu.Unlock()
	// Others get of this lease, too, so who asks for it may not break it off.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseWithin)
	defer cancel()
	first, err := r.o.Ledger.Lease(ctx, r.o.Name, size, above)
	r.mu.Lock()
	if err != nil {
		r.lease.away, r.lease.asked = true, false
		r.mu.Unlock()
		return 0, err
	}
	r.lease = lease{next: first, last: first + uint64(size) - 1, at: now, size: size}
	r.mark.Issued = max(r.mark.Issued, r.lease.last)
	r.fit()
	r.mu.Unlock()
	return r.next()
}

// next is the next number of the lease, 0 for none. Nobody waits for a ledger
// that is away: the next step that reaches it says so. Whoever gets the number is
// seen in the same step that takes it from the lease: a step of the room between
// that and their place would find it with nobody, and call the next one.
func (r *Room) next() (uint64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.lease.left():
		number := r.lease.next
		r.lease.next++
		if b, bit := r.ring.of(number, r.mark.Served); b != nil {
			b.seen |= bit
			if number > r.mark.Served {
				r.line.waiting++
			}
		}
		return number, nil
	case r.lease.away:
		return 0, errAway
	}
	return 0, nil
}
