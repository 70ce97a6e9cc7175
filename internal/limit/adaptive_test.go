package limit

import (
	"container/heap"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

// upstream works on so many requests at once and lets the others queue. Time is
// simulated, in seconds: Adaptive reads no clock.
type upstream struct {
	a       *Adaptive
	rng     *rand.Rand
	service float64
	noise   bool      // service times and arrivals are exponential
	failing float64   // share of requests that are dropped
	free    []float64 // when each worker is
	answers answers
	now     float64

	refused, served int
	limits          []int
}

type answer struct{ from, at float64 }

// answers is a heap, soonest first.
type answers []answer

func (h answers) Len() int           { return len(h) }
func (h answers) Less(i, j int) bool { return h[i].at < h[j].at }
func (h answers) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *answers) Push(x any)        { *h = append(*h, x.(answer)) }
func (h *answers) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

func (u *upstream) random() float64 {
	if u.noise {
		return u.rng.ExpFloat64()
	}
	return 1
}

// run sends perSecond requests for so many seconds.
func (u *upstream) run(perSecond, seconds float64) {
	u.refused, u.served, u.limits = 0, 0, u.limits[:0]
	for end := u.now + seconds; u.now < end; u.now += u.random() / perSecond {
		u.settle(u.now)
		u.limits = append(u.limits, u.a.Limit())
		if !u.a.Acquire() {
			u.refused++
			continue
		}
		soonest := 0
		for i := range u.free {
			if u.free[i] < u.free[soonest] {
				soonest = i
			}
		}
		u.free[soonest] = max(u.free[soonest], u.now) + u.service*u.random()
		heap.Push(&u.answers, answer{u.now, u.free[soonest]})
	}
}

// settle releases what is answered by then.
func (u *upstream) settle(then float64) {
	for len(u.answers) > 0 && u.answers[0].at <= then {
		done := heap.Pop(&u.answers).(answer)
		outcome := Success
		if u.rng.Float64() < u.failing {
			outcome = Dropped
		}
		u.a.Release(time.Duration((done.at-done.from)*1e9), outcome)
		u.served++
	}
}

// limit is its median over the last run: it is lower while it measures.
func (u *upstream) limit() int {
	slices.Sort(u.limits)
	return u.limits[len(u.limits)/2]
}

func (u *upstream) String() string {
	return fmt.Sprintf("limit %d, %d served, %d refused, noise %v", u.limit(), u.served, u.refused, u.noise)
}

// seeds is how many simulations are run; the first is without noise.
func seeds() uint64 {
	if testing.Short() {
		return 2
	}
	return 12
}

// From any start the limit comes to rest where twenty are served and the queue
// is short, under more load than can be served; a slow-down is survived.
func TestAdaptiveFindsTheCapacityAndRecovers(t *testing.T) {
	for seed := range seeds() {
		for _, initial := range []int{1, 20, 150} {
			u := &upstream{
				a:   NewAdaptive(AdaptiveOptions{Initial: initial, Min: 4, Max: 500}),
				rng: rand.New(rand.NewPCG(seed, 0)), noise: seed > 0,
				free: make([]float64, 20),
			}
			for _, phase := range []struct {
				name    string
				service float64
			}{{"at rest", 0.01}, {"slowed down", 0.08}, {"recovered", 0.01}} {
				u.service = phase.service
				u.run(3000, 20)
				u.run(3000, 20)
				if n := u.limit(); n < 15 || n > 60 {
					t.Errorf("seed %d, from %d, %s: %s; want a limit of 15 to 60", seed, initial, phase.name, u)
				}
				if capacity := 20 * 20 / u.service; float64(u.served) < 0.93*capacity {
					t.Errorf("seed %d, from %d, %s: %s; want %.0f served", seed, initial, phase.name, u, capacity)
				}
			}
		}
	}
}

// An upstream that has no queue is left alone, however its latencies scatter,
// and when it becomes slower by itself: what it serves is let through.
func TestAdaptiveLeavesTheHealthyAlone(t *testing.T) {
	for seed := range seeds() {
		u := &upstream{
			a: NewAdaptive(AdaptiveOptions{}), rng: rand.New(rand.NewPCG(seed, 0)), noise: seed > 0,
			free: make([]float64, 400), // never all busy here
		}
		for _, u.service = range []float64{0.01, 0.1} {
			u.run(1000, 20)
			u.run(1000, 20)
			if u.refused > 20 {
				t.Errorf("seed %d, service %v s: %s", seed, u.service, u)
			}
		}
		u.settle(math.MaxFloat64)
		if n := u.a.InFlight(); n != 0 {
			t.Errorf("%d in flight when all is done", n)
		}
	}
}

func TestAdaptiveByHand(t *testing.T) {
	a := NewAdaptive(AdaptiveOptions{Initial: 10, Min: 3, Max: 30})
	through := func(n int, latency time.Duration, outcome Outcome) {
		for range n {
			for a.Acquire() { // the limit is reached
			}
			for a.InFlight() > 0 {
				a.Release(latency, outcome)
			}
		}
	}
	through(5, time.Millisecond, Ignored)
	if a.Limit() != 10 {
		t.Errorf("what was ignored moved the limit to %d", a.Limit())
	}
	through(1, time.Millisecond, Dropped)
	if a.Limit() != 3 {
		t.Errorf("when all are dropped the limit is %d, want Min", a.Limit())
	}
	through(200, time.Millisecond, Success)
	if a.Limit() != 30 {
		t.Errorf("with latency flat the limit is %d, want Max", a.Limit())
	}
	idle := NewAdaptive(AdaptiveOptions{Initial: 10, Min: 3, Max: 30})
	for range 1000 {
		idle.Acquire()
		idle.Release(time.Millisecond, Success)
	}
	if idle.Limit() != 10 {
		t.Errorf("a limit that is not used grew to %d", idle.Limit())
	}
}

// The share of requests that fail is the share of places that goes.
func TestAdaptiveGivesWayToErrors(t *testing.T) {
	u := &upstream{
		a: NewAdaptive(AdaptiveOptions{Min: 2, Max: 500}), rng: rand.New(rand.NewPCG(1, 0)),
		free: make([]float64, 50), service: 0.01,
	}
	u.run(8000, 10)
	before := u.limit()
	u.failing = 0.5
	u.run(8000, 2)
	if n := u.limit(); n > before/4 {
		t.Errorf("half of all fail and the limit goes from %d to %d", before, n)
	}
	u.failing = 0
	u.run(8000, 10)
	u.run(8000, 10)
	if n := u.limit(); n < before*3/4 {
		t.Errorf("healed, the limit is %d, was %d", n, before)
	}
}

// What was under way before a measurement counts as through however it ends, or
// an upstream that begins to fail would be held at a part of its limit.
func TestAdaptiveMeasuresAfterWhateverWasUnderWay(t *testing.T) {
	a := NewAdaptive(AdaptiveOptions{})
	a.probe = probe{limit: 50, skip: 3}
	for _, outcome := range []Outcome{Success, Dropped, Ignored} {
		a.Acquire()
		a.Release(time.Second, outcome)
	}
	if a.probe.skip != 0 || a.window.n != 0 {
		t.Errorf("%d left, %d measured", a.probe.skip, a.window.n)
	}
}

func TestConcurrentAdaptiveNeverExceeds(t *testing.T) {
	a := NewAdaptive(AdaptiveOptions{Initial: 5, Min: 5, Max: 5})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 2000 {
				if a.Acquire() {
					if n := a.InFlight(); n > 5 {
						t.Errorf("%d in flight", n)
					}
					a.Release(time.Millisecond, Success)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkAdaptive(b *testing.B) {
	a := NewAdaptive(AdaptiveOptions{})
	b.ReportAllocs()
	for b.Loop() {
		if a.Acquire() {
			a.Release(time.Millisecond, Success)
		}
	}
}
