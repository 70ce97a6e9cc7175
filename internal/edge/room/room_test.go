package room

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/turnout-events/turnout/internal/limit"
)

// front is a room with a clock, for tests by hand.
type front struct {
	*Room
	t                *testing.T
	now              time.Time
	capacity, active int
	addr             int
}

func newFront(t *testing.T, o Options) *front {
	t.Helper()
	f := &front{t: t, now: start}
	keys, err := NewKeys(keyOf('a'))
	if err != nil {
		t.Fatal(err)
	}
	o.Name, o.Keys, o.Random = "acme/summit", keys, func() float64 { return 0 }
	o.Capacity, o.Active = func() int { return f.capacity }, func() int { return f.active }
	if o.Ledger == nil {
		o.Ledger = NewMemoryLedger()
	}
	if f.Room, err = New(o); err != nil {
		t.Fatal(err)
	}
	return f
}

// pass lets seconds go by, a step each.
func (f *front) pass(seconds int) {
	f.t.Helper()
	for range seconds {
		f.now = f.now.Add(time.Second)
		if err := f.Step(f.t.Context(), f.now); err != nil {
			f.t.Fatal(err)
		}
	}
}

// stay lets time go by with people who look in all the while.
func (f *front) stay(seconds int, tickets ...string) {
	for range seconds {
		f.pass(1)
		for _, ticket := range tickets {
			f.look(ticket)
		}
	}
}

func (f *front) enter(ticket, identity string, addr netip.Addr) Place {
	p := f.Enter(f.t.Context(), f.now, ticket, []byte(identity), addr)
	if p.Admitted {
		f.active++
	}
	return p
}

func (f *front) look(ticket string) Place { return f.enter(ticket, "", netip.Addr{}) }

func (f *front) number(ticket string) uint64 {
	t, ok := f.seal.open(ticket, f.now)
	if !ok {
		f.t.Fatalf("%q is no ticket", ticket)
	}
	return t.Number
}

// come is somebody new, from an address of their own.
func (f *front) come() Place {
	f.addr++
	return f.enter("", "", netip.AddrFrom4([4]byte{10, 0, byte(f.addr >> 8), byte(f.addr)}))
}

func TestP11OpenUntilFullThenInOrder(t *testing.T) {
	f := newFront(t, Options{})
	f.capacity = 2
	if p := f.come(); p.Admitted || p.Ticket != "" || p.Refresh <= 0 {
		t.Errorf("before the first step: %+v", p)
	}
	f.pass(20)
	for range 2 {
		if !f.Open() || !f.come().Admitted {
			t.Fatal("there is room and nobody waits")
		}
	}
	var line []string
	for i := range 5 {
		p := f.come()
		if p.Admitted || p.Position != i+1 || p.Ticket == "" {
			t.Fatalf("number %d: %+v", i+1, p)
		}
		line = append(line, p.Ticket)
	}
	f.pass(1)
	if f.Open() || f.look(line[0]).Admitted {
		t.Error("full, and yet open")
	}
	f.active = 0 // both leave
	if f.come().Admitted {
		t.Error("a newcomer went before those who wait")
	}
	f.pass(1)
	for i, want := range []bool{true, true, false, false, false} {
		if p := f.look(line[i]); p.Admitted != want {
			t.Errorf("number %d: %+v", i+1, p)
		}
	}
	if p := f.look(line[2]); p.Position != 1 {
		t.Errorf("the third is next: %+v", p)
	}
	if s := f.Status(f.now); s.Waiting != 4 || s.Longest < time.Second || s.PerMinute < 0 || s.Open {
		t.Errorf("%+v", s)
	}
}

// Between two steps, too, a place that becomes free is not the next newcomer's.
func TestP11NoJumpingBetweenSteps(t *testing.T) {
	f := newFront(t, Options{})
	f.capacity = 1
	f.pass(20)
	f.come()
	first := f.come()
	f.active = 0
	if p := f.come(); p.Admitted {
		t.Error("a newcomer went before the first in line")
	}
	f.pass(1)
	if !f.look(first.Ticket).Admitted {
		t.Error("the first in line was not let in")
	}
}

// What no ledger of ours can have given begins at the end, sealed or not.
func TestNumberOfAnotherLedger(t *testing.T) {
	f, line := waiters(t, Options{}, 2)
	for _, number := range []uint64{1, f.number(line[0]) - 1<<secondBits, f.number(line[1]) + 1<<(secondBits+1)} {
		odd := f.seal.text(Ticket{Number: number, Issued: start, Expires: start.Add(time.Hour)})
		if p := f.look(odd); p.Position < 3 || f.number(p.Ticket) == number {
			t.Errorf("%d: %+v", number, p)
		}
	}
}

// A ticket that was used on one edge is used on the other.
func TestP11UsedOnAnotherEdge(t *testing.T) {
	ledger := NewMemoryLedger()
	f, g := newFront(t, Options{Ledger: ledger, Edge: "f"}), newFront(t, Options{Ledger: ledger, Edge: "g"})
	both := func(seconds int) {
		for range seconds {
			f.pass(1)
			g.pass(1)
		}
	}
	both(20)
	line := []string{f.come().Ticket, g.come().Ticket, f.come().Ticket}
	f.capacity, g.capacity = 2, 2
	both(2)
	if !f.look(line[0]).Admitted {
		t.Fatal("not let in")
	}
	both(2)
	if g.look(line[0]).Admitted {
		t.Error("let in again on another edge")
	}
	// The second place is that of the next number of the first lease.
	if g.look(line[1]).Admitted || !f.look(line[2]).Admitted || f.active+g.active != 2 {
		t.Errorf("%d and %d sessions where two have room", f.active, g.active)
	}
}

// waiters fills a room with places for none and puts n in line.
func waiters(t *testing.T, o Options, n int) (*front, []string) {
	f := newFront(t, o)
	f.pass(20)
	var line []string
	for range n {
		line = append(line, f.come().Ticket)
	}
	f.pass(1)
	return f, line
}

func TestP11UsedTicketAdmitsOnce(t *testing.T) {
	f, line := waiters(t, Options{}, 3)
	f.capacity = 2
	f.pass(1)
	if !f.look(line[0]).Admitted {
		t.Fatal("not let in")
	}
	for range 25 { // as a newcomer without an address to its name
		if p := f.look(line[0]); p.Admitted {
			t.Fatal("let in twice")
		}
	}
	if p := f.look(line[0]); !p.Refused || p.RetryAfter <= 0 {
		t.Errorf("a used ticket again and again: %+v", p)
	}
	if !f.look(line[1]).Admitted {
		t.Error("the second was called too")
	}
}

func TestP11AbsentArePassedOverAndMayComeLate(t *testing.T) {
	f, line := waiters(t, Options{}, 4)
	f.stay(30, line[2], line[3])
	f.capacity = 1
	f.pass(1)
	if p := f.look(line[2]); !p.Admitted {
		t.Errorf("the first who is there: %+v", p)
	}
	late := f.look(line[0])
	if late.Admitted || late.Position != 1 {
		t.Errorf("late, and no place is free: %+v", late)
	}
	f.stay(5, line[3])
	f.look(line[0])
	f.capacity = 2
	f.pass(1)
	if !f.look(line[0]).Admitted || f.look(line[3]).Admitted {
		t.Error("who comes late gets the next free place")
	}
	f.capacity = 100
	f.stay(11 * 60)
	f.capacity = 0
	if p := f.look(line[1]); p.Admitted || f.number(p.Ticket) <= f.number(line[3]) {
		t.Errorf("a number whose grace is over begins at the end: %+v", p)
	}
}

func TestP11CalledAndGoneGivesThePlaceOn(t *testing.T) {
	f, line := waiters(t, Options{}, 2)
	f.capacity = 1
	f.pass(1) // calls the first, who never comes
	if f.look(line[1]).Admitted {
		t.Error("the place was the first's")
	}
	f.stay(40, line[1])
	if f.active != 1 {
		t.Error("the place was not given on")
	}
	if s := f.Status(f.now); s.NoShow <= 0 {
		t.Errorf("nothing learnt: %+v", s)
	}
}

func TestP11LinkKeepsThePlace(t *testing.T) {
	f, _ := waiters(t, Options{}, 3)
	home, phone := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("198.51.100.1")
	first := f.enter("", "link hash 1", home)
	if first.Position != 4 {
		t.Fatalf("%+v", first)
	}
	f.come()
	f.pass(5)
	again := f.enter("", "link hash 1", phone) // another device, no cookie
	if again.Position != 4 {
		t.Errorf("by the link: %+v", again)
	}
	if other := f.enter("", "link hash 2", phone); other.Position != 6 {
		t.Errorf("another link: %+v", other)
	}
	late := f.come()
	if p := f.enter(late.Ticket, "link hash 1", phone); p.Position != 4 {
		t.Errorf("the better of ticket and link: %+v", p)
	}
	f.capacity = 10
	f.pass(1)
	if !f.enter("", "link hash 1", phone).Admitted {
		t.Error("called, and not let in by the link")
	}
	f.capacity = 0
	if p := f.enter("", "link hash 1", home); p.Admitted || p.Ticket == "" {
		t.Errorf("the link used again: %+v", p)
	}
}

func TestIdentitiesOverflow(t *testing.T) {
	table := newIdentities(64)
	for i := range 200 {
		now := start.Add(time.Duration(i) * time.Second)
		table.put(fmt.Append(nil, i), Ticket{Number: uint64(i + 1), Issued: now}, now, start.Add(-time.Hour))
	}
	found := 0
	for i := range 200 {
		if got, ok := table.find(fmt.Append(nil, i)); ok {
			found++
			if got.Number != uint64(i+1) {
				t.Fatalf("%d has number %d", i, got.Number)
			}
		}
	}
	if found > 64 || found < 50 || table.displaced != int64(200-found) {
		t.Errorf("%d found, %d displaced", found, table.displaced)
	}
	if _, ok := table.find(fmt.Append(nil, 199)); !ok {
		t.Error("the latest is gone")
	}
	table.put(fmt.Append(nil, "x"), Ticket{Number: 1, Issued: start}, start.Add(2*time.Hour), start.Add(time.Hour))
	if table.displaced != int64(200-found) {
		t.Error("who is long gone was counted as displaced")
	}
}

func TestP11BotsGetFewTickets(t *testing.T) {
	f, _ := waiters(t, Options{}, 1)
	bot := netip.MustParseAddr("2001:db8::1")
	got := 0
	for i := range 1000 {
		if p := f.enter("", "", bot.Next()); p.Ticket != "" {
			got++
		} else if !p.Refused || p.RetryAfter <= 0 {
			t.Fatalf("%d: %+v", i, p)
		}
	}
	if got != 20 {
		t.Errorf("a bot got %d tickets", got)
	}
	f.pass(100)
	for range 1000 {
		if f.enter("", "", bot).Ticket != "" {
			got++
		}
	}
	if got != 30 {
		t.Errorf("a bot got %d tickets within 100 s", got)
	}
	made := 0
	for i := range 1000 {
		if f.enter("", fmt.Sprint("made up ", i), bot).Ticket != "" {
			made++
		}
	}
	if made != 100 {
		t.Errorf("with made up links a bot got %d", made)
	}
	if f.come().Ticket == "" {
		t.Error("somebody else got none")
	}
	if s := f.Status(f.now); s.Refused < 2000 {
		t.Errorf("%d refused", s.Refused)
	}
}

// An edge that starts anew before a shared ledger calls nobody past those who
// wait: it doesn't know yet who is there.
func TestP11RestartKeepsTheLine(t *testing.T) {
	ledger := NewMemoryLedger()
	f, line := waiters(t, Options{Ledger: ledger}, 40)
	g := newFront(t, Options{Ledger: ledger})
	g.now, g.capacity = f.now.Add(6*time.Second), 3
	g.pass(2)
	last := g.look(line[39])
	if last.Admitted {
		t.Error("the last in line was let in first")
	}
	for _, ticket := range line {
		g.look(ticket)
	}
	if g.active != 3 {
		t.Errorf("%d let in, want the first three", g.active)
	}
	if g.look(line[20]).Admitted {
		t.Error("more than there are places")
	}
}

var errLost = errors.New("away")

// switched is a ledger that can go away.
type switched struct {
	Ledger
	away    bool
	changes int
}

func (s *switched) Lease(ctx context.Context, room string, n int, above uint64) (uint64, error) {
	if s.away {
		return 0, errLost
	}
	return s.Ledger.Lease(ctx, room, n, above)
}

func (s *switched) Watermarks(ctx context.Context, reports map[string]Report) (map[string]Mark, error) {
	s.changes++
	if s.away {
		return nil, errLost
	}
	return s.Ledger.Watermarks(ctx, reports)
}

func TestLedgerAway(t *testing.T) {
	l := &switched{Ledger: NewMemoryLedger()}
	f, line := waiters(t, Options{Ledger: l}, 16) // a whole lease
	f.capacity = 2
	f.pass(1)
	l.away = true
	if err := f.Step(t.Context(), f.now.Add(time.Second)); !errors.Is(err, errLost) {
		t.Errorf("step: %v", err)
	}
	if !f.look(line[0]).Admitted || f.look(line[5]).Position == 0 {
		t.Error("those in line are looked after all the same")
	}
	if p := f.come(); p.Admitted || p.Ticket != "" || p.Position != 0 || p.Refresh <= 0 {
		t.Errorf("a newcomer: %+v", p)
	}
	l.away = false
	f.pass(1)
	if p := f.come(); p.Ticket == "" {
		t.Errorf("when it is back: %+v", p)
	}
}

func TestConcurrentEnter(t *testing.T) {
	keys, _ := NewKeys(keyOf('a'))
	var active atomic.Int64
	r, err := New(Options{Name: "x", Keys: keys, Ledger: NewMemoryLedger(), Tickets: limit.Rate{PerSecond: 1e6, Burst: 1e6},
		Capacity: func() int { return 50 }, Active: func() int { return int(active.Load()) }})
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Step(t.Context(), start)
	var wg sync.WaitGroup
	numbers := sync.Map{}
	for g := range 4 {
		wg.Go(func() {
			for i := range 300 {
				now := start.Add(time.Duration(i) * 100 * time.Millisecond)
				p := r.Enter(t.Context(), now, "", nil, netip.Addr{})
				if ticket, ok := r.seal.open(p.Ticket, now); ok {
					if _, twice := numbers.LoadOrStore(ticket.Number, true); twice {
						t.Errorf("number %d was given twice", ticket.Number)
					}
				}
				if g == 0 {
					_ = r.Step(t.Context(), now)
				}
				r.Enter(t.Context(), now, p.Ticket, []byte{byte(i)}, netip.Addr{})
				r.Status(now)
			}
		})
	}
	wg.Wait()
}

func TestOptionsThatAreNeeded(t *testing.T) {
	if _, err := New(Options{Name: "x"}); err == nil {
		t.Error("made a room of nothing")
	}
}

func BenchmarkRefresh(b *testing.B) {
	keys, _ := NewKeys(keyOf('a'))
	none := func() int { return 0 }
	r, err := New(Options{Name: "x", Keys: keys, Ledger: NewMemoryLedger(), Capacity: none, Active: none})
	if err != nil {
		b.Fatal(err)
	}
	_ = r.Step(b.Context(), start)
	p := r.Enter(b.Context(), start, "", nil, netip.Addr{})
	b.ReportAllocs()
	for b.Loop() {
		p = r.Enter(b.Context(), start, p.Ticket, nil, netip.Addr{})
	}
}
