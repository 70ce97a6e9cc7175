package pool

import (
	"encoding/binary"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"time"
)

// Pool is a stack's upstreams in one region. It never changes: a new plan makes
// new pools of the same upstreams.
type Pool struct {
	Stack, Region string
	Upstreams     []*Upstream
}

// Find is the upstream with a handle, nil if there is none here.
func (p *Pool) Find(handle uint64) *Upstream {
	for _, u := range p.Upstreams {
		if u.Handle == handle {
			return u
		}
	}
	return nil
}

// candidate is an upstream that may be given something.
type candidate struct {
	*Upstream
	weight float64
}

// candidates are the upstreams that new work may go to, without those that were
// tried: the ones that are up; else those that are ejected, since they answer
// at least; else those that drain; and when nobody is there, whoever was heard
// last, since a probe may be wrong and a visitor has nothing to lose. Whoever was
// there a moment ago is worth waiting for; one that may hang is not. Where more than half of those
// that answer are ejected, what fails is not them: ejections count for nothing
// then, and the few that look well are not left to carry all.
func (p *Pool) candidates(now time.Time, tried []*Upstream) []candidate {
	by := map[Condition][]candidate{}
	for _, u := range p.Upstreams {
		s := u.State(now)
		by[s.Condition] = append(by[s.Condition], candidate{u, s.Weight})
	}
	up, ejected := by[Up], by[Ejected]
	if len(ejected) > len(up) { // panic mode
		up, ejected = append(up, ejected...), nil
	}
	there := [][]candidate{up, ejected, by[Draining]}
	if len(up)+len(ejected)+len(by[Draining]) == 0 {
		there = [][]candidate{lastHeard(by[Down])}
	}
	for _, class := range there {
		class = slices.DeleteFunc(class, func(c candidate) bool { return slices.Contains(tried, c.Upstream) })
		if len(class) > 0 {
			return class
		}
	}
	return nil
}

// lastHeard are those that answered last.
func lastHeard(all []candidate) []candidate {
	var last []candidate
	var at int64
	for _, c := range all {
		switch heard := c.heard.Load(); {
		case heard > at || last == nil:
			last, at = []candidate{c}, heard
		case heard == at:
			last = append(last, c)
		}
	}
	return last
}

// Standing is what a pool is good for.
type Standing uint8

// The standings, best first: it takes new sessions; it only keeps those that it
// has; nobody is there.
const (
	Takes Standing = iota
	Keeps
	Gone
)

// Standing tells what the pool is good for now.
func (p *Pool) Standing(now time.Time) Standing {
	best := Gone
	for _, u := range p.Upstreams {
		switch u.State(now).Condition {
		case Up, Ejected:
			return Takes
		case Draining:
			best = Keeps
		}
	}
	return best
}

// Alive reports whether anybody here answers.
func (p *Pool) Alive(now time.Time) bool { return p.Standing(now) != Gone }

// Pick is where a new session goes: the better of two that are drawn, by
// requests under way and latency. Drawing two spreads a rush where taking the
// best of all would send everybody to the same one. It is nil when every
// upstream was tried.
func (p *Pool) Pick(now time.Time, tried ...*Upstream) *Upstream {
	all := p.candidates(now, tried)
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0].Upstream
	}
	i := rand.IntN(len(all))
	j := (i + 1 + rand.IntN(len(all)-1)) % len(all)
	a, b := all[i], all[j]
	// A newcomer is idle and would win every time; its weight is how often it
	// may be drawn at all.
	switch first, second := a.drawn(), b.drawn(); {
	case first && !second, first == second && a.load(now) <= b.load(now):
		return a.Upstream
	}
	return b.Upstream
}

func (c candidate) drawn() bool { return c.weight >= 1 || rand.Float64() < c.weight }

// Settle is where something goes that has no cookie to remember a choice: the
// same for the same key for as long as it may be, and when an upstream goes,
// only what was there goes elsewhere (rendezvous hashing).
func (p *Pool) Settle(now time.Time, key uint64, tried ...*Upstream) *Upstream {
	var best *Upstream
	var most uint64
	for _, c := range p.candidates(now, tried) {
		if score := rendezvous(key, c.Handle); best == nil || score > most {
			best, most = c.Upstream, score
		}
	}
	return best
}

// Key makes a key of text, the same one on every edge.
func Key(text string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text))
	return h.Sum64() | 1 // 0 stands for none
}

// Away is how far the pool is: the mean of the smoothed times of probes of those
// that are there, 0 for unknown.
func (p *Pool) Away() time.Duration {
	var sum time.Duration
	n := 0
	for _, u := range p.Upstreams {
		if away := time.Duration(u.away.Load()); away > 0 && !u.IsDown() {
			sum += away
			n++
		}
	}
	if n == 0 {
		return 0
	}
	return sum / time.Duration(n)
}

// Full reports whether nobody who answers and stays has a place free.
func (p *Pool) Full(now time.Time) bool {
	for _, u := range p.Upstreams {
		c := u.State(now).Condition
		if (c == Up || c == Ejected) && u.Places.InFlight() < u.Places.Limit() {
			return false
		}
	}
	return true
}

// Panics reports whether so many are ejected that ejections count for nothing.
func (p *Pool) Panics(now time.Time) bool {
	ejected, answering := 0, 0
	for _, u := range p.Upstreams {
		switch u.State(now).Condition {
		case Ejected:
			ejected++
			answering++
		case Up:
			answering++
		}
	}
	return 2*ejected > answering
}

func rendezvous(key, handle uint64) uint64 {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], key)
	binary.LittleEndian.PutUint64(b[8:], handle)
	h := fnv.New64a()
	h.Write(b[:])
	return mix(h.Sum64())
}

// mix spreads a hash over all bits: FNV leaves the high ones, which decide here,
// much alike for keys that differ in their last bytes.
func mix(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}
