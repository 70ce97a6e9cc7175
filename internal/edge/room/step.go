package room

import (
	"context"
	"fmt"
	"math"
	"time"
)

// Step is to be called once a second. It reports to the ledger, moves the
// watermark, and passes over the absent. On an error of the ledger the
// watermark stays where it was; those called before are still let in.
func (r *Room) Step(ctx context.Context, now time.Time) error {
	report := r.take(now)
	for range 3 { // find that it moved, move it, speak about where it is now
		mark, err := r.o.Ledger.Watermark(ctx, r.o.Name, report)
		if err != nil {
			return fmt.Errorf("move watermark of room %s: %w", r.o.Name, err)
		}
		r.follow(mark, report.Active, now)
		alone := mark.Edges <= 1 && report.Base > 0
		if alone || mark.Served == report.Base {
			return nil
		}
		report = r.report(now)
	}
	return nil
}

// take closes the second that is over and reports.
func (r *Room) take(now time.Time) Report {
	r.mu.Lock()
	if r.rotated.IsZero() {
		r.rotated, r.stepped = now, now
	}
	// A little more than a heartbeat, for the way that a refresh takes.
	if now.Sub(r.rotated) >= r.o.Heartbeat*5/4 {
		r.ring.beat()
		r.rotated = now
	}
	called, came := r.ring.settle(now.Add(-r.o.Heartbeat * 2).Unix())
	if called > 0 {
		r.noShow.add(1-float64(came)/float64(called), float64(called), 500)
	}
	r.observe(now.Sub(r.stepped).Seconds())
	r.stepped, r.admitted, r.passed = now, 0, 0
	r.lease.pace, r.lease.given = r.lease.given, 0
	// Numbers of an old lease would put latecomers before those who wait.
	if r.lease.left() && now.Sub(r.lease.at) > 2*time.Second {
		r.lease = lease{pace: r.lease.pace}
	}
	r.mu.Unlock()
	return r.report(now)
}

// observe learns from the last seconds how fast people are let in and how many
// leave. Nobody was called since the last count, so whoever is missing has left.
func (r *Room) observe(span float64) {
	before := r.line.waiting
	r.count()
	if span <= 0 || (before == 0 && r.admitted == 0) {
		return
	}
	r.line.rate.add(float64(r.admitted)/span, span, 60)
	left := float64(max(0, before-r.line.waiting)) / float64(max(1, before))
	r.line.leaving.add(left/span, span, 300)
}

// report says what this edge sees around the watermark.
func (r *Room) report(now time.Time) Report {
	r.leasing.Lock() // a lease under way would be known and not be in Ahead
	defer r.leasing.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	served, front := r.mark.Served, r.mark.Served/perBlock
	rep := Report{
		Edge: r.o.Edge, At: now, Base: served,
		Issued:   max(r.mark.Issued, r.lease.last),
		Capacity: r.o.Capacity(), Active: r.o.Active(),
		Ahead: make([]uint16, window), Used: r.recent.since(now.Add(-silence)),
	}
	r.count()
	rep.Waiting = r.line.waiting
	for i := range uint64(window) {
		rep.Ahead[i] = r.ahead(front+i, now)
	}
	rep.Coming = int(math.Round(r.coming))
	return rep
}

// ahead is the numbers of a block beyond the watermark that are here, or may be
// given here any moment. After a start that is everybody, until all who wait
// have had time to look in.
func (r *Room) ahead(id uint64, now time.Time) uint16 {
	served := r.mark.Served
	if now.Sub(r.started) < r.o.Heartbeat*3/2 {
		return 0xffff &^ upTo(id, served)
	}
	var here uint16
	if b := r.ring.block(id, served); b != nil {
		here = b.present()
	}
	if r.lease.left() {
		here |= upTo(id, r.lease.last) &^ upTo(id, r.lease.next-1)
	}
	return here &^ upTo(id, served)
}

// count takes stock of those called and those who wait.
func (r *Room) count() {
	served := r.mark.Served
	r.coming = float64(r.ring.due(served)) * (1 - r.noShow.value())
	if r.lease.left() && r.lease.next <= served { // newcomers who will not wait
		r.coming += float64(min(r.lease.last, served) - r.lease.next + 1)
	}
	r.line.count(&r.ring, served, r.mark.Waiting)
}

// follow takes over where the room stands. active is what we had reported.
func (r *Room) follow(m Mark, active int, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.others = max(0, m.Active-active)
	if r.started.IsZero() {
		r.started, r.mark = now, m
		return
	}
	if m.Served < r.mark.Served {
		return // a ledger that has lost its memory calls nobody twice
	}
	for _, number := range m.Used {
		if b, bit := r.ring.of(number, r.mark.Served); b != nil {
			b.used |= bit
		}
	}
	r.ring.pass(r.mark.Served, m.Served, now.Unix())
	r.mark = m
	r.count()
}
