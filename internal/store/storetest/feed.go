package storetest

import (
	"fmt"
	"time"

	"github.com/turnout-events/turnout"
)

func feedTests() map[string]func(*env) {
	return map[string]func(*env){
		"InOrderAndPaged":           testFeedOrder,
		"AGapWhereItWasPruned":      testFeedGap,
		"AGapWhereAllWasPruned":     testFeedAllPruned,
		"UntimedEntriesHideNoGap":   testFeedUntimed,
		"NumbersAreNeverUsedAgain":  testFeedNumbers,
		"OthersSeeIt":               testFeedElsewhere,
		"ACommitOfManyStaysInOrder": testFeedMany,
	}
}

// append adds n changes a second apart and returns the number before them.
func (e *env) append(n int) int64 {
	e.Helper()
	last, err := e.LastChange(e.ctx)
	e.ok(err)
	for i := range n {
		e.ok(e.AppendChanges(e.ctx, []turnout.Change{{Kind: turnout.ChangeEvent, Org: acme, ID: fmt.Sprint(i), At: e.tick()}}))
	}
	return last
}

func (e *env) changes(after int64, limit int) []turnout.Change {
	e.Helper()
	got, err := e.Changes(e.ctx, after, limit)
	e.ok(err)
	return got
}

func testFeedOrder(e *env) {
	first := e.append(5)
	seen := 0
	for after := first; ; {
		page := e.changes(after, 2)
		if len(page) == 0 {
			break
		}
		for _, c := range page {
			if c.Seq != after+1 || c.ID != fmt.Sprint(seen) || c.Kind != turnout.ChangeEvent || c.Org != acme {
				e.Fatalf("after %d comes %+v", after, c)
			}
			after, seen = c.Seq, seen+1
		}
	}
	if seen != 5 {
		e.Errorf("saw %d, want 5", seen)
	}
	if last, err := e.LastChange(e.ctx); err != nil || last != first+5 {
		e.Errorf("the last is %d, %v; want %d", last, err, first+5)
	}
}

func testFeedGap(e *env) {
	first := e.append(5)
	e.ok(e.PruneChanges(e.ctx, e.now.Add(-time.Second)))
	got := e.changes(first, 10)
	if len(got) != 3 || got[0].Kind != "" || got[0].Seq != first+3 || got[1].Seq != first+4 {
		e.Errorf("got %+v, want a gap and the last two", got)
	}
	if got := e.changes(first+3, 10); len(got) != 2 || got[0].Kind == "" {
		e.Errorf("whoever has seen what was pruned gets %+v", got)
	}
}

func testFeedAllPruned(e *env) {
	first := e.append(3)
	e.ok(e.PruneChanges(e.ctx, e.now.Add(time.Hour)))
	if got := e.changes(first+1, 10); len(got) != 1 || got[0] != (turnout.Change{Seq: first + 3}) {
		e.Errorf("got %+v, want a gap up to the last", got)
	}
	if got := e.changes(first+3, 10); len(got) != 0 {
		e.Errorf("whoever has seen everything gets %+v", got)
	}
}

func testFeedUntimed(e *env) {
	first, err := e.LastChange(e.ctx)
	e.ok(err)
	e.ok(e.AppendChanges(e.ctx, []turnout.Change{{Kind: turnout.ChangeOrg, Org: acme}}))
	e.append(3)
	e.ok(e.PruneChanges(e.ctx, e.now))
	got := e.changes(first, 10)
	if len(got) != 2 || got[0].Kind != "" || got[1].Seq != first+4 {
		e.Errorf("got %+v, want a gap and the last", got)
	}
}

func testFeedNumbers(e *env) {
	first := e.append(2)
	e.ok(e.PruneChanges(e.ctx, e.now.Add(time.Hour)))
	e.append(1)
	if last, err := e.LastChange(e.ctx); err != nil || last != first+3 {
		e.Errorf("the next number is %d, %v; want %d", last, err, first+3)
	}
}

func testFeedElsewhere(e *env) {
	other := e.again()
	first := e.append(1)
	got, err := other.Changes(e.ctx, first, 10)
	if e.ok(err); len(got) != 1 {
		e.Errorf("another process sees %+v", got)
	}
}

func testFeedMany(e *env) {
	first, err := e.LastChange(e.ctx)
	e.ok(err)
	var many []turnout.Change
	for i := range 50 {
		many = append(many, turnout.Change{Kind: turnout.ChangeLinks, Org: acme, ID: fmt.Sprint(i), At: e.now})
	}
	e.ok(e.AppendChanges(e.ctx, many))
	for i, c := range e.changes(first, 100) {
		if c.ID != fmt.Sprint(i) || c.Seq != first+int64(i)+1 {
			e.Fatalf("%d. is %+v", i, c)
		}
	}
}
