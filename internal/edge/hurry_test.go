package edge

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-events/turnout/internal/edge/affinity"
	"github.com/turnout-events/turnout/internal/edge/pool"
	"github.com/turnout-events/turnout/internal/edge/room"
	"github.com/turnout-events/turnout/internal/edge/routing"
	"github.com/turnout-events/turnout/internal/exchange"
)

// wires are instances without a network: each answers its probes and loses whatever
// else it is asked. What they were asked is counted by name.
type wires struct {
	mu          sync.Mutex
	probes, all map[string]int
}

func (w *wires) count(of map[string]int, name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	of[name]++
}

// RoundTrip answers a probe.
func (w *wires) RoundTrip(r *http.Request) (*http.Response, error) {
	w.count(w.probes, r.URL.Host)
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
}

// loser is an instance for everything else.
type loser struct {
	name string
	*wires
}

func (l loser) RoundTrip(*http.Request) (*http.Response, error) {
	l.count(l.all, l.name)
	return nil, &exchange.Error{Op: "read", Sent: true, Err: errors.New("it has gone")}
}

func (loser) Break(error)  {}
func (loser) Close() error { return nil }

// wired is an edge before two instances that lose all they are asked.
func wired(t *testing.T) (*Edge, *wires) {
	t.Helper()
	w := &wires{probes: map[string]int{}, all: map[string]int{}}
	table, err := routing.New(routing.Plan{
		Stacks: []routing.Stack{{Name: "blue", Pools: []routing.Pool{{Region: "home", Upstreams: []routing.Upstream{
			{Name: "one", URL: "http://one"}, {Name: "two", URL: "http://two"},
		}}}}},
		Orgs: []routing.Org{{ID: "acme"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	signer, err := affinity.NewSigner(bytes.Repeat([]byte{7}, affinity.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	tickets, err := room.NewKeys(bytes.Repeat([]byte{8}, 32))
	if err != nil {
		t.Fatal(err)
	}
	e := New(Options{
		Signer: signer, Tickets: tickets, Connect: func(origin *url.URL) pool.Exchange { return loser{origin.Host, w} },
	}, table)
	e.prober = pool.NewProber(pool.ProberOptions{Logger: slog.New(slog.DiscardHandler), Transport: w})
	return e, w
}

// P10: a request that fails has its instance probed at once, and nobody else: the
// next visitor is not to find out the same way.
func TestP10AFailedRequestHurriesTheProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, w := wired(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = e.Run(ctx) }()
		synctest.Wait() // each was probed once
		<-time.After(pool.Every / 5)
		failed := time.Now()
		r := httptest.NewRequest("POST", "http://acme.localhost/api/v1/x", strings.NewReader("{}"))
		e.ServeHTTP(httptest.NewRecorder(), r)
		synctest.Wait()
		if len(w.all) != 1 {
			t.Fatalf("it was asked of %v", w.all)
		}
		for _, name := range []string{"one", "two"} {
			if want := 1 + w.all[name]; w.probes[name] != want || !time.Now().Equal(failed) {
				t.Errorf("after %s instance %s was probed %d times, want %d", time.Since(failed), name, w.probes[name], want)
			}
		}
	})
}
