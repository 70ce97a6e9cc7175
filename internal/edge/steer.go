package edge

import (
	"sync/atomic"
	"time"

	"github.com/turnout-events/turnout/internal/edge/pool"
)

// Steering changes its mind slowly: another region has to answer faster by
// both a fifth and 10 ms for half a minute, or sessions would swing between two
// that are alike.
const (
	betterBy  = 0.8
	betterFor = 30 * time.Second
	betterMin = 10 * time.Millisecond
)

// steer is where new sessions of an org go that is served by whichever region
// is nearest. It is stepped by one goroutine and read by many.
type steer struct {
	choice atomic.Pointer[string]
	rival  string
	since  time.Time
}

// near is how far a region is: the smoothed time of a probe, 0 for unknown.
type near struct {
	region string
	away   time.Duration
}

// step looks at the regions that are alive, in the org's order.
func (s *steer) step(alive []near, now time.Time) {
	if len(alive) == 0 {
		return
	}
	current := alive[0]
	if c := s.choice.Load(); c != nil {
		for _, n := range alive {
			if n.region == *c {
				current = n
			}
		}
	}
	best := current
	for _, n := range alive {
		if n.away > 0 && current.away > 0 && n.away < best.away {
			best = n
		}
	}
	clear := float64(best.away) < betterBy*float64(current.away) && current.away-best.away > betterMin
	switch {
	case !clear:
		s.rival = ""
	case s.rival != best.region:
		s.rival, s.since = best.region, now
	case now.Sub(s.since) >= betterFor:
		current, s.rival = best, ""
	}
	s.choice.Store(&current.region)
}

// order is a course's pools with the chosen region first.
func (c *course) order() []*pool.Pool {
	if c.steer == nil {
		return c.pools
	}
	choice := c.steer.choice.Load()
	if choice == nil || len(c.pools) == 0 || c.pools[0].Region == *choice {
		return c.pools
	}
	ordered := make([]*pool.Pool, 0, len(c.pools))
	for _, p := range c.pools {
		if p.Region == *choice {
			ordered = append(ordered, p)
		}
	}
	for _, p := range c.pools {
		if p.Region != *choice {
			ordered = append(ordered, p)
		}
	}
	return ordered
}

// steerAll steps every org that is steered.
func (e *Edge) steerAll(now time.Time) {
	done := map[*steer]bool{}
	for _, s := range e.view.Load().sites {
		c := s.courses[0]
		if c.steer == nil || done[c.steer] {
			continue
		}
		done[c.steer] = true
		var alive []near
		for _, p := range c.pools {
			if p.Alive(now) {
				alive = append(alive, near{p.Region, p.Away()})
			}
		}
		c.steer.step(alive, now)
	}
}
