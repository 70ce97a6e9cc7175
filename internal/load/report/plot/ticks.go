package plot

import (
	"fmt"
	"math"
	"strconv"
)

// niceStep is the least of 1, 2 and 5 times a power of ten that is not under v,
// which is above zero.
func niceStep(v float64) float64 {
	power := math.Pow10(int(math.Floor(math.Log10(v))))
	for _, f := range []float64{1, 2, 5} {
		if v <= f*power*(1+1e-9) {
			return f * power
		}
	}
	return 10 * power
}

// niceFloor is the greatest of them that is not over v.
func niceFloor(v float64) float64 {
	power := math.Pow10(int(math.Floor(math.Log10(v))))
	for _, f := range []float64{5, 2} {
		if v >= f*power*(1-1e-9) {
			return f * power
		}
	}
	return power
}

// steps are the multiples of step from 0 to high.
func steps(step, high float64) []float64 {
	var all []float64
	for i := 0; float64(i)*step <= high*(1+1e-9); i++ {
		all = append(all, float64(i)*step)
	}
	return all
}

// clockRuler is of so many seconds, in at most eight steps.
func clockRuler(seconds float64) ruler {
	if seconds < 1 {
		seconds = 1
	}
	r := ruler{high: seconds, ticks: steps(clockStep(seconds/8), seconds)}
	switch {
	case seconds < 120:
		r.unit = "seconds"
	case seconds < 2*3600:
		r.unit, r.label = "min:s", func(v float64) string { return fmt.Sprintf("%d:%02d", int(v)/60, int(v)%60) }
	default:
		r.unit, r.label = "h:min", func(v float64) string { return fmt.Sprintf("%d:%02d", int(v)/3600, int(v)/60%60) }
	}
	return r
}

// clockStep is the least step of a clock that is not under v seconds; over a
// day it is 1, 2 or 5 times a power of ten of days.
func clockStep(v float64) float64 {
	const day = 24 * 3600
	for _, s := range []float64{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, day} {
		if v <= s {
			return s
		}
	}
	return day * niceStep(v/day)
}

// plain writes a number with its thousands grouped, and no more digits than it has.
func plain(v float64) string {
	if v >= 1000 {
		return Group(int64(math.Round(v)))
	}
	return strconv.FormatFloat(math.Round(v*1e6)/1e6, 'f', -1, 64)
}

// Group writes a whole number with its thousands grouped: 1,234,567.
func Group(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}
