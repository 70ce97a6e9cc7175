package limit

import "sync/atomic"

// Share counts what one holder has at once of a capacity that several share.
// Each may have at most its part, so that a slow abuser, who stays within any
// rate, cannot take all places. The zero value is ready.
type Share struct{ held atomic.Int64 }

// Acquire takes a place if the holder has fewer than its part, which is
// fraction (0 to 1) of capacity, rounded down, and at least 1. It never waits.
// Every Acquire that was granted needs one Release.
func (s *Share) Acquire(capacity int, fraction float64) bool {
	part := int64(max(1, float64(capacity)*min(max(fraction, 0), 1)))
	for {
		held := s.held.Load()
		if held >= part {
			return false
		}
		if s.held.CompareAndSwap(held, held+1) {
			return true
		}
	}
}

// Release gives a place back. It panics where none was taken, since a count
// that is off would let too many in for as long as the process lives.
func (s *Share) Release() {
	if s.held.Add(-1) < 0 {
		panic("limit: Share.Release without Acquire")
	}
}

// InUse is the number of places that are taken.
func (s *Share) InUse() int { return int(s.held.Load()) }
