package active

import (
	"testing"
	"time"
)

// P11: a clock that is set back keeps nobody out for as long as it was set back.
func TestP11ClockSetBack(t *testing.T) {
	var a Sessions
	now := time.Unix(2e9, 0)
	for range 10 {
		a.Add(now.Add(time.Hour))
	}
	if n := a.Count(now); n != 0 {
		t.Errorf("%d are in that will be in an hour", n)
	}
	if all := a.Minutes(now); len(all) != 0 {
		t.Errorf("other edges hear of %v", all)
	}
	if !a.Enter(10, now) {
		t.Error("nobody is let in")
	}
	a.Add(now.Add(time.Minute)) // another edge's clock
	if n := a.Count(now); n != 2 {
		t.Errorf("%d are in, not 2", n)
	}
}
