package edge

import (
	"testing"
	"time"
)

// Two regions that are alike do not swing; one that is clearly nearer for half a
// minute gets the new sessions.
func TestSteering(t *testing.T) {
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		home, away time.Duration
		long       time.Duration
		want       string
	}{
		"home is nearer":          {20 * ms, 80 * ms, time.Minute, "home"},
		"hardly better":           {20 * ms, 17 * ms, time.Minute, "home"},
		"a fifth but not 10 ms":   {20 * ms, 11 * ms, time.Minute, "home"},
		"10 ms but not a fifth":   {200 * ms, 185 * ms, time.Minute, "home"},
		"clearly, not long":       {80 * ms, 20 * ms, 29 * time.Second, "home"},
		"clearly, for long":       {80 * ms, 20 * ms, 31 * time.Second, "away"},
		"nothing is known of one": {80 * ms, 0, time.Minute, "home"},
	} {
		t.Run(name, func(t *testing.T) {
			var s steer
			for at := time.Duration(0); at <= c.long; at += time.Second {
				s.step([]near{{"home", c.home}, {"away", c.away}}, noon.Add(at))
			}
			if got := *s.choice.Load(); got != c.want {
				t.Errorf("new sessions go %s", got)
			}
		})
	}
}

// What was better for a while and is not any more begins anew.
func TestSteeringForgetsARival(t *testing.T) {
	var s steer
	for i := range 80 {
		away := 20 * time.Millisecond
		if i%20 == 19 {
			away = 90 * time.Millisecond
		}
		s.step([]near{{"home", 80 * time.Millisecond}, {"away", away}}, noon.Add(time.Duration(i)*time.Second))
	}
	if got := *s.choice.Load(); got != "home" {
		t.Errorf("new sessions go %s", got)
	}
}

// A region that is gone is left at once, and is not gone back to for its own sake.
func TestSteeringLeavesTheDead(t *testing.T) {
	var s steer
	home, away := near{"home", 20 * time.Millisecond}, near{"away", 25 * time.Millisecond}
	s.step([]near{home, away}, noon)
	s.step([]near{away}, noon.Add(time.Second))
	if got := *s.choice.Load(); got != "away" {
		t.Errorf("new sessions go %s", got)
	}
	s.step([]near{home, away}, noon.Add(time.Minute))
	if got := *s.choice.Load(); got != "away" {
		t.Errorf("new sessions go %s", got)
	}
}
