package room

import (
	"context"
	"testing"
	"time"
)

func TestDecide(t *testing.T) {
	all := []uint16{0xffff, 0xffff, 0xffff}
	report := func(base uint64, capacity, active, coming int, ahead ...uint16) Report {
		return Report{Base: base, Issued: 48, Capacity: capacity, Active: active, Coming: coming, Ahead: ahead}
	}
	unknown := report(0, 100, 0, 0, all...)
	unknown.Issued = 20
	for name, c := range map[string]struct {
		served  uint64
		reports []Report
		want    uint64
		free    int
	}{
		"as many as are free":           {0, []Report{report(0, 10, 3, 2, all...)}, 5, 0},
		"in the middle of a block":      {5, []Report{report(5, 20, 0, 0, all...)}, 25, 0},
		"full":                          {0, []Report{report(0, 10, 10, 0, all...)}, 0, 0},
		"more than full":                {0, []Report{report(0, 10, 12, 5, all...)}, 0, 0},
		"the absent are passed over":    {0, []Report{report(0, 3, 0, 0, 0b1010, 0xffff)}, 17, 0},
		"up to where somebody is":       {0, []Report{report(0, 2, 0, 0, 0b1010, 0x8000)}, 31, 0},
		"nobody is left":                {0, []Report{report(0, 10, 0, 0, 0b1)}, 48, 9},
		"edges see different people":    {0, []Report{report(0, 10, 2, 1, 0x00ff), report(0, 10, 1, 2, 0xff00, 0xffff)}, 4, 0},
		"one person at two edges":       {0, []Report{report(0, 2, 0, 0, 1), report(0, 2, 0, 0, 1, 0b11)}, 17, 0},
		"the lowest capacity counts":    {0, []Report{report(0, 10, 0, 0, all...), report(0, 4, 0, 0)}, 4, 0},
		"an edge has not heard yet":     {5, []Report{report(5, 10, 0, 0, all...), report(4, 10, 0, 0)}, 15, 0},
		"and some of its are called":    {5, []Report{report(5, 10, 0, 0, all...), report(2, 10, 0, 0, all...)}, 12, 0},
		"the ledger was set back":       {5, []Report{report(9, 10, 0, 0, all...), report(5, 10, 0, 0)}, 19, 0},
		"an edge that has just come":    {5, []Report{report(5, 10, 0, 0, all...), {Capacity: 10}}, 5, 10},
		"numbers an edge didn't see":    {0, []Report{report(0, 100, 0, 0), unknown}, 20, 80},
		"a foreign report without bits": {0, []Report{report(0, 5, 0, 0)}, 48, 5},
	} {
		m := Decide(Mark{Served: c.served, Issued: 48}, c.reports)
		if m.Served != c.want || m.Free != c.free || m.Issued != 48 || m.Edges != len(c.reports) {
			t.Errorf("%s: %+v, want %d served, %d free", name, m, c.want, c.free)
		}
	}
}

// watermark is Watermarks for one room.
func watermark(ctx context.Context, l Ledger, room string, report Report) (Mark, error) {
	marks, err := l.Watermarks(ctx, map[string]Report{room: report})
	return marks[room], err
}

func TestMemoryLedger(t *testing.T) {
	l, ctx := NewMemoryLedger(), t.Context()
	a, _ := l.Lease(ctx, "x", 16, 0)
	b, _ := l.Lease(ctx, "x", 32, 0)
	c, _ := l.Lease(ctx, "x", 16, 0)
	other, _ := l.Lease(ctx, "y", 16, 0)
	if b != a+16 || c != b+32 || other != a || a%perBlock != 1 {
		t.Errorf("leases from %d, %d, %d; another room's from %d", a, b, c, other)
	}
	base := a - 1
	report := func(edge string, at time.Duration, used ...uint64) Mark {
		m, err := watermark(ctx, l, "x", Report{Edge: edge, At: start.Add(at), Base: base, Issued: base, Capacity: 9, Active: 2, Used: used})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	report("1", 0, a)
	if m := report("2", time.Second, b); m.Edges != 2 || m.Active != 4 || len(m.Used) != 2 {
		t.Errorf("two edges: %+v", m)
	}
	if m := report("2", 6*time.Second); m.Edges != 1 || m.Active != 2 {
		t.Errorf("when one is silent: %+v", m)
	}
}
