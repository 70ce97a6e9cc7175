package delivery

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-events/turnout"
)

// Lanes are spread: an instance has LanesPerOrg calls under way at once and leaves
// the other lanes to others, who do not wait for it.
func TestLanesAreSpreadOverInstances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const events, each = 12, 5
		q := newQueue()
		for i := range events {
			q.add(turnout.EventID(rune('a'+i)), 10)
		}
		var instances [3]*target // each as one instance sees it
		for i := range instances {
			instances[i] = &target{latency: 2 * time.Second}
			start(t, q, instances[i], func(o *Options) { o.Owner = string(rune('1' + i)) })
		}
		pass(time.Second) // no call has ended yet
		all := 0
		for i, s := range instances {
			n := len(s.made())
			all += n
			if n < events-2*each || n > each {
				t.Errorf("instance %d has %d lanes of %d", i+1, n, events)
			}
		}
		if all != events {
			t.Errorf("%d lanes of %d are under way", all, events)
		}
		pass(5 * time.Second)
		if n := q.count(delivered); n != 10*events {
			t.Errorf("%d of %d delivered", n, 10*events)
		}
	})
}

// mortal is what an instance has of the queue. Once dead it reaches nothing, as a
// process that was killed.
type mortal struct {
	*queue
	mu   sync.Mutex
	dead bool
}

func (m *mortal) die() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead = true
}

func (m *mortal) alive() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead {
		return turnout.Errorf(turnout.CodeUnavailable, "reach the store", "dead")
	}
	return nil
}

func (m *mortal) Lanes(ctx context.Context, now time.Time, count int) ([]turnout.LaneStatus, error) {
	if err := m.alive(); err != nil {
		return nil, err
	}
	return m.queue.Lanes(ctx, now, count)
}

func (m *mortal) Renew(ctx context.Context, lease turnout.Lease, until time.Time) error {
	if err := m.alive(); err != nil {
		return err
	}
	return m.queue.Renew(ctx, lease, until)
}

func (m *mortal) Settle(ctx context.Context, lease turnout.Lease, outcomes []turnout.Outcome, notBefore time.Time) error {
	if err := m.alive(); err != nil {
		return err
	}
	return m.queue.Settle(ctx, lease, outcomes, notBefore)
}

// P1: whenever in a call its holder dies, a lane is another's within ten seconds and
// that one's next look (docs/operations.md), and not before.
func TestP1ADeadInstancesLanesAreTakenOverWithinTenSeconds(t *testing.T) {
	for _, after := range []time.Duration{time.Millisecond, renewEvery - time.Millisecond, renewEvery + time.Millisecond, 3*renewEvery + renewEvery/2} {
		synctest.Test(t, func(t *testing.T) {
			q := newQueue()
			q.add("e1", 5)
			m, slow, quick := &mortal{queue: q}, &target{latency: 50 * time.Second}, &target{latency: time.Millisecond}
			start(t, q, slow, func(o *Options) { o.Queue, o.Leases = m, m })
			synctest.Wait() // the call is under way
			start(t, q, quick)
			pass(after)
			m.die()
			if made := len(slow.made()); made != 1 {
				t.Fatalf("%d calls before it died", made)
			}
			pass(10*time.Second - renewEvery - time.Millisecond)
			if n := len(quick.made()); n != 0 {
				t.Errorf("%v in the call: taken over while the lease lasts", after)
			}
			pass(renewEvery + time.Millisecond + look + breath + time.Millisecond) // the latest look, and its call
			if n := q.count(delivered); n != 5 {
				t.Errorf("%v in the call: %d of 5 delivered", after, n)
			}
		})
	}
}
