package report

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/turnout-events/turnout/internal/load/report/plot"
	"github.com/turnout-events/turnout/internal/load/result"
)

// drawn is how many points a line has at most, whatever the length of its run.
const drawn = 240

// The page's styles of lines, by what they are of. Each has its own colour and
// its own dashes.
const (
	styleMain = iota
	styleSecond
	styleThird
	styleSoft
	styleGood
	styleBad
	styles
)

// A series takes one line of a chart from a run's intervals.
type series struct {
	name  string
	style int
	keep  plot.Keep
	of    func(result.Interval) float64
}

// overTime makes a chart of a run's intervals. Lines that are nothing but zero
// are left out, and with them the chart when none is left.
func overTime(id string, run *result.Run, c plot.Chart, lines ...series) []*plot.Drawing {
	c.X = plot.Axis{Name: "since the start", Scale: plot.Clock}
	for _, s := range lines {
		points, some := make([]plot.Point, 0, len(run.Timeline)), false
		for _, i := range run.Timeline {
			v := s.of(i)
			some = some || v > 0
			points = append(points, plot.At(float64(i.Second), v))
		}
		if some {
			c.Lines = append(c.Lines, plot.Line{Name: s.name, Style: s.style, Points: plot.Thin(points, drawn, s.keep)})
		}
	}
	return drawing(id, c)
}

func drawing(id string, c plot.Chart) []*plot.Drawing {
	if d, ok := plot.Draw(id, c); ok {
		return []*plot.Drawing{d}
	}
	return nil
}

// gap leaves a second without requests out of a line of latencies.
func gap(v float64) float64 {
	if v <= 0 {
		return plot.Gap()
	}
	return v
}

func latencySection(run *result.Run) section {
	c := plot.Chart{
		Title: "Latency over time", About: "Milliseconds from the time at which a request was meant to be sent until its answer, second by second.",
		Y: plot.Axis{Name: "latency", Scale: plot.Decades, Write: milliseconds},
	}
	s := section{ID: "latency", Name: "Latency", Note: thinned(run, "the largest")}
	s.Charts = overTime("latency-over-time", run, c,
		series{"max", styleSoft, plot.Largest, func(i result.Interval) float64 { return gap(i.Max) }},
		series{"p99", styleMain, plot.Largest, func(i result.Interval) float64 { return gap(i.P99) }},
		series{"p50", styleSecond, plot.Largest, func(i result.Interval) float64 { return gap(i.P50) }})
	s.Charts = append(s.Charts, percentiles(run)...)
	return s
}

// thinned says what a point of a long run stands for.
func thinned(run *result.Run, what string) string {
	n := plot.PerPoint(len(run.Timeline), drawn)
	if n == 1 {
		return ""
	}
	return fmt.Sprintf("Each point over time is %s of %d seconds.", what, n)
}

// percentiles shows each step's distribution, the slowest steps first, as many
// as can be told apart.
func percentiles(run *result.Run) []*plot.Drawing {
	steps := slices.Clone(run.Steps)
	slices.SortStableFunc(steps, func(a, b result.Step) int { return cmp.Compare(b.Latency.P99, a.Latency.P99) })
	c := plot.Chart{
		Title: "Latency by share of requests", About: "The share of each step's requests that took at most so long.",
		X: plot.Axis{Name: "share of requests", Scale: plot.Share}, Y: plot.Axis{Name: "latency", Scale: plot.Decades, Write: milliseconds},
		Rows: []float64{0.5, 0.9, 0.99, 0.999, 0.9999},
	}
	if len(steps) > styles {
		c.Title += fmt.Sprintf(", the %d slowest steps", styles)
		steps = steps[:styles]
	}
	for i, s := range steps {
		c.Lines = append(c.Lines, plot.Line{Name: stepName(s), Style: i, Points: curve(s.Latency)})
	}
	return drawing("latency-by-share", c)
}

// curve is a distribution's points below the share of 1, which is at no place
// of an axis that counts nines.
func curve(l result.Latency) (points []plot.Point) {
	if l.Count == 0 {
		return nil
	}
	if len(l.Curve) == 0 {
		return []plot.Point{plot.At(0.5, l.P50), plot.At(0.9, l.P90), plot.At(0.99, l.P99), plot.At(0.999, l.P999)}
	}
	for _, q := range l.Curve {
		if q.Share >= 0 && q.Share < 1 {
			points = append(points, plot.At(q.Share, q.Milliseconds))
		}
	}
	return points
}

func rateSection(run *result.Run) section {
	s := section{ID: "rates", Name: "Rates", Note: thinned(run, "the mean")}
	c := plot.Chart{Title: "Requests and registrations a second", About: "What was meant to be sent, what was answered and what was accepted, second by second.", Y: plot.Axis{Name: "per second"}}
	s.Charts = overTime("rates-over-time", run, c,
		series{"intended", styleSoft, plot.Mean, func(i result.Interval) float64 { return float64(i.Intended) }},
		series{"answered", styleMain, plot.Mean, func(i result.Interval) float64 { return float64(i.Answered) }},
		series{"accepted", styleGood, plot.Mean, func(i result.Interval) float64 { return float64(i.Accepted) }})
	c = plot.Chart{Title: "Under way", About: "Visitors at work and requests without an answer yet, second by second.", Y: plot.Axis{Name: "at once", Scale: plot.Whole}}
	s.Charts = append(s.Charts, overTime("under-way", run, c,
		series{"visitors", styleMain, plot.Largest, func(i result.Interval) float64 { return float64(i.Sessions) }},
		series{"requests", styleSecond, plot.Largest, func(i result.Interval) float64 { return float64(i.InFlight) }})...)
	if b, ok := newBars("What became of submissions", "Outcome", run.Outcomes); ok {
		s.Bars = append(s.Bars, b)
	}
	return s
}

func errorSection(run *result.Run) section {
	s := section{ID: "errors", Name: "Errors"}
	c := plot.Chart{Title: "Errors over time", About: "Requests that failed, second by second.", Y: plot.Axis{Name: "per second", Scale: plot.Whole}}
	s.Charts = overTime("errors-over-time", run, c, series{"errors", styleBad, plot.Largest, func(i result.Interval) float64 { return float64(i.Errors) }})
	if b, ok := newBars("Errors by kind", "Kind", errorsByKind(run.Steps)); ok {
		b.Bad = true
		s.Bars = append(s.Bars, b)
	}
	return s
}
