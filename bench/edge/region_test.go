package edge

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// sightings is when each instance answered, and how.
type sightings struct {
	mu  sync.Mutex
	all []sighting
}

type sighting struct {
	name   string
	status int
	at     time.Time
}

func (s *sightings) hear(who string, status int) {
	name, _, _ := strings.Cut(who, ".")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, sighting{name, status, time.Now()})
}

// BenchmarkRegion: both instances of the first region are killed at once.
func BenchmarkRegion(b *testing.B) {
	for b.Loop() {
		const visitors = 200
		t := newTable(fmt.Sprintf("A whole region is killed, %d times, under %d sessions", *rounds, visitors),
			"", "first answer from the next region, median", "worst", "longest wait, median", "worst", "requests lost", "most moves of one session")
		for _, k := range peers(b, nameEdge, nameHAProxy, nameNginx) {
			var first, longest []time.Duration
			lost, most := 0, int64(0)
			for range *rounds {
				f, l, n, m := loseRegion(b, k, visitors)
				first, longest, lost, most = append(first, f), append(longest, l), lost+n, max(most, m)
			}
			t.row(k.name, median(first), slices.Max(first), median(longest), slices.Max(longest), lost, most)
		}
		t.report(b)
	}
}

func loseRegion(b *testing.B, k peer, visitors int) (first, longest time.Duration, lost int, most int64) {
	h := newHouse(b, 4, usual())
	defer h.end()
	h.all[2].second, h.all[3].second = true, true
	x := k.run(b, h.plan())
	defer x.end()
	seen := &sightings{}
	c := gather(x.addr, visitors, thinking, h.ill, seen.hear)
	pass(2 * time.Second)
	before := int64(0)
	_, _ = c.mark(&before)
	killed := time.Now()
	for _, m := range h.all[:2] {
		h.ill.begin(m.who())
		m.signal(9)
	}
	pass(3 * time.Second)
	c.disperse()
	lost, longest = c.mark(&before)
	first = time.Hour
	for _, s := range seen.all {
		if s.at.After(killed) && (s.name == h.all[2].Name || s.name == h.all[3].Name) && s.status < http.StatusInternalServerError {
			first = min(first, s.at.Sub(killed))
		}
	}
	return first, longest, lost, c.most.Load()
}

// BenchmarkFailing: one of three instances fails half of what it is asked, for
// as long as anybody still asks it.
func BenchmarkFailing(b *testing.B) {
	for b.Loop() {
		const visitors = 200
		t := newTable(fmt.Sprintf("One of three instances fails half its requests, for 10 s, %d times, under %d sessions", *rounds, visitors),
			"", "out after, median", "worst", "failures that visitors saw", "requests", "sessions moved", "needlessly", "most moves of one session")
		for _, k := range peers(b, nameEdge, nameHAProxy, nameNginx) {
			var out []time.Duration
			sum := [4]int64{}
			most := int64(0)
			for range *rounds {
				o, c := halfFail(b, k, visitors)
				out = append(out, o)
				for i, n := range []int64{c.lost.Load(), c.reads.Load() + c.sent.Load(), c.moved.Load(), c.needless.Load()} {
					sum[i] += n
				}
				most = max(most, c.most.Load())
			}
			t.row(k.name, median(out), slices.Max(out), sum[0], sum[1], sum[2], sum[3], most)
		}
		t.report(b)
	}
}

// silence without an answer from an instance means that it is out.
const silence = 700 * time.Millisecond

func halfFail(b *testing.B, k peer, visitors int) (out time.Duration, c *crowd) {
	h := newHouse(b, 3, usual())
	defer h.end()
	x := k.run(b, h.plan())
	defer x.end()
	seen := &sightings{}
	c = gather(x.addr, visitors, thinking, h.ill, seen.hear)
	pass(2 * time.Second)
	bad := h.all[1]
	h.ill.begin(bad.who())
	bad.fails(b, 5)
	began := time.Now()
	pass(10 * time.Second)
	c.disperse()
	last := began
	for _, s := range seen.all {
		if s.name != bad.Name || s.at.Before(began) {
			continue
		}
		if s.at.Sub(last) > silence {
			break
		}
		last = s.at
	}
	return last.Sub(began), c
}
