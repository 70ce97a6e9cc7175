package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/turnout-events/turnout/internal/load/report/plot"
	"github.com/turnout-events/turnout/internal/load/result"
)

func latencySection(run *result.Run) section {
	s := section{ID: "latency", Name: "Latency", Note: "From the time at which a request was meant to be sent, so a target that stalls cannot hide it."}
	s.Charts = overTime("latency-over-time", run, plot.Largest,
		plot.Chart{Title: "Latency over time", About: "The time until the answer to requests that were meant to be sent in each second.", Y: latencyAxis()},
		series{"max", styleSoft, func(i result.Interval) float64 { return gap(i.Max) }},
		series{"p99", styleMain, func(i result.Interval) float64 { return gap(i.P99) }},
		series{"p50", styleSecond, func(i result.Interval) float64 { return gap(i.P50) }})
	s.Charts = append(s.Charts, percentiles(run.Steps)...)
	return s
}

func latencyAxis() plot.Axis {
	return plot.Axis{Name: "latency", Scale: plot.Decades, Write: milliseconds}
}

// gap leaves a second without requests out of a line of latencies.
func gap(v float64) float64 {
	if v <= 0 {
		return plot.Gap()
	}
	return v
}

// percentiles shows the distributions of steps: all in one chart where they can
// be told apart there. Where there are more, a chart compares the groups that
// take the same step, for each such step, and one has the slowest of the rest.
func percentiles(steps []result.Step) (all []*plot.Drawing) {
	const title = "Latency by share of requests"
	var measured, rest []result.Step
	for _, s := range steps {
		if s.Latency.Count > 0 {
			measured = append(measured, s)
		}
	}
	if len(measured) <= styles {
		return distributions("latency-by-share", title, measured, stepName)
	}
	for i, s := range measured {
		same := slices.DeleteFunc(slices.Clone(measured), func(o result.Step) bool { return o.Name != s.Name })
		first := slices.IndexFunc(measured, func(o result.Step) bool { return o.Name == s.Name }) == i
		switch {
		case len(same) == 1:
			rest = append(rest, s)
		case first:
			id := fmt.Sprintf("latency-by-share-%d", i)
			all = append(all, distributions(id, title+": "+s.Name, same, func(o result.Step) string { return cmp.Or(o.Group, o.Name) })...)
		}
	}
	return append(all, distributions("latency-by-share", title+": other steps", rest, stepName)...)
}

// distributions draws as many steps as there are styles, the slowest.
func distributions(id, title string, steps []result.Step, name func(result.Step) string) []*plot.Drawing {
	if n := len(steps); n > styles {
		title += fmt.Sprintf(", the %d slowest of %d", styles, n)
		steps = slices.SortedStableFunc(slices.Values(steps), func(a, b result.Step) int { return cmp.Compare(b.Latency.P99, a.Latency.P99) })[:styles]
	}
	c := plot.Chart{
		Title: title, About: "The share of each step's requests that took at most so long.",
		X: plot.Axis{Name: "share of requests", Scale: plot.Share}, Y: latencyAxis(),
		Rows: []float64{0.5, 0.9, 0.99, 0.999, 0.9999},
	}
	for i, s := range steps {
		c.Lines = append(c.Lines, plot.Line{Name: name(s), Style: i, Points: curve(s.Latency)})
	}
	return drawing(id, c)
}

// curve is a distribution's points. The share of 1 is at no place of an axis
// that counts nines, and past the request that was slowest nothing is known.
func curve(l result.Latency) (points []plot.Point) {
	for _, q := range append([]result.Quantile{{Share: 0.5, Milliseconds: l.P50}, {Share: 0.9, Milliseconds: l.P90}, {Share: 0.99, Milliseconds: l.P99}, {Share: 0.999, Milliseconds: l.P999}}, l.Curve...) {
		if q.Share >= 0 && q.Share <= 1-1/float64(l.Count+1) {
			points = append(points, plot.At(q.Share, q.Milliseconds))
		}
	}
	slices.SortStableFunc(points, func(a, b plot.Point) int { return cmp.Compare(a.X, b.X) })
	return slices.CompactFunc(points, func(a, b plot.Point) bool { return math.Abs(a.X-b.X) < 1e-9 })
}
