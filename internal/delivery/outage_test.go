package delivery

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-events/turnout"
)

// gone is a queue whose store does not answer until a time.
type gone struct {
	*queue
	until time.Time
}

func (g gone) Lanes(ctx context.Context, now time.Time, count int) ([]turnout.LaneStatus, error) {
	if now.Before(g.until) {
		return nil, errors.New("connection refused")
	}
	return g.queue.Lanes(ctx, now, count)
}

// P1: a store that is away is told of once and not four times a second, and what
// waits goes out when it is back.
func TestP1AStoreThatIsAwayIsToldOfOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, s := newQueue(), &target{}
		q.add("gala", 5)
		var log bytes.Buffer
		start(t, q, s, func(o *Options) {
			o.Queue, o.Logger = gone{q, time.Now().Add(time.Minute)}, slog.New(slog.NewTextHandler(&log, nil))
		})
		pass(2 * time.Minute)
		synctest.Wait()
		if n := strings.Count(log.String(), "cannot look at the queue"); n != 1 {
			t.Errorf("it was said %d times", n)
		}
		if left := q.due("gala", time.Now().Add(time.Hour)); len(left) != 0 {
			t.Errorf("%d are left", len(left))
		}
	})
}

// P4: what gathered over several parents goes out within seconds of the first call
// that gets through, however long the outage was: no lane sleeps on by itself.
func TestP4LanesAreReadyWhenTheCircuitCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		over := time.Now().Add(10 * time.Minute)
		var mu sync.Mutex
		var first, last time.Time
		s := &target{latency: 150 * time.Millisecond}
		s.answer = func(_ int, batch []turnout.Dispatch) ([]turnout.Receipt, error) {
			if time.Now().Before(over) {
				return nil, turnout.Errorf(turnout.CodeUnavailable, "call", "down")
			}
			mu.Lock()
			defer mu.Unlock()
			if last = time.Now(); first.IsZero() {
				first = last
			}
			return done(batch), nil
		}
		start(t, q, s)
		for _, e := range []turnout.EventID{"e1", "e2", "e3", "e4", "e5"} {
			q.add(e, 400)
		}
		pass(10*time.Minute + 2*longPause)
		if n := q.count(delivered); n != 2000 {
			t.Fatalf("%d of 2,000 delivered", n)
		}
		if last.Sub(first) > 3*time.Second {
			t.Errorf("the last call ended %v after the first", last.Sub(first))
		}
	})
}
