package plot

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// A Drawing is a chart worked out, for a template. Paths lie in the box of
// Width by Height; ticks' places are percent of it from the left, and pixels
// from the top.
type Drawing struct {
	ID           string // unique on its page
	Title, About string
	Note         string
	XName, YName string
	XTicks       []Tick
	YTicks       []Tick
	Lines        []Drawn
	Table        Table
}

// A Tick is a labelled place on an axis.
type Tick struct {
	At, Label string
	Spare     bool // left out where there is little room
}

// Drawn is a line of a drawing.
type Drawn struct {
	Name  string
	Style int
	// Least and Greatest are the ends of its values, written out.
	Least, Greatest string

	Path  string
	Band  string // between the least and the greatest of thinned points; may be empty
	Marks []Mark
	// Alone are points between two gaps, which no path shows.
	Alone []Mark
}

// A Mark is a place on a line: percent from the left, pixels from the top.
type Mark struct{ X, Y string }

// A Table has the figures of a drawing.
type Table struct {
	Head []string
	Rows [][]string
}

// Draw works a chart out. It tells false where no line has a value.
func Draw(id string, c Chart) (*Drawing, bool) {
	xs, _ := values(c.Lines)
	x := newRuler(c.X, xs)
	c.Lines = within(c.Lines, x)
	_, ys := values(c.Lines)
	if len(ys) == 0 {
		return nil, false
	}
	y := newRuler(c.Y, ys)
	d := &Drawing{ID: id, Title: c.Title, About: c.About, Note: c.Note, XName: c.X.Name, YName: c.Y.Name, Table: table(c, x, y)}
	if x.unit != "" {
		d.XName += ", " + x.unit
	}
	for i, v := range x.ticks {
		d.XTicks = append(d.XTicks, Tick{percentOf(x.at(v)), x.label(v), i%2 == 1 && len(x.ticks) > 5})
	}
	for _, v := range y.ticks {
		d.YTicks = append(d.YTicks, Tick{pixels(y.at(v)), y.label(v), false})
	}
	for _, l := range c.Lines {
		drawn := draw(l, x, y)
		if c.X.Scale == Share {
			drawn.Marks = marks(l, x, y)
		}
		d.Lines = append(d.Lines, drawn)
	}
	return d, true
}

// values are those of all points that are drawn, with all that they stand for.
func values(lines []Line) (xs, ys []float64) {
	for _, l := range lines {
		for _, p := range l.Points {
			if finite(p.X) && finite(p.Y) {
				xs, ys = append(xs, p.X), append(ys, p.Low, p.Y, p.High)
			}
		}
	}
	return xs, ys
}

func draw(l Line, x, y ruler) Drawn {
	d := Drawn{Name: l.Name, Style: l.Style}
	if least, greatest, ok := ends(l.Points); ok {
		d.Least, d.Greatest = y.label(least), y.label(greatest)
	}
	var path, band strings.Builder
	for _, run := range runs(l.Points) {
		if p := run[0]; len(run) == 1 {
			d.Alone = append(d.Alone, Mark{percentOf(x.at(p.X)), pixels(y.at(p.Y))})
			continue
		}
		path.WriteByte('M')
		for i, p := range run {
			if i > 0 {
				path.WriteByte('L')
			}
			path.WriteString(across(x.at(p.X)) + " " + pixels(y.at(p.Y)))
		}
		band.WriteString(outline(run, x, y))
	}
	d.Path, d.Band = path.String(), band.String()
	return d
}

// ends are the least and the greatest of a line's values.
func ends(points []Point) (least, greatest float64, ok bool) {
	for _, p := range points {
		if !finite(p.X) || !finite(p.Y) {
			continue
		}
		if !ok {
			least, greatest, ok = p.Low, p.High, true
		}
		least, greatest = math.Min(least, p.Low), math.Max(greatest, p.High)
	}
	return least, greatest, ok
}

// outline goes along the greatest values and back along the least.
func outline(run []Point, x, y ruler) string {
	if len(run) < 2 || !slices.ContainsFunc(run, func(p Point) bool { return p.High > p.Low }) {
		return ""
	}
	var there, back []string
	for _, p := range run {
		there = append(there, across(x.at(p.X))+" "+pixels(y.at(p.High)))
		back = append(back, across(x.at(p.X))+" "+pixels(y.at(p.Low)))
	}
	slices.Reverse(back)
	return "M" + strings.Join(append(there, back...), "L") + "Z"
}

// runs are the parts of a line between its gaps.
func runs(points []Point) (all [][]Point) {
	begin := 0
	for i := range len(points) + 1 {
		if i < len(points) && finite(points[i].X) && finite(points[i].Y) {
			continue
		}
		if i > begin {
			all = append(all, points[begin:i])
		}
		begin = i + 1
	}
	return all
}

// marks stand on a line at the ticks of x that it reaches.
func marks(l Line, x, y ruler) (all []Mark) {
	for _, t := range x.ticks {
		if v, ok := reach(l.Points, t, x.bend); ok {
			all = append(all, Mark{percentOf(x.at(t)), pixels(y.at(v))})
		}
	}
	return all
}

// reach is a line's value at x, between the two points that x is between.
func reach(points []Point, x float64, bend func(float64) float64) (float64, bool) {
	for i, p := range points {
		switch {
		case math.Abs(p.X-x) < 1e-9:
			return p.Y, finite(p.Y)
		case p.X > x && i > 0:
			q := points[i-1]
			y := q.Y + (p.Y-q.Y)*(bend(x)-bend(q.X))/(bend(p.X)-bend(q.X))
			return y, finite(y)
		}
	}
	return 0, false
}

// within leaves out what lies past an axis's end. Only an axis of shares ends
// before its greatest value.
func within(lines []Line, x ruler) []Line {
	lines = slices.Clone(lines)
	for i, l := range lines {
		lines[i].Points = slices.DeleteFunc(slices.Clone(l.Points), func(p Point) bool { return p.X > x.high*(1+1e-9) })
	}
	return lines
}

func across(share float64) string    { return short(share * Width) }
func percentOf(share float64) string { return short(share*100) + "%" }
func pixels(share float64) string    { return short((1 - share) * Height) }

func short(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) }
