package plot

import (
	"math"
	"strconv"
)

// A Scale is how values are laid out, and which of them get ticks.
type Scale int

const (
	// Linear starts at zero and has ticks in steps of 1, 2 or 5.
	Linear Scale = iota
	// Whole is Linear for counts: no step is under 1.
	Whole
	// Decades is logarithmic where the values span more than some 30 to 1, and
	// Linear otherwise.
	Decades
	// Bytes is Linear in KiB, MiB or GiB.
	Bytes
	// Clock is for seconds, in the steps that clocks have.
	Clock
	// Share is for shares of requests from 0 to 1: as far from 50 % to 90 % as
	// from 90 % to 99 %, give or take, so that the slow few are seen.
	Share
)

// A ruler is an axis worked out: what lies at its ends and where ticks are.
type ruler struct {
	low, high float64
	bend      func(float64) float64 // nil where values lie evenly
	ticks     []float64
	label     func(float64) string
	unit      string // what labels are in, where the scale chose it
}

// at is where a value lies, from 0 to 1; what is beyond an end lies on it.
func (r ruler) at(v float64) float64 {
	v = clamp(v, r.low, r.high)
	low, high := r.low, r.high
	if r.bend != nil {
		v, low, high = r.bend(v), r.bend(low), r.bend(high)
	}
	return clamp((v-low)/(high-low), 0, 1)
}

// newRuler lays out an axis for values.
func newRuler(a Axis, values []float64) ruler {
	least, greatest := extremes(values)
	var r ruler
	switch {
	case a.Scale == Clock:
		r = clockRuler(greatest)
	case a.Scale == Share:
		r = shareRuler(greatest)
	case a.Scale == Bytes:
		r = bytesRuler(greatest)
	case a.Scale == Decades && least > 0 && greatest >= 30*least:
		r = decadeRuler(least, greatest)
	default:
		r = linearRuler(greatest, a.Scale == Whole)
	}
	if a.Write != nil {
		r.label = a.Write
	}
	if r.label == nil {
		r.label = plain
	}
	return r
}

// extremes finds the least value above zero, 0 where none is, and the greatest.
func extremes(values []float64) (least, greatest float64) {
	for _, v := range values {
		if !finite(v) {
			continue
		}
		v = clamp(v, 0, most)
		greatest = math.Max(greatest, v)
		if v > 0 && (least == 0 || v < least) {
			least = v
		}
	}
	return least, greatest
}

func linearRuler(greatest float64, whole bool) ruler {
	if greatest < 1e-9 {
		greatest = 1
	}
	step := niceStep(greatest / 5)
	if whole {
		step = math.Max(1, step)
	}
	n := math.Ceil(greatest/step - 1e-9)
	return ruler{high: n * step, ticks: steps(step, n*step)}
}

func bytesRuler(greatest float64) ruler {
	unit := 1.0
	for greatest >= 1024*unit {
		unit *= 1024
	}
	r := linearRuler(greatest/unit, false)
	r.high *= unit
	for i := range r.ticks {
		r.ticks[i] *= unit
	}
	return r
}

// decadeRuler lies between the 1, 2 or 5 below the least and the one above the
// greatest, and shows at most nine decades, the upper ones.
func decadeRuler(least, greatest float64) ruler {
	r := ruler{high: niceStep(greatest), bend: math.Log10}
	r.low = math.Max(niceFloor(least), r.high/1e9)
	first, last := int(math.Floor(math.Log10(r.low))), int(math.Ceil(math.Log10(r.high)))
	factors := []float64{1}
	if last-first <= 2 {
		factors = []float64{1, 2, 5}
	}
	by := 1 + (last-first)/6
	for e := first; e <= last; e += by {
		for _, f := range factors {
			if v := f * math.Pow10(e); v >= r.low*(1-1e-9) && v <= r.high*(1+1e-9) {
				r.ticks = append(r.ticks, v)
			}
		}
	}
	return r
}

// shareRuler goes to as many nines as there are, at least two and at most five.
func shareRuler(greatest float64) ruler {
	nines := 2.0
	if greatest > 0.99 {
		nines = clamp(math.Ceil(bendShare(math.Min(greatest, 0.999999))-1e-9), 2, 5)
	}
	r := ruler{high: 1 - math.Pow(10, -nines), bend: bendShare, ticks: []float64{0.5}, label: percent}
	for n := 1.0; n <= nines; n++ {
		r.ticks = append(r.ticks, 1-math.Pow(10, -n))
	}
	return r
}

func bendShare(v float64) float64 { return -math.Log10(1 - v) }

func percent(v float64) string {
	return strconv.FormatFloat(math.Round(v*1e7)/1e5, 'f', -1, 64) + " %"
}
