package edge

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"
)

// Visitors of the tests in which something fails: they read and submit by turns.
const (
	sessions = 300
	thinking = 400 * time.Millisecond
)

// usual is an instance that takes as long as a page that asks a store.
func usual() instanceSettings { return instanceSettings{Service: 20 * time.Millisecond} }

// ending is what a peer's visitors went through, over all its faults.
type ending struct {
	lost    []int // by fault
	longest []time.Duration
	quiet   []time.Duration // longest waits while nothing failed
	faults  map[string]int
	crowd   struct{ asked, moved, needless, unstored int64 }
}

// add counts what one crowd found in the end.
func (e *ending) add(b *testing.B, c *crowd, keys string) {
	e.crowd.asked += c.reads.Load() + c.sent.Load()
	e.crowd.moved += c.moved.Load()
	e.crowd.needless += c.needless.Load()
	e.crowd.unstored += int64(c.unstored(b, keys))
	if e.faults == nil {
		e.faults = map[string]int{}
	}
	for f, n := range c.faults {
		e.faults[f] += n
	}
}

// mark begins a new count of losses and waits, and returns the old one.
func (c *crowd) mark(lost *int64) (int, time.Duration) {
	now := c.lost.Load()
	n := now - *lost
	*lost = now
	return int(n), time.Duration(c.longest.Swap(0))
}

// fault does something to an instance and mends it.
type fault func(b *testing.B, h *house, m *member)

// killed: kill -9, and a successor after half a second.
func killed(b *testing.B, h *house, m *member) {
	h.ill.begin(m.who())
	m.kill()
	pass(500 * time.Millisecond)
	h.start(m)
	pass(700 * time.Millisecond)
}

// hanging is longer than nginx waits for an answer here.
const hanging = 8 * time.Second

// stopped: SIGSTOP for a while, so that it hangs with its connections open.
func stopped(_ *testing.B, h *house, m *member) {
	h.ill.begin(m.who())
	m.signal(syscall.SIGSTOP)
	pass(hanging)
	m.signal(syscall.SIGCONT)
	h.ill.mend(m.who(), time.Second) // nobody finds that out at once
	pass(time.Second)
}

// suffer lets n instances fail before a peer, one after the other.
func (e *ending) suffer(b *testing.B, k peer, n int, rng *rand.Rand, do fault) {
	h := newHouse(b, 3, usual())
	defer h.end()
	x := k.run(b, h.plan())
	defer x.end()
	c := gather(x.addr, sessions, thinking, h.ill, nil)
	pass(2 * time.Second) // all of them have a session
	lost := int64(0)
	_, _ = c.mark(&lost)
	pass(2 * time.Second)
	_, quiet := c.mark(&lost)
	e.quiet = append(e.quiet, quiet)
	for range n {
		pass(time.Duration(rng.Int64N(int64(300 * time.Millisecond))))
		do(b, h, h.all[rng.IntN(len(h.all))])
		gone, longest := c.mark(&lost)
		e.lost, e.longest = append(e.lost, gone), append(e.longest, longest)
	}
	c.disperse()
	if gone, longest := c.mark(&lost); len(e.lost) > 0 { // what the last one left
		e.lost[len(e.lost)-1] += gone
		e.longest[len(e.longest)-1] = max(e.longest[len(e.longest)-1], longest)
	}
	e.add(b, c, h.keys)
}

// compareFaults lets n faults happen before each peer, a few at a time in turn.
func compareFaults(b *testing.B, title string, n int, do fault, names ...string) {
	all := peers(b, names...)
	found := make([]ending, len(all))
	const few = 5
	for at := 0; at < n; at += few {
		for i, k := range all {
			rng := rand.New(rand.NewPCG(uint64(at), 11)) // the same ones before each
			found[i].suffer(b, k, min(few, n-at), rng, do)
		}
	}
	t := newTable(title, "", "requests", "lost", "runs without loss", "lost in the worst", "longest wait, median", "longest of all", "longest while quiet", "sessions moved", "needlessly", "submissions not stored as typed")
	for i, k := range all {
		e := &found[i]
		clean, total := 0, 0
		for _, l := range e.lost {
			total += l
			if l == 0 {
				clean++
			}
		}
		t.row(k.name, e.crowd.asked, total, fmt.Sprintf("%d of %d", clean, len(e.lost)), slices.Max(e.lost), median(e.longest), slices.Max(e.longest), median(e.quiet), e.crowd.moved, e.crowd.needless, e.crowd.unstored)
		for _, f := range slices.Sorted(maps.Keys(e.faults)) {
			b.Logf("%s: %d × %s", k.name, e.faults[f], f)
		}
	}
	t.report(b)
}

// BenchmarkKill: kill -9 of one of three instances under 300 sessions.
func BenchmarkKill(b *testing.B) {
	for b.Loop() {
		compareFaults(b, fmt.Sprintf("kill -9 of one of three instances, %d times, under %d sessions that read and submit", *kills, sessions),
			*kills, killed, nameEdge, nameHAProxy, nameDefaults, nameNginx)
	}
}

// BenchmarkStop: SIGSTOP instead.
func BenchmarkStop(b *testing.B) {
	for b.Loop() {
		n := max(1, *kills/4)
		compareFaults(b, fmt.Sprintf("SIGSTOP of one of three instances for %v, %d times, under %d sessions that read and submit", hanging, n, sessions),
			n, stopped, nameEdge, nameHAProxy, nameDefaults, nameNginx)
	}
}
