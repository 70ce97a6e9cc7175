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
// of each process is kept. It is a prometheus.Gatherer.
type tally struct {
	// admins are the instances' admin origins. A process that was started again
	// keeps its predecessor's.
	admins []*url.URL
	client *http.Client

	looking sync.Mutex // one round at a time, so that none is overtaken by an older one

	mu   sync.Mutex
	last []shownBy // by instance
	gone *sum      // what processes that have ended had counted
}

// shownBy is what a process showed last.
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
	// tallyEvery bounds what is not counted of a process that is killed.
	tallyEvery = 250 * time.Millisecond
)

func newTally(admins []*url.URL) *tally {
	return &tally{admins: admins, client: &http.Client{Timeout: tallyPatience}, last: make([]shownBy, len(admins)), gone: newSum()}
}

// run looks at the instances until ctx ends, so that little of what one counted
// is missed when it is killed.
func (t *tally) run(ctx context.Context) error {
	tick := time.NewTicker(tallyEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			t.look(ctx)
		}
	}
}

// Gather implements prometheus.Gatherer.
func (t *tally) Gather() ([]*dto.MetricFamily, error) {
	t.look(context.Background())
	t.mu.Lock()
	defer t.mu.Unlock()
	total := newSum()
	total.add(t.gone.all(), false)
	for _, l := range t.last {
		total.add(l.families, l.alive)
	}
	return total.all(), nil
}

// look asks every instance once, all at the same time.
func (t *tally) look(ctx context.Context) {
	t.looking.Lock()
	defer t.looking.Unlock()
	var all sync.WaitGroup
	for i, admin := range t.admins {
		all.Go(func() {
			families, err := t.ask(ctx, admin)
			t.saw(i, families, err)
		})
	}
	all.Wait()
}

// saw notes what an instance showed, or that it did not answer.
func (t *tally) saw(i int, families []*dto.MetricFamily, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	last := &t.last[i]
	if err != nil {
		last.alive = false
		return
	}
	started := startOf(families)
	if started != last.started {
		t.gone.add(last.families, false)
	}
	*last = shownBy{families, started, true}
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
