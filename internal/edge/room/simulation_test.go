package room

import (
	"container/heap"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
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
	highest                                 uint64
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
	c.at(c.now+1, func() { c.step(i) })
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
		c.waiting--
		c.left++
		return
	}
	place := c.enter(p)
	if place.Admitted {
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
	c.at(c.now+place.Refresh.Seconds()+c.rng.Float64(), func() { c.look(p) })
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
	c := &crowd{t: t, rng: rand.New(rand.NewPCG(7, 7)), capacity: 1000, session: 120, active: make([]int, edges)}
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
		p := &person{edge: c.rng.IntN(len(c.rooms)), patience: math.Inf(1), addr: netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})}
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
			disorder := c.disorder[len(c.disorder)*99/100]
			idle := c.idle / c.waited / float64(c.capacity)
			t.Logf("%d let in, %d left; overshoot %d of %d, idle %.2f %%, median error of the estimate %.1f %%, 99 of 100 overtaken by at most %d numbers, %d used or forged tickets tried",
				c.admitted, c.left, c.overshoot, c.capacity, 100*idle, 100*median, disorder, c.tried)
			if c.waiting != 0 || c.admitted+c.left != people {
				t.Errorf("%d let in, %d left, %d still wait", c.admitted, c.left, c.waiting)
			}
			if float64(c.left) < 0.28*people {
				t.Errorf("only %d left: the test shows less than it says", c.left)
			}
			if c.overshoot*100 > c.capacity || idle > 0.02 || median > 0.2 {
				t.Error("want overshoot at most 1 %, idle 2 %, median error 20 %")
			}
			if disorder > 3*perBlock {
				t.Errorf("overtaken by %d numbers, want at most three blocks: what is called between two looks", disorder)
			}
			if c.cheated > 0 || c.tried < 100 {
				t.Errorf("%d of %d used or forged tickets let somebody in", c.cheated, c.tried)
			}
		})
	}
}

// The room has the same memory before and after a thousand and a hundred
// thousand clients: everything it holds is counted by its length.
func TestP11MemoryIsTheSameForAnyCrowd(t *testing.T) {
	sizes := map[int]int{}
	for _, people := range []int{1000, 100_000} {
		c := newCrowd(t, 1)
		c.capacity = 0
		c.run(3)
		before := reach(reflect.ValueOf(c.rooms[0]))
		for i := range people {
			addr := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
			id := fmt.Appendf(nil, "person %d", i)
			if p := c.rooms[0].Enter(context.Background(), c.time(), "", id[:i%2*len(id)], addr); p.Ticket == "" {
				t.Fatalf("%d: %+v", i, p)
			}
		}
		c.run(6)
		r := c.rooms[0]
		if s := r.Status(c.time()); math.Abs(float64(s.Waiting-people)) > 0.02*float64(people) {
			t.Errorf("%d people: %+v", people, s)
		}
		if n := r.line.position(&r.ring, r.mark.Served+uint64(people), r.mark.Served); math.Abs(float64(n-people)) > 0.02*float64(people) {
			t.Errorf("the last of %d is told %d", people, n)
		}
		if leaving := r.line.leaving.value(); leaving > 0.001 {
			t.Errorf("%d people: %v of them leave a second, though nobody did", people, leaving)
		}
		if after := reach(reflect.ValueOf(c.rooms[0])); after != before {
			t.Errorf("%d people: %d bytes before, %d after", people, before, after)
		}
		sizes[people] = before
	}
	if sizes[1000] != sizes[100_000] {
		t.Errorf("bytes by crowd: %v", sizes)
	}
	t.Logf("%d bytes", sizes[1000])
}

// reach adds up what is reachable from a value through pointers and slices. It
// does not look into interfaces, functions and maps; the room has maps nowhere.
func reach(v reflect.Value) (n int) {
	switch v.Kind() {
	case reflect.Map:
		panic("a map can grow")
	case reflect.Pointer:
		if v.IsNil() || strings.HasPrefix(v.Type().Elem().PkgPath(), "time") {
			return 0
		}
		return int(v.Type().Elem().Size()) + reach(v.Elem())
	case reflect.Slice:
		n = v.Cap() * int(v.Type().Elem().Size())
		if v.Type().Elem().Kind() == reflect.Slice { // keys
			for i := range v.Len() {
				n += reach(v.Index(i))
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.Name != "Used" { // of the last seconds
				n += reach(v.Field(i))
			}
		}
	}
	return n
}
