package room

import (
	"context"
	"fmt"
	"math"
	"time"
)

// Step is to be called at least once a second. It reports to the ledger, moves
// the watermark, and passes over the absent. On an error of the ledger the
// watermark stays where it was; those called before are still let in.
func (r *Room) Step(ctx context.Context, now time.Time) error {
	return StepAll(ctx, now, r.o.Ledger, []*Room{r})
}

// StepAll is Step for rooms of one edge, which have names of their own and a
// ledger in common: it is changed once for all of them, and once more for those
// that are new. No room is to be stepped twice at once.
func StepAll(ctx context.Context, now time.Time, ledger Ledger, rooms []*Room) error {
	reports := make(map[string]Report, len(rooms))
	for _, r := range rooms {
		reports[r.o.Name] = r.take(now)
	}
	for len(reports) > 0 {
		marks, err := ledger.Watermarks(ctx, reports)
		if err != nil {
			for _, r := range rooms {
				r.lost()
			}
			return fmt.Errorf("move watermarks: %w", err)
		}
		again := map[string]Report{}
		for _, r := range rooms {
			report, asked := reports[r.o.Name]
			mark, told := marks[r.o.Name]
			if !asked || !told {
				continue
			}
			r.follow(mark, report.Active, now)
			if report.Base == 0 && mark.Served > 0 { // until we speak of what we heard, nobody is called
				again[r.o.Name] = r.report(now)
			}
		}
		reports = again
	}
	return nil
}

// take closes the time since the last step and reports.
func (r *Room) take(now time.Time) Report {
	r.mu.Lock()
	if r.rotated.IsZero() {
		r.rotated, r.stepped, r.quiet = now, now, now
	}
	// A little more than a heartbeat, for the way that a refresh takes.
	if now.Sub(r.rotated) >= r.o.Heartbeat*5/4 {
		r.ring.beat()
		r.rotated = now
	}
	called, came := r.ring.settle(r.seconds(now.Add(-r.o.Heartbeat * 2)))
	if called > 0 {
		r.noShow.add(1-float64(came)/float64(called), float64(called), 500)
	}
	r.observe(now.Sub(r.stepped).Seconds())
	r.stepped, r.admitted, r.passed = now, 0, 0
	r.lease.expire(now)
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
	r.mu.Lock()
	defer r.mu.Unlock()
	rep := Report{Edge: r.o.Edge, At: now, Base: r.mark.Served, Issued: r.mark.Issued, Capacity: r.o.Capacity(), Active: r.o.Active()}
	if r.lease.asked { // what is under way may be known from others, and is not in Ahead
		rep.Issued = min(rep.Issued, r.lease.above)
	}
	if r.o.Sessions != nil {
		rep.Inside = r.o.Sessions.Minutes(now)
	}
	if r.started.IsZero() {
		return rep
	}
	r.count()
	rep.Coming, rep.Waiting = int(math.Round(r.coming)), r.line.waiting
	rep.Ahead, rep.Used = r.ahead(now), r.recent.since(now.Add(-silence))
	return rep
}

// ahead is the blocks from the watermark's on, without empty ones at the end:
// most lines are short.
func (r *Room) ahead(now time.Time) []uint16 {
	blocks, last := make([]uint16, window), 0
	for i := range blocks {
		if blocks[i] = r.present(r.mark.Served/perBlock+uint64(i), now); blocks[i] != 0 {
			last = i + 1
		}
	}
	return blocks[:last]
}

// present is the numbers of a block beyond the watermark that are here, or may
// be given here any moment. After a start that is everybody, until all who wait
// have had time to look in.
func (r *Room) present(id uint64, now time.Time) uint16 {
	served := r.mark.Served
	if now.Before(r.unsure) {
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

// lost notes that the ledger cannot be reached.
func (r *Room) lost() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lease.away = true
}

// follow takes over where the room stands. active is what we had reported.
func (r *Room) follow(m Mark, active int, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lease.away = false
	for _, left := range m.Left {
		active += left.N // ours from now on
	}
	r.others = max(0, m.Active-active)
	if r.o.Sessions != nil && len(m.Left) > 0 {
		r.o.Sessions.Adopt(m.Left, now)
	}
	m.Left = nil
	m.Issued = max(m.Issued, r.mark.Issued) // leased meanwhile
	defer r.wake()
	if r.started.IsZero() {
		r.started, r.first, r.mark = now, m.Served, m
		if m.Issued > m.Served {
			r.unsure = now.Add(r.o.Heartbeat * 3 / 2)
		}
		r.fit()
		return
	}
	if m.Served < r.mark.Served {
		return // a ledger that has lost its memory calls nobody twice
	}
	from := r.mark.Served
	r.mark = m
	r.fit()
	for _, number := range m.Used {
		if b, bit := r.ring.of(number, m.Served); b != nil {
			b.used |= bit
		}
	}
	r.ring.pass(from, m.Served, r.seconds(now))
	r.count()
	r.shrink(now)
}

// wake tells those who wait for their turn that a step was made.
func (r *Room) wake() {
	close(r.moved)
	r.moved = make(chan struct{})
}

// small is how many numbers a room keeps without a line, and identities.
const small = few * perBlock / 2

// fit makes the room large when more numbers were given than a small one keeps.
func (r *Room) fit() {
	if r.ring.reach() < most && r.mark.Issued > r.first+small {
		r.ring.resize(most, r.mark.Served)
		r.recent.resize(mostRecent)
		r.identities.grow()
	}
}

// shrink makes a large room small when nobody has waited for a while. Who comes
// late to their turn then starts anew, before nobody.
func (r *Room) shrink(now time.Time) {
	if r.busy() || r.ring.due(r.mark.Served) > 0 {
		r.quiet = now
	}
	if now.Sub(r.quiet) < emptyFor {
		return
	}
	r.first = r.mark.Issued
	if r.ring.reach() > few || len(r.identities.sets) > small/ways {
		r.ring.resize(few, r.mark.Served)
		r.recent.resize(small)
		r.identities = newIdentities(r.o.Identities)
	}
}

// emptyFor is for how long nobody waits before a room becomes small.
const emptyFor = time.Minute
