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

// Every try that came to nothing is counted, whether Salesforce refuses row by row or
// does not answer at all, so that an outage is seen in the figures.
func TestAnOutageIsCounted(t *testing.T) {
	for name, answer := range map[string]func(batch []turnout.Dispatch) ([]turnout.Receipt, error){
		"call": func([]turnout.Dispatch) ([]turnout.Receipt, error) {
			return nil, turnout.Errorf(turnout.CodeUnavailable, "call", "down")
		},
		"rows": func(batch []turnout.Dispatch) ([]turnout.Receipt, error) {
			out := done(batch)
			for i := range out {
				out[i].Code = turnout.CodeStorage
			}
			return out, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q, counted := newQueue(), map[turnout.Result]int{}
				over := time.Now().Add(time.Minute)
				s := &target{}
				s.answer = func(_ int, batch []turnout.Dispatch) ([]turnout.Receipt, error) {
					if time.Now().Before(over) {
						return answer(batch)
					}
					return done(batch), nil
				}
				var mu sync.Mutex
				q.add("gala", 7)
				start(t, q, s, func(o *Options) {
					o.Observe = func(_ turnout.OrgID, result turnout.Result, n int) {
						mu.Lock()
						defer mu.Unlock()
						counted[result] += n
					}
				})
				pass(2 * time.Minute)
				synctest.Wait()
				mu.Lock()
				defer mu.Unlock()
				sent := 0
				for _, n := range s.made() {
					sent += n
				}
				if counted[turnout.ResultDone] != 7 || counted[turnout.ResultRetry] == 0 || counted[turnout.ResultRetry] != sent-7 {
					t.Errorf("counted %v of %d sent", counted, sent)
				}
			})
		})
	}
}
