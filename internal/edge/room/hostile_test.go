package room

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/turnout-events/turnout/internal/limit"
)

// P11: however many come in one moment, as many get in as there is room for.
func TestP11AMomentDoesNotOvershoot(t *testing.T) {
	keys, _ := NewKeys(keyOf('a'))
	var active atomic.Int64
	var r *Room
	admit := func(time.Time) {
		if r.mu.TryLock() {
			t.Error("somebody is counted when others may be asked for already")
			r.mu.Unlock()
		}
		active.Add(1)
	}
	r, err := New(Options{
		Name: "x", Keys: keys, Ledger: NewMemoryLedger(), Tickets: limit.Rate{PerSecond: 1e6, Burst: 1e6},
		Capacity: func() int { return 10 }, Active: func() int { return int(active.Load()) }, Admit: admit,
	})
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Step(t.Context(), start)
	tickets := make([]string, 200)
	for round := range 5 { // at first those without a ticket, then those in line
		now := start.Add(time.Duration(round) * time.Second)
		var all sync.WaitGroup
		for i := range tickets {
			all.Go(func() { tickets[i] = r.Enter(t.Context(), now, tickets[i], nil, netip.Addr{}).Ticket })
		}
		all.Wait()
		if active.Load() != 10 {
			t.Errorf("round %d: %d are in where 10 have room", round, active.Load())
		}
		active.Store(int64(2 * round))
		_ = r.Step(t.Context(), now.Add(time.Second/2))
	}
}

// counter counts sessions as an edge does.
type counter struct{ minutes []Minute }

func (c *counter) Minutes(time.Time) []Minute       { return c.minutes }
func (c *counter) Adopt(left []Minute, _ time.Time) { c.minutes = append(c.minutes, left...) }
func (c *counter) total() (n int) {
	for _, m := range c.minutes {
		n += m.N
	}
	return n
}

// pair is two edges of one room of ten places, with sessions of their own, at
// shared ledgers of one shelf.
type pair struct {
	t        *testing.T
	shelf    *memory
	sessions [3]*counter
	rooms    [3]*Room
	now      time.Time
}

func newPair(t *testing.T) *pair {
	p := &pair{t: t, shelf: &memory{files: map[string][]byte{}, now: start}, now: start}
	for i := range p.rooms {
		p.sessions[i] = &counter{}
		p.rooms[i] = p.edge(i)
	}
	return p
}

func (p *pair) edge(i int) *Room {
	keys, _ := NewKeys(keyOf('a'))
	r, err := New(Options{
		Name: "acme", Edge: fmt.Sprint("edge ", i), Keys: keys, Ledger: NewSharedLedger(p.shelf, nil), Random: func() float64 { return 0 },
		Capacity: func() int { return 10 }, Active: p.sessions[i].total, Sessions: p.sessions[i],
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

// pass lets seconds go by for some of the edges.
func (p *pair) pass(seconds int, edges ...int) {
	for range seconds {
		p.now = p.now.Add(time.Second)
		p.shelf.now = p.shelf.now.Add(time.Second)
		for _, i := range edges {
			if err := p.rooms[i].Step(p.t.Context(), p.now); err != nil {
				p.t.Fatal(err)
			}
		}
	}
}

func (p *pair) come(i int) Place {
	return p.rooms[i].Enter(p.t.Context(), p.now, "", nil, netip.AddrFrom4([4]byte{10, 0, 0, byte(p.now.Unix())}))
}

// P11: the sessions of an edge that is gone count at another, once, and are not
// let in over again.
func TestP11SessionsOfAnEdgeThatIsGone(t *testing.T) {
	p := newPair(t)
	p.sessions[0].minutes = []Minute{{1, 3}, {2, 4}}
	p.sessions[1].minutes = []Minute{{2, 2}}
	p.pass(3, 0, 1)
	if n := p.rooms[1].Inside(); n != 9 {
		t.Fatalf("%d are inside", n)
	}
	for range 20 {
		p.pass(1, 1, 2)
		if a, b := p.rooms[1].Inside(), p.rooms[2].Inside(); a != 9 || b != 9 {
			t.Fatalf("%d and %d are inside while one edge is gone", a, b)
		}
	}
	if a, b := p.sessions[1].total(), p.sessions[2].total(); a+b != 9 {
		t.Errorf("one edge counts %d and the other %d", a, b)
	}
}

// An outage of the store is no silence of edges: nobody's sessions count twice
// after it, and nobody waits for a ledger while it is away.
func TestP11AfterAnOutageOfTheStore(t *testing.T) {
	p := newPair(t)
	p.sessions[0].minutes, p.sessions[1].minutes = []Minute{{1, 4}}, []Minute{{1, 6}}
	p.pass(3, 0, 1)
	p.shelf.err = context.DeadlineExceeded
	if err := p.rooms[0].Step(t.Context(), p.now); err == nil {
		t.Error("the outage went unnoticed")
	}
	before := p.shelf.tried
	for range 100 {
		if pl := p.come(0); pl.Admitted || pl.Position != 0 || pl.Refresh <= 0 {
			t.Fatalf("during the outage: %+v", pl)
		}
	}
	if n := p.shelf.tried - before; n != 0 {
		t.Errorf("%d newcomers waited for it", n)
	}
	p.shelf.err = nil
	p.now, p.shelf.now = p.now.Add(time.Minute), p.shelf.now.Add(time.Minute)
	for range 10 {
		p.pass(1, 0, 1)
		if a, b := p.rooms[0].Inside(), p.rooms[1].Inside(); a != 10 || b != 10 {
			t.Fatalf("%d and %d are inside after it", a, b)
		}
	}
	if p.come(0).Ticket == "" {
		t.Error("a newcomer gets no place after it")
	}
}

// A clock of the store that is set makes nobody gone and keeps nobody who is.
func TestP11TheStoresClockIsSet(t *testing.T) {
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		p := newPair(t)
		p.sessions[0].minutes, p.sessions[1].minutes = []Minute{{1, 4}}, []Minute{{1, 6}}
		p.pass(3, 0, 1)
		p.shelf.now = p.shelf.now.Add(by)
		p.pass(4, 0, 1)
		if a, b := p.sessions[0].total(), p.sessions[1].total(); a != 4 || b != 6 {
			t.Errorf("by %v: the edges count %d and %d", by, a, b)
		}
		p.shelf.now = p.shelf.now.Add(by)
		p.pass(8, 0)
		if n := p.sessions[0].total(); n != 10 {
			t.Errorf("by %v: when one is gone the other counts %d", by, n)
		}
	}
}

// P11: a store that is set back to an old copy gives no number twice, and lets
// nobody who comes then past those who wait.
func TestP11AStoreThatIsSetBack(t *testing.T) {
	p := newPair(t)
	p.sessions[0].minutes = []Minute{{1, 10}}
	p.pass(2, 0)
	p.come(0)
	p.pass(1, 0)
	old := map[string][]byte{}
	for name, value := range p.shelf.files {
		old[name] = value
	}
	given := map[uint64]bool{}
	number := func(pl Place) uint64 {
		ticket, ok := p.rooms[0].seal.open(pl.Ticket, p.now)
		if !ok {
			t.Fatalf("%+v", pl)
		}
		if given[ticket.Number] {
			t.Errorf("number %d is given twice", ticket.Number)
		}
		given[ticket.Number] = true
		return ticket.Number
	}
	var last uint64
	var lastTicket string
	for range 40 {
		p.pass(1, 0)
		pl := p.come(0)
		last, lastTicket = number(pl), pl.Ticket
	}
	p.shelf.files = old
	p.pass(2, 0)
	for range 10 {
		p.pass(1, 0)
		if n := number(p.come(0)); n <= last {
			t.Errorf("%d stands before %d, who came earlier", n, last)
		}
	}
	if pl := p.rooms[0].Enter(t.Context(), p.now, lastTicket, nil, netip.Addr{}); pl.Position < 40 {
		t.Errorf("the place of one in line became %+v", pl)
	}
}

// A client that breaks off does not spoil the lease for others.
func TestWhoBreaksOffSpoilsNoLease(t *testing.T) {
	p := newPair(t)
	p.sessions[0].minutes = []Minute{{1, 10}}
	p.pass(2, 0)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	p.rooms[0].Enter(gone, p.now, "", nil, netip.MustParseAddr("192.0.2.9"))
	if pl := p.come(0); pl.Ticket == "" {
		t.Errorf("the next one gets %+v", pl)
	}
}

// P11: when the room grows, and when it becomes small again, a used ticket is
// used, and those in line are where they were.
func TestP11AGrowingRoomForgetsNothing(t *testing.T) {
	f, line := waiters(t, Options{}, 4)
	f.capacity = 2
	f.pass(1)
	if !f.look(line[0]).Admitted || f.ring.reach() != few {
		t.Fatal("not let in, or not small")
	}
	link := f.enter("", "a link", netip.MustParseAddr("192.0.2.1"))
	for range 2 * small {
		f.come()
	}
	if f.ring.reach() != most || len(f.identities.sets) <= small/ways {
		t.Fatal("it did not grow")
	}
	f.pass(1)
	if p := f.enter("", "a link", netip.Addr{}); p.Position != link.Position || link.Position != 3 {
		t.Errorf("by the link: %+v after %+v", p, link)
	}
	if !f.look(line[1]).Admitted {
		t.Error("who was called before is not let in")
	}
	used := func() {
		t.Helper()
		for range 25 {
			if p := f.look(line[0]); p.Admitted || (p.Ticket != "" && f.number(p.Ticket) == f.number(line[0])) {
				t.Fatalf("the used ticket: %+v", p)
			}
		}
	}
	used()
	f.capacity = 10_000
	f.stay(100)
	f.capacity = 0
	if f.ring.reach() != few {
		t.Error("it did not become small")
	}
	used()
}

// Who has just come is shown their place; who is near then is to stay for it.
func TestP11WhoIsNear(t *testing.T) {
	f, line := waiters(t, Options{}, 200)
	if p := f.enter("", "", netip.MustParseAddr("192.0.2.77")); p.Near {
		t.Errorf("a newcomer: %+v", p)
	}
	f.identities.put([]byte("a link"), Ticket{Number: f.number(line[0]), Issued: f.now}, f.now, f.now)
	if p := f.enter("", "a link", netip.Addr{}); p.Near || p.Position != 1 {
		t.Errorf("the first on another device: %+v", p)
	}
	if first, last := f.look(line[0]), f.look(line[199]); !first.Near || last.Near {
		t.Errorf("the first is near: %v, the last: %v", first.Near, last.Near)
	}
	moved := f.Moved()
	select {
	case <-moved:
		t.Fatal("nothing has moved")
	default:
	}
	f.capacity = 1
	f.pass(1)
	select {
	case <-moved:
	default:
		t.Fatal("whoever stays is not told of a step")
	}
	if !f.look(line[0]).Admitted {
		t.Error("the first is not let in")
	}
}

func TestLeaseFits(t *testing.T) {
	for name, c := range map[string]struct {
		l    lease
		held time.Duration
		want int
	}{
		"the first":               {lease{}, time.Hour, firstLeased},
		"as fast as it should be": {lease{size: 16}, lasts, 16},
		"too fast":                {lease{size: 16}, lasts / 2, 32},
		"much too fast":           {lease{size: 16}, 0, 64},
		"slow":                    {lease{size: 16}, 16 * lasts, 1},
		"nobody took half of it":  {lease{size: 16, next: 9, last: 16}, lasts, 8},
		"as large as they get":    {lease{size: 800}, time.Millisecond, mostLeased},
		"a clock that was set":    {lease{size: 2}, -time.Hour, 8},
	} {
		c.l.at = start
		if got := c.l.fit(start.Add(c.held)); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// What rests in the store is read back as it was, and nothing in it breaks a step.
func FuzzLines(f *testing.F) {
	f.Add([]byte(`{"acme":{"h":1,"l":{"s":1,"i":48,"r":{"one":{"t":1,"b":1,"i":48,"c":5,"n":"AAH/","u":[-3,1],"m":[{"At":1,"N":2}]}}}}}`))
	f.Add([]byte(`null`))
	f.Add([]byte(`{"acme":null}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m := &memory{files: map[string][]byte{linesFile: text}, now: time.UnixMilli(1000)}
		marks, err := NewSharedLedger(m, nil).Watermarks(t.Context(), map[string]Report{"acme": {Edge: "two", Base: 7, Issued: 9, Capacity: 3, Ahead: []uint16{0xffff}}})
		if err != nil {
			return
		}
		if marks["acme"].Served < 7 || marks["acme"].Free < 0 {
			t.Errorf("%+v", marks["acme"])
		}
		all, err := readLines(m.files[linesFile], m.now)
		if err != nil {
			t.Fatal(err)
		}
		a, err := all.account("acme", m.now)
		if err != nil || all.rest("acme", a) != nil {
			t.Fatal(err)
		}
		if again, err := json.Marshal(all); err != nil || string(again) != string(m.files[linesFile]) {
			t.Errorf("%s became %s (%v)", m.files[linesFile], again, err)
		}
	})
}
