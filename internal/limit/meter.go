package limit

import (
	"math"
	"sync/atomic"
	"time"
)

// Rate allows PerSecond in the long run and Burst at once. A Burst below 1
// means 1. A PerSecond of zero or less means that there is no limit. Intervals
// are rounded up to whole nanoseconds, so a rate is never exceeded; above ten
// million a second the rounding costs more than a hundredth of it.
type Rate struct {
	PerSecond float64
	Burst     int
}

// longest bounds what a full burst stands for, so that times stay in 64 bits.
const longest = 100 * 365 * 24 * time.Hour

// interval is the time that one request stands for, 0 for no limit, and
// whole the time that the burst does.
func (r Rate) interval() (interval, whole int64) {
	if !(r.PerSecond > 0) { // also what is not a number
		return 0, 0
	}
	burst := int64(r.burst())
	one := math.Ceil(float64(time.Second) / r.PerSecond)
	most := int64(longest) / burst
	interval = max(1, most)
	if one < float64(most) {
		interval = max(1, int64(one))
	}
	return interval, interval * burst
}

func (r Rate) burst() int { return min(max(1, r.Burst), math.MaxInt32) }

// Verdict of one request.
type Verdict struct {
	OK bool
	// Limit is the burst; 0 where there is no limit, and then Remaining means nothing.
	Limit int
	// Remaining is how many more would be let through now.
	Remaining int
	// RetryAfter is when one would be let through if nobody else came; 0 if OK.
	RetryAfter time.Duration
	// Reset is the time until the full burst is there again.
	Reset time.Duration
}

// skew is how far apart the clocks of concurrent callers may be, who read them
// a moment before they got here. A debt further ahead than that was made under
// a clock that has been set back, or under a slower rate.
const skew = int64(time.Second)

// Meter is one limiter by the generic cell rate algorithm: all it remembers is
// the theoretical arrival time, that is when the debt of those let through is
// paid, in nanoseconds since 1970. The zero value is ready and full.
//
// Whoever is refused changes nothing, so a flood of refusals stays a flood of
// reads and doesn't push its own end away.
type Meter struct{ paid atomic.Int64 }

// Take lets one request through or says when to come again. In any time w it
// lets through at most Burst + PerSecond × w. When the rate changes, the debt
// stays, cut to what a full burst of the new one stands for.
func (m *Meter) Take(r Rate, now time.Time) Verdict {
	interval, whole := r.interval()
	if interval == 0 {
		return Verdict{OK: true}
	}
	at := now.UnixNano()
	for {
		before := m.paid.Load()
		paid := max(before, at)
		if paid > at+whole+skew {
			m.paid.CompareAndSwap(before, at+whole)
			continue
		}
		after := paid + interval
		if late := after - (at + whole); late > 0 {
			return Verdict{Limit: r.burst(), RetryAfter: time.Duration(late), Reset: time.Duration(paid - at)}
		}
		if m.paid.CompareAndSwap(before, after) {
			left := (at + whole - after) / interval
			return Verdict{OK: true, Limit: r.burst(), Remaining: int(left), Reset: time.Duration(after - at)}
		}
	}
}

// idle reports whether the full burst is there: forgetting such a meter gives
// nothing away.
func (m *Meter) idle(now time.Time) bool { return m.paid.Load() <= now.UnixNano() }
