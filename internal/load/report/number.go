package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/turnout-events/turnout/internal/load/report/plot"
)

// none stands where there is no figure.
const none = "–"

// milliseconds writes a latency with its unit: "4.2 ms", "212 ms", "1.24 s".
func milliseconds(v float64) string {
	switch {
	case !countable(v):
		return none
	case v >= 59950:
		return duration(v / 1000)
	case v >= 999.5:
		return trim(digits(v/1000, 3)) + " s"
	}
	return trim(digits(v, 2)) + " ms"
}

// bare is milliseconds without the unit, for a column that names it.
func bare(v float64) string {
	if !countable(v) {
		return none
	}
	return digits(v, 2)
}

// duration writes seconds: "0.8 s", "42 s", "2 min 10 s", "3 h 5 min".
func duration(s float64) string {
	switch {
	case !countable(s):
		return none
	case s < 59.95:
		return trim(strconv.FormatFloat(s, 'f', 1, 64)) + " s"
	case s < 3599.5:
		n := int64(math.Round(s))
		return fmt.Sprintf("%d min %d s", n/60, n%60)
	}
	n := int64(math.Round(math.Min(s, 1e12) / 60))
	return fmt.Sprintf("%s h %d min", plot.Group(n/60), n%60)
}

// rate writes what happened in a second on average.
func rate(v float64) string {
	if !countable(v) {
		return none
	}
	return trim(digits(v, 3))
}

// trim leaves out noughts after a point that say nothing.
func trim(number string) string {
	if !strings.Contains(number, ".") {
		return number
	}
	return strings.TrimRight(strings.TrimRight(number, "0"), ".")
}

// digits writes a number with so many digits that count, never fewer than its
// whole part has, and its thousands grouped.
func digits(v float64, n int) string {
	whole := 1
	for p := 10.0; v >= p-p*0.5*math.Pow10(-n) && whole < n; p *= 10 {
		whole++ // 9.96 is written with as many digits as 10
	}
	if after := n - whole; after > 0 && v != 0 {
		return strconv.FormatFloat(v, 'f', after, 64)
	}
	return plot.Group(int64(math.Round(math.Min(v, 1e15))))
}

// size writes bytes: "412 B", "61.3 MiB".
func size(v float64) string {
	if !countable(v) {
		return none
	}
	unit := 0
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	for v >= 1024 && unit < len(units)-1 {
		v, unit = v/1024, unit+1
	}
	return trim(digits(v, 3)) + " " + units[unit]
}

// share writes a part of a whole as percent; nothing of nothing is 0 %.
func share(part, whole int64) string {
	if whole <= 0 || part <= 0 {
		return "0 %"
	}
	p := 100 * float64(part) / float64(whole)
	if p < 0.01 {
		return "<0.01 %"
	}
	return trim(digits(p, 2)) + " %"
}

func countable(v float64) bool { return v >= 0 && !math.IsInf(v, 0) }
