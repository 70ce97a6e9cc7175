package postgres

import (
	"testing"
	"time"

	"github.com/turnout-events/turnout"
)

// Instances whose clocks are a minute apart agree on what time it is, so that
// none takes another's lease for over, or waits for what is due.
func TestP4ClocksMayDifferByAMinute(t *testing.T) {
	url := place(t, t.TempDir())
	skewed := func(by time.Duration) *Store {
		s := openStore(t, url, func(o *Options) { o.now = func() time.Time { return time.Now().Add(by) } })
		t.Cleanup(func() { s.Close() })
		return s
	}
	fast, slow := skewed(time.Minute), skewed(-time.Minute)
	if apart := fast.Now().Sub(slow.Now()).Abs(); apart > 30*time.Second {
		t.Fatalf("they are %v apart", apart)
	}
	prepare(t, fast, 10)
	a := submitted(1)
	a.At = fast.Now()
	if _, err := fast.Accept(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	const ttl = 20 * time.Second
	soon := func(s *Store) time.Time { return s.Now().Add(2 * time.Second) }
	claim := func(s *Store, owner string) bool {
		t.Helper()
		lanes, err := s.Lanes(t.Context(), soon(s), 10)
		if err != nil || len(lanes) != 1 || lanes[0].Waiting != 1 {
			t.Fatalf("%s sees %+v, %v; one is due", owner, lanes, err)
		}
		_, won, err := s.Claim(t.Context(), turnout.Lane{ID: lanes[0].ID, Org: acme, Event: summit}, owner, s.Now(), ttl)
		if err != nil {
			t.Fatal(err)
		}
		return won
	}
	if !claim(slow, "slow") {
		t.Error("a free lane was not given")
	}
	if claim(fast, "fast") {
		t.Error("a lease was taken over that has most of its time to go")
	}
	if won, err := slow.Turn(t.Context(), acme, "poll", "slow", slow.Now(), ttl); err != nil || !won {
		t.Error(won, err)
	}
	if won, err := fast.Turn(t.Context(), acme, "poll", "fast", fast.Now(), ttl); err != nil || won {
		t.Error("a turn was taken over that has most of its time to go", err)
	}
}

// A clock that goes wrong while the process runs is noticed.
func TestClockIsComparedAgain(t *testing.T) {
	by := time.Duration(0)
	s := openStore(t, place(t, t.TempDir()), func(o *Options) { o.now = func() time.Time { return time.Now().Add(by) } })
	defer s.Close()
	by = 3 * time.Minute
	if _, err := s.Lanes(t.Context(), s.Now(), 1); err != nil {
		t.Fatal(err)
	}
	if apart := time.Until(s.Now()).Abs(); apart > time.Minute {
		t.Errorf("it is %v wrong", apart)
	}
}
