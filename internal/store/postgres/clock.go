package postgres

import (
	"context"
	"sync/atomic"
	"time"
)

// clock is this process's, set by the database's: leases, turns and what is due
// are compared between instances, whose own clocks may differ by minutes.
type clock struct {
	// now is the process's own.
	now func() time.Time
	// ahead is what is added to it, in nanoseconds, and measured when it was last
	// looked at, by the process's own clock.
	ahead, measured atomic.Int64
}

const (
	// measureEvery is how often the two clocks are compared.
	measureEvery = time.Minute
	// sameClock is how far they may be apart and count as one, so that time does
	// not jump by every measuring.
	sameClock = 500 * time.Millisecond
)

// Now is the time by the database's clock.
func (c *clock) Now() time.Time { return c.now().Add(time.Duration(c.ahead.Load())) }

// measure compares the clocks. An answer that took long says too little, and one
// that did not come nothing.
func (c *clock) measure(ctx context.Context, q querier) {
	before := c.now()
	c.measured.Store(before.UnixNano())
	var theirs time.Time
	if err := q.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&theirs); err != nil {
		return
	}
	took := c.now().Sub(before)
	ahead := theirs.Sub(before.Add(took / 2))
	if took < sameClock && (ahead-time.Duration(c.ahead.Load())).Abs() > sameClock {
		c.ahead.Store(int64(ahead))
	}
}

// due tells whether it is time to compare again.
func (c *clock) due() bool {
	return c.now().Sub(time.Unix(0, c.measured.Load())).Abs() > measureEvery
}

// Now is the database's time, one clock for all instances.
func (s *Store) Now() time.Time { return s.clock.Now() }
