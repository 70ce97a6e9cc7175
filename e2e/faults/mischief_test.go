//go:build e2e

package faults

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/turnout-events/turnout/internal/wiretest"
)

// hands is how many things go wrong at once.
const hands = 3

// mischief lets things go wrong at random, and mends each of them after a while.
type mischief struct {
	d    *deployment
	seed uint64
	acts []act

	mu       sync.Mutex
	busy     map[string]bool // what something is wrong with now
	timeline *os.File
	began    time.Time
	done     atomic.Int64 // how many things went wrong
}

// act is one way in which something goes wrong.
type act struct {
	name, target string
	weight       int
	longest      time.Duration
	// begin does it, and returns what mends it.
	begin func(rng *rand.Rand) (mend func())
}

func newMischief(d *deployment, seed uint64) *mischief {
	d.t.Helper()
	file, err := os.Create(filepath.Join(d.dir, "timeline.log"))
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { file.Close() })
	m := &mischief{d: d, seed: seed, busy: map[string]bool{}, timeline: file, began: time.Now()}
	for _, p := range d.instances {
		m.ofProcess(p, 4, 14*time.Second)
	}
	m.ofProcess(d.edge, 2, 2*time.Second)
	for _, o := range d.offices {
		m.ofProcess(o.process, 1, 8*time.Second)
		m.ofSalesforce(o)
	}
	m.ofEngines()
	for _, name := range slices.Sorted(maps.Keys(d.wires)) {
		if name != "operator→database" { // who is done
			m.ofWire(name, d.wires[name])
		}
	}
	return m
}

func (m *mischief) add(a act) { m.acts = append(m.acts, a) }

// run lets things go wrong until ctx ends, and mends everything then.
func (m *mischief) run(ctx context.Context) {
	var all sync.WaitGroup
	for hand := range hands {
		rng := rand.New(rand.NewPCG(m.seed, uint64(hand)))
		all.Go(func() {
			for ctx.Err() == nil {
				m.once(ctx, rng)
			}
		})
	}
	all.Wait()
}

// once lets one thing go wrong for a while.
func (m *mischief) once(ctx context.Context, rng *rand.Rand) {
	a, lasts, rest := m.choose(rng), duration(rng, 8*time.Second), duration(rng, 2*time.Second)
	if !m.take(a.target) {
		wait(ctx, rest)
		return
	}
	defer m.leave(a.target)
	lasts = min(lasts, a.longest)
	m.say("%s %s for %v", a.target, a.name, lasts)
	mend := a.begin(rng)
	m.done.Add(1)
	wait(ctx, lasts)
	mend()
	m.say("%s mended (%s)", a.target, a.name)
	wait(ctx, rest)
}

// choose picks an act by its weight.
func (m *mischief) choose(rng *rand.Rand) act {
	total := 0
	for _, a := range m.acts {
		total += a.weight
	}
	n := rng.IntN(total)
	for _, a := range m.acts {
		if n -= a.weight; n < 0 {
			return a
		}
	}
	panic("unreachable")
}

// duration is a short one mostly, and now and then twice as long as most.
func duration(rng *rand.Rand, most time.Duration) time.Duration {
	d := time.Duration(rng.Int64N(int64(most)))/2 + 100*time.Millisecond
	if rng.IntN(4) == 0 {
		d *= 4
	}
	return d.Round(10 * time.Millisecond)
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func (m *mischief) take(target string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.busy[target] {
		return false
	}
	m.busy[target] = true
	return true
}

func (m *mischief) leave(target string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.busy, target)
}

// say writes a line of the timeline.
func (m *mischief) say(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	fmt.Fprintf(m.timeline, "%s %8.3f %s\n", time.Now().Format("15:04:05.000"), time.Since(m.began).Seconds(), fmt.Sprintf(format, args...))
}

// again starts a process that has ended.
func (m *mischief) again(p *process) {
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	if err := p.up(ctx, m.d.starter); err != nil {
		m.d.t.Errorf("%s does not come back: %v", p.name, err)
	}
}

// ofProcess: it is killed, told to end, or stopped for a while.
func (m *mischief) ofProcess(p *process, weight int, longest time.Duration) {
	m.add(act{"killed", p.name, weight, 2 * time.Second, func(*rand.Rand) func() {
		p.kill()
		return func() { m.again(p) }
	}})
	m.add(act{"told to end", p.name, 1, 2 * time.Second, func(*rand.Rand) func() {
		if !p.end(90 * time.Second) {
			m.d.t.Errorf("%s did not end though told to", p.name)
		}
		return func() { m.again(p) }
	}})
	m.add(act{"stopped", p.name, weight, longest, func(*rand.Rand) func() {
		p.signal(syscall.SIGSTOP)
		return func() { p.signal(syscall.SIGCONT) }
	}})
}

// ofSalesforce: it misbehaves as it does.
func (m *mischief) ofSalesforce(o *office) {
	ways := []string{
		`{"outage_seconds": 600}`, `{"lose_reply_rate": 0.5}`, `{"lock_rate": 0.4}`, `{"expire_tokens": true}`,
		`{"error_rate": 0.4}`, `{"latency_ms": 1500}`, `{"latency_ms": 300, "lose_reply_rate": 0.2, "error_rate": 0.2, "lock_rate": 0.2}`,
	}
	m.add(act{"misbehaves", o.process.name, 4, 15 * time.Second, func(rng *rand.Rand) func() {
		way := ways[rng.IntN(len(ways))]
		m.say("%s %s", o.process.name, way)
		m.salesforce(o, way)
		return func() { m.salesforce(o, `{}`) }
	}})
}

func (m *mischief) salesforce(o *office, faults string) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := o.misbehave(ctx, faults); err != nil {
		m.d.t.Errorf("%s: %v", o.process.name, err)
	}
}

// ofEngines: each is killed, or stopped for a while.
func (m *mischief) ofEngines() {
	ctx := context.Background()
	must := func(what string, err error) {
		if err != nil {
			m.d.t.Errorf("%s: %v", what, err)
		}
	}
	d := m.d
	m.add(act{"killed", "database", 3, 3 * time.Second, func(*rand.Rand) func() {
		must("kill the database", d.database.Kill())
		return func() { must("start the database", d.database.Restart(ctx)) }
	}})
	m.add(act{"stopped", "database", 2, 8 * time.Second, func(*rand.Rand) func() {
		must("stop the database", d.database.Pause())
		return func() { must("resume the database", d.database.Resume()) }
	}})
	m.add(act{"killed", "cache", 2, 10 * time.Second, func(*rand.Rand) func() {
		must("kill the cache", d.cache.Kill())
		return func() { must("start the cache", d.cache.Restart(ctx)) }
	}})
	m.add(act{"stopped", "cache", 2, 10 * time.Second, func(*rand.Rand) func() {
		must("stop the cache", d.cache.Pause())
		return func() { must("resume the cache", d.cache.Resume()) }
	}})
	m.add(act{"killed", "redis", 2, 10 * time.Second, func(*rand.Rand) func() {
		d.redis.Kill()
		return func() { must("start Redis", d.redis.Restart(ctx)) }
	}})
	m.add(act{"stopped", "redis", 2, 10 * time.Second, func(*rand.Rand) func() {
		must("stop Redis", d.redis.Pause())
		return func() { must("resume Redis", d.redis.Resume()) }
	}})
}

// ofWire: it does what networks do.
func (m *mischief) ofWire(name string, w *wiretest.Wire) {
	faults := map[string]func(*rand.Rand) wiretest.Fault{
		"slow": func(rng *rand.Rand) wiretest.Fault {
			return wiretest.Fault{Delay: time.Duration(5+rng.IntN(400)) * time.Millisecond}
		},
		"holding":         func(*rand.Rand) wiretest.Fault { return wiretest.Fault{Hold: true} },
		"silent":          func(*rand.Rand) wiretest.Fault { return wiretest.Fault{LoseUp: true, LoseDown: true} },
		"without answers": func(*rand.Rand) wiretest.Fault { return wiretest.Fault{LoseDown: true} },
		"refusing":        func(*rand.Rand) wiretest.Fault { return wiretest.Fault{Refuse: true} },
	}
	for _, what := range slices.Sorted(maps.Keys(faults)) {
		f := faults[what]
		m.add(act{what, name, 1, 12 * time.Second, func(rng *rand.Rand) func() {
			w.Set(f(rng))
			if what == "refusing" {
				w.Reset()
			}
			return func() { w.Set(wiretest.Fault{}) }
		}})
	}
	m.add(act{"reset", name, 1, 100 * time.Millisecond, func(*rand.Rand) func() { w.Reset(); return func() {} }})
	m.add(act{"half-open", name, 1, 100 * time.Millisecond, func(*rand.Rand) func() { w.Cut(); return func() {} }})
}
