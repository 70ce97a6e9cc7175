package arrival

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func rng(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

func plans() map[string]Plan {
	return map[string]Plan{
		"even":          {Shape: Even, Rate: 200, Over: 50 * time.Second},
		"even, exactly": {Shape: Even, Visitors: 10_000, Over: 50 * time.Second},
		"ramp":          {Shape: Ramp, Rate: 0, To: 400, Over: 50 * time.Second},
		"ramp down":     {Shape: Ramp, Rate: 400, To: 0, Over: 50 * time.Second},
		"ramp, exactly": {Shape: Ramp, Rate: 1, To: 3, Visitors: 10_000, Over: 50 * time.Second},
		"rush":          {Shape: Rush, Rate: 1000, HalfLife: 7 * time.Second, Over: 50 * time.Second},
		"rush, exactly": {Shape: Rush, Visitors: 10_000, HalfLife: 7 * time.Second, Over: 50 * time.Second},
	}
}

// The same seed gives the same arrivals, another seed others, all of them in order
// and within the time.
func TestTheSeedDecides(t *testing.T) {
	for name, p := range plans() {
		t.Run(name, func(t *testing.T) {
			a, b, c := slices.Collect(p.Times(rng(7))), slices.Collect(p.Times(rng(7))), slices.Collect(p.Times(rng(8)))
			if !slices.Equal(a, b) {
				t.Error("the same seed gives other arrivals")
			}
			if slices.Equal(a, c) {
				t.Error("another seed gives the same arrivals")
			}
			if !slices.IsSorted(a) || a[0] < 0 || a[len(a)-1] > p.Over {
				t.Errorf("from %v to %v, in order: %v", a[0], a[len(a)-1], slices.IsSorted(a))
			}
		})
	}
}

// In each tenth of the time as many come as the shape says, give or take six
// standard deviations.
func TestShapes(t *testing.T) {
	for name, p := range plans() {
		t.Run(name, func(t *testing.T) {
			all := slices.Collect(p.Times(rng(3)))
			if p.Visitors > 0 && len(all) != p.Visitors {
				t.Fatalf("%d came, want %d", len(all), p.Visitors)
			}
			scale := 1.0
			if p.Visitors > 0 {
				if p.Rate == 0 {
					p.Rate = 1
				}
				scale = float64(p.Visitors) / p.expected(p.Over.Seconds())
			}
			for i := range 10 {
				from, to := p.Over*time.Duration(i)/10, p.Over*time.Duration(i+1)/10
				want := scale * (p.expected(to.Seconds()) - p.expected(from.Seconds()))
				got := 0.0
				for _, at := range all {
					if from <= at && at < to {
						got++
					}
				}
				if math.Abs(got-want) > 6*math.Sqrt(want)+3 {
					t.Errorf("in tenth %d: %g, want about %g", i, got, want)
				}
			}
		})
	}
}

// Gaps of a Poisson process vary as much as they last on average; evenly spaced
// ones would not vary at all.
func TestArrivalsAreRandom(t *testing.T) {
	all := slices.Collect(plans()["even"].Times(rng(5)))
	var sum, squares float64
	for i := 1; i < len(all); i++ {
		gap := (all[i] - all[i-1]).Seconds()
		sum, squares = sum+gap, squares+gap*gap
	}
	n := float64(len(all) - 1)
	mean := sum / n
	if deviation := math.Sqrt(squares/n - mean*mean); deviation < 0.9*mean || deviation > 1.1*mean {
		t.Errorf("gaps are %g s on average and deviate by %g", mean, deviation)
	}
}

func TestAtOnceAndNobody(t *testing.T) {
	all := slices.Collect(Plan{Shape: AtOnce, Visitors: 3}.Times(rng(1)))
	if !slices.Equal(all, []time.Duration{0, 0, 0}) {
		t.Errorf("%v", all)
	}
	if none := slices.Collect(Plan{Shape: Even, Over: time.Minute}.Times(rng(1))); len(none) != 0 {
		t.Errorf("%d came at a rate of 0", len(none))
	}
}

func TestPeak(t *testing.T) {
	for name, want := range map[string]float64{"even": 200, "even, exactly": 200, "ramp": 400, "rush": 1000, "ramp, exactly": 300} {
		if got := plans()[name].Peak(); math.Abs(got-want) > want/50 {
			t.Errorf("%s: %g, want %g", name, got, want)
		}
	}
}
