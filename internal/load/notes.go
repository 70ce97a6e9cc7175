package load

import (
	"fmt"
	"runtime"
	"syscall"
	"time"

	"github.com/turnout-events/turnout/internal/load/result"
)

// lateMatters is how late 99 of 100 requests may have been sent, in milliseconds,
// before a reader has to know.
const lateMatters = 50

// notes are what a reader has to know of the generator.
func (e *engine) notes(run *result.Run) {
	note := func(format string, args ...any) { run.Notes = append(run.Notes, fmt.Sprintf(format, args...)) }
	p50, p99, most, visitors := e.rec.Lateness()
	if p99 > lateMatters {
		note("THE GENERATOR FELL BEHIND: it sent half of its requests %.1f ms late or more, one in 100 %.0f ms, and one %.0f ms. Latencies include that; this machine was too busy, or the rate too high for it.", p50, p99, most)
	} else {
		note("The generator sent 99 of 100 requests at most %.1f ms late (%.0f ms at the most), which is part of their latencies.", p99, most)
	}
	note("The generator itself used %.2f of %d processors: what it takes from a target beside it is in the figures.", e.busy, runtime.NumCPU())
	never := int64(0)
	for _, s := range run.Steps {
		for _, c := range s.Errors {
			if c.What == noRoom {
				never += c.Count
			}
		}
	}
	if never > 0 {
		note("THE GENERATOR TURNED VISITORS AWAY: %d did not come, since %d were there at once, which is all that it holds.", never, e.MostVisitors)
	}
	note("At most %d visitors were there at once.", visitors)
	if n := e.missed.Load(); n > 0 {
		note("%d visitors did not come, since there were only %d personal links.", n, len(e.Links))
	}
	if run.Interrupted {
		note("The run was interrupted: what it shows is what there was by then, and nothing was proven about seats and losses.")
	}
}

// processorTime is what this process has used so far, in user and in system mode.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
