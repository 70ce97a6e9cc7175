package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// tally shows the metrics of all instances as those of one program. Instances
// come and go, and what one had counted stays counted: the last that was seen
// of each process is kept. It is a prometheus.Gatherer. Safe for concurrent use.
type tally struct {
	instances []*watched
	edge      *watched // nil for none
	client    *http.Client

	mu   sync.Mutex
	gone *sum // what processes that have ended had counted
}

// watched is an instance.
type watched struct {
	// admin is its admin origin. A process that was started again keeps its
	// predecessor's.
	admin *url.URL
	// turn is held while it is asked, so that no answer is overtaken by an older one.
	turn chan struct{}
	// last is what its process showed last; the tally's mutex guards it.
	last shownBy
}

// shownBy is what a process showed.
type shownBy struct {
	families []*dto.MetricFamily
	// started tells one process of an instance from the next.
	started float64
	alive   bool
}

// Bounds of asking an instance for its metrics.
const (
	tallyPatience = 2 * time.Second
	mostMetrics   = 8 << 20
	// tallyEvery bounds what is not counted of a process that ends.
	tallyEvery = 250 * time.Millisecond
	// gatherPatience is how long whoever asks waits for an instance that hangs.
	gatherPatience = 500 * time.Millisecond
)

// newTally adds up the metrics of instances and of the edge before them, nil for none.
func newTally(admins []*url.URL, edge *url.URL) *tally {
	t := &tally{client: &http.Client{Timeout: tallyPatience}, gone: newSum()}
	for _, admin := range admins {
		t.instances = append(t.instances, &watched{admin: admin, turn: make(chan struct{}, 1)})
	}
	if edge != nil {
		t.edge = &watched{admin: edge, turn: make(chan struct{}, 1)}
	}
	return t
}

// all are those whose metrics count.
func (t *tally) all() []*watched {
	if t.edge == nil {
		return t.instances
	}
	return append(t.instances[:len(t.instances):len(t.instances)], t.edge)
}

// run looks at the instances until ctx ends, so that little of what one counted
// is missed when it ends. One that hangs holds up no other.
func (t *tally) run(ctx context.Context) error {
	var all sync.WaitGroup
	for _, w := range t.all() {
		all.Go(func() {
			tick := time.NewTicker(tallyEvery)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
					t.look(ctx, w)
				}
			}
		})
	}
	all.Wait()
	return nil
}

// Gather implements prometheus.Gatherer.
func (t *tally) Gather() ([]*dto.MetricFamily, error) {
	ctx, cancel := context.WithTimeout(context.Background(), gatherPatience)
	defer cancel()
	var all sync.WaitGroup
	for _, w := range t.all() {
		all.Go(func() { t.look(ctx, w) })
	}
	all.Wait()
	t.mu.Lock()
	defer t.mu.Unlock()
	total := newSum()
	total.add(t.gone.all(), false)
	for _, w := range t.all() {
		total.add(w.last.families, w.last.alive)
	}
	return total.all(), nil
}

// order is where the instances are, those first that answered when they were
// last asked.
func (t *tally) order() []*url.URL {
	t.mu.Lock()
	defer t.mu.Unlock()
	var alive, others []*url.URL
	for _, w := range t.instances {
		if w.last.alive {
			alive = append(alive, w.admin)
		} else {
			others = append(others, w.admin)
		}
	}
	return append(alive, others...)
}

// look asks an instance once, unless ctx ends before.
func (t *tally) look(ctx context.Context, w *watched) {
	select {
	case w.turn <- struct{}{}:
	case <-ctx.Done():
		return
	}
	defer func() { <-w.turn }()
	families, err := t.ask(ctx, w.admin)
	if ctx.Err() == nil { // otherwise it is not known
		t.saw(w, families, err)
	}
}

// saw notes what an instance showed, or that it did not answer.
func (t *tally) saw(w *watched, families []*dto.MetricFamily, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		w.last.alive = false
		return
	}
	started := startOf(families)
	if started != w.last.started {
		t.gone.add(w.last.families, false)
	}
	w.last = shownBy{families, started, true}
}

func (t *tally) ask(ctx context.Context, admin *url.URL) ([]*dto.MetricFamily, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, admin.JoinPath("metrics").String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", string(expfmt.NewFormat(expfmt.TypeTextPlain)))
	resp, err := t.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask for metrics: answered %d", resp.StatusCode)
	}
	return readMetrics(io.LimitReader(resp.Body, mostMetrics), expfmt.ResponseFormat(resp.Header))
}

func readMetrics(r io.Reader, format expfmt.Format) ([]*dto.MetricFamily, error) {
	decoder := expfmt.NewDecoder(r, format)
	var all []*dto.MetricFamily
	for {
		f := new(dto.MetricFamily)
		switch err := decoder.Decode(f); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("read metrics: %w", err)
		}
		all = append(all, f)
	}
}

// startOf is when the process started, in seconds since 1970.
func startOf(families []*dto.MetricFamily) float64 {
	for _, f := range families {
		if f.GetName() == "process_start_time_seconds" && len(f.GetMetric()) > 0 {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	return 0
}
