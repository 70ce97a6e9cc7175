package app

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// process is one process's metrics behind a test server.
type process struct {
	registry *prometheus.Registry
	accepted *prometheus.CounterVec
	oldest   prometheus.Gauge
	took     prometheus.Histogram
}

func newProcess(started float64) *process {
	p := &process{
		registry: prometheus.NewRegistry(),
		accepted: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "accepted_total"}, []string{"org"}),
		oldest:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "oldest_seconds"}),
		took:     prometheus.NewHistogram(prometheus.HistogramOpts{Name: "took_seconds", Buckets: []float64{0.1, 1}}),
	}
	start := prometheus.NewGauge(prometheus.GaugeOpts{Name: "process_start_time_seconds"})
	start.Set(started)
	p.registry.MustRegister(p.accepted, p.oldest, p.took, start)
	return p
}

func (p *process) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p.registry == nil {
		http.Error(w, "down", http.StatusBadGateway)
		return
	}
	promhttp.HandlerFor(p.registry, promhttp.HandlerOpts{}).ServeHTTP(w, r)
}

func wantLines(t *testing.T, of prometheus.Gatherer, want ...string) {
	t.Helper()
	lines := shown(of)
	for _, line := range want {
		if !slices.Contains(lines, line) {
			t.Errorf("%s is not in\n%s", line, strings.Join(lines, "\n"))
		}
	}
}

// Counts of all instances are added up, one that ends takes none of its counts
// along, and what is true only now is said only by those that live.
func TestMetricsOfAllInstances(t *testing.T) {
	one, two := newProcess(100), newProcess(200)
	var admins []*url.URL
	for _, p := range []*process{one, two} {
		s := httptest.NewServer(p)
		defer s.Close()
		u, err := url.Parse(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		admins = append(admins, u)
	}
	one.accepted.WithLabelValues("acme").Add(3)
	two.accepted.WithLabelValues("acme").Add(4)
	two.accepted.WithLabelValues("hills").Add(1)
	one.oldest.Set(9)
	two.oldest.Set(5)
	one.took.Observe(0.05)
	two.took.Observe(0.5)
	all := newTally(admins, nil)
	wantLines(t, all, `accepted_total{org="acme"} 7`, `accepted_total{org="hills"} 1`, `oldest_seconds 9`,
		`took_seconds_bucket{le="0.1"} 1`, `took_seconds_bucket{le="1"} 2`, `took_seconds_count 2`)

	*one = process{} // ends
	wantLines(t, all, `accepted_total{org="acme"} 7`, `oldest_seconds 5`, `took_seconds_count 2`)

	*one = *newProcess(300) // starts again, and counts from zero
	one.accepted.WithLabelValues("acme").Add(10)
	wantLines(t, all, `accepted_total{org="acme"} 17`, `took_seconds_bucket{le="0.1"} 1`, `took_seconds_count 2`)
	wantLines(t, all, `accepted_total{org="acme"} 17`) // asking again adds nothing
}

// hangs answers nothing until it is told to.
type hangs struct{ until chan struct{} }

func (h hangs) ServeHTTP(http.ResponseWriter, *http.Request) { <-h.until }

// An instance that hangs holds up neither the metrics of the others nor whoever
// asks for them, and goes to the end of the order; what the others had counted
// when they ended stays, though nobody had asked.
func TestHungInstanceHidesNothing(t *testing.T) {
	hung, lives := hangs{make(chan struct{})}, newProcess(100)
	first, second := httptest.NewServer(hung), httptest.NewServer(lives)
	defer first.Close()
	defer close(hung.until)
	lives.accepted.WithLabelValues("acme").Add(5)
	var admins []*url.URL
	for _, s := range []*httptest.Server{first, second} {
		u, err := url.Parse(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		admins = append(admins, u)
	}
	all := newTally(admins, nil)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = all.run(ctx) }()
	defer func() { cancel(); <-ended }()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for all.order()[0] != admins[1] { // it was looked at by itself
		<-tick.C
	}
	second.Close()
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() { wantLines(t, all, `accepted_total{org="acme"} 5`) })
	}
	asking.Wait()
}

// What is no metrics is an error, and counts nothing.
func TestForeignMetricsAreRefused(t *testing.T) {
	for _, text := range []string{"<html>", "a{ 1", "a 1\na 1 2 3\n"} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }))
		u, err := url.Parse(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		if families, err := newTally(nil, nil).ask(t.Context(), u); err == nil {
			t.Errorf("%q was read as %v", text, families)
		}
		s.Close()
	}
	if _, err := newTally(nil, nil).ask(t.Context(), &url.URL{Scheme: "http", Host: "127.0.0.1:1"}); err == nil || errors.Is(err, errors.ErrUnsupported) {
		t.Error("a dead instance answered")
	}
}
