package report

import (
	"github.com/turnout-events/turnout/internal/load/report/plot"
	"github.com/turnout-events/turnout/internal/load/result"
)

func salesforceSection(run *result.Run) section {
	s := section{ID: "salesforce", Name: "Salesforce"}
	c := plot.Chart{Title: "API calls and records a second", About: "Calls of Salesforce's API and records that it took, second by second.", Y: plot.Axis{Name: "per second"}}
	s.Charts = overTime("calls-over-time", run, c,
		series{"calls", styleMain, plot.Mean, func(i result.Interval) float64 { return float64(i.Calls) }},
		series{"records taken", styleGood, plot.Mean, func(i result.Interval) float64 { return float64(i.Delivered) }})
	c = plot.Chart{Title: "Not yet in Salesforce", About: "Registrations that wait to be delivered, second by second.", Y: plot.Axis{Name: "registrations", Scale: plot.Whole}}
	s.Charts = append(s.Charts, overTime("waiting-over-time", run, c,
		series{"waiting", styleMain, plot.Largest, func(i result.Interval) float64 { return float64(i.Waiting) }})...)
	c = plot.Chart{Title: "Age of the oldest that waits", About: "Seconds since the oldest registration that is not in Salesforce was accepted.", Y: plot.Axis{Name: "age", Write: duration}}
	s.Charts = append(s.Charts, overTime("oldest-over-time", run, c,
		series{"oldest", styleSecond, plot.Largest, func(i result.Interval) float64 { return i.OldestAge }})...)
	if run.Salesforce == nil {
		return s
	}
	if b, ok := newBars("Calls by operation", "Operation", run.Salesforce.Calls); ok {
		s.Bars = append(s.Bars, b)
	}
	if b, ok := newBars("Batches by size", "Records in a call", run.Salesforce.Batches); ok {
		s.Bars = append(s.Bars, b)
	}
	return s
}

// held is one of the things that a process holds.
type held struct {
	id, title, about string
	y                plot.Axis
	of               func(result.Usage) int64
}

func usageSection(run *result.Run) section {
	s := section{ID: "resources", Name: "Resources"}
	bytes := plot.Axis{Name: "bytes", Scale: plot.Bytes, Write: size}
	for _, h := range []held{
		{"memory", "Memory", "Resident bytes of each process over time.", bytes, func(u result.Usage) int64 { return u.Memory }},
		{"goroutines", "Goroutines", "Goroutines of each process over time.", plot.Axis{Name: "goroutines", Scale: plot.Whole}, func(u result.Usage) int64 { return u.Goroutines }},
		{"files", "File handles", "Open file handles of each process over time.", plot.Axis{Name: "handles", Scale: plot.Whole}, func(u result.Usage) int64 { return u.Files }},
		{"store", "Store", "Bytes on disk of each process's store over time.", bytes, func(u result.Usage) int64 { return u.Store }},
	} {
		s.Charts = append(s.Charts, usageChart(run, h)...)
	}
	return s
}

// usageChart has a line for each process, in the order of their first words.
func usageChart(run *result.Run, h held) []*plot.Drawing {
	c := plot.Chart{Title: h.title, About: h.about, X: plot.Axis{Name: "since the start", Scale: plot.Clock}, Y: h.y}
	points, order := map[string][]plot.Point{}, []string{}
	for _, u := range run.Usage {
		if h.of(u) <= 0 {
			continue
		}
		if _, known := points[u.Process]; !known {
			order = append(order, u.Process)
		}
		points[u.Process] = append(points[u.Process], plot.At(float64(u.Second), float64(h.of(u))))
	}
	for i, process := range order {
		c.Lines = append(c.Lines, plot.Line{Name: process, Style: i % styles, Points: plot.Thin(points[process], drawn, plot.Largest)})
	}
	return drawing(h.id, c)
}
