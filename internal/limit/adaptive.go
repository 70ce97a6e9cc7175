package limit

import (
	"sync"
	"sync/atomic"
	"time"
)

// Outcome of a request to an upstream.
type Outcome int

// The outcomes: answered; failed, or timed out, in a way that says too much was
// asked; or nothing learnt, as when the client went away.
const (
	Success Outcome = iota
	Dropped
	Ignored
)

// AdaptiveOptions are in requests at once. Zero means 20, 4 and 1000.
type AdaptiveOptions struct{ Initial, Min, Max int }

// Adaptive learns how many requests an upstream can have at once.
//
// Latencies are looked at in windows of about two rounds of requests. The base
// is the latency without a queue; what a window's mean has above it is queue.
// Up to tolerance times the base the limit grows, if it was reached at all;
// beyond, it shrinks in proportion. Every dropped request takes a place away,
// so that a limit shrinks by the share of its requests that fail.
//
// The base can be wrong in two ways. Too low, when the upstream has become
// slower by itself: then halving the limit leaves latency where it was, and the
// cut is taken back, since holding requests back helps nobody. Too high, when
// it was measured in a queue: so where one lasts, now and then the limit is cut
// for a window to measure again.
//
// For an upstream that works on c at once the limit comes to rest near 1.75 c,
// so one in good health is not held below what it serves, but for a third during
// that one window in sixty.
type Adaptive struct {
	min, max, initial float64

	inFlight atomic.Int64
	places   atomic.Int64 // limit, rounded
	reached  atomic.Bool  // in this window

	mu     sync.Mutex
	limit  float64
	base   float64 // ns; 0 while nothing is known
	window struct {
		n   int
		sum float64 // ns
	}
	cut    cut
	queued int // windows with a queue since the base was last measured without
	probe  probe
}

// cut is what was before the limit began to shrink.
type cut struct{ limit, latency float64 }

// probe is a measurement at a part of the limit that was.
type probe struct {
	limit float64 // that was; 0 while none goes on
	skip  int64   // answers to requests that were under way before it
}

const (
	// tolerance, with the headroom that adjust adds, times probeAt is well below
	// one: there an upstream has no queue left, so a base that was too high is
	// found out.
	tolerance = 1.5
	probeAt   = 0.4
	// queueFrom is what above the base is taken for a queue worth measuring.
	queueFrom = 1.3
	// probeEvery is in windows with a queue, and probeSoon where the base is in
	// doubt: it was measured in a queue, or the upstream has become faster.
	probeEvery, probeSoon = 60, 5
	// helped is what latency falls to, at the most, when half a queue is gone.
	helped = 0.65
	// usedFrom is the part of the limit that counts as reaching it.
	usedFrom = 0.9
)

// NewAdaptive makes a limit that starts at Initial and stays within Min and Max.
func NewAdaptive(o AdaptiveOptions) *Adaptive {
	if o.Max <= 0 {
		o.Max = 1000
	}
	if o.Min <= 0 {
		o.Min = min(4, o.Max)
	}
	if o.Initial <= 0 {
		o.Initial = 20
	}
	a := &Adaptive{min: float64(o.Min), max: float64(max(o.Min, o.Max)), initial: float64(o.Initial)}
	a.set(float64(o.Initial))
	return a
}

// Acquire takes a place if there is one. It never waits. Every Acquire that was
// granted needs one Release.
func (a *Adaptive) Acquire() bool {
	for {
		n, places := a.inFlight.Load(), a.places.Load()
		if float64(n+1) >= usedFrom*float64(places) && !a.reached.Load() {
			a.reached.Store(true)
		}
		if n >= places {
			return false
		}
		if a.inFlight.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// Enter takes a place whether or not there is one: for whoever was let in before
// and is not to be turned away now. It needs one Release.
func (a *Adaptive) Enter() {
	if n := a.inFlight.Add(1); float64(n) >= usedFrom*float64(a.places.Load()) && !a.reached.Load() {
		a.reached.Store(true)
	}
}

// Press notes that more was wanted than its user was allowed, so that the limit
// can grow though it was not reached.
func (a *Adaptive) Press() {
	if !a.reached.Load() {
		a.reached.Store(true)
	}
}

// Reset forgets what was learnt: the upstream is another one now. What is under
// way stays counted.
func (a *Adaptive) Reset() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.base, a.window.n, a.window.sum, a.queued = 0, 0, 0, 0
	a.cut, a.probe = cut{}, probe{}
	a.set(a.initial)
}

// Release gives a place back and tells how it went. The latency counts for
// Success only: that of a failure says nothing about a queue.
func (a *Adaptive) Release(latency time.Duration, outcome Outcome) {
	if a.inFlight.Add(-1) < 0 {
		panic("limit: Adaptive.Release without Acquire")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	before := a.probe.skip > 0
	if before {
		a.probe.skip--
	}
	if outcome == Dropped {
		a.set(a.limit - 1)
	}
	if outcome != Success || before {
		return
	}
	a.window.n++
	a.window.sum += float64(max(latency, time.Microsecond))
	if float64(a.window.n) >= a.enough() {
		a.learn(a.window.sum/float64(a.window.n), a.reached.Swap(false))
		a.window.n, a.window.sum = 0, 0
	}
}

// enough is how many answers make a window.
func (a *Adaptive) enough() float64 {
	least := 32.
	if a.probe.limit > 0 {
		least = 64 // a lot hangs on it
	}
	return min(max(least, 2*a.limit), 400)
}

// Limit is how many may be in flight at once, now.
func (a *Adaptive) Limit() int { return int(a.places.Load()) }

// InFlight is how many are.
func (a *Adaptive) InFlight() int { return int(a.inFlight.Load()) }

// learn draws the conclusion of one window from its mean latency, in ns.
func (a *Adaptive) learn(latency float64, reached bool) {
	switch {
	case a.probe.limit > 0:
		a.measure(latency)
	case !reached:
		// Latency that we did not cause is nothing that we could cure.
		a.cut, a.queued = cut{}, 0
		a.rebase(latency, 1./8)
	default:
		if a.base == 0 || latency < 0.6*a.base {
			a.base = latency
			a.queued = max(a.queued, probeEvery-probeSoon)
		}
		a.rebase(latency, 0)
		if !a.takeBack(latency) {
			a.adjust(latency)
		}
	}
}

// rebase follows what is faster than the base, and what is slower by a part.
func (a *Adaptive) rebase(latency, slower float64) {
	switch {
	case a.base == 0:
		a.base = latency
	case latency < a.base:
		a.base += (latency - a.base) / 8
	default:
		a.base += (latency - a.base) * slower
	}
}

// takeBack ends a cut that has not helped, and reports whether it did.
func (a *Adaptive) takeBack(latency float64) bool {
	switch {
	case latency <= tolerance*a.base:
		a.cut = cut{}
	case latency > a.cut.latency && a.limit > a.cut.limit/2:
		a.cut = cut{a.limit, latency}
	case a.limit > max(a.min, a.cut.limit/2):
	case latency > helped*a.cut.latency:
		a.base = latency
		a.set(a.cut.limit)
		a.cut = cut{}
		return true
	default:
		a.cut = cut{a.limit, latency}
	}
	return false
}

// adjust moves the limit, or starts to measure at a part of it.
func (a *Adaptive) adjust(latency float64) {
	if latency > queueFrom*a.base {
		a.queued++
	}
	if a.queued >= probeEvery {
		a.queued = 0
		a.probe = probe{limit: a.limit, skip: a.inFlight.Load()}
		a.set(a.limit * probeAt)
		return
	}
	gradient := min(max(0.5, tolerance*a.base/latency), 1)
	// No headroom at the steepest, or a small limit would never get to its half.
	headroom := max(2, a.limit/10) * (2*gradient - 1)
	a.set(a.limit*(1+gradient)/2 + headroom)
}

// measure stands in for adjust while a probe goes on.
func (a *Adaptive) measure(latency float64) {
	if latency < 0.85*a.base { // there was a queue, and may still be: stay, and look again
		a.base, a.queued = latency, probeEvery-probeSoon
	} else {
		a.base += (latency - a.base) / 2 // either way: the lows alone would be noise
		a.set(a.probe.limit)
	}
	a.probe = probe{}
}

func (a *Adaptive) set(limit float64) {
	a.limit = min(max(a.min, limit), a.max)
	a.places.Store(int64(a.limit))
}
