package plot

import (
	"math"
	"slices"
)

// table has a row for each X and a column for each line.
func table(c Chart, x, y ruler) Table {
	head := c.X.Name
	if x.unit != "" {
		head += ", " + x.unit
	}
	t := Table{Head: []string{head}}
	for _, l := range c.Lines {
		t.Head = append(t.Head, l.Name)
	}
	for _, at := range places(c) {
		row := []string{x.label(at)}
		for _, l := range c.Lines {
			row = append(row, cell(c, l, at, x, y))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// places are the Xs of a table, rising.
func places(c Chart) []float64 {
	if c.Rows != nil {
		return c.Rows
	}
	var all []float64
	for _, l := range c.Lines {
		for _, p := range l.Points {
			if finite(p.X) {
				all = append(all, p.X)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// cell is a line's value at a place: that of the point that stands there, or,
// where the table has places of its own on an axis of shares, between points.
func cell(c Chart, l Line, at float64, x, y ruler) string {
	v, ok := exactly(l.Points, at)
	if c.Rows != nil && x.bend != nil {
		v, ok = reach(l.Points, at, x.bend)
	}
	if !ok {
		return "–"
	}
	return y.label(math.Round(v*1e3) / 1e3)
}

func exactly(points []Point, x float64) (float64, bool) {
	i, ok := slices.BinarySearchFunc(points, x, func(p Point, x float64) int {
		switch {
		case p.X < x:
			return -1
		case p.X > x:
			return 1
		}
		return 0
	})
	if !ok || !finite(points[i].Y) {
		return 0, false
	}
	return points[i].Y, true
}
