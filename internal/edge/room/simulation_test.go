package room

import (
	"container/heap"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"
)

var start = time.Date(2030, 1, 1, 9, 0, 0, 0, time.UTC)

// event is something that happens to somebody at a time, in seconds.
type event struct {
	at float64
	do func()
}

type events []event

func (h events) Len() int           { return len(h) }
func (h events) Less(i, j int) bool { return h[i].at < h[j].at }
func (h events) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *events) Push(x any)        { *h = append(*h, x.(event)) }
func (h *events) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// crowd simulates people before the rooms of one or more edges.
type crowd struct {
	t        *testing.T
	rng      *rand.Rand
	now      float64
	queue    events
	rooms    []*Room
	active   []int
	capacity int
	session  float64 // mean length

	waiting, left, admitted, tried, cheated int
	overshoot                               int
	idle, waited                            float64   // place-seconds free while people waited; seconds
	errors                                  []float64 // of estimates
	disorder                                []int     // numbers by which somebody was let in before them
	overtaken                               []int     // people who came later and were let in before them
	arrivals                                []float64 // of those let in, in order
	highest                                 uint64
	held                                    map[*person]float64 // whose turn is near, and since when
	most                                    int                 // of them at once
}

func (c *crowd) at(s float64, do func()) { heap.Push(&c.queue, event{s, do}) }

func (c *crowd) time() time.Time { return start.Add(time.Duration(c.now * 1e9)) }

func (c *crowd) sessions() (n int) {
	for _, a := range c.active {
		n += a
	}
	return n
}

// run lets everything happen until nobody waits any more.
func (c *crowd) run(until float64) {
	for len(c.queue) > 0 && c.queue[0].at < until {
		e := heap.Pop(&c.queue).(event)
		if c.waiting > 0 {
			c.idle += float64(max(0, c.capacity-c.sessions())) * (e.at - c.now)
			c.waited += e.at - c.now
		}
		c.now = e.at
		e.do()
	}
}

type person struct {
	id        int
	edge      int
	addr      netip.Addr
	ticket    string
	arrived   float64
	leaves    bool
	patience  float64
	estimates []struct{ at, wait float64 }
}

func (c *crowd) step(i int) {
	if err := c.rooms[i].Step(context.Background(), c.time()); err != nil {
		c.t.Fatal(err)
	}
	pause := 1.0
	if c.rooms[i].Busy() {
		pause = 0.25 // as the edge does
	}
	c.at(c.now+pause, func() { c.step(i) })
	var near []*person
	for p := range c.held {
		if p.edge == i {
			near = append(near, p)
		}
	}
	slices.SortFunc(near, func(a, b *person) int { return a.id - b.id })
	c.rng.Shuffle(len(near), func(i, j int) { near[i], near[j] = near[j], near[i] })
	for _, p := range near {
		c.look(p)
	}
}

func (c *crowd) enter(p *person) Place {
	return c.rooms[p.edge].Enter(context.Background(), c.time(), p.ticket, nil, p.addr)
}

func (c *crowd) arrive(p *person) {
	p.arrived = c.now
	c.waiting++
	c.look(p)
}

func (c *crowd) look(p *person) {
	if c.now-p.arrived > p.patience {
		delete(c.held, p)
		c.waiting--
		c.left++
		return
	}
	place := c.enter(p)
	if place.Admitted {
		delete(c.held, p)
		c.admit(p)
		return
	}
	if place.Refused || place.Refresh <= 0 {
		c.t.Fatalf("at %.0f: %+v", c.now, place)
	}
	if p.ticket = place.Ticket; place.Wait > 0 {
		if p.leaves && len(p.estimates) == 0 {
			p.patience = c.rng.Float64() * place.Wait.Seconds()
		}
		p.estimates = append(p.estimates, struct{ at, wait float64 }{c.now, place.Wait.Seconds()})
	}
	since, held := c.held[p]
	switch {
	case place.Near && !held:
		c.held[p] = c.now
		c.most = max(c.most, len(c.held))
	case place.Near && c.now-since < 10:
	default: // a page, which asks again after whole seconds, and a second's way at most
		delete(c.held, p)
		c.at(c.now+max(2, math.Ceil(place.Refresh.Seconds()))+c.rng.Float64(), func() { c.look(p) })
	}
}

func (c *crowd) admit(p *person) {
	c.waiting--
	c.admitted++
	c.active[p.edge]++
	c.overshoot = max(c.overshoot, c.sessions()-c.capacity)
	c.at(c.now+c.rng.ExpFloat64()*c.session, func() { c.active[p.edge]-- })
	for _, e := range p.estimates {
		if real := c.now - e.at; real > 30 {
			c.errors = append(c.errors, math.Abs(e.wait-real)/real)
		}
	}
	if p.ticket == "" {
		return
	}
	before, _ := slices.BinarySearch(c.arrivals, p.arrived)
	c.overtaken = append(c.overtaken, len(c.arrivals)-before)
	c.arrivals = slices.Insert(c.arrivals, before, p.arrived)
	t, _ := c.rooms[0].seal.open(p.ticket, c.time())
	c.disorder = append(c.disorder, max(0, int(int64(c.highest-t.Number))))
	c.highest = max(c.highest, t.Number)
	c.cheat(p)
}

// cheat tries a used ticket again, on every edge, and a forged one.
func (c *crowd) cheat(p *person) {
	if c.rng.IntN(50) > 0 {
		return
	}
	c.at(c.now+2, func() { // by then every edge has heard
		for i := range c.rooms {
			q := &person{edge: i, addr: netip.MustParseAddr("203.0.113.9")}
			place := c.enter(q)
			for !place.Admitted && !place.Refused { // what it may have as a newcomer is gone
				place = c.enter(q)
			}
			for _, q.ticket = range []string{p.ticket, forge(p.ticket)} {
				if place.Refused && c.enter(q).Admitted {
					c.cheated++
				}
				c.tried++
			}
		}
	})
}

func forge(text string) string {
	b := []byte(text)
	b[3] ^= 1
	return string(b)
}

func newCrowd(t *testing.T, edges int) *crowd {
	c := &crowd{t: t, rng: rand.New(rand.NewPCG(7, 7)), capacity: 1000, session: 120, active: make([]int, edges), held: map[*person]float64{}}
	keys, err := NewKeys(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	ledger := NewMemoryLedger()
	for i := range edges {
		r, err := New(Options{
			Name: "acme/summit", Edge: fmt.Sprint(i), Ledger: ledger, Keys: keys, Random: c.rng.Float64,
			Capacity: func() int { return c.capacity }, Active: func() int { return c.active[i] },
		})
		if err != nil {
			t.Fatal(err)
		}
		c.rooms = append(c.rooms, r)
		c.at(float64(i)/float64(edges), func() { c.step(i) })
	}
	return c
}

// come lets n people arrive over so many seconds; a share of them leaves at some
// time before the turn that they are told of.
func (c *crowd) come(n int, over, leaving float64) {
	for i := range n {
		p := &person{id: i, edge: c.rng.IntN(len(c.rooms)), patience: math.Inf(1), addr: netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})}
		p.leaves = c.rng.Float64() < leaving
		c.at(2+c.rng.Float64()*over, func() { c.arrive(p) })
	}
}

// 20,000 clients in five minutes, 500 a minute let in, three in ten leave.
func TestP11TwentyThousandInLine(t *testing.T) {
	for _, edges := range []int{1, 2} {
		t.Run(fmt.Sprint(edges, " edges"), func(t *testing.T) {
			if testing.Short() && edges > 1 {
				t.Skip("one edge shows most of it")
			}
			const people = 20_000
			c := newCrowd(t, edges)
			c.come(people, 300, 0.33)
			c.run(4000)
			slices.Sort(c.errors)
			slices.Sort(c.disorder)
			median := c.errors[len(c.errors)/2]
			slices.Sort(c.overtaken)
			overtaken := c.overtaken[len(c.overtaken)*99/100]
			disorder := c.disorder[len(c.disorder)*99/100]
			idle := c.idle / c.waited / float64(c.capacity)
			t.Logf("%d let in, %d left; overshoot %d of %d, idle %.2f %%, median error of the estimate %.1f %%, 99 of 100 overtaken by at most %d numbers (worst %d) and %d who came later (worst %d), at most %d stay at once, %d used or forged tickets tried",
				c.admitted, c.left, c.overshoot, c.capacity, 100*idle, 100*median, disorder, c.disorder[len(c.disorder)-1], overtaken, c.overtaken[len(c.overtaken)-1], c.most, c.tried)
			if c.waiting != 0 || c.admitted+c.left != people {
				t.Errorf("%d let in, %d left, %d still wait", c.admitted, c.left, c.waiting)
			}
			if float64(c.left) < 0.28*people {
				t.Errorf("only %d left: the test shows less than it says", c.left)
			}
			if c.overshoot*100 > c.capacity || idle > 0.02 || median > 0.2 {
				t.Error("want overshoot at most 1 %, idle 2 %, median error 20 %")
			}
			if disorder > perBlock || overtaken > perBlock {
				t.Errorf("overtaken by %d numbers and %d people, want at most a block of %d", disorder, overtaken, perBlock)
			}
			if c.cheated > 0 || c.tried < 100 {
				t.Errorf("%d of %d used or forged tickets let somebody in", c.cheated, c.tried)
			}
		})
	}
}
