package pool

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// probed is an upstream at a server that answers a probe as it is told.
type probed struct {
	*Upstream
	x      *broken
	mu     sync.Mutex
	answer http.HandlerFunc
	asked  chan struct{}
}

func newProbed(t *testing.T) *probed {
	t.Helper()
	p := &probed{x: &broken{}, asked: make(chan struct{}, 1000)}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != Path {
			t.Errorf("asked for %s", r.URL.Path)
		}
		p.asked <- struct{}{}
		p.mu.Lock()
		answer := p.answer
		p.mu.Unlock()
		if answer != nil {
			answer(w, r)
		}
	}))
	t.Cleanup(s.Close)
	origin, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	p.Upstream = NewUpstream("u", origin, p.x)
	return p
}

func (p *probed) answers(h http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = h
}

func status(code int, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
	}
}

func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func TestWhatAProbeSays(t *testing.T) {
	deadline := time.Now().Add(time.Hour).Truncate(time.Second)
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   Condition
		breaks int
	}{
		"ready":             {nil, Up, 0},
		"does not know":     {status(404), Up, 0}, // not one of ours, but there
		"elsewhere":         {status(302, "Location", "http://127.0.0.1:1/"), Up, 0},
		"unwell":            {status(500), Down, 1},
		"not ready":         {status(503), Down, 1},
		"drains":            {status(503, DrainHeader, strconv.FormatInt(deadline.Unix(), 10)), Draining, 0},
		"drains until when": {status(503, DrainHeader, "soon"), Down, 1},
		"hangs":             {hang, Down, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProbed(t)
			p.answers(c.answer)
			NewProber(ProberOptions{Logger: slog.New(slog.DiscardHandler)}).step(t.Context(), p.Upstream)
			s := p.State(time.Now())
			if s.Condition != c.want || len(p.x.causes) != c.breaks {
				t.Errorf("it is %+v, broken off %d times; want %s, %d", s, len(p.x.causes), c.want, c.breaks)
			}
			if c.want == Draining && !s.Deadline.Equal(deadline) {
				t.Errorf("it drains until %v, want %v", s.Deadline, deadline)
			}
			if c.breaks > 0 && !errors.Is(p.x.causes[0], ErrHangs) {
				t.Errorf("broken off for %v", p.x.causes[0])
			}
		})
	}
}

// P10: one that hangs is told from one that is busy: the busy one answers others.
func TestP10BusyIsNotHanging(t *testing.T) {
	p := newProbed(t)
	p.answers(hang)
	done := make(chan struct{})
	go func() {
		defer close(done)
		NewProber(ProberOptions{Logger: slog.New(slog.DiscardHandler)}).step(t.Context(), p.Upstream)
	}()
	<-p.asked
	p.Answered(1, 400*time.Millisecond, false, time.Now())
	<-done
	if s := p.State(time.Now()); s.Condition != Up || len(p.x.causes) != 0 {
		t.Errorf("a busy one is %s", s.Condition)
	}
}

// wire answers probes without a network, and counts them.
type wire struct{ probes atomic.Int64 }

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.probes.Add(1)
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
}

// P10: a request that failed asks for a probe at once, not in a quarter second.
func TestP10AFailureHurriesTheProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w wire
		u := NewUpstream("u", &url.URL{Scheme: "http", Host: "u"}, &broken{})
		prober := NewProber(ProberOptions{Logger: slog.New(slog.DiscardHandler), Transport: &w})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		began := time.Now()
		prober.Watch(ctx, map[*Upstream]bool{u: true})
		for n := range int64(200) {
			synctest.Wait()
			if got := w.probes.Load(); got != n+1 || !time.Now().Equal(began) {
				t.Fatalf("%d probes after %d failures and %s", got, n, time.Since(began))
			}
			prober.Hurry(u)
		}
		prober.Watch(ctx, nil)
		prober.Hurry(u) // of one that is not watched any more it asks nothing
		if len(prober.running) != 0 {
			t.Error("it is still watched")
		}
		cancel()
		prober.Wait() // and nothing is under way any more
	})
}
