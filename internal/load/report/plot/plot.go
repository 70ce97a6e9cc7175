// Package plot works out line charts: where every tick, line and mark stands,
// and the table of the same figures. It writes no markup; the template of
// package report does, so that html/template escapes every word.
//
// A chart is drawn in a box of Width by Height that is stretched to whatever
// room a page has; words and marks are placed beside it by percentage and so
// keep their size on a phone.
package plot

import "math"

// The box that paths are in. Width has no unit, Height is CSS pixels.
const (
	Width  = 1000
	Height = 220
)

// A Chart is what is to be drawn. A chart whose lines have no point has
// nothing to draw; see Draw.
type Chart struct {
	Title string
	About string // a sentence for those who do not see it
	X, Y  Axis
	Note  string // what to know about its points; may be empty
	Lines []Line
	// Rows are the X values that the table has rows for; nil means every point's.
	Rows []float64
}

// An Axis says how values lie along one side of a chart.
type Axis struct {
	Name  string // what is shown, with its unit unless the ticks' labels have it
	Scale Scale
	// Write writes a value, with its unit; nil means plain numbers.
	Write func(float64) string
}

// A Line is one row of points with rising X.
type Line struct {
	Name   string
	Style  int // which of the page's styles (colour, dash and mark) it is drawn in
	Points []Point
}

// A Point is a value at a place. A Y that is NaN or infinite is a gap. Low and
// High are the least and the greatest of what was thinned to this point; both
// are Y where nothing was.
type Point struct {
	X, Y, Low, High float64
}

// At makes a point that stands for one value.
func At(x, y float64) Point { return Point{X: x, Y: y, Low: y, High: y} }

// Gap is the Y of a place without a value.
func Gap() float64 { return math.NaN() }

// most is where values are cut off, far above all that is measured, so that no
// arithmetic on them overflows.
const most = 1e15

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

func clamp(v, low, high float64) float64 { return math.Max(low, math.Min(high, v)) }
