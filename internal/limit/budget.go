package limit

import (
	"sync"
	"time"
)

// Budget keeps retries from becoming the load that made them necessary: over
// the last ten seconds at most a ratio of the requests may be tried again, and
// a few a second besides, so that a quiet service can retry at all.
type Budget struct {
	ratio   float64
	reserve Rate
	spare   Meter

	mu                sync.Mutex
	slots             [windowSlots]slot
	tick              int64 // of the newest slot
	requests, retries int   // sums over slots
}

// The window slides in steps: it covers the last 9.5 to 10 s.
const (
	windowSlots = 20
	slotLength  = 500 * time.Millisecond
)

type slot struct{ requests, retries int }

// NewBudget makes a budget of ratio retries for each request and reserve
// retries a second besides. Zero for both means that nothing is tried again.
func NewBudget(ratio float64, reserve int) *Budget {
	return &Budget{ratio: max(0, ratio), reserve: Rate{PerSecond: float64(reserve), Burst: reserve}}
}

// Deposit counts a request, once, however often it is tried.
func (b *Budget) Deposit(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.slide(now).requests++
	b.requests++
}

// Withdraw reports whether one more retry may be made, and counts it.
func (b *Budget) Withdraw(now time.Time) bool {
	b.mu.Lock()
	s := b.slide(now)
	granted := float64(b.retries+1) <= b.ratio*float64(b.requests)
	if granted {
		s.retries++
		b.retries++
	}
	b.mu.Unlock()
	return granted || (b.reserve.PerSecond > 0 && b.spare.Take(b.reserve, now).OK)
}

// slide forgets what has left the window and gives the slot of now. A clock
// that was set back by more than the window starts it afresh.
func (b *Budget) slide(now time.Time) *slot {
	tick := now.UnixNano() / int64(slotLength)
	if tick >= b.tick+windowSlots || tick <= b.tick-windowSlots {
		b.slots, b.requests, b.retries = [windowSlots]slot{}, 0, 0
		b.tick = tick
	}
	for b.tick < tick {
		b.tick++
		s := &b.slots[b.tick%windowSlots]
		b.requests -= s.requests
		b.retries -= s.retries
		*s = slot{}
	}
	return &b.slots[b.tick%windowSlots]
}
