package scenario

import (
	"math"
	"testing"
	"time"

	"github.com/turnout-events/turnout/internal/load/arrival"
)

func sample() *Scenario {
	return &Scenario{
		Name: "x", Duration: time.Minute, Alternate: 10 * time.Second,
		Crowds: []Crowd{
			{Name: "visitors", Visitors: 900, Arrive: Arrive{How: arrival.Rush, HalfLife: 15 * time.Second}, Journeys: []Journey{{Steps: []Step{{Name: "open", Open: "{link}"}, {Name: "send", Submit: "form"}}}}},
			{Name: "scanners", Visitors: 100, Arrive: Arrive{How: arrival.Even, Within: 30 * time.Second}, Journeys: []Journey{{Steps: []Step{{Name: "scan", Scan: "{link}"}}}}},
			{Name: "abusers", Noisy: true, Attack: true, Arrive: Arrive{How: arrival.Even, Allowances: 50}, Journeys: []Journey{{Steps: []Step{{Name: "odd", Odd: true}}}}},
		},
	}
}

func TestScaled(t *testing.T) {
	s := sample()
	if faults := s.Faults(); len(faults) != 0 {
		t.Fatal(faults)
	}
	same := s.Scaled(Scale{Allowance: 20})
	if same.Crowds[0].Visitors != 900 || same.Crowds[2].Arrive.Rate != 1000 || s.Crowds[2].Arrive.Rate != 0 {
		t.Errorf("%+v", same)
	}
	fewer := s.Scaled(Scale{Sessions: 50, Duration: 30 * time.Second, Allowance: 1})
	if fewer.Crowds[0].Visitors != 45 || fewer.Crowds[1].Visitors != 5 || fewer.Crowds[2].Visitors != 0 {
		t.Errorf("sessions: %+v", fewer.Crowds)
	}
	if fewer.Duration != 30*time.Second || fewer.Alternate != 5*time.Second || fewer.Crowds[0].Arrive.HalfLife != 7500*time.Millisecond || fewer.Crowds[1].Arrive.Within != 15*time.Second {
		t.Errorf("duration: %+v", fewer)
	}
	// A rush of no time at all still is one.
	for _, by := range []Scale{{Duration: 1}, {Rate: 1e12}} {
		if short := s.Scaled(by); short.Crowds[0].Arrive.HalfLife <= 0 {
			t.Errorf("%+v: %+v", by, short.Crowds[0])
		}
	}
	faster := s.Scaled(Scale{Rate: 100})
	if peak := faster.Plan(faster.Crowds[0]).Peak() + faster.Plan(faster.Crowds[1]).Peak(); math.Abs(peak-100) > 1 || faster.Crowds[0].Visitors != 900 {
		t.Errorf("the peak is %g: %+v", peak, faster.Crowds)
	}
	if n := s.AskedLinks(); n != 1000 {
		t.Errorf("%d links", n)
	}
}

func TestPath(t *testing.T) {
	v := Values{Link: "/l/x", Event: "gala"}
	for path, want := range map[string]string{"{link}": "/l/x", "/events/{event}.ics": "/events/gala.ics", "/": "/", "{registration}/cancel": ""} {
		if got, err := Path(path, v); got != want || (err == nil) == (want == "") {
			t.Errorf("%s is %q, %v", path, got, err)
		}
	}
}

func TestNoisyPeriods(t *testing.T) {
	s := sample()
	for at, want := range map[time.Duration]bool{0: false, 9 * time.Second: false, 10 * time.Second: true, 19 * time.Second: true, 20 * time.Second: false} {
		if s.Noisy(at) != want {
			t.Errorf("at %v", at)
		}
	}
}

func TestPercent(t *testing.T) {
	for text, want := range map[string]float64{"": -1, "0%": 0, "0.1%": 0.001, " 5 %": 0.05, "100%": 1} {
		if got, err := Percent(text); err != nil || math.Abs(got-want) > 1e-12 {
			t.Errorf("%q is %g, %v", text, got, err)
		}
	}
	for _, text := range []string{"5", "%", "-1%", "101%", "NaN%", "x%"} {
		if _, err := Percent(text); err == nil {
			t.Errorf("%q is a percentage", text)
		}
	}
}
