// Package live tells an operator how a run of load goes: one line that is written
// anew each second on a terminal, and a line of its own each ten seconds elsewhere.
package live

import (
	"fmt"
	"io"
	"time"

	"github.com/turnout-events/turnout/internal/load"
)

// Line is what is told. Its methods are called by one goroutine at a time.
type Line struct {
	// Out is where; Terminal tells that it can be written over.
	Out      io.Writer
	Terminal bool

	seconds  int
	requests int64
	faults   int64
	p50, p99 float64
	written  bool
}

// every is how many seconds a line stands for where it stays.
const every = 10

// Show tells how it goes now. It is called once a second.
func (l *Line) Show(p load.Progress) {
	if l.Terminal {
		fmt.Fprintf(l.Out, "\r\x1b[K%s", text(p, p.Requests, p.Faults))
		l.written = true
		return
	}
	l.seconds++
	l.requests += p.Requests
	l.faults += p.Faults
	l.p50, l.p99 = max(l.p50, p.P50), max(l.p99, p.P99)
	if l.seconds%every != 0 {
		return
	}
	p.P50, p.P99 = l.p50, l.p99 // of the slowest of these seconds
	fmt.Fprintln(l.Out, text(p, l.requests/every, l.faults))
	l.requests, l.faults, l.p50, l.p99 = 0, 0, 0, 0
}

// Done leaves the line, so that what follows stands below it.
func (l *Line) Done() {
	if l.written {
		fmt.Fprintln(l.Out)
	}
	l.written = false
}

func text(p load.Progress, rate, faults int64) string {
	s := fmt.Sprintf("%4.0f s  %5d/s  p50 %s  p99 %s  errors %d", p.Elapsed.Seconds(), rate, milliseconds(p.P50), milliseconds(p.P99), faults)
	s += fmt.Sprintf("  visitors %d  registered %d", p.Sessions, p.Accepted)
	if p.Watched {
		s += fmt.Sprintf("  Salesforce %d calls, oldest %.1f s", p.Calls, p.Oldest.Round(100*time.Millisecond).Seconds())
	}
	if p.Draining {
		s += "  (waiting for Salesforce)"
	}
	return s
}

func milliseconds(ms float64) string {
	if ms < 100 {
		return fmt.Sprintf("%4.1f ms", ms)
	}
	return fmt.Sprintf("%4.0f ms", ms)
}
