package load

import (
	"context"
	"time"

	"github.com/turnout-events/turnout/internal/load/measure"
)

// tick looks once a second at how it goes, and tells.
func (e *engine) tick(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		e.second(ctx, false)
	}
}

// second ends a second of the run, and gives what was seen in it. It is called by one
// goroutine at a time.
func (e *engine) second(ctx context.Context, draining bool) (seen measure.Seen) {
	at := e.now()
	if e.Watch != nil {
		seen = e.Watch.Look(ctx, int(at/time.Second))
	}
	e.rec.Tick(at, seen)
	e.calls += seen.Calls
	if e.Progress != nil {
		e.Progress(Progress{
			Live: e.rec.Live(), Elapsed: at, Duration: e.Scenario.Duration, Calls: e.calls,
			Oldest: time.Duration(seen.OldestAge * float64(time.Second)), Watched: e.Watch != nil, Draining: draining,
		})
	}
	return seen
}

// drainPatience is how long the queue to Salesforce may take to empty: several times
// what a healthy org takes for the last few.
const drainPatience = 90 * time.Second

// drain goes on looking until nothing waits for Salesforce.
func (e *engine) drain(ctx context.Context) {
	if e.Watch == nil || e.ledger.Len() == 0 {
		return
	}
	end := e.now() + drainPatience
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for quiet := 0; quiet < 2 && e.now() < end; {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		seen := e.second(ctx, true)
		if quiet++; seen.OldestAge > 0 {
			quiet = 0
		}
	}
}
