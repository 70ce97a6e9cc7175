package measure

import (
	"cmp"
	"slices"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"

	"github.com/turnout-events/turnout/internal/load/result"
)

// curve are the shares of which a plot of a distribution is made.
var curve = []float64{0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999, 0.99999, 1}

func latency(h *hdr.Histogram) result.Latency {
	l := result.Latency{Count: h.TotalCount()}
	if l.Count == 0 {
		return l
	}
	at := func(share float64) float64 { return milliseconds(h.ValueAtQuantile(100 * share)) }
	l.Mean = h.Mean() / 1000
	l.P50, l.P90, l.P99, l.P999, l.Max = at(0.5), at(0.9), at(0.99), at(0.999), milliseconds(h.Max())
	for _, share := range curve {
		l.Curve = append(l.Curve, result.Quantile{Share: share, Milliseconds: min(at(share), l.Max)})
	}
	return l
}

func milliseconds(micros int64) float64 { return float64(micros) / 1000 }

// micros makes a time fit into a histogram.
func micros(d time.Duration) int64 {
	return max(1, min(d.Microseconds(), longest.Microseconds()))
}

// counts are how often what was seen.
type counts map[string]int64

func (c *counts) add(what string, n int64) {
	if *c == nil {
		*c = counts{}
	}
	(*c)[what] += n
}

// sorted are the most frequent first, and never nil.
func (c counts) sorted() []result.Count {
	all := []result.Count{}
	for what, n := range c {
		all = append(all, result.Count{What: what, Count: n})
	}
	slices.SortFunc(all, func(a, b result.Count) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.What, b.What))
	})
	return all
}
