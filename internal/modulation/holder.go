package modulation

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/turnout-events/turnout/internal/limit"
)

// fraction is this edge's part of a holder's allowance, 0 to 1. The zero value is 1.
type fraction struct{ without atomic.Uint64 }

func (f *fraction) set(part float64) {
	f.without.Store(math.Float64bits(1 - min(max(part, 0), 1)))
}
func (f *fraction) get() float64 { return 1 - math.Float64frombits(f.without.Load()) }

// number is a float that may be read while it is written.
type number struct{ bits atomic.Uint64 }

func (n *number) set(v float64) { n.bits.Store(math.Float64bits(v)) }
func (n *number) get() float64  { return math.Float64frombits(n.bits.Load()) }

// Meter is a holder's rate at this edge: its part of one that edges share. Safe
// for concurrent use; it waits for nobody.
type Meter struct {
	own   limit.Meter
	part  fraction
	asked atomic.Int64
	rate  number  // as it was last given, requests a second
	want  float64 // requests a second, smoothed; Sharing's alone
}

// Take is limit.Meter's, with this edge's part of the rate.
func (m *Meter) Take(r limit.Rate, now time.Time) limit.Verdict {
	m.asked.Add(1)
	m.rate.set(r.PerSecond)
	part := m.part.get()
	if part >= 1 || !(r.PerSecond > 0) { // a rate of zero is no limit
		return m.own.Take(r, now)
	}
	v := m.own.Take(limit.Rate{PerSecond: r.PerSecond * part, Burst: int(float64(r.Burst) * part)}, now)
	v.Limit = max(1, r.Burst) // what the holder was promised
	return v
}

func (m *Meter) wants(since time.Duration) (want, of float64) {
	asked := float64(m.asked.Swap(0))
	m.want = smooth(m.want, asked/since.Seconds(), max(asked, m.want*since.Seconds()))
	return m.want, m.rate.get()
}

func (m *Meter) give(part float64) { m.part.set(part) }

// Share is a holder's places at this edge: its part of what edges share. Safe for
// concurrent use; it waits for nobody.
type Share struct {
	own     limit.Share
	part    fraction
	peak    atomic.Int64 // most places in use since the last look
	refused atomic.Int64
	places  number  // what the holder may have over all edges
	want    float64 // places, smoothed; Sharing's alone
}

// Acquire is limit.Share's, with this edge's part of the holder's places.
func (s *Share) Acquire(capacity int, fraction float64) bool {
	s.places.set(float64(capacity) * min(max(fraction, 0), 1))
	if !s.own.Acquire(capacity, fraction*s.part.get()) {
		s.refused.Add(1)
		return false
	}
	for in := int64(s.own.InUse()); ; {
		if seen := s.peak.Load(); in <= seen || s.peak.CompareAndSwap(seen, in) {
			return true
		}
	}
}

// Release gives a place back.
func (s *Share) Release() { s.own.Release() }

// InUse is the number of places that are taken at this edge.
func (s *Share) InUse() int { return s.own.InUse() }

func (s *Share) wants(time.Duration) (want, of float64) {
	places := float64(s.peak.Swap(int64(s.own.InUse())) + s.refused.Swap(0))
	s.want = smooth(s.want, places, max(places, s.want))
	return s.want, s.places.get()
}

func (s *Share) give(part float64) { s.part.set(part) }

// smooth follows what is wanted, up and down. Requests come at random, so a look
// that counted few says little, and one that counted many is believed: traffic that
// has moved to another edge is missing there for as long as it seems to be here.
// What is next to nothing is nothing.
func smooth(was, now, counted float64) float64 {
	if was += max(0.3, counted/(counted+10)) * (now - was); was < 0.01 {
		return 0
	}
	return was
}
