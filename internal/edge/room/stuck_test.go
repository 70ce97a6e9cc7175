package room

import (
	"context"
	"net/netip"
	"testing"
	"time"
)

// stuckLedger gives one room no numbers until the caller's patience ends.
type stuckLedger struct {
	*MemoryLedger
	room  string
	asked chan struct{}
}

func (l *stuckLedger) Lease(ctx context.Context, room string, n int, above uint64) (uint64, error) {
	if room != l.room {
		return l.MemoryLedger.Lease(ctx, room, n, above)
	}
	close(l.asked)
	<-ctx.Done()
	return 0, ctx.Err()
}

// P7: a room that waits for its numbers holds up no other: their lines move.
func TestP7ARoomThatWaitsForNumbers(t *testing.T) {
	ledger := &stuckLedger{MemoryLedger: NewMemoryLedger(), room: "stuck", asked: make(chan struct{})}
	keys, _ := NewKeys(keyOf('a'))
	now := time.Unix(2e9, 0)
	var rooms []*Room
	for _, name := range []string{"stuck", "well"} {
		r, err := New(Options{
			Name: name, Ledger: ledger, Keys: keys, Capacity: func() int { return 0 }, Active: func() int { return 0 },
		})
		if err != nil {
			t.Fatal(err)
		}
		rooms = append(rooms, r)
	}
	if err := StepAll(t.Context(), now, ledger, rooms); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	waits := make(chan Place)
	go func() { waits <- rooms[0].Enter(ctx, now, "", nil, netip.Addr{}) }()
	<-ledger.asked
	moved := rooms[1].Moved()
	stepped := make(chan error, 1)
	go func() { stepped <- StepAll(t.Context(), now.Add(time.Second), ledger, rooms) }()
	select {
	case <-waits:
		t.Error("P7: the others waited for it")
	case err := <-stepped:
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-moved:
		default:
			t.Error("the other has not moved")
		}
		<-waits
	}
	cancel()
}

// slowLedger gives numbers and lets whoever asked wait for the answer.
type slowLedger struct {
	*MemoryLedger
	given, answer chan struct{}
}

func (l *slowLedger) Lease(ctx context.Context, room string, n int, above uint64) (uint64, error) {
	first, err := l.MemoryLedger.Lease(ctx, room, n, above)
	close(l.given)
	<-l.answer
	return first, err
}

// P11: numbers that are on their way to an edge are not passed over meanwhile,
// though others that were given later are known.
func TestP11NumbersOnTheirWayAreNotPassed(t *testing.T) {
	keys, _ := NewKeys(keyOf('a'))
	now := time.Unix(2e9, 0)
	common := NewMemoryLedger()
	slow := &slowLedger{MemoryLedger: common, given: make(chan struct{}), answer: make(chan struct{})}
	edges := map[string]*Room{}
	step := func() {
		t.Helper()
		now = now.Add(time.Second)
		for _, r := range edges {
			if err := r.Step(t.Context(), now); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, ledger := range map[string]Ledger{"slow": slow, "quick": common} {
		r, err := New(Options{Name: "room", Edge: name, Ledger: ledger, Keys: keys, Capacity: func() int { return 0 }, Active: func() int { return 0 }})
		if err != nil {
			t.Fatal(err)
		}
		edges[name] = r
	}
	step()
	step()
	first := make(chan Place)
	go func() { first <- edges["slow"].Enter(t.Context(), now, "", nil, netip.Addr{}) }()
	<-slow.given
	for range 3 {
		edges["quick"].Enter(t.Context(), now, "", nil, netip.Addr{})
	}
	for range 3 {
		step()
	}
	close(slow.answer)
	place := <-first
	ticket, ok := edges["slow"].seal.open(place.Ticket, now)
	if served := edges["quick"].Status(now).Served; !ok || ticket.Number <= served {
		t.Errorf("P11: number %d was called before it was given, the watermark is %d", ticket.Number, served)
	}
}

// P11: a step that comes between somebody's number and their place does not pass
// them over.
func TestP11AStepBetweenNumberAndPlace(t *testing.T) {
	f := newFront(t, Options{})
	f.pass(2)
	number, err := f.Room.number(t.Context(), f.now)
	if err != nil {
		t.Fatal(err)
	}
	f.come() // somebody after
	f.pass(1)
	if s := f.Status(f.now); s.Served >= number || s.Waiting != 2 {
		t.Errorf("P11: number %d was given: %+v", number, s)
	}
}
