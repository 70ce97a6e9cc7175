package report

import (
	"fmt"

	"github.com/turnout-events/turnout/internal/load/report/plot"
	"github.com/turnout-events/turnout/internal/load/result"
)

// drawn is how many points a line has at most, whatever the length of its run.
const drawn = 240

// The page's styles of lines, by what they are of. Each has its own colour,
// dashes and mark.
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
	of    func(result.Interval) float64
}

// overTime makes a chart of a run's intervals. Lines that are nothing but zero
// are left out, and with them the chart when none is left. Lines of long runs
// are thinned, and the chart says what their points stand for.
func overTime(id string, run *result.Run, keep plot.Keep, c plot.Chart, lines ...series) []*plot.Drawing {
	c.X = plot.Axis{Name: "since the start", Scale: plot.Clock}
	c.Note = thinned(len(run.Timeline), keep, "seconds")
	for _, s := range lines {
		points, some := make([]plot.Point, 0, len(run.Timeline)), false
		for _, i := range run.Timeline {
			v := s.of(i)
			some = some || v > 0
			points = append(points, plot.At(float64(i.Second), v))
		}
		if some {
			c.Lines = append(c.Lines, plot.Line{Name: s.name, Style: s.style, Points: plot.Thin(points, drawn, keep)})
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

// thinned says what a point stands for where a line was thinned.
func thinned(points int, keep plot.Keep, what string) string {
	n := plot.PerPoint(points, drawn)
	switch {
	case n == 1:
		return ""
	case keep == plot.Mean:
		return fmt.Sprintf("each point is the mean of %d %s, the shade their least and largest", n, what)
	}
	return fmt.Sprintf("each point is the largest of %d %s", n, what)
}

func rateSection(run *result.Run) section {
	s := section{ID: "rates", Name: "Rates"}
	s.Charts = overTime("rates-over-time", run, plot.Mean,
		plot.Chart{Title: "Requests and registrations a second", About: "What was meant to be sent, what was answered and what was accepted, second by second.", Y: plot.Axis{Name: "per second"}},
		series{"intended", styleSecond, func(i result.Interval) float64 { return float64(i.Intended) }},
		series{"answered", styleMain, func(i result.Interval) float64 { return float64(i.Answered) }},
		series{"accepted", styleGood, func(i result.Interval) float64 { return float64(i.Accepted) }})
	s.Charts = append(s.Charts, overTime("visitors", run, plot.Largest,
		plot.Chart{Title: "Visitors at work", About: "The most visitors at once who had begun and not yet ended, second by second.", Y: plot.Axis{Name: "at once", Scale: plot.Whole}},
		series{"visitors", styleMain, func(i result.Interval) float64 { return float64(i.Sessions) }})...)
	s.Charts = append(s.Charts, overTime("in-flight", run, plot.Largest,
		plot.Chart{Title: "Requests under way", About: "The most requests at once that were sent and had no answer yet, second by second.", Y: plot.Axis{Name: "at once", Scale: plot.Whole}},
		series{"requests", styleMain, func(i result.Interval) float64 { return float64(i.InFlight) }})...)
	s.addBars("What became of submissions", "Outcome", run.Outcomes, false)
	return s
}

func errorSection(run *result.Run) section {
	s := section{ID: "errors", Name: "Errors"}
	s.Charts = overTime("errors-over-time", run, plot.Largest,
		plot.Chart{Title: "Errors over time", About: "Requests that failed, second by second.", Y: plot.Axis{Name: "per second", Scale: plot.Whole}},
		series{"errors", styleBad, func(i result.Interval) float64 { return float64(i.Errors) }})
	s.addBars("Errors by kind", "Kind", errorsByKind(run.Steps), true)
	return s
}
