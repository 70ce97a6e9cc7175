package pool

import (
	"testing"
	"time"
)

// P10: an upstream that fails half of what it is asked is out within a second.
func TestP10FailingOnesAreEjected(t *testing.T) {
	u := upstreams(1)[0]
	for i := range 20 {
		now := noon.Add(time.Duration(i) * 50 * time.Millisecond)
		u.Answered(1, time.Millisecond, i%2 == 0, now)
		if u.State(now).Condition == Ejected {
			return
		}
	}
	t.Error("after a second it still gets sessions")
}

func TestEjection(t *testing.T) {
	for name, c := range map[string]struct {
		answers string // in the order of time, 10 ms apart: . for good, x for failed
		want    Condition
	}{
		"one of many":       {"..................x.", Up},
		"too few to tell":   {"xx", Up},
		"a few in a row":    {"....................xxxxx", Ejected},
		"a third of few":    {".x..x", Ejected},
		"a fifth":           {"....x....x....x", Up},
		"failed, then well": {"xxxx................", Up},
	} {
		t.Run(name, func(t *testing.T) {
			u := upstreams(1)[0]
			now := noon
			for _, a := range c.answers {
				now = now.Add(10 * time.Millisecond)
				u.Answered(1, time.Millisecond, a == 'x', now)
			}
			if got := u.State(now).Condition; got != c.want {
				t.Errorf("it is %s, want %s", got, c.want)
			}
		})
	}
}

// What failed more than a second ago is forgotten.
func TestOldFailuresDoNotCount(t *testing.T) {
	u := upstreams(1)[0]
	fail(u, 4, noon)
	for i := range 10 {
		u.Answered(1, time.Millisecond, false, noon.Add(2*time.Second+time.Duration(i)*time.Millisecond))
	}
	u.Answered(1, time.Millisecond, true, noon.Add(2100*time.Millisecond))
	if got := u.State(noon.Add(2100 * time.Millisecond)).Condition; got != Up {
		t.Errorf("it is %s", got)
	}
}

// Each ejection is longer than the one before, up to a bound; calm shortens it again.
func TestFlappingIsDamped(t *testing.T) {
	u := upstreams(1)[0]
	now := noon
	var before time.Duration
	for i := range 10 {
		fail(u, inARow, now)
		began := now
		for u.State(now).Condition == Ejected {
			now = now.Add(100 * time.Millisecond)
		}
		length := now.Sub(began)
		if length < before || length > longest || (i < 6 && length != min(longest, shortest<<i)) {
			t.Errorf("ejection %d lasted %v after %v", i, length, before)
		}
		before = length
	}
	now = now.Add(20 * calm)
	fail(u, inARow, now)
	if u.State(now.Add(shortest)).Condition != Up {
		t.Error("after a long calm it is kept out for longer than at first")
	}
}

func TestProbes(t *testing.T) {
	u := upstreams(1)[0]
	u.Joins(noon.Add(-time.Hour))
	step := func(there bool, want Condition, wentWant, cameWant bool) {
		t.Helper()
		went, came := u.Probed(there, time.Time{}, noon)
		if got := u.State(noon).Condition; got != want || went != wentWant || came != cameWant {
			t.Errorf("it is %s, went %v, came %v; want %s, %v, %v", got, went, came, want, wentWant, cameWant)
		}
	}
	step(true, Up, false, false)
	step(false, Down, true, false)
	step(false, Down, false, false)
	step(true, Down, false, false) // one swallow
	step(false, Down, false, false)
	step(true, Down, false, false)
	step(true, Up, false, true)
	if w := u.State(noon).Weight; w >= 1 {
		t.Errorf("whoever comes back starts with its full part, %v", w)
	}
}

// Requests that fail since an instance has died eject it, too. Its successor is
// not to pay for that, or sessions that were just given to it would move again.
func TestP6WhoComesBackIsNotEjected(t *testing.T) {
	u := upstreams(1)[0]
	fail(u, 2*inARow-1, noon)
	for _, there := range []bool{false, true, true} {
		u.Probed(there, time.Time{}, noon)
	}
	if got := u.State(noon.Add(time.Millisecond)).Condition; got != Up {
		t.Errorf("it is %s", got)
	}
	fail(u, 1, noon)
	if got := u.State(noon.Add(time.Millisecond)).Condition; got != Up {
		t.Errorf("after one failure it is %s", got)
	}
}

// A drain that the instance said ends with it, an operator's by the operator.
func TestDrains(t *testing.T) {
	u := upstreams(1)[0]
	u.Probed(true, noon.Add(time.Minute), noon)
	if s := u.State(noon); s.Condition != Draining || !s.Deadline.Equal(noon.Add(time.Minute)) {
		t.Errorf("it is %+v", s)
	}
	u.Probed(false, time.Time{}, noon) // it ended
	u.Probed(true, time.Time{}, noon)
	u.Probed(true, time.Time{}, noon)
	if s := u.State(noon); s.Condition != Up {
		t.Errorf("its successor is %+v", s)
	}
	u.Drain(noon.Add(time.Hour))
	u.Probed(true, time.Time{}, noon)
	if s := u.State(noon); s.Condition != Draining || !s.Deadline.Equal(noon.Add(time.Hour)) {
		t.Errorf("it is %+v", s)
	}
	u.Drain(time.Time{})
	if s := u.State(noon); s.Condition != Up {
		t.Errorf("it is %+v", s)
	}
}
