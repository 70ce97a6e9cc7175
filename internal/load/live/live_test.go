package live

import (
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout/internal/load"
	"github.com/turnout-events/turnout/internal/load/measure"
)

func progress(second int) load.Progress {
	return load.Progress{
		Live:    measure.Live{Requests: 100, Faults: 1, P50: 1.25, P99: 250 + float64(second), Sessions: 7, Accepted: 3},
		Elapsed: time.Duration(second) * time.Second, Calls: 12, Oldest: 3210 * time.Millisecond, Watched: true,
	}
}

// On a terminal one line is written over and over; elsewhere a line stands for ten
// seconds, and none of what was bad in them is lost.
func TestLines(t *testing.T) {
	var terminal, plain strings.Builder
	a, b := Line{Out: &terminal, Terminal: true}, Line{Out: &plain}
	for second := 1; second <= 25; second++ {
		a.Show(progress(second))
		b.Show(progress(second))
	}
	a.Done()
	a.Done()
	b.Done()
	if n := strings.Count(terminal.String(), "\r"); n != 25 || strings.Count(terminal.String(), "\n") != 1 {
		t.Errorf("%d times: %q", n, terminal.String())
	}
	lines := strings.Split(strings.TrimSpace(plain.String()), "\n")
	want := "20 s    100/s  p50  1.2 ms  p99  270 ms  errors 10  visitors 7  registered 3  Salesforce 12 calls, oldest 3.2 s"
	if len(lines) != 2 || strings.TrimSpace(lines[1]) != want {
		t.Errorf("%q, want %q", lines, want)
	}
}
