// Package watch looks at the processes behind a target while a run goes on: their
// metrics, and what they hold of this machine where they are on it.
package watch

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/turnout-events/turnout/internal/load/measure"
	"github.com/turnout-events/turnout/internal/load/result"
)

// Process is one that is watched.
type Process struct {
	// Name is what results call it: "instance 1", "edge".
	Name string
	// Metrics is the URL of its metrics; may be empty.
	Metrics string
	// PID is its process id where it is on this machine, 0 where that is not known.
	PID int
}

// Watcher watches processes. Its methods are for one goroutine at a time, but Usage.
type Watcher struct {
	Processes []Process
	// Via sends requests.
	Via http.RoundTripper
	// Every is the number of seconds between two looks at what processes hold; 0
	// means 1.
	Every int

	last  map[string]figures
	first totals
	began bool
	// oldest is the age that was seen last, in the second seen.
	oldest float64
	seen   int

	mu    sync.Mutex
	usage []result.Usage
}

// totals are figures of all processes together.
type totals struct{ calls, delivered, accepted float64 }

// Look asks all processes for their metrics, and says what changed since it last did.
func (w *Watcher) Look(ctx context.Context, second int) measure.Seen {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	now, oldest, told, before := totals{}, 0.0, false, w.sum()
	all := make([]figures, len(w.Processes))
	var asking sync.WaitGroup
	for i, p := range w.Processes {
		asking.Go(func() { all[i] = w.ask(ctx, p) })
	}
	asking.Wait()
	if w.last == nil {
		w.last = map[string]figures{}
	}
	for i, p := range w.Processes {
		if all[i].known {
			w.last[p.Name] = all[i]
			oldest, told = max(oldest, all[i].oldest), told || all[i].delivers
		}
		if second%max(1, w.Every) == 0 {
			w.note(second, p, all[i])
		}
	}
	switch {
	case told:
		w.oldest, w.seen = oldest, second
	case w.oldest > 0: // nobody says: what waited then has waited for longer
		oldest = w.oldest + float64(max(0, second-w.seen))
	}
	now = w.sum()
	if !w.began {
		w.began, w.first, before = true, now, now
	}
	// A process that was started again counts from 0: nothing is said of that second.
	return measure.Seen{
		Calls: int64(max(0, now.calls-before.calls)), Delivered: int64(max(0, now.delivered-before.delivered)),
		Waiting:   int64(max(0, now.accepted-w.first.accepted-(now.delivered-w.first.delivered))),
		OldestAge: oldest,
	}
}

// patience is how long metrics may take: they are asked for each second.
const patience = 900 * time.Millisecond

func (w *Watcher) sum() (t totals) {
	for _, f := range w.last {
		t.calls += f.calls
		t.delivered += f.delivered
		t.accepted += f.accepted
	}
	return t
}

// mostMetrics is more than any process of Turnout's shows, in bytes.
const mostMetrics = 4 << 20

func (w *Watcher) ask(ctx context.Context, p Process) (f figures) {
	if p.Metrics == "" {
		return f
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.Metrics, nil)
	if err != nil {
		return f
	}
	resp, err := w.Via.RoundTrip(req)
	if err != nil {
		return f
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return f
	}
	return read(io.LimitReader(resp.Body, mostMetrics))
}

// Known reports whether any process shows its metrics.
func (w *Watcher) Known() bool { return len(w.last) > 0 }

// note keeps what a process holds.
func (w *Watcher) note(second int, p Process, f figures) {
	u := result.Usage{Second: second, Process: p.Name, Memory: int64(f.memory), Goroutines: int64(f.goroutines), Files: int64(f.files)}
	if p.PID > 0 {
		held := held(p.PID)
		u.Store = held.store
		if u.Memory == 0 {
			u.Memory, u.Files = held.memory, held.files
		}
	}
	if u.Memory == 0 && u.Goroutines == 0 {
		return // nothing is known of it
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.usage = append(w.usage, u)
}

// Usage is what the processes held, over time. Safe for concurrent use.
func (w *Watcher) Usage() []result.Usage {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]result.Usage{}, w.usage...)
}
