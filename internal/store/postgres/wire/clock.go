package wire

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// Clock is this process's, set by the database's: leases, turns and what is due
// are compared between instances, whose own clocks may differ by minutes.
type Clock struct {
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

// Querier is a connection, a pool of them or a transaction.
type Querier interface {
	QueryRow(ctx context.Context, query string, args ...any) pgx.Row
}

// NewClock is one by a process's own clock; nil means time.Now.
func NewClock(now func() time.Time) *Clock {
	if now == nil {
		now = time.Now
	}
	return &Clock{now: now}
}

// Now is the time by the database's clock.
func (c *Clock) Now() time.Time { return c.now().Add(time.Duration(c.ahead.Load())) }

// Measure compares the clocks. An answer that took long says too little, and one
// that did not come nothing.
func (c *Clock) Measure(ctx context.Context, q Querier) {
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

// Due tells whether it is time to compare again.
func (c *Clock) Due() bool {
	return c.now().Sub(time.Unix(0, c.measured.Load())).Abs() > measureEvery
}
