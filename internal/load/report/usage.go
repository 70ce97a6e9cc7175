package report

import (
	"github.com/turnout-events/turnout/internal/load/report/plot"
	"github.com/turnout-events/turnout/internal/load/result"
)

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
		s.Charts = append(s.Charts, usageChart(run.Usage, h)...)
	}
	return s
}

// usageChart has a line for each process, in the order in which they appear.
// What a process is not known to hold, it has no line for.
func usageChart(usage []result.Usage, h held) []*plot.Drawing {
	c := plot.Chart{Title: h.title, About: h.about, X: plot.Axis{Name: "since the start", Scale: plot.Clock}, Y: h.y}
	points, order, longest := map[string][]plot.Point{}, []string{}, 0
	for _, u := range usage {
		if h.of(u) <= 0 {
			continue
		}
		if _, known := points[u.Process]; !known {
			order = append(order, u.Process)
		}
		points[u.Process] = append(points[u.Process], plot.At(float64(u.Second), float64(h.of(u))))
		longest = max(longest, len(points[u.Process]))
	}
	for i, process := range order {
		c.Lines = append(c.Lines, plot.Line{Name: process, Style: i % styles, Points: plot.Thin(points[process], drawn, plot.Largest)})
	}
	c.Note = thinned(longest, plot.Largest, "samples")
	return drawing(h.id, c)
}
